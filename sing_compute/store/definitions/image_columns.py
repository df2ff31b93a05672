"""The columns of the image table."""

from sing_compute.store.definition import Column, Explanation
from sing_compute.store.definitions.sing_paths import IMAGES, RANKINGS

_ATTRIBUTE_SCORE_CENTRED = Explanation(
    formula="AS (or IS) with f - Pi_n (f - mean f) in the place of f~",
    meaning="The part that is special to this image, without the null feature that all images share.",
    caution="Not a share: AS minus centred AS is the common part, IS minus centred IS is nothing.",
    source="docs/method.md, centred removal",
)
_NULL_ENERGY = Explanation(
    formula="|Pi_n f| / |f| (or |Pi_n (f - mean f)| / |f|)",
    meaning="How much of the feature's length lies where no logit looks (without what all images share).",
    caution="Not what it means.",
    source="SING, eq. 9; docs/method.md, scores",
)
_TOP_CONCEPT = Explanation(
    formula="concept with the largest |angle(T(f), t) - angle(T(f~), t)|, and that difference",
    meaning="Whereto the removal of the null part moves this image most.",
    caution="Not tested against chance: the concepts of its class are (i).",
    source="SING, Fig. 1",
)
COLUMNS = (
    Column(
        "image",
        "image",
        "path",
        explanation=Explanation(meaning="The image, by its path below the image root.", source="images/key"),
        role="label",
    ),
    Column(
        "class",
        "class",
        "text",
        "images/class",
        Explanation(meaning="Its true class.", source="images/class"),
        role="text",
    ),
    Column(
        "attribute_score",
        "AS",
        "signed degrees",
        IMAGES + "attribute_score",
        Explanation(
            formula="angle(T(f), z) - angle(T(f~), z)",
            meaning="Above 0: without its null part the image comes nearer to its class.",
            caution="Not a change of the prediction: all logits stay as they were.",
            source="SING, eq. 5-8",
        ),
        ranking=RANKINGS + "attribute_score",
    ),
    Column(
        "image_score",
        "IS",
        "degrees",
        IMAGES + "image_score",
        Explanation(
            formula="angle(T(f), T(f~))",
            meaning=(
                "How far removing the null part moves the image in CLIP space. Under 10 degrees is barely "
                "visible, by the authors' rule."
            ),
            caution="Not a direction: the top concepts say whereto.",
            source="SING, eq. 5-8; Fig. 10",
        ),
        ranking=RANKINGS + "image_score",
    ),
    Column(
        "prediction",
        "prediction",
        "text",
        IMAGES + "prediction",
        Explanation(meaning="The class that the model predicts; f and f~ give the same.", source="images/prediction"),
        role="text",
    ),
    Column(
        "confidence",
        "confidence",
        "percent",
        IMAGES + "confidence",
        Explanation(
            formula="softmax probability of the prediction",
            meaning="How sure the model is.",
            caution="Not changed by null removal.",
            source="images/confidence",
        ),
        role="share",
    ),
    Column(
        "attribute_score_centred",
        "AS centred",
        "signed degrees",
        IMAGES + "attribute_score_centred",
        _ATTRIBUTE_SCORE_CENTRED,
    ),
    Column("image_score_centred", "IS centred", "degrees", IMAGES + "image_score_centred", _ATTRIBUTE_SCORE_CENTRED),
    Column(
        "null_energy",
        "null energy",
        "three digits",
        IMAGES + "null_energy",
        _NULL_ENERGY,
        ranking=RANKINGS + "null_energy",
    ),
    Column("null_energy_centred", "null energy centred", "three digits", IMAGES + "null_energy_centred", _NULL_ENERGY),
    Column(
        "class_angle",
        "class angle",
        "degrees",
        IMAGES + "class_angle",
        Explanation(
            formula="angle(T(f), z)",
            meaning="How far the image lies from the text of its class before the removal.",
            caution="Not a probability.",
            source="SING, eq. 5-8",
        ),
    ),
    Column(
        "cosine",
        "cosine",
        "three digits",
        IMAGES + "cosine",
        Explanation(
            formula="cos(T(f), image embedding), by the translator that never saw the image",
            meaning="How well this image translates; where it is low, trust its AS and IS less.",
            caution="Not a quality of the model.",
            source="SING, eq. 4",
        ),
    ),
    Column(
        "top_concept",
        "top concept",
        "text",
        IMAGES + "top_concept",
        _TOP_CONCEPT,
        role="text",
        at=(("shift", 0),),
        needs=(IMAGES + "top_concept_score",),
        description="concept with the largest |AS|",
    ),
    Column(
        "top_concept_score",
        "its AS",
        "degrees",
        IMAGES + "top_concept_score",
        _TOP_CONCEPT,
        at=(("shift", 0),),
        needs=(IMAGES + "top_concept",),
        description="AS of that concept",
    ),
    Column(
        "group",
        "group",
        "text",
        "images/group",
        Explanation(meaning="The user's own group of the image.", source="`--groups`; images/group"),
        role="text",
    ),
)
