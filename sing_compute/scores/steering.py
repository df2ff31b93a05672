"""Steering: one step of a feature within the null space toward a text, as far as an asked angle (SING, eq. 10-13, Table 1).

Every figure is read in CLIP space and in float64. With u = T(f), B = A Pi_n and a unit text z, the gradient of
cos(u, z) seen by the null space is d = normalise(B^T p), p = z - (z . u^) u^; CLIP space sees w = B d. The step eps makes
the angle of u and u + eps w exactly the asked one: eps = |u| sin t / (w_across cos t - w_along sin t), w split along and
across u. No step reaches an angle of t or more where that denominator is not positive: such images are NaN and counted.
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
"""Image Score, in degrees, that the paper's Table 1 steers to."""
HALF_THE_DIGITS = math.sqrt(torch.finfo(torch.float64).eps)
"""A gradient smaller than this, relative to what it is a difference of, is rounding: it has no direction."""
MISSED = 1e-9
"""A step that lands farther than this from the asked angle, in degrees, met cancellation (u + eps w near 0): no result."""
WELL_CONDITIONED = 1e-5
"""Pairs whose |B^T p|^2 is at most this share of |B B^T| lost digits to cancellation: computed again from the vectors."""
STEEP = 0.9999
"""Above this |cosine| (below 0.8 degrees) arccos loses digits that the vectors still have."""
CHUNK_BYTES = 2**25
"""What the temporaries of one chunk may take."""


@dataclass(frozen=True, slots=True)
class Steered:
    """A batch after one step toward one text; a row is NaN throughout where the asked angle cannot be reached."""

    attribute_score: Float[Tensor, " image"]
    """AS toward the target, in degrees: angle of T(f) to it minus angle of T(f + eps d) to it."""
    image_score: Float[Tensor, " image"]
    """IS as measured on the vectors, in degrees: the asked angle up to rounding."""
    step: Float[Tensor, " image"]
    """eps, the length of the step in feature space, in the features' own unit."""
    after: Float[Tensor, "image clip"]
    """T(f + eps d) = u + eps w."""
    pull: Float[Tensor, "image clip"]
    """The step pulled out of CLIP space: eps d = (A Pi_n)^T pull (`Steering.feature_change`)."""

    @property
    def unreachable(self) -> int:
        """Images that no step brings to the asked angle."""
        return int(self.attribute_score.isnan().sum())


@dataclass(frozen=True, slots=True)
class SteeredToAll:
    """Each image after one step toward each target; NaN where the asked angle cannot be reached."""

    attribute_score: Float[Tensor, "image target"]
    """AS toward the target, in degrees."""
    step: Float[Tensor, "image target"]
    """eps, in the features' own unit."""
    angle: float
    """The asked Image Score, in degrees."""

    @property
    def reachable(self) -> Bool[Tensor, "image target"]:
        """Where the asked angle was reached."""
        return self.attribute_score.isfinite()

    @property
    def image_score(self) -> Float[Tensor, "image target"]:
        """IS: the asked angle where it was reached, in degrees."""
        return torch.full_like(self.step, self.angle).where(self.reachable, torch.nan)


@dataclass(frozen=True, slots=True)
class Steering:
    """What steering one model needs of its translator, float64; made once, by `Steering.of`."""

    null_weight: Float[Tensor, "clip dim"]
    """B = A Pi_n."""
    gram: Float[Tensor, "clip clip"]
    """B B^T: a pull g in CLIP space moves CLIP space by gram g."""

    @classmethod
    def of(cls, null_weight: Float[Tensor, "clip dim"]) -> "Steering":
        """From A Pi_n, `HeadSplit.null_part` of a translator's weight; the head must have a null space (nullity > 0)."""
        weight = null_weight.double()
        return cls(weight, weight @ weight.T)

    def steer(
        self, before: Float[Tensor, "image clip"], text: Float[Tensor, " clip"], *, angle: float = TABLE_ANGLE
    ) -> Steered:
        """One step of every image toward one text (SING, arXiv:2603.14610, eq. 10-13).

        Args:
            before: u = T(f) of each image, by the translator that the null weight came from.
            text: The target's text embedding.
            angle: Image Score to reach, in degrees.

        Returns:
            Scores, step and vector of each image; NaN where the angle cannot be reached, where the gradient has no part
            in the null space, and where the input is not finite.

        Raises:
            SingError: The angle does not lie between 0 and 180 degrees.
        """
        _check(angle)
        return self._pairs(before.double(), text.double().expand(len(before), -1), angle)

    def steer_all(
        self, before: Float[Tensor, "image clip"], texts: Float[Tensor, "target clip"], *, angle: float = TABLE_ANGLE
    ) -> SteeredToAll:
        """One step of every image toward every text, as `steer` does for one of them.

        Images x targets vectors are never formed: lengths and products of p, w and u follow from products of images and
        texts with B B^T. The few pairs in which those cancel are computed again from the vectors, so that the results
        agree with `steer` to 1e-8 degrees. Beyond the results, memory does not depend on the number of images.

        Args:
            before: u = T(f) of each image.
            texts: Text embedding of each target.
            angle: Image Score to reach, in degrees.

        Raises:
            SingError: The angle does not lie between 0 and 180 degrees.
        """
        _check(angle)
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
        return SteeredToAll(score, step, angle)

    def feature_change(self, steered: Steered) -> Float[Tensor, "image dim"]:
        """Feature changes eps d: f + eps d has the logits of f and T(f + eps d) is `steered.after`; NaN if unreachable."""
        change: Tensor = steered.pull @ self.null_weight
        return change

    def _pairs(self, before: Float[Tensor, "image clip"], text: Float[Tensor, "image clip"], angle: float) -> Steered:
        """One step of each row of `before` toward the same row of `text`, through feature space."""
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
        return Steered(
            attribute_score(before, after, text),
            image_score(before, after),
            step.squeeze(1),
            after,
            step / seen * unit(across),
        )

    def _products(
        self, before: Float[Tensor, "image clip"], texts: Float[Tensor, "target clip"], angle: float
    ) -> tuple[Float[Tensor, "image target"], Float[Tensor, "image target"], Bool[Tensor, "image target"]]:
        """AS and step of every pair from products alone, and the pairs in which these lost digits.

        With M = B B^T, c = z . u^ and p = z - c u^: |B^T p|^2 = p . M p and |B^T p| w = M p, and every product of M p
        with u, z and itself opens into products of the images and the texts.
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
        # |B^T p| bounds |p| and w_across from below: texts along u and a w along u are among these
        doubtful = (seen_square <= WELL_CONDITIONED * self.gram.norm()) | (reached & (after.abs() > STEEP))
        return score.where(reached, torch.nan), step.where(reached, torch.nan), doubtful


@dataclass(frozen=True, slots=True)
class SteeringSummary:
    """AS toward one target over images, as Table 1 prints it: mean and standard deviation, in degrees."""

    mean: float
    std: float
    """Over n - 1; NaN below two images."""
    count: int
    """Images that reached the asked angle."""
    unreachable: int


def summarise(attribute_score: Float[Tensor, " image"]) -> SteeringSummary:
    """Mean, standard deviation (n - 1) and counts of AS toward a target, in degrees; NaN is unreachable and left out."""
    reached = attribute_score[attribute_score.isfinite()].double()
    mean = float(reached.mean()) if len(reached) else math.nan
    std = float(reached.std()) if len(reached) > 1 else math.nan
    return SteeringSummary(mean, std, len(reached), len(attribute_score) - len(reached))


def _check(angle: float) -> None:
    if not 0.0 < angle < 180.0:
        raise SingError(f"steering by {angle} degrees: the angle must lie between 0 and 180, both excluded")
