"""Measure how often 95 % intervals contain the true figure, and how often the stated order of two models is correct.

`python benchmarks/interval_coverage.py` draws data whose true figures are known, compares the intervals of
sing_compute.scores with the usual ones, prints a table and writes results/interval_coverage.csv. Parts: `images` (one
class, or one model over images), `sampled` (more images than are resampled), `classes` (resampled classes), `order`.
"""

import argparse
import csv
import datetime
import math
import platform
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy.optimize
import scipy.special
import scipy.stats
from numpy.typing import NDArray

from sing_compute.scores import intervals, resampling, weighted_median
from sing_compute.store.derived.resamples import resample_weights

RESULTS = Path(__file__).parent / "results" / "interval_coverage.csv"
HEADER = ("part", "world", "figure", "method", "n", "data_sets", "stated", "found", "mean_width", "undefined")
FIGURES = ("median AS", "median |AS|", "median IS", "ratio", "mean AS")
CLASS_FIGURES = (*FIGURES[:4], "ratio over classes")
PLAIN, BCA = "percentile bootstrap", "BCa bootstrap"
PARTS = ("images", "sampled", "classes", "order")
Row = tuple[str, str, str, str, int, int, float, float, float, float]
Array = NDArray[np.float64]
Ends = dict[tuple[str, str], Array]
"""(figure, method) -> (data set, end)."""


@dataclass(frozen=True)
class World:
    """Distribution of AS and IS: three or four normal numbers per image, of which they share one or two.

    `normal`: AS normal with an offset, so |AS| folded; IS the length of a 2-d normal vector. `heavy`: AS a t with 5
    degrees of freedom, IS the length in 3-d. `skewed`: AS exponential with an offset, |AS| and IS correlated by .45.
    """

    name: str
    attribute: scipy.stats.rv_continuous
    image: scipy.stats.rv_continuous

    def draw(self, rng: np.random.Generator, images: int) -> tuple[Array, Array]:
        a, b, c, d = rng.normal(size=(4, images))
        if self.name == "normal":
            return 0.3 + 0.8 * (0.5 * a + math.sqrt(0.75) * d), 8 * np.hypot(a, b)
        if self.name == "heavy":
            scale = np.sqrt(rng.chisquare(5, images) / 5)
            return 0.3 + 0.8 * (0.5 * a + math.sqrt(0.75) * d) / scale, 8 * np.sqrt(a**2 + b**2 + c**2)
        return -0.2 + 0.25 * (a**2 + b**2), 6 * np.hypot(a, c)

    def truth(self) -> dict[str, float]:
        cdf = self.attribute.cdf
        absolute = scipy.optimize.brentq(lambda m: cdf(m) - cdf(-m) - 0.5, 0, 10)
        image = self.image.median()
        values = (self.attribute.median(), absolute, image, image / absolute, self.attribute.mean())
        return dict(zip(FIGURES, values, strict=True))


WORLDS = (
    World("normal", scipy.stats.norm(0.3, 0.8), scipy.stats.chi(2, scale=8)),
    World("heavy", scipy.stats.t(5, 0.3, 0.8), scipy.stats.chi(3, scale=8)),
    World("skewed", scipy.stats.expon(-0.2, 0.5), scipy.stats.chi(2, scale=6)),
)


def figures(scores: Array, shifts: Array, weights: Array, owners: NDArray[np.int64]) -> Array:
    """Compute every figure under every row of weights, (replicate, figure)."""
    ordered = (
        weighted_median.MedianTable.of(values, owners, weights.shape[1]) for values in (scores, np.abs(scores), shifts)
    )
    median, absolute, image = (table.medians(weights) for table in ordered)
    sums = np.bincount(owners, scores, weights.shape[1]), np.bincount(owners, minlength=weights.shape[1])
    return np.stack([median, absolute, image, image / absolute, weights @ sums[0] / (weights @ sums[1])], axis=1)


def columns(scores: Array, shifts: Array) -> dict[str, NDArray[np.float32]]:
    """Return AS and IS as columns, as they are measured and stored."""
    return {"attribute_score": scores.astype(np.float32), "image_score": shifts.astype(np.float32)}


def bca_ends(found: Array, replicates: Array, left_out: Array) -> Array:
    """Compute bias-corrected and accelerated percentiles (Efron 1987), (end, figure)."""
    below = ((replicates < found) + 0.5 * (replicates == found)).mean(axis=0)
    bias = scipy.special.ndtri(below.clip(0.5 / len(replicates), 1 - 0.5 / len(replicates)))
    pull = left_out.mean(axis=0) - left_out
    size = (pull**2).sum(axis=0) ** 1.5
    bend = np.divide((pull**3).sum(axis=0), 6 * size, out=np.zeros_like(size), where=size > 0)
    z = bias + scipy.special.ndtri([[0.025], [0.975]])
    tails = scipy.special.ndtr(bias + z / (1 - bend * z))
    return np.stack([np.quantile(column, tails[:, i]) for i, column in enumerate(replicates.T)], axis=1)


def image_ends(scores: Array, shifts: Array, weights: Array) -> Ends:
    """Compute the interval of every figure by every method, (end,), for one data set."""
    count = len(scores)
    rows = np.arange(count)
    replicates = figures(scores, shifts, weights, rows)
    found = figures(scores, shifts, np.ones((1, count)), rows)[0]
    left_out = figures(scores, shifts, 1 - np.eye(count), rows)
    wide = resampling.replicate_intervals(resampling.Replicates(FIGURES, replicates, count))
    bootstraps = {
        PLAIN: np.quantile(replicates, (0.025, 0.975), axis=0),
        BCA: bca_ends(found, replicates, left_out),
        wide.method: np.stack([wide.low, wide.high]),
    }
    ends = {(name, method): both[:, i] for method, both in bootstraps.items() for i, name in enumerate(FIGURES)}
    stated = intervals.class_intervals(np.array([0, count]), columns(scores, shifts), [np.ones(count, bool)])
    names = ("attribute_score_q50", "attribute_score_abs_q50", "image_score_q50", "ratio", "attribute_score_mean")
    for figure, name in zip(FIGURES, names, strict=True):
        own = stated[name]
        ends[figure, own.method] = np.array([own.low[0, 0], own.high[0, 0]])
    return ends


def rows_of(part: str, world: str, count: int, sets: Sequence[Ends], truth: dict[str, float]) -> Iterator[Row]:
    """Compute coverage and mean width over the data sets that have an interval, and the share of those without one."""
    for figure, method in sets[0]:
        low, high = np.array([ends[figure, method] for ends in sets]).T
        stated = np.isfinite(low) & np.isfinite(high)
        hit = (low <= truth[figure]) & (truth[figure] <= high)
        covered, width = (float(x[stated].mean()) if stated.any() else math.nan for x in (hit, high - low))
        yield part, world, figure, method, count, len(sets), intervals.LEVEL, covered, width, 1 - float(stated.mean())


def over_images(
    sets: int, counts: Sequence[int] = (3, 5, 8, 10, 15, 20, 30, 50, 100, 200, 500), worlds: Sequence[World] = WORLDS
) -> Iterator[Row]:
    """Test intervals of one class, or of a model over its images."""
    for world in worlds:
        for count in counts:
            rng = np.random.default_rng([1, WORLDS.index(world), count])
            weights = resample_weights(count, range(resampling.REPLICATES))
            found = [image_ends(*world.draw(rng, count), weights) for _ in range(sets)]
            yield from rows_of("images", world.name, count, found, world.truth())


def over_sampled_images(sets: int, images: int = 400, sample: int = 100) -> Iterator[Row]:
    """Test intervals of a model with four times as many images as are resampled."""
    names = ("attribute_score", "attribute_score_abs", "image_score", "ratio_images")
    for world in WORLDS[::2]:
        rng = np.random.default_rng(2)
        found = []
        for _ in range(sets):
            replicates = resampling.image_replicates(columns(*world.draw(rng, images)), sample=sample)
            own = resampling.replicate_intervals(replicates)
            places = [replicates.names.index(name) for name in names]
            both = np.stack([own.low, own.high])[:, places]
            found.append({(name, own.method): both[:, i] for i, name in enumerate(FIGURES[:4])})
        yield from rows_of("sampled", world.name, images, found, world.truth())


def draw_classes(rng: np.random.Generator, classes: int, size: int) -> tuple[Array, Array]:
    """Draw AS and IS, (class, image): classes differ in mean AS and in the scale of IS, whose correlation is one half."""
    shift, other = rng.normal(size=(2, classes, 1))
    a, b, c = rng.normal(size=(3, classes, size))
    grow = np.exp(0.4 * (0.5 * shift + math.sqrt(0.75) * other))
    return 0.3 + 0.4 * shift + 0.7 * c, 8 * grow * np.hypot(a, b)


def class_truth(size: int) -> dict[str, float]:
    """Compute the figures of infinitely many classes: in closed form, by Gauss-Hermite quadrature, or from 200,000 classes."""
    pooled = scipy.stats.norm(0.3, math.sqrt(0.4**2 + 0.7**2))
    absolute = scipy.optimize.brentq(lambda m: pooled.cdf(m) - pooled.cdf(-m) - 0.5, 0, 10)
    nodes, mass = np.polynomial.hermite_e.hermegauss(60)
    survival = lambda m: mass @ np.exp(-((m / (8 * np.exp(0.4 * nodes))) ** 2) / 2) / mass.sum()  # noqa: E731
    image = scipy.optimize.brentq(lambda m: survival(m) - 0.5, 0.1, 100)
    rng, ratios = np.random.default_rng(3), []
    for _ in range(20):
        scores, shifts = draw_classes(rng, 10_000, size)
        ratios.append(np.median(shifts, axis=1) / np.median(np.abs(scores), axis=1))
    values = (0.3, absolute, image, image / absolute, float(np.median(np.concatenate(ratios))))
    return dict(zip(CLASS_FIGURES, values, strict=True))


def over_classes(sets: int, counts: Sequence[int] = (5, 6, 8, 10, 20, 50, 100, 200), size: int = 20) -> Iterator[Row]:
    """Test intervals of a model over classes of 20 images."""
    truth = class_truth(size)
    for classes in counts:
        rng = np.random.default_rng([4, classes])
        weights = resample_weights(classes, range(resampling.REPLICATES))
        found = []
        for _ in range(sets):
            scores, shifts = draw_classes(rng, classes, size)
            ratios = np.median(shifts, axis=1) / np.median(np.abs(scores), axis=1)
            pooled = figures(scores.ravel(), shifts.ravel(), weights, np.repeat(np.arange(classes), size))[:, :4]
            over = weighted_median.MedianTable.of(ratios, np.arange(classes), classes).medians(weights)
            replicates = np.column_stack([pooled, over])
            wide = resampling.replicate_intervals(resampling.Replicates(CLASS_FIGURES, replicates, classes))
            both = {
                PLAIN: np.quantile(replicates, (0.025, 0.975), axis=0),
                wide.method: np.stack([wide.low, wide.high]),
            }
            found.append({(name, m): ends[:, i] for m, ends in both.items() for i, name in enumerate(CLASS_FIGURES)})
        yield from rows_of("classes", "20 images per class", classes, found, truth)


def over_pairs(pairs: int, images: int = 100, priors: Sequence[float] = (1, 2, 4, 10)) -> Iterator[Row]:
    """Measure how often the model that `share_above` calls larger is truly larger, by the stated certainty.

    log IS of both models is normal with variance .41, of which .25 is the image's. True differences of the medians are
    normal around 0; their standard deviation is a multiple of the standard error of the difference.
    """
    error = math.sqrt(math.pi * 0.41 * (1 - 2 / math.pi * math.asin(0.25 / 0.41)) / images)
    weights = resample_weights(images, range(resampling.REPLICATES))
    rows = np.arange(images)
    for prior in priors:
        rng = np.random.default_rng([5, int(prior)])
        differences = rng.normal(scale=prior * error, size=pairs)
        shares = np.empty(pairs)
        for pair, difference in enumerate(differences):
            shared, first, second = rng.normal(size=(3, images))
            models = 0.5 * shared + 0.4 * first + difference, 0.5 * shared + 0.4 * second
            left, right = (
                weighted_median.MedianTable.of(np.exp(m), rows, images).medians(weights)[:, None] for m in models
            )
            shares[pair] = resampling.share_above(left, right)[0]
        stated = np.maximum(shares, 1 - shares)
        right_order = (shares > 0.5) == (differences > 0)
        for low, high in ((0.5, 0.75), (0.75, 0.9), (0.9, 0.95), (0.95, 0.99), (0.99, 1.001)):
            chosen = (stated >= low) & (stated < high)
            means = (float(x[chosen].mean()) if chosen.any() else math.nan for x in (stated, right_order))
            method = f"certainty {low:.0%} to {min(high, 1):.0%}"
            yield (
                "order",
                f"prior sd {prior} standard errors",
                "median IS",
                method,
                images,
                int(chosen.sum()),
                *means,
                math.nan,
                0.0,
            )


def write(rows: Sequence[Row], parts: Sequence[str]) -> None:
    """Replace the rows of these parts in the file; other parts remain."""
    kept: list[list[str]] = []
    if RESULTS.exists():
        kept = [row for row in csv.reader(RESULTS.read_text().splitlines()[2:]) if row[0] not in parts]
    texts = [[f"{cell:.5g}" if isinstance(cell, float) else str(cell) for cell in row] for row in rows]
    RESULTS.parent.mkdir(exist_ok=True)
    with RESULTS.open("w", newline="") as file:
        file.write(f"# {datetime.date.today()}, Python {platform.python_version()}, numpy {np.__version__}\n")
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(HEADER)
        writer.writerows(sorted(kept + texts, key=lambda row: PARTS.index(row[0])))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a tenth of the data sets; prints, writes nothing")
    parser.add_argument("--part", action="append", choices=PARTS, help="only this part; may be repeated")
    options = parser.parse_args()
    parts = options.part or PARTS
    sets = 200 if options.quick else 2_000
    runs = {"images": over_images, "sampled": over_sampled_images, "classes": over_classes, "order": over_pairs}
    rows = []
    for part in parts:
        for row in runs[part](2 * sets if part == "order" else sets):
            rows.append(row)
            shape = "{:<28} {:<19} {:<48} {:4d} {:5d} {:6.3f} {:6.3f} {:9.3g} {:6.3f}"
            print(shape.format(*row[1:]), flush=True)
    if not options.quick:
        write(rows, parts)


if __name__ == "__main__":
    main()
