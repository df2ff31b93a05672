"""Whole screens, line by line, against `snapshots/`. `SNAPSHOTS=write pytest tests/sing_tui/test_snapshots.py` rewrites them."""

import difflib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import pytest
from driving import drawn, press, strips, wish
from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from sing_tui.app import Explorer
from sing_tui.start import Start, Wish

FOLDER = Path(__file__).parent / "snapshots"
ATTRIBUTES = ("bold", "dim", "italic", "underline", "reverse", "strike")


@dataclass(frozen=True, slots=True)
class Shot:
    """A screen: where the explorer starts, what is pressed there; `plain` is NO_COLOR, kept with its styles."""

    wish: Wish
    keys: tuple[str, ...] = ()
    size: tuple[int, int] = (80, 24)
    ascii_only: bool = False
    plain: bool = False
    awkward: bool = False


MODELS, CLASSES = wish(), wish(model="alpha")
CONCEPTS, IMAGES = wish(class_="cat"), wish(class_="cat", table="images")
SHOTS = {
    "models": Shot(MODELS),
    "classes-with-details": Shot(CLASSES, size=(120, 36)),
    "concepts-small": Shot(CONCEPTS, size=(40, 10)),
    "images-with-details": Shot(IMAGES, size=(120, 36)),
    "side-by-side": Shot(CONCEPTS, ("=",)),
    "class-across-models": Shot(CLASSES, ("a",)),
    "concept-across-classes": Shot(CONCEPTS, ("down", "a")),
    "strings-ascii": Shot(CONCEPTS, ("4",), ascii_only=True),
    "finder": Shot(MODELS, ("t", *"cat 2")),
    "export": Shot(CONCEPTS, ("space", "space", "e")),
    "columns": Shot(CONCEPTS, ("*", "down", "space")),
    "help-narrowed": Shot(CONCEPTS, ("?", *"sort")),
    "palette-plain": Shot(CONCEPTS, (":", *"col", "down"), plain=True),
    "in-words": Shot(IMAGES, ("x",)),
    "awkward-filter-error-plain": Shot(wish(model="a"), ("f", *"class ~ ネコ and ("), plain=True, awkward=True),
}


def style_name(style: Style | None) -> str:
    """Attributes and colours of a style in words; empty for the terminal's own."""
    if style is None:
        return ""
    ink, ground = (None if color is None or color.is_default else color.name for color in (style.color, style.bgcolor))
    words = [name for name in ATTRIBUTES if getattr(style, name)]
    return " ".join([*words, *([ink] if ink else []), *([f"on {ground}"] if ground else [])])


def style_line(strip: Strip) -> str:
    """The styles of one line, each with its first and last cell."""
    cells = [style_name(segment.style) for segment in strip for _ in range(segment.cell_length)]
    runs = [(name, list(run)) for name, run in groupby(range(len(cells)), cells.__getitem__)]
    return "; ".join(f"{run[0]}-{run[-1]} {name}" for name, run in runs if name)


def painted(app: Explorer, *, styled: bool) -> list[str]:
    """The screen as a snapshot keeps it: without blanks at the end, below each line its styles where they are asked for."""
    kept = []
    for strip in strips(app.screen):
        assert cell_len(strip.text) == app.size.width
        kept.append(strip.text.rstrip())
        if styled and style_line(strip):
            kept.append(f"      ~ {style_line(strip)}")
    return kept


def difference(kept: Iterable[str], seen: Iterable[str], name: str) -> str:
    """A unified diff; empty where both are the same."""
    return "\n".join(
        difflib.unified_diff(list(kept), list(seen), f"{name}, kept", f"{name}, on the screen", lineterm="")
    )


@pytest.mark.asyncio
@pytest.mark.parametrize("name", SHOTS)
async def test_a_screen_is_painted_as_it_was(
    name: str, store_path: Path, awkward_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shot, file = SHOTS[name], FOLDER / f"{name}.txt"
    if shot.plain:
        monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.chdir(os.sep)  # the form of an export names the folder
    app = Explorer(awkward_path if shot.awkward else store_path, Start(shot.wish), ascii_only=shot.ascii_only)
    async with app.run_test(size=shot.size) as pilot:
        await drawn(app)
        await press(pilot, *shot.keys)
        await drawn(app)
        seen = painted(app, styled=shot.plain)
    assert len([line for line in seen if not line.startswith("      ~ ")]) == shot.size[1]
    if os.environ.get("SNAPSHOTS") == "write":
        FOLDER.mkdir(exist_ok=True)
        file.write_text("\n".join(seen) + "\n", encoding="utf-8")
        pytest.skip(f"wrote {file.name}")
    changed = difference(file.read_text(encoding="utf-8").splitlines(), seen, name)
    if changed:
        pytest.fail(f"{changed}\n\nif this is meant: SNAPSHOTS=write pytest {Path(__file__).name}", pytrace=False)


def test_every_snapshot_belongs_to_a_screen() -> None:
    assert {file.name for file in FOLDER.iterdir()} == {f"{name}.txt" for name in SHOTS}


def test_styles_are_named_by_the_cells_they_cover() -> None:
    strip = Strip([Segment("a"), Segment("ネコ", Style(bold=True, color="red")), Segment(" b", Style(reverse=True))])
    assert style_line(strip) == "1-4 bold red; 5-6 reverse"
    assert style_line(Strip([Segment("abc", Style(color="default", bgcolor="default"))])) == ""
