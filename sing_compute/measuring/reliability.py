"""Say when figures of a run should not be relied on."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int

ENOUGH_IMAGES = 2.0
"""Images per feature dimension from which z and q kept their level on planted data (docs/planted.md)."""
ENOUGH_GAIN = 1 / 3
"""The translator must gain this share of the way from the baseline's cosine to 1 for z and q to keep their level."""
ENOUGH_OF_A_CLASS = 10
"""Images of a class from which on it is worth a warning that the class is never predicted."""


def doubt_of(images_per_dimension: float, cosine: float, baseline: float) -> str:
    """Explain why z and q of a run may raise false alarms, as they do on planted data (docs/planted.md).

    Both treat the translator as exact. With few images, or features that predict CLIP's embeddings badly, the noise of the
    translator is along the directions in which features vary, and random null directions do not show it.

    Args:
        images_per_dimension: Images over feature dimensions.
        cosine: Mean cosine of T(f) and the image embedding, out of fold.
        baseline: The same for the mean embedding alone.

    Returns:
        The reasons in one line; empty if there is none.
    """
    gained = (cosine - baseline) / (1 - baseline) if baseline < 1 else 0.0
    reasons = []
    if images_per_dimension < ENOUGH_IMAGES:
        reasons.append(f"{images_per_dimension:.1f} images per feature dimension (wanted: {ENOUGH_IMAGES:g})")
    if gained < ENOUGH_GAIN:
        reasons.append(f"the translator gains {gained:.0%} of the way from its baseline (wanted: {ENOUGH_GAIN:.0%})")
    return f"z and q may raise false alarms: {' and '.join(reasons)}" if reasons else ""


def prediction_warnings(
    labels: Int[np.ndarray, " image"], predictions: Int[np.ndarray, " image"], names: Sequence[str]
) -> list[str]:
    """Find signs in the predictions that labels, preprocessing or weights are not the network's.

    Args:
        labels: True class of each image.
        predictions: Predicted class of each image.
        names: Class names in logit order.

    Returns:
        One line for each: no better than guessing, one class for all images, classes that are never predicted.
    """
    of_class, predicted = (np.bincount(found, minlength=len(names)) for found in (labels, predictions))
    present = [int(index) for index in np.flatnonzero(of_class)]
    if len(present) < 2:
        return []
    found, accuracy = [], float((labels == predictions).mean())
    if accuracy <= 1 / len(present):
        found.append(
            f"accuracy {accuracy:.1%} is no better than guessing among {len(present)} classes: are labels, preprocessing and "
            "weights those of this network?"
        )
    if predicted.max() == len(labels):
        found.append(f"every image is predicted as {names[int(predicted.argmax())]}")
        return found
    missed = [names[index] for index in present if of_class[index] >= ENOUGH_OF_A_CLASS and not predicted[index]]
    if missed:
        listed = ", ".join(missed[:5]) + (f" and {len(missed) - 5} more" if len(missed) > 5 else "")
        found.append(f"{len(missed)} classes with at least {ENOUGH_OF_A_CLASS} images are never predicted: {listed}")
    return found


def translator_warning(cosine: float, baseline: float) -> str:
    """Say that a translator knows no more of an image than the mean embedding does; empty if it does.

    Args:
        cosine: Mean cosine of T(f) and the image embedding, out of fold.
        baseline: The same for the mean embedding alone.
    """
    if cosine > baseline:
        return ""
    return (
        f"the translator's cosine {cosine:.4f} is not above its baseline {baseline:.4f}: it says nothing about single images, "
        "and neither do AS and IS; do the embeddings belong to these images?"
    )
