"""SITH: the attention heads of CLIP image towers in words (arXiv 2603.24653)."""

from sing_compute.store.checks import names, sith_causes, sith_towers
from sing_compute.store.definition import Analysis, TableSpec, check
from sing_compute.store.definitions.sith_cause_fields import CAUSE_AXES, CAUSE_FIELDS
from sing_compute.store.definitions.sith_causes import CAUSES_TABLE, LAYER_CAUSES, VECTOR_CAUSES, VECTOR_IMAGES
from sing_compute.store.definitions.sith_columns import (
    HEADS,
    LAYERS,
    METHOD_COLUMNS,
    PICKS,
    TOWERS,
    VECTOR_COLUMNS,
    WORD_COLUMNS,
)
from sing_compute.store.definitions.sith_fields import AXES, FIELDS, TOWER
from sing_compute.store.definitions.sith_uses import USE_AXES, USE_FIELDS, USES_TABLE

_TABLES = (
    TableSpec("towers", "tower", (), "tower", TOWERS, opens=("layers", "words"), measure="cosine", naming=("tower",)),
    TableSpec(
        "layers",
        "layer",
        ("tower",),
        "layer",
        (*LAYERS, *LAYER_CAUSES),
        options=("size",),
        opens=("heads", "methods"),
        measure="cosine",
        naming=("layer",),
    ),
    TableSpec(
        "methods",
        "method",
        ("tower", "layer"),
        "method",
        METHOD_COLUMNS,
        options=("size",),
        measure="cosine",
        naming=("method",),
    ),
    TableSpec(
        "heads",
        "head",
        ("tower", "layer"),
        "head",
        HEADS,
        options=("size",),
        opens=("vectors",),
        measure="strength",
        naming=("head",),
    ),
    TableSpec(
        "vectors",
        "vector",
        ("tower", "layer", "head"),
        "vector",
        (*VECTOR_COLUMNS[:4], *VECTOR_CAUSES, *VECTOR_COLUMNS[4:], *VECTOR_IMAGES),
        options=("size",),
        opens=("picks", "causes"),
        measure="value",
        naming=("vector",),
    ),
    TableSpec(
        "picks",
        "pick",
        ("tower", "layer", "head", "vector"),
        "pick",
        PICKS,
        options=("size",),
        measure="positive_coefficient",
        naming=("pick",),
    ),
    CAUSES_TABLE,
    TableSpec(
        "words",
        "word",
        ("tower",),
        "word",
        WORD_COLUMNS,
        opens=("uses",),
        sort="uses",
        measure="uses",
        naming=("word",),
    ),
    USES_TABLE,
)
_FIGURES = """summary/mean_length summary/vectors summary/cosine summary/fidelity summary/ceiling summary/coherence summary/unused
words/uses words/largest words/place summary/pool summary/distinct sizes/name"""
SITH = Analysis(
    "sith",
    1,
    "SITH: attention heads of CLIP in words",
    "tower",
    FIELDS + USE_FIELDS + CAUSE_FIELDS,
    AXES + USE_AXES + CAUSE_AXES,
    _TABLES,
    checks=(
        check(sith_towers.check_vectors, "vectors/rank layers/number", group=TOWER),
        check(sith_towers.check_figures, _FIGURES, group=TOWER),
        check(
            sith_towers.check_methods, "methods/cosine methods/fidelity methods/coherence methods/unused", group=TOWER
        ),
        check(sith_towers.check_uses, "uses/*", group=TOWER),
        check(names.check_tower_names, "sizes/name layers/name uses/name words/place words/name", group=TOWER),
        check(sith_causes.check_causes, "causes/agreement/*", group=TOWER),
    ),
)
