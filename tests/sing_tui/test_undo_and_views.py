"""Undo of filter, sort and columns; misclassified images and their pairs; views kept under a name."""

import csv
import io
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from catalogs import at, place, sing
from click.testing import CliRunner
from driving import AT, arrangement_of, drawn, lines, place_line, press, screen_text, status, until, wish
from stores import write_store

from sing_compute.errors import SingError
from sing_compute.store import Store, image_table
from sing_tui.app import Explorer
from sing_tui.cli import main
from sing_tui.named_views import find_view, keep_view, read_views, remove_view, views_path
from sing_tui.session import Refused, Session
from sing_tui.session.arranging import (
    arrangement,
    choose_columns,
    filter_by,
    give_up_typing,
    sort_by,
    start_typing,
    stop_typing,
)
from sing_tui.session.misclassified import misclassified
from sing_tui.session.moves import next_subset, open_row
from sing_tui.session.state import at_cursor, columns_at
from sing_tui.session.undoing import remembering, undo
from sing_tui.start import Start

IMAGES = place("images", model="alpha")


def changed(session: Session, *steps: object) -> Session:
    """Take steps of the session as the screen does."""
    for step in steps:
        session = remembering(session, step(session), sing())
    return session


def test_filter_sort_and_columns_are_undone_one_after_another_with_the_cursor_of_before() -> None:
    first = at_cursor(at(sing(), IMAGES, 7), identity=7, line=3)
    by_class = changed(first, lambda s: sort_by(s, sing(), "class", is_text=True))
    few = changed(by_class, lambda s: choose_columns(s, ("image", "class"), ("image", "class", "confidence")))
    filtered = changed(few, lambda s: filter_by(s, sing(), "is > 3"))
    steps = [undo(filtered)]
    for _ in range(2):
        steps.append(undo(steps[-1]))
    assert [arrangement(s, sing()).filter for s in steps] == ["", "", ""]
    assert [arrangement(s, sing()).sort for s in steps] == ["class", "class", "image_score"]
    assert [columns_at(s) for s in steps] == [("image", "class"), (), ()]
    assert (steps[-1].here.identity, steps[-1].here.line) == (7, 3)
    with pytest.raises(Refused, match="nothing to undo"):
        undo(steps[-1])


def test_what_is_typed_is_one_change_and_none_if_it_is_given_up() -> None:
    typing = start_typing(at(sing(), IMAGES, 7), sing(), "filter")
    half = remembering(typing, filter_by(typing, sing(), "is"), sing())
    whole = remembering(half, filter_by(half, sing(), "is > 3"), sing())
    assert whole.here.past == ()
    taken = remembering(whole, stop_typing(whole), sing())
    assert arrangement(undo(taken), sing()).filter == ""
    given_up = remembering(whole, give_up_typing(whole), sing())
    assert given_up.here.past == ()


def test_each_table_undoes_its_own_changes() -> None:
    classes = changed(
        at(sing(), place("classes", model="alpha"), 1), lambda s: sort_by(s, sing(), "leak", is_text=False)
    )
    concepts = changed(at_cursor(classes, identity=1, line=0), lambda s: open_row(s, sing()))
    with pytest.raises(Refused, match="nothing to undo"):
        undo(concepts)
    subset = changed(at(sing(), IMAGES, 2), lambda s: next_subset(s, sing()))
    assert arrangement(subset, sing()).filter == "prediction = class"
    assert arrangement(undo(subset), sing()).filter == ""


def test_misclassified_images_of_a_row_and_their_pairs() -> None:
    of_model = misclassified(at(sing(), place("models"), 1), sing())
    assert of_model.place == place("images", model="beta")
    of_class = misclassified(at(sing(), place("classes", model="alpha"), 1), sing())
    assert of_class.place == place("images", model="alpha", class_=1)
    for session in (of_model, of_class):
        assert arrangement(session, sing()).filter == "prediction != class"
        with pytest.raises(Refused, match="there are no misclassified images here to count"):
            misclassified(session, sing())  # its table has no row
        pairs = misclassified(at_cursor(session, identity=0, line=0), sing())
        assert (pairs.place.base, pairs.place.by) == (session.place, ("class", "prediction"))
        assert pairs.place.filter == "prediction != class"
        with pytest.raises(Refused, match="Enter opens their rows"):
            misclassified(pairs, sing())
    narrow = misclassified(filter_by(at(sing(), IMAGES, 1), sing(), "is > 3 or is < 1"), sing())
    assert narrow.place.filter == "(is > 3 or is < 1) and prediction != class"
    for also in ("prediction != class or is > 3", "not prediction != class"):  # these keep correct ones, too
        wide = misclassified(filter_by(at(sing(), IMAGES, 1), sing(), also), sing())
        assert wide.place.filter == f"({also}) and prediction != class"
    within = misclassified(filter_by(at(sing(), IMAGES, 1), sing(), "(prediction != class) and is > 3"), sing())
    assert within.place.filter == "(prediction != class) and is > 3"


async def test_three_keys_lead_to_the_images_of_the_pair_confused_most_often(store_path: Path) -> None:
    with Store(store_path) as store:
        table = image_table(store, "alpha")
        truth, answer = (table.column(name).values.all().tolist() for name in ("class", "prediction"))
    pairs = Counter(pair for pair in zip(truth, answer, strict=True) if pair[0] != pair[1])
    count = max(pairs.values())

    app = Explorer(store_path)
    async with app.run_test() as pilot:
        await drawn(app)
        await press(pilot, "E", "E")
        assert "counted by class, prediction" in place_line(app)
        first = lines(app)[3].split()
        assert pairs[first[0], first[1]] == count == int(first[2])
        await press(pilot, "enter")
        assert f"of {count} (filtered from {len(truth)})" in status(app)
        assert "prediction != class" in arrangement_of(app).filter


async def test_a_table_opened_with_a_filter_that_keeps_no_row_says_the_filter(store_path: Path) -> None:
    app = Explorer(store_path, Start(wish("images", model="alpha"), "prediction != class and is > 170"))
    async with app.run_test(size=(80, 24)) as pilot:
        await drawn(app)
        assert "no row passes the filter prediction != class and is > 170" in screen_text(app)
        await press(pilot, "F")
        assert "no row passes" not in screen_text(app)


async def test_undo_on_the_screen_brings_filter_and_columns_back(store_path: Path) -> None:
    app = Explorer(store_path, AT["images"])
    async with app.run_test() as pilot:
        await drawn(app)
        before = lines(app)
        await press(pilot, "asterisk", "n", "enter")
        assert [column.name for column in app.page.table.columns] == ["image"]
        await press(pilot, "f", *"dog", "enter")
        await press(pilot, "U", "U")
        assert lines(app) == before
        await press(pilot, "U")
        assert "nothing to undo" in status(app)


async def test_a_view_is_kept_under_a_name_listed_opened_and_removed(tmp_path: Path, store_path: Path) -> None:
    memory = tmp_path / "state" / "state.json"

    app = Explorer(store_path, AT["images"], memory=memory)
    async with app.run_test() as pilot:
        await drawn(app)
        await press(pilot, "f", *"is > 1", "enter", "W")
        await until(lambda: "no view has a name yet" in screen_text(app), app)
        await press(pilot, *"worst", "enter")
        await until(lambda: "kept as worst" in screen_text(app), app)
        await press(pilot, "escape", "q", "q", "W")
        await until(lambda: "worst" in screen_text(app), app)
        await press(pilot, "enter")
        await until(lambda: arrangement_of(app).filter == "is > 1" and "cat" in place_line(app), app)
        assert "images" in place_line(app)
        await press(pilot, "q", "W")
        await until(lambda: "worst" in screen_text(app), app)
        await press(pilot, "ctrl+r")
        await until(lambda: "worst is removed" in screen_text(app), app)
    assert read_views(views_path(memory), store_path) == []


VIEW = Start(
    wish("images", model="beta", class_="cat"), filter="is > 1", sort="confidence", columns=("class", "confidence")
)


def test_a_kept_view_of_this_file_goes_before_one_of_another_file(tmp_path: Path) -> None:
    path, one, other = tmp_path / "views.json", tmp_path / "one.h5", tmp_path / "other.h5"
    keep_view(path, one, "worst", VIEW)
    keep_view(path, other, "worst", replace(VIEW, filter="is > 2"))
    keep_view(path, other, "best", Start())
    assert find_view(path, one, "worst") == VIEW
    assert find_view(path, one, "best") == Start()
    assert [(view.name, Path(view.file).name) for view in read_views(path, other)] == [
        ("best", "other.h5"),
        ("worst", "other.h5"),
        ("worst", "one.h5"),
    ]
    with pytest.raises(SingError, match="several files have a view 'worst'"):
        find_view(path, tmp_path / "third.h5", "worst")
    with pytest.raises(SingError, match="no view 'wrost'; there are: worst, best"):
        find_view(path, one, "wrost")
    keep_view(path, one, "worst", Start())
    assert find_view(path, one, "worst") == Start()
    remove_view(path, read_views(path, one)[0])
    assert len(read_views(path, one)) == 2


@pytest.mark.parametrize("name", ["", "  ", "x" * 61, "a\nb", "a\x1b[31mb"])
def test_a_name_that_cannot_be_shown_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(SingError, match="1 to 60 printable characters"):
        keep_view(tmp_path / "views.json", tmp_path / "one.h5", name, Start())
    assert not (tmp_path / "views.json").exists()


@pytest.mark.parametrize("content", ["{", "[]", '{"version": 1, "views": [{"name": 3}]}', '{"version": 9}'])
def test_a_damaged_file_of_views_is_named_and_never_replaced(content: str, tmp_path: Path) -> None:
    path = tmp_path / "views.json"
    path.write_text(content)
    for act in (lambda: read_views(path, tmp_path), lambda: keep_view(path, tmp_path, "worst", Start())):
        with pytest.raises(SingError, match=r"views\.json is damaged: move it away"):
            act()
    assert path.read_text() == content


def test_the_command_line_opens_a_kept_view_and_writes_its_rows(
    tmp_path: Path, store_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    keep_view(tmp_path / "sing-tui" / "views.json", store_path, "worst", VIEW)
    run = CliRunner().invoke(main, [str(store_path), "--view", "worst", "--csv", "-"])
    assert run.exit_code == 0, run.output
    rows = list(csv.DictReader(io.StringIO(run.stdout)))
    assert list(rows[0]) == ["class", "confidence"]
    assert {row["class"] for row in rows} == {"cat"}
    shares = [float(row["confidence"]) for row in rows]
    assert shares == sorted(shares, reverse=True)
    wrong = CliRunner().invoke(main, [str(store_path), "--view", "worst", "--sort", "class", "--csv", "-"])
    assert (wrong.exit_code, "leave those options out" in wrong.stderr) == (2, True)
    unknown = CliRunner().invoke(main, [str(store_path), "--view", "wurst", "--csv", "-"])
    assert (unknown.exit_code, "there are: worst" in unknown.stderr) == (2, True)


async def test_views_of_another_kind_of_file_are_refused_in_one_line(tmp_path: Path, store_path: Path) -> None:
    memory = tmp_path / "state.json"
    keep_view(views_path(memory), tmp_path / "heads.h5", "layers", Start(wish("layers", tower="vit")))

    app = Explorer(store_path, memory=memory)
    async with app.run_test() as pilot:
        await drawn(app)
        await press(pilot, "W")
        await until(lambda: "(kept in heads.h5)" in screen_text(app), app)
        await press(pilot, "enter")
        await until(lambda: "no tower 'vit' in results.h5" in status(app), app)
        assert "models" in place_line(app)


async def test_a_view_kept_in_one_file_opens_in_another_that_has_its_tables(tmp_path: Path) -> None:
    memory, one, other = tmp_path / "state.json", tmp_path / "one.h5", tmp_path / "other.h5"
    write_store(other, seed=1)
    keep_view(views_path(memory), one, "worst", VIEW)

    app = Explorer(other, memory=memory)
    async with app.run_test() as pilot:
        await drawn(app)
        await press(pilot, "W", "enter")
        await until(lambda: arrangement_of(app).sort == "confidence", app)
        assert arrangement_of(app).filter == "is > 1"


def test_a_view_of_two_files_is_not_opened_with_one(tmp_path: Path, store_path: Path) -> None:
    path, other = tmp_path / "views.json", tmp_path / "after.h5"
    joined = Start(wish("classes", compare="image_score_q50", model="beta"))
    keep_view(path, store_path, "both", joined, other)
    keep_view(path, store_path, "first", Start(wish("classes", compare="-", model="beta")), other)
    with pytest.raises(SingError, match=r"both is a view of two files, results\.h5 and after\.h5: open both"):
        find_view(path, store_path, "both")
    assert find_view(path, store_path, "both", pair=True) == joined
    assert find_view(path, store_path, "first").wish.table == "classes"
