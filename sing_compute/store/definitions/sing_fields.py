"""The datasets of SING: texts and their embeddings, translator, scores, and the evidence for these."""

from sing_compute.store.definition import fields

FIELDS = fields("""
[classes]
prompt | text | class | text | MUST | text that stands for the class in CLIP space

[concepts]
name | text | concept | text | MUST | concept names, unique
kind | text | concept | text | MUST | kind of each concept: colour, texture, word, ...
prompt | text | concept | text | MUST | text that stands for the concept in CLIP space

[clip]
class_embeddings | float32 | class clip | 1 in -1..1 | MUST | unit text embedding of each class prompt
concept_embeddings | float32 | concept clip | 1 in -1..1 | MUST | unit text embedding of each concept

[comparison]
class_order | float32 | model model | 1 in -1..1 or nan | MAY | Spearman correlation between two models' classes ordered by
    median |AS|
figure | text | compared | text | MAY | figures that models are compared by
above | float32 | penalty compared model model | 1 in 0..1 or nan | MAY | share of resamples of the same images in which the
    row's model lies above the column's, at lambda / 10, lambda and 10 lambda; ties half
value | float64 | penalty compared model | degree in 0.. or nan | MAY | those figures of each model; ratios without unit
accuracy_correlation | float64 | - | 1 in -1..1 | MAY | Pearson correlation, over three models or more, of accuracy and
    zero-shot accuracy of T(f~)

[models/{model}/translator]
weight | float64 | clip dim | 1 | MUST | A of T(f) = A f + a, fitted on all images
bias | float64 | clip | 1 | MUST | a of T(f) = A f + a, fitted on all images
mean_feature | float64 | dim | 1 | MUST | mean feature of all images, for the centred removal
path_lambda | float64 | lambda | 1 in 0.. or nan | MUST | along the ridge path, out of fold: penalty lambda
path_relative | float64 | lambda | 1 in 0.. or nan | MUST | along the ridge path, out of fold: lambda over trace(S_ff) / m
path_cosine | float64 | lambda | 1 in -1..1 or nan | MUST | along the ridge path, out of fold: mean cosine of T(f) and the
    image embedding
path_attribute_score | float64 | lambda | degree in -180..180 or nan | MUST | along the ridge path, out of fold: median AS of
    the true class
path_attribute_score_abs | float64 | lambda | degree in 0..180 or nan | MUST | along the ridge path, out of fold: median |AS|
    of the true class
path_image_score | float64 | lambda | degree in 0..180 or nan | MUST | along the ridge path, out of fold: median IS
path_ratio | float64 | lambda | 1 in 0.. or nan | MUST | along the ridge path, out of fold: median IS over median |AS|
fold_weight | float32 | fold clip dim | 1 | MUST | A of the translator fitted without each fold: every image is scored by the
    one that never saw it
fold_bias | float32 | fold clip | 1 | MUST | a of the same

[models/{model}/translators]
kind | text | translator | text | MAY | translators compared on one fold that none of them saw (--compare-translators)
cosine | float64 | translator | 1 in -1..1 | MAY | mean cosine with the image embedding
mse | float64 | translator | 1 in 0.. | MAY | mean squared error per coordinate
r_squared | float64 | translator | 1 in ..1 | MAY | share of the embeddings' variance explained
parameters | int64 | translator | count | MAY | trained numbers
images | int64 | translator | count | MAY | images of that fold

[models/{model}/images]
attribute_score | float32 | image | degree in -180..180 or nan | MUST | AS: angle to the true class prompt, before minus after
    the null part is removed
image_score | float32 | image | degree in 0..180 or nan | MUST | IS: angle between T(f) and T(f~)
attribute_score_centred | float32 | image | degree in -180..180 or nan | MUST | AS with the image-specific null part removed
    only, f - Pi_n (f - mean f)
image_score_centred | float32 | image | degree in 0..180 or nan | MUST | IS with the image-specific null part removed only, f
    - Pi_n (f - mean f)
class_angle | float32 | image | degree in 0..180 or nan | MUST | angle of T(f) to the true class prompt
cosine | float32 | image | 1 in -1..1 | MUST | cosine of T(f) and the CLIP image embedding, out of fold
null_energy | float32 | image | 1 in 0..1 or nan | MUST | ||Pi_n f|| / ||f||
null_energy_centred | float32 | image | 1 in 0.. or nan or inf | MUST | ||Pi_n (f - mean f)|| / ||f||
top_concept | int32 | image shift | index of concept | MUST | concepts with the largest |AS|, largest first
top_concept_score | float32 | image shift | degree in -180..180 or nan | MUST | AS of those concepts
nearest_before | int32 | image neighbour | index of image | MUST | images nearest to T(f) in CLIP space, nearest first
nearest_after | int32 | image neighbour | index of image | MUST | images nearest to T(f~) in CLIP space

[models/{model}/rankings]
attribute_score | int32 | image | index of image in 0.. | MUST | rows of all images by ascending attribute_score, NaN last
image_score | int32 | image | index of image in 0.. | MUST | rows of all images by ascending image_score, NaN last
null_energy | int32 | image | index of image in 0.. | MUST | rows of all images by ascending null_energy, NaN last

[models/{model}/classes]
attribute_score_mean | float32 | subset class | degree in -180..180 or nan | MUST | mean AS
attribute_score_std | float32 | subset class | degree in 0..180 or nan | MUST | standard deviation of AS (n - 1)
attribute_score_q05 | float32 | subset class | degree in -180..180 or nan | MUST | 5th percentile of AS
attribute_score_q25 | float32 | subset class | degree in -180..180 or nan | MUST | 25th percentile of AS
attribute_score_q50 | float32 | subset class | degree in -180..180 or nan | MUST | 50th percentile of AS
attribute_score_q75 | float32 | subset class | degree in -180..180 or nan | MUST | 75th percentile of AS
attribute_score_q95 | float32 | subset class | degree in -180..180 or nan | MUST | 95th percentile of AS
image_score_mean | float32 | subset class | degree in 0..180 or nan | MUST | mean IS
image_score_std | float32 | subset class | degree in 0..180 or nan | MUST | standard deviation of IS (n - 1)
image_score_q05 | float32 | subset class | degree in 0..180 or nan | MUST | 5th percentile of IS
image_score_q25 | float32 | subset class | degree in 0..180 or nan | MUST | 25th percentile of IS
image_score_q50 | float32 | subset class | degree in 0..180 or nan | MUST | 50th percentile of IS
image_score_q75 | float32 | subset class | degree in 0..180 or nan | MUST | 75th percentile of IS
image_score_q95 | float32 | subset class | degree in 0..180 or nan | MUST | 95th percentile of IS
attribute_score_abs_mean | float32 | subset class | degree in 0..180 or nan | MUST | mean |AS|
attribute_score_abs_q50 | float32 | subset class | degree in 0..180 or nan | MUST | median |AS|
attribute_score_centred_abs_q50 | float32 | subset class | degree in 0..180 or nan | MUST | median |AS| with the
    image-specific null part removed only, f - Pi_n (f - mean f)
image_score_centred_q50 | float32 | subset class | degree in 0..180 or nan | MUST | median IS with the image-specific null
    part removed only, f - Pi_n (f - mean f)
null_energy_mean | float32 | subset class | 1 in 0..1 or nan | MUST | mean null energy
null_energy_centred_mean | float32 | subset class | 1 in 0.. or nan | MUST | mean centred null energy
ratio | float32 | subset class | 1 in 0.. or nan | MUST | median IS over median |AS|
interval_figure | text | class_figure | text | MUST | figures of a class that have intervals
interval | float32 | class_figure subset class bound | degree or nan | MUST | their 95 % intervals (docs/method.md); the ratio
    without unit
attribute_score_abs_control | float32 | class | degree in 0..180 or nan | MUST | median |AS| when a random vector as long as
    the null part is removed
image_score_control | float32 | class | degree in 0..180 or nan | MUST | median IS when a random vector as long as the null
    part is removed
attribute_score_curve | float32 | class percent | degree in -180..180 or nan | MUST | percentiles 0, 5, ... 100 of AS
image_score_curve | float32 | class percent | degree in 0..180 or nan | MUST | percentiles 0, 5, ... 100 of IS

[models/{model}/concepts]
angle_before | float32 | class concept | degree in 0..180 or nan | MUST | mean angle of T(f) to the concept
angle_after | float32 | class concept | degree in 0..180 or nan | MUST | mean angle of T(f~) to the concept
attribute_score | float32 | class concept | degree in -180..180 or nan | MUST | mean AS: angle before minus angle after
attribute_score_abs | float32 | class concept | degree in 0..180 or nan | MUST | mean |AS| over images
attribute_score_std | float32 | class concept | degree in 0.. or nan | MUST | standard deviation of AS over images (n - 1)
attribute_score_centred | float32 | class concept | degree in -180..180 or nan | MUST | mean AS with the image-specific null
    part removed only, f - Pi_n (f - mean f)
attribute_score_half | float32 | class concept | degree in 0.. or nan | MUST | half the width of the 95 % interval of mean AS
    (t)
control | float32 | class concept | degree in 0..180 or nan | MUST | mean |AS| when a null vector of the same length along one
    random direction is removed
z | float32 | class concept | 1 or nan | MUST | mean AS minus the mean AS of the draws of `control`,
    over the standard deviation of these draws
p_empirical | float32 | class concept | 1 in >0..1 or nan | MUST | (1 + draws of the control at least as far from its mean) /
    (draws + 1)
q | float32 | class concept | 1 in 0..1 or nan | MUST | Benjamini-Hochberg over concepts of the normal tail of z

[models/{model}/bootstrap]
figure | text | figure | text | MUST | figures of the model that have intervals
value | float64 | penalty figure | degree or nan | MUST | those figures at lambda / 10, lambda and 10 lambda; ratio and null
    energy without unit
images | float32 | penalty figure replicate | degree or nan | MUST | the same over resampled images; replicate r resamples the
    same images for every model of a file
classes | float32 | figure replicate | degree or nan | MUST | the same over resampled classes, at lambda; NaN where fewer than
    two classes have images
images_interval | float64 | penalty figure bound | degree or nan | MUST | 95 % interval over images
classes_interval | float64 | figure bound | degree or nan | MUST | 95 % interval over classes

[models/{model}/controls]
name | text | control | text | MUST | the removal that is measured, then its controls (docs/method.md)
attribute_score_abs | float64 | control | degree in 0..180 or nan | MUST | median |AS| of the true class, mean over draws
attribute_score_abs_std | float64 | control | degree in 0..180 or nan | MUST | its standard deviation over draws (n - 1)
image_score | float64 | control | degree in 0..180 or nan | MUST | median IS, mean over draws
image_score_std | float64 | control | degree in 0..180 or nan | MUST | its standard deviation over draws (n - 1)
removed | float64 | control | 1 in 0.. or nan | MUST | median length of what was removed over the length of the feature
flips | float64 | control | 1 in 0..1 | MUST | share of predictions that change
perturbation | text | perturbation | text | MUST | kinds of perturbation of the same length: in the null space, anywhere, in
    the principal space
length | float64 | length | 1 in >0.. | MUST | their lengths over the length of the image's own null part
logit_change | float64 | perturbation length | 1 in 0.. or nan | MUST | mean logit change over the logit spread
perturbation_flips | float64 | perturbation length | 1 in 0..1 | MUST | share of predictions that change

[models/{model}/spectrum]
singular_value | float64 | mode | 1 in 0.. | MUST | singular values of A Pi_n, descending: how far CLIP space moves along each
    null direction
toward | int32 | mode pole | index of concept | MUST | concepts that a step along the direction leads to, by cosine with the
    centred dictionary
toward_cosine | float32 | mode pole | 1 in -1..1 or nan | MUST | those cosines
away | int32 | mode pole | index of concept | MUST | concepts that it leads away from
away_cosine | float32 | mode pole | 1 in -1..1 or nan | MUST | those cosines, negative

[models/{model}/summary]
lambda | float64 | - | 1 in >0.. or nan | MUST | ridge penalty of the translator
lambda_relative | float64 | - | 1 in >0.. or nan | MUST | lambda over trace(S_ff) / m
cosine | float64 | - | 1 in -1..1 | MUST | mean cosine of T(f) and the image embedding, out of fold
cosine_baseline | float64 | - | 1 in -1..1 | MUST | the same for the mean embedding alone, out of fold
r_squared | float64 | - | 1 in ..1 or nan | MUST | share of the embeddings' variance that T explains, out of fold
mse | float64 | - | 1 in 0.. | MUST | mean squared error of T(f) per coordinate of the image embedding, out of fold
zero_shot_image | float64 | - | 1 in 0..1 | MUST | zero-shot accuracy of the CLIP image embeddings
zero_shot_translated | float64 | - | 1 in 0..1 | MUST | zero-shot accuracy of T(f)
zero_shot_equivalent | float64 | - | 1 in 0..1 | MUST | zero-shot accuracy of T(f~)
attribute_score | float64 | - | degree in -180..180 or nan | MUST | median AS of the true class prompt
attribute_score_abs | float64 | - | degree in 0..180 or nan | MUST | median |AS| of the true class prompt
attribute_score_centred_abs | float64 | - | degree in 0..180 or nan | MUST | median |AS| with the image-specific null part
    removed only, f - Pi_n (f - mean f)
image_score | float64 | - | degree in 0..180 or nan | MUST | median IS
image_score_centred | float64 | - | degree in 0..180 or nan | MUST | median IS with the image-specific null part removed only,
    f - Pi_n (f - mean f)
ratio_images | float64 | - | 1 in 0.. or nan | MUST | median IS over median |AS|, both over images
ratio_classes | float64 | - | 1 in 0.. or nan | MUST | median over classes of the class ratio
null_energy | float64 | - | 1 in 0..1 or nan | MUST | median null energy
null_energy_centred | float64 | - | 1 in 0.. or nan | MUST | median centred null energy
score_mean | float64 | score | degree in -180..180 or nan | MUST | mean of (AS, IS) over images
score_covariance | float64 | score score | degree^2 or nan | MUST | covariance of (AS, IS) over images
flips | int64 | - | count | MUST | predictions that change when f becomes f~ (0 wanted)
logit_change_max | float64 | - | 1 in 0.. or nan | MUST | largest logit change from f to f~ over the logit spread
logit_change_mean | float64 | - | 1 in 0.. or nan | MUST | mean logit change from f to f~ over the logit spread
logit_spread | float64 | - | 1 in 0.. | MUST | mean over images of largest minus smallest logit
undefined | int64 | - | count | MUST | images whose score has no value because a vector is zero
attribute_score_abs_over_control | float64 | - | 1 in 0.. or nan or inf | MUST | median |AS| over that of removing a random
    vector of the same length
image_score_over_control | float64 | - | 1 in 0.. or nan or inf | MUST | median IS over that of removing a random vector of
    the same length
null_share | float64 | - | 1 in 0..1 or nan | MUST | ||A Pi_n||^2 / ||A||^2
null_share_data | float64 | - | 1 in 0.. or nan | MUST | tr(A Pi_n S Pi_n A^T) / tr(A S A^T), S the covariance of the
    features; above 1 where the two halves pull against each other
significant | int64 | - | count | MUST | class x concept pairs with q < .05
probe_null | float64 | - | 1 in 0..1 | MUST | accuracy, out of fold, of a linear probe of the labels on Pi_n f
probe_principal | float64 | - | 1 in 0..1 | MUST | the same on Pi_p f
probe_chance | float64 | - | 1 in 0..1 | MUST | share of the most frequent class among the images
probe_null_group | float64 | - | 1 in 0..1 | MAY | the same for the user's groups, where there are two or more: from Pi_n f
probe_principal_group | float64 | - | 1 in 0..1 | MAY | from Pi_p f
probe_chance_group | float64 | - | 1 in 0..1 | MAY | share of the largest group among the images that have one
""")
