"""Sizes and names that the format of a results file fixes."""

FORMAT = "sing-store"
SCHEMA_VERSION = 2
TOP_CONCEPTS = 5
"""Stored concept shifts of each image, and concepts at each pole of a null direction."""
NEIGHBOURS = 3
"""Stored nearest images of each translated feature."""
SUBSETS = ("all", "right", "wrong")
"""The first subsets of every class table; groups of images follow as `group:<name>`."""
RANKED = ("attribute_score", "image_score", "null_energy")
"""Image columns whose order is stored."""
QUANTILES = (5, 25, 50, 75, 95)
"""Stored percentiles of each class and subset."""
CURVE = tuple(range(0, 101, 5))
"""Stored percentiles of each class, for a chart of its distribution."""
PENALTIES = (0.1, 1.0, 10.0)
"""Penalties, over the chosen one, at which models are compared."""
CHOSEN = PENALTIES.index(1.0)
"""Position of the chosen penalty among them."""
SIGNIFICANT = 0.05
"""Largest q that counts as significant."""
ORDERED_BY = "ratio_images"
"""The figure by which models are ordered."""
