"""Makes the figures that figures.md shows: `python docs/make_figures.py demo.h5` writes docs/figure_*.svg.

The file is that of `sing-compute --demo` after `sing-compute words` and `sing-compute heads` (figures.md says how).
"""

import sys
from pathlib import Path

from sing_compute.figures.choosing import Choice
from sing_compute.figures.contents import figures
from sing_compute.figures.figure import PaperFigure
from sing_compute.figures.output import svg_text
from sing_compute.store import Store

LEAKY = Choice(models=("leaky",))
CHOICES = {
    "scatter": LEAKY,
    "ratios": LEAKY,
    "violins": LEAKY,
    "strings": Choice(("leaky",), ("star",)),
    "heads": LEAKY,
}
"""By the name of a kind: the models and classes."""
HERE = Path(__file__).parent


def main(path: str) -> None:
    """Write the first figure of each kind."""
    with Store(path) as store:
        for kind, choice in CHOICES.items():
            found = next(each for each in figures(store, choice, (kind,)) if isinstance(each, PaperFigure))
            assert found.shape is not None
            text = svg_text(found.shape, name=kind, title=found.title, description=found.reading)
            (HERE / f"figure_{kind}.svg").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
