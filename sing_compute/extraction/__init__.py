"""Compute the features of all images under all networks, and store them on disk in shards."""
