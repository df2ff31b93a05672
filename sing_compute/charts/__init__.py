"""The charts of a results file as numbers and sentences, from stored values alone; they are drawn elsewhere.

Each analysis has a package here, which registers its charts when it is imported (rooms.py).
"""
