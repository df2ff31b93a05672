"""The datasets of SING in words: null directions of a classifier, and the concepts at both poles of each."""

from sing_compute.store.definition import Axis, fields

GROUP = "models/{model}/null_words"
MODES, CLASSES, WORDS, SIZES, SUMMARY = (
    f"{GROUP}/{part}/" for part in ("modes", "classes", "words", "sizes", "summary")
)

FIELDS = fields("""
[models/{model}/null_words/summary]
pool | int64 | - | count | MUST | concepts that names were chosen from
distinct | int64 | - | count | MUST | concepts of them whose direction is not that of an earlier one

[models/{model}/null_words/sizes]
name | text | null_size | text | MUST | numbers of concepts K in words, ascending
concepts | int64 | null_size | count | MUST | numbers of concepts K

[models/{model}/null_words/modes]
name | text | null_mode | text | MUST | null directions by how far a unit step along each moves CLIP space
value | float64 | null_mode | 1 in >0.. | MUST | |A d|, the length of this move: singular values of A Pi_n, descending
pick | int32 | null_mode sign null_pick | index of null_word | MUST | concepts of each pole in the order of picking; the first
    K belong to the mix of K concepts
coefficient | float32 | null_mode sign null_size null_pick | 1 in 0.. or nan | MUST | their coefficients in the mix of K
    concepts; 0 for one that was picked in vain, NaN for those behind the first K
cosine | float32 | null_mode sign null_size | 1 in -1..1 or nan | MUST | cosine of the mix and the pole in CLIP space

[models/{model}/null_words/classes]
name | text | null_direction | text | MUST | null directions of a class, the largest variance first
images | int64 | class | count | MUST | images of the class whose features are stored, and which its directions are found from
share | float64 | class null_direction | 1 in >0..1 or nan | MUST | variance along the direction over the variance of the
    whole null part, both within the class; NaN where the class has no such direction, as in everything else of that direction
deviation | float64 | class null_direction | 1 in 0.. or nan | MUST | standard deviation of the features along the direction
    (divided by n)
movement | float64 | class null_direction | 1 in 0.. or nan | MUST | root mean square movement in CLIP space: |A d| times that
    deviation
angle | float32 | class null_direction sign | degree in 0..180 or nan | MUST | angle between T of the mean feature of the
    class and T one standard deviation away from it, toward each pole
pick | int32 | class null_direction sign null_pick | index of null_word | MUST | concepts of each pole in the order of
    picking; -1 for a pole without a name
coefficient | float32 | class null_direction sign null_size null_pick | 1 in 0.. or nan | MUST | their coefficients in the mix
    of K concepts; 0 for one that was picked in vain, NaN for those behind the first K
cosine | float32 | class null_direction sign null_size | 1 in -1..1 or nan | MUST | cosine of the mix and the pole in CLIP
    space

[models/{model}/null_words/words]
name | text | null_word | text | MUST | concepts that were picked for at least one pole; others of the pool are not stored
position | int64 | null_word | index | MUST | position of each in the pool, from 0
uses | int64 | null_word | count | MUST | poles in whose mix it has a coefficient above 0, with the smallest K
largest | float64 | null_word | 1 in 0.. | MUST | its largest coefficient, with the smallest K
place | text | null_word | text | MUST | the pole of that coefficient; empty if it has none above 0
""")
AXES = (
    Axis("null_mode", "null directions that CLIP could see move", field=MODES + "name", labels=MODES + "name"),
    Axis(
        "null_direction",
        "null directions along which the images of a class differ most",
        field=CLASSES + "name",
        labels=CLASSES + "name",
    ),
    Axis("null_word", "concepts that name a null direction", field=WORDS + "name", labels=WORDS + "name"),
    Axis("null_pick", "concepts of a pole in the order of picking", field=MODES + "pick", position=2),
    Axis("null_size", "numbers of concepts K, ascending", field=SIZES + "name", labels=SIZES + "name"),
)
