"""Two results files side by side: the same place in both, rows joined by name, differences as between models of one file."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from sing_compute.errors import SingError, StoreError
from sing_compute.store import catalogue
from sing_compute.store.alignment import aligned, ids_of
from sing_compute.store.columns import Column, Table
from sing_compute.store.comparison import Side, column_keys, side_by_side, with_measure
from sing_compute.store.figures_table import Figures, figures_table
from sing_compute.store.matching import Matching, match_rows, positions, same_rows, same_texts
from sing_compute.store.place import Place
from sing_compute.store.read import Store, located
from sing_compute.store.table_building import plain_table
from sing_compute.store.text import one_line, store_error

_KEPT = 3
"""Places whose matched rows are kept."""
_PROCESSED_BY = ("preprocessing", "input_size")
"""Attributes of a model that say how images become tensors."""


class TwoFiles:
    """Two open results files, and which items of the second one belong to items of the first one.

    Items belong together by code (WordNet id) if both files have codes, else by name. One model in each file belongs to the other
    whatever they are called.
    """

    def __init__(self, first: Store, second: Store, labels: Sequence[str]) -> None:
        """Join two files.

        Args:
            first: The file that places are of.
            second: The file that is compared with it: differences are its values minus those of the first one.
            labels: Name of each file, in columns and messages.
        """
        self.first, self.second = first, second
        self.labels = tuple(map(one_line, labels))
        self._same: dict[tuple[str, str], bool] = {}
        self._matched: dict[Place, Matching] = {}

    def table(self, place: Place, measure: str) -> Table:
        """Open a table in both files, joined in one column: its values in both, the difference, the change of rank.

        Rows that one file lacks have NaN there. The table's note says how many these are, and in what else the files differ.

        Args:
            place: The place in the first file, without comparison.
            measure: Name of the compared column.

        Raises:
            StoreError: One of the files does not hold the table, or an item of the place, or has no such column.
        """
        there = self.counterpart(place)
        first = self._opened(0, place, measure)
        second = self._opened(1, there, measure)
        matching = self._matching(place, there, first, second)
        if len(matching.only_second) or not _is_in_order(matching, second.length):
            first, second = aligned(first, second, matching, self.first.count(first.axis, place))
        if place.along:  # its rows are named by the items of that axis
            first = replace(first, spec=replace(first.spec, naming=(first.columns[0].name,)))
        sides = [Side(*side) for side in zip(column_keys(self.labels), self.labels, (first, second), strict=True)]
        joined = side_by_side(sides, measure, of_common=True)
        differing = self._differing(place, there)
        columns = [_with_caution(column, differing) for column in joined.columns]
        return replace(joined, columns=columns, note=self._note(place, there, matching, first.axis, differing))

    def figures(self, place: Place) -> Table:
        """Open all figures of one row in both files, a figure in each row, and their differences.

        Args:
            place: The place in the first file, without comparison; it also names the row's own item.

        Raises:
            StoreError: One of the files does not hold the table or the row.
        """
        there = self.counterpart(place)
        axis = catalogue.table(place.table).rows
        parts = []
        sides = ((self.first, place), (self.second, there))
        for label, key, (store, where) in zip(self.labels, column_keys(self.labels), sides, strict=True):
            table, item = plain_table(store, where.at(**{axis: None})), where.key(axis)
            rows = [store.members(axis).index(item)] if isinstance(item, str) else np.flatnonzero(ids_of(table) == item)
            if not len(rows):
                raise store_error(f"{label} has no figures of {store.label(axis, item or 0, where)}")
            columns = [column for column in table.columns if column.role != "index"]  # each file counts in its own way
            parts.append(Figures(label, key, replace(table, columns=columns), int(rows[0])))
        differing = self._differing(place, there)
        found = figures_table(parts, self.first.noun.words(axis))
        columns = [_with_caution(column, differing) for column in found.columns]
        return replace(found, columns=columns, note=self._note(place, there, same_rows(found.length), axis, differing))

    def counterpart(self, place: Place) -> Place:
        """Return the same place in the second file.

        Raises:
            StoreError: The second file lacks an item of the place, or has several that cannot be told apart.
        """
        there = Place(place.table, along=place.along)
        groups = [axis for axis, _ in place.keys if catalogue.axis(axis).group]
        for axis in (*groups, *(axis for axis, _ in place.keys if axis not in groups)):
            key = place.key(axis)
            if key is not None:
                found = self._member(axis, str(key)) if axis in groups else self._position(axis, int(key), place, there)
                there = there.at(**{axis: found})
        return there

    def differing(self, place: Place) -> list[str]:
        """Name what is different in the files apart from their models: CLIP, concepts, classes, images, preprocessing.

        Args:
            place: Its models are looked at.
        """
        return self._differing(place, self.counterpart(place))

    def second_name(self, axis: str, identity: int, place: Place) -> str:
        """Return the name of a row that only the second file has; `-` if there is none.

        Args:
            axis: Axis of the rows.
            identity: Identity of the row in a joined table.
            place: The place in the first file.
        """
        try:
            return self.second.label(axis, identity - self.first.count(axis, place), self.counterpart(place))
        except SingError:
            return "-"

    def _opened(self, which: int, place: Place, measure: str) -> Table:
        try:
            return with_measure((self.first, self.second)[which], place, measure, self.labels[which])
        except StoreError as error:
            said = str(error)
            raise store_error(
                said if said.startswith(self.labels[which]) else f"{self.labels[which]}: {said}"
            ) from error

    def _member(self, axis: str, name: str) -> str:
        """Return the item of a group axis of the second file that belongs to one of the first."""
        names = self.second.members(axis)
        if name in names:
            return name
        if len(names) == len(self.first.members(axis)) == 1:
            return names[0]
        several = catalogue.plural(axis)
        there = ", ".join(names) or "none"
        raise store_error(
            f"{self.labels[1]} has no {axis} {name!r} (only {self.labels[0]} has it); its {several}: {there}"
        )

    def _position(self, axis: str, key: int, place: Place, there: Place) -> int:
        known = catalogue.axis(axis)
        word = self.first.noun.words(axis)
        name = self.first.label(axis, key, place)
        if self._same_items(axis, place, there):
            return key
        for path in (known.codes, known.labels):
            own, other = (
                (store.dataset(located(path, where)) if path and located(path, where) in store else None)
                for store, where in ((self.first, place), (self.second, there))
            )
            if own is None or other is None or not 0 <= key < len(own) or not str(own[key]):
                continue
            text = str(own[key])
            hits, twins = positions(other, text), positions(own, text)
            if len(hits) == len(twins) == 1:
                return hits[0]
            if hits and path == known.labels:
                raise store_error(
                    f"several {catalogue.plural(axis)} are named {text!r}: which of both files belong together?"
                )
            if not hits:
                break
        raise store_error(f"{self.labels[1]} has no {word} {name!r}")

    def _same_items(self, axis: str, place: Place, there: Place) -> bool:
        """Return True if an axis has the same items in the same order in both files."""
        known = catalogue.axis(axis)
        if known.group:
            return self.first.members(axis) == self.second.members(axis)
        if not known.labels:
            return self.first.count(axis, place) == self.second.count(axis, there)
        if located(known.labels, place) not in self.first or located(known.labels, there) not in self.second:
            return False
        paths = [path for path in (known.labels, known.codes) if path]
        return all(self._same_dataset(located(path, place), located(path, there)) for path in paths)

    def _same_dataset(self, path: str, other: str) -> bool:
        """Return True if a dataset of text is the same in both files, or if one of them lacks it."""
        if (path, other) not in self._same:
            there = path in self.first and other in self.second
            same = not there or same_texts(self.first.dataset(path), self.second.dataset(other))
            self._same[path, other] = same
        return self._same[path, other]

    def _matching(self, place: Place, there: Place, first: Table, second: Table) -> Matching:
        axis = first.axis
        if first.length == second.length and self._same_items(axis, place, there):
            own, other = (ids_of(table) for table in (first, second))
            if np.array_equal(own, other):
                return same_rows(first.length)
        if catalogue.axis(axis).group and first.length == second.length == 1:
            return same_rows(1)
        if place not in self._matched:  # 3 seconds for a million names
            self._matched = {**dict(list(self._matched.items())[1 - _KEPT :]), place: match_rows(first, second)}
        return self._matched[place]

    def _differing(self, place: Place, there: Place) -> list[str]:
        found = []
        one, other = (store.attributes("clip") for store in (self.first, self.second))
        known = next((name for name in ("state_sha256", "tag") if one.get(name) and other.get(name)), "")
        if known and one[known] != other[known]:
            found.append("CLIP")
        for path, word in (("concepts/name", "concepts"), ("classes/name", "classes")):
            if not self._same_dataset(path, path):
                found.append(word)
        prints = [store.attributes("images").get("fingerprint") for store in (self.first, self.second)]
        same = prints[0] == prints[1] if all(prints) else self._same_dataset("images/key", "images/key")
        if not same:
            found.append(self.first.noun.plural)
        model = place.name("model")
        if model:
            one, other = (
                self.first.attributes(f"models/{model}"),
                self.second.attributes(f"models/{there.name('model')}"),
            )
            if any(one.get(name) and other.get(name) and one[name] != other[name] for name in _PROCESSED_BY):
                found.append("preprocessing")
        return found

    def _note(self, place: Place, there: Place, matching: Matching, axis: str, differing: list[str]) -> str:
        alone = ((self.labels[0], matching.only_first), (self.labels[1], len(matching.only_second)))
        counts = [f"{count:,} only in {label}" for label, count in alone if count]
        counted = catalogue.plural(axis) if counts else ""
        others = [word for word in differing if word != counted]
        parts = [f"other {', '.join(others)}"] if others else []
        parts += [", ".join(counts)] if counts else []
        if matching.repeated:
            parts.append(f"{matching.repeated:,} rows of one name")
        model, partner = place.name("model"), there.name("model")
        if place.along == "model" or (place.table == "models" and not model):
            model, partner = (
                (names[0] if len(names) == 1 else "") for names in (self.first.models, self.second.models)
            )
        if model and partner and model != partner:
            parts.append(f"model {partner} in {self.labels[1]}")
        return "; ".join(parts)


def _with_caution(column: Column, differing: Sequence[str]) -> Column:
    """Return a column of differences with a word on what else makes them; any other column as it is."""
    if column.role not in ("difference", "rank change") or not differing:
        return column
    words = (
        f"{column.description}. Caution: not only the models differ, the files have other {', '.join(differing)}, too"
    )
    if "CLIP" in differing:
        words += "; angles in two CLIPs are not on one scale, so this is no difference between models"
    return replace(column, description=words)


def _is_in_order(matching: Matching, length: int) -> bool:
    """Return True if both tables have the same rows in the same order."""
    return len(matching.rows) == length and bool((matching.rows == np.arange(length)).all())
