"""Compare time and memory of the ridge translator with scikit-learn's Ridge over the same penalties.

`python benchmarks/translator.py` takes 20,000 images, features of 1,280 and a CLIP space of 512 on all cores, prints a table and
writes results/translator.csv and .md. Both peers give the out-of-fold cosine of every image for 13 penalties in 5 folds:

- ours: sums of each fold, one eigendecomposition for each fold, then every penalty through the eigenvectors, as a run does;
  AS and IS of every image and penalty come with it, and images are read in shards of 256, twice;
- scikit-learn: `Ridge(alpha)` of the float64 features outside each fold, for each penalty, and `predict` of the fold.

Memory is that of a separate process, which fits a whole translator (choice of the penalty, path, translators of all folds) on
images that are made up shard by shard; its memory before the fit is subtracted.
"""

import argparse
import subprocess
import sys
from collections.abc import Iterator
from functools import reduce
from operator import add
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from ratios import Ratio, in_turn, save, table
from sklearn.linear_model import Ridge
from torch import Tensor
from torch.nn.functional import cosine_similarity, normalize

from sing_compute.extraction.shard_file import SHARD_IMAGES
from sing_compute.linalg.null_space import HeadSplit, split_head
from sing_compute.measuring.fitting import FOLDS, RELATIVE_GRID, fit_translator, fold_sums, measure_path
from sing_compute.measuring.reader import FeatureBatch
from sing_compute.translator.ridge import AffineTranslator, RidgePath

RESULTS = Path(__file__).parent / "results" / "translator.csv"
MEMORY_IMAGES = (20_000, 80_000)
CLASSES = 1000


class World:
    """Correlated features with an offset, targets that depend on a part of them, a head of MobileNetV2's shape."""

    def __init__(self, dim: int, clip: int) -> None:
        draw = torch.Generator().manual_seed(0)
        self.mixing = torch.randn(dim, dim, generator=draw) * torch.logspace(0, -2, dim)[:, None] / dim**0.5
        self.offset = 0.1 * torch.rand(dim, generator=draw)
        self.truth = torch.randn(dim, clip, generator=draw)
        self.common = 3 * torch.randn(clip, generator=draw)
        self.texts = normalize(torch.randn(CLASSES, clip, generator=draw), dim=1)
        classes = min(CLASSES, 3 * dim // 4)
        self.split: HeadSplit = split_head(torch.randn(classes, dim, generator=draw), stored_dtype=torch.float32)

    def shard(self, start: int, stop: int) -> FeatureBatch:
        draw, count = torch.Generator().manual_seed(start + 1), stop - start
        features = torch.randn(count, len(self.offset), generator=draw) @ self.mixing + self.offset
        noise = torch.randn(count, len(self.common), generator=draw)
        targets = normalize(self.common + features @ self.truth + noise, dim=1)
        folds = torch.randint(FOLDS, (count,), generator=draw)
        return FeatureBatch(slice(start, stop), features, targets, torch.arange(start, stop) % CLASSES, folds)

    def shards(self, images: int) -> Iterator[FeatureBatch]:
        return (self.shard(row, min(row + SHARD_IMAGES, images)) for row in range(0, images, SHARD_IMAGES))


class Peers:
    """Both peers on the same images, which are in memory; their last results are stored."""

    def __init__(self, world: World, images: int) -> None:
        self.world, self.images, self.shards = world, images, list(world.shards(images))
        columns = zip(*((each.features, each.targets, each.folds) for each in self.shards), strict=True)
        self.features, self.targets, self.folds = map(torch.cat, columns)
        self.ridges: list[float] = (RELATIVE_GRID * reduce(add, fold_sums(lambda: self.shards)).lambda_unit).tolist()
        self.paths: list[RidgePath] = []
        self.ours_cosine: dict[float, NDArray[np.float64]] = {}
        self.reference: dict[tuple[float, int], Ridge] = {}
        self.reference_cosine: dict[float, Tensor] = {}

    def ours(self) -> None:
        sums = fold_sums(lambda: self.shards)
        total = reduce(add, sums)
        self.paths = [RidgePath(total - fold) for fold in sums]
        world = self.world
        figures = measure_path(lambda: self.shards, self.paths, world.split, world.texts, self.ridges, 1)
        self.ours_cosine = {ridge: columns[0] for ridge, columns in figures.items()}

    def scikit_learn(self) -> None:
        features, targets = self.features.double().numpy(), self.targets.double().numpy()
        folds = self.folds.numpy()
        self.reference_cosine = {ridge: torch.empty(self.images, dtype=torch.float64) for ridge in self.ridges}
        for fold in range(FOLDS):
            inside = folds == fold
            known, known_targets, unseen = features[~inside], targets[~inside], features[inside]
            for ridge in self.ridges:
                found = self.reference[ridge, fold] = Ridge(alpha=ridge).fit(known, known_targets)
                predicted = torch.from_numpy(found.predict(unseen))
                self.reference_cosine[ridge][inside] = cosine_similarity(predicted, torch.from_numpy(targets[inside]))

    def coefficients(self) -> float:
        """Return the largest difference of any coefficient from scikit-learn's, over the largest coefficient, of all fits."""
        return max(
            float(np.abs(self.paths[fold].fit(ridge).weight.numpy() - peer.coef_).max() / np.abs(peer.coef_).max())
            for (ridge, fold), peer in self.reference.items()
        )

    def cosines(self) -> float:
        """Return the largest difference of any image's out-of-fold cosine."""
        return max(
            float(np.abs(self.ours_cosine[ridge] - peer.numpy()).max()) for ridge, peer in self.reference_cosine.items()
        )


def measure(dim: int, clip: int, images: int, repetitions: int) -> Iterator[Ratio]:
    peers = Peers(World(dim, clip), images)
    size = f"{images:,} images, {dim:,} -> {clip}, {len(peers.ridges)} penalties, {FOLDS} folds"
    least = in_turn({"ours": peers.ours, "scikit-learn": peers.scikit_learn}, repetitions)
    ours, other = least["ours"], least["scikit-learn"]
    yield Ratio("scikit-learn's Ridge over ours", size, other / ours, f"{other:.3g} s over {ours:.3g} s", least=5)
    yield Ratio("largest difference of a coefficient over the largest", size, peers.coefficients(), most=1e-5)
    yield Ratio("largest difference of an image's cosine", size, peers.cosines(), most=1e-5)


def held(dim: int, clip: int, images: int) -> float:
    """Return the memory that the fit takes in this process, in MB."""
    fit_on(World(64, 32), SHARD_IMAGES * 4)  # the memory that libraries take at their first use
    world = World(dim, clip)
    before = _peak()
    fit_on(world, images)
    return _peak() - before


def fit_on(world: World, images: int) -> AffineTranslator:
    return fit_translator(lambda: world.shards(images), world.split, world.texts, images).whole.whole


def _peak() -> float:
    """Return the peak memory of this process in MB; getrusage would give the peak of the process that started it."""
    status = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024


def memory(dim: int, clip: int) -> Iterator[Ratio]:
    """Measure each number of images in a separate process."""
    megabytes = []
    for images in MEMORY_IMAGES:
        command = [sys.executable, __file__, "--held", str(images), "--dim", str(dim), "--clip", str(clip)]
        megabytes.append(float(subprocess.run(command, capture_output=True, text=True, check=True).stdout))
    few, many = (f"{images:,}" for images in MEMORY_IMAGES)
    note = f"{megabytes[1]:.0f} MB over {megabytes[0]:.0f} MB"
    yield Ratio(f"memory, {many} over {few} images", f"{dim:,} -> {clip}", megabytes[1] / megabytes[0], note, most=1.05)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one repetition of a small size; writes nothing")
    parser.add_argument(
        "--held", type=int, metavar="IMAGES", help="only print what a fit on so many images takes, in MB"
    )
    parser.add_argument("--dim", type=int, default=1280)
    parser.add_argument("--clip", type=int, default=512)
    options = parser.parse_args()
    if options.held:
        print(held(options.dim, options.clip, options.held))
        return
    images, repetitions = (2_000, 1) if options.quick else (20_000, 3)
    ratios = list(measure(options.dim, options.clip, images, repetitions))
    ratios += [] if options.quick else memory(options.dim, options.clip)
    print(*table(ratios), sep="\n")
    if not options.quick:
        save(RESULTS, "The translator, measured", ratios, {"threads": str(torch.get_num_threads())})


if __name__ == "__main__":
    main()
