"""The datasets that `heads check` adds to a tower: what its vectors do to images, beside what their names say."""

from sing_compute.store.definition import Axis, fields
from sing_compute.store.definitions.sith_fields import TOWER

CAUSES = TOWER + "causes/"

CAUSE_FIELDS = fields("""
[towers/{tower}/causes/attributes]
name | text | attribute | text | MAY | attributes: groups of texts, of each of which one is true of an image. Without `heads
    check` a tower has nothing of this group
truth | text | attribute | text | MAY | where the true text of each image comes from; `most similar text` if images have no
    label
spread | float64 | attribute | 1 in >0.. | MAY | standard deviation over the images of the margin: similarity of the true text
    minus that of the most similar other text of the attribute

[towers/{tower}/causes/texts]
name | text | tested | text | MAY | the texts, by attribute
attribute | int64 | tested | index of attribute in 0.. | MAY | attribute of each text

[towers/{tower}/causes/words]
attribute | int64 | word | index of attribute in 0.. | MAY | attribute that each picked concept belongs to
rule | text | word | text in text/word/similar | MAY | why: `text` (it is one of its texts), `word` (its words are), `similar`
    (its most similar text is)

[towers/{tower}/causes/images]
key | text | probe | text | MAY | images that were shown, by their keys

[towers/{tower}/causes/vectors]
effect | float64 | layer head vector attribute | 1 in 0.. or nan | MAY | mean abs change of the margin if the singular value
    is set to zero, over its spread; NaN for a vector that was not tried
amount | float64 | layer head vector | 1 in 0.. or nan | MAY | how much the head writes along the vector on these images: root
    mean square over images and the tokens that reach the embedding, without the part that is the same for all images
nearest | int64 | layer head vector extreme | index of probe | MAY | images on which the head writes most along the vector,
    the largest amount first; -1 for none
farthest | int64 | layer head vector extreme | index of probe | MAY | images on which it writes most against the vector

[towers/{tower}/causes/random]
effect | float64 | layer head draw attribute | 1 in 0.. or nan | MAY | the same if, in the place of a vector, as much is
    removed along a random unit direction of what the head can write; NaN for a layer that was not tried
amount | float64 | layer head draw | 1 in 0.. or nan | MAY | how much that is: the amount of one of the head's vectors, evenly
    spaced from the strongest to the weakest

[towers/{tower}/causes/agreement]
name | text | among | text | MAY | sets of vectors of a layer
count | int64 | layer among | count | MAY | vectors in each
agreement | float64 | layer among size | 1 in 0..1 or nan | MAY | share whose name says the attribute that they move most; NaN
    without vectors, or with one attribute
chance | float64 | layer among size | 1 in 0..1 or nan | MAY | the same share with names permuted among the same vectors: the
    exact mean
p | float64 | layer among size | 1 in >0..1 or nan | MAY | share of 2,000 seeded permutations, the order as it is counted as
    one, in which at least as many agree
""")
CAUSE_AXES = (
    Axis(
        "attribute",
        "groups of texts that vectors are checked with",
        field=CAUSES + "attributes/name",
        labels=CAUSES + "attributes/name",
    ),
    Axis("tested", "texts of these groups", field=CAUSES + "texts/name", labels=CAUSES + "texts/name"),
    Axis("probe", "images that vectors are checked on", field=CAUSES + "images/key", labels=CAUSES + "images/key"),
    Axis(
        "extreme",
        "images at one end of a vector, the largest amount first",
        field=CAUSES + "vectors/nearest",
        position=3,
    ),
    Axis("draw", "random directions of a head", field=CAUSES + "random/effect", position=2),
    Axis(
        "among",
        "sets of vectors of a layer: all that were tried, those above random, the 16 of largest effect",
        field=CAUSES + "agreement/name",
        labels=CAUSES + "agreement/name",
    ),
)
