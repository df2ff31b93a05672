"""Makes the figures of figures.md and the picture of report.md: `python docs/make_figures.py demo.h5` writes docs/figure_*.svg.

The file is that of `sing-compute --demo` after `words`, `heads`, `directions` and `render` (figures.md says how). With playwright
and a Chromium it writes docs/report.png, too.
"""

import shutil
import sys
import tempfile
from io import BytesIO
from pathlib import Path

from PIL import Image

from sing_compute.figures.choosing import Choice
from sing_compute.figures.contents import figures
from sing_compute.figures.figure import PaperFigure
from sing_compute.figures.output import svg_text
from sing_compute.report.page import write_report
from sing_compute.store import Store

LEAKY = Choice(models=("leaky",))
CHOICES = {
    "scatter": LEAKY,
    "ratios": LEAKY,
    "parts": LEAKY,
    "violins": LEAKY,
    "strings": Choice(("leaky",), ("star",)),
    "validation": LEAKY,
    "spectrum": LEAKY,
    "directions": LEAKY,
    "heads": LEAKY,
    "pictures": LEAKY,
}
"""By the name of a kind: the models and classes."""
HERE = Path(__file__).parent
WIDTH, HEIGHT, GAP = 800, 1180, 24
"""Pixels of each half of the picture of the report, and between them."""
PARTS = ("header", "#models")
"""Where each half begins."""
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def report_picture(store: Store) -> None:
    """Write the first lines of the report and its first figures side by side."""
    from playwright.sync_api import sync_playwright

    picture = Image.new("RGB", (2 * WIDTH + GAP, HEIGHT), "#d9dcdf")
    program = next(filter(None, map(shutil.which, BROWSERS)))
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as tools:
        page = Path(folder) / "report.html"
        write_report(store, page, ("leaky",))
        browser = tools.chromium.launch(executable_path=program, args=["--no-sandbox", "--hide-scrollbars"])
        tab = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light")
        tab.goto(page.as_uri())
        for number, part in enumerate(PARTS):
            tab.evaluate("part => document.querySelector(part).scrollIntoView()", part)
            picture.paste(Image.open(BytesIO(tab.screenshot())), (number * (WIDTH + GAP), 0))
        browser.close()
    picture.quantize(256, Image.Quantize.MAXCOVERAGE).save(HERE / "report.png", optimize=True)


def main(path: str) -> None:
    """Write the first figure of each kind, and the picture of the report."""
    with Store(path) as store:
        for kind, choice in CHOICES.items():
            found = next(each for each in figures(store, choice, (kind,)) if isinstance(each, PaperFigure))
            assert found.shape is not None
            text = svg_text(found.shape, name=kind, title=found.title, description=found.reading)
            (HERE / f"figure_{kind}.svg").write_text(text, encoding="utf-8")
        try:
            report_picture(store)
        except ImportError:
            print("docs/report.png needs playwright")


if __name__ == "__main__":
    main(sys.argv[1])
