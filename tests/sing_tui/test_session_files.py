"""Two open files without a screen: what `B`, Enter, Esc and the other keys make of a place, and the command that leads there."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from catalogs import at, place, sing
from stores import write_store

from sing_compute.errors import SingError
from sing_compute.store import Store
from sing_compute.store.place import Comparison, Place
from sing_tui.actions import keys_of
from sing_tui.link import command, start_of
from sing_tui.opening import session_of
from sing_tui.pair_catalog import PairCatalog, file_labels, open_pair
from sing_tui.screens.steps import STEPS, Surroundings
from sing_tui.session import CONTENTS, Refused, Session
from sing_tui.session.comparison import compare, end_comparison, join, next_measure
from sing_tui.session.counting import count_by
from sing_tui.session.files import carried, is_joined, joined
from sing_tui.session.lookup import find_place
from sing_tui.session.moves import back, neighbours, step
from sing_tui.session.names import breadcrumbs, file_parts
from sing_tui.session.stack import enter
from sing_tui.session.state import Arrangement, arrangement_at, at_cursor
from sing_tui.start import Start, Wish
from sing_tui.view import arrange
from sing_tui.words import column_texts

CLASSES = place("classes", model="beta")
BOTH = replace(CLASSES, comparison=Comparison("file", ("a", "b"), "image_score_q50"))


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("two")
    one = write_store(folder / "a.h5", models=("alpha", "beta"), concepts=24)
    other = write_store(
        folder / "b.h5",
        models=("beta", "gamma"),
        class_names=("owl", "cat", "fox"),
        images_per_class=(5, 20, 7),
        concepts=30,
        seed=1,
    )
    return one, other


@pytest.fixture(scope="module")
def catalog(paths: tuple[Path, Path]) -> Iterator[PairCatalog]:
    with closing(open_pair(*paths)) as catalog:
        yield catalog


def here(catalog: PairCatalog, there: Place, row: int | None = 0) -> Session:
    """A session at a place, the rows of its table on the screen."""
    session = at(catalog, there, row)  # type: ignore[arg-type]
    rows = tuple(map(int, arrange(catalog.open(there), Arrangement()).identities))
    return at_cursor(session, identity=row, line=0, shown=rows)


def press(session: Session, catalog: PairCatalog, name: str, *arguments: object) -> Session:
    return STEPS[name](session, Surroundings(catalog, None, wide=False), *arguments)


def test_one_file_has_no_other_and_offers_no_key() -> None:
    with pytest.raises(Refused, match="one file is open"):
        join(at(sing(), CLASSES), sing())
    assert "both-files" not in {key.name for key in keys_of(CLASSES, sing(), {}, {})}


def test_the_key_shows_both_files_and_then_the_first_one_alone(catalog: PairCatalog) -> None:
    session = join(here(catalog, CLASSES, 2), catalog)
    assert session.place == BOTH
    assert session.here.identity == 2
    assert breadcrumbs(catalog, session.place) == ["beta", "IS of 2 files, by classes"]
    assert catalog.title(session.place) == "a | b"
    ended = join(session, catalog)
    assert ended.place == CLASSES
    assert catalog.title(ended.place) == "a.h5"
    assert end_comparison(session, catalog).place == CLASSES


def test_the_column_under_the_cursor_is_compared_and_sorted_by(catalog: PairCatalog) -> None:
    start = here(catalog, CLASSES)
    start = start.now(replace(start.here, arrangements={"classes": Arrangement("is > 1", "accuracy", descending=True)}))
    session = join(start, catalog, "ratio")
    assert session.place.comparison == Comparison("file", ("a", "b"), "ratio")
    assert arrangement_at(session.here, catalog.table("classes")) == Arrangement("is > 1", "ratio", descending=True)


def test_measures_are_those_of_both_files(catalog: PairCatalog) -> None:
    there = next_measure(here(catalog, BOTH), catalog, 1).place
    assert there.comparison is not None
    assert there.comparison.measure == "attribute_score_abs_q50"  # the column behind IS
    assert there.comparison.measure in catalog.measures(BOTH)
    models = joined(catalog, place("models"))
    assert models.comparison is not None
    assert models.comparison.measure == catalog.measures(models)[0]


def test_enter_and_its_siblings_lead_to_both_files_and_esc_back_to_them(catalog: PairCatalog) -> None:
    session = here(catalog, BOTH)
    concepts = press(session, catalog, "open")
    assert concepts.place.plain == place("concepts", model="beta", class_=0)
    assert is_joined(concepts.place)
    images = press(session, catalog, "second")
    assert images.place.plain.table == "images"
    assert is_joined(images.place)
    assert is_joined(press(concepts, catalog, "second").place)
    assert is_joined(press(session, catalog, "along").place)
    assert back(concepts, catalog).place == BOTH
    assert back(session, catalog).place == CLASSES
    plain = press(here(catalog, CLASSES), catalog, "open")
    assert not is_joined(plain.place)


def test_what_is_found_is_shown_in_both_files(catalog: PairCatalog) -> None:
    session, target = here(catalog, BOTH), place("concepts", model="beta", class_=2)
    assert is_joined(carried(session, enter(session, target), catalog).place)
    plain = here(catalog, CLASSES)
    assert carried(plain, enter(plain, target), catalog).place == target


def test_a_row_of_the_second_file_alone_is_named_but_not_opened(catalog: PairCatalog) -> None:
    fox = len(("cat", "dog", "owl", "empty")) + 2
    assert catalog.label("class", fox, BOTH) == "fox"
    session = here(catalog, BOTH, fox)
    for name in ("open", "second", "along"):
        with pytest.raises(Refused, match="this row is in b alone"):
            press(session, catalog, name)


def test_steps_go_round_rows_that_the_first_file_lacks_and_stay_in_both(catalog: PairCatalog) -> None:
    concepts = press(here(catalog, BOTH, 0), catalog, "open")
    assert list(neighbours(concepts, catalog, "class")) == [0, 1, 2]
    assert is_joined(step(concepts, catalog, "last", 1).place)
    models = step(here(catalog, BOTH), catalog, "first", 1)
    assert models.place == replace(BOTH.at(model="alpha"))


def test_marks_stay_but_for_rows_that_the_first_file_lacks(catalog: PairCatalog) -> None:
    session = here(catalog, BOTH)
    session = session.now(replace(session.here, marks=(6, 2)))
    assert join(session, catalog).here.marks == (2,)
    assert join(join(session, catalog), catalog).here.marks == (2,)


def test_rows_of_both_files_are_counted(catalog: PairCatalog) -> None:
    images = joined(catalog, place("images", model="beta"))
    counts = count_by(here(catalog, images), catalog, ("class",))
    found = catalog.open(counts.place)
    counted = dict(zip(found.column("class").values.all(), found.column("count").values.all().tolist(), strict=True))
    assert sum(counted.values()) == catalog.open(images).length
    assert counted["fox"] == 7
    assert counted["cat"] == 30  # 20 of them are in both files
    assert "only in" in found.note
    with pytest.raises(Refused, match="of one file"):
        join(counts, catalog)


@pytest.mark.parametrize(("there", "row"), [("models", 1), ("classes", 2), ("concepts", 5)])
def test_equals_shows_all_figures_of_the_row_and_esc_leads_back(catalog: PairCatalog, there: str, row: int) -> None:
    keys = {"models": {}, "classes": {"model": "beta"}, "concepts": {"model": "beta", "class_": 0}}[there]
    start = here(catalog, joined(catalog, place(there, **keys)), row)
    session = compare(start, catalog)
    name = catalog.label(catalog.table(there).rows, "beta" if there == "models" else row, start.place)
    assert breadcrumbs(catalog, session.place)[-2:] == [name, "figures of 2 files"]
    assert catalog.open(session.place).column("figure").values.all().tolist()
    for left in (back(session, catalog), compare(session, catalog), join(session, catalog)):
        assert left.place == start.place
        assert left.here.identity == row
    assert press(session.now(replace(session.here, identity=30)), catalog, "open").place == session.place


def test_figures_of_a_row_of_the_second_file_alone_are_refused(catalog: PairCatalog) -> None:
    with pytest.raises(Refused, match="in b alone"):
        compare(here(catalog, BOTH, 6), catalog)
    along = replace(place("classes", along="model", class_=0), comparison=BOTH.comparison)
    assert compare(here(catalog, along), catalog).place == along.plain


def test_the_one_model_of_a_file_need_not_be_named() -> None:
    two = replace(sing(("resnet",)), files=("a", "b"))
    found = find_place(two, Wish("models", compare="figures"))[0]
    assert found == replace(place("models", model="resnet"), comparison=Comparison("file", ("a", "b"), ""))
    with pytest.raises(SingError, match="add --model NAME"):
        find_place(replace(sing(), files=("a", "b")), Wish("models", compare="figures"))


def test_another_comparison_is_ended_first(catalog: PairCatalog) -> None:
    models = replace(CLASSES, comparison=Comparison("model", ("beta", "alpha"), "image_score_q50"))
    with pytest.raises(Refused, match="= ends this comparison"):
        join(here(catalog, models), catalog)


@pytest.mark.parametrize(
    "there",
    [
        BOTH,
        CLASSES,
        replace(BOTH, comparison=Comparison("file", ("a", "b"), "ratio")),
        replace(CLASSES, comparison=Comparison("model", ("beta", "alpha"), "ratio")),
        replace(BOTH, comparison=Comparison("file", ("a", "b"), "accuracy")).at(subset=1),
        replace(place("classes", along="model", class_=0), comparison=BOTH.comparison),
        replace(place("concepts", model="beta", class_=2), comparison=Comparison("file", ("a", "b"), "z")),
        replace(place("models", model="beta"), comparison=Comparison("file", ("a", "b"), "")),
        replace(place("classes", model="beta", class_=2), comparison=Comparison("file", ("a", "b"), "")),
        replace(place("concepts", model="beta", class_=2, concept=5), comparison=Comparison("file", ("a", "b"), "")),
    ],
)
def test_the_link_leads_back_and_names_both_files(catalog: PairCatalog, paths: tuple[Path, Path], there: Place) -> None:
    session = here(catalog, there, None)
    start = start_of(catalog, session, arrange(catalog.open(there), Arrangement()))
    assert session_of(catalog, start).place == there
    assert command(paths[0], start, paths[1]).startswith(f"sing-tui {paths[0]} {paths[1]} --table ")


def test_two_files_are_shown_side_by_side_unless_one_is_wanted(catalog: PairCatalog) -> None:
    wish = Wish("classes", ("model=beta",))
    assert find_place(catalog, wish)[0] == BOTH
    assert find_place(catalog, replace(wish, compare="-"))[0] == CLASSES
    assert find_place(catalog, replace(wish, compare="IS/|AS|"))[0].comparison == Comparison(
        "file", ("a", "b"), "ratio"
    )
    assert is_joined(session_of(catalog, Start()).place)
    with pytest.raises(SingError, match="no column"):
        find_place(catalog, replace(wish, compare="nothing"))


def test_the_list_of_tables_leads_to_both_files() -> None:
    two = replace(sing(), files=("a", "b"))
    session = at(two, Place(CONTENTS))
    opened = carried(session, enter(session, place("models")), replace(two, numbers={"models": ("accuracy",)}))
    assert opened.place.comparison == Comparison("file", ("a", "b"), "accuracy")
    assert back(opened, two).place == Place(CONTENTS)


def test_every_number_of_both_files_is_put_into_words(catalog: PairCatalog) -> None:
    table = catalog.open(BOTH)
    view = arrange(table, Arrangement())
    texts = {text.column.name: text for text in column_texts(view, 0)}
    name = "image_score_q50"
    one, other = (table.column(f"{name}.{side}").values.all()[0] for side in "ab")
    assert texts[f"{name}.a"].value.startswith(f"{one:.6g} degrees, 95% interval over images")
    assert texts[f"{name}.b.difference"].value == f"{other - one:.6g} degrees"
    assert texts[f"{name}.b.difference"].explanation.meaning.startswith("b minus a: ")
    assert "concepts, classes, images, too" in texts[f"{name}.b.difference"].explanation.meaning
    missing = {text.column.name: text.value for text in column_texts(view, 1)}  # dog
    assert missing["class"] == "dog"
    assert missing[f"{name}.b"] == missing[f"{name}.b.difference"] == "- degrees"


def test_an_export_is_named_after_both_files(catalog: PairCatalog) -> None:
    assert file_parts(catalog, BOTH) == ["beta", "image_score_q50", "classes"]


@pytest.mark.parametrize(
    ("one", "other", "labels"),
    [
        ("x/a.h5", "y/b.h5", ("a", "b")),
        ("x/a.h5", "x/a.hdf5", ("a.h5", "a.hdf5")),
        ("x/results.h5", "y/results.h5", ("x", "y")),
        ("one/z/results.h5", "two/z/results.h5", ("one", "two")),
        ("/results.h5", "/x/results.h5", ("/", "x")),
        ("imagenet_resnet50_openai_v2.h5", "imagenet_resnet50_laion_v2.h5", ("openai", "laion")),
        ("a_very_long_name.h5", "a_very_long.h5", ("long_name", "long")),
        ("before_fix.h5", "after_fix.h5", ("before_fix", "after_fix")),
    ],
)
def test_names_of_two_files_differ(one: str, other: str, labels: tuple[str, str]) -> None:
    assert file_labels(Path(one), Path(other)) == labels


def test_one_file_twice_and_a_broken_second_one_are_refused(paths: tuple[Path, Path], tmp_path: Path) -> None:
    link = tmp_path / "link.h5"
    link.symlink_to(paths[0])
    with pytest.raises(SingError, match="are the same file"):
        open_pair(paths[0], link)
    broken = tmp_path / "broken.h5"
    broken.write_bytes(b"no")
    with pytest.raises(SingError, match=r"broken\.h5"):
        open_pair(paths[0], broken)
    with Store(paths[0]) as store:  # the first file is free again
        assert store.models
