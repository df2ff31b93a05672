"""Score what removing the null part does: Attribute Score, Image Score, equivalence, controls, statistics and intervals."""
