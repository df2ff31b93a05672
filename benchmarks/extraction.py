"""Compare the speed of feature extraction with the bare forward pass and with a simple loop.

`python benchmarks/extraction.py` runs JPEG files of 341 x 256 pixels and 27 KB, drawn here, through networks with random weights,
prints a table and writes results/extraction.csv and .md (a GPU's: results/extraction-cuda.csv). The peers are timed in turn:

- ours: `extract`, from files to shards, with its decoding process; timed from the end of the first shard to that of the last but
  one, so that the decoding process is as far ahead at the end as at the beginning;
- bare forward: the same network on tensors that are ready on the device, same precision, layout and batch size, nothing kept;
- bare side by side: the same by as many threads as ours has streams, each with its share of torch's threads;
- plain loop: ImageFolder, DataLoader with one worker, batches of 64, float32, torch's own layout, features by a hook.
"""

import argparse
import multiprocessing
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import timm
import torch
from PIL import Image
from ratios import Ratio, in_turn, save, table
from timm.data import create_transform, resolve_data_config
from torch.utils.data import DataLoader, Subset
from torchvision.datasets import ImageFolder

from sing_compute.allocator import share_one_heap
from sing_compute.extraction.features import attach_heads, extract
from sing_compute.extraction.networks import CLIP, Network, Networks, default_batch_size
from sing_compute.extraction.settings import Settings
from sing_compute.extraction.shard_file import SHARD_IMAGES
from sing_compute.extraction.shards import WorkFolder
from sing_compute.extraction.streams import Streams
from sing_compute.images.decoding import decode_batches
from sing_compute.images.image_sources import list_images
from sing_compute.images.listing import ImageList
from sing_compute.models.classifier import Classifier
from sing_compute.pipeline.devices import default_workers
from sing_compute.precision import FLOAT32, computing_in, keeping_weights
from sing_compute.process.progress import Advance, Progress

RESULTS = Path(__file__).parent / "results"
NETWORKS = ("resnet50", "mobilenetv2_100")
TOGETHER = ("resnet50", "mobilenetv2_100", "resnet18")
CLIP_NETWORK = "ViT-B-32"
GOAL = {"resnet50": 0.95, "mobilenetv2_100": 0.92}
PLAIN_BATCH, PLAIN_IMAGES = 64, 384
SHARDS = {"resnet50": 4, "mobilenetv2_100": 8}
"""Shards for each network on a CPU, which take it some seconds; a GPU gets sixteen times as many."""


class Marks(Progress):
    """Times at which images were finished."""

    def __init__(self) -> None:
        super().__init__(rank=1)
        self.marks: list[tuple[float, int]] = []

    @contextmanager
    def task(self, title: str, total: int | None) -> Iterator[Advance]:
        self.marks = []
        yield lambda count: self.marks.append((time.perf_counter(), count))

    @property
    def seconds(self) -> float:
        """Seconds per image in the steady state: without the first shard and the last."""
        ends = np.cumsum([count for _, count in self.marks])
        first, last = (int(np.searchsorted(ends, count)) for count in (SHARD_IMAGES, ends[-1] - SHARD_IMAGES))
        return (self.marks[last][0] - self.marks[first][0]) / float(ends[last] - ends[first])


class Bench:
    """Photographs on disk and networks on a device."""

    def __init__(self, folder: Path, device: torch.device, images: ImageList | None = None) -> None:
        """Draw the photographs, unless there are some."""
        self.folder, self.device = folder, device
        self.factor = 1 if device.type == "cpu" else 16
        if images is None:
            draw_photographs(folder / "images", max(SHARDS.values()) * self.factor * SHARD_IMAGES)
            images = list_images(folder / "images")
        self.images = images

    def classifier(self, name: str) -> Classifier:
        torch.manual_seed(0)
        network = timm.create_model(name).eval()
        transform = create_transform(**resolve_data_config(model=network), is_training=False)
        return Classifier(name, network, transform, {}, concurrent=True)

    def networks(self, names: Sequence[str], *, clip: bool = False) -> Networks:
        classifiers = [self.classifier(name) for name in names]
        attach_heads(classifiers, self.images)
        networks = Networks(classifiers, None, self.device, print)
        if clip:
            import open_clip

            model, _, transform = open_clip.create_model_and_transforms(CLIP_NETWORK)
            model = model.eval().to(self.device)

            def forward(batch: torch.Tensor, precision: str) -> dict[str, torch.Tensor]:
                with computing_in(precision, batch.device):
                    return {CLIP: model.encode_image(batch).float()}

            networks.all.append(Network(CLIP, transform, forward))
        return networks

    def ours(self, networks: Networks, precision: str, batch_size: int, shards: int) -> float:
        """Measure the seconds per image of `extract` in the steady state."""
        marks = Marks()
        settings = Settings(batch_size, {network.name: precision for network in networks.all}, precision)
        with TemporaryDirectory(dir=self.folder) as folder:
            work = WorkFolder(Path(folder) / "out.h5", fresh=True)
            workers = default_workers(self.device)
            extract(work, networks, self.images, settings, range(shards), workers=workers, progress=marks)
        return marks.seconds

    def bare(self, networks: Networks, precision: str, batch_size: int, seconds: float, streams: int = 1) -> float:
        """Measure the seconds per image of the bare passes through all networks, each for about `seconds`."""

        @torch.inference_mode()
        def repeat(network: Network, batch: torch.Tensor) -> float:
            network.forward(batch, precision)
            networks.wait()
            begun, done = time.perf_counter(), 0
            while time.perf_counter() - begun < seconds:
                network.forward(batch, precision)
                networks.wait()
                done += batch_size
            return done / (time.perf_counter() - begun)

        total = 0.0
        for network in networks.all:
            rows = [range(batch_size)]
            (ready,) = decode_batches(self.images, [network.transform], rows, workers=0)
            batch = networks.put(ready.tensors[0])
            with keeping_weights(self.device), Streams(streams) as side_by_side:
                total += 1 / sum(side_by_side.map([partial(repeat, network, batch)] * streams))
        return total

    @torch.inference_mode()
    def plain(self, name: str) -> float:
        """Measure the seconds per image in a usual loop, from its second batch on."""
        classifier = self.classifier(name)
        network = classifier.network.to(self.device)
        kept: list[torch.Tensor] = []
        head = network.get_classifier()  # type: ignore[operator]
        head.register_forward_pre_hook(lambda module, inputs: kept.append(inputs[0].cpu()))
        chosen = Subset(ImageFolder(str(self.folder / "images"), classifier.transform), range(PLAIN_IMAGES))
        loader = DataLoader(chosen, PLAIN_BATCH, num_workers=1)
        marks = []
        for batch, _ in loader:
            network(batch.to(self.device))
            marks.append(time.perf_counter())
        return (marks[-1] - marks[0]) / (PLAIN_IMAGES - PLAIN_BATCH)


def draw_photographs(folder: Path, count: int, *, height: int = 256, processes: int = 1) -> None:
    """Draw JPEG files of two classes with as much detail as a photograph: noise at all scales.

    Args:
        folder: Folder of the two classes' folders.
        count: Number of files.
        height: Rows of an image; there are a third more columns.
        processes: Processes that draw. With one, each image follows from those before it; else from its number.
    """
    for name in ("class0", "class1"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    if processes == 1:
        rng = np.random.default_rng(0)
        for number in range(count):
            _draw(folder, height, number, rng)
        return
    with multiprocessing.get_context("fork").Pool(processes) as pool:
        pool.map(partial(_draw, folder, height), range(count), chunksize=16)


def _draw(folder: Path, height: int, number: int, rng: np.random.Generator | None = None) -> None:
    rng = rng or np.random.default_rng(number)
    size = height * 341 // 256, height
    layers = [Image.fromarray(rng.integers(0, 256, (h, h * 4 // 3, 3), dtype=np.uint8)) for h in (4, 16, 64, 128)]
    grown = [np.asarray(layer.resize(size, Image.Resampling.BICUBIC), dtype=np.float32) for layer in layers]
    pixels = sum(part * share for part, share in zip(grown, (0.5, 0.25, 0.15, 0.1), strict=True))
    path = folder / f"class{number % 2}" / f"{number:05d}.jpg"
    Image.fromarray(pixels.astype(np.uint8)).save(path, quality=92)  # type: ignore[union-attr]


def alternating(peers: dict[str, Callable[[], float]], repetitions: int) -> dict[str, list[float]]:
    """Run each peer in turn, again and again, and return its measurements."""
    found: dict[str, list[float]] = {name: [] for name in peers}
    for _ in range(repetitions):
        for name, peer in peers.items():
            found[name].append(peer())
    return found


def measure_one(bench: Bench, name: str, precision: str, batch_size: int, repetitions: int) -> Iterator[Ratio]:
    networks = bench.networks([name])
    shards = SHARDS[name] * bench.factor
    bare_seconds = 4.0
    peers: dict[str, Callable[[], float]] = {
        "bare": lambda: bench.bare(networks, precision, batch_size, bare_seconds),
        "ours": lambda: bench.ours(networks, precision, batch_size, shards),
    }
    if networks.streams > 1:
        peers["bare side by side"] = lambda: bench.bare(networks, precision, batch_size, bare_seconds, networks.streams)
    if precision == FLOAT32:
        peers["plain"] = lambda: bench.plain(name)
    least = {peer: min(seconds) for peer, seconds in alternating(peers, repetitions).items()}
    size = f"{name}, {precision}, batch {batch_size}"
    rates = ", ".join(f"{peer} {1 / seconds:.1f}" for peer, seconds in least.items())
    yield Ratio(
        "ours over bare forward", size, least["bare"] / least["ours"], f"images/s: {rates}", least=GOAL.get(name, 0.9)
    )
    if networks.streams > 1:
        yield Ratio("ours over bare side by side", size, least["bare side by side"] / least["ours"])
    if "plain" in least:
        yield Ratio("ours over plain loop", size, least["plain"] / least["ours"], f"images/s: {rates}")


def measure_together(bench: Bench, batch_size: int, repetitions: int) -> Iterator[Ratio]:
    networks = bench.networks(TOGETHER, clip=True)
    peers: dict[str, Callable[[], float]] = {
        "bare": lambda: bench.bare(networks, FLOAT32, batch_size, 2.0),
        "ours": lambda: bench.ours(networks, FLOAT32, batch_size, 4 * bench.factor),
    }
    least = {peer: min(seconds) for peer, seconds in alternating(peers, repetitions).items()}
    size = f"{', '.join(TOGETHER)} and {CLIP_NETWORK}, batch {batch_size}"
    note = f"{1e3 * least['ours']:.1f} ms an image over {1e3 * least['bare']:.1f} ms"
    yield Ratio("ours over the sum of bare forwards", size, least["ours"] / least["bare"], note, most=1.05)


def measure_decoding(bench: Bench) -> Iterator[Ratio]:
    """Measure the share of one core that decoding takes during a forward pass."""
    (network,) = bench.networks(["resnet50"]).all
    rows = [range(64)]
    least = in_turn({"decode": lambda: list(decode_batches(bench.images, [network.transform], rows, workers=0))}, 3)
    yield Ratio("images decoded and resized per second and core", "341 x 256 to 224 x 224", 64 / least["decode"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one repetition; writes nothing")
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    share_one_heap()  # as the command does
    device = torch.device(options.device)
    repetitions = 1 if options.quick else 3
    batch_size = default_batch_size(device)
    reduced = ("bfloat16",) if device.type == "cpu" else ("tfloat32", "bfloat16", "float16")
    ratios: list[Ratio] = []
    with TemporaryDirectory() as folder:
        bench = Bench(Path(folder), device)
        for name in NETWORKS:
            for precision in (FLOAT32, *reduced):
                ratios += measure_one(bench, name, precision, batch_size, repetitions)
                print(*table(ratios[-1:]), sep="\n", flush=True)
        ratios += measure_together(bench, batch_size, repetitions)
        ratios += measure_decoding(bench)
    facts = {"threads": str(torch.get_num_threads()), "device": options.device}
    if device.type == "cuda":
        facts["memory"] = (
            f"{torch.cuda.get_device_name(device)}, {torch.cuda.max_memory_allocated(device) / 1e9:.2f} GB at most"
        )
    print(*table(ratios), *(f"{key}: {value}" for key, value in facts.items()), sep="\n")
    if not options.quick:
        name = "extraction" if device.type == "cpu" else f"extraction-{device.type}"
        save(RESULTS / f"{name}.csv", "Extraction, measured", ratios, facts)


if __name__ == "__main__":
    main()
