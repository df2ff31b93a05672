"""Rows of pictures: the figure shows the stored JPEG files in their order, and says what can be believed."""

from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from sing_compute.errors import SingError
from sing_compute.figures.choosing import Choice
from sing_compute.figures.contents import Absent, figures
from sing_compute.figures.drawing import draw
from sing_compute.figures.figure import PaperFigure
from sing_compute.figures.output import svg_text
from sing_compute.figures.picture_rows import PictureRows, decoded
from sing_compute.figures.style import WIDTHS, settings
from sing_compute.store import Store
from sing_compute.store.pictures import PicturePair, read_pair


@pytest.mark.parametrize(("width", "across"), [("column", 2), ("page", 4)])
def test_each_row_shows_both_sides_of_a_seed_side_by_side(
    whole: Store, found: dict[str, PaperFigure], width: str, across: int
) -> None:
    shape = found["pictures-alpha"].shape
    assert isinstance(shape, PictureRows)
    with settings():
        figure = draw(shape, WIDTHS[width])
    shown = [axes.images[0].get_array() for axes in figure.axes if axes.images]
    wanted = []
    for pair in (read_pair(whole, "alpha", number) for number in (0, 2, 1, 3)):  # T(f~) first
        sides = [side for both in zip(pair.before, pair.after, strict=True) for side in both]
        wanted += [decoded(picture.jpeg) for picture in sides[:across]]
    assert len(shown) == len(wanted) == 4 * across
    assert all(np.array_equal(one, other) for one, other in zip(shown, wanted, strict=True))
    said = [text.get_text() for axes in figure.axes for text in axes.texts]
    assert ["beyond noise" in text for text in said] == [True, True, False, False]
    assert ["within noise" in text for text in said] == [False, False, True, True]
    titles = [axes.get_title() for axes in figure.axes if axes.get_title()]
    assert titles == ["T(f)", "other embedding"] * (across // 2)
    with settings():
        first = draw(PictureRows(shape.labels[:2], shape.rows[:2]), WIDTHS[width])
    assert [axes.get_title() for axes in first.axes if axes.get_title()] == ["T(f)", "T(f~)"] * (across // 2)
    assert found["pictures-alpha"].reading.startswith("Of 2 pairs of T(f) and T(f~), 2 are beyond noise")


def test_the_same_pictures_give_the_same_bytes_and_refer_to_nothing_outside(found: dict[str, PaperFigure]) -> None:
    made = found["pictures-alpha"]
    assert made.shape is not None
    one, other = (svg_text(made.shape, name="p", title=made.title, description=made.reading) for _ in range(2))
    assert one == other
    with settings():
        places = [axes.get_position(original=True).bounds for axes in draw(made.shape, WIDTHS["page"]).axes]
    assert np.abs(np.array(places) - np.round(places, 6)).max() < 1e-12  # no last digits of a solver
    assert one.count("data:image/png;base64,") == 16
    assert "http" not in one.replace("http://www.w3.org/", "")


def test_a_damaged_picture_is_left_out_with_a_line(whole_path: Path, tmp_path: Path) -> None:
    path = tmp_path / "damaged.h5"
    path.write_bytes(whole_path.read_bytes())
    with h5py.File(path, "r+") as file:
        file["models/alpha/renders/pictures/jpeg"][:40] = 0
    with Store(path) as store:
        made = list(figures(store, Choice(), ["pictures"]))
    assert [type(each) for each in made] == [Absent]
    assert "cannot be decoded" in made[0].reason


def test_pairs_without_pictures_are_left_out(whole: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def read(store: Store, model: str, pair: int) -> PicturePair:
        found = read_pair(store, model, pair)
        return found if pair == 0 else replace(found, after=())  # without a decoder only T(f~) has real images

    monkeypatch.setattr("sing_compute.figures.picture_figure.read_pair", read)
    (made,) = figures(whole, Choice(), ["pictures"])
    assert isinstance(made, PaperFigure)
    assert isinstance(made.shape, PictureRows)
    assert len(made.shape.rows) == 1


def test_what_is_no_jpeg_or_too_large_is_refused(tmp_path: Path) -> None:
    from PIL import Image

    Image.new("RGB", (600, 4)).save(tmp_path / "wide.jpg")
    Image.new("RGB", (4, 4)).save(tmp_path / "other.png")
    for name in ("wide.jpg", "other.png"):
        with pytest.raises(SingError):
            decoded((tmp_path / name).read_bytes())
