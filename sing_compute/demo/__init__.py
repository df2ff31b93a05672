"""Drawn scenes with known attributes, and small networks trained on them, one with a planted leak."""
