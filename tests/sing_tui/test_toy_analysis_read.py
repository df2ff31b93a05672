"""The analysis that the tests declare, read: a table below each item of a group, a chart, words, details, the finder."""

from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest
from stores import write_store
from toy_analysis import STAGES, STRENGTH, TOY, write_toy

from sing_compute.charts.registry import Chart, Subject, chart, register_chart, titles, unregister_charts
from sing_compute.charts.shapes import Bars
from sing_compute.errors import SingError
from sing_compute.store import Place, Store, catalogue, open_table
from sing_compute.store.definition import Analysis, Distribution, TableSpec
from sing_tui.details import detail_of
from sing_tui.finder import Finder
from sing_tui.store_catalog import StoreCatalog
from sing_tui.view import Arrangement, arrange
from sing_tui.words import column_texts


def strengths(subject: Subject) -> Chart:
    stage = subject.item("stage")
    if stage is None:
        raise SingError("the chart of strengths is about one stage")
    table = open_table(subject.store, Place("units").at(stage=stage))
    values = tuple(table.column("strength").values.all().tolist())
    return Chart(
        f"Strengths: {stage}", f"Unit {subject.index('unit')}.", Bars(STAGES[str(stage)], values, "any size"), table
    )


@pytest.fixture(params=["alone", "with SING"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    with catalogue.registered(TOY):
        onto = write_store(tmp_path / "sing.h5") if request.param == "with SING" else None
        register_chart("toy", "strengths", "strength of every unit", strengths)
        try:
            with Store(write_toy(tmp_path / "toy.h5", onto=onto)) as opened:
                yield opened
        finally:
            unregister_charts("toy")


@pytest.mark.parametrize("stage", STAGES)
def test_details_and_words_of_a_unit(store: Store, stage: str) -> None:
    place = Place("units").at(stage=stage)
    view = arrange(open_table(store, place), Arrangement())
    detail = detail_of(store, place, view, 1)
    assert detail.title == STAGES[stage][1]
    strength = {"block 1": "3.20e-05 [1.60e-05 to 6.40e-05]", "block 2": "0.750 [0.375 to 1.50]"}[stage]
    share = {"block 1": "0.0%", "block 2": "150.0%"}[stage]
    assert detail.facts == (("strength", strength), ("over baseline", share), ("note", f"looks for {STAGES[stage][1]}"))
    assert isinstance(detail.shape, Bars)
    assert detail.shape.values == STRENGTH[stage]
    words = {row.column.name: row for row in column_texts(view, 1)}
    assert words["strength"].explanation.meaning == "Above the baseline: more than chance."
    assert words["over_baseline"].explanation.meaning == "strength over that of a random unit"
    assert words["strength"].value.endswith(f"to {2 * STRENGTH[stage][1]:.6g}")


def test_the_chart_is_of_the_stage_under_the_cursor_or_of_the_place(store: Store) -> None:
    assert (
        titles(catalogue.table("stages"))
        == titles(catalogue.table("units"))
        == [("1", "strengths", "strength of every unit")]
    )
    for position, stage in enumerate(STAGES):
        for identity in (position, stage):
            assert chart(store, Place("stages"), "strengths", identity=identity).title == f"Strengths: {stage}"
        assert chart(store, Place("units").at(stage=stage), "strengths", identity=1).reading == "Unit 1."
    with pytest.raises(SingError, match="about one stage"):
        chart(store, Place("stages"), "strengths", identity=None)
    with pytest.raises(SingError, match="no row block 9 among its stages"):
        chart(store, Place("stages"), "strengths", identity="block 9")
    with pytest.raises(SingError, match="no row 2 among its units"):
        chart(store, Place("units").at(stage="block 2"), "strengths", identity=2)


def test_stages_have_the_distribution_of_their_units_over_all_of_them(store: Store) -> None:
    column = StoreCatalog(store).open(Place("stages")).column("strength_distribution")
    low, high = map(float, column.title.removeprefix("strength ").split(" to "))
    assert low == 0
    assert max(map(max, STRENGTH.values())) <= high
    for cell, values in zip(column.values.all(), STRENGTH.values(), strict=True):
        expected, _ = np.histogram(np.minimum(values, high), np.linspace(low, high, 13).round(9))
        assert cell == f"{'|'.join(map(str, expected))} in {low:g} to {high:g}"
    assert "strength of the units" in column.spec.explanation.formula


def test_a_distribution_of_what_no_row_has_is_refused() -> None:
    lost = Distribution("lost", "lost", "stages/{stage}/units/strength", "strength")
    table = TableSpec("notes", "bound", (), "bound", (), distributions=(lost,))
    with catalogue.registered(TOY), pytest.raises(ValueError, match="lost: no bound has values of stages"):
        catalogue.register(Analysis("notes", 1, "notes", "file", tables=(table,)))
    with pytest.raises(ValueError, match=r"lost refers to .*, which no analysis"):
        catalogue.register(Analysis("notes", 1, "notes", "file", tables=(table,)))


def test_units_of_every_stage_are_found_those_of_the_users_first(store: Store) -> None:
    finder = Finder(store)
    assert {("unit", "units"), ("stage", "stages")} <= set(finder.axes)
    for stage, units in STAGES.items():
        for position, unit in enumerate(units):
            [hit] = finder.find(unit).hits
            assert (hit.axis, hit.identity, hit.text, hit.extra) == ("unit", position, unit, f"{position} {stage}")
            assert (hit.place, hit.select) == (Place("units").at(stage=stage), position)
    found = finder.find("unit", place=Place("units").at(stage="block 2"))
    assert found.counts["unit"] == sum(map(len, STAGES.values()))
    first = [
        hit.place.name("stage") for hit in finder.find("unit 0", place=Place("units").at(stage="block 2")).hits[:2]
    ]
    assert first == ["block 2", "block 1"]
    [stage] = finder.find("stage block 2").hits[:1]
    assert (stage.identity, stage.place, stage.select) == ("block 2", Place("units").at(stage="block 2"), None)


def test_a_stage_without_units_is_no_obstacle(store: Store, tmp_path: Path) -> None:
    path = store.path
    store.close()
    with h5py.File(path, "r+") as file:
        del file["stages/block 1/units"]
    with Store(path) as again:
        assert [hit.text for hit in Finder(again).find("wheels").hits] == ["wheels"]
        assert Finder(again).find("edges").hits == []
