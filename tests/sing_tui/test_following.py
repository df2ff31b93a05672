"""Another file in the place of the open one: place, cursor and marks stay with their items, wherever these are now."""

import csv
import os
import shutil
from dataclasses import replace
from pathlib import Path

import h5py
import pytest
from catalogs import at, place, sing
from driving import drawn, lines, place_line, press, screen_text, status, until, wish
from stores import write_store

from sing_compute.store.place import Comparison
from sing_tui.app import Explorer
from sing_tui.session.counted import counted
from sing_tui.session.following import follow_file
from sing_tui.session.state import Arrangement, Before, Session, Visit
from sing_tui.start import Start

IMAGES = place("images", model="alpha", class_=1)


def named(**names: tuple[str, ...]):
    """The file of three classifiers with other names, or the same in another order."""
    known = sing()
    return replace(known, names={**known.names, **names})


GROWN = named(concept=("new", *(f"concept {k}" for k in range(24))))
TURNED = named(**{"class": ("owl", "dog", "cat", "empty"), "model": ("gamma", "beta", "alpha")})


def marked(session: Session, *rows: int) -> Session:
    return session.now(replace(session.here, marks=rows))


def test_marks_and_cursor_stay_on_their_concepts_where_the_vocabulary_grew() -> None:
    concepts = place("concepts", model="beta", class_=1)
    session, said = follow_file(marked(at(sing(), concepts, 5), 2, 23), sing(), GROWN)
    assert (session.place, session.here.identity, session.here.marks, said) == (concepts, 6, (3, 24), "")


def test_places_on_the_whole_way_are_about_the_same_items() -> None:
    concepts = place("concepts", model="alpha", class_=0)
    before = at(sing(), concepts, 3)
    session, said = follow_file(before, sing(), TURNED)
    assert [visit.place for visit in session.visits] == [
        place("models"),
        place("classes", model="alpha"),
        place("concepts", model="alpha", class_=2),
    ]
    assert [visit.identity for visit in session.visits] == [2, 2, 3]
    assert said == ""


def test_a_table_of_what_is_gone_is_closed_with_those_above_it() -> None:
    session, said = follow_file(at(sing(), IMAGES, 3), sing(), named(**{"class": ("cat", "owl", "empty", "bat")}))
    assert session.place == place("classes", model="alpha")
    assert session.here.identity is None
    assert said == "the file changed: it holds no class dog any more"
    session, said = follow_file(at(sing(), IMAGES, 3), sing(), named(model=("beta", "gamma")))
    assert session.place == place("models")
    assert said == "the file changed: it holds no model alpha any more"


def test_marks_of_what_is_gone_or_no_longer_sure_are_cleared_and_counted() -> None:
    names = ("concept 4", *(f"concept {k}" for k in range(5, 24)), "twin", "twin", "concept 0", "concept 1")
    session = marked(at(sing(), place("concepts", model="alpha", class_=1), 4), 0, 1, 2, 7)
    followed, said = follow_file(session, sing(), named(concept=names))
    assert (followed.here.identity, followed.here.marks) == (0, (22, 23, 3))
    assert said == "the file changed: 1 marked row is gone"
    twins = named(concept=("twin", "twin", *(f"concept {k}" for k in range(2, 24))))
    followed, said = follow_file(marked(session, 0, 1), twins, named(concept=("x", "twin", "twin")))
    assert (followed.here.marks, said) == ((1,), "the file changed: 1 marked row is gone")


def test_compared_items_and_undone_changes_follow_too() -> None:
    two = replace(place("concepts", model="alpha", class_=0), comparison=Comparison("class", (0, 2, 1), "z"))
    change = Before("concepts", Arrangement("z > 2"), (), 4, 2)
    session = Session((Visit(place("models")), Visit(two, identity=3, past=(change,))))
    followed, _ = follow_file(session, sing(), TURNED)
    assert followed.place.comparison == Comparison("class", (2, 0, 1), "z")
    assert followed.here.past == (replace(change, identity=None, line=0),)
    followed, _ = follow_file(session, sing(), named(**{"class": ("cat", "bat", "ox", "empty")}))
    assert followed.place.comparison is None


def test_counts_follow_by_the_rows_that_they_are_of() -> None:
    counts = counted(place("images", model="alpha", class_=0), "", ("prediction",))
    session = Session((Visit(place("models")), Visit(counts, identity=1, marks=(1,))))
    followed, _ = follow_file(session, sing(), TURNED)
    assert followed.place == replace(counts, base=place("images", model="alpha", class_=2))
    assert followed.here.marks == (1,)


async def test_marked_images_are_those_that_are_exported_from_a_file_in_another_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_store(tmp_path / "live.h5")
    monkeypatch.chdir(tmp_path)
    app = Explorer(path, Start(wish("images", model="alpha", class_="dog"), sort="-"))
    async with app.run_test(size=(120, 24)) as pilot:
        await drawn(app)
        await press(pilot, "down", "space", "down", "space", "down")
        assert app.page.session.here.marks == (31, 33)
        assert app.page.identity == 35
        newer = shutil.copy(path, tmp_path / "newer.h5")
        with h5py.File(newer, "r+") as file:
            file["images/key"][30:42] = file["images/key"][30:42][::-1]
        os.replace(newer, path)
        app.look()
        await until(lambda: app.page.session.here.marks == (40, 38), app)
        await drawn(app)
        assert status(app).startswith("7 of 12")
        assert app.page.identity == 36
        assert {line[1:14] for line in lines(app) if line.startswith("•")} == {"dog/00031.png", "dog/00033.png"}
        await press(pilot, "e", "enter")
        await until(lambda: list(tmp_path.glob("*.csv")), app)
        await until(lambda: "2 rows" in screen_text(app), app)
    with next(tmp_path.glob("*.csv")).open(encoding="utf-8") as stream:
        assert [row["image"] for row in csv.DictReader(stream)] == ["dog/00033.png", "dog/00031.png"]


async def test_a_chart_of_a_model_that_is_gone_gives_way_to_the_models_with_the_reason(tmp_path: Path) -> None:
    path = write_store(tmp_path / "live.h5")
    app = Explorer(path, Start(wish("concepts", model="beta", class_="dog"), chart="strings"))
    async with app.run_test(size=(80, 24)) as pilot:
        await drawn(app)
        write_store(path, models=("alpha", "gamma"))
        app.look()
        await until(lambda: "the file changed: it holds no model beta any more" in status(app), app)
        assert "live.h5 › models" in place_line(app)
        await press(pilot, "enter")
        await until(lambda: "classes" in place_line(app), app)
