"""An analysis from outside: one chart is registered; all else that people read of its tables follows from its declaration."""

from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest
from stores import write_store

from sing_compute.charts.registry import Chart, Subject, chart, register_chart, titles, unregister_charts
from sing_compute.charts.shapes import Bars
from sing_compute.errors import SingError
from sing_compute.formats import ASCII, UNICODE
from sing_compute.store import Place, Store, catalogue, open_table
from sing_compute.store.constants import FORMAT, SCHEMA_VERSION
from sing_compute.store.definition import Analysis, Axis, Column, Explanation, Interval, TableSpec, fields
from sing_compute.store.place import Comparison
from sing_compute.store.write import Writer
from sing_tui.details import Detail, Row, detail_of, register_details, unregister_details
from sing_tui.finder import Finder
from sing_tui.view import Arrangement, View, arrange
from sing_tui.widgets.column_widths import lay_out
from sing_tui.widgets.columns import CellText
from sing_tui.words import column_texts, words_text

STAGES, UNITS = ("stem", "body", "neck"), ("edge", "corner", "blob", "red")
ACTIVATION = np.array([[0.5, 2e-5, -3.0, 0.25], [1.0, 0.0, 2.0, np.nan], [4.0, 5.0, 6.0, 7.0]], np.float32)
TOY = Analysis(
    "toy",
    1,
    "Toy",
    "file",
    fields("""
[toy]
stage | text | stage | text | MUST | name of each stage
width | int32 | stage | count | MUST | units of each stage
voltage | float64 | stage | volt | MUST | voltage of each stage
unit | text | unit | text | MUST | name of each unit
note | text | unit | text | MAY | a note about each unit
activation | float32 | stage unit | 1 | MUST | mean activation
activation_half | float32 | stage unit | 1 | MUST | half of its 95 % interval
"""),
    (
        Axis("stage", "stages", field="toy/stage", labels="toy/stage"),
        Axis("unit", "units", field="toy/unit", labels="toy/unit", kinds="toy/note"),
    ),
    (
        TableSpec(
            "stages",
            "stage",
            (),
            "stage",
            (
                Column("stage", "stage", "text", role="label"),
                Column("width", "width", "count", "toy/width", role="count"),
                Column("voltage", "voltage", "any size", "toy/voltage"),
            ),
            opens=("units",),
            naming=("stage",),
        ),
        TableSpec(
            "units",
            "unit",
            ("stage",),
            "unit",
            (
                Column("unit", "unit", "text", role="label"),
                Column("note", "note", "text", "toy/note", role="text"),
                Column(
                    "activation",
                    "activation",
                    "any size",
                    "toy/activation",
                    Explanation(
                        "mean over inputs", "How active the unit is.", "Not its importance.", "the toy's paper"
                    ),
                    intervals=(Interval(half="toy/activation_half"),),
                ),
            ),
            measure="activation",
            naming=("unit",),
            charts=("profile",),
        ),
    ),
)


def profile(subject: Subject) -> Chart:
    stage = subject.index("stage")
    assert stage is not None
    table = open_table(subject.store, Place.of("units", stage=stage))
    values = table.column("activation").values.all()
    reading = f"{subject.store.label('stage', stage)}, unit {subject.index('unit')}."
    return Chart("Activations", reading, Bars(UNITS, tuple(map(float, values)), "any size"), table)


@pytest.fixture(params=["alone", "with SING"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    path = tmp_path / "results.h5"
    if request.param == "with SING":
        write_store(path)
    with catalogue.registered(TOY):
        with h5py.File(path, "a") as file:
            file.attrs["format"], file.attrs["schema_version"] = np.bytes_(FORMAT), SCHEMA_VERSION
            writer = Writer(file)
            writer.put("toy/stage", STAGES)
            writer.put("toy/width", [4, 4, 1_281_167])
            writer.put("toy/voltage", [0.5, 3.2e-5, 12.0])
            writer.put("toy/unit", UNITS)
            writer.put("toy/note", ["thin", "sharp", "round", "warm"])
            writer.put("toy/activation", ACTIVATION)
            writer.put("toy/activation_half", np.full_like(ACTIVATION, 0.125))
        register_chart("toy", "profile", "activation of every unit", profile)
        try:
            with Store(path) as opened:
                yield opened
        finally:
            unregister_charts("toy")
            unregister_details("units")


def view_of(store: Store, place: Place) -> View:
    return arrange(open_table(store, place), Arrangement())


UNITS_OF_STEM = Place.of("units", stage=0)


def test_cells_are_painted_by_the_declared_format(store: Store) -> None:
    view = view_of(store, Place("stages"))
    layouts = lay_out(view, UNICODE, 100)
    text = CellText(view, layouts, UNICODE)
    painted = [[text.cell(k, line).strip() for k in range(len(layouts))] for line in range(len(view))]
    assert painted == [["stem", "4", "0.500"], ["body", "4", "3.20e-05"], ["neck", "1,281,167", "12.0"]]
    assert layouts[2].title == ("voltage", "volt")
    view = view_of(store, UNITS_OF_STEM)
    layouts = lay_out(view, ASCII, 100)
    assert CellText(view, layouts, ASCII).cell(2, 0).split() == ["0.500", "[", "0.375", "0.625]"]


def test_details_are_the_columns_of_the_row_with_unit_and_interval(store: Store) -> None:
    stage = detail_of(store, Place("stages"), view_of(store, Place("stages")), 1)
    assert stage.title == "body"
    assert stage.facts == (("width", "4"), ("voltage", "3.20e-05 volt"))
    assert stage.shape is None
    unit = detail_of(store, UNITS_OF_STEM, view_of(store, UNITS_OF_STEM), 2)
    assert unit.title == "blob"
    assert unit.facts == (("note", "round"), ("activation", "-3.00 [-3.12 to -2.88]"))
    assert unit.reading == "stem, unit 2."
    assert isinstance(unit.shape, Bars)


def test_a_row_along_another_axis_and_a_comparison_have_details(store: Store) -> None:
    along = Place.of("units", along="stage", unit=1)
    detail = detail_of(store, along, view_of(store, along), 2)
    assert detail.title == "neck"
    assert ("activation", "5.00 [4.88 to 5.12]") in detail.facts
    assert detail.reading == "neck, unit 1."
    compared = Place("units", UNITS_OF_STEM.keys, comparison=Comparison("stage", (0, 2), "activation"))
    detail = detail_of(store, compared, view_of(store, compared), 0)
    assert detail.reading == "Largest in neck (4.00), smallest in stem (0.500); the others against stem."
    assert isinstance(detail.shape, Bars)
    assert detail.shape.values == (0.5, 4.0)
    assert dict(detail.facts)["diff activation neck"] == "+3.50"


def test_an_analysis_may_have_details_of_its_own(store: Store) -> None:
    def details(row: Row) -> Detail:
        return Detail(f"unit {row.key}", tuple(row.facts(["note", "no such column"])))

    register_details("units", details)
    detail = detail_of(store, UNITS_OF_STEM, view_of(store, UNITS_OF_STEM), 3)
    assert (detail.title, detail.facts) == ("unit 3", (("note", "warm"),))


def test_its_chart_has_a_key_and_is_made_for_the_row(store: Store) -> None:
    assert titles(catalogue.table("units")) == [("1", "profile", "activation of every unit")]
    assert titles(catalogue.table("stages")) == []
    found = chart(store, Place.of("units", stage=1), "profile", identity=3)
    assert found.reading == "body, unit 3."
    assert found.table.length == len(UNITS)
    with pytest.raises(SingError, match="no chart 'profile'; there are: none"):
        chart(store, Place("stages"), "profile", identity=0)
    with pytest.raises(SingError, match="no chart 'scatter'; there are: profile"):
        chart(store, UNITS_OF_STEM, "scatter", identity=0)
    with pytest.raises(SingError, match="no row 4 among its units"):
        chart(store, UNITS_OF_STEM, "profile", identity=4)


def test_words_come_from_the_declaration(store: Store) -> None:
    rows = column_texts(view_of(store, UNITS_OF_STEM), 0)
    assert [row.column.name for row in rows] == ["unit", "note", "activation"]
    assert rows[2].value == "0.5, 95% interval over images 0.375 to 0.625"
    assert rows[2].explanation.caution == "Not its importance."
    assert rows[1].explanation == Explanation(meaning="a note about each unit")
    stage = column_texts(view_of(store, Place("stages")), 0)
    assert stage[2].value == "0.5 volt"
    text = words_text("edge", rows, ASCII).plain
    assert "Defined: the toy's paper" in text


def test_its_items_are_found_and_lead_to_their_tables(store: Store) -> None:
    finder = Finder(store)
    assert {("stage", "stages"), ("unit", "units")} <= set(finder.axes)
    [body] = finder.find("body").hits
    assert (body.axis, body.identity, body.extra) == ("stage", 1, "1")
    assert (body.place, body.select) == (Place.of("units", stage=1), None)
    [corner] = finder.find("corner", place=Place.of("units", stage=2)).hits
    assert (corner.axis, corner.identity, corner.extra) == ("unit", 1, "1 sharp")
    assert (corner.place, corner.select) == (Place.of("units", along="stage", unit=1), None)
    assert finder.find("unit").counts["unit"] == len(UNITS)
    assert open_table(store, corner.place).length == len(STAGES)
