"""How long each axis is: by the dataset that defines it, or by the schema itself."""

from sing_compute.store.schema import CURVE, NEIGHBOURS, PENALTIES, TOP_CONCEPTS

DEFINED = {
    "image": ("images/key", 0),
    "skipped": ("images/skipped_key", 0),
    "class": ("classes/name", 0),
    "concept": ("concepts/name", 0),
    "group": ("groups/name", 0),
    "subset": ("subsets/name", 0),
    "clip": ("clip/class_embeddings", 1),
    "model": ("comparison/model", 0),
    "dim": ("models/{model}/head/weight", 1),
    "compared": ("comparison/figure", 0),
    "lambda": ("models/{model}/translator/path_lambda", 0),
    "fold": ("models/{model}/translator/fold_bias", 0),
    "kept": ("models/{model}/features/row", 0),
    "map_image": ("models/{model}/maps/image", 0),
    "map_position": ("models/{model}/maps/position", 0),
    "map_channel": ("models/{model}/maps/value", 2),
    "figure": ("models/{model}/bootstrap/figure", 0),
    "replicate": ("models/{model}/bootstrap/classes", 1),
    "class_figure": ("models/{model}/classes/interval_figure", 0),
    "control": ("models/{model}/controls/name", 0),
    "perturbation": ("models/{model}/controls/perturbation", 0),
    "length": ("models/{model}/controls/length", 0),
    "variant": ("models/{model}/variants/name", 0),
    "mode": ("models/{model}/spectrum/singular_value", 0),
    "translator": ("models/{model}/translators/kind", 0),
}
"""The dataset and its axis that say how long an axis is; every other dataset must agree."""
FIXED = {
    "shift": TOP_CONCEPTS,
    "pole": TOP_CONCEPTS,
    "neighbour": NEIGHBOURS,
    "score": 2,
    "bound": 2,
    "penalty": len(PENALTIES),
    "percent": len(CURVE),
}


def own_axes(path: str) -> set[str]:
    """Axes whose length a dataset defines itself."""
    parts = path.split("/")
    if parts[0] == "models":
        parts[1] = "{model}"
    return {axis for axis, (owner, _) in DEFINED.items() if owner == "/".join(parts)}
