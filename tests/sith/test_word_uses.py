"""The table of uses: a word across all heads of a tower."""

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from ended_commands import Ended

import sing_compute

BASE = "towers/clip/"


def test_a_word_is_found_in_all_heads(folder: Path, command: Callable[..., Ended]) -> None:
    with sing_compute.load("heads.h5") as results:
        names = [str(word) for word in results.store.array(f"{BASE}words/name")]
        picks = results.store.array(f"{BASE}vectors/pick")
        weights = results.store.array(f"{BASE}vectors/coefficient")[..., 0, :]
        red = names.index("red")
        wanted = {
            (layer, head, vector, ("positive", "negative")[sign]): weights[layer, head, vector, sign, pick]
            for layer, head, vector, sign, pick in np.argwhere((picks == red) & (weights > 0))
        }
        table = results.table("uses", word="red")
        keys = zip(table["layer"], table["head"], table["vector"], table["pole"], strict=True)
        assert dict(zip(keys, table["coefficient"], strict=True)) == pytest.approx(wanted)
        assert (np.diff(table["coefficient"]) <= 0).all()
        first = table.iloc[0]
        vectors = results.table("vectors", layer=int(first["layer"]), head=int(first["head"]))
        assert vectors["value"].iloc[int(first["vector"])] == first["value"]
        assert vectors[f"{first['pole']}_cosine"].iloc[int(first["vector"])] == first["cosine"]
        assert f"red {first['coefficient']:.2f}" in vectors[first["pole"]].iloc[int(first["vector"])]
        assert len(results.table("uses")) == (weights > 0).sum()
    with h5py.File("heads.h5", "r+") as file:
        file[f"{BASE}uses/coefficient"][3] += 0.01
    assert f"{BASE}uses: do not match the vectors" in command("verify", "heads.h5").out
