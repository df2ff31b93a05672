"""Make a world without images whose leaks are known: latents, a head, features, a linear "CLIP" and its true scores.

Every image has latents: class coordinates h, and of each attribute k a part y_k that the head may see and a part x_k
that leaks. The feature keeps y_k along a principal direction a_k, and x_k along a direction turned by `tilt` from a_k
towards a null direction n_k. CLIP sees all of it: u = base e_0 + h + sum_k (x_k + y_k) t_k + o g, whatever the tilt.
Frames are orthonormal, so AS and IS follow from the latents by plain trigonometry (docs/planted.md).
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Settings:
    """Sizes, strengths and noise of a world. The defaults are the documented ones."""

    classes: int = 20
    images: int = 100
    """Number of images of each class."""
    dim: int = 128
    clip: int = 48
    class_dims: int = 8
    attributes: int = 8
    distractors: int = 4
    """Concepts that nothing in the world moves."""
    leaks: int = 2
    """Attributes that leak in each class, a divisor of `attributes`; 0: nothing leaks."""
    strength: tuple[float, float] = (1.0, 4.0)
    """Least and greatest mean of a leaking x_k, in units of CLIP space before normalisation; either sign."""
    principal: float = 0.4
    """Share of classes and attributes in which y_k has a mean as strong as that of a leak."""
    base: float = 30.0
    """Length of the part that all CLIP embeddings share."""
    class_length: float = 6.0
    spread: float = 1.0
    """Standard deviation of every latent within a class."""
    offset: float = 4.0
    """Length of the null feature that all images share."""
    offset_anywhere: bool = False
    """Offset along a uniformly random null direction, rather than one that moves no concept."""
    tilt: float = 90.0
    """Degrees by which the leaking part is turned into the null space; it moves T(f~) by 1 - cos(tilt) of x_k."""
    feature_noise: float = 0.2
    """Standard deviation per coordinate of the noise that is in a feature and not in the CLIP embedding."""
    target_noise: float = 0.5
    """Standard deviation per coordinate of the noise that is in the CLIP embedding and not in a feature, before normalisation."""

    @property
    def rank(self) -> int:
        """Rank of the head: class coordinates and one principal direction for each attribute."""
        return self.class_dims + self.attributes

    @property
    def concepts(self) -> int:
        """Attributes, then distractors."""
        return self.attributes + self.distractors


@dataclass(frozen=True, slots=True)
class Latents:
    """Latents of the images; rows are images, sorted by class."""

    labels: NDArray[np.int64]
    h: Array
    y: Array
    x: Array
    o: Array
    """Coefficient of the shared null direction."""


@dataclass(frozen=True)
class PlantedWorld:
    """One world; `settings` and `seed` determine it.

    Worlds of one seed that differ only in `tilt`, `offset_anywhere` or noise have the same images.
    """

    settings: Settings
    seed: int

    @cached_property
    def leak(self) -> Array:
        """Mean of x_k in each class, (class, attribute): zero where nothing leaks."""
        s, rng = self.settings, self._rng("leak")
        leak = np.zeros((s.classes, s.attributes))
        count = s.classes * s.leaks
        strengths = rng.permutation(np.linspace(*s.strength, count)) * rng.choice([-1, 1], count)
        turns = [rng.permutation(s.attributes) for _ in range(-(-count // s.attributes))]
        chosen = np.concatenate([*turns, []]).astype(np.int64)[:count].reshape(s.classes, s.leaks)
        leak[np.arange(s.classes)[:, None], chosen] = strengths.reshape(s.classes, s.leaks)
        return leak

    @cached_property
    def planted(self) -> NDArray[np.bool_]:
        """True where a concept leaks in a class, (class, concept)."""
        return np.pad(self.leak != 0, ((0, 0), (0, self.settings.distractors)))

    @cached_property
    def principal(self) -> Array:
        """Mean of y_k in each class, (class, attribute): strong where a reader might expect a leak, and none is."""
        s, rng = self.settings, self._rng("principal")
        strength = rng.uniform(*s.strength, (s.classes, s.attributes)) * rng.choice([-1, 1], (s.classes, s.attributes))
        return np.where(rng.random((s.classes, s.attributes)) < s.principal, strength, 0.0)

    @cached_property
    def codes(self) -> Array:
        """Mean of h in each class, (class, class_dims)."""
        s = self.settings
        return s.class_length * unit(self._rng("codes").normal(size=(s.classes, s.class_dims)))

    @cached_property
    def feature_frame(self) -> Array:
        """Orthonormal rows: class directions, a_k; then the null space: n_k, the one of the shared part, and the rest."""
        return _frame(self.settings.dim, self._rng("features"))

    @cached_property
    def clip_frame(self) -> Array:
        """Orthonormal rows: e_0, class directions, t_k, distractors, g, and the rest."""
        return _frame(self.settings.clip, self._rng("clip"))

    @cached_property
    def head(self) -> tuple[Array, Array]:
        """Weight (class, dim) of exactly `rank`, and bias: nearest class code, with a weak readout of every a_k."""
        s = self.settings
        readout = self._rng("head").normal(0, 0.3, (s.classes, s.attributes))
        weight = np.hstack([self.codes, readout]) @ self.feature_frame[: s.rank]
        return weight, -0.5 * np.square(self.codes).sum(1)

    @cached_property
    def offset(self) -> Array:
        """The null feature that all images share, (dim,)."""
        s = self.settings
        null = self.feature_frame[s.rank :]
        direction = np.eye(len(null))[s.attributes]
        if s.offset_anywhere:
            direction = unit(self._rng("offset").normal(size=(1, len(null))))[0]
        return np.asarray(s.offset * direction @ null)

    @cached_property
    def clip_map(self) -> tuple[Array, Array]:
        """B (clip, dim) and b of the linear CLIP, u = B f + b: the best possible translator."""
        s, clip = self.settings, self.clip_frame
        gain = np.zeros((s.dim, s.clip))
        gain[: s.rank] = clip[1 : 1 + s.rank]
        gain[s.rank : s.rank + s.attributes] = np.tan(np.radians(s.tilt) / 2) * clip[1 + s.class_dims : 1 + s.rank]
        gain[s.rank + s.attributes] = clip[1 + s.rank + s.distractors]
        return gain.T @ self.feature_frame, s.base * clip[0]

    @property
    def class_texts(self) -> Array:
        """Unit text embedding of each class."""
        s = self.settings
        return unit(self.codes @ self.clip_frame[1 : 1 + s.class_dims])

    @property
    def concept_texts(self) -> Array:
        """Unit text embedding of each attribute, then of each distractor."""
        start = 1 + self.settings.class_dims
        return self.clip_frame[start : start + self.settings.concepts]

    @cached_property
    def latents(self) -> Latents:
        """The images, `images` of each class."""
        s, rng = self.settings, self._rng("latents")
        labels = np.repeat(np.arange(s.classes), s.images)

        def around(means: Array) -> Array:
            return means[labels] + s.spread * rng.normal(size=(len(labels), means.shape[1]))

        shared = around(np.full((s.classes, 1), 0.0))[:, 0]
        return Latents(labels, around(self.codes), around(self.principal), around(self.leak), shared)

    @cached_property
    def clean_features(self) -> Array:
        """Features without noise, (image, dim)."""
        s, image, frame = self.settings, self.latents, self.feature_frame
        turned = np.radians(s.tilt)
        parts = [image.h, image.y + image.x * np.cos(turned), image.x * np.sin(turned), image.o[:, None]]
        return np.hstack(parts) @ frame[: s.rank + s.attributes + 1] + self.offset

    @cached_property
    def features(self) -> Array:
        """Features as the classifier gives them, (image, dim)."""
        noise = self._rng("feature noise").normal(size=self.clean_features.shape)
        return self.clean_features + self.settings.feature_noise * noise

    @cached_property
    def targets(self) -> Array:
        """CLIP embeddings of the images: unit vectors along B f + b + noise, f without its own noise."""
        weight, bias = self.clip_map
        clean = self.clean_features @ weight.T + bias
        return unit(clean + self.settings.target_noise * self._rng("target noise").normal(size=clean.shape))

    @cached_property
    def true_scores(self) -> tuple[Array, Array]:
        """AS (image, concept) and IS (image,) in degrees by the true B and the true null space, for features without noise."""
        weight, bias = self.clip_map
        principal = self.feature_frame[: self.settings.rank]
        before = unit(self.clean_features @ weight.T + bias)
        after = unit(self.clean_features @ principal.T @ principal @ weight.T + bias)
        score = np.arccos(before @ self.concept_texts.T) - np.arccos(after @ self.concept_texts.T)
        shift = 2 * np.arctan2(np.linalg.norm(before - after, axis=1), np.linalg.norm(before + after, axis=1))
        return np.degrees(score), np.degrees(shift)

    def class_mean(self, values: Array) -> Array:
        """Return the mean over the images of each class."""
        return np.asarray(values.reshape(self.settings.classes, self.settings.images, *values.shape[1:]).mean(1))

    def _rng(self, purpose: str) -> np.random.Generator:
        """Return a random stream for each purpose, so that one changed setting does not change the other draws."""
        return np.random.default_rng([self.seed, *purpose.encode()])


def trigonometric_scores(world: PlantedWorld) -> tuple[Array, Array]:
    """Compute AS (image, attribute) and IS (image,) from the latents alone, by trigonometry (docs/planted.md).

    Holds for `offset_anywhere=False`: the offset is then along g, and u_k = x_k + y_k before, y_k + x_k cos(tilt) after.
    """
    s, image = world.settings, world.latents
    before, after = image.x + image.y, image.y + image.x * np.cos(np.radians(s.tilt))
    rest = s.base**2 + np.square(image.h).sum(1)
    shared = np.square(image.o + s.offset)
    length_before = rest + shared + np.square(before).sum(1)
    length_after = rest + np.square(after).sum(1)

    def angle(part: Array, square: Array) -> Array:
        return np.arctan2(np.sqrt(square[:, None] - np.square(part)), part)

    cosine = (rest + (before * after).sum(1)) / np.sqrt(length_before * length_after)
    score = angle(before, length_before) - angle(after, length_after)
    return np.degrees(score), np.degrees(np.arccos(cosine))


def unit(vectors: Array) -> Array:
    """Scale rows to length one."""
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


def _frame(size: int, rng: np.random.Generator) -> Array:
    return np.linalg.qr(rng.normal(size=(size, size)))[0]
