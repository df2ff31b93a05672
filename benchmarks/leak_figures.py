"""Which figure orders classes by how much they leak? Candidates against planted leaks of known strength.

`python benchmarks/leak_figures.py` measures it in the world of docs/planted.md, also with an offset that all images share, and
writes results/leak_figures.csv and the table of docs/method.md.
"""

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from planted import DOCUMENTED, measure
from planted_world import PlantedWorld

from sing_compute.scores.statistics import rank_correlation
from sing_compute.store import Store, class_table

SEEDS = 10
WORLDS: dict[str, dict[str, Any]] = {
    "no shared offset": {"offset": 0.0},
    "offset 4 beside all concepts (docs/planted.md)": {},
    "offset 8 anywhere": {"offset": 8.0, "offset_anywhere": True},
    "offset 16 anywhere": {"offset": 16.0, "offset_anywhere": True},
    "noise in features 1": {"feature_noise": 1.0},
}
"""Settings that differ from the documented ones. An offset anywhere lies along a random null direction, so it moves concepts."""
OUTPUT = Path(__file__).parent / "results" / "leak_figures"
Array = NDArray[np.float64]


def candidates(store: Store, model: str) -> dict[str, Array]:
    """Return figures by which classes could be ordered, (class,) each."""
    table = class_table(store, model)

    def column(name: str) -> Array:
        return np.asarray(table.column(name).values.all(), dtype=np.float64)

    def matrix(name: str) -> Array:
        return np.abs(store.array(f"models/{model}/concepts/{name}").astype(np.float64))

    scaled = column("attribute_score_abs_control") * column("null_energy_centred_mean") / column("null_energy_mean")
    return {
        "leak: largest &#124;centred AS&#124; of a concept": column("leak"),
        "that over its control": (matrix("attribute_score_centred") / matrix("control")).max(1),
        "largest &#124;AS&#124; of a concept": matrix("attribute_score").max(1),
        "largest &#124;z&#124; of a concept": matrix("z").max(1),
        "IS": column("image_score_q50"),
        "IS centred": column("image_score_centred_q50"),
        "&#124;AS&#124; of the class's prompt": column("attribute_score_abs_q50"),
        "&#124;AS&#124; centred of the class's prompt": column("attribute_score_centred_abs_q50"),
        "that over its control, scaled to its length": column("attribute_score_centred_abs_q50") / scaled,
    }


def correlations(world: PlantedWorld) -> dict[str, float]:
    """Return the rank correlation over classes of each candidate with the planted leak.

    The truth of a class is the largest true |AS| of a concept less what all classes share.
    """
    truths, _ = world.true_scores
    means = world.class_mean(truths)
    truth = np.abs(means - means.mean(0)).max(1)
    with tempfile.TemporaryDirectory() as folder, Store(measure({"model": world}, Path(folder) / "r.h5")) as store:
        return {name: rank_correlation(values, truth) for name, values in candidates(store, "model").items()}


def main() -> None:
    """Measure, print the table, and (unless --quick) write it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two seeds, nothing written")
    quick = parser.parse_args().quick
    seeds = 2 if quick else SEEDS
    found: dict[tuple[str, str], list[float]] = {}
    for title, changed in WORLDS.items():
        for seed in range(seeds):
            for name, value in correlations(PlantedWorld(replace(DOCUMENTED, **changed), seed)).items():
                found.setdefault((name, title), []).append(value)
    names = list(dict.fromkeys(name for name, _ in found))
    lines = ["| figure | " + " | ".join(WORLDS) + " |", "|---" * (len(WORLDS) + 1) + "|"]
    for name in names:
        cells = (f"{np.mean(found[name, title]):.2f} ({min(found[name, title]):.2f})" for title in WORLDS)
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    print("\n".join(lines))
    if not quick:
        rows = [
            f'"{name.replace("&#124;", "|")}","{title}",{np.mean(values):.4f},{min(values):.4f},{len(values)}'
            for (name, title), values in found.items()
        ]
        OUTPUT.with_suffix(".csv").write_text("\n".join(["figure,world,mean,least,seeds", *rows]) + "\n")
        OUTPUT.with_suffix(".md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
