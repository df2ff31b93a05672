"""The steering matrix from the file that `sing-compute steer --matrix` writes, and from a results file."""

import io
from pathlib import Path

import numpy as np
import pytest
from drawn_figures import drawn, faults, texts_of
from steering_figures import PLANTED
from stores import write_store

from sing_compute.errors import SingError
from sing_compute.figures.choosing import Choice
from sing_compute.figures.contents import Absent, figures
from sing_compute.figures.figure import PaperFigure
from sing_compute.figures.matrix import Matrix
from sing_compute.figures.steering import steering
from sing_compute.questions.answer_tables import write_matrix
from sing_compute.questions.steering import SteeringMatrix
from sing_compute.store import Store
from sing_compute.table_text import WholeTable, write_rows

MEAN = np.array([[0.5, 12.25, -3.0, 4.0], [20.125, 1.0, np.nan, 2.0], [7.0, 8.0, 9.0, 6.0], [np.nan] * 4])
"""Of cat, dog, owl; empty has no images."""


@pytest.fixture
def csv_path(tmp_path: Path) -> Path:
    found = SteeringMatrix(
        mean=MEAN, std=np.ones((4, 4)), images=np.array([30, 12, 1, 0]), unreachable=np.zeros((4, 4), int)
    )
    write_matrix(tmp_path / "steering.csv", found, ["cat", "dog", "owl", "empty"])
    return tmp_path / "steering.csv"


def test_cells_are_the_numbers_of_the_file(whole: Store, csv_path: Path) -> None:
    (made,) = figures(whole, Choice(steering=csv_path), ["steering"])
    assert isinstance(made, PaperFigure)
    assert isinstance(made.shape, Matrix)
    assert made.shape.rows == made.shape.columns == ("cat", "dog", "owl")
    figure = drawn(made.shape)
    assert faults(figure) == []
    (cells,) = [part for part in figure.axes[0].collections if part.get_array() is not None]
    assert np.ma.filled(cells.get_array(), np.nan).reshape(3, 3) == pytest.approx(MEAN[:3, :3], nan_ok=True)
    texts = [text.get_text() for text in texts_of(figure)]
    assert {"+12.25", "−3.00", "–", "AS, degrees"} <= set(texts)
    assert "Largest: dog toward cat, +20.12 degrees. Drawn are 3 of 3 classes." in made.reading
    target = io.StringIO(newline="")
    write_rows(WholeTable(made.table), target)
    assert target.getvalue() == csv_path.read_text()


def test_chosen_classes_are_drawn_in_their_order(whole: Store, csv_path: Path) -> None:
    made = steering(whole, Choice(classes=("owl", "cat", "empty")), csv_path)
    assert isinstance(made.shape, Matrix)
    assert made.shape.rows == ("owl", "cat")
    assert made.shape.values.tolist() == [[9, 7], [-3, 0.5]]


def test_twenty_classes_fit_with_and_without_numbers() -> None:
    names = tuple(f"a class with a long name {k}" for k in range(20))
    shape = Matrix(names, names, np.linspace(-5, 40, 400).reshape(20, 20), "AS", "steered from", "toward")
    figure = drawn(shape)
    assert faults(figure) == []
    assert not figure.axes[0].texts
    small = Matrix(names[:6], names[:6], shape.values[:6, :6], "AS", "steered from", "toward")
    assert faults(drawn(small)) == []
    assert len(drawn(small).axes[0].texts) == 36


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("from,to", "to,from"), "its columns are not those of a steering matrix"),
        (("cat,dog", "cat,unicorn"), "this is no steering matrix of all classes of this file"),
        (("12.25", "much"), "a cell is no number"),
        (("cat,cat", "cat,cat,1"), "its columns are not those"),
    ],
)
def test_another_file_is_refused_in_one_line(change: tuple[str, str], said: str, whole: Store, csv_path: Path) -> None:
    csv_path.write_text(csv_path.read_text().replace(*change, 1))
    with pytest.raises(SingError, match=said):
        steering(whole, Choice(), csv_path)
    with pytest.raises(SingError, match=said):
        list(figures(whole, Choice(steering=csv_path), ["steering"]))
    with pytest.raises(SingError, match=r"cannot read .*nothing.csv: No such file"):
        steering(whole, Choice(), csv_path.with_name("nothing.csv"))


def test_the_steering_that_a_results_file_holds_is_drawn_with_the_numbers_of_the_csv(
    whole: Store, found: dict[str, PaperFigure], tmp_path: Path
) -> None:
    write_matrix(tmp_path / "steering.csv", PLANTED, ["cat", "dog", "owl", "empty"])
    wanted = steering(whole, Choice(), tmp_path / "steering.csv")
    made = found["steering-alpha"]
    assert made.title == "Steering of each class toward each class: alpha"
    assert "by a step of 40 degrees of IS inside the null space" in made.reading
    assert isinstance(made.shape, Matrix)
    assert isinstance(wanted.shape, Matrix)
    assert made.shape.rows == wanted.shape.rows == ("cat", "dog", "owl")
    np.testing.assert_array_equal(made.shape.values, wanted.shape.values)
    tables = [io.StringIO(newline="") for _ in range(2)]
    for table, target in zip((made.table, wanted.table), tables, strict=True):
        write_rows(WholeTable(table), target)
    assert tables[0].getvalue() == tables[1].getvalue()  # the planted numbers have few digits


def test_a_file_without_steering_says_how_it_is_added(tmp_path: Path) -> None:
    with Store(write_store(tmp_path / "bare.h5")) as store:
        (absent,) = figures(store, Choice(), ["steering"])
        (named,) = figures(store, Choice(models=("alpha",)), ["steering"])
    assert isinstance(absent, Absent)
    assert isinstance(named, Absent)
    assert named.reason.startswith("the file holds no steering of alpha (sing-compute steer FILE --keep adds it; ")
    assert absent.reason == "the file holds no steering (sing-compute steer FILE --keep)"
