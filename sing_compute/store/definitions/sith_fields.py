"""The datasets of SITH: the heads of CLIP image towers as singular vectors, and the words that name them."""

from sing_compute.store.definition import Axis, fields

TOWER = "towers/{tower}/"
VECTORS = TOWER + "vectors/"
METHODS = TOWER + "methods/"
WORDS = TOWER + "words/"
SUMMARY = TOWER + "summary/"

FIELDS = fields("""
[towers/{tower}/summary]
blocks | int64 | - | count | MUST | attention layers of the tower; those that were named are on the axis `layer`
dim | int64 | - | count | MUST | width of the tower's residual stream
pool | int64 | - | count | MUST | concepts that names were chosen from
distinct | int64 | - | count | MUST | concepts of them whose direction is not that of an earlier one
mean_length | float64 | - | 1 in 0..1 | MUST | length of the image mean that was subtracted; 0 if none was
vectors | int64 | - | count | MUST | singular vectors that were named
cosine | float64 | - | 1 in -1..1 or nan | MUST | mean joint cosine of all poles, with the smallest K
fidelity | float64 | - | 1 in -1..1 or nan | MUST | mean fidelity of all poles, with the smallest K
ceiling | float64 | - | 1 in -1..1 or nan | MUST | mean ceiling of the fidelity of all poles
coherence | float64 | - | 1 in -1..1 or nan | MUST | mean coherence of all poles, with the smallest K; NaN if no mix has two
    concepts
unused | float64 | - | 1 in 0..1 or nan | MUST | share of all picks that have coefficient 0, with the smallest K

[towers/{tower}/image]
mean | float64 | joint | 1 in -1..1 | MUST | mean of unit image embeddings that was subtracted; zeros if none was

[towers/{tower}/sizes]
name | text | size | text | MUST | numbers of concepts K in words, ascending
concepts | int64 | size | count | MUST | numbers of concepts K

[towers/{tower}/layers]
name | text | layer | text | MUST | the layers that were named
number | int64 | layer | index | MUST | their numbers, from 0 for the first attention layer of the tower

[towers/{tower}/vectors]
value | float64 | layer head vector | 1 in 0.. | MUST | singular values of each head, descending
rank | int64 | layer head | count | MUST | vectors with names: those of singular values above rounding, as the others are
    noise; of names that were taken over, those that the other program has named
pick | int32 | layer head vector sign pick | index of word | MUST | concepts of each pole in the order of picking; -1 for a
    vector or pole without a name. The first K belong to the mix of K concepts
coefficient | float32 | layer head vector sign size pick | 1 in 0.. or nan | MUST | their coefficients in the mix of K
    concepts; 0 for one that was picked in vain, NaN for those behind the first K
cosine | float32 | layer head vector sign size | 1 in -1..1 or nan | MUST | cosine of the mix and the pole in the joint space
fidelity | float32 | layer head vector sign size | 1 in -1..1 or nan | MUST | cosine of the vector and the mix that was led
    back to the residual stream
ceiling | float32 | layer head vector sign | 1 in -1..1 or nan | MUST | fidelity that a perfect mix would have
coherence | float32 | layer head vector sign size | 1 in -1..1 or nan | MUST | mean cosine between the concepts of a mix, each
    pair weighted by the product of its coefficients; NaN if it has fewer than two

[towers/{tower}/methods]
name | text | method | text | MUST | ways to choose concepts: `comp`, and `nnomp` and `top-k` to compare it with
cosine | float64 | layer method size | 1 in -1..1 or nan | MUST | mean joint cosine of all poles
fidelity | float64 | layer method size | 1 in -1..1 or nan | MUST | mean fidelity of all poles
coherence | float64 | layer method size | 1 in -1..1 or nan | MUST | mean coherence of all poles; NaN if no mix has two
    concepts
unused | float64 | layer method size | 1 in 0..1 or nan | MUST | share of all picks that have coefficient 0

[towers/{tower}/words]
name | text | word | text | MUST | concepts that were picked for at least one pole; others of the pool are not stored
position | int64 | word | index | MUST | position of each in the pool, from 0
uses | int64 | word | count | MUST | poles in whose mix it has a coefficient above 0, with the smallest K
largest | float64 | word | 1 in 0.. | MUST | its largest coefficient, with the smallest K
place | text | word | text | MUST | layer, head, vector and pole of that coefficient; empty if it has none above 0
""")
AXES = (
    Axis("tower", "CLIP image towers", group="towers"),
    Axis("joint", "coordinates of the joint space of a tower's images and texts", field=TOWER + "image/mean"),
    Axis(
        "layer",
        "attention layers of a tower that were named",
        field=TOWER + "layers/name",
        labels=TOWER + "layers/name",
    ),
    Axis("head", "attention heads of a layer", field=VECTORS + "value", position=1),
    Axis("vector", "singular vectors of a head, the largest singular value first", field=VECTORS + "value", position=2),
    Axis("sign", "poles of a vector: along it (positive), against it (negative)", length=2),
    Axis("pick", "concepts of a pole in the order of picking", field=VECTORS + "pick", position=4),
    Axis("size", "numbers of concepts K, ascending", field=TOWER + "sizes/name", labels=TOWER + "sizes/name"),
    Axis("method", "ways to choose concepts", field=METHODS + "name", labels=METHODS + "name"),
    Axis("word", "concepts that name a pole", field=WORDS + "name", labels=WORDS + "name"),
)
