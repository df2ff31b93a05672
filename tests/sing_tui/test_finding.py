"""The finder finds what it says, best first, and says which place shows it."""

from pathlib import Path

import h5py
import numpy as np
import pytest
from named_things import NAMES, WNIDS
from stores import write_store

from sing_compute.errors import SingError
from sing_compute.store import Place, Store, open_table
from sing_tui import matching
from sing_tui.finder import Finder, Found
from sing_tui.matching import Word
from sing_tui.screens.finder import summary
from sing_tui.search import Superseded


def of(found: Found, axis: str) -> list[str]:
    return [hit.text for hit in found.hits if hit.axis == axis]


def is_subsequence(word: str, text: str) -> bool:
    letters = iter(text)
    return all(letter in letters for letter in word)


def test_better_matches_come_first(named: Finder) -> None:
    found = named.find("cat")
    assert of(found, "class") == ["cat", "tiger cat", "catamaran", "wildcat"]
    assert found.hits[0].positions == (0, 1, 2)
    assert next(hit for hit in found.hits if hit.text == "wildcat").positions == (4, 5, 6)
    axes = [hit.axis for hit in found.hits]
    assert axes == sorted(axes, key=lambda axis: axis == "image")  # names before images


def test_scores_fall_from_the_whole_text_to_scattered_letters() -> None:
    texts = ["red fox", "a red fox", "red foxes", "a red foxtrot", "hatred foxes", "xredx fxox", "roe deer forms ox"]
    scores = [match[0] for text in texts if (match := Word("red fox").match(text))]
    assert len(scores) == len(texts)
    assert scores == sorted(scores, reverse=True)
    assert len(set(scores)) == len(scores)
    (fronts, places), (scattered, _) = Word("gws").match("great white shark"), Word("gws").match("begin wastes")
    assert fronts > scattered
    assert places == (0, 6, 12)


@pytest.mark.parametrize("seed", range(4))
def test_a_word_matches_exactly_the_texts_that_hold_its_letters_in_order(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for _ in range(500):
        text = "".join(rng.choice(list("ab[ -^]\\ネ"), rng.integers(0, 12)))
        word = "".join(rng.choice(list("ab[-^]\\ネ"), rng.integers(1, 4)))
        match = Word(word).match(text)
        assert (match is not None) == is_subsequence(word, text)
        if match is not None:
            assert list(match[1]) == sorted(set(match[1]))
            assert "".join(text[place] for place in match[1]) == word


def test_words_match_in_any_order_and_all_of_them(named: Finder) -> None:
    for words in ("shark tiger", "tiger shark", " tiger  shark ", "shrk tgr"):
        assert of(named.find(words), "class") == ["tiger shark"]
    assert named.find("tiger zebra").hits == []
    found = named.find("00040 white")
    assert [(hit.axis, hit.text) for hit in found.hits] == []
    found = named.find("00030 white")
    assert [(hit.axis, hit.text) for hit in found.hits] == [("image", "great white shark/00030.png")]


def test_case_counts_only_if_a_capital_is_typed(named: Finder) -> None:
    assert sorted(of(named.find("crane"), "class")) == ["Crane", "crane"]
    assert of(named.find("Crane"), "class") == ["Crane"]
    assert named.find("Crane").counts["image"] == 12
    assert named.find("crane").counts["image"] == 24


def test_an_index_finds_what_has_it(named: Finder) -> None:
    for words in ("2", "index 2"):
        first = [(hit.axis, hit.identity) for hit in named.find(words).hits[:3]]
        assert first == [("class", 2), ("concept", 2), ("image", 2)]
    assert next((hit.axis, hit.identity) for hit in named.find("image 50").hits) == ("image", 50)
    assert ("image", 108) not in [(hit.axis, hit.identity) for hit in named.find("108").hits]  # there are 108: 0 to 107
    assert len([hit for hit in named.find("50").hits if (hit.axis, hit.identity) == ("image", 50)]) == 1


def test_the_name_of_an_axis_matches_all_of_it(named: Finder) -> None:
    found = named.find("class shark")
    assert {hit.axis for hit in found.hits} == {"class"}
    assert len(found.hits) == 2
    assert named.find("image").counts["image"] == 108
    assert named.find("model").counts["model"] == 2


def test_a_wordnet_id_finds_its_class(named: Finder) -> None:
    found = named.find(WNIDS[3].upper())
    assert [(hit.text, hit.extra, hit.score) for hit in found.hits] == [
        ("tiger shark", f"3 {WNIDS[3]}", matching.NUMBER)
    ]
    assert named.find("n02000").counts["class"] == len(NAMES)
    assert named.find(f"{WNIDS[3]} cat").hits == []


@pytest.mark.parametrize("words", ["cat", "png", "ネコ", "0004 .png", "1", "e"])
def test_images_are_counted_and_listed_as_python_finds_them(named: Finder, words: str) -> None:
    keys = [str(key) for key in named.store.array("images/key")]
    fits = [
        row
        for row, key in enumerate(keys)
        if all(word in (key if word != word.lower() else key.lower()) for word in words.split())
    ]
    found = named.find(words, limit=1000)
    rows = [hit.identity for hit in found.hits if hit.axis == "image"]
    assert found.counts["image"] == len(set(fits) | ({int(words)} if words.isdecimal() else set()))
    assert sorted(rows) == sorted(set(fits) | ({int(words)} if words.isdecimal() else set()))
    for hit in found.hits:
        if hit.axis == "image":
            assert hit.text == keys[hit.identity]
            label = named.store.array("images/class")[hit.identity]
            assert hit.extra == f"{hit.identity} {NAMES[label]}"
            assert words.isdecimal() or {hit.text[place].lower() for place in hit.positions} <= set(words.lower())


def test_no_more_hits_than_wanted_but_all_are_counted(named: Finder) -> None:
    found = named.find("a", limit=7)
    assert len(found.hits) == 7
    assert found.counts["class"] == sum("a" in name for name in NAMES)
    assert found.hits == named.find("a", limit=1000).hits[:7]


def test_nothing_typed_finds_nothing(named: Finder) -> None:
    assert named.find("  ") == Found([], {axis: 0 for axis, _ in named.axes})


def test_a_superseded_search_ends(named: Finder) -> None:
    with pytest.raises(Superseded):
        named.find("cat", stop=lambda: True)


def test_a_hostile_name_is_passed_a_few_times_and_no_more() -> None:
    word, text = Word("ab" * 12 + "c"), "ab" * 2000  # the ways to place these letters are more than 10^50
    assert word.match(text) is None
    assert word.match(text + "c") is not None


def test_what_a_file_lacks_is_an_error_in_one_line(named_path: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.h5"
    broken.write_bytes(named_path.read_bytes())
    with h5py.File(broken, "r+") as file:
        del file["images/key"]
    with Store(broken) as store, pytest.raises(SingError, match="images/key"):
        Finder(store).find("cat")


def test_the_axes_are_those_of_the_tables_of_the_file(named: Finder, bare_path: Path) -> None:
    assert named.axes == (("class", "classes"), ("concept", "concepts"), ("model", "models"), ("image", "images"))
    with Store(bare_path) as store:
        assert [axis for axis, _ in Finder(store).axes] == ["class", "model", "image"]  # no concept has a score here


@pytest.mark.parametrize(
    ("words", "axis", "place", "select"),
    [
        ("tiger cat", "class", Place.of("concepts", model="resnet50", **{"class": 0}), None),
        ("concept 7", "concept", Place.of("concepts", along="class", model="resnet50", concept=7), None),
        ("vit", "model", Place.of("classes", model="vit"), None),
        ("image 30", "image", Place.of("images", model="resnet50", **{"class": 2}), 30),
    ],
)
def test_a_hit_leads_to_the_place_that_shows_it(
    named: Finder, words: str, axis: str, place: Place, select: int | None
) -> None:
    here = Place.of("classes", model="resnet50", subset=1)
    hit = named.find(words, place=here).hits[0]
    assert (hit.axis, hit.place, hit.select) == (axis, place, select)
    table = open_table(named.store, hit.place)
    assert select is None or select in table.ids


def test_without_a_place_hits_are_shown_for_the_first_model(named: Finder) -> None:
    first = named.store.models[0]
    for words in ("tiger cat", "concept 7", "image 30"):
        for place in (None, Place("models")):
            assert named.find(words, place=place).hits[0].place.name("model") == first


def test_names_are_read_once_and_tables_looked_up_once(named: Finder, monkeypatch: pytest.MonkeyPatch) -> None:
    named.find("cat")
    read: list[str] = []
    plain = Store.array
    monkeypatch.setattr(Store, "array", lambda self, path: read.append(path) or plain(self, path))
    assert named.find("shark").counts["class"] == 2
    assert read == []


def test_most_letters_of_a_short_name_come_before_images_and_longer_names(tmp_path: Path) -> None:
    path = write_store(tmp_path / "shapes.h5", class_names=("star", "heart"), images_per_class=(150, 3), concepts=12)
    with h5py.File(path, "r+") as file:
        file["concepts/name"][0] = b"striped"
    with Store(path) as store:
        hits = Finder(store).find("str").hits
    assert [(hit.axis, hit.text) for hit in hits[:2]] == [("class", "star"), ("concept", "striped")]


def test_a_capital_that_no_name_holds_is_ignored_and_that_is_said(named: Finder) -> None:
    found = named.find("CATAMARAN")
    assert of(found, "class") == ["catamaran"]
    assert summary(found, named.axes).startswith("capitals ignored, 1 class")
    assert named.find("catamaran").note == named.find("no such Thing").note == ""
