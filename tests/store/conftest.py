import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "attack"))  # for mutations.py and readers.py
