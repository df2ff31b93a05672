"""The benchmark of directions in real networks, in small: what it reads of a file, and what it says of it."""

from dataclasses import replace
from pathlib import Path

import direction_networks
import h5py
import numpy as np
from direction_networks import Found, Search
from stores import write_store

from sing_compute.store import Store
from sing_compute.store.write import Writer

ROW = Found(
    *(
        "net",
        "pooled",
        8,
        500,
        6,
        2,
        0,
        1,
        3,
        1,
        0.91,
        "boat, ship (0.52, p 0.005)",
        4,
        0.2,
        0.04,
        "0.15 (0.07 to 0.38); 0.84",
        1,
    ),
    *(23.04, "ship", 60.4, 0.881, True),
)


def test_a_search_is_read_from_its_file(tmp_path: Path) -> None:
    path = write_store(tmp_path / "results.h5")
    with h5py.File(path, "r+") as file:  # features of all its images
        file.pop("models/alpha/features", None)
        Writer(file).put("models/{model}/features/row", range(43), model="alpha")
        Writer(file).put("models/{model}/features/value", np.random.default_rng(0).normal(size=(43, 16)), model="alpha")
    few = {"first_steps": 5, "joint_steps": 5}
    found = direction_networks.measured(path, Search("alpha", maps=False, count=3, restarts=2, settings=few))
    assert (found.network, found.features, found.count, found.restarts) == ("alpha", "pooled", 3, 4)
    assert found.found + found.detector_only + found.unstable + found.not_found == 3
    assert found.seconds > 0
    with Store(path) as store:
        score = store.array("models/alpha/directions/trust/score")
        margins = np.nan_to_num(store.array("models/alpha/directions/classes/margin"))
        size = store.array("models/alpha/directions/steps/size")
    assert found.score == score.max()
    assert abs(found.margin) == np.abs(margins[..., size == 1]).max()


def test_the_table_and_what_is_said_of_it_follow_from_the_rows() -> None:
    random = replace(
        ROW, network="other", count=10, found=0, not_found=9, dead=0, named=1, signal_share=0.1, true_clip=False
    )
    lines = direction_networks.report([ROW, random])
    assert lines[2].startswith(
        "| net | pooled | 8 | 6 | 2 | 0 | 1 | 3 (1) | 0.91 | boat, ship (0.52, p 0.005) | 4 | 0.20 | 0.04 |"
    )
    assert lines[2].endswith("| 1 | ship +23.0 | 60 | 0.88 |")
    assert "| random CLIP: boat" in lines[3]
    assert lines[5:] == [
        "2 of 16 directions are found, 0 as detectors only, 2 are unstable, and 1 fire on no image.",
        "With a trained CLIP, 4 of 5 directions that fire have a name that one in twenty random directions reaches or fewer, by "
        "signal vector or difference: by chance up to 0.5.",
        "With a random CLIP, 1 of 10 directions that fire have a name that one in twenty random directions reaches or fewer, by "
        "signal vector or difference: by chance up to 1.0.",
        "The median null share of the signal vectors lies above that of random directions in 1 of 2 searches; 2 of all "
        "directions are called unread by the head.",
    ]
