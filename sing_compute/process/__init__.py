"""A run as the machine sees it: one process or several, signals, a terminal that goes away, what is said and logged."""
