"""Every dataset of a results file: path, dtype, axes, unit, meaning. The writer, the reader and `verify` obey this table."""

from dataclasses import dataclass

FORMAT = "sing-store"
SCHEMA_VERSION = 1
TOP_CONCEPTS = 5
"""Concept shifts kept for each image."""
NEIGHBOURS = 3
"""Nearest real images kept for each translated feature."""
SUBSETS = ("all", "right", "wrong")
"""The first subsets of every class table; groups of images follow as `group:<name>`."""
RANKED = ("attribute_score", "image_score", "null_energy")
"""Image columns whose order is stored."""
QUANTILES = (5, 25, 50, 75, 95)
"""Percentiles kept for each class."""


@dataclass(frozen=True, slots=True)
class Field:
    """One dataset of the format.

    `path` holds `{model}` where each model has its own; `dtype` is a numpy name or `text` (fixed-length UTF-8).
    """

    path: str
    dtype: str
    axes: tuple[str, ...]
    unit: str
    description: str
    required: bool = True


def _fields() -> dict[str, Field]:
    fields: dict[str, Field] = {}

    def add(path: str, dtype: str, axes: str, unit: str, description: str, *, required: bool = True) -> None:
        fields[path] = Field(path, dtype, tuple(axes.split()), unit, description, required)

    def optional(path: str, dtype: str, axes: str, unit: str, description: str) -> None:
        add(path, dtype, axes, unit, description, required=False)

    add(
        "images/key",
        "text",
        "image",
        "text",
        "key of each image: its path below the image root; sorted by class, then key",
    )
    add("images/class", "int32", "image", "index", "true class of each image")
    optional("images/group", "int32", "image", "index", "the user's group of each image, -1 for none")
    add("images/offsets", "int64", "class_edge", "index", "images of class c are rows offsets[c] to offsets[c+1]")
    add("images/skipped_key", "text", "skipped", "text", "images that could not be read")
    add("images/skipped_reason", "text", "skipped", "text", "why each of them could not be read")
    optional("groups/name", "text", "group", "text", "the user's groups of images")
    add("subsets/name", "text", "subset", "text", "subsets of images that class tables are given for")
    add("classes/name", "text", "class", "text", "class names in logit order; may repeat")
    optional("classes/wnid", "text", "class", "text", "WordNet id of each class")
    add("classes/prompt", "text", "class", "text", "text that stands for the class in CLIP space")
    add("concepts/name", "text", "concept", "text", "concept names, unique")
    add("concepts/kind", "text", "concept", "text", "kind of each concept: colour, texture, word, ...")
    add("concepts/prompt", "text", "concept", "text", "text that stands for the concept in CLIP space")
    add("clip/class_embeddings", "float32", "class clip", "1", "unit text embedding of each class prompt")
    add("clip/concept_embeddings", "float32", "concept clip", "1", "unit text embedding of each concept")
    optional("comparison/model", "text", "model", "text", "models in the order of the comparison matrices")
    optional(
        "comparison/class_order",
        "float32",
        "model model",
        "1",
        "Spearman correlation between two models' classes ordered by median |AS|",
    )

    head = "models/{model}/head/"
    add(head + "weight", "float64", "class dim", "1", "weight W of the linear head: logits = W f + b")
    add(head + "bias", "float64", "class", "1", "bias b of the linear head")
    add(
        head + "singular_values",
        "float64",
        "singular_value",
        "1",
        "singular values of the matrix that was split, falling",
    )

    translator = "models/{model}/translator/"
    optional(translator + "weight", "float64", "clip dim", "1", "A of T(f) = A f + a, fitted on all images")
    optional(translator + "bias", "float64", "clip", "1", "a of T(f) = A f + a, fitted on all images")
    optional(translator + "mean_feature", "float64", "dim", "1", "mean feature of all images, for the centred removal")
    path = "along the ridge path, out of fold: "
    optional(translator + "path_lambda", "float64", "lambda", "1", path + "penalty lambda")
    optional(translator + "path_relative", "float64", "lambda", "1", path + "lambda over trace(S_ff) / m")
    optional(translator + "path_cosine", "float64", "lambda", "1", path + "mean cosine of T(f) and the image embedding")
    optional(translator + "path_attribute_score", "float64", "lambda", "degree", path + "median AS of the true class")
    optional(
        translator + "path_attribute_score_abs", "float64", "lambda", "degree", path + "median |AS| of the true class"
    )
    optional(translator + "path_image_score", "float64", "lambda", "degree", path + "median IS")
    optional(translator + "path_ratio", "float64", "lambda", "1", path + "median IS over median |AS|")

    images = "models/{model}/images/"
    centred = "with the image-specific null part removed only, f - Pi_n (f - mean f)"
    add(images + "prediction", "int32", "image", "index", "class the model predicts")
    add(images + "confidence", "float32", "image", "1", "softmax probability of the prediction")
    optional(
        images + "attribute_score",
        "float32",
        "image",
        "degree",
        "AS: angle to the true class prompt, before minus after the null part is removed",
    )
    optional(images + "image_score", "float32", "image", "degree", "IS: angle between T(f) and T(f~)")
    optional(images + "attribute_score_centred", "float32", "image", "degree", "AS " + centred)
    optional(images + "image_score_centred", "float32", "image", "degree", "IS " + centred)
    optional(images + "class_angle", "float32", "image", "degree", "angle of T(f) to the true class prompt")
    optional(images + "cosine", "float32", "image", "1", "cosine of T(f) and the CLIP image embedding, out of fold")
    optional(images + "null_energy", "float32", "image", "1", "||Pi_n f|| / ||f||")
    optional(images + "null_energy_centred", "float32", "image", "1", "||Pi_n (f - mean f)|| / ||f||")
    optional(images + "top_concept", "int32", "image shift", "index", "concepts with the largest |AS|, largest first")
    optional(images + "top_concept_score", "float32", "image shift", "degree", "AS of those concepts")
    optional(
        images + "nearest_before",
        "int32",
        "image neighbour",
        "index",
        "images nearest to T(f) in CLIP space, nearest first",
    )
    optional(images + "nearest_after", "int32", "image neighbour", "index", "images nearest to T(f~) in CLIP space")
    for name in RANKED:
        optional(
            f"models/{{model}}/rankings/{name}",
            "int32",
            "image",
            "index",
            f"rows of all images by rising {name}, NaN last",
        )

    classes = "models/{model}/classes/"
    add(classes + "count", "int32", "subset class", "count", "images of the class in the subset")
    add(classes + "accuracy", "float32", "subset class", "1", "share of them predicted right")
    for name, title in (("attribute_score", "AS"), ("image_score", "IS")):
        optional(classes + name + "_mean", "float32", "subset class", "degree", f"mean {title}")
        optional(classes + name + "_std", "float32", "subset class", "degree", f"standard deviation of {title} (n - 1)")
        for q in QUANTILES:
            optional(classes + f"{name}_q{q:02d}", "float32", "subset class", "degree", f"{q}th percentile of {title}")
    optional(classes + "attribute_score_abs_mean", "float32", "subset class", "degree", "mean |AS|")
    optional(classes + "attribute_score_abs_q50", "float32", "subset class", "degree", "median |AS|")
    optional(classes + "attribute_score_centred_abs_q50", "float32", "subset class", "degree", "median |AS| " + centred)
    optional(classes + "image_score_centred_q50", "float32", "subset class", "degree", "median IS " + centred)
    optional(classes + "null_energy_mean", "float32", "subset class", "1", "mean null energy")
    optional(classes + "null_energy_centred_mean", "float32", "subset class", "1", "mean centred null energy")
    optional(classes + "ratio", "float32", "subset class", "1", "median IS over median |AS|")

    concepts = "models/{model}/concepts/"
    optional(concepts + "angle_before", "float32", "class concept", "degree", "mean angle of T(f) to the concept")
    optional(concepts + "angle_after", "float32", "class concept", "degree", "mean angle of T(f~) to the concept")
    optional(
        concepts + "attribute_score", "float32", "class concept", "degree", "mean AS: angle before minus angle after"
    )
    optional(concepts + "attribute_score_abs", "float32", "class concept", "degree", "mean |AS| over images")
    optional(
        concepts + "attribute_score_std",
        "float32",
        "class concept",
        "degree",
        "standard deviation of AS over images (n - 1)",
    )
    optional(concepts + "attribute_score_centred", "float32", "class concept", "degree", "mean AS " + centred)

    summary = "models/{model}/summary/"

    def figure(name: str, dtype: str, unit: str, description: str) -> None:
        add(summary + name, dtype, "", unit, description)

    def optional_figure(name: str, dtype: str, unit: str, description: str, axes: str = "") -> None:
        optional(summary + name, dtype, axes, unit, description)

    figure("images", "int64", "count", "images measured")
    figure("correct", "int64", "count", "images predicted right")
    figure("accuracy", "float64", "1", "share of images predicted right")
    figure("rank", "int64", "count", "rank of the head: dimension of the principal space")
    figure("nullity", "int64", "count", "dimension of the null space that was used")
    figure("nullity_softmax", "int64", "count", "dimension of the null space of the head minus its class mean")
    figure("cutoff", "float64", "1", "singular values at or below this counted as zero")
    figure("gap", "float64", "1", "sigma_r / sigma_(r+1); inf where the head has no smaller singular value")
    figure(
        "tail_ratio", "float64", "1", "sigma_(r-1) / sigma_r: a large one means the last kept direction is nearly null"
    )
    optional_figure("lambda", "float64", "1", "ridge penalty of the translator")
    optional_figure("lambda_relative", "float64", "1", "lambda over trace(S_ff) / m")
    optional_figure("cosine", "float64", "1", "mean cosine of T(f) and the image embedding, out of fold")
    optional_figure("cosine_baseline", "float64", "1", "the same for the mean embedding alone, out of fold")
    optional_figure("r_squared", "float64", "1", "share of the embeddings' variance that T explains, out of fold")
    optional_figure(
        "mse", "float64", "1", "mean squared error of T(f) per coordinate of the image embedding, out of fold"
    )
    optional_figure("zero_shot_image", "float64", "1", "zero-shot accuracy of the CLIP image embeddings")
    optional_figure("zero_shot_translated", "float64", "1", "zero-shot accuracy of T(f)")
    optional_figure("zero_shot_equivalent", "float64", "1", "zero-shot accuracy of T(f~)")
    optional_figure("attribute_score", "float64", "degree", "median AS of the true class prompt")
    optional_figure("attribute_score_abs", "float64", "degree", "median |AS| of the true class prompt")
    optional_figure("attribute_score_centred_abs", "float64", "degree", "median |AS| " + centred)
    optional_figure("image_score", "float64", "degree", "median IS")
    optional_figure("image_score_centred", "float64", "degree", "median IS " + centred)
    optional_figure("ratio_images", "float64", "1", "median IS over median |AS|, both over images")
    optional_figure("ratio_classes", "float64", "1", "median over classes of the class ratio")
    optional_figure("null_energy", "float64", "1", "median null energy")
    optional_figure("null_energy_centred", "float64", "1", "median centred null energy")
    optional_figure("score_mean", "float64", "degree", "mean of (AS, IS) over images", "score")
    optional_figure("score_covariance", "float64", "degree^2", "covariance of (AS, IS) over images", "score score")
    optional_figure("flips", "int64", "count", "predictions that change when f becomes f~ (0 wanted)")
    optional_figure("logit_change_max", "float64", "1", "largest logit change from f to f~ over the logit spread")
    optional_figure("logit_change_mean", "float64", "1", "mean logit change from f to f~ over the logit spread")
    optional_figure("logit_spread", "float64", "1", "mean over images of largest minus smallest logit")
    optional_figure("undefined", "int64", "count", "images whose score has no value because a vector is zero")
    return fields


FIELDS: dict[str, Field] = _fields()
