"""Find direction pairs in the features of a classifier of a results file."""
