"""Photographs: which there are, what class each shows, and one decode of each for every network of a run."""
