"""The datasets of EDDP: direction pairs of a classifier, how far they can be trusted, and what the head makes of them."""

from sing_compute.store.definition import Axis, fields

GROUP = "models/{model}/directions"
SUMMARY, PAIRS, CLASSES, IMAGES, LOSSES, TRUST = (
    f"{GROUP}/{part}/" for part in ("summary", "pairs", "classes", "images", "losses", "trust")
)
NULL, NAMES, WORDS, LABELS, STEPS = (f"{GROUP}/{part}/" for part in ("null", "names", "words", "labels", "steps"))
FIXES, RIVALS, MATCHES = (f"{GROUP}/{part}/" for part in ("corrections", "rivals", "matches"))

FIELDS = fields("""
[models/{model}/directions/summary]
images | int64 | - | count | MUST | images whose features the directions were found in
positions | int64 | - | count | MUST | positions of each; 1 for pooled features
restarts | int64 | - | count | MUST | restarts of the search
restart | int64 | - | index | MUST | the restart that was chosen, by objective and violation
objective | float64 | - | 1 | MUST | its objective
violation | float64 | - | 1 in 0.. | MUST | sum of what its bounds are missed by, beyond the tolerance
found | int64 | - | count | MUST | directions that are called found
twice | int64 | - | count in 0..1 | MUST | 1 if another restart has found nine in ten of the directions again, else 0
null_chance | float64 | - | 1 in 0..1 or nan | MAY | nullity / dim: mean null share of a direction that is drawn at random
null_low | float64 | - | 1 in 0..1 or nan | MAY | null share that 2.5 % of directions with the covariance of the features do
    not reach
null_median | float64 | - | 1 in 0..1 or nan | MAY | their median null share
null_high | float64 | - | 1 in 0..1 or nan | MAY | null share that 2.5 % of them exceed
name_random | float64 | - | 1 in -1..1 or nan | MAY | cosine of a name that 2.5 % of directions with the covariance of the
    features exceed
permutations | int64 | - | count | MAY | noise vectors of each direction that its influence is compared with
s1 | float64 | - | 1 in 0.. | MAY | S1: sum of the IoU of all directions with their labels
s2 | float64 | - | 1 in 0.. | MAY | S2: sum over different labels of the best IoU
s3 | float64 | - | 1 in 0..1 or nan | MAY | S3: share of pairs of label and class where no direction with that label has as
    much influence as the difference of means of the label itself
s3_chance | float64 | - | 1 in 0..1 or nan | MAY | S3 of vectors that are exchangeable: mean over labels of 1 / (its
    directions + 1)
sensitive | int64 | - | count | MAY | SDC: directions with a significant influence on at least one class
sensitive_pairs | int64 | - | count | MAY | SCDP: pairs of direction and class with a significant influence

[models/{model}/directions/pairs]
name | text | direction | text | MUST | names of the directions: direction 0, direction 1, ...
filter | float64 | direction dim | 1 | MUST | filter w of each detector, in the unit of the features
threshold | float64 | direction | 1 | MUST | the detector fires where w . x is above it
signal | float64 | direction dim | 1 | MUST | signal vector s, with w . s = 1; zeros for a detector that never fires
pattern | float64 | direction dim | 1 | MUST | difference of the mean features of its positives and of all others, with w .
    pattern = 1; zeros for a detector that fires everywhere or nowhere
margin | float64 | direction | 1 in >0.. | MUST | 1 / |w|: distance in feature space within which the logit w . x - b changes
    by 1
positives | int64 | direction | count | MUST | positions at which the detector fires
images | int64 | direction | count | MUST | images with such a position
strength | float64 | direction | 1 in 0.. or nan | MUST | mean logit of the positives above that of all positions: as many
    signal vectors more
rest | float64 | direction | 1 in ..0 or nan | MUST | mean logit of all other positions

[models/{model}/directions/steps]
name | text | direction_step | text | MUST | steps along signal vectors, in units of `strength`
size | float64 | direction_step | 1 | MUST | the same as numbers

[models/{model}/directions/images]
key | text | direction_image | text | MUST | images whose features the directions were found in
row | int32 | direction_image | index of image in 0.. | MUST | their rows
logit | float32 | direction_image direction | 1 | MUST | largest logit w . x - b of the positions of each image: the detector
    fires where it is above 0

[models/{model}/directions/classes]
images | int64 | class | count | MUST | images of each class among these
positives | int64 | direction class | count | MUST | images of the class on which the detector fires
sensitivity | float64 | direction class direction_step | 1 in -1..1 or nan | MAY | RCAV: share of all images whose probability
    of the class rises with a step along s, scaled to -1 to 1
change | float64 | direction class direction_step | 1 in -1..1 or nan | MAY | mean change of the probability
margin | float64 | direction class direction_step | 1 or nan | MAY | mean change of the margin: the logit of the class minus
    the largest other one
p | float64 | direction class | 1 in >0..1 or nan | MAY | share of noise vectors with an influence as large, with a step of 1;
    never 0
q | float64 | direction class | 1 in 0..1 or nan | MAY | the same as a false discovery rate over all directions and classes
flips | float64 | direction class | 1 in 0..1 or nan | MAY | share of the images with another prediction that a step along s,
    either way, leads to this class
flip_step | float64 | direction class | 1 in 0.. or nan or inf | MAY | median of the smallest such steps, in units of
    `strength`
flip_outside | float64 | direction class | 1 in 0..1 or nan | MAY | share of those whose logit then lies outside that of 99 %
    of real images

[models/{model}/directions/losses]
name | text | direction_loss | text | MUST | losses of the search
value | float64 | direction_loss | 1 or nan | MUST | each at the end of the chosen restart
bound | float64 | direction_loss | 1 or nan | MUST | its bound; NaN for a loss that is minimised

[models/{model}/directions/trust]
state | text | direction | text in found/detector only/unstable/not found | MUST | `found`, `detector only`, `unstable` or
    `not found`
score | float64 | direction | 1 in 0..1 or nan | MUST | trust in the pair, 0 to 1
detector | float64 | direction | 1 in 0..1 or nan | MUST | trust in the detector alone, 0 to 1
against | text | direction_search | text | MUST | searches that the directions were compared with
filter | float64 | direction direction_search | 1 in -1..1 or nan | MUST | correlation of the logits with those of the
    direction of that search that is most like it: the cosine of the two filters in the metric of the features' covariance
signal | float64 | direction direction_search | 1 in -1..1 or nan | MUST | cosine of the signal vectors of the same two
agreement | float64 | direction direction_search | 1 in 0..1 or nan | MUST | IoU of the positives of the same two, for halves
    on the images that the other search has not seen
steady | float64 | direction | 1 in -1..1 or nan | MUST | cosine of the signal vector and that of the positions at which the
    detector does not fire
pinned | float64 | direction | 1 in 0..1 or nan | MUST | share of |w|^2 in the span of the differences between the head's rows

[models/{model}/directions/null]
share | float64 | direction | 1 in 0..1 or nan | MAY | |Pi_n s|^2 / |s|^2
p | float64 | direction | 1 in >0..1 or nan | MAY | share of directions with the covariance of the features that have a null
    share as large
q | float64 | direction | 1 in 0..1 or nan | MAY | the same as a false discovery rate over all directions
pattern_share | float64 | direction | 1 in 0..1 or nan | MAY | null share of the difference of means
pattern_p | float64 | direction | 1 in >0..1 or nan | MAY | p of this share
pattern_q | float64 | direction | 1 in 0..1 or nan | MAY | q of this share
unread | int64 | direction | count in 0..1 | MAY | 1 where q of one of the two is at most .05: the features vary along it, and
    the head can hardly read it
movement | float64 | direction | 1 in 0.. or nan | MAY | standard deviation of the images along s, in the unit of the features
null_movement | float64 | direction | 1 in 0.. or nan | MAY | the null part of the same
logit_movement | float64 | direction | 1 in 0.. or nan | MAY | the same in logits: standard deviation of w . x, times |W s|
row_class | int32 | direction | index of class | MAY | class whose row of the head is most like the filter
row_cosine | float64 | direction | 1 in -1..1 or nan | MAY | cosine of the two

[models/{model}/directions/names]
pick | int32 | direction direction_pick | index of direction_word | MAY | concepts toward which A s leads, in the order of
    picking; -1 for none
coefficient | float32 | direction direction_pick | 1 in 0.. or nan | MAY | their coefficients
cosine | float32 | direction | 1 in -1..1 or nan | MAY | cosine of the mix and A s
p | float64 | direction | 1 in >0..1 or nan | MAY | share of directions with the covariance of the features whose names have a
    cosine as large
pattern_pick | int32 | direction direction_pick | index of direction_word | MAY | the same for the difference of means:
    concepts
pattern_coefficient | float32 | direction direction_pick | 1 in 0.. or nan | MAY | their coefficients
pattern_cosine | float32 | direction | 1 in -1..1 or nan | MAY | cosine of the mix and A times the difference of means
pattern_p | float64 | direction | 1 in >0..1 or nan | MAY | share of random directions with a cosine as large

[models/{model}/directions/words]
name | text | direction_word | text | MAY | concepts that were picked for at least one direction
position | int64 | direction_word | index | MAY | position of each in the pool, from 0

[models/{model}/directions/labels]
concept | text | direction_concept | text | MAY | concepts that are known of the images (--labels)
label | int32 | direction | index of direction_concept | MAY | the concept that the detector meets best, chosen on one half of
    the images; -1 for none
iou | float64 | direction | 1 in 0..1 or nan | MAY | IoU of the images with this concept and those on which the detector
    fires, on the other half
chance | float64 | direction | 1 in 0..1 or nan | MAY | IoU of a detector that fires as often, at random

[models/{model}/directions/corrections]
before | float64 | subset | 1 in 0..1 or nan | MAY | accuracy on the images of each subset, as they are
signal | float64 | direction subset | 1 in 0..1 or nan | MAY | accuracy after every positive was brought along s to the mean
    logit of all others
filter | float64 | direction subset | 1 in 0..1 or nan | MAY | the same along the filter, to the same logit
random | float64 | direction subset | 1 in 0..1 or nan | MAY | the same along directions that are drawn at random, in the mean
fixed | float64 | direction subset | 1 in 0..1 or nan | MAY | accuracy by the paper's rule, relu(x - k sigmoid(w . x - b) s /
    |s|), with the k of --step

[models/{model}/directions/rivals]
name | text | direction_rival | text | MAY | directions that other methods find in the same features
method | text | direction_rival | text | MAY | the method of each
words | text | direction_rival | text | MAY | its name: concepts with their coefficients
cosine | float64 | direction_rival | 1 in -1..1 or nan | MAY | cosine of that mix and A s
share | float64 | direction_rival | 1 in 0..1 or nan | MAY | |Pi_n s|^2 / |s|^2
images | int64 | direction_rival | count | MAY | images on which its detector fires
class | int32 | direction_rival | index of class | MAY | class whose margin a step of 1 along it changes most
margin | float64 | direction_rival | 1 or nan | MAY | this change
likeness | float64 | direction_rival | 1 in 0..1 or nan | MAY | largest |cosine| with a signal vector of EDDP

[models/{model}/directions/matches]
model | text | direction_match | text | MAY | other models of the file that have directions
direction | int32 | direction direction_match | index in -1.. | MAY | their direction that fires on the most similar images;
    -1 for none
iou | float64 | direction direction_match | 1 in 0..1 or nan | MAY | IoU of the images on which the two fire
chance | float64 | direction direction_match | 1 in 0..1 or nan | MAY | IoU of two detectors that fire as often, on images
    drawn at random
p | float64 | direction direction_match | 1 in 0..1 or nan | MAY | probability of so many common images by chance, times the
    directions of that model
""")
AXES = (
    Axis("direction", "direction pairs of a model", field=PAIRS + "name", labels=PAIRS + "name"),
    Axis("direction_step", "steps along signal vectors", field=STEPS + "name", labels=STEPS + "name"),
    Axis("direction_image", "images that directions were found in", field=IMAGES + "key", labels=IMAGES + "key"),
    Axis("direction_loss", "losses of the search for directions", field=LOSSES + "name", labels=LOSSES + "name"),
    Axis("direction_search", "searches that directions were compared with", field=TRUST + "against"),
    Axis("direction_word", "concepts that name a direction", field=WORDS + "name", labels=WORDS + "name"),
    Axis("direction_concept", "known concepts of the images", field=LABELS + "concept", labels=LABELS + "concept"),
    Axis("direction_rival", "directions of other methods", field=RIVALS + "name", labels=RIVALS + "name"),
    Axis("direction_match", "other models with directions", field=MATCHES + "model", labels=MATCHES + "model"),
    Axis("direction_pick", "concepts of a direction in the order of picking", field=NAMES + "pick", position=1),
)
