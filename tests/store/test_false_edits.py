"""`verify` finds false numbers: a part of the edits of false_edits.py, on a small file."""

import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
from edit_kinds import Edit, edits
from false_edits import FOUND, PASSED, outcomes
from stores import write_store

from sing_compute.store import Store
from sing_compute.store.checks.look import Findings, Look
from sing_compute.store.ranges import Range, split_unit
from sing_compute.store.verify import verify

CHOSEN = 12
"""Edits that are tried here, evenly spread over those that change numbers inside their range."""


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_store(tmp_path_factory.mktemp("edits") / "results.h5", models=("alpha",), concepts=6, groups=("x",))


def test_most_false_numbers_inside_their_range_are_found(path: Path, tmp_path: Path) -> None:
    every = [edit for edit in edits(path) if "inside" in edit.what and _follows(edit)]
    assert len(every) > 70
    chosen = [every[k] for k in np.linspace(0, len(every) - 1, CHOSEN).astype(int)]
    missed = [(each.where, each.what) for each in outcomes(path, chosen, tmp_path) if each.result != FOUND]
    assert missed == []


def _follows(edit: Edit) -> bool:
    """Return True for datasets that follow from others although the file keeps no features."""
    groups = ("classes/", "rankings/", "spectrum/", "variants/rank", "variants/nullity", "bootstrap/", "images/class")
    drawn = ("_control", "bootstrap/value", "bootstrap/images")
    return any(f"{{model}}/{group}" in edit.where for group in groups) and not any(name in edit.where for name in drawn)


def test_attributes_that_make_a_check_void_are_said_or_contradicted(path: Path, tmp_path: Path) -> None:
    names = ("null_space: energy", "lambda_choice: ", "flips admitted", "admitted by lambda_choice")
    chosen = [edit for edit in edits(path) if any(name in edit.what for name in names)]
    assert len(chosen) == 5
    passed = [each.what for each in outcomes(path, chosen, tmp_path) if each.result == PASSED]
    assert passed == ["attribute lambda_choice: removed"]  # this file has none


@pytest.mark.parametrize(
    "broken",
    [
        {
            "a subset without a group": "subsets/name: must be all, right, wrong, group:x",
            "a measured image is skipped, too": "images/skipped_key: 1 skipped images are measured, too",
        },
        {
            "attribute version removed": "attribute version is None, not 1 to 2",
            "attribute description removed": "attribute description is missing",
        },
    ],
)
def test_broken_structure_is_named(path: Path, tmp_path: Path, broken: dict[str, str]) -> None:
    copy = Path(shutil.copy(path, tmp_path / "broken.h5"))
    acts = {edit.what: edit.act for edit in edits(path)}
    with h5py.File(copy, "r+") as file:
        for what in broken:
            acts[what](file)
    with Store(copy) as store:
        problems = "\n".join(verify(store).problems)
    for line in broken.values():
        assert line in problems


def test_names_are_unique_not_empty_and_utf_8(path: Path, tmp_path: Path) -> None:
    named = ("a text that is not UTF-8", "an empty name", "a name twice")
    chosen = [edit for edit in edits(path) if edit.where == "concepts/name" and edit.what in named]
    lines = {each.what: each.line for each in outcomes(path, chosen, tmp_path)}
    assert lines["a text that is not UTF-8"] == "concepts/name: row 0 is not UTF-8"
    assert lines["an empty name"] == "concepts/name: 1 names are empty"
    assert lines["a name twice"] == "concepts/name: not unique: 1 names are there already, such as 'concept 1'"


def test_what_a_file_without_features_does_not_let_be_checked_is_said(path: Path) -> None:
    with Store(path) as store:
        notes = verify(store).notes
    assert notes[0].startswith("taken as given, as features are not kept: ")
    assert "alpha: its penalty was not chosen by this program (lambda_choice: no attribute)" in notes


def test_samples_are_always_the_same_rows_and_said(path: Path) -> None:
    findings = Findings()
    with Store(path) as store:
        look, full = (Look(store, "models/alpha/", "alpha", findings, full=every) for every in (False, True))
        first, again = look.sample(1000, 10, "rows"), look.sample(1000, 10, "rows")
        assert first.tolist() == again.tolist()
        assert (len(first), first[0], first[-1]) == (10, 0, 999)
        assert (np.diff(first) > 0).all()
        assert findings.sampled == {"rows": (20, 2000)}
        assert full.sample(1000, 10, "rows").tolist() == list(range(1000))
        assert look.sample(10, 10, "few").tolist() == list(range(10))
    assert "few" not in findings.sampled


@pytest.mark.parametrize(
    ("text", "unit", "axis", "limits", "words"),
    [
        ("degree in 0..180 or nan", "degree", "", Range(0, 180, nan=True), "from 0 to 180 or NaN"),
        ("1 in >0..1", "1", "", Range(0, 1, open_low=True), "above 0 and at most 1"),
        ("1 in ..1 or nan or inf", "1", "", Range(high=1, nan=True, infinite=True), "at most 1 or NaN or infinity"),
        ("1 or nan", "1", "", Range(nan=True), "NaN"),
        ("count", "count", "", Range(low=0), "0 or more"),
        ("index of class", "index", "class", Range(low=-1), "-1 or more"),
        ("index of class in 0..", "index", "class", Range(low=0), "0 or more"),
        ("text in found/not found", "text", "", Range(texts=("found", "not found")), "one of found, not found"),
    ],
)
def test_units_with_ranges_are_read(text: str, unit: str, axis: str, limits: Range, words: str) -> None:
    assert split_unit(text) == (unit, axis, limits)
    assert limits.words == words
