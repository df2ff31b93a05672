"""Influence of directions on classes: move all images along a signal vector and see which probabilities change, and by how much.

The sign of the change is RCAV (Pfau and others 2021; arXiv 2509.23926, section 5). For a linear head behind a mean over
positions, the sign alone says little: whatever the direction, the class whose logit gains most rises in every image and the class
whose logit gains least falls in every image, so two classes have scores of 1 and -1, and with two classes there is no other.
Hence the size of the change stands next to its sign.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor
from torch.nn.functional import softmax

from sing_compute.directions.alignment import LinearHead
from sing_compute.directions.pairs import DirectionPairs

STEPS = (0.5, 1.0, 2.0)
"""Steps along a direction, in units of its own mean signal value."""
_SAME = 1e-9
"""A change by less than this share of a probability is none: moves in the null space of a head change it by rounding."""
_PART = 1 << 22
"""Most numbers that are held at once."""


@dataclass(frozen=True, slots=True)
class Response:
    """How a head's classes answer to moves of all images."""

    score: Float64[Tensor, "move class"]
    """Share of images whose class probability rises, minus the share whose probability falls: RCAV's score, -1 to 1."""
    change: Float64[Tensor, "move class"]
    """Mean change of the class probability, -1 to 1."""


@dataclass(frozen=True, slots=True)
class Influence:
    """How classes answer to steps along signal vectors. NaN for a direction without positives."""

    steps: tuple[float, ...]
    lengths: Float64[Tensor, " direction"]
    """Length of a step of 1 in feature units: the mean signal value of the positives, above that of all positions."""
    score: Float64[Tensor, "step direction class"]
    """RCAV's score, -1 to 1."""
    change: Float64[Tensor, "step direction class"]
    """Mean change of the class probability."""
    margin: Float64[Tensor, "step direction class"]
    """Mean change of the margin, in logits: the class's logit minus the largest other one; for a sigmoid head, the logit."""

    def sensitivity(self, step: int) -> Float64[Tensor, "class direction"]:
        """Return RCAV's scores of one step as the matrix of classes and directions.

        Args:
            step: Index of the step.
        """
        matrix: Tensor = self.score[step].T
        return matrix


def mean_strengths(
    pairs: DirectionPairs, features: Float[Tensor, "image position dim"]
) -> Float64[Tensor, " direction"]:
    """Return how many signal vectors the positives of each detector have more than all positions have, on average.

    Args:
        pairs: Direction pairs.
        features: Features at the positions of each image.

    Returns:
        Means, at least 0; NaN for a detector without positives.
    """
    positions = features.flatten(0, 1)
    total, above, count = (torch.zeros_like(pairs.thresholds) for _ in range(3))
    for part in torch.split(positions, max(1, _PART // positions.shape[1])):
        logits = pairs.logits(part.double())
        positive = logits > 0
        total += logits.sum(0)
        above += (logits * positive).sum(0)
        count += positive.sum(0)
    return torch.where(count > 0, above / count.clamp_min(1), torch.nan) - total / len(positions)


def response(head: LinearHead, pooled: Float64[Tensor, "image dim"], moves: Float64[Tensor, "dim move"]) -> Response:
    """Return how the class probabilities answer if every position of every image is moved by the same vector.

    Args:
        head: The head; it reads the mean over positions, so that this mean moves by the same vector.
        pooled: Mean feature of each image.
        moves: Vectors in feature units.
    """
    logits = pooled @ head.weight.T + head.bias
    gains = (head.weight @ moves).T
    answer = _sigmoid_response if head.sigmoid else _softmax_response
    part = max(1, _PART // max(1, len(pooled) * (logits.shape[1] if head.sigmoid else 1)))
    scores, changes = zip(*(answer(logits, some) for some in torch.split(gains, part)), strict=True)
    return Response(torch.cat(scores), torch.cat(changes))


def margin_changes(
    head: LinearHead, pooled: Float64[Tensor, "image dim"], moves: Float64[Tensor, "dim move"]
) -> Float64[Tensor, "move class"]:
    """Return the mean change of each class's margin if all images are moved by the same vector.

    Args:
        head: The head.
        pooled: Mean feature of each image.
        moves: Vectors in feature units.

    Returns:
        Changes in logits. The margin of a class is its logit minus the largest other logit; for a sigmoid head, its logit.
    """
    gains = (head.weight @ moves).T
    if head.sigmoid or len(head.bias) < 2:
        return gains
    logits = pooled @ head.weight.T + head.bias
    before = _largest_other(logits).mean(0)
    return torch.stack([gain - _largest_other(logits + gain).mean(0) + before for gain in gains])


def log_odds_rates(head: LinearHead, pooled: Float64[Tensor, "image dim"]) -> Float64[Tensor, "class dim"]:
    """Return the gradient of the log odds of each class, log p - log(1 - p), as the mean over images.

    It is linear in a direction: no step saturates it, and chance has a plain distribution.

    Args:
        head: The head.
        pooled: Mean feature of each image.

    Returns:
        Change of the log odds per feature unit along each dimension.
    """
    if head.sigmoid or len(head.bias) < 2:  # the only class of a softmax has the probability 1 whatever the logit
        return head.weight if head.sigmoid else torch.zeros_like(head.weight)
    logits = pooled @ head.weight.T + head.bias
    shares, top = softmax(logits, -1), logits.argmax(1)
    scale = (1 - shares).reciprocal().scatter(1, top[:, None], 0.0)
    others = (scale.T @ shares).fill_diagonal_(0)  # shares of the other classes among themselves, (class, other)
    without_top = softmax(logits.scatter(1, top[:, None], -torch.inf), -1)  # not 1 - p, which rounds to 0
    others.index_add_(0, top, without_top)
    return head.weight - others @ head.weight / len(logits)


def influence(
    head: LinearHead,
    pairs: DirectionPairs,
    features: Float[Tensor, "image position dim"],
    *,
    pooled: Float64[Tensor, "image dim"] | None = None,
    steps: Sequence[float] = STEPS,
) -> Influence:
    """Return how the classes answer to steps along each signal vector.

    Args:
        head: The head.
        pairs: Direction pairs.
        features: Features at the positions of each image; the length of a step is found in them.
        pooled: Mean feature of each image, where `features` has some of the positions only. None: the mean of `features`.
        steps: Steps in units of the mean signal value of the direction's positives.
    """
    pooled = features.mean(1).double() if pooled is None else pooled
    strengths = mean_strengths(pairs, features)
    moves = pairs.signals * strengths.nan_to_num()
    known = strengths[:, None].isfinite()
    scores, changes, margins = [], [], []
    for step in steps:
        answer = response(head, pooled, step * moves)
        scores.append(answer.score.where(known, torch.nan))
        changes.append(answer.change.where(known, torch.nan))
        margins.append(margin_changes(head, pooled, step * moves).where(known, torch.nan))
    lengths = strengths * pairs.signals.norm(dim=0)
    return Influence(tuple(steps), lengths, torch.stack(scores), torch.stack(changes), torch.stack(margins))


def _softmax_response(logits: Tensor, gains: Tensor) -> tuple[Tensor, Tensor]:
    """Score and change, (move, class).

    The probability of class k becomes p_k exp(g_k) / sum_j p_j exp(g_j): it rises where exp(g_k) is above that sum. One matrix
    product gives the sums, and sorting them counts the images of all classes.
    """
    probabilities = softmax(logits, -1)
    count = len(probabilities)
    factors = (gains - gains.amax(1, keepdim=True)).exp()
    sums = (factors @ probabilities.T).clamp_min(torch.finfo(torch.float64).tiny)
    change = factors * (sums.reciprocal() @ probabilities) / count - probabilities.mean(0)
    ordered = sums.sort(1).values.contiguous()
    rise = torch.searchsorted(ordered, (factors * (1 - _SAME)).contiguous())
    no_fall = torch.searchsorted(ordered, (factors * (1 + _SAME)).contiguous(), right=True)
    return (rise + no_fall - count).double() / count, change


def _sigmoid_response(logits: Tensor, gains: Tensor) -> tuple[Tensor, Tensor]:
    moved = torch.sigmoid(logits + gains[:, None]).mean(1)
    return torch.where(gains.abs() > _SAME, gains.sign(), 0.0), moved - torch.sigmoid(logits).mean(0)


def _largest_other(logits: Tensor) -> Tensor:
    """Largest logit of the other classes, (image, class)."""
    best, index = logits.topk(2, dim=-1)
    largest = best[:, :1].expand_as(logits)
    return largest.scatter(1, index[:, :1], best[:, 1:])


@dataclass(frozen=True, slots=True)
class LabelComparison:
    """How often signal vectors are at least as influential as vectors made from labels (the paper's S3)."""

    share: Float64[Tensor, "label class"]
    """Share of the label's signal vectors whose score is at least as large; NaN for a label without signal vectors."""
    s3: float
    """Share of pairs of label and class where no signal vector of the label reaches the vector made from it."""
    chance: float
    """The same if all of a label's vectors were exchangeable, mean of 1 / (its signal vectors + 1); ties make it smaller."""


def compare_with_labels(
    scores: Float64[Tensor, "direction class"],
    labels: Int64[Tensor, " direction"],
    label_scores: Float64[Tensor, "label class"],
) -> LabelComparison:
    """Compare the scores of signal vectors with those of a vector made from each label (arXiv 2509.23926, metric S3).

    The paper calls a pair significant where fewer than .05 / N of a label's N signal vectors reach the label's own vector: none.
    S3 is to be read next to `chance`, and not next to .5.

    Args:
        scores: RCAV's scores of the signal vectors.
        labels: Index of the label that each direction has; -1 for none.
        label_scores: RCAV's scores of the vector made from each label, with steps of the same length.
    """
    reach = scores.abs()[None] >= label_scores.abs()[:, None]
    own = labels == torch.arange(len(label_scores), device=labels.device)[:, None]
    count = own.sum(1)
    known = count > 0
    share = torch.where(known[:, None], (reach & own[..., None]).sum(1) / count[:, None], torch.nan).double()
    return LabelComparison(share, float((share[known] == 0).double().mean()), float((1 / (count[known] + 1)).mean()))
