"""Compact texts and labels against Python's own lists and sets."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from sing_compute.images import compact_text as room
from sing_compute.images.compact_text import Categorical, Texts
from sing_compute.images.listing import ImageList

WORDS = ["b/ü.png", "", "a", "日本.jpg", "a/b.png", "z" * 300, "é", "e\u0301", "\U0001f600.gif", "\uffff"]


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "CHUNK", 3)


def test_texts_come_back_as_a_list_of_them_would() -> None:
    texts = Texts(WORDS)
    assert list(texts) == WORDS
    assert [texts[index] for index in range(-len(WORDS), len(WORDS))] == WORDS * 2
    assert [list(texts[part]) for part in (slice(2, 5), slice(None, None, -2), slice(8, 99), slice(5, 2))] == [
        WORDS[2:5], WORDS[::-2], WORDS[8:99], []
    ]  # fmt: skip
    with pytest.raises(IndexError):
        texts[len(WORDS)]
    assert list(Texts()) == []
    assert len(Texts([""])) == 1


def test_they_cost_their_bytes_and_four_more() -> None:
    texts = Texts(f"n01440764/n01440764_{number:05d}.JPEG" for number in range(1000))
    assert sum(part.nbytes for part in texts.arrays) <= 1000 * (len(texts[0]) + 4) + 4


@pytest.mark.parametrize("rows", [[3, 3, 0, 9, 1], [], range(10), [8, 7, 6, 5, 4, 3, 2]])
def test_taken_texts_stand_in_the_order_asked_for(rows: list[int]) -> None:
    assert list(Texts(WORDS).take(np.array(rows, dtype=np.int64))) == [WORDS[row] for row in rows]


def test_a_text_that_stands_twice_is_found_and_equal_hashes_are_not_taken_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert Texts(WORDS).first_duplicate() is None
    assert Texts([*WORDS, "日本.jpg"]).first_duplicate() == "日本.jpg"
    monkeypatch.setattr(Texts, "hashes", lambda self: np.zeros(len(self), dtype=np.uint64))
    assert Texts(["a", "b"]).first_duplicate() is None


def test_a_fingerprint_tells_where_one_text_ends() -> None:
    assert Texts(["ab", "c"]).sha256() == hashlib.sha256(b"ab\nc\n").hexdigest()
    assert Texts(["a", "bc"]).sha256() != Texts(["ab", "c"]).sha256()


def test_a_name_that_is_not_utf8_is_no_text() -> None:
    with pytest.raises(UnicodeEncodeError):
        Texts(["a", "\udce4"])


def test_a_categorical_is_its_values_and_knows_which_names_are_used() -> None:
    values = ["dog", "cat", "dog", "", "cat"]
    coded = Categorical.of(values)
    assert list(coded) == values
    assert list(coded[1:3]) == values[1:3]
    assert coded.names == ("dog", "cat", "")
    assert coded.used_names == ["", "cat", "dog"]
    assert coded.take(np.array([1, 4])).used_names == ["cat"]


def test_order_is_by_class_then_by_the_characters_of_the_key() -> None:
    rng = np.random.default_rng(0)
    keys = list({"".join(rng.choice(list("aB/é日\U0001f600_-."), 4)) for _ in range(200)})
    images = ImageList.of_files(Path(), keys)
    classes = rng.integers(0, 7, len(keys)).astype(np.int32)
    order = images.order(classes)
    assert order.tolist() == sorted(range(len(keys)), key=lambda row: (classes[row], keys[row]))
    assert list(images.take(order).keys) == [keys[row] for row in order]
    assert images.take(range(len(keys))) is images
