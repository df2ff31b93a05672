"""Classifiers: a timm name, a local folder or a user's own factory becomes a network whose head and features are known."""
