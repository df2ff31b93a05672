"""A world with known directions: concepts times their strengths, plus distractors (arXiv 2509.23926, section 5.1)."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize, one_hot

from sing_compute.directions.alignment import LinearHead

# The published concepts and distractors, to the printed digits; a line is a direction.
_CONCEPTS = """
.5396 .4415 -.1283 -.0093 .59 -.3718 .1051 .0003 .0063 -.0009 -.0004 .0024 .0036 -.0007 .0002 -.0001
.5914 .5833 -.1745 -.4899 -.193 -.0051 .0467 -.0103 .0037 .0004 -.0002 -.0001 .0001 0 0 0
.8122 .2983 .4681 .17 -.0005 .0229 -.0524 .0056 -.0021 .001 .0002 -.0006 -.0013 .0002 0 0
"""
_DISTRACTORS = """
.7693 -.0396 -.6216 .1416 -.0123 -.007 .0022 .0014 -.0004 .0001 0 0 0 0 0 0
.7527 -.6147 .1661 -.1293 .1065 -.0042 .0003 .0007 -.0001 .0001 0 0 0 0 0 0
"""
CLASSES = ((0, 1), (0, 2), (1, 2))
"""The concepts of the two positions of an image of each class."""
CONSTANT = 10.0


@dataclass(frozen=True, slots=True)
class World:
    """Directions, and images drawn from them."""

    concepts: Tensor
    """(dim, concept), of length 1."""
    distractors: Tensor
    """(dim, distractor), of length 1."""
    features: Tensor
    """(image, position, dim)."""
    strengths: Tensor
    """Strength of each concept, (image, position, concept)."""
    present: Tensor
    """Concepts that are present, (image, position, concept), boolean."""
    classes: Tensor

    @property
    def dual(self) -> Tensor:
        """The filters that read the strength of one concept and nothing else, (dim, concept), for features without constant."""
        whole = torch.cat([self.concepts, self.distractors], 1)
        return torch.linalg.pinv(whole).T[:, : self.concepts.shape[1]]


def directions(
    seed: int | None = None, *, dim: int = 16, concepts: int = 3, distractors: int = 2
) -> tuple[Tensor, Tensor]:
    """Return concepts and distractors of length 1: the published ones, or random ones."""
    if seed is None:
        tables = [
            [list(map(float, row.split())) for row in text.split("\n") if row] for text in (_CONCEPTS, _DISTRACTORS)
        ]
        found = [torch.tensor(rows, dtype=torch.float64).T for rows in tables]
    else:
        draw = torch.Generator().manual_seed(seed)
        found = [torch.randn(dim, count, generator=draw, dtype=torch.float64) for count in (concepts, distractors)]
    return normalize(found[0], dim=0), normalize(found[1], dim=0)


def in_their_span(of: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """Return concepts and distractors in as many dimensions as there are of them, at the same angles."""
    basis = torch.linalg.qr(torch.cat(of, 1))[0]
    return basis.T @ of[0], basis.T @ of[1]


def world(
    seed: int,
    *,
    images: int | Sequence[int] = 1000,
    of: tuple[Tensor, Tensor] | None = None,
    classes: Sequence[Sequence[int]] = CLASSES,
    distraction: float = 5.0,
    both: float = 0.0,
) -> World:
    """Draw images with two positions, each with one concept. A concept that is present has a strength of 2.5 to 5, else 0 to 2.5.

    Args:
        seed: Seed of the images.
        images: Images of each class: the same number, or one for each class.
        of: Concepts and distractors; None for the published ones.
        classes: The concepts of the positions of an image of each class.
        distraction: Greatest strength of a distractor.
        both: Share of the positions that have both concepts of their image.
    """
    draw = torch.Generator().manual_seed(seed)
    of = of or directions()
    each = torch.tensor([images] * len(classes) if isinstance(images, int) else list(images))
    label = torch.arange(len(classes)).repeat_interleave(each)
    present = one_hot(torch.tensor(classes)[label], of[0].shape[1]).bool()
    if both:
        extra = torch.rand(present.shape[:2], generator=draw) < both
        present = present | (extra[:, :, None] & present.any(1, keepdim=True))
    return _drawn(draw, present, label, of, distraction)


def tied_world(seed: int, with_second: float, with_first: float, *, images: int = 1500) -> World:
    """Draw images of two classes: concept 0 or 1 says the class, and concept 2 stands at the second position of some of each.

    Args:
        seed: Seed of the images.
        with_second: Share of the images of the second class with concept 2.
        with_first: Share of those of the first class.
        images: Images of each class.
    """
    draw = torch.Generator().manual_seed(seed)
    label = torch.arange(2).repeat_interleave(images)
    has = torch.rand(2 * images, generator=draw) < torch.where(label == 1, with_second, with_first)
    positions = torch.stack([label, torch.where(has, torch.tensor(2), label)], 1)
    return _drawn(draw, one_hot(positions, 3), label, directions(), 5.0)


def _drawn(
    draw: torch.Generator, present: Tensor, label: Tensor, of: tuple[Tensor, Tensor], distraction: float
) -> World:
    strengths = 2.5 * (torch.rand(present.shape, generator=draw, dtype=torch.float64) + present)
    shape = (*present.shape[:2], of[1].shape[1])
    amounts = distraction * torch.rand(shape, generator=draw, dtype=torch.float64)
    features = strengths @ of[0].T + amounts @ of[1].T + CONSTANT
    return World(*of, features, strengths, present.bool(), label)


def trained_head(drawn: World, *, epochs: int = 600, seed: int = 0) -> LinearHead:
    """Train the network of the experiment: the mean over positions, then a linear head (Adam, rate .005, batches of 1,024)."""
    draw = torch.Generator().manual_seed(seed)
    pooled, classes = drawn.features.mean(1), drawn.classes
    count, dim = int(classes.max()) + 1, pooled.shape[1]
    bound = dim**-0.5
    weight = (torch.rand(count, dim, generator=draw, dtype=torch.float64) * 2 - 1) * bound
    bias = (torch.rand(count, generator=draw, dtype=torch.float64) * 2 - 1) * bound
    parameters = [weight.requires_grad_(), bias.requires_grad_()]
    optimiser = torch.optim.Adam(parameters, lr=0.005)
    for _ in range(epochs):
        for part in torch.randperm(len(pooled), generator=draw).split(1024):
            loss = cross_entropy(pooled[part] @ weight.T + bias, classes[part])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    return LinearHead(weight.detach(), bias.detach())
