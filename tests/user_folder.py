"""A folder of a user of `sing-compute`: images, stored embeddings, class names, networks."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from roads import save_embeddings

CLASSES = ("ant", "bee", "cat")
CONCEPTS = (*CLASSES, "red", "green", "blue", "striped")
PER_CLASS = 12
BROKEN = "bee/05.png"
FACTORIES = """
import torch
from torch import nn

def to_tensor(image):
    return torch.frombuffer(bytearray(image.tobytes()), dtype=torch.uint8).reshape(8, 8, 3).permute(2, 0, 1) / 255

def make(width, seed):
    torch.manual_seed(seed)
    network = nn.Sequential(nn.Flatten(), nn.Linear(192, width), nn.ReLU(), nn.Linear(width, 3))
    network.transform = to_tensor
    return network

def small():
    return make(10, 0)

def other():
    return make(7, 1)

def narrow():
    return make(3, 2)

def gives_pairs():
    network = make(10, 0)
    network.append(type("Pair", (nn.Module,), {"forward": lambda self, x: (x, x)})())
    return network

def gives_nan():
    network = make(10, 0)
    nn.init.constant_(network[1].bias, float("nan"))
    return network
"""


def make_images(root: Path, per_class: int = PER_CLASS, seed: int = 0) -> list[str]:
    """A class tree of noise around a colour of each class; one image is broken. Gives the keys."""
    rng = np.random.default_rng(seed)
    keys = [f"{name}/{number:02d}.png" for name in CLASSES for number in range(per_class)]
    for key in keys:
        colour = 200 * np.eye(3)[CLASSES.index(key.partition("/")[0])]
        pixels = (colour + rng.uniform(0, 55, (8, 8, 3))).astype(np.uint8)
        (root / key).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(root / key)
    (root / BROKEN).write_bytes((root / BROKEN).read_bytes()[:60])
    return keys


@dataclass(frozen=True)
class Place:
    """A user's folder: images, stored embeddings, class names, factories."""

    folder: Path

    @property
    def output(self) -> Path:
        return self.folder / "results.h5"

    def arguments(self, *specs: str, images: str = "images", extra: Sequence[object] = ()) -> list[str]:
        files = {"class-names": "classes.txt", "image-embeddings": "images.npz", "concept-embeddings": "words.npz"}
        line = [part for option, file in files.items() for part in (f"--{option}", str(self.folder / file))]
        line += [part for spec in specs for part in ("--model", spec)]
        line += ["--images", str(self.folder / images), "-o", str(self.output), "--workers", "0", "--device", "cpu"]
        return [*line, *map(str, extra)]

    def files(self) -> set[str]:
        return {path.name for path in self.folder.iterdir()}


def make_inputs(folder: Path) -> None:
    """Save images, embeddings of them in another order, embeddings of the words, and the names of the classes."""
    keys = make_images(folder / "images")
    rng = np.random.default_rng(1)
    words = rng.normal(size=(len(CONCEPTS), 6)) + 1
    save_embeddings(folder / "words.npz", CONCEPTS, words)
    near = [words[CLASSES.index(key.partition("/")[0])] + 0.3 * rng.normal(size=6) for key in keys]
    save_embeddings(folder / "images.npz", keys[::-1], np.array(near[::-1]))
    (folder / "classes.txt").write_text("\n".join(CLASSES))
