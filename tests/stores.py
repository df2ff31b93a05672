"""Small valid results files with made-up scores, for tests of the store and the explorer that need no network."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from sing_compute.scores.statistics import class_statistics, model_summary, rank_correlation
from sing_compute.store import replace_store
from sing_compute.store.schema import NEIGHBOURS, SUBSETS, TOP_CONCEPTS


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
    """A results file that `verify` accepts: random heads and scores, statistics by the pipeline's own functions."""
    rng = np.random.default_rng(seed)
    dim, clip = 16 if null_space else len(class_names), 8
    offsets = np.concatenate([[0], np.cumsum(images_per_class)])
    labels = np.repeat(np.arange(len(class_names)), images_per_class)
    count = len(labels)
    keys = [f"{class_names[c]}/{i:05d}.png" for i, c in enumerate(labels)]
    group = rng.integers(-1, len(groups), count) if groups else np.full(count, -1)
    with replace_store(path, scratch=path.parent) as writer:
        writer.put("images/key", keys)
        writer.put("images/class", labels)
        writer.put("images/offsets", offsets)
        writer.put("images/skipped_key", ["cat/broken.png"])
        writer.put("images/skipped_reason", ["cannot identify image file"])
        if groups:
            writer.put("images/group", group)
            writer.put("groups/name", groups)
        writer.put("subsets/name", [*SUBSETS, *(f"group:{name}" for name in groups)])
        writer.put("classes/name", class_names)
        writer.put("classes/prompt", [f"an image of a {name}" for name in class_names])
        writer.put("concepts/name", [f"concept {k}" for k in range(concepts)])
        writer.put("concepts/kind", [("colour", "texture", "scene")[k % 3] for k in range(concepts)])
        writer.put("concepts/prompt", [f"an image of concept {k}" for k in range(concepts)])
        writer.annotate("clip", {"tag": "synthetic", "source": "made up"})
        writer.put("clip/class_embeddings", _unit(rng.normal(size=(len(class_names), clip))))
        writer.put("clip/concept_embeddings", _unit(rng.normal(size=(concepts, clip))))
        orders = []
        for position, model in enumerate(models):
            median = _write_model(
                writer, model, position, rng, labels, offsets, group, len(groups), concepts, dim, clip, null_space
            )
            orders.append(median)
        if null_space:
            writer.put("comparison/model", models)
            writer.put("comparison/class_order", [[rank_correlation(a, b) for b in orders] for a in orders])
    return path


def _write_model(writer, name, position, rng, labels, offsets, group, groups, concepts, dim, clip, null_space):
    classes, count = len(offsets) - 1, len(labels)

    def put(path, values):
        writer.put("models/{model}/" + path, values, model=name)

    weight = rng.normal(size=(classes, dim))
    singular = np.linalg.svd(weight, compute_uv=False)
    put("head/weight", weight)
    put("head/bias", rng.normal(size=classes))
    put("head/singular_values", singular)
    prediction = np.where(rng.random(count) < 0.8, labels, rng.integers(0, classes, count))
    right = prediction == labels
    put("images/prediction", prediction)
    put("images/confidence", rng.uniform(0.3, 1, count))
    rank = len(singular)
    summary = {
        "images": count,
        "correct": right.sum(),
        "accuracy": right.mean(),
        "rank": rank,
        "nullity": dim - rank,
        "nullity_softmax": dim - rank,
        "cutoff": 1e-6,
        "gap": np.inf,
        "tail_ratio": singular[-2] / singular[-1] if rank > 1 else np.nan,
    }
    columns = {}
    if null_space:
        shift = rng.normal(0, 1, classes)[labels]
        columns = {
            "attribute_score": (shift + rng.normal(0, 1, count)).astype(np.float32),
            "image_score": rng.gamma(9, 1.5, count).astype(np.float32),
            "attribute_score_centred": rng.normal(0, 0.3, count).astype(np.float32),
            "image_score_centred": rng.gamma(4, 0.7, count).astype(np.float32),
            "class_angle": rng.uniform(60, 80, count).astype(np.float32),
            "cosine": rng.uniform(0.85, 0.95, count).astype(np.float32),
            "null_energy": rng.uniform(0.6, 0.9, count).astype(np.float32),
            "null_energy_centred": rng.uniform(0.1, 0.3, count).astype(np.float32),
        }
        for column, values in columns.items():
            put(f"images/{column}", values)
        for column in ("attribute_score", "image_score", "null_energy"):
            put(f"rankings/{column}", np.argsort(columns[column], kind="stable"))
        top = np.stack([rng.permutation(concepts)[:TOP_CONCEPTS] for _ in range(count)])
        shifts = -np.sort(-rng.gamma(2, 1, (count, TOP_CONCEPTS)), axis=1) * rng.choice([-1, 1], (count, TOP_CONCEPTS))
        put("images/top_concept", top)
        limit = columns["image_score"][:, None]  # no shift exceeds the image score
        put("images/top_concept_score", shifts.clip(-limit, limit))
        put("images/nearest_before", rng.integers(0, count, (count, NEIGHBOURS)))
        put("images/nearest_after", rng.integers(0, count, (count, NEIGHBOURS)))
    masks = [np.ones(count, bool), right, ~right, *(group == g for g in range(groups))]
    statistics = class_statistics(offsets, right, columns, masks)
    for column, values in statistics.items():
        put(f"classes/{column}", values)
    if null_space:
        present = (np.diff(offsets) > 0)[:, None]
        after = rng.uniform(60, 90, (classes, concepts))
        score = rng.normal(0, 1, (classes, concepts)).clip(-3, 3)
        matrices = {
            "angle_before": after + score,
            "angle_after": after,
            "attribute_score": score,
            "attribute_score_abs": np.abs(score) + rng.uniform(0, 0.1, (classes, concepts)),
            "attribute_score_std": np.abs(rng.normal(0, 0.3, (classes, concepts))),
            "attribute_score_centred": score * 0.2,
        }
        for matrix, values in matrices.items():
            put(f"concepts/{matrix}", np.where(present, values, np.nan))
        summary |= model_summary(columns, statistics["ratio"][0])
        summary |= {
            "lambda": 100.0,
            "lambda_relative": 0.2,
            "cosine": 0.91,
            "cosine_baseline": 0.87,
            "r_squared": 0.3,
            "mse": 0.17,
            "zero_shot_image": 0.9,
            "zero_shot_translated": 0.87,
            "zero_shot_equivalent": 0.82,
            "flips": 0,
            "logit_change_max": 3e-7,
            "logit_change_mean": 5e-8,
            "logit_spread": 17.0,
        }
        put("translator/weight", rng.normal(size=(clip, dim)))
        put("translator/bias", rng.normal(size=clip))
        put("translator/mean_feature", rng.normal(size=dim))
        path = np.geomspace(1, 1e4, 9)
        put("translator/path_lambda", path)
        put("translator/path_relative", path / 500)
        put("translator/path_cosine", 0.91 - 0.01 * np.log10(path / 100) ** 2)
        put("translator/path_attribute_score", 0.3 * np.ones(9))
        put("translator/path_attribute_score_abs", 0.3 * np.ones(9))
        put("translator/path_image_score", np.linspace(24, 3, 9))
        put("translator/path_ratio", np.linspace(80, 10, 9))
    for figure, value in summary.items():
        put(f"summary/{figure}", value)
    writer.annotate(f"models/{name}", {"order": position, "tag": f"{name}.v1", "stored_precision": "float32"})
    return statistics["attribute_score_abs_q50"][0] if null_space else None


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
