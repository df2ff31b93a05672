"""Compare the time of scoring images against concepts with its bare matrix products, and with one concept at a time.

`python benchmarks/scoring.py` scores 5,000 images against 1,000 concepts on all cores, prints a table and writes
results/scoring.csv and .md. The peers are timed in turn, and the shortest of several times counts:

- ours: the three views of each feature by the translator of its fold (float64), their angles to all concepts (float32), and the
  sums of angles, AS, |AS| and AS^2 of each class (float64), in the blocks of a run;
- bare products: both translations and the products of three views with all concepts, in the same blocks and precisions, for
  one translator and without angles;
- one concept at a time: before and after translated by one float32 product each; then, for each concept and each 256 images,
  cosine similarity, arccos and the difference of the angles.

The control by random directions (50 images a class, 200 draws) is compared with arcsin of as many numbers and nothing else.
"""

import argparse
from collections.abc import Iterable, Iterator
from pathlib import Path

import torch
from ratios import Ratio, in_turn, save, table
from torch import Tensor
from torch.nn.functional import cosine_similarity, normalize

from sing_compute.linalg.angles import DEGREES, unit
from sing_compute.linalg.null_space import HeadSplit, split_head
from sing_compute.measuring.concept_rows import CHANCE_IMAGES
from sing_compute.measuring.fitting import FOLDS
from sing_compute.measuring.reader import BLOCK_IMAGES
from sing_compute.scores.shifts import ConceptShifts, ConceptSums, NullRemoval, Views, fold_views
from sing_compute.scores.significance import DRAWS, SharedDirections, SharedDirectionSums
from sing_compute.translator.ridge import AffineTranslator

RESULTS = Path(__file__).parent / "results" / "scoring.csv"
SIZES = ((2048, 768, 1000), (1280, 512, 1000), (512, 512, 100))
"""Features, CLIP and classes: ResNet-50 in ViT-L-14, MobileNetV2 and ResNet-18 with 100 classes in ViT-B-32."""
SLICE = 256


class World:
    """Features, a head, a translator for each fold and concepts, all drawn; images are sorted by class."""

    def __init__(self, dim: int, clip: int, classes: int, images: int, concepts: int) -> None:
        draw = torch.Generator().manual_seed(0)
        self.features = torch.rand(images, dim, generator=draw)
        self.folds = torch.randint(FOLDS, (images,), generator=draw)
        self.labels = (torch.arange(images) * classes) // images
        self.concepts = normalize(torch.randn(concepts, clip, generator=draw), dim=1)
        self.split: HeadSplit = split_head(torch.randn(classes, dim, generator=draw), stored_dtype=torch.float32)
        weights = torch.randn(FOLDS, clip, dim, generator=draw, dtype=torch.float64) / dim
        bias, mean = torch.randn(clip, generator=draw, dtype=torch.float64), self.features.double().mean(0)
        self.removals = [NullRemoval.of(AffineTranslator(weight, bias), self.split, mean) for weight in weights]

    def blocks(self, images: int) -> Iterator[slice]:
        return (slice(start, start + images) for start in range(0, len(self.features), images))

    def views(self) -> list[Views]:
        return [fold_views(self.removals, self.features[rows], self.folds[rows]) for rows in self.blocks(BLOCK_IMAGES)]

    def sums(self, views: Iterable[Views]) -> list[ConceptSums]:
        found = []
        for rows, each in zip(self.blocks(BLOCK_IMAGES), views, strict=True):
            lengths = torch.unique_consecutive(self.labels[rows], return_counts=True)[1].tolist()
            found += ConceptSums.of(ConceptShifts.of(each, self.concepts), lengths)
        return found

    def ours(self) -> list[ConceptSums]:
        blocks = self.blocks(BLOCK_IMAGES)
        return self.sums(fold_views(self.removals, self.features[rows], self.folds[rows]) for rows in blocks)

    def products(self) -> None:
        removal, texts = self.removals[0], self.concepts.T
        for rows in self.blocks(BLOCK_IMAGES):
            features = self.features[rows].double()
            before, after = (features @ part.weight.T for part in (removal.whole, removal.principal))
            for view in (before, after, after):
                view.float() @ texts

    def translated(self) -> list[Tensor]:
        whole, principal = self.removals[0].whole, self.removals[0].principal
        return [self.features @ part.weight.float().T + part.bias.float() for part in (whole, principal)]

    def one_at_a_time(self, translated: list[Tensor]) -> Tensor:
        before, after = translated
        scores = torch.empty(len(self.features), len(self.concepts))
        for number, text in enumerate(self.concepts):
            for rows in self.blocks(SLICE):
                angles = (cosine_similarity(view[rows], text[None]).clamp(-1, 1).acos() for view in (before, after))
                scores[rows, number] = next(angles).sub(next(angles)).mul(DEGREES)
        return scores

    def control(self) -> None:
        null_weights = [removal.whole.weight - removal.principal.weight for removal in self.removals]
        directions = SharedDirections.of(self.split, null_weights, self.concepts)
        null_norm = self.split.null_part(self.features.double()).norm(dim=1)
        before = fold_views(self.removals, self.features, self.folds).before
        for rows in self.blocks(CHANCE_IMAGES):
            sums = SharedDirectionSums(directions)
            sums.add(before[rows], null_norm[rows], self.folds[rows])
            sums.finish()

    def arcsines(self, dtype: torch.dtype) -> None:
        cells = torch.rand(DRAWS, len(self.concepts), dtype=dtype) - 0.5
        found = torch.empty_like(cells)
        for _ in range(len(self.features)):
            torch.asin(cells, out=found)


def measure(dim: int, clip: int, classes: int, images: int, concepts: int, repetitions: int) -> Iterator[Ratio]:
    world = World(dim, clip, classes, images, concepts)
    size = f"{images:,} images, {concepts:,} concepts, {classes:,} classes, {dim:,} -> {clip}"
    views, translated = world.views(), world.translated()
    peers = {
        "ours": world.ours,
        "products": world.products,
        "one": lambda: world.one_at_a_time(world.translated()),
        "our concepts": lambda: world.sums(views),
        "one, translated": lambda: world.one_at_a_time(translated),
    }
    ours, products, one, concepts_ours, concepts_one = in_turn(peers, repetitions).values()
    yield Ratio("one concept at a time over ours", size, one / ours, f"{one:.3g} s over {ours:.3g} s", least=10)
    note = f"{concepts_one:.3g} s over {concepts_ours:.3g} s"
    yield Ratio("the same from translated features on", size, concepts_one / concepts_ours, note, least=10)
    yield Ratio("ours over bare products", size, ours / products, f"{ours:.3g} s over {products:.3g} s", most=1.5)
    note = "no code that forms these products can be faster"
    yield Ratio("one concept at a time over bare products", size, one / products, note)


def measure_control(images: int, concepts: int, repetitions: int) -> Iterator[Ratio]:
    world = World(512, 512, 100, images, concepts)
    size = f"{images:,} images, {concepts:,} concepts, {DRAWS} draws"
    peers = {
        "ours": world.control,
        "float64": lambda: world.arcsines(torch.float64),
        "float32": lambda: world.arcsines(torch.float32),
    }
    ours, double, single = in_turn(peers, repetitions).values()
    note = f"{1e9 * ours / (images * DRAWS * concepts):.2g} ns an image, draw and concept"
    yield Ratio("control over float64 arcsin alone", size, ours / double, note)
    yield Ratio("control over float32 arcsin alone", size, ours / single, note)


def accuracy(images: int, concepts: int) -> float:
    """Largest difference of any class mean of AS from float64 angles, in degrees."""
    world = World(2048, 768, 1000, images, concepts)
    views = fold_views(world.removals, world.features, world.folds)
    texts = unit(world.concepts.double()).T
    before, after = ((unit(view) @ texts).acos() * DEGREES for view in (views.before, views.after))
    counts = world.labels.bincount()
    exact = torch.zeros(len(counts), concepts, dtype=torch.float64).index_add_(0, world.labels, before - after)
    pieces: dict[int, ConceptSums] = {}
    labels = [world.labels[rows].unique_consecutive().tolist() for rows in world.blocks(BLOCK_IMAGES)]
    for label, sums in zip((label for block in labels for label in block), world.ours(), strict=True):
        pieces[label] = pieces[label] + sums if label in pieces else sums
    found = torch.stack([sums.finish()["attribute_score"] for sums in pieces.values()])
    return float((found - (exact / counts[:, None])[list(pieces)]).abs().max())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one repetition of a tenth of the images; writes nothing")
    options = parser.parse_args()
    images, concepts, repetitions = (500, 1000, 1) if options.quick else (5000, 1000, 5)
    ratios = [ratio for size in SIZES for ratio in measure(*size, images, concepts, repetitions)]
    ratios += measure_control(images, concepts, repetitions)
    wrong = f"{accuracy(images, concepts):.1g} degrees"
    facts = {"threads": str(torch.get_num_threads()), "mean AS of a class against float64, largest difference": wrong}
    print(*table(ratios), *(f"{key}: {value}" for key, value in facts.items()), sep="\n")
    if not options.quick:
        save(RESULTS, "Scoring, measured", ratios, facts)


if __name__ == "__main__":
    main()
