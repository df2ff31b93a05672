"""How the networks of one run compute. Resolved once, kept with unfinished work, written into the store."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from sing_compute.extraction.networks import CLIP
from sing_compute.precision import FLOAT32

SMALL_EFFECT = 0.05
"""Degrees that AS and IS of 95 % of the images may move by (DESIGN, 6)."""


@dataclass(frozen=True, slots=True)
class Effect:
    """What a run's precision does to one model, CLIP's included, against float32; NaN where it could not be measured."""

    precision: str
    attribute_score: float = float("nan")
    """95th percentile of |AS - AS in float32| over the images, in degrees."""
    image_score: float = float("nan")
    """The same for IS."""
    flips: int = 0
    """Images that are predicted otherwise."""
    images: int = 0
    """How many it was measured on."""

    @property
    def small(self) -> bool:
        """Whether it may be taken unasked."""
        return self.attribute_score < SMALL_EFFECT and self.image_score < SMALL_EFFECT

    def __str__(self) -> str:
        return (
            f"AS moves by {self.attribute_score:.3f}, IS by {self.image_score:.3f} degrees at the 95th percentile, "
            f"{self.flips} of {self.images} predictions differ"
        )


@dataclass(frozen=True, slots=True)
class Settings:
    """What was resolved once for a run."""

    batch_size: int
    precision: Mapping[str, str]
    """Of each model by name."""
    clip_precision: str = FLOAT32
    effects: Mapping[str, Effect] = field(default_factory=dict)
    """On each model, where anything but float32 was chosen for it or for CLIP."""
    seconds: float = 0.0
    """Per image, through all networks; 0 where it was not measured."""

    def of(self, network: str) -> str:
        """Precision of a network."""
        return self.clip_precision if network == CLIP else self.precision[network]

    def to_json(self) -> dict[str, Any]:
        """For a file."""
        return asdict(self)

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> "Settings":
        """Back from a file."""
        effects = {name: Effect(**effect) for name, effect in found["effects"].items()}
        return cls(**{**found, "effects": effects})

    def lines(self) -> list[str]:
        """What to say of them before the run: nothing where all is float32."""
        lines = [f"{model}: {self.precision[model]}, {effect}" for model, effect in self.effects.items()]
        return lines + ([f"CLIP: {self.clip_precision}"] if self.clip_precision != FLOAT32 else [])

    def facts(self, model: str) -> dict[str, str | int | float]:
        """What the store says of a model's precision."""
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
