"""Steering of each class toward each class, planted in a file of `write_store`."""

from pathlib import Path

import h5py
import numpy as np

from sing_compute.questions.steering import SteeringMatrix
from sing_compute.questions.steering_sink import put_steering
from sing_compute.store.write import Writer

PLANTED = SteeringMatrix(
    mean=np.array([[0.5, 12.25, -3.0, 4.0], [20.125, 1.0, np.nan, 2.0], [7.0, 8.0, 9.0, 6.0], [np.nan] * 4]),
    std=np.array([[1.5, 1.0, 1.0, 2.0], [2.0, 1.0, np.nan, 1.0], [np.nan] * 4, [np.nan] * 4]),
    unreachable=np.array([[0, 0, 1, 0], [0, 2, 12, 0], [0] * 4, [0] * 4]),
    images=np.array([30, 12, 1, 0]),
)
"""Of cat, dog, owl, empty; the largest is dog toward cat."""
ANGLE = 40.0


def write_steering(path: Path, model: str = "alpha") -> Path:
    """Give a model the planted steering."""
    with h5py.File(path, "r+") as file:
        put_steering(Writer(file), model, PLANTED, angle=ANGLE)
    return path
