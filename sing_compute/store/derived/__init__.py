"""Columns that are computed from stored ones, and checks that belong to one analysis."""
