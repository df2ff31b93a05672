"""Draw the shapes of charts (sing_compute/charts/shapes.py) in a terminal, from letters or by plotext."""
