"""Load classifiers: from a timm name, a local folder or a user's own function to a network with a known head and features."""
