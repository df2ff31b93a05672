"""Small valid results files with made-up scores, for tests of the store and the explorer that need no network."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from scipy.stats import false_discovery_control, norm

from sing_compute.scores.intervals import class_intervals
from sing_compute.scores.resampling import certainty, class_replicates, image_replicates, replicate_intervals
from sing_compute.scores.statistics import class_statistics, model_summary, rank_correlation
from sing_compute.store import replace_store
from sing_compute.store.schema import CURVE, NEIGHBOURS, PENALTIES, SIGNIFICANT, SUBSETS, TOP_CONCEPTS

REPLICATES = 60
COMPARED = ("attribute_score_abs", "image_score", "ratio_images")


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
    dim, clip = max(16, len(class_names) + 4) if null_space else len(class_names), 8
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
        found = []
        for position, model in enumerate(models):
            found.append(
                _write_model(
                    writer, model, position, rng, labels, offsets, group, len(groups), concepts, dim, clip, null_space
                )
            )
        if null_space:
            orders, values, replicates, accuracies = zip(*found, strict=True)
            writer.put("comparison/model", models)
            writer.put("comparison/class_order", [[rank_correlation(a, b) for b in orders] for a in orders])
            writer.put("comparison/figure", COMPARED)
            writer.put("comparison/value", np.stack(values, axis=-1))
            if len(models) > 2 and np.ptp(accuracies, axis=0).all():
                writer.put("comparison/accuracy_correlation", np.corrcoef(np.array(accuracies).T)[0, 1])
            spread = np.stack(replicates, axis=2)  # (penalty, figure, model, replicate)
            writer.put("comparison/above", [[certainty(figure) for figure in penalty] for penalty in spread])
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
    put("variants/name", ["numerical", "energy=0.99", "softmax"])
    put("variants/rank", [rank, rank - 1, rank])
    put("variants/nullity", [dim - rank, dim - rank + 1, dim - rank])
    for name_, values in (("flips", [0, 0.05, 0]), ("logit_change_max", [3e-7, 0.2, 3e-7])):
        put(f"variants/{name_}", values)
    put("variants/logit_change_mean", [5e-8, 0.03, 5e-8])
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
            "attribute_score_half": rng.uniform(0.01, 0.1, (classes, concepts)),
            "control": rng.uniform(0.1, 0.5, (classes, concepts)),
            "z": (z := (score * 2).astype(np.float32)),
            "p_empirical": np.clip(2 * norm.sf(np.abs(z)), 1 / 201, 1),
            "q": (q := false_discovery_control(2 * norm.sf(np.abs(z)), axis=1).astype(np.float32)),
        }
        scored = present & np.ones_like(q, bool)
        for name_, values in (("attribute_score", columns["attribute_score"]), ("image_score", columns["image_score"])):
            runs = [values[a:b] for a, b in pairwise(offsets)]
            curve = [np.percentile(run, CURVE) if len(run) else np.full(len(CURVE), np.nan) for run in runs]
            put(f"classes/{name_}_curve", curve)
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
            "zero_shot_equivalent": rng.uniform(0.7, 0.87),
            "flips": 0,
            "logit_change_max": 3e-7,
            "logit_change_mean": 5e-8,
            "logit_spread": 17.0,
            "significant": int((q[scored] < SIGNIFICANT).sum()),
            "probe_null": 0.55,
            "probe_principal": 0.85,
            "probe_chance": 0.4,
        }
        summary |= _controls(put, rng, offsets, summary)
        summary |= _translator(put, rng, weight, clip, dim, concepts)
        intervals = class_intervals(offsets, columns, masks)
        put("classes/interval_figure", list(intervals))
        put("classes/interval", [np.stack([found.low, found.high], axis=-1) for found in intervals.values()])
        values, replicates = _bootstrap(put, columns, offsets, statistics["ratio"][0], summary)
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
    if not null_space:
        return None
    accuracies = summary["accuracy"], summary["zero_shot_equivalent"]
    return statistics["attribute_score_abs_q50"][0], values, replicates, accuracies


def _controls(put, rng, offsets, summary):
    """Controls of the model and its classes; gives the ratios to the reference."""
    names = ("null space", "random subspace", "same norm", "random vector", "null direction")
    factors = np.array([1.0, 1.1, 0.9, 0.5, 0.6])
    put("controls/name", names)
    for name in ("attribute_score_abs", "image_score"):
        put(f"controls/{name}", summary[name] * factors)
        put(f"controls/{name}_std", 0.05 * (factors < 1))
        put(f"classes/{name}_control", np.where(np.diff(offsets) > 0, rng.uniform(0.2, 2, len(offsets) - 1), np.nan))
    put("controls/removed", [0.75, 0.9, 0.75, 0.75, 0.75])
    put("controls/flips", [0, 0.44, 0.3, 0.2, 0])
    put("controls/perturbation", ["null", "random", "principal"])
    put("controls/length", [0.25, 0.5, 1, 2])
    put("controls/logit_change", np.outer([1e-16, 0.2, 0.4], [0.25, 0.5, 1, 2]))
    put("controls/perturbation_flips", np.outer([0, 0.1, 0.2], [0.25, 0.5, 1, 2]))
    return {"attribute_score_abs_over_control": 2.0, "image_score_over_control": 2.0}


def _translator(put, rng, weight, clip, dim, concepts):
    """A translator, its folds and its semantic spectrum; gives the null shares."""
    matrix = rng.normal(size=(clip, dim))
    put("translator/weight", matrix)
    put("translator/bias", rng.normal(size=clip))
    put("translator/fold_weight", matrix + rng.normal(0, 0.01, (5, clip, dim)))
    put("translator/fold_bias", rng.normal(size=(5, clip)))
    null = matrix - matrix @ np.linalg.pinv(weight) @ weight
    values = np.linalg.svd(null, compute_uv=False)[: min(clip, dim - len(weight))]
    put("spectrum/singular_value", values)
    cosines = np.sort(rng.uniform(0, 0.5, (len(values), TOP_CONCEPTS)))[:, ::-1]
    for name, sign in (("toward", 1), ("away", -1)):
        put(f"spectrum/{name}", [rng.permutation(concepts)[:TOP_CONCEPTS] for _ in values])
        put(f"spectrum/{name}_cosine", sign * cosines)
    return {"null_share": (null**2).sum() / (matrix**2).sum(), "null_share_data": 0.06}


def _bootstrap(put, columns, offsets, class_ratio, summary):
    """Replicates and intervals at three penalties, where scores are larger below the chosen one and smaller above it."""
    runs = []
    for penalty in PENALTIES:
        factor = np.float32(penalty**-0.3)
        scaled = {name: values if "energy" in name else values * factor for name, values in columns.items()}
        runs.append((image_replicates(scaled, replicates=REPLICATES), model_summary(scaled, class_ratio)))
    figures = (*runs[0][0].names, "ratio_classes")
    gap = np.full((1, REPLICATES), np.nan)
    images = np.stack([np.concatenate([run.values.T, gap]) for run, _ in runs])
    ends = [replicate_intervals(run) for run, _ in runs]
    put("bootstrap/figure", figures)
    values = np.array([[again[figure] for figure in figures] for _, again in runs])
    put("bootstrap/value", values)
    put("bootstrap/images", images)
    pairs = [np.stack([found.low, found.high], axis=-1) for found in ends]
    put("bootstrap/images_interval", [np.concatenate([pair, np.full((1, 2), np.nan)]) for pair in pairs])
    classes, bounds = np.full((len(figures), REPLICATES), np.nan), np.full((len(figures), 2), np.nan)
    if np.count_nonzero(np.diff(offsets)) > 1:
        run = class_replicates(offsets, columns, class_ratio, replicates=REPLICATES)
        for row, figure in enumerate(run.names):
            classes[figures.index(figure)] = run.values[:, row]
        found = replicate_intervals(run)
        for row, figure in enumerate(run.names):
            bounds[figures.index(figure)] = found.low[row], found.high[row]
    put("bootstrap/classes", classes)
    put("bootstrap/classes_interval", bounds)
    chosen = [figures.index(name) for name in COMPARED]
    return values[:, chosen], images[:, chosen]


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
