"""EDDP: pairs of directions that read a concept from features and write it into them, found without labels (arXiv 2509.23926)."""
