"""What each of the paper's pictures reads, draws and says."""
