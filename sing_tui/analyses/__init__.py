"""Details of single analyses: one room for each, which registers them when it is imported."""
