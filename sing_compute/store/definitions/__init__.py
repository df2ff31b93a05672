"""The declarations of all analyses of this program, one module for each."""
