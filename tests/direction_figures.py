"""Direction pairs of two models of `write_store`, with figures that are chosen and not searched for."""

from pathlib import Path

import h5py
import numpy as np

from sing_compute.store.write import Writer

IMAGES, CLASSES = (30, 12, 1, 0), 4
NAMES = ("direction 0", "direction 1", "direction 2")
"""The first fires on all cats, the second on the first dog, the third nowhere."""


def write_directions(path: Path) -> None:
    """Add direction pairs of the models alpha and beta to a file; those of alpha are matched, labelled and named."""
    with h5py.File(path, "r+") as file:
        keys = [key.decode() for key in file["images/key"][()]]
        for model in ("alpha", "beta"):
            dim = file[f"models/{model}/head/weight"].shape[1]
            _write(Writer(file), model, keys, dim, file["images/class"][()])


def _write(writer: Writer, model: str, keys: list[str], dim: int, classes: np.ndarray) -> None:
    def put(name: str, value: object) -> None:
        writer.put("models/{model}/directions/" + name, value, model=model)

    count, images = len(NAMES), len(keys)
    logits = np.full((images, count), -1.0, np.float32)
    logits[classes == 0, 0] = np.linspace(0.5, 3, (classes == 0).sum())
    logits[np.flatnonzero(classes == 1)[0], 1] = 2
    fires = logits > 0
    filters = np.eye(count, dim) * 2
    vectors = np.eye(count, dim) / 2
    vectors[2] = 0
    facts = {
        "images": images,
        "positions": 1,
        "restarts": 8,
        "restart": 3,
        "objective": 1.5,
        "violation": 0.01,
        "found": 1,
    }
    facts |= {
        "twice": 1,
        "null_chance": 0.75,
        "null_low": 0.2,
        "null_median": 0.5,
        "null_high": 0.8,
        "name_random": 0.6,
    }
    facts |= {"permutations": 1000, "sensitive": 1, "sensitive_pairs": 2, "s1": 0.9, "s2": 0.9}
    for name, value in facts.items():
        put(f"summary/{name}", value)
    put("pairs/name", NAMES)
    for name, rows in (("filter", filters), ("signal", vectors), ("pattern", vectors)):
        put(f"pairs/{name}", rows)
    put("pairs/threshold", np.zeros(count))
    put("pairs/margin", np.full(count, 0.5))
    put("pairs/positives", fires.sum(0))
    put("pairs/images", fires.sum(0))
    put("pairs/strength", [2.0, 3.0, np.nan])
    put("pairs/rest", [-1.0, -1.0, -1.0])
    put("steps/name", ["0.5", "1", "2"])
    put("steps/size", [0.5, 1.0, 2.0])
    put("images/key", keys)
    put("images/row", range(images))
    put("images/logit", logits)
    put("classes/images", IMAGES)
    put("classes/positives", [[int(fires[classes == c, k].sum()) for c in range(CLASSES)] for k in range(count)])
    figure = np.broadcast_to(np.array([0.25, -1.5, 0.5, 0.0])[:, None] * [0.5, 1, 2], (count, CLASSES, 3))
    for name in ("sensitivity", "change", "margin"):
        put(f"classes/{name}", np.clip(figure, -1, 1) if name != "margin" else figure)
    for name, value in (("p", 0.001), ("q", 0.01), ("flips", 0.125), ("flip_step", 1.5), ("flip_outside", 0.5)):
        put(f"classes/{name}", np.full((count, CLASSES), value))
    put("losses/name", ["sparsity", "activation"])
    put("losses/value", [1.25, 0.5])
    put("losses/bound", [np.nan, 0.8])
    put("trust/state", ["found", "unstable", "not found"])
    put("trust/score", [0.95, 0.6, 0.0])
    put("trust/detector", [0.95, 0.7, 0.0])
    put("trust/against", ["another restart", "first half", "second half"])
    for name in ("filter", "signal", "agreement"):
        put(f"trust/{name}", np.array([[1.0, 0.9, 0.8], [0.5, 0.5, 0.5], [0, 0, 0]]))
    put("trust/steady", [0.9, 0.8, 0.0])
    put("trust/pinned", [0.75, 0.5, 0.25])
    for prefix in ("", "pattern_"):
        put(f"null/{prefix}share", [0.875, 0.25, np.nan])
        put(f"null/{prefix}p", [0.001, 0.9, np.nan])
        put(f"null/{prefix}q", [0.002, 0.9, np.nan])
        put(f"names/{prefix}pick", [[1, 0], [0, 1], [-1, -1]])
        put(f"names/{prefix}coefficient", [[0.75, 0.25], [0.5, 0.125], [np.nan, np.nan]])
        put(f"names/{prefix}cosine", [0.9, 0.5, np.nan])
        put(f"names/{prefix}p", [0.005, 0.5, np.nan])
    put("null/unread", [1, 0, 0])
    put("null/movement", [4.0, 2.0, np.nan])
    put("null/null_movement", [4 * 0.875**0.5, 2 * 0.5, np.nan])
    put("null/logit_movement", [0.5, 2.0, np.nan])
    put("null/row_class", [0, 1, 2])
    put("null/row_cosine", [0.5, 0.25, 0.125])
    put("words/name", ["round", "striped"])
    put("words/position", [3, 7])
    put("labels/concept", ["texture striped"])
    put("labels/label", [0, 0, -1])
    put("labels/iou", [0.9, 0.0, 0.0])
    put("labels/chance", [0.25, 0.125, np.nan])
    put("corrections/before", [0.9, 1.0, 0.0])
    for name, value in (("signal", 0.95), ("filter", 0.85), ("random", 0.8)):
        put(f"corrections/{name}", np.broadcast_to(np.array([value, 1.0, 0.0]), (count, 3)))
    put("rivals/name", ["PCA 0", "Pattern-CAV cat"])
    put("rivals/method", ["PCA", "Pattern-CAV"])
    put("rivals/words", ["striped 0.50", ""])
    for name, values in (
        ("cosine", [0.5, np.nan]),
        ("share", [0.9, 0.1]),
        ("margin", [1.5, -2.0]),
        ("likeness", [0.8, 0.3]),
    ):
        put(f"rivals/{name}", values)
    put("rivals/images", [3, 30])
    put("rivals/class", [0, 1])
    put("matches/model", ["beta" if model == "alpha" else "alpha"])
    put("matches/direction", [[0], [1], [-1]])
    put("matches/iou", [[1.0], [1.0], [0.0]])
    put("matches/chance", [[0.5], [0.0125], [np.nan]])
    put("matches/p", [[1e-6], [0.05], [np.nan]])
