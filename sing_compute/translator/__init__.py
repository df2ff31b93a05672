"""Translate a classifier's features into CLIP image space: sums over images, ridge fits, translator files, and a comparison."""
