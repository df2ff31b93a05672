"""From a classifier's features into CLIP image space: streamed sums, ridge fits of them, and how good the fit is."""
