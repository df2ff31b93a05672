"""What every analysis of this program stores and shows, one module for each."""
