"""A map of two axes: the part that is seen, its words and its drawing; no Textual, no screen."""
