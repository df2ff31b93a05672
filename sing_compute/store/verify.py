"""Check a results file: its structure against the declared analyses, and the contents of each analysis."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from sing_compute.errors import StoreError
from sing_compute.store import catalogue
from sing_compute.store.catalogue import fields_within, is_present
from sing_compute.store.checks.classifiers import check_classifiers, check_images
from sing_compute.store.checks.directions import check_directions
from sing_compute.store.checks.null_words import check_null_words
from sing_compute.store.checks.sing_scores import check_sing
from sing_compute.store.checks.sith_towers import check_towers
from sing_compute.store.definition import MUST, Analysis, Field
from sing_compute.store.file import UnknownLengthError
from sing_compute.store.gate import reading
from sing_compute.store.place import Place
from sing_compute.store.read import Store
from sing_compute.store.text import one_line

Checks = Callable[["Checker", Store], None]
CHECKS: dict[str, Checks] = {
    "images": check_images,
    "classifiers": check_classifiers,
    "sing": check_sing,
    "sith": check_towers,
    "null_words": check_null_words,
    "directions": check_directions,
}
"""Checks of an analysis' contents, by the analysis' name."""
_CHUNK = 2**20


class Verification(NamedTuple):
    """Result of checking a file."""

    problems: list[str]
    """One line for each problem."""
    checks: int
    """Number of checks."""
    unknown: list[str]
    """Groups and datasets that no analysis of this program declares; they are not checked."""


def verify(store: Store) -> Verification:
    """Check a whole file."""
    checker = Checker(store)
    with np.errstate(all="ignore"):
        checker.attempt("the structure", checker.structure)
        if not checker.problems:  # values are checked only if the structure is correct
            for analysis in catalogue.analyses():
                if is_present(store, analysis):
                    checker.attempt(analysis.name, partial(checker.indices, analysis))
                    if analysis.name in CHECKS:
                        checker.attempt(analysis.name, partial(CHECKS[analysis.name], checker, store))
    return Verification(checker.problems, checker.made, checker.unknown)


class Checker:
    """Collect the problems of one file."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.problems: list[str] = []
        self.unknown: list[str] = []
        self.made = 0

    def check(self, good: Any, problem: str) -> None:
        """Count one check, and record the problem if it failed."""
        self.made += 1
        if not bool(good):
            self.problems.append(one_line(self.store.noun.words(problem)))

    def attempt(self, path: str, checks: Callable[[], None]) -> None:
        """Run some checks; an error that they raise is a problem, too."""
        try:
            with reading(path):
                checks()
        except StoreError as error:
            self.check(False, str(error).removeprefix(f"{self.store.path.name}: "))

    def structure(self) -> None:
        """Check that every present analysis has the datasets it must have, and that all datasets are as declared."""
        store = self.store
        known = [analysis for analysis in catalogue.analyses() if is_present(store, analysis)]
        self.check(known, "the file holds no analysis that this program knows")
        for analysis in catalogue.analyses():
            present = analysis in known
            for field in fields_within(analysis, subject=analysis.subject == "file"):
                self._dataset(field.path, field, wanted=present)
            if analysis.subject == "file":
                continue
            for item in store.members(analysis.subject):
                there = is_present(store, analysis, item)
                for field in fields_within(analysis, subject=True):
                    self._dataset(field.path.format(**{analysis.subject: item}), field, wanted=there)
        self.unknown = store.unknown()

    def _dataset(self, path: str, field: Field, *, wanted: bool) -> None:
        try:
            stored = self.store.examine(path)
        except UnknownLengthError:  # the problem is reported where its axes are defined
            return
        except StoreError as error:
            self.check(False, str(error))
            return
        if stored is None:
            self.check(not wanted or field.level != MUST, f"{path}: missing")
            return
        self.made += 4  # the gate has looked at kind, dtype, axes and lengths
        attributes = self.store.attributes(path)
        axes, unit = attributes.get("axes"), attributes.get("unit")
        self.check(axes == ",".join(field.axes), f"{path}: attribute axes is {axes!r}")
        self.check(unit == field.unit, f"{path}: attribute unit is {unit!r}")

    def indices(self, analysis: Analysis) -> None:
        """Check that indices point to items of their axis; -1 is no item."""
        for path, field in self._stored(analysis):
            if not field.of:
                continue
            _, items = catalogue.field_of(path)
            count = self.store.count(field.of, Place("").at(**items))
            stored = self.store.dataset(path)
            low, high = 0, -1
            for start in range(0, len(stored), _CHUNK):
                part = stored[start : start + _CHUNK]
                low, high = min(low, int(part.min(initial=0))), max(high, int(part.max(initial=-1)))
            self.check(low >= -1 and high < count, f"{path}: outside the {catalogue.plural(field.of)}")

    def _stored(self, analysis: Analysis) -> list[tuple[str, Field]]:
        """Return the datasets of an analysis that the file holds."""
        items = [] if analysis.subject == "file" else self.store.members(analysis.subject)
        found = [(field.path, field) for field in fields_within(analysis, subject=analysis.subject == "file")]
        if analysis.subject != "file":
            for field in fields_within(analysis, subject=True):
                found += [(field.path.format(**{analysis.subject: item}), field) for item in items]
        return [(path, field) for path, field in found if path in self.store]
