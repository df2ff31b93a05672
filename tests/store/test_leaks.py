"""The leak of each class and its concept, from the matrix of shifts."""

from pathlib import Path

import numpy as np
import pytest
from stores import write_store

from sing_compute.store import Place, Store, class_table, open_table
from sing_compute.store.derived.leaks import largest_shift, mark_of_largest, most_shifted
from sing_compute.store.leaks import Leak, largest_leak

SHIFTS = np.array([[1.0, -3.0, 2.0], [np.nan, np.nan, np.nan], [0.0, np.nan, -0.5]], dtype=np.float32)
NAMES = np.array(["red", "striped", "large"], dtype=object)


def test_the_largest_shift_counts_whichever_way_it_goes() -> None:
    np.testing.assert_array_equal(largest_shift(SHIFTS), [3.0, np.nan, 0.5])
    assert most_shifted(SHIFTS, NAMES).tolist() == ["striped", "", "large"]


def test_the_star_is_that_of_the_concept_with_the_largest_shift() -> None:
    q = np.array([[0.5, 0.01, 0.5], [np.nan, np.nan, np.nan], [0.01, 0.01, 0.2]])
    assert mark_of_largest(SHIFTS, q).tolist() == ["*", "", ""]


def test_without_concepts_nothing_leaks() -> None:
    empty = np.zeros((2, 0))
    np.testing.assert_array_equal(largest_shift(empty), [np.nan, np.nan])
    assert most_shifted(empty, NAMES[:0]).tolist() == mark_of_largest(empty, empty).tolist() == ["", ""]


def test_the_table_says_for_each_class_what_its_concept_table_says(tmp_path: Path) -> None:
    with Store(write_store(tmp_path / "results.h5")) as store:
        model = store.models[0]
        classes = class_table(store, model)
        for index, (size, concept) in enumerate(
            zip(*(classes.column(name).values.all() for name in ("leak", "leak_concept")), strict=True)
        ):
            concepts = open_table(store, Place.of("concepts", model=model, **{"class": index}))
            shifts = np.abs(concepts.column("attribute_score_centred").values.all())
            if np.isfinite(shifts).any():
                best = int(np.nanargmax(shifts))
                assert size == pytest.approx(shifts[best])
                assert concept == str(concepts.column("concept").values.take(np.array([best]))[0])
            else:
                assert np.isnan(size)
                assert concept == ""
        sizes = classes.column("leak").values.all()
        first = int(np.nanargmax(sizes))
        leak = largest_leak(store, model)
        assert isinstance(leak, Leak)
        assert (leak.name, leak.size) == (str(store.class_names[first]), pytest.approx(sizes[first]))
