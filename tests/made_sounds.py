"""Sounds that never were: features, a head, embeddings as CLAP gives them, and words, drawn at random with a planted leak.

The head reads 16 of 64 feature coordinates. The feature also holds, where the head does not look, how *noisy* a recording is, and
recordings of rain are the noisy ones: so the null part moves rain, and no other class, along the word *noisy*.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

CLASSES = ("dog bark", "rain", "siren", "piano", "applause")
WORDS = ("noisy", "loud", "distant", "metallic", "an echo", "a low hum", "crackling", "high-pitched")
DIM, SEEN, CLAP, EACH = 64, 16, 512, 40
TAG = "laion/clap-htsat-fused"
LEAK = 6.0
"""Length of the noisy part of a feature of rain; the parts that the head sees have length 4."""


@dataclass(frozen=True)
class Sounds:
    keys: list[str]
    labels: list[str]
    features: np.ndarray
    embeddings: np.ndarray
    weight: np.ndarray
    bias: np.ndarray
    names: list[str]
    words: np.ndarray

    def save(self, folder: Path) -> None:
        """Write the files of docs/sounds.md."""
        np.savez(folder / "features.npz", keys=self.keys, features=self.features, labels=self.labels)
        np.savez(folder / "embeddings.npz", keys=self.keys, embeddings=self.embeddings, tag=TAG)
        np.savez(folder / "concepts.npz", keys=self.names, embeddings=self.words, tag=TAG)
        save_file(
            {"weight": torch.from_numpy(self.weight), "bias": torch.from_numpy(self.bias)}, folder / "head.safetensors"
        )
        (folder / "classes.txt").write_text("\n".join(CLASSES))


def make(*, each: int = EACH, clap: int = CLAP) -> Sounds:
    """Draw the sounds: so many of each class, with embeddings of so many dimensions."""
    rng = np.random.default_rng(0)
    names = [*CLASSES, *WORDS]
    shared = rng.normal(size=clap)
    words = rng.normal(size=(len(names), clap)) + shared
    mixing = rng.normal(size=(SEEN, clap)) / 4
    centres = rng.normal(size=(len(CLASSES), SEEN))
    labels = np.repeat(np.arange(len(CLASSES)), each)
    seen = 4 * centres[labels] + rng.normal(size=(len(labels), SEEN))
    noisy = np.where(labels == CLASSES.index("rain"), LEAK, 0) + rng.normal(size=len(labels))
    rest = rng.normal(size=(len(labels), DIM - SEEN - 1))
    turn = np.linalg.qr(rng.normal(size=(DIM, DIM)))[0]
    features = np.concatenate([seen, noisy[:, None], rest], axis=1) @ turn
    direction = words[names.index("noisy")] - shared
    embeddings = 4 * words[labels] + seen @ mixing + noisy[:, None] * direction + rng.normal(size=(len(labels), clap))
    weight = np.concatenate([centres, np.zeros((len(CLASSES), DIM - SEEN))], axis=1) @ turn
    bias = -2 * (centres**2).sum(axis=1)
    keys = [f"{CLASSES[label].replace(' ', '-')}/{row:03d}.wav" for row, label in enumerate(labels)]
    return Sounds(
        keys,
        [CLASSES[label] for label in labels],
        features.astype(np.float32),
        embeddings.astype(np.float32),
        weight.astype(np.float32),
        bias.astype(np.float32),
        names,
        words.astype(np.float32),
    )
