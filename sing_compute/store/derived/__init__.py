"""Columns that are computed from stored ones."""
