"""The poles that a word names: SITH's table `uses`, a word across all heads of a tower."""

from sing_compute.store.definition import Axis, Column, Explanation, TableSpec, fields
from sing_compute.store.definitions.sith_fields import TOWER
from sing_compute.store.definitions.sith_words import COSINE, SOURCE

USES = TOWER + "uses/"

USE_FIELDS = fields("""
[towers/{tower}/uses]
name | text | use | text | MAY | word and place of each use: a pole in whose mix of the smallest K the word has a coefficient
    above 0
runs | int64 | word_edge | index | MAY | uses of word w are runs[w] to runs[w + 1], the largest coefficient first
coefficient | float32 | use | 1 in >0.. | MAY | coefficient of the word in that mix
layer | int64 | use | index | MAY | number of the layer in the tower, from 0
head | int64 | use | index | MAY | the head
vector | int64 | use | index | MAY | the singular vector of the head
pole | text | use | text in positive/negative | MAY | `positive` or `negative`
value | float64 | use | 1 in 0.. | MAY | singular value of the vector
cosine | float32 | use | 1 in -1..1 or nan | MAY | joint cosine of the whole mix
""")
USE_AXES = (
    Axis("word_edge", "one more edge than words", edges_of="word"),
    Axis(
        "use",
        "uses of the words of a tower, by word",
        field=USES + "name",
        labels=USES + "name",
        parent="word",
        runs=USES + "runs",
    ),
)


def _index(name: str, meaning: str) -> Column:
    return Column(name, name, "index", USES + name, Explanation(meaning=meaning, source=SOURCE))


_COLUMNS = (
    Column(
        "use",
        "use",
        "text",
        role="label",
        explanation=Explanation(meaning="A pole whose name has the word: layer, head, vector, pole.", source=SOURCE),
        description="word and place",
    ),
    Column(
        "coefficient",
        "coefficient",
        "three digits",
        USES + "coefficient",
        Explanation(
            "coefficient of the word in the mix of the smallest K",
            "How much of the pole is this word.",
            "Not a share: coefficients do not add up to 1.",
            SOURCE,
        ),
    ),
    Column(
        "value",
        "singular value",
        "any size",
        USES + "value",
        Explanation(
            "singular value of the vector",
            "How strongly the head writes along this vector.",
            "Not how much it matters for an image.",
            SOURCE,
        ),
    ),
    Column("cosine", "cosine", "three digits", USES + "cosine", COSINE),
    _index("layer", "Number of the attention layer, from 0."),
    _index("head", "Number of the head, from 0."),
    _index("vector", "Number of the singular vector, the largest singular value first."),
    Column(
        "pole",
        "pole",
        "text",
        USES + "pole",
        Explanation(meaning="The pole of the vector: along it (positive) or against it.", source=SOURCE),
        role="text",
    ),
)
USES_TABLE = TableSpec(
    "uses",
    "use",
    ("tower",),
    "use",
    _COLUMNS,
    options=("word",),
    sort="coefficient",
    measure="coefficient",
    naming=("use",),
)
