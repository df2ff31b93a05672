"""Reasons why `verify` cannot find some false edits: nothing else in a results file determines the data."""

import fnmatch

_INPUT = "given by the user or read from the images; the file keeps no second copy"
_DRAWN = "from random draws of torch, which verify does not load; its limits are checked"
_EMBEDDINGS = "follows from the images' CLIP embeddings, which no file keeps"
_SEARCH = "found by searching; only its limits follow from the rest of the file"
_TOWER = "follows from the weights of the CLIP tower, which no file keeps"
_SEEN = "follows from running the tower on the images, which no file keeps"
_ROUNDING = "rounding of float32; below 1e-6 of the logit spread nothing is compared"
_REASONS = {
    "images/*": _INPUT,
    "groups/name": _INPUT,
    "classes/*": _INPUT,
    "concepts/name": _INPUT,
    "concepts/kind": _INPUT,
    "concepts/prompt": _INPUT,
    "models/{model}/maps/value": "some positions of the maps are kept, which have another mean than the features",
    "models/{model}/variants/*": _ROUNDING,
    "models/{model}/summary/logit_change_*": _ROUNDING,
    "models/{model}/summary/zero_shot_image": _EMBEDDINGS,
    "models/{model}/images/cosine": _EMBEDDINGS,
    "models/{model}/images/nearest_*": _EMBEDDINGS,
    "models/{model}/translators/*": "of networks that are trained on the images' CLIP embeddings, which no file keeps",
    "models/{model}/translator/path_*": _EMBEDDINGS,
    "models/{model}/classes/*_control": _DRAWN,
    "models/{model}/concepts/control": _DRAWN,
    "models/{model}/concepts/z": _DRAWN,
    "models/{model}/concepts/p_empirical": _DRAWN,
    "models/{model}/controls/*": _DRAWN,
    "models/{model}/bootstrap/*": _EMBEDDINGS,
    "towers/{tower}/summary/*": _TOWER,
    "towers/{tower}/image/mean": _INPUT,
    "towers/{tower}/layers/*": _TOWER,
    "towers/{tower}/vectors/*": _TOWER,
    "towers/{tower}/methods/*": "of other methods for the same vectors, whose names no file keeps",
    "towers/{tower}/words/*": "the pool of words is not in the file where it is not the concepts",
    "towers/{tower}/uses/*": _TOWER,
    "towers/{tower}/causes/*": _SEEN,
    "models/{model}/renders/pictures/jpeg": "the file keeps no second copy of a picture, and verify decodes none",
    "models/{model}/renders/pictures/nearest": _EMBEDDINGS,
    "models/{model}/renders/pictures/seed": "follows from running the decoder, which no file keeps",
    "models/{model}/renders/embeddings/norm": "measured by the decoder's own encoder, which no file keeps",
    "models/{model}/null_words/*": "the pool of words is not in the file where it is not the concepts",
    "models/{model}/directions/classes/p": _DRAWN,
    "models/{model}/directions/null/*": _DRAWN,
    "models/{model}/directions/names/*": _DRAWN,
    "models/{model}/directions/summary/null_*": _DRAWN,
    "models/{model}/directions/summary/name_random": _DRAWN,
    "models/{model}/directions/summary/permutations": _DRAWN,
    "models/{model}/directions/corrections/random": _DRAWN,
    "models/{model}/directions/corrections/fixed": "the length of the step is not in the file",
    "models/{model}/directions/summary/*": _SEARCH,
    "models/{model}/directions/losses/*": "the sharpness and the overlap also have a part along directions of no variance",
    "models/{model}/directions/trust/*": "of other searches, which no file keeps",
    "models/{model}/directions/labels/*": _INPUT,
    "models/{model}/directions/words/*": "the pool of words is not in the file where it is not the concepts",
    "models/{model}/directions/rivals/*": "of vectors of other methods, which no file keeps",
}


def reason_of(where: str, what: str) -> str:
    """Return why an edit that was not found cannot be found; empty if it could be.

    Args:
        where: Declared path of the dataset.
        what: The edit; one of an attribute or of the structure has no such reason.
    """
    if "attribute" in what or "deleted" in what or "outside" in what:
        return ""
    return next((reason for pattern, reason in _REASONS.items() if fnmatch.fnmatchcase(where, pattern)), "")
