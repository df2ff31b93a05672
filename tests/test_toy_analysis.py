"""The proof that analyses are declared: one that is declared in the tests alone is written, read, checked, merged and shown."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from stores import write_store
from toy_analysis import BASELINE, STAGES, STRENGTH, TOY, write_toy

import sing_compute
from sing_compute.errors import StoreError
from sing_compute.process.progress import Progress
from sing_compute.questions.merging import merge
from sing_compute.store import Comparison, Place, Store, catalogue, open_table
from sing_compute.store.definition import Column
from sing_compute.store.verify import verify


@pytest.fixture(autouse=True)
def declared() -> Iterator[None]:
    with catalogue.registered(TOY):
        yield


@pytest.fixture(params=["alone", "with SING"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    if request.param == "alone":
        return write_toy(tmp_path / "toy.h5")
    return write_toy(tmp_path / "both.h5", onto=write_store(tmp_path / "sing.h5"))


def test_both_tables_hold_what_was_written(path: Path) -> None:
    with Store(path) as store:
        assert [spec.name for spec in catalogue.tables(store)][-2:] == ["stages", "units"]
        stages = open_table(store, Place("stages"))
        assert stages.column("stage").values.all().tolist() == list(STAGES)
        assert stages.column("strength").values.all().tolist() == [np.mean(STRENGTH[stage]) for stage in STAGES]
        for stage in STAGES:
            units = open_table(store, Place("units").at(stage=stage))
            assert units.column("unit").values.all().tolist() == list(STAGES[stage])
            assert units.column("strength").values.all().tolist() == list(STRENGTH[stage])
            share = np.array(STRENGTH[stage]) / np.array(BASELINE[stage])
            assert units.column("over_baseline").values.all().tolist() == share.tolist()
            assert units.column("strength").interval == ("strength_low", "strength_high")
            assert units.column("strength_high").values.all().tolist() == [2 * value for value in STRENGTH[stage]]
            assert units.column("note").values.all()[1] == f"looks for {STAGES[stage][1]}"


def test_a_file_of_the_toy_passes_verify_and_one_without_its_must_does_not(path: Path) -> None:
    with Store(path) as store:
        assert verify(store).problems == []
        assert verify(store).unknown == []
    with h5py.File(path, "r+") as file:
        del file["stages/block 2/units/baseline"]
        file["stages/block 1/summary/depth"].attrs["unit"] = np.bytes_("1")
    with Store(path) as store:
        problems = verify(store).problems
    assert "stages/block 2/units/baseline: missing" in problems
    assert "stages/block 1/summary/depth: attribute unit is '1'" in problems


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("units/baseline", 0.0, "stages/block 2/units/baseline: not above 0: 2 of 2 values, such as 0"),
        ("units/strength", 0.5, "stages/block 2/summary/strength: not that of units/strength: 1.125, computed 0.5"),
        ("summary/strength", 1.2, "stages/block 2/summary/strength: not that of units/strength: 1.2, computed 1.125"),
    ],
)
def test_verify_finds_false_numbers_by_the_toys_declaration(path: Path, name: str, value: float, problem: str) -> None:
    with h5py.File(path, "r+") as file:
        file[f"stages/block 2/{name}"][...] = value
    with Store(path) as store:
        assert verify(store).problems == [problem]


def test_stages_are_compared_figure_by_figure(path: Path) -> None:
    both = Comparison("stage", tuple(STAGES), "")
    with Store(path) as store:
        table = open_table(store, Place("stages", comparison=both))
    assert table.column("figure").values.all().tolist() == ["depth", "strength"]
    assert table.column("value.block_2.difference").values.all()[0] == 1


def test_units_of_stages_with_different_units_are_not_compared_row_by_row(path: Path) -> None:
    place = Place("units").at(stage="block 1")
    with Store(path) as store, pytest.raises(StoreError, match="have other rows"):
        open_table(store, replace(place, comparison=Comparison("stage", tuple(STAGES), "strength")))


def test_dataframes_hold_the_toys_tables(path: Path) -> None:
    with sing_compute.load(path) as results:
        assert results.table("stages").loc["block 2", "depth"] == 1
        assert results.table("units", stage="block 2").loc["wheels", "strength"] == 0.75
        assert results.table("units").index.tolist() == list(STAGES["block 1"])
        with pytest.raises(StoreError, match="no stage 'block 9'"):
            results.table("units", stage="block 9")


def test_a_program_that_does_not_know_the_toy_keeps_and_names_it(tmp_path: Path) -> None:
    path = write_toy(tmp_path / "both.h5", onto=write_store(tmp_path / "sing.h5"))
    catalogue.unregister("toy")
    try:
        with Store(path) as store:
            assert verify(store)[::2] == ([], ["stages"])
        merge([path, write_store(tmp_path / "other.h5", models=("gamma",))], tmp_path / "merged.h5", Progress())
    finally:
        catalogue.register(TOY)
    with Store(tmp_path / "merged.h5") as store:
        assert store.members("stage") == list(STAGES)
        assert verify(store).problems == []


def test_a_derived_number_must_say_its_unit() -> None:
    column = Column(
        "twice", "twice", "figure", derived=lambda cells: 2 * cells, needs=("stages/{stage}/summary/depth",)
    )
    tables = tuple(replace(spec, columns=(*spec.columns, column)) for spec in TOY.tables)
    catalogue.unregister("toy")
    try:
        with pytest.raises(ValueError, match="column twice: its numbers are derived, so it must say their unit"):
            catalogue.register(replace(TOY, tables=tables))
    finally:
        catalogue.register(TOY)


def test_the_page_on_adding_an_analysis_quotes_the_toy_as_it_is() -> None:
    here = Path(__file__).parent
    code = (here / "toy_analysis.py").read_text(encoding="utf-8")
    page = (here.parent / "docs" / "adding_an_analysis.md").read_text(encoding="utf-8")
    quoted = [part.partition("```")[0] for part in page.split("```python\n")[1:]]
    assert len(quoted) >= 4
    assert all(part.strip("\n") in code for part in quoted)


def test_the_pages_on_the_code_name_files_that_exist() -> None:
    project = Path(__file__).parents[1]
    names = {
        path.name for room in ("sing_compute", "sing_tui", "tests", "docs") for path in (project / room).rglob("*.py")
    }
    for page in ("adding_an_analysis.md", "ARCHITECTURE.md"):
        named = set(re.findall(r"`(?:[\w/]+/)?(\w+\.py)`", (project / "docs" / page).read_text(encoding="utf-8")))
        assert named - names <= {"NAME.py", "my_analysis.py", "comp.py"}, page
