"""The work of `sing-compute heads` and of the commands behind it: the heads of a CLIP image tower."""
