"""Check every value of a results file against the range that its declaration states, and every text, a piece at a time."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sing_compute.store import catalogue
from sing_compute.store.checks.look import Findings
from sing_compute.store.definition import Analysis, Field
from sing_compute.store.place import Place
from sing_compute.store.ranges import ROUNDING
from sing_compute.store.read import Store

_PIECE = 2**24
"""Bytes that are looked at at once."""
_MULTIPLIERS = np.random.default_rng(0).integers(1, 2**63, 1024, dtype=np.uint64) * np.uint64(2) + np.uint64(1)


class Stored(NamedTuple):
    """One dataset of a file, with its declaration."""

    path: str
    field: Field


def stored_fields(store: Store, analysis: Analysis, items: Sequence[str] | None = None) -> Iterator[Stored]:
    """Give the datasets of an analysis that a file holds.

    Args:
        store: The file.
        analysis: The analysis.
        items: Subjects whose datasets are given; None for all.
    """
    if items is None:
        items = [] if analysis.subject == "file" else store.members(analysis.subject)
    for field in analysis.fields:
        own = analysis.subject != "file" and f"{{{analysis.subject}}}" in field.path
        for path in [field.path.format(**{analysis.subject: item}) for item in items] if own else [field.path]:
            if path in store:
                yield Stored(path, field)


def check_values(store: Store, stored: Stored, findings: Findings) -> None:
    """Check one dataset: numbers against their range, indices against their axis, texts for UTF-8, names for repetition."""
    path, field = stored
    findings.made += 1
    if field.dtype == "text":
        _check_texts(store, stored, findings)
        return
    low, high = field.range.low, field.range.high
    if field.of:
        _, items = catalogue.field_of(path)
        high = store.count(field.of, Place("").at(**items)) - 1
    wrong, example = 0, np.nan
    for part in _pieces(store, path):
        outside = _outside(part, field, low, high)
        if outside is not None:
            wrong += int(outside.sum())
            example = part[outside][0]
    if wrong:
        wanted = f"not {field.range.words or 'finite'}"
        if field.of:
            wanted = f"outside the {catalogue.plural(field.of)}"
        count = store.dataset(path).size
        findings.problems.append(f"{path}: {wanted}: {wrong:,} of {count:,} values, such as {example:g}")


def _pieces(store: Store, path: str) -> Iterator[NDArray[Any]]:
    """Give the cells of a dataset, row by row, as many at a time as fit into `_PIECE`."""
    dataset = store.dataset(path)
    if not dataset.shape:
        yield np.atleast_1d(dataset[()])
        return
    step = max(1, _PIECE * len(dataset) // max(1, dataset.size * dataset.dtype.itemsize))
    for start in range(0, len(dataset), step):
        part = dataset.encoded(start, start + step)
        if part.size:
            yield part


def _outside(part: NDArray[Any], field: Field, low: float, high: float) -> NDArray[np.bool_] | None:
    """Return True for each value that is not allowed; None if all are, which is found by two passes without a copy."""
    limits = field.range
    floats = part.dtype.kind == "f"
    room = [ROUNDING * max(1.0, abs(end)) if floats and np.isfinite(end) else 0.0 for end in (low, high)]
    low, high = (low if limits.open_low else low - room[0]), high + room[1]
    least, most = part.min(), part.max()
    finite = np.isfinite(least) and np.isfinite(most)  # the least of values with a NaN is NaN
    if finite and (least > low if limits.open_low else least >= low) and most <= high:
        return None
    good = (part > low if limits.open_low else part >= low) & (part <= high) & np.isfinite(part)
    if limits.nan:
        good |= np.isnan(part)
    if limits.infinite:
        good |= np.isposinf(part)
    return None if good.all() else ~good


def _check_texts(store: Store, stored: Stored, findings: Findings) -> None:
    """Check that texts are UTF-8 and allowed, and that the names of an axis are neither empty nor repeated."""
    path, field = stored
    named = next((axis for axis in catalogue.axes() if field.path in (axis.labels, axis.field)), None)
    hashes: list[NDArray[np.uint64]] = []
    empty = 0
    for part in _pieces(store, path):
        raw = np.ascontiguousarray(part).view(np.uint8).reshape(part.size, -1)
        for row in np.flatnonzero((raw > 127).any(1)).tolist() if raw.max(initial=0) > 127 else []:
            try:
                bytes(part[row]).decode("utf-8")
            except UnicodeDecodeError:
                findings.problems.append(f"{path}: row {row} is not UTF-8")
                break
        if field.range.texts:
            others = set(np.unique(part).tolist()) - {text.encode() for text in field.range.texts}
            if others:
                findings.problems.append(f"{path}: {min(others)!r} is not {field.range.words}")
        if named:
            empty += int((part == b"").sum())
            if not named.repeats:
                hashes.append(_hashes(raw))
    if empty:
        findings.problems.append(f"{path}: {empty:,} names are empty")
    if hashes:
        found = np.concatenate(hashes)
        _, first = np.unique(found, return_index=True)
        again = np.setdiff1d(np.arange(len(found)), first)
        if len(again):
            text = str(store.dataset(path)[int(again[0])])
            findings.problems.append(f"{path}: not unique: {len(again):,} names are there already, such as {text!r}")


def _hashes(raw: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Return a number for each text, equal for equal texts; different ones hardly ever have the same."""
    width = -(-raw.shape[1] // 8)
    words = np.zeros((len(raw), width * 8), np.uint8)
    words[:, : raw.shape[1]] = raw
    numbers = words.view(np.uint64)
    found = np.zeros(len(raw), np.uint64)
    for column in range(width):  # modulo 2^64; a product, then its high bits mixed in
        found = (found ^ numbers[:, column]) * _MULTIPLIERS[column]
        found ^= found >> np.uint64(29)
    return found
