"""Every dataset of a results file: path, dtype, axes, unit, meaning. The writer, the reader and `verify` obey this table."""

from dataclasses import dataclass

FORMAT = "sing-store"
SCHEMA_VERSION = 1
TOP_CONCEPTS = 5
"""Concept shifts kept for each image, and concepts at each pole of a null direction."""
NEIGHBOURS = 3
"""Nearest real images kept for each translated feature."""
SUBSETS = ("all", "right", "wrong")
"""The first subsets of every class table; groups of images follow as `group:<name>`."""
RANKED = ("attribute_score", "image_score", "null_energy")
"""Image columns whose order is stored."""
QUANTILES = (5, 25, 50, 75, 95)
"""Percentiles kept for each class and subset."""
CURVE = tuple(range(0, 101, 5))
"""Percentiles kept for each class, for a picture of its distribution."""
PENALTIES = (0.1, 1.0, 10.0)
"""Penalties, over the chosen one, at which models are compared."""
SIGNIFICANT = 0.05
"""Largest q that counts as significant."""


@dataclass(frozen=True, slots=True)
class Field:
    """One dataset of the format.

    `path` holds `{model}` where each model has its own; `dtype` is a numpy name or `text` (fixed-length UTF-8). `level` says
    where it stands: MUST in every file, SCORED for every model whose head has a null space, MAY where its meaning says so.
    """

    path: str
    dtype: str
    axes: tuple[str, ...]
    unit: str
    level: str
    description: str


_TABLE = """
[images]
key | text | image | text | MUST | key of each image: its path below the image root; sorted by class, then key
class | int32 | image | index | MUST | true class of each image
group | int32 | image | index | MAY | the user's group of each image, -1 for none
offsets | int64 | class_edge | index | MUST | images of class c are rows offsets[c] to offsets[c+1]
skipped_key | text | skipped | text | MUST | images that could not be read
skipped_reason | text | skipped | text | MUST | why each of them could not be read

[groups]
name | text | group | text | MAY | the user's groups of images

[subsets]
name | text | subset | text | MUST | subsets of images that class tables are given for

[classes]
name | text | class | text | MUST | class names in logit order; may repeat
wnid | text | class | text | MAY | WordNet id of each class
prompt | text | class | text | MUST | text that stands for the class in CLIP space

[concepts]
name | text | concept | text | MUST | concept names, unique
kind | text | concept | text | MUST | kind of each concept: colour, texture, word, ...
prompt | text | concept | text | MUST | text that stands for the concept in CLIP space

[clip]
class_embeddings | float32 | class clip | 1 | MUST | unit text embedding of each class prompt
concept_embeddings | float32 | concept clip | 1 | MUST | unit text embedding of each concept

[comparison]
model | text | model | text | MAY | models in the order of the comparison matrices
class_order | float32 | model model | 1 | MAY | Spearman correlation between two models' classes ordered by median |AS|
figure | text | compared | text | MAY | figures that models are compared by
above | float32 | penalty compared model model | 1 | MAY | share of resamples of the same images in which the row's model
    lies above the column's, at lambda / 10, lambda and 10 lambda; ties half
value | float64 | penalty compared model | degree | MAY | those figures of each model; ratios without unit
accuracy_correlation | float64 | - | 1 | MAY | Pearson correlation, over three models or more, of accuracy and zero-shot
    accuracy of T(f~)

[models/{model}/head]
weight | float64 | class dim | 1 | MUST | weight W of the linear head: logits = W f + b
bias | float64 | class | 1 | MUST | bias b of the linear head
singular_values | float64 | singular_value | 1 | MUST | singular values of the matrix that was split, falling

[models/{model}/variants]
name | text | variant | text | MUST | other rules for what counts as null space
rank | int64 | variant | count | MUST | rank of the head by each
nullity | int64 | variant | count | MUST | dimension of the null space by each
flips | float64 | variant | 1 | MUST | share of predictions that change when that null part is removed
logit_change_max | float64 | variant | 1 | MUST | largest logit change then, over the logit spread
logit_change_mean | float64 | variant | 1 | MUST | mean logit change then, over the logit spread

[models/{model}/translator]
weight | float64 | clip dim | 1 | SCORED | A of T(f) = A f + a, fitted on all images
bias | float64 | clip | 1 | SCORED | a of T(f) = A f + a, fitted on all images
mean_feature | float64 | dim | 1 | SCORED | mean feature of all images, for the centred removal
path_lambda | float64 | lambda | 1 | SCORED | along the ridge path, out of fold: penalty lambda
path_relative | float64 | lambda | 1 | SCORED | along the ridge path, out of fold: lambda over trace(S_ff) / m
path_cosine | float64 | lambda | 1 | SCORED | along the ridge path, out of fold: mean cosine of T(f) and the image embedding
path_attribute_score | float64 | lambda | degree | SCORED | along the ridge path, out of fold: median AS of the true class
path_attribute_score_abs | float64 | lambda | degree | SCORED | along the ridge path, out of fold: median |AS| of the true
    class
path_image_score | float64 | lambda | degree | SCORED | along the ridge path, out of fold: median IS
path_ratio | float64 | lambda | 1 | SCORED | along the ridge path, out of fold: median IS over median |AS|
fold_weight | float32 | fold clip dim | 1 | SCORED | A of the translator fitted without each fold: every image is scored by
    the one that never saw it
fold_bias | float32 | fold clip | 1 | SCORED | a of the same

[models/{model}/translators]
kind | text | translator | text | MAY | translators compared on one fold that none of them saw (--compare-translators)
cosine | float64 | translator | 1 | MAY | mean cosine with the image embedding
mse | float64 | translator | 1 | MAY | mean squared error per coordinate
r_squared | float64 | translator | 1 | MAY | share of the embeddings' variance explained
parameters | int64 | translator | count | MAY | trained numbers
images | int64 | translator | count | MAY | images of that fold

[models/{model}/features]
row | int32 | kept | index | MAY | images whose features are kept, rising: all, or evenly spread ones of many
value | float32 | kept dim | 1 | MAY | what reaches the head for each of them

[models/{model}/maps]
image | int32 | map_image | index | MAY | images whose spatial maps are kept, ascending: all, or evenly spread ones
position | int32 | map_position | index | MAY | positions of the map that are kept, row by row of its grid, ascending
value | float32 | map_image map_position map_channel | 1 | MAY | the last spatial map before the pooling of the network, at
    those positions; in a file of its own where the attribute file names one

[models/{model}/images]
prediction | int32 | image | index | MUST | class the model predicts
confidence | float32 | image | 1 | MUST | softmax probability of the prediction
attribute_score | float32 | image | degree | SCORED | AS: angle to the true class prompt, before minus after the null part is
    removed
image_score | float32 | image | degree | SCORED | IS: angle between T(f) and T(f~)
attribute_score_centred | float32 | image | degree | SCORED | AS with the image-specific null part removed only, f - Pi_n (f
    - mean f)
image_score_centred | float32 | image | degree | SCORED | IS with the image-specific null part removed only, f - Pi_n (f -
    mean f)
class_angle | float32 | image | degree | SCORED | angle of T(f) to the true class prompt
cosine | float32 | image | 1 | SCORED | cosine of T(f) and the CLIP image embedding, out of fold
null_energy | float32 | image | 1 | SCORED | ||Pi_n f|| / ||f||
null_energy_centred | float32 | image | 1 | SCORED | ||Pi_n (f - mean f)|| / ||f||
top_concept | int32 | image shift | index | SCORED | concepts with the largest |AS|, largest first
top_concept_score | float32 | image shift | degree | SCORED | AS of those concepts
nearest_before | int32 | image neighbour | index | SCORED | images nearest to T(f) in CLIP space, nearest first
nearest_after | int32 | image neighbour | index | SCORED | images nearest to T(f~) in CLIP space

[models/{model}/rankings]
attribute_score | int32 | image | index | SCORED | rows of all images by rising attribute_score, NaN last
image_score | int32 | image | index | SCORED | rows of all images by rising image_score, NaN last
null_energy | int32 | image | index | SCORED | rows of all images by rising null_energy, NaN last

[models/{model}/classes]
count | int32 | subset class | count | MUST | images of the class in the subset
accuracy | float32 | subset class | 1 | MUST | share of them predicted right
attribute_score_mean | float32 | subset class | degree | SCORED | mean AS
attribute_score_std | float32 | subset class | degree | SCORED | standard deviation of AS (n - 1)
attribute_score_q05 | float32 | subset class | degree | SCORED | 5th percentile of AS
attribute_score_q25 | float32 | subset class | degree | SCORED | 25th percentile of AS
attribute_score_q50 | float32 | subset class | degree | SCORED | 50th percentile of AS
attribute_score_q75 | float32 | subset class | degree | SCORED | 75th percentile of AS
attribute_score_q95 | float32 | subset class | degree | SCORED | 95th percentile of AS
image_score_mean | float32 | subset class | degree | SCORED | mean IS
image_score_std | float32 | subset class | degree | SCORED | standard deviation of IS (n - 1)
image_score_q05 | float32 | subset class | degree | SCORED | 5th percentile of IS
image_score_q25 | float32 | subset class | degree | SCORED | 25th percentile of IS
image_score_q50 | float32 | subset class | degree | SCORED | 50th percentile of IS
image_score_q75 | float32 | subset class | degree | SCORED | 75th percentile of IS
image_score_q95 | float32 | subset class | degree | SCORED | 95th percentile of IS
attribute_score_abs_mean | float32 | subset class | degree | SCORED | mean |AS|
attribute_score_abs_q50 | float32 | subset class | degree | SCORED | median |AS|
attribute_score_centred_abs_q50 | float32 | subset class | degree | SCORED | median |AS| with the image-specific null part
    removed only, f - Pi_n (f - mean f)
image_score_centred_q50 | float32 | subset class | degree | SCORED | median IS with the image-specific null part removed
    only, f - Pi_n (f - mean f)
null_energy_mean | float32 | subset class | 1 | SCORED | mean null energy
null_energy_centred_mean | float32 | subset class | 1 | SCORED | mean centred null energy
ratio | float32 | subset class | 1 | SCORED | median IS over median |AS|
interval_figure | text | class_figure | text | SCORED | figures of a class that have intervals
interval | float32 | class_figure subset class bound | degree | SCORED | their 95 % intervals (docs/method.md); the ratio
    without unit
attribute_score_abs_control | float32 | class | degree | SCORED | median |AS| when a random vector as long as the null part
    is removed
image_score_control | float32 | class | degree | SCORED | median IS when a random vector as long as the null part is removed
attribute_score_curve | float32 | class percent | degree | SCORED | percentiles 0, 5, ... 100 of AS
image_score_curve | float32 | class percent | degree | SCORED | percentiles 0, 5, ... 100 of IS

[models/{model}/concepts]
angle_before | float32 | class concept | degree | SCORED | mean angle of T(f) to the concept
angle_after | float32 | class concept | degree | SCORED | mean angle of T(f~) to the concept
attribute_score | float32 | class concept | degree | SCORED | mean AS: angle before minus angle after
attribute_score_abs | float32 | class concept | degree | SCORED | mean |AS| over images
attribute_score_std | float32 | class concept | degree | SCORED | standard deviation of AS over images (n - 1)
attribute_score_centred | float32 | class concept | degree | SCORED | mean AS with the image-specific null part removed only,
    f - Pi_n (f - mean f)
attribute_score_half | float32 | class concept | degree | SCORED | half the width of the 95 % interval of mean AS (t)
control | float32 | class concept | degree | SCORED | mean |AS| when a null vector of the same length along one random
    direction is removed
z | float32 | class concept | 1 | SCORED | mean AS in standard deviations of that control, from its mean
p_empirical | float32 | class concept | 1 | SCORED | (1 + draws of the control at least as far from its mean) / (draws + 1)
q | float32 | class concept | 1 | SCORED | Benjamini-Hochberg over concepts of the normal tail of z

[models/{model}/bootstrap]
figure | text | figure | text | SCORED | figures of the model that have intervals
value | float64 | penalty figure | degree | SCORED | those figures at lambda / 10, lambda and 10 lambda; ratio and null
    energy without unit
images | float32 | penalty figure replicate | degree | SCORED | the same over resampled images; replicate r resamples the
    same images for every model of a file
classes | float32 | figure replicate | degree | SCORED | the same over resampled classes, at lambda; NaN where fewer than two
    classes have images
images_interval | float64 | penalty figure bound | degree | SCORED | 95 % interval over images
classes_interval | float64 | figure bound | degree | SCORED | 95 % interval over classes

[models/{model}/controls]
name | text | control | text | SCORED | the removal that is measured, then its controls (docs/method.md)
attribute_score_abs | float64 | control | degree | SCORED | median |AS| of the true class, mean over draws
attribute_score_abs_std | float64 | control | degree | SCORED | its standard deviation over draws (n - 1)
image_score | float64 | control | degree | SCORED | median IS, mean over draws
image_score_std | float64 | control | degree | SCORED | its standard deviation over draws (n - 1)
removed | float64 | control | 1 | SCORED | median length of what was removed over the length of the feature
flips | float64 | control | 1 | SCORED | share of predictions that change
perturbation | text | perturbation | text | SCORED | kinds of perturbation of the same length: in the null space, anywhere,
    in the principal space
length | float64 | length | 1 | SCORED | their lengths over the length of the image's own null part
logit_change | float64 | perturbation length | 1 | SCORED | mean logit change over the logit spread
perturbation_flips | float64 | perturbation length | 1 | SCORED | share of predictions that change

[models/{model}/spectrum]
singular_value | float64 | mode | 1 | SCORED | singular values of A Pi_n, falling: how far CLIP space moves along each null
    direction
toward | int32 | mode pole | index | SCORED | concepts that a step along the direction leads to, by cosine with the centred
    dictionary
toward_cosine | float32 | mode pole | 1 | SCORED | those cosines
away | int32 | mode pole | index | SCORED | concepts that it leads away from
away_cosine | float32 | mode pole | 1 | SCORED | those cosines, negative

[models/{model}/summary]
images | int64 | - | count | MUST | images measured
correct | int64 | - | count | MUST | images predicted right
accuracy | float64 | - | 1 | MUST | share of images predicted right
rank | int64 | - | count | MUST | rank of the head: dimension of the principal space
nullity | int64 | - | count | MUST | dimension of the null space that was used
nullity_softmax | int64 | - | count | MUST | dimension of the null space of the head minus its class mean
cutoff | float64 | - | 1 | MUST | singular values at or below this counted as zero
gap | float64 | - | 1 | MUST | sigma_r / sigma_(r+1); inf where the head has no smaller singular value
tail_ratio | float64 | - | 1 | MUST | sigma_(r-1) / sigma_r: a large one means the last kept direction is nearly null
lambda | float64 | - | 1 | SCORED | ridge penalty of the translator
lambda_relative | float64 | - | 1 | SCORED | lambda over trace(S_ff) / m
cosine | float64 | - | 1 | SCORED | mean cosine of T(f) and the image embedding, out of fold
cosine_baseline | float64 | - | 1 | SCORED | the same for the mean embedding alone, out of fold
r_squared | float64 | - | 1 | SCORED | share of the embeddings' variance that T explains, out of fold
mse | float64 | - | 1 | SCORED | mean squared error of T(f) per coordinate of the image embedding, out of fold
zero_shot_image | float64 | - | 1 | SCORED | zero-shot accuracy of the CLIP image embeddings
zero_shot_translated | float64 | - | 1 | SCORED | zero-shot accuracy of T(f)
zero_shot_equivalent | float64 | - | 1 | SCORED | zero-shot accuracy of T(f~)
attribute_score | float64 | - | degree | SCORED | median AS of the true class prompt
attribute_score_abs | float64 | - | degree | SCORED | median |AS| of the true class prompt
attribute_score_centred_abs | float64 | - | degree | SCORED | median |AS| with the image-specific null part removed only, f -
    Pi_n (f - mean f)
image_score | float64 | - | degree | SCORED | median IS
image_score_centred | float64 | - | degree | SCORED | median IS with the image-specific null part removed only, f - Pi_n (f -
    mean f)
ratio_images | float64 | - | 1 | SCORED | median IS over median |AS|, both over images
ratio_classes | float64 | - | 1 | SCORED | median over classes of the class ratio
null_energy | float64 | - | 1 | SCORED | median null energy
null_energy_centred | float64 | - | 1 | SCORED | median centred null energy
score_mean | float64 | score | degree | SCORED | mean of (AS, IS) over images
score_covariance | float64 | score score | degree^2 | SCORED | covariance of (AS, IS) over images
flips | int64 | - | count | SCORED | predictions that change when f becomes f~ (0 wanted)
logit_change_max | float64 | - | 1 | SCORED | largest logit change from f to f~ over the logit spread
logit_change_mean | float64 | - | 1 | SCORED | mean logit change from f to f~ over the logit spread
logit_spread | float64 | - | 1 | SCORED | mean over images of largest minus smallest logit
undefined | int64 | - | count | SCORED | images whose score has no value because a vector is zero
attribute_score_abs_over_control | float64 | - | 1 | SCORED | median |AS| over that of removing a random vector of the same
    length
image_score_over_control | float64 | - | 1 | SCORED | median IS over that of removing a random vector of the same length
null_share | float64 | - | 1 | SCORED | ||A Pi_n||^2 / ||A||^2
null_share_data | float64 | - | 1 | SCORED | tr(A Pi_n S Pi_n A^T) / tr(A S A^T), S the covariance of the features; above 1
    where the two halves pull against each other
significant | int64 | - | count | SCORED | class x concept pairs with q < .05
probe_null | float64 | - | 1 | SCORED | accuracy, out of fold, of a linear probe of the labels on Pi_n f
probe_principal | float64 | - | 1 | SCORED | the same on Pi_p f
probe_chance | float64 | - | 1 | SCORED | share of the most frequent class among the images
probe_null_group | float64 | - | 1 | MAY | the same for the user's groups, where there are two or more: from Pi_n f
probe_principal_group | float64 | - | 1 | MAY | from Pi_p f
probe_chance_group | float64 | - | 1 | MAY | share of the largest group among the images that have one
"""
"""`[group]`, then its datasets: name | dtype | axes | unit | level | meaning. An indented line goes on with the meaning."""


def _fields(table: str) -> dict[str, Field]:
    fields: dict[str, Field] = {}
    group = ""
    for line in table.replace("\n    ", " ").strip().splitlines():
        if line.startswith("["):
            group = line.strip("[]")
        elif line:
            name, dtype, axes, unit, level, meaning = line.split(" | ", 5)
            path = f"{group}/{name}"
            fields[path] = Field(path, dtype, tuple(axes.replace("-", "").split()), unit, level, meaning)
    return fields


FIELDS: dict[str, Field] = _fields(_TABLE)
