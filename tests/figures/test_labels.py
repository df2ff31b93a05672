"""Texts in figures: cut to their room, and never so high that a plot has none left."""

import numpy as np
from drawn_figures import drawn, faults

from sing_compute.charts.shapes import Curves, Panels
from sing_compute.figures.labels import cut, cut_list, text_width
from sing_compute.figures.style import settings


def test_labels_are_cut_to_their_room_and_lists_at_whole_words() -> None:
    with settings():
        assert cut("short", 1) == "short"
        long = cut("m" * 255, 1.0)
        assert long.endswith("m…")
        assert 0.9 < text_width(long) <= 1.0
        assert (
            cut_list("red 0.75, round 0.25, striped 0.10", text_width("red 0.75, round 0.25, …") + 0.01)
            == "red 0.75, round 0.25, …"
        )
        assert cut_list("x" * 300, 0.5).endswith("x…")
        for part in ("heart 0", "heart 0.", "heart 0.2"):  # 0.25 is never cut to another number
            assert cut("heart 0.25 of it", text_width(f"{part}…") + 0.001) == "heart…"
        assert cut("n01440764_10026.JPEG", text_width("n0144…") + 0.001) == "n0144…"
        assert cut("a\u202eb\x1b[31m", 2) == "ab[31m"
        assert cut("e" + "\u0301" * 250, 2) == "e" + "\u0301" * 4  # towers of accents leave a plot no room
        assert cut("Việt Nam, שָׁלוֹם, กำลัง", 9) == "Việt Nam, שָׁלוֹם, กำลัง"


def test_lines_with_towers_of_accents_for_names_leave_the_plot_its_room() -> None:
    names = ["e" + "\u0301" * 1500, "o" + "\u0300\u0323" * 700]
    x = np.array([0.5, 1.0, 2.0])
    curves = Curves(x, tuple((name, name, x) for name in names), x_label=names[0], y_label=names[1])
    figure = drawn(Panels((curves, curves)), "page")
    assert faults(figure) == []
    assert all(axes.get_position().height > 0.4 for axes in figure.axes)
