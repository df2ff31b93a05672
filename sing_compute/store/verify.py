"""Check a results file: its structure and the ranges of all values by the declarations, then what follows from other data.

Every check is declared by an analysis (`definition.Check`); this module knows none of them.
"""

import fnmatch
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from sing_compute.errors import StoreError
from sing_compute.store import catalogue
from sing_compute.store.catalogue import fields_within, is_present
from sing_compute.store.checks.look import Findings, Look
from sing_compute.store.constants import SCHEMA_VERSION
from sing_compute.store.definition import MUST, Analysis, Check, Field
from sing_compute.store.file import UnknownLengthError
from sing_compute.store.gate import reading
from sing_compute.store.read import Store
from sing_compute.store.text import one_line
from sing_compute.store.value_checks import check_values, stored_fields

MOST_ITEMS = 13
"""Items of a group axis, such as models, that are checked in full; of more, some are drawn."""
_NAMES = 6
"""Datasets or items that a line names; of more it says the number."""


class Verification(NamedTuple):
    """Result of checking a file."""

    problems: list[str]
    """One line for each problem."""
    checks: int
    """Number of checks."""
    unknown: list[str]
    """Groups and datasets that no analysis of this program declares; they are not checked."""
    notes: list[str]
    """One line for each reason why data could not be checked or were checked in part."""


def verify(store: Store, *, full: bool = False) -> Verification:
    """Check a whole file.

    Args:
        store: The file.
        full: Check everything; else of many models some are checked, and what takes long is computed again for some rows. These
            are the same ones each time.
    """
    checker = _Checker(store, full=full)
    with np.errstate(all="ignore"):
        checker.attempt("the structure", checker.structure)
        if not checker.findings.problems:  # values are checked only if the structure is correct
            for analysis in checker.present:
                checker.attempt(analysis.name, partial(checker.values, analysis))
            for analysis in checker.present:
                checker.contents(analysis)
    found = checker.findings
    problems = [one_line(store.noun.words(problem)) for problem in dict.fromkeys(found.problems)]
    return Verification(problems, found.made, checker.unknown, [one_line(store.noun.words(n)) for n in checker.notes()])


class _Checker:
    """Collect the problems of one file."""

    def __init__(self, store: Store, *, full: bool) -> None:
        self.store, self.full = store, full
        self.findings = Findings()
        self.unknown: list[str] = []
        self.present: list[Analysis] = []
        self._proven: set[tuple[str, str]] = set()
        """Datasets, as paths of their declarations, that a check has computed again, each with its item; "" for the file."""
        self._items: dict[str, list[str]] = {}
        """Items of each group axis that are checked in full."""
        self._without: dict[str, dict[tuple[str, str], set[str]]] = {}
        """Datasets that a check would have computed again, by the reason why it could not, and by axis and item."""

    def items(self, axis: str) -> list[str]:
        """Return the items of a group axis that are checked in full: the first, the last, and some between them, if many."""
        if axis not in self._items:
            members = self.store.members(axis)
            look = Look(self.store, "", "", Findings(), full=self.full)
            self._items[axis] = [members[row] for row in look.sample(len(members), MOST_ITEMS, axis).tolist()]
        return self._items[axis]

    def _subjects(self, analysis: Analysis) -> list[str]:
        return [] if analysis.subject == "file" else self.items(analysis.subject)

    def check(self, good: Any, problem: str) -> None:
        """Count one check, and record the problem if it failed."""
        self.findings.made += 1
        if not bool(good):
            self.findings.problems.append(problem)

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
            chosen, fields = set(self.items(analysis.subject)), fields_within(analysis, subject=True)
            needed = [field for field in fields if field.level == MUST]
            for item in store.members(analysis.subject):
                there = is_present(store, analysis, item)
                for field in fields if item in chosen else needed if there else ():
                    path = field.path.format(**{analysis.subject: item})
                    if item in chosen:
                        self._dataset(path, field, wanted=there)
                    else:
                        self.check(path in store, f"{path}: missing")
        self.unknown = store.unknown()
        self.present = known

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
        self.findings.made += 4  # the gate has looked at kind, dtype, axes and lengths
        attributes = stored.attributes()
        axes, unit = attributes.get("axes"), attributes.get("unit")
        self.check(axes == ",".join(field.axes), f"{path}: attribute axes is {axes!r}")
        self.check(unit == field.unit, f"{path}: attribute unit is {unit!r}")
        version, description = attributes.get("version"), attributes.get("description")
        known = isinstance(version, int) and 0 < version <= SCHEMA_VERSION
        self.check(known, f"{path}: attribute version is {version!r}, not 1 to {SCHEMA_VERSION}")
        self.check(isinstance(description, str) and description.strip(), f"{path}: attribute description is missing")

    def values(self, analysis: Analysis) -> None:
        """Check every value of an analysis against its range."""
        for stored in stored_fields(self.store, analysis, self._subjects(analysis)):
            self.attempt(stored.path, partial(check_values, self.store, stored, self.findings))

    def contents(self, analysis: Analysis) -> None:
        """Make the declared checks of an analysis: those of the whole file, then those of each subject."""
        mark = f"{{{analysis.subject}}}"
        own = [check for check in analysis.checks if any(mark in path for path in (*check.proves, *check.needs))]
        base = Look(self.store, "", "", self.findings, full=self.full)
        for check in analysis.checks:
            if check not in own:
                self._make(check, base, {})
        group = "" if analysis.subject == "file" else catalogue.axis(analysis.subject).group
        for item in self.items(analysis.subject) if own else []:
            look = Look(self.store, f"{group}/{item}/", item, self.findings, full=self.full)
            for check in own:
                self._make(check, look, {analysis.subject: item})

    def _make(self, check: Check, look: Look, items: dict[str, str]) -> None:
        """Make one check of one subject, or remember why it cannot be made."""
        proves = [path for name in check.proves for path in declared(name)]
        there = [path for path in proves if _located(path, items) in self.store]
        own = [path for path in there if _located(path, items) != path or not items]
        if proves and not own:
            return
        missing = [path for path in check.needs if _located(path, items) not in self.store]
        axis, item = next(iter(items.items()), ("", ""))
        if missing:
            reason = check.without or f"{_short(missing[0])} is not in the file"
            self._without.setdefault(reason, {}).setdefault((axis, item), set()).update(there)
            return
        self._proven.update((path, item) for path in there)
        self.attempt(look.base or "the file", partial(check.run, look))

    def notes(self) -> list[str]:
        """Return a line for each reason why something is taken as given, and one for what was sampled."""
        findings, lines = self.findings, []
        for reason in self._without:
            lines += self._given(reason)
        rest = {
            stored.field.path
            for analysis in self.present
            for stored in stored_fields(self.store, analysis, self._subjects(analysis))
        }
        rest -= {path for path, _ in self._proven}
        rest = rest.difference(*(fields for by_item in self._without.values() for fields in by_item.values()))
        if rest:
            lines.append(
                f"taken as given within its range, as nothing in a file determines it: {_listed(sorted(rest))}"
            )
        for reason, items in findings.notes.items():
            named = _listed(sorted(filter(None, items)))
            lines.append(f"{named}: {reason}" if named else reason)
        for axis, chosen in self._items.items():
            count = len(self.store.members(axis))
            if len(chosen) < count:
                several = catalogue.plural(axis)
                lines.append(
                    f"{len(chosen)} of {count:,} {several} were checked, of the others only which datasets they have: "
                    f"{_listed(chosen)}; --full checks all"
                )
        if findings.sampled:
            parts = [f"{done:,} of {count:,} {what}" for what, (done, count) in findings.sampled.items()]
            lines.append(f"computed again for some rows only: {', '.join(parts)}; --full computes all")
        return lines

    def _given(self, reason: str) -> list[str]:
        """Return a line for each set of datasets that are taken as given for a reason, with the items if others have more."""
        alike: dict[tuple[str, frozenset[str]], list[str]] = {}
        for (axis, item), fields in self._without[reason].items():
            left = frozenset(path for path in fields if not {(path, item), (path, "")} & self._proven)
            if left:
                alike.setdefault((axis, left), []).append(item)
        return [
            f"{'' if not axis or len(items) == len(self.items(axis)) else f'{_listed(items)}: '}"
            f"taken as given, as {reason}: {_listed(sorted(left))}"
            for (axis, left), items in alike.items()
        ]


def declared(name: str) -> list[str]:
    """Return the declared paths that a name in a check stands for."""
    return [path for path in catalogue.FIELDS if fnmatch.fnmatchcase(path, name)] if set("*?") & set(name) else [name]


def _located(path: str, items: dict[str, str]) -> str:
    for axis, item in items.items():
        path = path.replace(f"{{{axis}}}", item)
    return path


def _short(path: str) -> str:
    """Return a declared path without the part that names the subject."""
    return path.partition("}/")[2] or path


def _listed(paths: list[str]) -> str:
    names = list(dict.fromkeys(map(_short, paths)))
    more = f" and {len(names) - _NAMES} more" if len(names) > _NAMES + 1 else ""
    return ", ".join(names[: _NAMES if more else None]) + more
