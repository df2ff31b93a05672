"""What removal of the null part does: Attribute Score, Image Score, equivalence, statistics."""
