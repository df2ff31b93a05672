"""Settings of the networks' arithmetic in a run: chosen once, saved with unfinished work, written into the results file."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from sing_compute.extraction.networks import CLIP
from sing_compute.precision import FLOAT32

SMALL_EFFECT = 0.05
"""Largest change, in degrees, of AS and IS of 95 % of the images for which `auto` takes a precision (docs/scale.md)."""


@dataclass(frozen=True, slots=True)
class Effect:
    """Change of one model's results by the precision of a run, CLIP's included, against float32; NaN if not measured."""

    precision: str
    attribute_score: float = float("nan")
    """95th percentile of |AS - AS in float32| over the images, in degrees."""
    image_score: float = float("nan")
    """The same for IS."""
    flips: int = 0
    """Number of images whose prediction changes."""
    images: int = 0
    """Number of images that the change was measured on."""

    @property
    def small(self) -> bool:
        """True if `auto` may choose the precision: AS and IS change by less than `SMALL_EFFECT`."""
        return self.attribute_score < SMALL_EFFECT and self.image_score < SMALL_EFFECT

    def __str__(self) -> str:
        return (
            f"AS moves by {self.attribute_score:.3f}, IS by {self.image_score:.3f} degrees at the 95th percentile, "
            f"{self.flips} of {self.images} predictions differ"
        )


@dataclass(frozen=True, slots=True)
class Settings:
    """Batch size and precisions of a run."""

    batch_size: int
    precision: Mapping[str, str]
    """Precision of each model, by name."""
    clip_precision: str = FLOAT32
    effects: Mapping[str, Effect] = field(default_factory=dict)
    """Effect on each model, by name, if another precision than float32 was chosen for it or for CLIP."""
    seconds: float = 0.0
    """Seconds per image through all networks; 0 if not measured."""

    def of(self, network: str) -> str:
        """Return the precision of a network, by name."""
        return self.clip_precision if network == CLIP else self.precision[network]

    def to_json(self) -> dict[str, Any]:
        """Return the settings as values that JSON can hold."""
        return asdict(self)

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> "Settings":
        """Return the settings that `to_json` gave."""
        effects = {name: Effect(**effect) for name, effect in found["effects"].items()}
        return cls(**{**found, "effects": effects})

    def lines(self) -> list[str]:
        """Return the lines that are shown before the run; none if all networks compute in float32."""
        lines = [f"{model}: {self.precision[model]}, {effect}" for model, effect in self.effects.items()]
        return lines + ([f"CLIP: {self.clip_precision}"] if self.clip_precision != FLOAT32 else [])

    def facts(self, model: str) -> dict[str, str | int | float]:
        """Return the attributes that the results file has for a model's precision."""
        facts: dict[str, str | int | float] = {
            "batch_size": self.batch_size,
            "precision": self.precision[model],
            "clip_precision": self.clip_precision,
        }
        effect = self.effects.get(model)
        if effect:
            facts |= {
                "precision_attribute_score": effect.attribute_score,
                "precision_image_score": effect.image_score,
                "precision_flips": effect.flips,
                "precision_images": effect.images,
            }
        return facts
