"""Edit the demo's CLIP by the names of its heads, and measure all pairs of two classes that carry a background.

python benchmarks/heads_edit.py

A class is "an image of a SHAPE with a BACKGROUND background", as if its training images had shown it on one background alone.
Its test images show both backgrounds of a pair: four groups for each of 180 pairs, on held-out scenes. Suppressing the vectors
that are named after backgrounds should help the worst group; as many random vectors, or whole heads, should not.
"""

import argparse
import copy
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from sing_compute.concepts.open_clip_space import OpenClipSpace
from sing_compute.datafiles import data_path
from sing_compute.demo.clip import PHRASES, pixels_of
from sing_compute.demo.scenes import ATTRIBUTES, drawing_seed, held_out_scenes
from sing_compute.process.progress import Progress
from sing_compute.questions.heads.editing import EditQuestion, edit_heads
from sing_compute.questions.heads.naming import HeadsQuestion, name_heads
from sing_compute.sith.control_edits import random_vectors, whole_heads
from sing_compute.sith.editing import scale_vectors

CLIP = f"local-dir:{data_path('demo/clip')}"
LAYERS = "-3:"
DRAWS = 20
OTHERS = ("shape", "colour", "texture", "size", "background")


@dataclass(frozen=True)
class Accuracies:
    """Means over the pairs, and the zero-shot accuracy of each attribute."""

    worst: float
    overall: float
    attributes: Mapping[str, float]


class Scenes:
    """The held-out scenes, as the demo's CLIP sees them."""

    def __init__(self) -> None:
        self.space = OpenClipSpace(CLIP)
        self.scenes = held_out_scenes()
        self.images = pixels_of(self.scenes, seed=drawing_seed(0))
        shapes, grounds = ATTRIBUTES["shape"], ATTRIBUTES["background"]
        texts = [[f"an image of a {shape} with a {ground} background"] for shape in shapes for ground in grounds]
        self.classes = self._texts(texts).reshape(len(shapes), len(grounds), -1)
        self.attributes = {
            name: self._texts([[PHRASES[name].format(value)] for value in values])
            for name, values in ATTRIBUTES.items()
        }
        self.embedded = self.embed(self.space.visual)

    @torch.inference_mode()
    def embed(self, visual: nn.Module) -> Float[Tensor, "image clip"]:
        found = torch.cat([visual(part) for part in self.images.split(50)])
        return found / found.norm(dim=1, keepdim=True)

    def _texts(self, texts: Sequence[Sequence[str]]) -> Tensor:
        return self.space.texts(texts, device=torch.device("cpu"))

    def accuracies(self, vectors: Tensor) -> Accuracies:
        truth = {name: np.array([scene.index(name) for scene in self.scenes]) for name in ATTRIBUTES}
        worst, overall = [], []
        for shapes in itertools.permutations(range(len(ATTRIBUTES["shape"])), 2):
            for grounds in itertools.combinations(range(len(ATTRIBUTES["background"])), 2):
                classes = self.classes[list(shapes), list(grounds)]
                nearest = (vectors @ classes.T).argmax(1).numpy()
                groups = [
                    nearest[(truth["shape"] == shape) & (truth["background"] == ground)] == number
                    for number, shape in enumerate(shapes)
                    for ground in grounds
                ]
                worst.append(min(group.mean() for group in groups))
                overall.append(np.concatenate(groups).mean())
        named = {
            name: float(((vectors @ texts.T).argmax(1).numpy() == truth[name]).mean())
            for name, texts in self.attributes.items()
        }
        return Accuracies(float(np.mean(worst)), float(np.mean(overall)), named)

    def with_factors(self, layers: Sequence[int], factors: Float[np.ndarray, "layer head vector"]) -> Accuracies:
        """Measure an edit that no file holds."""
        visual = copy.deepcopy(self.space.visual)
        scale_vectors(visual, dict(zip(layers, torch.from_numpy(factors), strict=True)))
        return self.accuracies(self.embed(visual))


def name_tower(scenes: Scenes, folder: Path, progress: Progress) -> Path:
    """Write the demo's tower with its names, as `sing-compute heads` does."""
    np.save(folder / "mean.npy", scenes.embedded.double().mean(0).numpy())
    file = folder / "tower.h5"
    vocabulary = str(data_path("demo/concepts.tsv"))
    question = HeadsQuestion(clip=CLIP, vocabularies=[vocabulary], mean=str(folder / "mean.npy"))
    name_heads(file, question, progress, new=True)
    return file


def measure(folder: Path, *, draws: int) -> list[tuple[str, int, Accuracies]]:
    """Return a title, the number of changed vectors and the accuracies of each edit; the first is the network as it is."""
    progress, scenes = Progress(), Scenes()
    file = name_tower(scenes, folder, progress)
    question = EditQuestion(clip=CLIP, layers=LAYERS, suppress=[",".join(ATTRIBUTES["background"])])
    edit = edit_heads(file, folder / "edited", question, progress)
    edited = OpenClipSpace(f"local-dir:{folder / 'edited'}")
    count = int((edit.factors != 1).sum())
    found = [
        ("before", 0, scenes.accuracies(scenes.embedded)),
        ("named after backgrounds", count, scenes.accuracies(scenes.embed(edited.visual))),
    ]
    heads = whole_heads(edit.factors, edit.real)
    size = int((heads.factors != 1).sum())
    found.append((f"{heads.heads} whole heads", size, scenes.with_factors(edit.layers, heads.factors)))
    rng = np.random.default_rng(0)
    for draw in range(draws):
        factors = random_vectors(edit.factors, edit.real, rng)
        found.append((f"random {draw + 1}", count, scenes.with_factors(edit.layers, factors)))
    return found


def table(found: Sequence[tuple[str, int, Accuracies]]) -> str:
    """Return the results as a Markdown table; draws of random vectors as their mean, lowest and highest."""
    fixed = [row for row in found if not row[0].startswith("random")]
    random = [each for title, _, each in found if title.startswith("random")]
    lines = [
        f"| suppressed | vectors | worst group | overall | {' | '.join(OTHERS)} |",
        f"|---|---|---|---|{'---|' * len(OTHERS)}",
    ]
    for title, count, each in fixed:
        cells = [each.worst, each.overall, *(each.attributes[name] for name in OTHERS)]
        lines.append(f"| {title} | {count} | {' | '.join(f'{cell:.3f}' for cell in cells)} |")
    if random:
        columns = [[each.worst for each in random], [each.overall for each in random]]
        columns += [[each.attributes[name] for each in random] for name in OTHERS]
        cells = [f"{np.mean(column):.3f} ({min(column):.3f} to {max(column):.3f})" for column in columns]
        lines.append(f"| random, {len(random)} draws | {fixed[1][1]} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=DRAWS, help="draws of random vectors")
    options = parser.parse_args(arguments)
    with TemporaryDirectory() as folder:
        print(table(measure(Path(folder), draws=options.draws)))


if __name__ == "__main__":
    main()
