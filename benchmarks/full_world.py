"""A made-up world of the size of ImageNet: models that agree in part about which classes, images and concepts leak.

Every effect is a sum of one shared by all models, one shared by a family of architectures and one of the model's own.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf, expit, ndtri
from store_figures import Array, Datasets
from store_tables import Drawn
from stores import random_translator

from sing_compute.scores.intervals import t_quantile
from sing_compute.store.constants import NEIGHBOURS, TOP_CONCEPTS

Single = NDArray[np.float32]

FACTORS = 8
"""Directions in which classes and concepts vary together."""
CANDIDATES = 12
"""Strongest concepts of a class, among which those of an image are."""
SEARCHED = 20_000
"""Most images among which nearest ones are searched."""
ROWS = 200_000
"""Images whose concepts are drawn at a time."""


@dataclass(frozen=True, slots=True)
class Network:
    """One made-up model."""

    name: str
    family: str
    dim: int
    """Feature dimension; the head has 1,000 classes."""
    accuracy: float
    attribute: float
    """Scale of AS, in degrees."""
    image: float
    """Scale of IS, in degrees."""
    energy: float
    """Median null energy."""


_TABLE = """
resnet50 | resnet | 2048 | .803 | 1.6 | 14 | .62
resnet101 | resnet | 2048 | .819 | 1.4 | 13 | .60
wide_resnet50_2 | resnet | 2048 | .816 | 1.5 | 13.5 | .63
resnext50_32x4d | resnet | 2048 | .811 | 1.9 | 15 | .64
resnext101_32x8d | resnet | 2048 | .828 | 2.2 | 16 | .66
densenet121 | densenet | 1024 | .744 | .6 | 5.5 | .15
densenet161 | densenet | 2208 | .771 | 2.6 | 19 | .71
efficientnet_b0 | efficientnet | 1280 | .777 | .9 | 8 | .33
efficientnet_b3 | efficientnet | 1536 | .820 | 1.2 | 10 | .47
convnext_base | convnext | 1024 | .858 | .5 | 5 | .18
convnext_large | convnext | 1536 | .866 | 1.1 | 11 | .50
swin_large_patch4_window7_224 | transformer | 1536 | .863 | 1.0 | 9 | .44
vit_large_patch14_dinov2 | transformer | 1024 | .865 | .7 | 6 | .21
"""


def networks(count: int) -> list[Network]:
    """Return the first `count` models of the table; after its end they are repeated under names such as `resnet50.2`."""
    rows = [[cell.strip() for cell in line.split("|")] for line in _TABLE.strip().splitlines()]
    found = []
    for position in range(count):
        again, row = divmod(position, len(rows))
        name, family, dim, *figures = rows[row]
        numbers = [float(figure) for figure in figures]
        found.append(Network(name + (f".{again + 1}" if again else ""), family, int(dim), *numbers))
    return found


class World:
    """Classes, images and concepts of a made-up collection, and the results of any model on them. Threads may share it."""

    def __init__(self, sizes: NDArray[np.int64], concepts: int, clip: int, seed: int) -> None:
        self.sizes, self.clip, self.seed = sizes, clip, seed
        self.classes, self.concepts, self.images = len(sizes), concepts, int(sizes.sum())
        self.offsets = np.concatenate([[0], np.cumsum(sizes)])
        self.labels = np.repeat(np.arange(self.classes, dtype=np.int32), sizes)
        rng = self._generator("world")
        self.pull, self.turn, self.ease = (rng.standard_normal(self.images, dtype=np.float32) for _ in range(3))
        self.base = rng.normal(74, 4, concepts) + 2.5 * self._matrix(rng, rng)

    def draw(self, network: Network) -> Drawn:
        """Draw head, predictions, scores and translator of one model; a few images have no score by `resnet50`."""
        rng = self._generator(network.name)
        dim = self.classes + max(1, round(self.classes * (network.dim - 1000) / 1000))
        found: Datasets = {
            "head/weight": rng.normal(0, 0.03, (self.classes, dim)),
            "head/bias": rng.normal(0, 0.01, self.classes),
        }
        found |= self._predictions(network, rng)
        scores = self._scores(network, rng)
        found |= {f"images/{name}": values for name, values in scores.items()}
        matrices = self._concept_scores(network, rng, scores["image_score"])
        found |= {f"concepts/{name}": values for name, values in matrices.items()}
        found |= self._top_concepts(rng, matrices["attribute_score"], matrices["attribute_score_std"])
        found["images/nearest_before"] = self._nearest(rng, 0.8)
        found["images/nearest_after"] = self._nearest(rng, 0.6)
        shift, turn = (self._class_effect(name, network) for name in ("attribute", "image"))
        found["classes/attribute_score_abs_control"] = 0.5 * network.attribute * np.exp(0.2 * np.abs(shift))
        found["classes/image_score_control"] = 0.6 * network.image * np.exp(0.1 * turn)
        found |= random_translator(rng, self.clip, dim, self.concepts, min(self.clip, dim - self.classes))
        lower = rng.uniform(0.3, 1.2, (2, 1))
        controls = np.hstack([np.ones((2, 1)), lower * [[1.3, 0.9, 0.7, 0.8]]])
        return Drawn(
            found, self._figures(network, rng), self._facts(network), controls, tuple(rng.uniform(0.2, 0.4, 2))
        )

    def _generator(self, name: str) -> np.random.Generator:
        return np.random.default_rng([self.seed, *name.encode()])

    def _class_effect(self, kind: str, network: Network) -> Array:
        """Draw standard normal values of the classes, in part shared with other models."""
        parts = [
            self._generator(f"{kind} {name}").normal(size=self.classes) for name in ("", network.family, network.name)
        ]
        return 0.8 * parts[0] + 0.45 * parts[1] + 0.4 * parts[2]

    def _predictions(self, network: Network, rng: np.random.Generator) -> Datasets:
        """Draw predictions: incorrect ones are more frequent in hard classes and for hard images, and less confident."""
        noise = rng.standard_normal(self.images, dtype=np.float32)
        margin = 1.2 * self._class_effect("ease", network)[self.labels] + 1.5 * self.ease + 0.8 * noise
        margin += ndtri(network.accuracy) * np.sqrt(1.2**2 + 1.5**2 + 0.8**2)
        step = rng.integers(1, 6, self.images) * rng.choice([-1, 1], self.images)
        far = rng.random(self.images, dtype=np.float32) < 0.2
        step[far] = rng.integers(1, max(2, self.classes), int(far.sum()))
        other = (self.labels + step) % self.classes
        spread = 0.5 * rng.standard_normal(self.images, dtype=np.float32)
        sure = expit(np.where(margin > 0, 0.3 + margin, -0.8 - 0.6 * margin) + spread)
        return {
            "images/prediction": np.where(margin > 0, self.labels, other).astype(np.int32),
            "images/confidence": np.maximum(sure, 1 / self.classes).astype(np.float32),
        }

    def _scores(self, network: Network, rng: np.random.Generator) -> dict[str, Single]:
        """Draw the image columns; no |AS| exceeds its IS."""

        def noise() -> Single:
            return rng.standard_normal(self.images, dtype=np.float32)

        def of_class(values: Array) -> Single:
            return values.astype(np.float32)[self.labels]

        turn = np.float32(0.5) * self.turn + np.float32(0.87) * noise()
        image = of_class(network.image * np.exp(0.22 * self._class_effect("image", network)))
        image = (image * np.exp(np.float32(0.18) * turn)).clip(0.05, 90)
        shift = of_class(network.attribute * self._class_effect("attribute", network))
        spread = of_class(network.attribute * np.exp(0.3 * self._class_effect("spread", network)))
        shift += spread * (np.float32(0.5) * self.pull + np.float32(0.7) * noise())
        attribute = image * np.tanh(shift / image)
        energy = of_class(np.log(network.energy / (1 - network.energy)) + 0.25 * self._class_effect("energy", network))
        energy = expit(energy + np.float32(0.3) * turn)
        centred_turn = image * expit(np.float32(0.2) * noise() - np.float32(1.2))
        centred = np.float32(0.25) * attribute + np.float32(0.15 * network.attribute) * noise()
        angle = of_class(72 + 3 * self._class_effect("angle", network))
        cosine = of_class(0.9 + 0.02 * self._class_effect("cosine", network))
        scores = {
            "attribute_score": attribute,
            "image_score": image,
            "attribute_score_centred": centred_turn * np.tanh(centred / centred_turn),
            "image_score_centred": centred_turn,
            "class_angle": angle + 2 * noise() + np.float32(0.5) * attribute,
            "cosine": (cosine + np.float32(0.02) * noise()).clip(0.3, 0.995),
            "null_energy": energy,
            "null_energy_centred": energy * expit(np.float32(0.3) * noise() - 1),
        }
        undefined = np.linspace(0, self.images - 1, 7).astype(np.int64)[1:-1] if network.name == "resnet50" else []
        for name in ("attribute_score", "image_score", "attribute_score_centred", "image_score_centred"):
            scores[name][undefined] = np.nan
        return {name: values.astype(np.float32, copy=False) for name, values in scores.items()}

    def _concept_scores(self, network: Network, rng: np.random.Generator, image: Single) -> dict[str, Single]:
        """Draw the class x concept matrices: |mean AS| <= mean |AS| <= mean IS of the class."""
        known = np.isfinite(image)
        count = np.bincount(self.labels[known], minlength=self.classes)
        total = np.bincount(self.labels[known], image[known], minlength=self.classes)
        limit = np.where(count > 0, total / np.maximum(count, 1), 1.0)[:, None]
        everywhere, family, own = (self._generator(f"concepts {name}") for name in ("", network.family, network.name))
        raw = 0.5 * everywhere.normal(size=self.concepts) + 0.6 * self._matrix(everywhere, own)
        raw += 0.4 * self._matrix(family, own) + 0.3 * rng.normal(size=raw.shape)
        score = limit / 2 * np.tanh(0.8 * network.attribute * raw / (limit / 2))
        spread = np.minimum(0.5 * network.attribute * np.exp(rng.normal(0, 0.2, raw.shape)), 0.3 * limit)
        absolute = spread * np.sqrt(2 / np.pi) * np.exp(-((score / spread) ** 2) / 2)
        absolute += score * erf(score / spread / np.sqrt(2))  # mean of a folded normal
        absolute = np.where(count[:, None] > 1, absolute, np.abs(score))
        spread = np.where(count[:, None] > 1, spread, np.nan)
        half = [t_quantile(int(n) - 1) / np.sqrt(n) if n > 1 else np.nan for n in count]
        control = (
            rng.uniform(0.2, 0.5) * network.attribute * np.exp(0.15 * self._class_effect("control", network)[:, None])
        )
        control = control * np.exp(rng.normal(0, 0.1, raw.shape))
        matrices = {
            "angle_after": self.base,
            "attribute_score": score,
            "attribute_score_abs": absolute,
            "attribute_score_std": spread,
            "attribute_score_centred": 0.25 * score + 0.05 * network.attribute * rng.normal(size=raw.shape),
            "attribute_score_half": np.array(half)[:, None] * spread,
            "control": control,
            "z": score / (1.25 * control) + 0.1 * rng.normal(size=raw.shape),
        }
        return {name: values.astype(np.float32) for name, values in matrices.items()}

    def _matrix(self, shared: np.random.Generator, own: np.random.Generator) -> Array:
        """Draw a standard normal matrix (class, concept) of low rank: the relation of concepts to classes."""
        classes = shared.normal(size=(self.classes, FACTORS)) + 0.3 * own.normal(size=(self.classes, FACTORS))
        concepts = shared.normal(size=(FACTORS, self.concepts))
        return classes @ concepts / np.sqrt(FACTORS)

    def _top_concepts(self, rng: np.random.Generator, scores: Single, spreads: Single) -> Datasets:
        """Draw for each image the concepts with the largest |AS|, among the strongest of its class."""
        strongest = np.argsort(-np.abs(scores), axis=1)[:, :CANDIDATES]
        mean = np.take_along_axis(scores, strongest, axis=1)
        spread = np.nan_to_num(np.take_along_axis(spreads, strongest, axis=1))
        top = np.empty((self.images, TOP_CONCEPTS), np.int32)
        values = np.empty((self.images, TOP_CONCEPTS), np.float32)
        for start in range(0, self.images, ROWS):
            labels = self.labels[start : start + ROWS]
            shift = mean[labels] + spread[labels] * rng.standard_normal((len(labels), CANDIDATES), dtype=np.float32)
            order = np.argsort(-np.abs(shift), axis=1)[:, :TOP_CONCEPTS]
            top[start : start + ROWS] = np.take_along_axis(strongest[labels], order, axis=1)
            values[start : start + ROWS] = np.take_along_axis(shift, order, axis=1)
        return {"images/top_concept": top, "images/top_concept_score": values}

    def _nearest(self, rng: np.random.Generator, same: float) -> NDArray[np.int32]:
        """Draw the neighbours of each image, a share of them from its class; none is the image itself."""
        shape = (self.images, NEIGHBOURS)
        inside = (rng.random(shape, dtype=np.float32) * self.sizes[self.labels][:, None]).astype(np.int64)
        inside += self.offsets[self.labels][:, None]
        found = np.where(rng.random(shape, dtype=np.float32) < same, inside, rng.integers(0, self.images, shape))
        stride = -(-self.images // SEARCHED)
        found = found // stride  # of many images only evenly spread ones are searched
        twice = (np.diff(np.sort(found, axis=1), axis=1) == 0).any(1)
        rows = np.arange(self.images)[:, None]
        poor = twice | (found * stride == rows).any(1)
        found[poor] = (rows[poor] // stride + 1 + np.arange(NEIGHBOURS)) % (self.images // stride)
        return (found * stride).astype(np.int32)

    def _figures(self, network: Network, rng: np.random.Generator) -> dict[str, float]:
        translated = 0.9 * network.accuracy * 0.85
        return {
            "cosine_baseline": 0.82,
            "r_squared": rng.uniform(0.25, 0.5),
            "mse": rng.uniform(3e-4, 6e-4),
            "zero_shot_image": 0.683,
            "zero_shot_translated": translated,
            "zero_shot_equivalent": translated * (1 - 0.02 * network.attribute - 0.2 * network.energy**2),
            "logit_change_max": rng.uniform(1e-7, 9e-7),
            "probe_null": 0.9 * network.energy * network.accuracy,
            "probe_principal": network.accuracy * rng.uniform(0.97, 1.0),
            "probe_chance": float(self.sizes.max() / self.images),
            "null_share_data": 0.2 * network.energy**2,
        }

    @staticmethod
    def _facts(network: Network) -> dict[str, str | int | float | bool]:
        return {
            "tag": f"{network.name}.made_up",
            "stored_precision": "float32",
            "invariance": "logits",
            "null_space": "numerical",
            "lambda_choice": "out-of-fold cosine",
        }
