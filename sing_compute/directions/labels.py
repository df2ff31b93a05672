"""Label directions by concepts whose places are known, by Network Dissection (arXiv 1704.05796; arXiv 2509.23926, section 5).

A direction is labelled on one half of the images and scored on the other one, so that choosing the best of many concepts does not
make the score better than it is.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Float64, Int64
from torch import Tensor
from torch.nn.functional import interpolate

_PART = 1 << 24
"""Most values of enlarged logits that are held at once."""


@dataclass(frozen=True, slots=True)
class OverlapCounts:
    """How often detectors fire and concepts are there, alone and together: counts of images, or of pixels of masks.

    Counts of parts of a data set are added by +, so that the IoU is that of the data set and not a mean over images.
    """

    both: Float64[Tensor, "direction concept"]
    fired: Float64[Tensor, " direction"]
    present: Float64[Tensor, " concept"]
    total: int
    """Images or pixels."""

    @classmethod
    def of_images(
        cls, fires: Bool[Tensor, "image direction"], present: Bool[Tensor, "image concept"]
    ) -> "OverlapCounts":
        """Count images.

        Args:
            fires: True where a detector fires on the image.
            present: True where the image shows the concept.
        """
        on, there = fires.double(), present.double()
        return cls(on.T @ there, on.sum(0), there.sum(0), len(fires))

    @classmethod
    def of_masks(
        cls, logits: Float[Tensor, "image direction y x"], masks: Bool[Tensor, "image concept height width"]
    ) -> "OverlapCounts":
        """Count pixels of masks; a detector fires where its logits, enlarged bilinearly to the size of the masks, are above 0.

        Args:
            logits: w . x - b at the positions of each map.
            masks: True where the concept is, at any resolution.
        """
        images, directions = logits.shape[:2]
        height, width = masks.shape[2:]
        counts = cls.of_images(logits.new_zeros(0, directions) > 0, masks.new_zeros(0, masks.shape[1]))
        part = max(1, _PART // max(1, directions * height * width))
        for rows in torch.split(torch.arange(images, device=logits.device), part):
            large = interpolate(logits[rows], size=(height, width), mode="bilinear", align_corners=False)
            pixels, truth = ((large > 0).movedim(1, 3).flatten(0, 2), masks[rows].movedim(1, 3).flatten(0, 2))
            counts = counts + cls.of_images(pixels, truth)
        return counts

    def __add__(self, other: "OverlapCounts") -> "OverlapCounts":
        return OverlapCounts(
            self.both + other.both,
            self.fired + other.fired,
            self.present + other.present,
            self.total + other.total,
        )

    @property
    def iou(self) -> Float64[Tensor, "direction concept"]:
        """Intersection over union; 0 where the detector never fires and the concept is nowhere."""
        union = self.fired[:, None] + self.present - self.both
        return self.both / union.clamp_min(1)

    @property
    def chance(self) -> Float64[Tensor, "direction concept"]:
        """IoU of a detector that fires on the same share p, independently of the concept of share q: p q / (p + q - p q)."""
        p, q = self.fired[:, None] / max(1, self.total), self.present / max(1, self.total)
        union = p + q - p * q
        return torch.where(union > 0, p * q / union, 0.0)


@dataclass(frozen=True, slots=True)
class DirectionLabels:
    """The concept that each direction is labelled with, and how well it detects it."""

    concept: Int64[Tensor, " direction"]
    """Concept with the largest IoU on the half for labelling, of equal ones the first; -1 if the detector meets none of them."""
    labelling_iou: Float64[Tensor, " direction"]
    """That IoU, which is too large on average, because it is the largest of many."""
    iou: Float64[Tensor, " direction"]
    """IoU with the concept on the other half; 0 without a concept."""
    chance: Float64[Tensor, " direction"]
    """IoU there of a detector that fires as often and independently of the concept; NaN without a concept."""

    @property
    def s1(self) -> float:
        """Sum of the IoUs: the integral over all thresholds of the number of directions whose IoU reaches the threshold."""
        return float(self.iou.sum())

    @property
    def s2(self) -> float:
        """Sum over the concepts of the best IoU: the integral of the number of different concepts that reach the threshold."""
        known = self.concept >= 0
        best = self.iou.new_zeros(int(self.concept.max()) + 1 if known.any() else 0)
        return float(best.scatter_reduce(0, self.concept[known], self.iou[known], "amax").sum())


def label_directions(labelling: OverlapCounts, scoring: OverlapCounts) -> DirectionLabels:
    """Label each direction with the concept that it detects best, and measure how well on other images.

    Args:
        labelling: Counts of the half of the images on which labels are chosen.
        scoring: Counts of the other half, of the same directions and concepts.
    """
    if not labelling.both.shape[1]:
        none = labelling.fired.new_zeros(len(labelling.fired))
        return DirectionLabels(none.long() - 1, none, none, none * torch.nan)
    found, concept = labelling.iou.max(1)
    known = found > 0
    own = concept[:, None]
    iou, chance = scoring.iou.gather(1, own)[:, 0], scoring.chance.gather(1, own)[:, 0]
    return DirectionLabels(
        torch.where(known, concept, -1),
        found,
        torch.where(known, iou, 0.0),
        torch.where(known, chance, torch.nan),
    )


def halves(images: int, *, seed: int = 0) -> tuple[Int64[Tensor, " labelling"], Int64[Tensor, " scoring"]]:
    """Split images at random into a half for labelling and a half for scoring, each in ascending order.

    Args:
        images: Number of images; of an odd number, the half for scoring has one more.
        seed: Seed of the split.
    """
    order = torch.randperm(images, generator=torch.Generator().manual_seed(seed))
    return order[: images // 2].sort().values, order[images // 2 :].sort().values
