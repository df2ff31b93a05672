"""Finding an item of any axis that has a table: by part of its name, by its index or by its code (a WordNet id)."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from sing_compute.store import Store, catalogue
from sing_compute.store.columns import Values
from sing_compute.store.definition import Axis, TableSpec
from sing_compute.store.items import owner
from sing_compute.store.place import Key, Place
from sing_compute.store.read import located
from sing_tui.matching import FRONT, NUMBER, SAME, Match, Positions, Word, better, folded, joined
from sing_tui.search import Stop, Superseded, rows_with, runs, says

MANY = 1.0
"""Score of an item of which there are very many (an image), so that a thousand of them do not hide a name."""


@dataclass(frozen=True, slots=True)
class Hit:
    """An item that was found, and the place that shows it."""

    axis: str
    identity: Key
    """The item: its name on a group axis, else its position."""
    text: str
    """Its name, as the file has it."""
    extra: str
    """More that distinguishes it from others: its index, then its code, kind or owner."""
    positions: Positions
    """Characters of `text` that matched."""
    score: float
    place: Place
    select: Key | None = None
    """The item that the cursor goes to there; None for the first row."""


@dataclass(frozen=True, slots=True)
class Found:
    """The best hits, best first, and how many there are in all on each axis."""

    hits: list[Hit]
    counts: dict[str, int]
    note: str = ""
    """Says which property of the words was ignored, because nothing was found with it; empty if none was."""


@dataclass(frozen=True, slots=True)
class _Names:
    """The names of an axis; `folded` in lower case, letter for letter."""

    names: list[str]
    folded: list[str]
    extras: list[str]
    codes: list[str]


@dataclass(frozen=True, slots=True)
class _Candidate:
    score: float
    position: int
    positions: Positions


class Finder:
    """Finds items in one file. Names are kept; those of items that others own (images) are read again for each search: 100 MB."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._kept: dict[str, _Names] = {}

    @property
    def axes(self) -> tuple[tuple[str, str], ...]:
        """Word for one and for several items of each axis that is searched; named ones, groups, then owned ones."""
        return tuple((self._word(axis), self.store.noun.words(catalogue.plural(axis.name))) for axis in self._axes)

    def _word(self, axis: Axis) -> str:
        """Return the word for one item of an axis: its name, or what the file calls it."""
        return self.store.noun.words(axis.name)

    @cached_property
    def _tables(self) -> dict[str, TableSpec]:
        """The tables that the file holds something for, by name."""
        return {spec.name: spec for spec in catalogue.tables(self.store)}

    @cached_property
    def _axes(self) -> list[Axis]:
        axes = map(catalogue.axis, dict.fromkeys(spec.rows for spec in self._tables.values()))
        return sorted(axes, key=lambda axis: (_is_owned(axis), bool(axis.group)))

    def find(self, words: str, *, place: Place | None = None, limit: int = 100, stop: Stop | None = None) -> Found:
        """Find the items that match every word, in any order; where none does, without regard to capitals.

        Args:
            words: The words. The name of an axis matches all of it (`concept red`), a number the item of that index.
            place: Where the user is: a hit is shown for the same model.
            limit: Most hits that are returned.
            stop: Asked again and again whether to give up.

        Returns:
            The best hits, and how many there are.

        Raises:
            StoreError: The file is damaged.
            Superseded: `stop` returned True.
        """
        found = self._find(words, place, limit, stop)
        if words == words.lower() or any(found.counts.values()):
            return found
        found = self._find(words.lower(), place, limit, stop)
        return replace(found, note="capitals ignored") if any(found.counts.values()) else found

    def _find(self, words: str, place: Place | None, limit: int, stop: Stop | None) -> Found:
        """Find the items that match every word; case counts in words with a capital."""
        typed = [Word(text) for text in words.split()]
        if any(word.number is not None for word in typed):
            typed = [word for word in typed if word.text != "index"]
        if not typed:
            return Found([], {self._word(axis): 0 for axis in self._axes})
        here = self._here(place)
        counts = dict.fromkeys(map(self._word, self._axes), 0)
        hits: list[tuple[tuple[float, int, int, int, int], Hit]] = []
        for number, axis in enumerate(self._axes):
            search = self._owned if _is_owned(axis) else self._named
            for turn, there in enumerate(self._everywhere(axis, here)):
                found, count = search(axis, typed, there, limit, stop)
                counts[self._word(axis)] += count
                hits += [((*_rank(hit.score, hit.text), number, turn, position), hit) for position, hit in found]
        hits.sort(key=lambda ranked: ranked[0])
        return Found([hit for _, hit in hits[:limit]], counts)

    def _here(self, place: Place | None) -> Place:
        """Return a place that names one item of every group axis: that of the user's place, else the first."""
        here = Place("") if place is None else Place("", place.keys)
        for axis in catalogue.axes():
            if axis.group and here.key(axis.name) is None and self.store.members(axis.name):
                here = here.at(**{axis.name: self.store.members(axis.name)[0]})
        return here

    def _everywhere(self, axis: Axis, here: Place) -> list[Place]:
        """Return a place for each set of items that an axis has: one, or one for each item of a group, the user's first."""
        groups = _groups(axis)
        if not groups:
            return [here]
        own = here.key(groups[0])
        members = sorted(self.store.members(groups[0]), key=lambda member: member != own)
        there = (here.at(**{groups[0]: member}) for member in members)
        return [place for place in there if located(axis.field, place) in self.store]

    def _named(
        self, axis: Axis, words: list[Word], here: Place, limit: int, stop: Stop | None
    ) -> tuple[list[tuple[int, Hit]], int]:
        """Return the best items of an axis with their positions, and how many match."""
        known = self._names(axis, here)
        found = list(_matches(axis, known, words, stop))
        found.sort(key=lambda one: (*_rank(one.score, known.names[one.position]), one.position))
        hits = []
        for one in found[:limit]:
            name, extra = known.names[one.position], known.extras[one.position]
            key = name if axis.group else one.position
            hits.append((one.position, self._hit(axis, key, name, extra, one.positions, one.score, here)))
        return hits, len(found)

    def _names(self, axis: Axis, here: Place) -> _Names:
        where = f"{axis.name} {located(axis.labels or axis.field, here)}"
        if where not in self._kept:
            names = [str(name) for name in self.store.items(axis.name, here)]
            codes, kinds = self._texts(axis.codes, here), self._texts(axis.kinds, here)
            parts = [texts for texts in (codes, kinds) if texts]
            owners = [str(here.key(group)) for group in _groups(axis)]
            extras = [" ".join([str(k), *(texts[k] for texts in parts), *owners]) for k in range(len(names))]
            extras = [""] * len(names) if axis.group else extras
            self._kept[where] = _Names(names, list(map(folded, names)), extras, [code.lower() for code in codes])
        return self._kept[where]

    def _texts(self, path: str, here: Place) -> list[str]:
        path = located(path, here)
        return [str(text) for text in self.store.array(path)] if path and path in self.store else []

    def _owned(
        self, axis: Axis, words: list[Word], here: Place, limit: int, stop: Stop | None
    ) -> tuple[list[tuple[int, Hit]], int]:
        """Return the first items whose names contain every word, with their positions, and how many there are."""
        words = [word for word in words if word.text not in (axis.name, self._word(axis))]
        names = Values(self.store.dataset(located(axis.labels, here)))
        first: list[tuple[int, str]] = []
        count = 0
        longest_first = sorted((word.text for word in words), key=len, reverse=True)
        for low, cells in runs(names, stop):
            rows = np.arange(len(cells))
            for text in longest_first:  # the rarest, as a rule: the others look at what it leaves
                rows = rows[rows_with(cells[rows] if len(rows) < len(cells) else cells, text)]
            count += len(rows)
            for row in rows[: limit - len(first)].tolist():
                first.append((low + row, cells[row].decode("utf-8", "replace")))
        hits = [(row, self._owned_hit(axis, row, name, words, here)) for row, name in first]
        position = words[0].number if len(words) == 1 else None
        if position is not None and position < len(names):
            name = str(names.take(np.array([position]))[0])
            count += not says(name, words[0].text)
            hits = [(row, hit) for row, hit in hits if row != position]
            extra = self._owner_text(axis, position, here)
            hits.append((position, self._hit(axis, position, name, extra, (), NUMBER, here)))
        return hits, count

    def _owned_hit(self, axis: Axis, position: int, name: str, words: list[Word], here: Place) -> Hit:
        text = folded(name)
        score, positions = joined([word.match(name if word.exact else text) or (0.0, ()) for word in words])
        score = score if score >= SAME else MANY + score / 10
        return self._hit(axis, position, name, self._owner_text(axis, position, here), positions, score, here)

    def _owner_text(self, axis: Axis, position: int, here: Place) -> str:
        owning = owner(self.store, axis.name, position, here)
        return f"{position} {self.store.label(axis.parent, owning, here)}"

    def _hit(self, axis: Axis, key: Key, text: str, extra: str, positions: Positions, score: float, here: Place) -> Hit:
        place, select = self._destination(axis, key, here)
        return Hit(self._word(axis), key, text, extra, positions, score, place, select)

    def _destination(self, axis: Axis, key: Key, here: Place) -> tuple[Place, Key | None]:
        """Find the place that shows an item, and where the cursor goes there.

        The item's own table opens a table of what it holds; else its owner's items are shown; else the item is shown for every
        item of the last axis of its place; else it is one row of its table.
        """
        spec = next(spec for spec in self._tables.values() if spec.rows == axis.name)
        opened = (self._tables[name] for name in spec.opens if name in self._tables)
        deeper = next((one for one in opened if axis.name in (*one.within, *one.options)), None)
        if deeper is not None:
            return self._place(deeper, here).at(**{axis.name: key}), None
        if axis.parent and isinstance(key, int):
            return self._place(spec, here).at(**{axis.parent: owner(self.store, axis.name, key, here)}), key
        for along in catalogue.along_axes(spec):
            place = self._place(spec, here).at(**{along: None, axis.name: key})
            return Place(spec.name, place.keys, along), None
        return self._place(spec, here), key

    def _place(self, spec: TableSpec, here: Place) -> Place:
        """Return a place of a table that names an item of every axis that it needs: the user's, else the first."""
        keys = {axis: here.key(axis) for axis in spec.within}
        return Place(spec.name).at(**{axis: 0 if key is None else key for axis, key in keys.items()})


def _groups(axis: Axis) -> list[str]:
    """Return the group axis of whose items each has an axis of this name of its own, if there is one."""
    names = [known.name for known in catalogue.axes() if known.group and f"{{{known.name}}}" in axis.field]
    return [] if axis.group else names


def _is_owned(axis: Axis) -> bool:
    """Return True for an axis of so many items that their names are searched as the bytes they are stored in."""
    return bool(axis.parent and axis.labels)


def _matches(axis: Axis, known: _Names, words: list[Word], stop: Stop | None) -> Iterator[_Candidate]:
    """Find every item of an axis that matches every word."""
    for position, (name, lower) in enumerate(zip(known.names, known.folded, strict=True)):
        if stop is not None and position % 256 == 0 and stop():
            raise Superseded
        matches = []
        for word in words:
            match = word.match(name if word.exact else lower)
            if word.number == position and not axis.group:
                match = NUMBER, ()
            elif known.codes:
                match = better(match, _code_match(word.text.lower(), known.codes[position]))
            if match is None and word.text == axis.name:
                continue
            if match is None:
                break
            matches.append(match)
        else:
            score, positions = joined(matches)
            yield _Candidate(score, position, positions)


def _code_match(word: str, code: str) -> Match | None:
    if word == code:
        return NUMBER, ()
    return (FRONT, ()) if len(word) > 2 and code.startswith(word) else None


def _rank(score: float, text: str) -> tuple[float, int]:
    """Return what hits are sorted by: the better score first, then the shorter name."""
    return -score, len(text) if score < NUMBER else 0
