"""Charts: the numbers that a chart shows (shapes), how a terminal draws them, and which chart an analysis has registered."""
