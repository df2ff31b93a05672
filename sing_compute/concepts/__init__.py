"""Vocabularies, their text and its vectors in CLIP space."""
