"""A results file with a CLIP of its own, decoders of random weights in its space, and decoders whose pictures are known."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import asking
import numpy as np
import pytest
import tiny_decoders
import torch
from PIL import Image
from roads import clip_folder
from torch import Tensor

from sing_compute.concepts.open_clip_space import OpenClipSpace

SIDE = 16


@pytest.fixture(scope="session")
def rendered_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with results.h5, its images, its CLIP, and the decoders `stable` and `karlo`."""
    folder = tmp_path_factory.mktemp("rendered")
    asking.make_inputs(folder)
    (folder / "vocabulary.txt").write_text("red\nblue\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        name = clip_folder(folder / "clip")
        asking.measure(folder, "results.h5", "first", words="vocabulary.txt", options=["--clip", name])
        visual = OpenClipSpace(name).visual
        tiny_decoders.stable_decoder(folder / "stable", visual, side=SIDE)
        tiny_decoders.karlo_decoder(folder / "karlo", visual, side=SIDE)
    return folder


@pytest.fixture
def results(rendered_folder: Path, tmp_path: Path) -> Path:
    """A copy of the results file, without pictures."""
    return Path(shutil.copy(rendered_folder / "results.h5", tmp_path / "results.h5"))


@dataclass
class KnownDecoder:
    """A decoder whose pictures a test knows: a function of the embedding and the seed."""

    draw: Callable[[np.ndarray, int], np.ndarray]
    facts: dict[str, str | int | float] = field(default_factory=lambda: {"decoder_precision": "float32"})
    side: int = SIDE
    usual_norm: float = 8.0
    calls: list[int] = field(default_factory=list)
    """Pictures of each call."""

    def encode(self, images: Sequence[Image.Image]) -> Tensor:
        return torch.full((len(images), 64), 1.25)

    def decode(self, embeddings: Tensor, seeds: Sequence[int]) -> list[Image.Image]:
        self.calls.append(len(seeds))
        assert torch.allclose(embeddings.norm(dim=1), torch.tensor(10.0), atol=1e-3)  # that of `encode`
        return [
            Image.fromarray(self.draw(vector.numpy(), seed)) for vector, seed in zip(embeddings, seeds, strict=True)
        ]


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[np.ndarray, int], np.ndarray]], KnownDecoder]:
    """Put a decoder whose pictures are known in the place of the one that is loaded."""

    def put(draw: Callable[[np.ndarray, int], np.ndarray]) -> KnownDecoder:
        decoder = KnownDecoder(draw)
        monkeypatch.setattr("sing_compute.questions.renders.rendering.load_decoder", lambda *_, **__: decoder)
        return decoder

    return put


def noisy(vector: np.ndarray, seed: int) -> np.ndarray:
    """A picture of noise alone."""
    return np.random.default_rng(seed).integers(0, 255, (SIDE, SIDE, 3), dtype=np.uint8)


def drawn(vector: np.ndarray, seed: int) -> np.ndarray:
    """A picture of the embedding, with a little noise."""
    squares = np.resize(128 + 80 * vector, (8, 8, 3)).repeat(2, 0).repeat(2, 1)
    return (squares + np.random.default_rng(seed).integers(0, 3, squares.shape)).clip(0, 255).astype(np.uint8)
