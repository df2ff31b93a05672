"""SITH: the attention heads of a CLIP image tower as singular vectors, and their meaning in words (arXiv 2603.24653)."""
