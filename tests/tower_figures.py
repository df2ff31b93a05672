"""Heads of a small CLIP image tower in words, planted in a file of `write_store`."""

from pathlib import Path

import h5py
import numpy as np

from sing_compute.store.write import Writer

LAYERS, HEADS, VECTORS = 2, 2, 3
WORDS = ("red", "round", "a $name$ | with, signs")
BEST = (1, 0)
"""Layer and head whose names fit best."""


def write_tower(path: Path) -> None:
    """Add a tower whose vectors have two words a pole; singular values are 4, 3, 2, times layer + 1."""
    shape = (LAYERS, HEADS, VECTORS)
    values = np.broadcast_to([4.0, 3.0, 2.0], shape) * (1 + np.arange(LAYERS))[:, None, None]
    pick = np.broadcast_to(np.array([[0, 2], [1, 0]], np.int32), (*shape, 2, 2))
    coefficient = np.broadcast_to(np.array([0.75, 0.25], np.float32), (*shape, 2, 1, 2))
    cosine = np.full((*shape, 2, 1), 0.5, np.float32)
    cosine[BEST] = 0.75
    with h5py.File(path, "r+") as file:
        writer = Writer(file)

        def put(name: str, cells: object) -> None:
            writer.put("towers/{tower}/" + name, cells, tower="clip")

        writer.annotate("towers/clip", {"clip_tag": "ViT-tiny", "pool": "words", "pool_count": 3, "order": 0})
        for name, cells in (
            ("blocks", LAYERS),
            ("dim", 8),
            ("pool", 3),
            ("distinct", 3),
            ("vectors", int(np.prod(shape))),
        ):
            put(f"summary/{name}", cells)
        for name in ("mean_length", "cosine", "fidelity", "ceiling", "coherence", "unused"):
            put(f"summary/{name}", 0.0)
        put("image/mean", np.zeros(4))
        put("sizes/name", ["2 concepts"])
        put("sizes/concepts", [2])
        put("layers/name", [f"layer {layer}" for layer in range(LAYERS)])
        put("layers/number", range(LAYERS))
        put("vectors/value", values)
        put("vectors/rank", np.full((LAYERS, HEADS), VECTORS))
        put("vectors/pick", pick)
        put("vectors/coefficient", coefficient)
        for name, cells in (
            ("cosine", cosine),
            ("fidelity", cosine),
            ("ceiling", cosine[..., 0]),
            ("coherence", cosine),
        ):
            put(f"vectors/{name}", cells)
        put("methods/name", ["comp"])
        for name in ("cosine", "fidelity", "coherence", "unused"):
            put(f"methods/{name}", np.full((LAYERS, 1, 1), 0.5))
        put("words/name", WORDS)
        for name, cells in (("position", range(3)), ("uses", [24, 12, 12]), ("largest", [0.75, 0.75, 0.25])):
            put(f"words/{name}", cells)
        put("words/place", ["layer 0, head 0, vector 0, positive"] * 3)
