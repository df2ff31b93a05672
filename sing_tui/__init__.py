"""The terminal explorer of results files. It reads stores and draws them; it never needs torch."""
