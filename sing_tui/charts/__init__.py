"""How a terminal draws the shapes of charts (sing_compute/charts/shapes.py), from letters or by plotext."""
