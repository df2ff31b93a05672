"""Small valid results files with made-up scores, for tests of the store and the explorer that need no network."""

import functools
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray
from store_figures import Array, Datasets
from store_tables import COLUMNS, Drawn, Shared, write_drawn

from sing_compute.store.constants import NEIGHBOURS, TOP_CONCEPTS


def write_store(
    path: Path,
    *,
    models: Sequence[str] = ("alpha", "beta"),
    class_names: Sequence[str] = ("cat", "dog", "owl", "empty"),
    images_per_class: Sequence[int] = (30, 12, 1, 0),
    concepts: int = 40,
    groups: Sequence[str] = (),
    null_space: bool = True,
    seed: int = 0,
) -> Path:
    """A small results file that `verify` accepts: random heads and scores, statistics by the pipeline's own functions.

    Each call gives a file of its own. Equal arguments give equal bytes, which a process makes once and then keeps.
    """
    sizes = tuple(map(int, images_per_class)), concepts
    content = _content(tuple(models), tuple(class_names), *sizes, tuple(groups), null_space, seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.new")
    beside.write_bytes(content)
    beside.replace(path)  # a program may have the file of before open
    return path


@functools.cache
def _content(
    models: Sequence[str],
    class_names: Sequence[str],
    images_per_class: Sequence[int],
    concepts: int,
    groups: Sequence[str],
    null_space: bool,
    seed: int,
) -> bytes:
    """Return the bytes of the file of `write_store`."""
    rng = np.random.default_rng(seed)
    dim, clip = max(16, len(class_names) + 4) if null_space else len(class_names), 8
    labels = np.repeat(np.arange(len(class_names)), images_per_class)
    group = rng.integers(-1, len(groups), len(labels)) if groups else None
    shared = Shared(
        keys=[f"{class_names[c]}/{i:05d}.png" for i, c in enumerate(labels)],
        offsets=np.concatenate([[0], np.cumsum(images_per_class)]),
        classes=class_names,
        concepts=[f"concept {k}" for k in range(concepts)],
        kinds=[("colour", "texture", "scene")[k % 3] for k in range(concepts)],
        class_embeddings=unit(rng.normal(size=(len(class_names), clip))),
        concept_embeddings=unit(rng.normal(size=(concepts, clip))),
        skipped=[("cat/broken.png", "cannot identify image file")],
        groups=groups,
        group=group,
    )

    def draw(position: int) -> Drawn:
        drawn = _random_head(rng, labels, len(class_names), dim)
        figures: dict[str, float] = {}
        if null_space:
            drawn |= _random_images(rng, labels, len(class_names), concepts)
            drawn |= _random_concepts(rng, len(class_names), concepts)
            figures["zero_shot_equivalent"] = rng.uniform(0.7, 0.87)
            drawn |= _random_controls(rng, len(class_names))
            drawn |= random_translator(rng, clip, dim, concepts, min(clip, dim - len(class_names)))
        return Drawn(drawn, figures, {"tag": f"{models[position]}.v1", "stored_precision": "float32"})

    with TemporaryDirectory() as folder:
        return write_drawn(Path(folder) / "drawn.h5", shared, models, draw).read_bytes()


def unit(vectors: Array) -> Array:
    """Rows of length 1."""
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def random_translator(rng: np.random.Generator, clip: int, dim: int, concepts: int, modes: int) -> Datasets:
    """A translator and its folds, and drawn poles, in whose place a file gets those of the translator."""
    matrix = rng.normal(size=(clip, dim))
    found: Datasets = {
        "translator/weight": matrix,
        "translator/bias": rng.normal(size=clip),
        "translator/fold_weight": matrix + rng.normal(0, 0.01, (5, clip, dim)),
        "translator/fold_bias": rng.normal(size=(5, clip)),
    }
    cosines = np.sort(rng.uniform(0, 0.5, (modes, TOP_CONCEPTS)))[:, ::-1]
    for name, sign in (("toward", 1), ("away", -1)):
        poles = [rng.permutation(concepts)[:TOP_CONCEPTS] for _ in range(modes)]
        found[f"spectrum/{name}"] = np.array(poles).reshape(modes, TOP_CONCEPTS)
        found[f"spectrum/{name}_cosine"] = sign * cosines
    return found | {"translator/mean_feature": rng.normal(size=dim)}


def _random_head(rng: np.random.Generator, labels: NDArray[np.int64], classes: int, dim: int) -> Datasets:
    found: Datasets = {"head/weight": rng.normal(size=(classes, dim)), "head/bias": rng.normal(size=classes)}
    count = len(labels)
    found["images/prediction"] = np.where(rng.random(count) < 0.8, labels, rng.integers(0, classes, count))
    found["images/confidence"] = rng.uniform(0.3, 1, count)
    return found


def _random_images(rng: np.random.Generator, labels: NDArray[np.int64], classes: int, concepts: int) -> Datasets:
    count, shift = len(labels), rng.normal(0, 1, classes)[labels]
    drawn = (
        shift + rng.normal(0, 1, count),
        rng.gamma(9, 1.5, count),
        rng.normal(0, 0.3, count),
        rng.gamma(4, 0.7, count),
        rng.uniform(60, 80, count),
        rng.uniform(0.85, 0.95, count),
        rng.uniform(0.6, 0.9, count),
        rng.uniform(0.1, 0.3, count),
    )
    found: Datasets = {f"images/{name}": values for name, values in zip(COLUMNS, drawn, strict=True)}
    limit = drawn[COLUMNS.index("image_score_centred")]
    found["images/attribute_score_centred"] = drawn[COLUMNS.index("attribute_score_centred")].clip(-limit, limit)
    top = np.stack([rng.permutation(concepts)[:TOP_CONCEPTS] for _ in range(count)])
    shifts = -np.sort(-rng.gamma(2, 1, (count, TOP_CONCEPTS)), axis=1) * rng.choice([-1, 1], (count, TOP_CONCEPTS))
    found |= {"images/top_concept": top, "images/top_concept_score": shifts}
    return found | {f"images/nearest_{when}": _different(rng, count) for when in ("before", "after")}


def _different(rng: np.random.Generator, count: int) -> NDArray[np.int64]:
    """Draw different images for each image; where two of a row are equal, the row continues from its first one."""
    drawn = rng.integers(0, count, (count, NEIGHBOURS))
    twice = (np.diff(np.sort(drawn, axis=1), axis=1) == 0).any(1)
    drawn[twice] = (drawn[twice, :1] + np.arange(NEIGHBOURS)) % count
    return drawn


def _random_concepts(rng: np.random.Generator, classes: int, concepts: int) -> Datasets:
    shape = (classes, concepts)
    after = rng.uniform(60, 90, shape)
    score = rng.normal(0, 1, shape).clip(-3, 3)
    return {
        "concepts/angle_after": after,
        "concepts/attribute_score": score,
        "concepts/attribute_score_abs": np.abs(score) + rng.uniform(0, 0.1, shape),
        "concepts/attribute_score_std": np.abs(rng.normal(0, 0.3, shape)),
        "concepts/attribute_score_centred": score * 0.2,
        "concepts/attribute_score_half": rng.uniform(0.01, 0.1, shape),
        "concepts/control": rng.uniform(0.1, 0.5, shape),
        "concepts/z": score * 2,
    }


def _random_controls(rng: np.random.Generator, classes: int) -> Datasets:
    names = ("attribute_score_abs", "image_score")
    return {f"classes/{name}_control": rng.uniform(0.2, 2, classes) for name in names}
