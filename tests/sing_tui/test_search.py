"""Looking through stored text as bytes finds what looking through decoded text finds."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np
import pytest
from stores import write_store

from sing_compute.store import Column, Store, Table
from sing_compute.store.columns import Values
from sing_tui import search
from sing_tui.search import Superseded, contains, rows_with, runs, text_mask

TEXTS = [
    "",
    "cat",
    "Cat",
    "CATalogue of KITES",
    "concat/0001.PNG",
    " cat ",
    "a\0b inside",
    "ネコ科の動物たち cat",
    "ﾈｺ",
    "e\u0301te\u0301 and été and ÉTÉ",
    "STRASSE straße STRAẞE",
    "ΟΔΟΣ οδος οδοσ",
    "\u212aelvin and kelvin",
    "\u0130stanbul",
    "i\u0307stanbul",
    "\U0001f989 owl \U0001f989",
    "Ǆ ǅ ǆ",
    "@[`{_\x7f",
    "a[b@c",
    "x" * 70 + "end",
]
BROKEN = [
    b"\xe3cat",
    b"ca\xe3t",
    b"\xc4",
    b"\xff\xb0CAT\xff",
    b"\xed\xb2\x80",
    b"\xe2\xe2\x84\xaa",
    "ネ".encode()[:2] + "コ".encode(),
]
WANTED = [
    "", "cat", "Cat", "CAT", "at c", "0001.png", "png", "PNG", "b", "a\0b", "k", "i", "kelvin", "\u212aelvin", "istanbul",
    "i\u0307", "\u0307", "\u0130", "ネコ", "コ", "ﾈｺ", "科の", "été", "ÉTÉ", "e\u0301", "\u0301", "ß", "ss", "ẞ", "σ", "ς", "Σ",
    "οδος", "\U0001f989", "owl \U0001f989", "ǆ", "ǅ", "\ufffd", "\ufffdcat", "\udc80", "`{", "@[", "_", "\x7f", "x" * 70,
    "x" * 71, "x" * 200, " ", "a[b", "a{b", "b@c", "b`c",
]  # fmt: skip


def stored(cells: list[bytes]) -> np.ndarray:
    """Cells as a file holds them: UTF-8 bytes of one length, ended by zeros."""
    return np.array(cells, dtype=f"S{max(map(len, cells), default=1)}")


def plainly(text: str, wanted: str, operator: str) -> bool:
    if wanted == wanted.lower():
        text = text.lower()
    found = wanted in text if "~" in operator else text == wanted
    return found != operator.startswith("!")


def decoded(cells: list[bytes]) -> list[str]:
    return [cell.decode("utf-8", "replace") for cell in cells]


@contextmanager
def a_column(path: Path, cells: list[bytes]) -> Iterator[Column]:
    """The keys of a store, replaced by these cells."""
    write_store(path, class_names=("one",), images_per_class=(len(cells),), null_space=False, models=("m",))
    with h5py.File(path, "r+") as file:
        del file["images/key"]
        width = max(map(len, cells))
        kind = h5py.string_dtype("utf-8", width)
        file["images"].create_dataset("key", data=np.array(cells, dtype=kind), dtype=kind)
    with Store(path) as store:
        yield Column("image", "image", "text", "", Values(store.dataset("images/key")))


@pytest.mark.parametrize("wanted", WANTED)
def test_bytes_are_searched_as_python_searches_their_text(wanted: str) -> None:
    cells = [text.encode() for text in TEXTS] + BROKEN
    for whole in (False, True):
        found = rows_with(stored(cells), wanted, whole=whole)
        expected = [plainly(text, wanted, "==" if whole else "~") for text in decoded(cells)]
        assert found.tolist() == expected


@pytest.mark.parametrize("operator", ["~", "!~", "==", "!="])
def test_columns_of_files_and_of_memory_are_searched_alike(
    operator: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "_RUN", 300)  # several runs, of which some are narrowed
    cells = ([text.encode() for text in TEXTS] + BROKEN) * 3 + [b"cat"] * 20
    texts = decoded(cells)
    with a_column(tmp_path / "s.h5", cells) as column:
        for wanted in ("cat", "Cat", "ネコ", "kelvin", "été", ""):
            expected = [plainly(text, wanted, operator) for text in texts]
            assert text_mask(column, operator, wanted).tolist() == expected
            in_memory = Column("t", "t", "text", "", Values(np.array(texts)))
            assert text_mask(in_memory, operator, wanted).tolist() == expected
            objects = Column("t", "t", "text", "", Values(np.array(texts, dtype=object), 3, 20))
            assert text_mask(objects, operator, wanted).tolist() == expected[3:20]


@pytest.mark.parametrize("operator", ["~", "!~", "==", "!="])
@pytest.mark.parametrize("wanted", ["cat", "Cat", "", "ネコ"])
def test_stored_indices_are_searched_by_their_names(operator: str, wanted: str) -> None:
    names = np.array(TEXTS[1:8])
    codes = np.array([0, 1, 6, -1, 99, 2, 2])
    column = Column("c", "c", "text", "", Values(codes, names=names))
    texts = [str(names[code]) if 0 <= code < len(names) else "" for code in codes]
    assert text_mask(column, operator, wanted).tolist() == [plainly(text, wanted, operator) for text in texts]


def test_no_word_is_found_across_two_rows() -> None:
    assert not rows_with(np.array([b"con", b"cat"]), "nc").any()
    assert not rows_with(np.array([b"con", b"cat"]), "nca").any()


def test_random_texts_are_searched_as_python_searches_them() -> None:
    rng = np.random.default_rng(5)
    letters = list("aAkKiI \u212a\u0130\u0307éÉσςΣßネ\U0001f989")
    texts = ["".join(rng.choice(letters, rng.integers(0, 9))) for _ in range(300)]
    cells = stored([text.encode() for text in texts])
    for wanted in ["".join(rng.choice(letters, rng.integers(1, 4))) for _ in range(150)]:
        assert rows_with(cells, wanted).tolist() == [plainly(text, wanted, "~") for text in texts], wanted


def test_what_the_search_in_bytes_relies_on_holds_for_every_character() -> None:
    """Only two characters become ASCII in lower case; only U+0307 comes of another character and looks as if it had no case."""
    every = [chr(code) for code in range(0x110000)]
    to_ascii = {letter: character for character in every[128:] for letter in character.lower() if letter.isascii()}
    assert {letter: character.encode() for letter, character in to_ascii.items()} == search._CAPITALS_FROM_AFAR
    changed = {letter for character in every if character.lower() != character for letter in character.lower()}
    assert {letter for letter in changed if letter == letter.lower() == letter.upper()} == {"\u0307"}


def test_plain_words_are_looked_for_in_every_text_column() -> None:
    columns = [
        Column("a", "a", "text", "", Values(np.array(["red cat", "dog", "owl"]))),
        Column("b", "b", "text", "", Values(np.array([0, 1, -1]), names=np.array(["bird", "Cat"]))),
        Column("n", "n", "count", "", Values(np.arange(3))),
    ]
    table = Table("t", columns, 3)
    assert contains(table, "  cat ").tolist() == [True, True, False]
    assert contains(table, "Cat").tolist() == [False, True, False]
    assert contains(table, "").all()


def test_runs_cover_every_row_once_and_drop_only_empty_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "_RUN", 1000)
    monkeypatch.setattr(search, "_READ", 2500)
    texts = [f"{row}/" + "long " * 30 * (row == 37) for row in range(100)]
    found = list(runs(Values(np.array(texts))))
    assert [low for low, _ in found] == np.cumsum([0, *(len(cells) for _, cells in found)])[:-1].tolist()
    assert [cell.decode() for _, cells in found for cell in cells] == texts
    widths = [cells.dtype.itemsize for _, cells in found]
    assert min(widths) < 40 < 150 < max(widths)


def test_no_text_is_cut_short_whatever_its_length(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "_RUN", 1)  # every row is a run of its own
    texts = ["x" * length for length in range(130)]
    found = [cells for _, cells in runs(Values(np.array(texts)))]
    assert [cells[0].decode() for cells in found] == texts
    assert {cells.dtype.itemsize for cells in found[:16]} < set(range(33))


def test_a_search_ends_when_nobody_waits_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "_RUN", 400)
    column = Column("t", "t", "text", "", Values(np.array([f"image {row:04d}" for row in range(1000)])))
    asked: list[bool] = []

    def stop() -> bool:
        asked.append(True)
        return len(asked) > 3

    with pytest.raises(Superseded, match=re.escape("a newer search")):
        contains(Table("t", [column], 1000), "image", stop=stop)
    assert len(asked) == 4
    assert contains(Table("t", [column], 1000), "image", stop=lambda: False).all()
