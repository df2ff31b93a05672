"""The parts of a screen: the table, the details, and the lines around them."""
