"""Charts and details of single analyses: one room for each, which registers them when it is imported (analysis_rooms.py)."""
