"""The parts of a screen: the table, the details beside it, and the lines around them."""
