"""A file of sounds: no screen, text or message of the explorer speaks of images or photographs."""

import re
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest
from driving import drawn, lines, press, screen_text, until
from stores import write_store

from sing_compute.charts.registry import chart, titles
from sing_compute.charts.shapes import Histogram, Panels
from sing_compute.errors import SingError
from sing_compute.formats import UNICODE
from sing_compute.pipeline.closing_table import closing_table, outputs_table
from sing_compute.store import Comparison, Place, Store, catalogue
from sing_compute.store.noun import IMAGE, Noun
from sing_compute.store.verify import verify
from sing_tui.actions import footer, keys_of
from sing_tui.app import Explorer
from sing_tui.details import detail_of
from sing_tui.finder import Finder
from sing_tui.screens.finder import _hint, summary
from sing_tui.screens.help import help_groups
from sing_tui.session.lookup import words_of
from sing_tui.session.moves import step
from sing_tui.session.names import breadcrumbs, file_parts
from sing_tui.session.route import route
from sing_tui.session.state import Refused, Session
from sing_tui.store_catalog import StoreCatalog
from sing_tui.view import Arrangement, arrange
from sing_tui.words import column_texts

WORDS = re.compile(r"(?<![\w/`-])(images?|photographs?|pictures?)(?![\w/])", re.IGNORECASE)
FIXED = ("image", "images", "photograph")
"""Names that stay, because programs, key maps and scripts read them: the column `image` of the image table (the heading of its
keys in CSV and DataFrames), the table `images` (`--table images`), the key map's `photograph`. They are names, not words."""


def says(*texts: object) -> list[str]:
    """Return the texts that speak of images."""
    return [str(text) for text in texts if WORDS.search(str(text))]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = write_store(tmp_path_factory.mktemp("sounds") / "sounds.h5", groups=("clean", "noisy"))
    with h5py.File(path, "r+") as file:
        file["images"].attrs["item"], file["images"].attrs["items"] = np.bytes_("sound"), np.bytes_("sounds")
        keys = [key.decode().replace(".png", ".wav") for key in file["images/key"][:]]
        file["images/key"][...] = [key.encode() for key in keys]
        for group in ("classes", "concepts"):  # stored embeddings have no prompts but the names themselves
            file[f"{group}/prompt"][...] = file[f"{group}/name"][:]
    return path


@pytest.fixture(scope="module")
def catalog(path: Path) -> Iterator[StoreCatalog]:
    with Store(path) as store:
        assert verify(store).problems == []
        yield StoreCatalog(store)


PLACES = {
    "models": Place("models"),
    "classes": Place("classes").at(model="alpha"),
    "correct": Place("classes").at(model="alpha", subset=1),
    "noisy": Place("classes").at(model="alpha", subset=4),
    "concepts": Place("concepts").at(model="alpha", **{"class": 0}),
    "images": Place("images").at(model="alpha", **{"class": 0}),
    "all": Place("images").at(model="alpha"),
    "along": Place("images", along="model").at(image=3),
    "class along": Place("classes", along="model").at(**{"class": 0}),
    "figures": Place("models", comparison=Comparison("model", ("alpha", "beta"), "")),
    "compared": Place("images", comparison=Comparison("model", ("alpha", "beta"), "image_score")).at(model="alpha"),
}


@pytest.mark.parametrize("name", PLACES)
def test_nothing_at_a_place_speaks_of_images(name: str, catalog: StoreCatalog) -> None:
    place, store = PLACES[name], catalog.store
    table = catalog.open(place)
    view = arrange(table, Arrangement())
    for column in table.columns:
        assert not says(column.title, column.description), column.name
    for row in column_texts(view, 0, catalog.words("images")):
        words = row.explanation
        assert not says(row.value, words.formula, words.meaning, words.caution), row.column.name
    spec = catalog.table(place.table)
    charts = {name: title for _, name, title in titles(spec)}
    keys = keys_of(place, catalog, charts, {})
    assert not says(*(key.text for key in keys), *(key.group for key in keys))
    assert not {"photograph", "copy-path"} & {key.name for key in keys}
    entries = help_groups(keys, (), UNICODE)
    assert not says(
        *(heading for heading, _ in entries), *(line for _, found in entries for entry in found for line in entry)
    )
    assert not says(*breadcrumbs(catalog, place), *file_parts(catalog, place))
    session = Session((*route(catalog, place),))
    assert not says(*(offer.text for offer in footer(session, catalog, {})))
    if place.comparison is None or spec.rows != "model":
        detail = detail_of(store, place, view, 0)
        assert not says(*(title for title, _ in detail.facts), detail.reading)
        assert not says(*(text for title, text in detail.facts if title not in ("command", "plan")))
        assert not (isinstance(detail.shape, Histogram) and says(detail.shape.count_label))
    assert words_of(catalog, place).table in ("images", "models", "classes", "concepts")  # options keep their spelling


@pytest.mark.parametrize("name", ["models", "classes", "concepts", "images"])
def test_no_chart_speaks_of_images(name: str, catalog: StoreCatalog) -> None:
    place = PLACES[name]
    identity = "alpha" if name == "models" else 0
    for _, key, title in titles(catalog.table(place.table)):
        found = chart(catalog.store, place, key, identity=identity)
        assert not says(catalog.words(title), found.title, found.reading, *(c.description for c in found.table.columns))
        parts = found.shape.parts if isinstance(found.shape, Panels) else (found.shape,)
        for part in parts:
            labels = [getattr(part, field) for field in part.__slots__ if field not in ("values", "curves", "x", "y")]
            assert not says(*(text for text in labels if isinstance(text, str)))
            assert not says(
                *(text for texts in labels if isinstance(texts, tuple) for text in texts if isinstance(text, str))
            )


def test_finder_messages_and_the_closing_table_speak_of_sounds(catalog: StoreCatalog) -> None:
    finder = Finder(catalog.store)
    assert finder.axes[-1] == ("sound", "sounds")
    found = finder.find("sound cat/00001")
    assert [(hit.axis, hit.text) for hit in found.hits] == [("sound", "cat/00001.wav")]
    assert summary(found, finder.axes) == "1 sound"
    assert finder.find("image cat/00001").hits == found.hits  # its name in the file works, too
    assert not says(_hint(finder.axes))
    first = Session((*route(catalog, PLACES["along"].at(image=0)),))
    with pytest.raises(Refused, match=r"^this is the first sound$"):
        step(first, catalog, "row", -1)
    store = catalog.store
    assert not says(*closing_table(store, ["alpha"], width=100).splitlines())
    assert "sounds x dimensions" in outputs_table(store, [])
    with pytest.raises(Exception, match=r"no sound 'nothing' in sounds.h5"):
        store.find("image", "nothing")


async def test_every_screen_speaks_of_sounds(path: Path) -> None:
    app = Explorer(path)
    async with app.run_test(size=(120, 40)) as pilot:
        await drawn(app)

        def clean() -> None:
            for line in lines(app):
                assert not says(line), screen_text(app)

        for way in ((), ("enter",), ("i",), ("backspace", "enter")):  # models, classes, images of a class, concepts
            await press(pilot, *way)
            await drawn(app)
            clean()
            for key in ("d", "1", "3", "escape", "escape"):
                await press(pilot, key)
                clean()
            await press(pilot, "colon")
            clean()
            await press(pilot, "escape", "t", "c", "a")
            await until(lambda: "hint" not in screen_text(app), app)
            clean()
            await press(pilot, "escape", "e")
            clean()
            await press(pilot, "escape")
        await press(pilot, "backspace", "i")
        await drawn(app)
        assert "sounds" in lines(app)[0]
        before = screen_text(app)
        await press(pilot, "P")
        await drawn(app)
        now = screen_text(app)
        assert "sounds are no photographs" in now
        assert now.splitlines()[:-2] == before.splitlines()[:-2]  # there is no photograph of a sound


def test_photographs_are_offered_where_there_may_be_image_files(path: Path, tmp_path: Path) -> None:
    without = write_store(tmp_path / "features.h5")
    with h5py.File(without, "r+") as file:
        file["images"].attrs["root"] = np.bytes_("")  # h5py writes it as an empty text of fixed length
    for file_path, folder, offered in ((path, tmp_path, False), (without, None, False), (without, tmp_path, True)):
        with Store(file_path) as store:
            assert StoreCatalog(store, folder).has_photographs is offered


def test_files_of_other_items_are_not_merged(path: Path, tmp_path: Path) -> None:
    from sing_compute.process.progress import Progress
    from sing_compute.questions.merging import merge

    images = write_store(tmp_path / "images.h5", models=("gamma",), groups=("clean", "noisy"))
    with pytest.raises(SingError, match=r"images.h5 was made with other items \(images\) than .*sounds.h5"):
        merge([path, images], tmp_path / "both.h5", Progress())


@pytest.mark.parametrize(
    ("text", "singular", "plural", "article"),
    [
        ("sound", "sound", "sounds", "a sound"),
        ("utterance", "utterance", "utterances", "an utterance"),
        ("unit", "unit", "units", "a unit"),
        ("ECG", "ECG", "ECGs", "an ECG"),
        ("X-ray", "X-ray", "X-rays", "an X-ray"),
        ("hour of speech/hours of speech", "hour of speech", "hours of speech", "an hour of speech"),
        ("mouse/mice", "mouse", "mice", "a mouse"),
        ("category", "category", "categories", "a category"),
        ("speech", "speech", "speeches", "a speech"),
        ("Ton/Töne", "Ton", "Töne", "a Ton"),
    ],
)
def test_a_noun_has_its_plural_and_its_article(text: str, singular: str, plural: str, article: str) -> None:
    noun = Noun.parse(text)
    assert (noun.singular, noun.plural, noun.with_article) == (singular, plural, article)


def test_declared_texts_say_the_noun_and_names_keep_their_spelling() -> None:
    noun = Noun.parse("utterance")
    assert noun.words("An image, images; the image-specific part of one image.") == (
        "An utterance, utterances; the utterance-specific part of one utterance."
    )
    kept = "images/key `image` --images image_score ratio_images my image.npz {image}"
    assert noun.words(kept) == kept
    assert noun.words("the images of image net and of image", names=["image net"]) == (
        "the utterances of image net and of utterance"
    )
    assert IMAGE.words("an image") == "an image"


@pytest.mark.parametrize("text", ["", " ", "so\tund", "x" * 41, "a/b/c", "\u202esound", "sound/", "7", "two  words"])
def test_what_is_no_noun_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no noun"):
        Noun.parse(text)


@pytest.mark.parametrize("text", ["so\x1b[31mund", "x" * 400, ""])
def test_a_file_from_a_stranger_with_another_text_is_of_images_and_verify_says_so(text: str, tmp_path: Path) -> None:
    path = write_store(tmp_path / "strange.h5")
    with h5py.File(path, "r+") as file:
        file["images"].attrs["item"], file["images"].attrs["items"] = np.bytes_(text or " "), np.bytes_("sounds")
    with Store(path) as store:
        assert store.noun == IMAGE
        assert any("attributes item, items" in problem for problem in verify(store).problems)


def test_declared_tables_are_as_they_were_for_images(store_path: Path) -> None:
    with Store(store_path) as store:
        for spec in catalogue.tables(store):
            place = Place(spec.name).at(**{axis: "alpha" if axis == "model" else 0 for axis in spec.within})
            declared = {column.name: column.title for column in spec.columns}
            for column in StoreCatalog(store).open(place).columns:
                assert column.name not in declared or column.title == declared[column.name]
