"""Draw scenes with known attributes, and train small networks on them, one with a planted leak."""
