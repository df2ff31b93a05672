"""A small results file for the verbs that ask it something later: drawn pictures, networks of one's own, stored embeddings."""

import hashlib
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from roads import save_embeddings

from sing_compute.cli import cli

CLASSES = ("ant", "bee", "cat", "dog")
WORDS = ("red", "green", "blue", "striped", "dotted", "plain", "round")
LATER = ("a striped animal", "snow")
"""Words that some runs have from the start and others are given later."""
PER_CLASS = (60, 8, 7, 2)
DIM, CLIP = 12, 6
NETWORKS = """
import torch
from torch import nn

def to_tensor(image):
    return torch.frombuffer(bytearray(image.tobytes()), dtype=torch.uint8).reshape(6, 6, 3).permute(2, 0, 1) / 255

def make(width, seed, classes=4):
    torch.manual_seed(seed)
    network = nn.Sequential(nn.Flatten(), nn.Linear(108, width), nn.ReLU(), nn.Linear(width, classes))
    network.transform = to_tensor
    return network

def first():
    return make(12, 0)

def second():
    return make(9, 1)

def third():
    return make(7, 5)

def fourth():
    return make(16, 6)

def full():
    return make(4, 2)

def backbone():
    network = make(9, 3)
    cut = network[:3]
    cut.transform = to_tensor
    return cut
"""


def make_inputs(folder: Path, *, seed: int = 0) -> None:
    """Pictures in a colour of their class, embeddings near those of its name, all vocabularies, and the networks' code."""
    rng = np.random.default_rng(seed)
    words = rng.normal(size=(len(CLASSES) + len(WORDS) + len(LATER), CLIP)) + 0.7
    keys, near = [], []
    for label, name in enumerate(CLASSES):
        for number in range(PER_CLASS[label]):
            key = f"{name}/{number:03d}.png"
            colour = 60 * np.eye(4)[label, :3] + rng.integers(0, 190, (6, 6, 3))
            (folder / "images" / key).parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(colour.astype(np.uint8)).save(folder / "images" / key)
            keys.append(key)
            near.append(words[label] + 0.5 * rng.normal(size=CLIP))
    save_embeddings(folder / "images.npz", keys, np.array(near))
    names = (*CLASSES, *WORDS, *LATER)
    save_embeddings(folder / "words.npz", names[: -len(LATER)], words[: -len(LATER)])
    save_embeddings(folder / "all.npz", names, words)
    save_embeddings(folder / "later.npz", LATER, words[-len(LATER) :])
    (folder / "classes.txt").write_text("\n".join(CLASSES))
    (folder / "asked_networks.py").write_text(NETWORKS)


def run_of(folder: Path, specs: Iterable[str]) -> list[object]:
    """Return the words of a run of these models on the images of a folder."""
    words: list[object] = [part for spec in specs for part in ("--model", spec)]
    files = ("--images", folder / "images", "--class-names", folder / "classes.txt")
    return [*words, *files, "--workers", "0", "--device", "cpu"]


def measure(folder: Path, output: str, *models: str, words: str = "words.npz", options: Sequence[object] = ()) -> Path:
    """Run some models on the inputs of a folder, which must be importable from; gives the results file.

    A model is a function of `asked_networks.py`, or NAME=SPEC. `words` is a file of stored embeddings, or with `--clip` among
    the options a vocabulary.
    """
    specs = (name if "=" in name else f"{name}=asked_networks:{name}" for name in models)
    line = run_of(folder, specs)
    if "--clip" in options:
        line += ["--concepts", folder / words]
    else:
        line += ["--image-embeddings", folder / "images.npz", "--concept-embeddings", folder / words]
    arguments = [str(part) for part in (*line, "-o", folder / output, *options)]
    before, sys.argv = sys.argv, ["sing-compute", *arguments]  # the file records it
    try:
        cli.main(arguments, standalone_mode=False)
    finally:
        sys.argv = before
    return folder / output


def folds(keys: np.ndarray) -> np.ndarray:
    """Fold of each image: the hash of its key that the method fixes (spec/sing.md, 2), in five."""
    digests = [hashlib.blake2b(str(key).encode(), digest_size=8).digest() for key in keys]
    return np.array([int.from_bytes(digest) % 5 for digest in digests])
