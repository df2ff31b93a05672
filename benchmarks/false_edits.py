"""Make a results file say something false in hundreds of ways, and count what `verify` finds.

`python benchmarks/false_edits.py` makes a small file with every analysis, edits each of its datasets at least once, and writes
`benchmarks/results/false_edits.csv` and `.md`. `python benchmarks/false_edits.py FILE --only NAME` makes every kind of edit of
the datasets of a file whose paths hold NAME, and prints what is not found.
"""

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

sys.path.extend(str(Path(__file__).resolve().parents[1] / part) for part in ("tests", "tests/store"))

import h5py
import numpy as np
from edit_kinds import ONE, Edit, edits
from edit_reasons import reason_of
from ratios import save_rows

from sing_compute.store import Store, catalogue
from sing_compute.store.value_checks import check_values, stored_fields
from sing_compute.store.verify import Verification, _Checker, declared, verify

RESULTS = Path(__file__).parent / "results" / "false_edits.csv"
FOUND, SAID, PASSED = "found", "said", "passed"
"""Results of one edit: a problem, another line about what was not checked, or the same answer as before."""
_EVERY = 20
"""One in so many edits of a dataset, beyond its first one, is made."""
_PROCESSES = 2
_TOGETHER = 4
"""Edits that are made at once, of those whose datasets no check says to prove: most pass."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Answer of `verify` to one kind of edit."""

    where: str
    """Declared path of the dataset, or the group of an attribute."""
    what: str
    result: str
    line: str
    """The first problem, or the first line that is new; of an edit that passed the reason why it cannot be found."""


def outcomes(path: Path, chosen: Sequence[Edit], folder: Path) -> Iterator[Outcome]:
    """Make each edit on a copy of a file and verify it.

    Args:
        path: The file, which passes `verify`.
        chosen: The edits.
        folder: Folder for the copy.
    """
    with Store(path) as store:
        before = verify(store)
    assert not before.problems, before.problems
    copy, left = folder / f"edited-{os.getpid()}.h5", []
    for edit in chosen:
        _edit(path, copy, [edit])
        with Store(copy) as store:
            line = _first_problem(store, edit)
        if line:
            yield Outcome(edit.where, edit.what, FOUND, line)
        else:
            left.append(edit)
    values = [edit for edit in left if edit.of_values]
    groups = [values[start : start + _TOGETHER] for start in range(0, len(values), _TOGETHER)]
    for group in (*groups, *([edit] for edit in left if not edit.of_values)):
        yield from _left(path, copy, group, before)


def _left(path: Path, copy: Path, chosen: Sequence[Edit], before: Verification) -> Iterator[Outcome]:
    """Make some edits at once; if `verify` says something new, make them in two halves, down to single ones."""
    _edit(path, copy, chosen)
    with Store(copy) as store:
        after = verify(store)
    new = [line for line in (*after.notes, *after.unknown) if line not in (*before.notes, *before.unknown)]
    if len(chosen) > 1 and (after.problems or new):
        middle = len(chosen) // 2
        for half in (chosen[:middle], chosen[middle:]):
            yield from _left(path, copy, half, before)
        return
    for edit in chosen:
        result = FOUND if after.problems else SAID if new else PASSED
        yield Outcome(edit.where, edit.what, result, next(iter((*after.problems, *new)), ""))


def _edit(path: Path, copy: Path, chosen: Sequence[Edit]) -> None:
    shutil.copyfile(path, copy)
    with h5py.File(copy, "r+") as file:
        for edit in chosen:
            edit.act(file)


def _first_problem(store: Store, edit: Edit) -> str:
    """Make only what `verify` does with the edited dataset: its range, and the checks that say to prove it.

    `verify` makes the same ones, so it finds what they find. An empty text says nothing: then all of `verify` is asked.
    """
    if not edit.of_values:
        return ""
    checker = _Checker(store, full=False)
    with np.errstate(all="ignore"):
        for analysis in catalogue.analyses():
            for stored in stored_fields(store, analysis):
                if stored.field.path == edit.where:
                    checker.attempt(stored.path, partial(check_values, store, stored, checker.findings))
            proving = [each for each in analysis.checks if any(edit.where in declared(name) for name in each.proves)]
            if proving and not checker.findings.problems:
                checker.contents(replace(analysis, checks=tuple(proving)))
    return next(iter(checker.findings.problems), "")


def chosen_edits(path: Path) -> list[Edit]:
    """Choose the edits of the table: one value of each dataset, some of other kinds, and all of attributes and structure."""
    every = edits(path)
    datasets = [edit for edit in every if edit.of_values]
    first = {id(edit) for edit in datasets if edit.what in ONE}
    rest = {id(edit) for edit in [edit for edit in datasets if id(edit) not in first][::_EVERY]}
    return [edit for edit in every if not edit.of_values or id(edit) in first | rest]


def _part(path: Path, folder: Path, number: int) -> list[Outcome]:
    """Make one part of the edits; acts cannot be sent to another process, so they are made there."""
    return list(outcomes(path, chosen_edits(path)[number::_PROCESSES], folder))


def report(found: Sequence[Outcome]) -> list[str]:
    """Write totals, then every edit that was not found, with the reason."""
    open_ = [each for each in found if each.result == PASSED]
    free = [each for each in open_ if reason_of(each.where, each.what)]
    counts = {result: sum(each.result == result for each in found) for result in (FOUND, SAID, PASSED)}
    lines = [
        f"{len(found)} kinds of false edits of {len({each.where for each in found})} datasets and groups: {counts[FOUND]} are "
        f"found, {counts[SAID]} are answered by a new line about what was not checked, {counts[PASSED]} pass.",
        "",
        f"Of those that pass, {len(free)} are at data that nothing else in a file determines; without them "
        f"{len(found) - len(open_)} of {len(found) - len(free)} are found or said.",
        "",
        "| where | edit | result | reason, or the line |",
        "|---|---|---|---|",
    ]
    for each in found:
        if each.result != FOUND:
            line = each.line[:110] if each.result == SAID else reason_of(each.where, each.what) or "**not found**"
            lines.append(f"| `{each.where}` | {each.what} | {each.result} | {line.replace('|', chr(92) + '|')} |")
    return lines


def _save_all() -> None:
    from whole_file import make_whole

    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as name, ProcessPoolExecutor(_PROCESSES) as pool:
        path = make_whole(Path(name))
        parts = list(pool.map(partial(_part, path, Path(name)), range(_PROCESSES)))
    found = sorted((each for part in parts for each in part), key=lambda each: (each.where, each.what))
    lines = [*report(found), "", f"{time.perf_counter() - began:.0f} s."]
    print("\n".join(save_rows(RESULTS, "False edits of a results file that verify finds", found, lines)))


def main(arguments: Sequence[str] | None = None) -> None:
    """Make the table, or print the edits of a file that are not found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path, nargs="?")
    parser.add_argument("--only", default="", help="only edits of datasets whose path holds this text")
    options = parser.parse_args(arguments)
    if options.file is None:
        _save_all()
        return
    chosen = [edit for edit in edits(options.file) if options.only in edit.where]
    with tempfile.TemporaryDirectory() as folder:
        print("\n".join(report(list(outcomes(options.file, chosen, Path(folder))))))


if __name__ == "__main__":
    main()
