"""Files that the tests of figures share."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from direction_figures import write_directions
from null_word_figures import write_null_words
from picture_figures import write_pictures
from steering_figures import write_steering
from stores import write_store
from tower_figures import write_tower

from sing_compute.figures.choosing import Choice
from sing_compute.figures.contents import figures
from sing_compute.figures.figure import PaperFigure
from sing_compute.store import Store


@pytest.fixture(scope="session")
def whole_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file that holds the numbers of every figure."""
    path = write_store(tmp_path_factory.mktemp("figures") / "whole.h5", concepts=60)
    write_null_words(path)
    write_tower(path)
    write_directions(path)
    write_steering(path)
    write_pictures(path, "alpha")
    return path


@pytest.fixture(scope="session")
def whole(whole_path: Path) -> Iterator[Store]:
    with Store(whole_path) as store:
        yield store


@pytest.fixture(scope="session")
def found(whole: Store) -> dict[str, PaperFigure]:
    """Every figure of it by name."""
    made = list(figures(whole, Choice()))
    assert [each.name for each in made if not isinstance(each, PaperFigure)] == []
    return {each.name: each for each in made if isinstance(each, PaperFigure)}
