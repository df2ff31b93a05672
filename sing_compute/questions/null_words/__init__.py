"""Name the null directions of the classifiers of a results file."""
