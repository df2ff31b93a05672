"""Say when z and q of a run should not be relied on."""

ENOUGH_IMAGES = 2.0
"""Images per feature dimension from which z and q kept their level on planted data (docs/planted.md)."""
ENOUGH_GAIN = 1 / 3
"""The translator must gain this share of the way from the baseline's cosine to 1 for z and q to keep their level."""


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
