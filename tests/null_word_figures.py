"""Null directions in words, planted in a file of `write_store`."""

from pathlib import Path

import h5py
import numpy as np

from sing_compute.store.write import Writer

WORDS = ("red", "round", "striped")


def write_null_words(path: Path) -> None:
    """Give the model alpha two null directions of each class with enough images, named by three words."""
    pick = np.broadcast_to(np.array([[[2, 0], [1, 2]]]), (4, 2, 2, 2)).copy()
    coefficient = np.full((4, 2, 2, 2, 2), np.nan, np.float32)
    coefficient[..., 0, 0] = 0.75
    coefficient[..., 1, :] = 0.5, 0.25
    known = np.array([True, True, False, False])
    pick[~known], coefficient[~known] = -1, np.nan
    figures = {"share": [0.75, 0.125], "deviation": [3, 1], "movement": [0.5, 0.25]}
    with h5py.File(path, "r+") as file:
        values = file["models/alpha/spectrum/singular_value"][:2]
        writer = Writer(file)

        def put(name: str, cells: object) -> None:
            writer.put("models/{model}/null_words/" + name, cells, model="alpha")

        writer.annotate("models/alpha/null_words", {"pool_count": 3, "pool_same_direction": 0})
        put("modes/name", ["mode 0", "mode 1"])
        put("modes/value", values)
        put("classes/name", ["direction 0", "direction 1"])
        put("classes/images", [30, 12, 1, 0])
        for name, cells in figures.items():
            put(f"classes/{name}", np.where(known[:, None], cells, np.nan))
        put("classes/angle", np.where(known[:, None, None], [[20.0, 21.0], [5.0, 6.0]], np.nan))
        for group, rows in (("modes", 0), ("classes", slice(None))):
            put(f"{group}/pick", pick[rows])
            put(f"{group}/coefficient", coefficient[rows])
            put(f"{group}/cosine", np.where(pick[rows][..., :1] < 0, np.nan, [0.5, 0.625]))
        put("sizes/name", ["1 concept", "2 concepts"])
        put("sizes/concepts", [1, 2])
        put("summary/pool", 3)
        put("summary/distinct", 3)
        put("words/name", WORDS)
        put("words/position", range(3))
        put("words/uses", [0, 6, 6])
        put("words/largest", [0, 0.75, 0.75])
        put("words/place", ["", "mode 0, negative", "mode 0, positive"])
