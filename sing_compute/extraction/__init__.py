"""Features of all images under all networks, onto disk: how the networks compute, what of it is kept, and where."""
