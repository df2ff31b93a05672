"""Bootstrap replicates of a model's figures over images and classes, paired between models. numpy only; NaN: none."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray
from scipy.special import ndtr

from sing_compute.errors import SingError
from sing_compute.scores.intervals import Intervals, t_quantile
from sing_compute.scores.statistics import (
    MEDIANS,
    Column,
    Columns,
    Floats,
    Owners,
    finite_part,
    ordered,
    owners_of,
    quantiles,
    ranked,
    values_of,
)

REPLICATES = 2_000
SAMPLE = 20_000
"""Images that are resampled: all of them up to this number, else evenly spread ones."""
SEED = 260_314_610
"""Fixed: replicate r of every model of a store, measured in whatever run, must hold the same images."""
FEWEST = 5
"""Images or classes below which replicates state no interval."""
METHOD = "expanded percentile bootstrap"
TABLE = 2**18
"""Entries of the largest table of units and blocks."""
CHUNK = 2**18
"""Weights that are made at once: resamples times units."""
LOOKED_AT = 2**17
"""Entries of the arrays by which medians are found, half a dozen of them at once."""

Medians = Callable[[NDArray[np.float64]], NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class Replicates:
    """Figures of one model in every resample; replicate r of two models of a store comes from the same resample."""

    names: tuple[str, ...]
    """Figures by their store name."""
    values: Float[np.ndarray, "replicate figure"]
    """float32, in the figures' units; NaN where a resample has no value."""
    units: int
    """How many images, or classes, the figures rest on."""


def image_replicates(
    columns: Columns, *, replicates: int = REPLICATES, sample: int = SAMPLE, seed: int = SEED
) -> Replicates:
    """Medians and median IS over median |AS| in bootstrap resamples of images, paired between models (Efron 1979).

    Above `sample` images, n = `sample` evenly spread ones are resampled. A resample then tells only how far the share F
    of values at or below their median m strays, and the replicate is the quantile of all N images at the level 1/2 -
    (F*(m) - F(m)) sqrt(n / N) (Bahadur 1966; the rescaling is that of Politis and Romano 1994). Rescaled medians,
    theta_N + (theta*_n - theta_n) sqrt(n / N), cover .92 to .95 where these cover .94 to .96 (n = 100 of N = 400).

    Args:
        columns: Image columns by their store name, `image_score` and `attribute_score` among them; the figures are
            those of `MEDIANS` whose column is there, and `ratio_images`, named as in `model_summary`.
        replicates: Resamples.
        sample: Most images that are resampled.
        seed: Models are comparable under one seed.

    Raises:
        SingError: There is no image.
    """
    images = len(columns["image_score"])
    if not images:
        raise SingError("there is no image to resample; give images")
    units = min(images, sample)
    rows = np.arange(units) * images // units
    parts = {name: _figure(columns, name)[rows] for name in MEDIANS if name.removesuffix("_abs") in columns}
    if units == images:
        tables: dict[str, Medians] = {
            name: Ordered.of(part, rows.astype(np.uint32), units).medians for name, part in parts.items()
        }
        return _with_ratio(_resampled(tables, range(replicates), seed, units), images)
    strayed = _resampled(
        {name: Sampled.of(part).strayed for name, part in parts.items()}, range(replicates), seed, units
    )
    found = {}
    for name in parts:
        values = ordered(columns[name.removesuffix("_abs")], absolute=name.endswith("_abs"))
        level = (0.5 - strayed[name] / math.sqrt(max(len(values), 1))).clip(0.0, 1.0)
        found[name] = np.where(np.isfinite(level), quantiles(values, np.nan_to_num(level)), np.nan)
    return _with_ratio(found, images)


def class_replicates(
    offsets: NDArray[np.int64],
    columns: Columns,
    class_ratio: Float[np.ndarray, " class"],
    *,
    replicates: int = REPLICATES,
    seed: int = SEED,
) -> Replicates:
    """The same figures, and the median over classes of the class ratio, in resamples of classes with all their images.

    The cluster bootstrap (Davison and Hinkley 1997, 3.8): images of one class are alike, so figures vary more over
    new classes than over new images. Every image is used; classes without images are not resampled.

    Args:
        offsets: Images of class c are rows offsets[c] to offsets[c + 1].
        columns: As for `image_replicates`.
        class_ratio: Median IS over median |AS| of each class.
        replicates: Resamples.
        seed: Models are comparable under one seed.

    Raises:
        SingError: Fewer than two classes have images.
    """
    sizes = np.diff(offsets)
    filled = np.flatnonzero(sizes)
    units = len(filled)
    if units < 2:
        raise SingError(f"resampling classes needs two with images, got {units}; give images of more classes")
    owners = ClassOf(offsets[filled])
    found: dict[str, NDArray[np.float64]] = {}

    def resample(name: str, values: Column, owners: Owners) -> None:
        table = Ordered.of(values, owners, units, absolute=name.endswith("_abs"))
        found.update(_resampled({name: table.medians}, range(replicates), seed, units))

    for name in MEDIANS:
        column = columns.get(name.removesuffix("_abs"))
        if column is not None:
            resample(name, column, owners)
    resample("ratio_classes", class_ratio[filled].astype(np.float32), np.arange(units))
    return _with_ratio(found, units)


def replicate_intervals(replicates: Replicates) -> Intervals:
    """Interval of each figure, shape (figure): percentiles of its replicates, at every n >= 5 alike; NaN below.

    With n images or classes the tail on each side is Phi(-t sqrt(n / (n - 1))), t the two-sided 95 % quantile with
    n - 1 degrees of freedom, not 2.5 %: plain percentiles are too narrow by that much (Hesterberg 2015, The American
    Statistician 69, 371). At n = 5 the tail is 0.1 %, at 50 2.1 %, and 2.5 % in the limit. Measured: .94 to .97 with 50
    images or classes and more; with fewer, .92 to .99 over images and .90 to .99 over classes (plain: .83 to .97).
    """
    low, high = np.full((2, len(replicates.names)), np.nan)
    units = replicates.units
    if units >= FEWEST:
        tail = float(ndtr(-t_quantile(units - 1) * math.sqrt(units / (units - 1))))
        for figure, values in enumerate(replicates.values.T.astype(np.float64)):
            finite = values[np.isfinite(values)]
            if len(finite):
                low[figure], high[figure] = np.quantile(finite, (tail, 1 - tail))
    return Intervals(low, high, METHOD)


def share_above(
    left: Float[np.ndarray, "replicate figure"], right: Float[np.ndarray, "replicate figure"]
) -> Float[np.ndarray, " figure"]:
    """Share of paired replicates in which `left` is the larger, ties half; NaN where no pair has both values.

    Measured on 100 images: of the orders that 90 to 95 % of replicates agree on, 90 to 94 % are right, whether true
    differences are as small as their standard error or ten times as large.
    """
    both = np.isfinite(left) & np.isfinite(right)
    above = np.where(both, (left > right) + 0.5 * (left == right), 0.0).sum(axis=0)
    count = both.sum(axis=0)
    share: NDArray[np.float64] = np.where(count > 0, above / np.maximum(count, 1), np.nan)
    return share


def certainty(replicates: Float[np.ndarray, "model replicate"]) -> Float[np.ndarray, "model model"]:
    """How surely one figure of each model (row) lies above that of each other (column): `share_above`, pair by pair."""
    columns = replicates.T
    shares = [share_above(np.broadcast_to(model[:, None], columns.shape), columns) for model in replicates]
    found: NDArray[np.float64] = np.stack(shares)
    return found


def resample_weights(units: int, replicates: range, seed: int = SEED) -> Float[np.ndarray, "replicate unit"]:
    """How often each unit is drawn in each of these replicates: a function of the arguments alone.

    Built on the raw stream of PCG64, which numpy keeps the same in all versions; its distributions may change.
    """
    weights = np.empty((len(replicates), units))
    for row, replicate in enumerate(replicates):
        raw = np.random.PCG64(np.random.SeedSequence([seed, units, replicate])).random_raw(-(-units // 2))
        halves = np.concatenate([raw >> np.uint64(32), raw & np.uint64(0xFFFFFFFF)])[:units]
        drawn = (halves * np.uint64(units)) >> np.uint64(32)
        weights[row] = np.bincount(drawn.astype(np.int64), minlength=units)
    return weights


@dataclass(frozen=True, slots=True)
class ClassOf:
    """Place of each image's class among the classes with images, which begin at these rows."""

    starts: NDArray[np.int64]

    def __getitem__(self, rows: slice, /) -> NDArray[np.int64]:
        found: NDArray[np.int64] = np.searchsorted(self.starts, np.arange(rows.start, rows.stop), "right") - 1
        return found


@dataclass(frozen=True, slots=True)
class Ordered:
    """A column in rising order, in blocks, so that a weighted median costs a product and a look into one block."""

    pairs: NDArray[np.uint64]
    """Values and the resampled units they belong to, as `ranked` gives them: 8 bytes an image."""
    width: int
    """Values in a block."""
    blocks: NDArray[np.float64]
    """How many values of each unit lie in each block: (unit, block)."""

    @classmethod
    def of(cls, values: Column, owners: Owners, units: int, *, absolute: bool = False) -> "Ordered":
        """Sort a column, or its absolute values; what is not finite is left out."""
        pairs = finite_part(ranked(values, absolute=absolute, owners=owners))
        width = max(1, -(-len(pairs) // min(math.isqrt(len(pairs)) + 1, max(2, TABLE // units))))
        blocks = np.zeros((units, max(1, -(-len(pairs) // width))))
        for block in range(blocks.shape[1]):
            inside = pairs[block * width : (block + 1) * width]
            blocks[:, block] = np.bincount(owners_of(inside), minlength=units)
        return cls(pairs, width, blocks)

    def medians(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """For each row of weights numpy's median of the values, each taken as often as its unit's weight says."""
        medians = np.full(len(weights), np.nan)
        step = max(1, LOOKED_AT // max(self.width, self.blocks.shape[1]))
        for start in range(0, len(weights), step):
            chosen = weights[start : start + step]
            below = np.cumsum(chosen @ self.blocks, axis=1)
            rows = np.flatnonzero(below[:, -1] > 0)
            last = below[rows, -1] - 1
            lower, upper = (self._at(chosen[rows], below[rows], place) for place in (last // 2, (last + 1) // 2))
            medians[start + rows] = (lower + upper) / 2
        return medians

    def _at(
        self, weights: NDArray[np.float64], below: NDArray[np.float64], place: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """The value at a place, from 0, of each row's resample in rising order."""
        block = (below <= place[:, None]).sum(axis=1)
        before = np.where(block > 0, np.take_along_axis(below, np.maximum(block - 1, 0)[:, None], axis=1)[:, 0], 0.0)
        inside = np.minimum(block[:, None] * self.width + np.arange(self.width), len(self.pairs) - 1)
        owners = owners_of(self.pairs[inside]).astype(np.int64)
        counted = before[:, None] + np.cumsum(np.take_along_axis(weights, owners, axis=1), axis=1)
        found = self.pairs[block * self.width + (counted <= place[:, None]).sum(axis=1)]
        return values_of(found).astype(np.float64)


@dataclass(frozen=True, slots=True)
class Sampled:
    """Rows of a column that are resampled: how far resamples stray from them tells how far those of the whole column would."""

    rows: NDArray[np.float64]
    """(unit, 2): whether the row has a value, and whether it lies at or below the rows' median."""

    @classmethod
    def of(cls, part: Floats) -> "Sampled":
        """Find the rows' median; what is not finite is left out."""
        valid = np.isfinite(part)
        middle = np.median(part[valid].astype(np.float64)) if valid.any() else np.nan
        return cls(np.stack([valid, valid & (part <= middle)], axis=1).astype(np.float64))

    def strayed(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """(F* - F) sqrt(n) for each row of weights; NaN where no row with a value is drawn."""
        valid, at_most = (weights @ self.rows).T
        count, below = self.rows.sum(axis=0)
        share = np.divide(at_most, valid, out=np.full_like(valid, np.nan), where=valid > 0)
        found: NDArray[np.float64] = (share - below / max(count, 1.0)) * math.sqrt(count)
        return found


def _resampled(
    tables: Mapping[str, Medians], replicates: range, seed: int, units: int
) -> dict[str, NDArray[np.float64]]:
    """What each table gives in every replicate; the weights of a chunk of replicates serve all tables."""
    step = max(1, CHUNK // units)
    parts: dict[str, list[NDArray[np.float64]]] = {name: [] for name in tables}
    for start in range(0, len(replicates), step):
        weights = resample_weights(units, replicates[start : start + step], seed)
        for name, medians in tables.items():
            parts[name].append(medians(weights))
    return {name: np.concatenate(chunks) for name, chunks in parts.items()}


def _with_ratio(found: dict[str, NDArray[np.float64]], units: int) -> Replicates:
    """All figures of a model, median IS over median |AS| last."""
    image, attribute = found["image_score"], found["attribute_score_abs"]
    found["ratio_images"] = np.divide(image, attribute, out=np.full_like(image, np.nan), where=attribute > 0)
    return Replicates(tuple(found), np.stack(list(found.values()), axis=1).astype(np.float32), units)


def _figure(columns: Columns, name: str) -> Floats:
    """The values that a figure is the median of."""
    values = columns[name.removesuffix("_abs")][:]
    return np.abs(values) if name.endswith("_abs") else values
