"""Check the contents of a file, analysis by analysis, in addition to its structure."""
