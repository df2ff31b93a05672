"""Finding a class, a concept, a model or an image by part of its name, by its index or by its WordNet id.

Names match fuzzily: `gws` finds the great white shark. Textual's own `FuzzySearch` looks at every way to place the letters, which
for some names are billions, and a results file may come from a stranger; here a name is passed a few times and no more.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Literal

import numpy as np

from sing_compute.store import Store
from sing_compute.store.columns import Values
from sing_tui.search import Overtaken, Stop, rows_with, runs, says

Kind = Literal["class", "concept", "model", "image"]
Places = tuple[int, ...]

KINDS: tuple[Kind, ...] = ("class", "concept", "model", "image")
NUMBER, SAME, WORD, FRONT, BEGINNING, STARTS, INSIDE, IMAGE = 10.0, 6.0, 5.0, 4.0, 3.0, 2.5, 2.0, 1.0
"""Scores: the index or WordNet id itself; the whole text; a word of it; its front; the front of a word; letters at the fronts of
words; anywhere inside; an image, so that a thousand of them do not hide a name. Scattered letters score between 0 and 1."""
_FRONTS = re.compile(r"(?<![^\W_])[^\W_]")


@dataclass(frozen=True, slots=True)
class Hit:
    """Something found: `identity` is the index of the class, concept, model or image."""

    kind: Kind
    identity: int
    text: str
    """Its name or key, as the file has it."""
    extra: str
    """What else tells it from others: its index, then its WordNet id, kind or class."""
    positions: Places
    """Characters of `text` that matched."""
    score: float


@dataclass(frozen=True, slots=True)
class Found:
    """The best hits, best first, and how many there are of each kind in all."""

    hits: list[Hit]
    counts: dict[Kind, int]


class Word:
    """One typed word; case counts only if it holds a capital."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.exact = text != text.lower()
        plain = text.isascii() and text.isdecimal() and len(text) < 19
        self.number = int(text) if plain and str(int(text)) == text else None
        escaped = re.escape(text)
        self._whole = re.compile(rf"(?<![^\W_]){escaped}(?![^\W_])")
        self._beginning = re.compile(rf"(?<![^\W_]){escaped}")
        self._scattered = re.compile(
            "".join(f"[^{re.escape(letter)}]*+{re.escape(letter)}" for letter in text), re.DOTALL
        )

    def match(self, text: str) -> tuple[float, Places] | None:
        """How well a text (in lower case unless case counts) matches, and where; None if it lacks a letter."""
        if self.text in text:
            return self._as_run(text)
        found = self._scattered.match(text)
        return None if found is None else self._as_letters(text, found.end())

    def _as_run(self, text: str) -> tuple[float, Places]:
        if text == self.text:
            score, at = SAME, 0
        elif found := self._whole.search(text):
            score, at = WORD, found.start()
        elif text.startswith(self.text):
            score, at = FRONT, 0
        elif found := self._beginning.search(text):
            score, at = BEGINNING, found.start()
        else:
            score, at = INSIDE, text.find(self.text)
        return score, tuple(range(at, at + len(self.text)))

    def _as_letters(self, text: str, end: int) -> tuple[float, Places]:
        """Letters that begin words or follow each other, else the letters that end first, as close together as they stand."""
        if places := self._at_fronts(text):
            return STARTS, places
        found: list[int] = []
        for letter in reversed(self.text):
            end = text.rindex(letter, 0, end)
            found.append(end)
        places = tuple(reversed(found))
        gaps = sum(after != before + 1 for before, after in pairwise(places))
        return (len(places) - gaps) / (len(places) + 1), places

    def _at_fronts(self, text: str) -> Places:
        fronts = (found.start() for found in _FRONTS.finditer(text))
        places: list[int] = []
        for letter in self.text:
            if places and text[places[-1] + 1 : places[-1] + 2] == letter:
                places.append(places[-1] + 1)
                continue
            last = places[-1] if places else -1
            front = next((at for at in fronts if at > last and text[at] == letter), None)
            if front is None:
                return ()
            places.append(front)
        return tuple(places)


@dataclass(frozen=True, slots=True)
class _Named:
    """Everything of one kind that has a name; `folded` is the names in lower case, letter for letter."""

    kind: Kind
    names: list[str]
    folded: list[str]
    extras: list[str]
    wnids: list[str]


class Finder:
    """Finds things in one file. Names are kept; keys of images are read anew each time: a million of them are 100 MB."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def find(self, words: str, *, limit: int = 100, stop: Stop | None = None) -> Found:
        """What matches every word, in any order. The name of a kind stands for all of it: `concept red`, `image 207`.

        Raises:
            StoreError: The file is damaged.
            Overtaken: `stop` said so.
        """
        typed = [Word(text) for text in words.split()]
        if any(word.number is not None for word in typed):
            typed = [word for word in typed if word.text != "index"]
        if not typed:
            return Found([], dict.fromkeys(KINDS, 0))
        counts: dict[Kind, int] = {}
        hits: list[Hit] = []
        for named in self._named:
            found = list(_matches(named, typed, stop))
            counts[named.kind] = len(found)
            found.sort(key=lambda hit: _rank(hit[0], named.names[hit[1]], hit[1]))
            hits += [
                Hit(named.kind, identity, named.names[identity], named.extras[identity], places, score)
                for score, identity, places in found[:limit]
            ]
        images, counts["image"] = self._images([word for word in typed if word.text != "image"], limit, stop)
        hits += images
        hits.sort(key=lambda hit: (*_rank(hit.score, hit.text, 0), KINDS.index(hit.kind), hit.identity))
        return Found(hits[:limit], counts)

    @cached_property
    def _named(self) -> list[_Named]:
        store = self.store
        wnids = _texts(store, "classes/wnid")
        kinds = _texts(store, "concepts/kind")
        classes = [str(name) for name in store.class_names]
        concepts = [str(name) for name in store.concept_names]
        return [
            _Named("class", classes, _folded(classes), _extras(len(classes), wnids), [wnid.lower() for wnid in wnids]),
            _Named("concept", concepts, _folded(concepts), _extras(len(concepts), kinds), []),
            _Named("model", store.models, _folded(store.models), [""] * len(store.models), []),
        ]

    def _images(self, words: list[Word], limit: int, stop: Stop | None) -> tuple[list[Hit], int]:
        """The first images whose keys contain every word, and how many there are."""
        keys = Values(self.store.dataset("images/key"))
        first: list[tuple[int, str]] = []
        count = 0
        longest_first = sorted((word.text for word in words), key=len, reverse=True)
        for low, cells in runs(keys, stop):
            rows = np.arange(len(cells))
            for text in longest_first:  # the rarest, as a rule: the others look at what it leaves
                rows = rows[rows_with(cells[rows] if len(rows) < len(cells) else cells, text)]
            count += len(rows)
            for row in rows[: limit - len(first)].tolist():
                first.append((low + row, cells[row].decode("utf-8", "replace")))
        hits = [self._image(row, key, words) for row, key in first]
        row = words[0].number if len(words) == 1 else None
        if row is not None and row < len(keys):
            key = str(keys.take(np.array([row]))[0])
            count += not says(key, words[0].text)
            hits = [hit for hit in hits if hit.identity != row]
            hits.append(Hit("image", row, key, self._image_extra(row), (), NUMBER))
        return hits, count

    def _image(self, row: int, key: str, words: list[Word]) -> Hit:
        text = _fold(key)
        matches = [word.match(key if word.exact else text) or (0.0, ()) for word in words]
        score, places = _together(matches)
        return Hit("image", row, key, self._image_extra(row), places, score if score >= SAME else IMAGE + score / 10)

    def _image_extra(self, row: int) -> str:
        label = int(np.searchsorted(self.store.offsets, row, side="right")) - 1
        return f"{row} {self.store.class_names[label]}"


def _matches(named: _Named, words: list[Word], stop: Stop | None) -> Iterator[tuple[float, int, Places]]:
    """Score, index and matched characters of everything of one kind that matches every word."""
    for identity, (name, folded) in enumerate(zip(named.names, named.folded, strict=True)):
        if stop is not None and identity % 256 == 0 and stop():
            raise Overtaken
        matches = []
        for word in words:
            match = word.match(name if word.exact else folded)
            if word.number == identity and named.kind != "model":
                match = NUMBER, ()
            elif named.wnids:
                match = _better(match, _in_wnid(word.text.lower(), named.wnids[identity]))
            if match is None and word.text == named.kind:
                continue
            if match is None:
                break
            matches.append(match)
        else:
            score, places = _together(matches)
            yield score, identity, places


def _in_wnid(word: str, wnid: str) -> tuple[float, Places] | None:
    if word == wnid:
        return NUMBER, ()
    return (FRONT, ()) if len(word) > 2 and wnid.startswith(word) else None


def _better(one: tuple[float, Places] | None, other: tuple[float, Places] | None) -> tuple[float, Places] | None:
    return max((match for match in (one, other) if match), key=lambda match: match[0], default=None)


def _together(matches: list[tuple[float, Places]]) -> tuple[float, Places]:
    """The worst score of several words, a little better the better the others are; where any of them matched."""
    if not matches:
        return INSIDE, ()
    scores = [score for score, _ in matches]
    places = tuple(sorted({place for _, found in matches for place in found}))
    return min(scores) + (sum(scores) / len(scores) - min(scores)) / 100, places


def _rank(score: float, text: str, identity: int) -> tuple[float, int, int]:
    return -score, len(text) if score < NUMBER else 0, identity


def _folded(names: list[str]) -> list[str]:
    return [_fold(name) for name in names]


def _fold(text: str) -> str:
    """The text in lower case, letter for letter: where one letter becomes two, its first."""
    lower = text.lower()
    return lower if len(lower) == len(text) else "".join(character.lower()[0] for character in text)


def _texts(store: Store, path: str) -> list[str]:
    return [str(text) for text in store.array(path)] if path in store else []


def _extras(count: int, others: list[str]) -> list[str]:
    return [f"{index} {others[index]}" if others else str(index) for index in range(count)]
