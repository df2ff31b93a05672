"""Subsets of images: right, wrong and the user's groups hold from classes to images, and every count is that of the rows."""

from pathlib import Path

import pytest
from catalogs import at, place, sing
from stores import write_store

from sing_compute.store import Store, class_table
from sing_tui.session import Refused
from sing_tui.session.arranging import arrangement, filter_by
from sing_tui.session.moves import back, next_subset, open_row, open_second
from sing_tui.session.names import breadcrumbs_of
from sing_tui.session.state import Session, Visit
from sing_tui.session.subsets import kept_arrangement
from sing_tui.store_catalog import StoreCatalog
from sing_tui.view import arrange

IMAGES = place("images", model="alpha", class_=1)


def test_v_on_images_keeps_one_subset_of_them_by_a_filter() -> None:
    session, seen = at(sing(), IMAGES, 2), []
    for _ in range(4):
        session = next_subset(session, sing())
        seen.append((arrangement(session, sing()).filter, breadcrumbs_of(session, sing())[-1]))
    assert seen == [
        ("prediction = class", "images (right)"),
        ("prediction != class", "images (wrong)"),
        ('group = "clean"', "images (group:clean)"),
        ("", "images"),
    ]
    with pytest.raises(Refused, match="a filter is there: F clears it"):
        next_subset(filter_by(session, sing(), "is > 3"), sing())


@pytest.mark.parametrize("through", ["i", "concepts"])
def test_a_subset_holds_on_the_way_in_and_one_step_leads_back(through: str) -> None:
    session = at(sing(), place("classes", model="beta", subset=2), 1)
    if through == "concepts":
        session = open_row(session, sing())
        assert session.place.table == "concepts"
        assert breadcrumbs_of(session, sing())[-1] == "concepts"
    images = open_second(session, sing())
    assert images.place == place("images", model="beta", class_=1)
    assert arrangement(images, sing()).filter == "prediction != class"
    assert breadcrumbs_of(images, sing())[-1] == "images (wrong)"
    assert back(images, sing()).place.table == "classes"
    plain = open_second(at(sing(), place("classes", model="beta"), 1), sing())
    assert arrangement(plain, sing()).filter == ""


def test_each_subset_of_each_class_opens_as_many_images_as_the_class_says(tmp_path: Path) -> None:
    path = write_store(tmp_path / "results.h5", groups=("in door", 'a "b"'))
    with Store(path) as store:
        catalog, counts = StoreCatalog(store), set()
        for number, subset in enumerate(store.subsets):
            table = class_table(store, "alpha", subset)
            said = dict(zip(table.ids.tolist(), table.column("count").values.all().tolist(), strict=True))
            for label in range(3):
                session = Session((Visit(place("classes", model="alpha", subset=number or None), identity=label),))
                there = place("images", model="alpha", class_=label)
                kept = kept_arrangement(session, catalog, there)
                rows = catalog.open(there).length if kept is None else len(arrange(catalog.open(there), kept))
                assert rows == said.get(label, 0), (subset, label)
                counts.add(rows)
    assert len(counts) > 5
