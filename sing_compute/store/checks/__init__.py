"""What a file can show to be true of each analysis, beyond its structure."""
