"""Colours behind numbers: the step of each value, scales, contrast on every theme, and the bytes that they cost."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from driving import AT, drawn, handled, lines, press, status
from rich.color import Color, ColorSystem
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual.geometry import Region
from textual.strip import Strip

from sing_compute.formats import ASCII, UNICODE
from sing_compute.store import Column, Table
from sing_compute.store.columns import Values
from sing_tui.app import Explorer
from sing_tui.cell_colors import LEVELS, cell_colors, color_scale
from sing_tui.colors import READABLE, contrast
from sing_tui.session.catalog import CONTENTS_SPEC
from sing_tui.session.state import Arrangement
from sing_tui.start import THEMES
from sing_tui.view import arrange
from sing_tui.widgets.column_widths import lay_out
from sing_tui.widgets.columns import CellText
from sing_tui.widgets.thrifty_strip import ThriftyStrip


def column(values: object, format: str = "signed degrees", unit: str = "degree", role: str = "value") -> Column:
    cells = np.asarray(values, dtype=np.float32)
    return Column("x", "x", unit, "", Values(cells), format=format, role=role)


def test_angles_with_a_sign_have_two_colours_on_one_scale_around_zero() -> None:
    values = np.array([0, 0.4, -0.4, 3.1, -3.1, 5, -5, 99, -99, np.nan, np.inf])
    scale = color_scale(column([*np.linspace(-4, 4, 200)]), UNICODE)
    assert (scale.end, scale.signed, scale.text) == (5, True, "±5°")
    steps = [scale.level(value) for value in values]
    assert steps == [0, 0, 0, 4, -4, 6, -6, LEVELS, -LEVELS, 0, LEVELS]
    assert color_scale(column([-0.3, 0.2]), ASCII).text == "+-0.5"


def test_amounts_begin_at_zero_and_shares_end_at_all() -> None:
    angle = color_scale(column([3, 48, 12], "degrees"), UNICODE)
    assert (angle.text, [angle.level(value) for value in (-3.0, 0, 25, 50)]) == ("0-50°", [0, 0, 3, 6])
    share = color_scale(column([0.1, 0.2], "percent", "1", "share"), UNICODE)
    assert (share.text, [share.level(value) for value in (0.0, 0.5, 1.0)]) == ("0-100%", [0, 3, 6])
    difference = color_scale(column([1, -2], "degrees", role="difference"), UNICODE)
    assert (difference.signed, difference.level(-2.0)) == (True, -6)


@pytest.mark.parametrize(
    "values", [column([1, 2], "count", "count", "count"), column([np.nan, np.inf]), column([], "degrees")]
)
def test_counts_and_columns_without_a_value_have_no_colours(values: Column) -> None:
    assert color_scale(values, UNICODE) is None


def test_one_outlier_does_not_take_the_colours_from_all_others() -> None:
    assert color_scale(column([*np.linspace(0, 9, 999), 4000], "degrees"), UNICODE).end == 10


def test_a_long_column_is_not_read_as_a_whole_for_its_scale() -> None:
    class Counted:
        dtype, shape, read = np.dtype(np.float32), (10**6,), 0

        def __len__(self) -> int:
            return 10**6

        def __getitem__(self, rows: np.ndarray) -> np.ndarray:
            self.read += len(rows)
            return np.asarray(rows, dtype=np.float32) / 10**5

    source = Counted()
    found = color_scale(Column("x", "x", "degree", "", Values(source), format="degrees"), UNICODE)
    assert (found.end, source.read) == (10, 768)


@pytest.mark.parametrize("system", ["256", "truecolor"])
@pytest.mark.parametrize("theme", [theme for theme in THEMES if not theme.startswith("ansi")])
async def test_every_number_is_readable_on_its_colour(theme: str, system: str) -> None:
    app = Explorer(Path("no.h5"), theme=theme)
    variables = app.get_css_variables()
    base = Style(color=variables["foreground"], bgcolor=variables["background"])
    colors = cell_colors(base, system)
    for side in (colors.above, colors.below, colors.amounts):
        assert len(side) == LEVELS
        for style in side:
            back = Color.parse(style.bgcolor.name).get_truecolor()
            front = style.color.downgrade(COLORS[system]).get_truecolor()
            assert contrast(front, back) >= READABLE - (system == "256")
        assert contrast(back, base.bgcolor.get_truecolor()) > 1.15  # the strongest is seen
    assert len({colors.above[-1].bgcolor, colors.below[-1].bgcolor, colors.amounts[-1].bgcolor, base.bgcolor}) == 4


def test_few_colours_and_the_terminal_s_own_leave_numbers_plain() -> None:
    base = Style(color="#e0e0e0", bgcolor="#121212")
    assert cell_colors(base, "standard") is None
    assert cell_colors(base, None) is None
    assert cell_colors(Style(color="default", bgcolor="default"), "truecolor") is None


COLORS = {"256": ColorSystem.EIGHT_BIT, "truecolor": ColorSystem.TRUECOLOR}
SEGMENTS = [
    Segment("class ", Style(color="#e0e0e0", bgcolor="#121212")),
    Segment("+3.1", Style(color="#e0e0e0", bgcolor="#553311")),
    Segment("-9.9", Style(color="#101010", bgcolor="#113355")),
    Segment(" plain"),
    Segment("bold", Style(color="#e0e0e0", bgcolor="#121212", bold=True)),
    Segment("mark", Style(color="#e0e0e0", bgcolor="#121212", reverse=True)),
    Segment("link", Style(link="https://example.org")),
    Segment("end", Style(color="#e0e0e0", bgcolor="#121212")),
]


def test_a_thrifty_strip_looks_as_any_other_one_in_fewer_bytes() -> None:
    console = Console(file=io.StringIO(), color_system="truecolor", force_terminal=True)
    rng = np.random.default_rng(0)
    for _ in range(50):
        order = [SEGMENTS[k] for k in rng.integers(0, len(SEGMENTS), 12)]
        plain, thrifty = (kind(order).render(console) for kind in (Strip, ThriftyStrip))
        seen, wanted = Text.from_ansi(thrifty), Text.from_ansi(plain)
        assert seen.plain == wanted.plain
        for at in range(len(wanted.plain)):
            assert seen.get_style_at_offset(console, at) == wanted.get_style_at_offset(console, at), order
        assert len(thrifty) <= len(plain)
    row = [SEGMENTS[0], SEGMENTS[1], SEGMENTS[2], SEGMENTS[0]]
    assert len(ThriftyStrip(row).render(console)) <= 136  # 165 from Textual


async def test_a_key_takes_the_colours_away_and_brings_them_back(store_path: Path) -> None:
    app = Explorer(store_path, AT["concepts"], theme="textual-dark")
    app.console = Console(file=io.StringIO(), color_system="truecolor", force_terminal=True)
    async with app.run_test(size=(80, 24)) as pilot:
        await drawn(app)
        table = app.page.table
        assert "±" in lines(app)[2]
        assert len(table.render_line(4)._segments) > 1
        await press(pilot, "K")
        assert "no colours" in status(app)
        assert "±" not in lines(app)[2]
        assert len(table.render_line(4)._segments) == 1
        await press(pilot, "K")
        assert "on the scales in the header" in status(app)
        assert len(table.render_line(table.cursor + table.header_height)._segments) == 1  # the cursor line has its own


def test_the_sides_of_a_comparison_have_one_scale_and_a_heading_without_room_has_no_colour() -> None:
    def side(name: str, cells: list[float], number: int | None, role: str = "value") -> Column:
        made = replace(column(cells, "degrees", role=role), name=name, title=name)
        return made if number is None else replace(made, side=number, measured="image_score")

    columns = [
        side("IS a", [10, 40], 0),
        side("IS b", [1, 2], 1),
        side("diff IS", [-9, 38], 1, "difference"),
        side("alone", [1, 2], None),
        replace(side("a rather long word", [1, 2], None), title="rather  averylongword"),
    ]
    table = Table(CONTENTS_SPEC, columns, 2, None, {}, "contents")
    view = arrange(table, Arrangement())
    layouts = lay_out(view, UNICODE, 120)
    cells = CellText(view, layouts, UNICODE)
    scales = [cells.scale(k) for k in range(5)]
    assert [None if scale is None else scale.text for scale in scales] == ["0-50°", "0-50°", "±50°", "0-2°", None]
    for line in range(2):
        for k in range(5):
            cells.cell(k, line)
    assert [cells.level(k, 1) for k in range(5)] == [
        5,
        0,
        5,
        6,
        0,
    ]  # 2 of 50 degrees has no colour, 2 of 2 the full one
    narrow = CellText(view, [replace(layout, width=3) for layout in layouts], UNICODE)
    assert [narrow.scale(k) for k in range(4)] == [None] * 4


@pytest.mark.parametrize(
    ("before", "now", "painted"),
    [("1 of 90 · sort IS", "2 of 90 · sort IS", 2), ("9 of 90", "10 of 90", 9), ("abc", "", 4), ("日 of", "12 of", 6)],
)
async def test_of_the_status_line_only_what_changed_is_painted(
    before: str, now: str, painted: int, store_path: Path
) -> None:
    app = Explorer(store_path, AT["concepts"])
    async with app.run_test(size=(80, 24)) as pilot:
        await drawn(app)
        line = app.page.frame.status
        line.write(before)
        await handled(pilot.app)
        regions: list[Region] = []
        line.refresh = lambda *found, **_: regions.extend(found)
        line.write(now)
        assert [region.width for region in regions] == [painted]
