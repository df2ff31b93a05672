"""Measure one model from its features on disk: translator, scores of images and concepts, controls and intervals."""
