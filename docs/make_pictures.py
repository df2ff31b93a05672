"""Makes the pictures of the documentation: `python docs/make_pictures.py results.h5 [MODEL [CLASS]]` writes docs/*.svg."""

import asyncio
import html
import os
import re
import sys
from itertools import groupby
from pathlib import Path

os.environ["TEXTUAL_COLOR_SYSTEM"] = (
    "truecolor"  # Textual reads it when it is imported; without a terminal it takes few colours
)

from sing_compute.store import Store
from sing_tui.app import Explorer
from sing_tui.start import Start, Wish

SIZE, LOW, SMALL, MIDDLE = (120, 32), (120, 12), (80, 24), (92, 27)
"""Cells of a screen; the half-cells of photographs are many rectangles, so theirs are no larger than they must."""
ASCENT, LINE = 18.5, 24.4
"""In the units of Rich's SVG: from a line's upper edge to its baseline, and to the next line's upper edge."""
_TEXT = re.compile(r'<text class="([\w-]+)" x="([\d.]+)" y="([\d.]+)" textLength="([\d.]+)"[^>]*>([^<]*)</text>')
_DRAWN = re.compile("[\u2500\u2502\u2503\u2580-\u2588\u2801-\u28ff]")
_WORDS = re.compile(r"\S+(?:\s\S+)*")
_DOTS = ((0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 3), (1, 3))
"""Column and row of each bit of a Braille character."""


def boxes(sign: str, count: int, width: float) -> list[tuple[float, float, float, float]]:
    """Left, top, width and height of what a run of one line, block or Braille character paints, from its upper left corner."""
    code = ord(sign)
    if sign == "─":
        return [(0, 0.47 * LINE, count * width, 1.4)]
    if sign in "│┃":
        return [((k + 0.45) * width, 0, 1.4 if sign == "│" else 4.2, LINE) for k in range(count)]
    if code >= 0x2800:
        dots = [dot for bit, dot in enumerate(_DOTS) if code >> bit & 1]
        return [
            ((k + 0.2 + 0.5 * column) * width, (0.08 + 0.25 * line) * LINE, 2.4, 2.4)
            for k in range(count)
            for column, line in dots
        ]
    share = 0.5 if sign == "▀" else (code - 0x2580) / 8
    return [(0, 0 if sign == "▀" else (1 - share) * LINE, count * width, share * LINE)]


def draw(text: re.Match[str]) -> str:
    """A piece of text, its words where they belong whatever the font, and its line, block and Braille characters as shapes."""
    style, left, base, length, escaped = text.group(1), *map(float, text.group(2, 3, 4)), text.group(5)
    written = html.unescape(escaped)
    width, at, path = length / len(written), 0, ""
    for sign, run in groupby(written):
        count = len(list(run))
        if _DRAWN.match(sign):
            for x, y, wide, high in boxes(sign, count, width):
                path += f"M{left + at * width + x:.1f} {base - ASCENT + y:.1f}h{wide:.1f}v{high:.1f}h-{wide:.1f}z"
        at += count
    words = (
        f'<text class="{style}" x="{left + word.start() * width:.1f}" y="{base}" textLength="{len(word.group()) * width:.1f}">'
        f"{html.escape(word.group())}</text>"
        for word in _WORDS.finditer(_DRAWN.sub(" ", written))
    )
    return "".join(words) + (f'<path class="{style}" d="{path}"/>' if path else "")


def portable(svg: str) -> str:
    """The picture of a screen with fonts that every machine has, the same bytes whenever it is made of the same screen."""
    svg = re.sub(r"@font-face\s*{[^}]*}", "", svg)
    svg = re.sub(r"font-family:[^;]*;", 'font-family: "DejaVu Sans Mono", Menlo, Consolas, monospace;', svg)
    svg = re.sub(r"terminal-\d+-", "t-", svg).replace(' shape-rendering="crispEdges"', "")
    svg = svg.replace("<style>", "<style>rect, path { shape-rendering: crispEdges; }", 1)
    return re.sub(r"[ \t]+$", "", _TEXT.sub(draw, svg), flags=re.MULTILINE)


async def picture(file: Path, name: str, start: Start, *keys: str, size: tuple[int, int] = SIZE) -> None:
    """One screen of the explorer, after these keys."""
    app = Explorer(file, start)
    async with app.run_test(size=size) as pilot:
        app.theme = "textual-dark"
        for key in ("", *keys):
            await pilot.press(*([key] if key else []))
            for _ in range(20):  # opening, reading and the details come one after the other, each a moment later
                await app.workers.wait_for_complete()
                await pilot.pause(0.1)
        svg = app.export_screenshot(title="sing-tui")
    (Path(__file__).parent / f"{name}.svg").write_text(portable(svg))


async def pictures(file: Path, model: str, class_name: str) -> None:
    """The screens that README and docs show; the photographs must lie where the file says, as after `sing-compute --demo`."""
    of_class = Wish.of(items={"model": model, "class": class_name})
    await picture(file, "classes", Start(Wish.of(items={"model": model})))
    await picture(file, "concepts", Start(of_class))
    side_by_side = Wish.of("classes", {"model": model}, "image_score_q50")
    await picture(file, "compared", Start(side_by_side), "d", "d", size=LOW)
    await picture(file, "scatter", Start(Wish.of(items={"model": model}), chart="scatter"), size=SMALL)
    await picture(file, "strings", Start(of_class, chart="strings"), size=SMALL)
    await picture(file, "map", Start(Wish.of(items={"model": model})), "M", size=SMALL)
    look = Start(Wish.of("images", {"model": model}), "prediction != class or confidence < 90%", look=("is",))
    await picture(file, "look", look, size=SMALL)
    images = Wish.of("images", {"model": model, "class": class_name})
    await picture(file, "photograph", Start(images), "P", size=MIDDLE)
    await picture(file, "contact_sheet", Start(Wish.of("images", {"model": model})), "O", "l", "space", size=SMALL)


def main(file: str, model: str | None = None, class_name: str | None = None) -> None:
    """All pictures of one model, and of one class of it."""
    os.environ.update(TERM="xterm-256color", COLORTERM="truecolor")
    with Store(file) as store:
        model, class_name = store.model(model), class_name or str(store.class_names[0])
    asyncio.run(pictures(Path(file), model, class_name))


if __name__ == "__main__":
    main(*sys.argv[1:])
