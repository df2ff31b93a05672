"""A file of three models with numbers that can be read off the screen."""

from pathlib import Path

import h5py
import numpy as np
from stores import write_store


def write_planted(path: Path, groups: tuple[str, ...] = ()) -> Path:
    """Write three models; the scores, orders, controls and curves of the first are known."""
    write_store(path, models=("alpha", "beta", "gamma"), groups=groups)
    with h5py.File(path, "r+") as file:
        alpha = file["models/alpha"]
        names = list(alpha["bootstrap/figure"].asstr()[()])
        alpha["summary/image_score"][()] = 11.7
        alpha["bootstrap/images_interval"][1, names.index("image_score")] = [9.25, 12.5]
        alpha["summary/attribute_score"][()] = -0.31
        alpha["bootstrap/images_interval"][1, names.index("attribute_score")] = [-0.4, 0.22]
        file["comparison/value"][:, 2] = [[1, 3, 2], [3, 1, 2], [2, 3, np.nan]]
        file["comparison/above"][0, 2, :, 0] = [0.5, 0.9, 0.75]
        file["comparison/above"][1, 2, 0, 2] = 0.98
        file["comparison/above"][2, 2, 1, 0] = 0.6
        alpha["controls/flips"][1] = 0.441
        alpha["spectrum/singular_value"][0] = 12.34
        alpha["spectrum/toward"][0, :2] = [7, 3]
        alpha["spectrum/away"][0, :2] = [1, -1]
        alpha["classes/attribute_score_curve"][0] = np.linspace(-2, 2, 21)
        alpha["classes/image_score_curve"][0] = [*np.linspace(1, 5, 20), 9]
    return path
