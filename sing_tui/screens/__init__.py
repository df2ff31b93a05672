"""The screens: one for a table of any level, and the small ones that open over it."""
