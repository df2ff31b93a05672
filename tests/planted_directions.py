"""A results file with planted features, in which tests look for directions."""

from pathlib import Path

import h5py
import numpy as np
from stores import write_store

from sing_compute.directions.settings import Settings
from sing_compute.questions.directions.question import DirectionsQuestion
from sing_compute.store import Store
from sing_compute.store.verify import verify
from sing_compute.store.write import Writer

CLASSES, DIM, CLIP, IMAGES = 4, 16, 8, 43
"""Of `write_store`: classes cat (30 images), dog (12), owl (1), empty (0)."""
QUICK = Settings(first_steps=6, joint_steps=6, checkpoint_steps=3)
"""Too few steps to find anything; what is measured of the directions is exact all the same."""
QUESTION = DirectionsQuestion("alpha", count=3, restarts=2, size=2)
BASE = "models/alpha/directions/"


def write_planted(path: Path) -> Path:
    """Write features of two concepts, one in the head's span and one in its null space; the translator shows both to CLIP."""
    write_store(path, concepts=2 * CLIP)
    rng = np.random.default_rng(0)
    features = 0.3 * rng.normal(size=(IMAGES, DIM))
    features[::2, 0] += 3
    features[1::3, 5] += 4
    weight = np.zeros((CLIP, DIM))
    weight[1, 0] = weight[3, 5] = 1
    with h5py.File(path, "r+") as file:
        for model in ("alpha", "beta"):
            file.pop(f"models/{model}/features", None)
            Writer(file).put("models/{model}/features/row", range(IMAGES), model=model)
            Writer(file).put("models/{model}/features/value", features, model=model)
            file[f"models/{model}/head/weight"][...] = np.eye(CLASSES, DIM)
            file[f"models/{model}/translator/weight"][...] = weight
        file["clip/concept_embeddings"][...] = np.concatenate([np.eye(CLIP), -np.eye(CLIP)])
    return path


def faults_of(store: Store) -> list[str]:
    """Faults that `verify` finds in directions; other figures of the file do not belong to the planted features."""
    return [problem for problem in verify(store)[0] if "/directions/" in problem]
