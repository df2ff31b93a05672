"""Steer features within the null space toward a text, by one step to a given Image Score (SING, eq. 10-13, Table 1).

All is computed in CLIP space and in float64. With u = T(f), u^ = u / |u|, B = A Pi_n and a unit text z, the gradient of
cos(u, z) projected on the null space is d = normalise(B^T p), p = z - (z . u^) u^; in CLIP space it is w = B d. The
step eps turns u to u + eps w by the angle t: eps = |u| sin t / (w_across cos t - w_along sin t), w split along and
across u. Where that denominator is not positive, no step turns u by t: such images are unreachable, NaN, and counted.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from sing_compute.errors import SingError
from sing_compute.linalg.angles import DEGREES, unit
from sing_compute.scores.shifts import attribute_score, image_score

TABLE_ANGLE = 40.0
"""Image Score of the paper's Table 1, in degrees."""
HALF_THE_DIGITS = math.sqrt(torch.finfo(torch.float64).eps)
"""A gradient below this share of the terms it is the difference of is rounding, and has no direction."""
MISSED = 1e-9
"""Largest error of the reached angle in degrees; a larger one comes from cancellation (u + eps w near 0): no result."""
WELL_CONDITIONED = 1e-5
"""Pairs whose |B^T p|^2 is at most this share of |B B^T| have lost digits, and are computed again from the vectors."""
STEEP = 0.9999
"""Above this |cosine| (within 0.8 degrees of 0 or 180) arccos loses digits that the vectors still have."""
CHUNK_BYTES = 2**25
"""Most bytes of the temporaries of one chunk."""


@dataclass(frozen=True, slots=True)
class SteeringResult:
    """A batch after one step toward one text. A row is NaN in all fields if the angle cannot be reached."""

    attribute_score: Float[Tensor, " image"]
    """AS toward the target in degrees: angle of T(f) to it minus angle of T(f + eps d) to it."""
    image_score: Float[Tensor, " image"]
    """IS measured on the vectors, in degrees: the angle asked for, up to rounding."""
    step: Float[Tensor, " image"]
    """eps, the length of the step in feature space, in the features' unit."""
    after: Float[Tensor, "image clip"]
    """T(f + eps d) = u + eps w."""
    pull: Float[Tensor, "image clip"]
    """A vector whose image under (A Pi_n)^T is the step eps d (`Steering.feature_change`)."""

    @property
    def unreachable(self) -> int:
        """Number of images that cannot reach the angle."""
        return int(self.attribute_score.isnan().sum())


@dataclass(frozen=True, slots=True)
class SteeringToAll:
    """Each image after one step toward each target; NaN where the angle cannot be reached."""

    attribute_score: Float[Tensor, "image target"]
    """AS toward the target, in degrees."""
    step: Float[Tensor, "image target"]
    """eps, in the features' unit."""
    angle: float
    """The Image Score asked for, in degrees."""

    @property
    def reachable(self) -> Bool[Tensor, "image target"]:
        """True where the angle was reached."""
        return self.attribute_score.isfinite()

    @property
    def image_score(self) -> Float[Tensor, "image target"]:
        """IS in degrees: the angle asked for, or NaN."""
        return torch.full_like(self.step, self.angle).where(self.reachable, torch.nan)


@dataclass(frozen=True, slots=True)
class Steering:
    """Matrices of one model's translator for steering, float64; made once, by `Steering.of`."""

    null_weight: Float[Tensor, "clip dim"]
    """B = A Pi_n."""
    gram: Float[Tensor, "clip clip"]
    """B B^T: a step B^T g in feature space is gram g in CLIP space."""

    @classmethod
    def of(cls, null_weight: Float[Tensor, "clip dim"]) -> "Steering":
        """Prepare steering.

        Args:
            null_weight: A Pi_n, `HeadSplit.null_part` of a translator's weight; the null space must not be empty.
        """
        weight = null_weight.double()
        return cls(weight, weight @ weight.T)

    def steer(
        self, before: Float[Tensor, "image clip"], text: Float[Tensor, " clip"], *, angle: float = TABLE_ANGLE
    ) -> SteeringResult:
        """Steer every image toward one text by one step (SING, arXiv:2603.14610, eq. 10-13).

        Args:
            before: u = T(f) of each image, by the translator of the null weight.
            text: Text embedding of the target.
            angle: Image Score to reach, in degrees.

        Returns:
            Scores, step and vector of each image; NaN where the angle cannot be reached, where the gradient has no part
            in the null space, and where the input is not finite.

        Raises:
            SingError: The angle is not between 0 and 180 degrees.
        """
        _check_angle(angle)
        return self._pairs(before.double(), text.double().expand(len(before), -1), angle)

    def steer_all(
        self, before: Float[Tensor, "image clip"], texts: Float[Tensor, "target clip"], *, angle: float = TABLE_ANGLE
    ) -> SteeringToAll:
        """Steer every image toward every text, each pair by one step as in `steer`.

        No vector is formed for a pair: lengths and products of p, w and u follow from products of images and texts with
        B B^T. The few pairs in which these lose digits are computed again from the vectors, so that the results agree
        with `steer` to 1e-8 degrees. Apart from the results, memory does not depend on the number of images.

        Args:
            before: u = T(f) of each image.
            texts: Text embedding of each target.
            angle: Image Score to reach, in degrees.

        Raises:
            SingError: The angle is not between 0 and 180 degrees.
        """
        _check_angle(angle)
        images, targets = before.double(), unit(texts.double())
        score, step = (images.new_empty(len(images), len(targets)) for _ in range(2))
        rows = max(1, CHUNK_BYTES // (8 * 16 * max(1, len(targets))))
        for start in range(0, len(images), rows):
            part = slice(start, start + rows)
            score[part], step[part], doubtful = self._products(images[part], targets, angle)
            pairs = doubtful.nonzero()
            block = max(1, CHUNK_BYTES // (8 * 4 * sum(self.null_weight.shape)))
            for first in range(0, len(pairs), block):
                image, target = pairs[first : first + block].unbind(1)
                again = self._pairs(images[part][image], targets[target], angle)
                score[start + image, target], step[start + image, target] = again.attribute_score, again.step
        return SteeringToAll(score, step, angle)

    def feature_change(self, result: SteeringResult) -> Float[Tensor, "image dim"]:
        """Return the feature changes eps d: f + eps d has the logits of f, and T(f + eps d) is `result.after`.

        Args:
            result: Images after one step toward one text, by this `Steering`.

        Returns:
            Changes in the features' unit; NaN for unreachable images.
        """
        change: Tensor = result.pull @ self.null_weight
        return change

    def _pairs(
        self, before: Float[Tensor, "image clip"], text: Float[Tensor, "image clip"], angle: float
    ) -> SteeringResult:
        """Steer each row of `before` toward the same row of `text`, by way of feature space."""
        turn = math.radians(angle)
        length, u, z = before.norm(dim=1, keepdim=True), unit(before), unit(text)
        across = z - (z * u).sum(1, keepdim=True) * u
        gradient = unit(across) @ self.null_weight
        seen = gradient.norm(dim=1, keepdim=True)
        w = gradient / seen @ self.null_weight.T
        w_along = (w * u).sum(1, keepdim=True)
        w_across = (w - w_along * u).norm(dim=1, keepdim=True)
        room = w_across * math.cos(turn) - w_along * math.sin(turn)
        step = length * math.sin(turn) / room
        after = before + step * w
        reached = (across.norm(dim=1, keepdim=True) > HALF_THE_DIGITS) & (room > 0)
        reached &= seen > HALF_THE_DIGITS * self.null_weight.norm()
        reached &= ((image_score(before, after) - angle).abs() <= MISSED)[:, None]
        after, step = after.where(reached, torch.nan), step.where(reached, torch.nan)
        return SteeringResult(
            attribute_score(before, after, text),
            image_score(before, after),
            step.squeeze(1),
            after,
            step / seen * unit(across),
        )

    def _products(
        self, before: Float[Tensor, "image clip"], texts: Float[Tensor, "target clip"], angle: float
    ) -> tuple[Float[Tensor, "image target"], Float[Tensor, "image target"], Bool[Tensor, "image target"]]:
        """Return AS and step of every pair, from products alone, and the pairs in which these lost digits.

        With M = B B^T, c = z . u^ and p = z - c u^: |B^T p|^2 = p . M p and |B^T p| w = M p, and every product of M p
        with u, z and itself is a sum of products of the images and the texts.
        """
        turn = math.radians(angle)
        length, u = before.norm(dim=1, keepdim=True), unit(before)
        moved_u, moved_z = u @ self.gram, texts @ self.gram
        c, cross, cross_square = u @ texts.T, u @ moved_z.T, moved_u @ moved_z.T
        own_u, own_z = (u * moved_u).sum(1, keepdim=True), (texts * moved_z).sum(1)
        seen_square = own_z - 2 * c * cross + c.square() * own_u
        own_square_z, own_square_u = moved_z.square().sum(1), moved_u.square().sum(1, keepdim=True)
        square = own_square_z - 2 * c * cross_square + c.square() * own_square_u
        seen = seen_square.clamp_min(0).sqrt()
        w_along, w_z = (cross - c * own_u) / seen, (own_z - c * cross) / seen
        across_square = square / seen_square - w_along.square()
        w_across = across_square.clamp_min(0).sqrt()
        room = w_across * math.cos(turn) - w_along * math.sin(turn)
        step = length * math.sin(turn) / room
        after = (length * c + step * w_z) * math.sin(turn) / (step * w_across)
        score = (c.clamp(-1, 1).acos() - after.clamp(-1, 1).acos()) * DEGREES
        reached = (seen_square > 0) & (room > 0) & score.isfinite()
        # |B^T p| bounds |p| and w_across from below: these pairs include texts along u, and a w along u
        doubtful = (seen_square <= WELL_CONDITIONED * self.gram.norm()) | (reached & (after.abs() > STEEP))
        return score.where(reached, torch.nan), step.where(reached, torch.nan), doubtful


@dataclass(frozen=True, slots=True)
class SteeringSummary:
    """Mean and standard deviation of AS toward one target over images, in degrees (Table 1)."""

    mean: float
    std: float
    """Standard deviation with n - 1; NaN below two images."""
    count: int
    """Images that reached the angle."""
    unreachable: int
    """Images that did not."""


def summarise(attribute_score: Float[Tensor, " image"]) -> SteeringSummary:
    """Summarise AS toward one target.

    Args:
        attribute_score: AS of each image in degrees; NaN for an unreachable image.
    """
    reached = attribute_score[attribute_score.isfinite()].double()
    mean = float(reached.mean()) if len(reached) else math.nan
    std = float(reached.std()) if len(reached) > 1 else math.nan
    return SteeringSummary(mean, std, len(reached), len(attribute_score) - len(reached))


def _check_angle(angle: float) -> None:
    if not 0.0 < angle < 180.0:
        raise SingError(f"steering by {angle} degrees: the angle must be between 0 and 180, both excluded")
