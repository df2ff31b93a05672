"""How near does feature extraction come to the bare forward pass, and how far ahead of a plain loop is it?

`python benchmarks/extraction.py` runs JPEG files of 500 x 375 pixels, drawn here, through networks with random weights, prints
a table and writes results/extraction.csv and .md (a GPU's: results/extraction-cuda.csv). The peers are timed in turn:

- ours: `extract`, from files to shards, with its decoding process; timed from the end of the first shard to the end of the last;
- bare forward: the same network on tensors that are ready on the device, same precision, layout and batch size, nothing kept;
- plain loop: ImageFolder, DataLoader with one worker, batches of 64, float32, torch's own layout, features by a hook.
"""

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import open_clip
import timm
import torch
from PIL import Image
from ratios import Ratio, in_turn, save, table
from timm.data import create_transform, resolve_data_config
from torch.utils.data import DataLoader
from torchvision.datasets import ImageFolder

from sing_compute.images.decoding import decode_batches
from sing_compute.images.finding import list_images
from sing_compute.images.listing import ImageList
from sing_compute.models.classifier import Classifier
from sing_compute.pipeline.features import attach_heads, extract
from sing_compute.pipeline.networks import CLIP, Network, Networks, default_batch_size
from sing_compute.pipeline.plan import default_workers
from sing_compute.pipeline.progress import Advance, Progress
from sing_compute.pipeline.settings import Settings
from sing_compute.pipeline.shards import SHARD_IMAGES, WorkFolder
from sing_compute.precision import FLOAT32, computing_in, keeping_weights

RESULTS = Path(__file__).parent / "results"
NETWORKS = ("resnet50", "mobilenetv2_100")
TOGETHER = ("resnet50", "mobilenetv2_100", "resnet18")
CLIP_NETWORK = "ViT-B-32"
GOAL = {"resnet50": 0.95, "mobilenetv2_100": 0.92}
PLAIN_BATCH = 64


class Marks(Progress):
    """When each image was through."""

    def __init__(self) -> None:
        super().__init__(rank=1)
        self.marks: list[tuple[float, int]] = []

    @contextmanager
    def task(self, title: str, total: int | None) -> Iterator[Advance]:
        self.marks = []
        yield lambda count: self.marks.append((time.perf_counter(), count))

    @property
    def seconds(self) -> float:
        """An image, in the steady state: from the end of the first shard."""
        ends = np.cumsum([count for _, count in self.marks])
        first = int(np.searchsorted(ends, SHARD_IMAGES))
        return (self.marks[-1][0] - self.marks[first][0]) / float(ends[-1] - ends[first])


class Bench:
    """Photographs on disk and networks on a device."""

    def __init__(self, folder: Path, images: int, device: torch.device) -> None:
        self.folder, self.device = folder, device
        draw_photographs(folder / "images", images)
        self.images: ImageList = list_images(folder / "images")

    def classifier(self, name: str) -> Classifier:
        torch.manual_seed(0)
        network = timm.create_model(name).eval()
        transform = create_transform(**resolve_data_config(model=network), is_training=False)
        return Classifier(name, network, transform, {})

    def networks(self, names: Sequence[str], *, clip: bool = False) -> Networks:
        classifiers = [self.classifier(name) for name in names]
        attach_heads(classifiers, self.images)
        networks = Networks(classifiers, None, self.device, print)
        if clip:
            model, _, transform = open_clip.create_model_and_transforms(CLIP_NETWORK)
            model = model.eval().to(self.device)

            def forward(batch: torch.Tensor, precision: str) -> dict[str, torch.Tensor]:
                with computing_in(precision, batch.device):
                    return {CLIP: model.encode_image(batch).float()}

            networks.all.append(Network(CLIP, transform, forward))
        return networks

    def ours(self, networks: Networks, precision: str, batch_size: int) -> float:
        """Seconds an image, in the steady state."""
        marks = Marks()
        settings = Settings(batch_size, {network.name: precision for network in networks.all}, precision)
        with TemporaryDirectory(dir=self.folder) as folder:
            work = WorkFolder(Path(folder) / "out.h5", fresh=True)
            shards = range(-(-len(self.images) // SHARD_IMAGES))
            workers = default_workers(self.device)
            extract(work, networks, self.images, settings, shards, workers=workers, progress=marks)
        return marks.seconds

    @torch.inference_mode()
    def bare(self, networks: Networks, precision: str, batch_size: int, seconds: float) -> float:
        """Seconds an image through all networks, one after the other, each for about so long."""
        total = 0.0
        for network in networks.all:
            rows = [range(batch_size)]
            (ready,) = decode_batches(self.images, [network.transform], rows, workers=0)
            batch = networks.put(ready.tensors[0])
            with keeping_weights(self.device):
                network.forward(batch, precision)
                networks.wait()
                begun, done = time.perf_counter(), 0
                while time.perf_counter() - begun < seconds:
                    network.forward(batch, precision)
                    networks.wait()
                    done += batch_size
                total += (time.perf_counter() - begun) / done
        return total

    @torch.inference_mode()
    def plain(self, name: str) -> float:
        """Seconds an image in the loop that everybody writes, from its second batch on."""
        classifier = self.classifier(name)
        network = classifier.network.to(self.device)
        kept: list[torch.Tensor] = []
        head = network.get_classifier()  # type: ignore[operator]
        head.register_forward_pre_hook(lambda module, inputs: kept.append(inputs[0].cpu()))
        loader = DataLoader(ImageFolder(str(self.folder / "images"), classifier.transform), PLAIN_BATCH, num_workers=1)
        marks = []
        for batch, _ in loader:
            network(batch.to(self.device))
            marks.append(time.perf_counter())
        return (marks[-1] - marks[0]) / (len(self.images) - PLAIN_BATCH)


def draw_photographs(folder: Path, count: int) -> None:
    """JPEG files with as much detail as a photograph: noise of all sizes of structure."""
    rng = np.random.default_rng(0)
    for number in range(count):
        layers = [Image.fromarray(rng.integers(0, 256, (h, h * 4 // 3, 3), dtype=np.uint8)) for h in (4, 16, 64, 188)]
        grown = [np.asarray(layer.resize((500, 375), Image.Resampling.BICUBIC), dtype=np.float32) for layer in layers]
        pixels = sum(part * share for part, share in zip(grown, (0.5, 0.25, 0.15, 0.1), strict=True))
        path = folder / f"class{number % 2}" / f"{number:05d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels.astype(np.uint8)).save(path, quality=90)  # type: ignore[union-attr]


def alternating(peers: dict[str, Callable[[], float]], repetitions: int) -> dict[str, list[float]]:
    """What each peer measures, in turn."""
    found: dict[str, list[float]] = {name: [] for name in peers}
    for _ in range(repetitions):
        for name, peer in peers.items():
            found[name].append(peer())
    return found


def measure_one(bench: Bench, name: str, precision: str, batch_size: int, repetitions: int) -> Iterator[Ratio]:
    networks = bench.networks([name])
    bare_seconds = 4.0
    peers: dict[str, Callable[[], float]] = {
        "bare": lambda: bench.bare(networks, precision, batch_size, bare_seconds),
        "ours": lambda: bench.ours(networks, precision, batch_size),
    }
    if precision == FLOAT32:
        peers["plain"] = lambda: bench.plain(name)
    least = {peer: min(seconds) for peer, seconds in alternating(peers, repetitions).items()}
    size = f"{name}, {precision}, batch {batch_size}"
    rates = ", ".join(f"{peer} {1 / seconds:.1f}" for peer, seconds in least.items())
    yield Ratio(
        "ours over bare forward", size, least["bare"] / least["ours"], f"images/s: {rates}", least=GOAL.get(name, 0.9)
    )
    if "plain" in least:
        yield Ratio("ours over plain loop", size, least["plain"] / least["ours"], f"images/s: {rates}")


def measure_together(bench: Bench, batch_size: int, repetitions: int) -> Iterator[Ratio]:
    networks = bench.networks(TOGETHER, clip=True)
    peers: dict[str, Callable[[], float]] = {
        "bare": lambda: bench.bare(networks, FLOAT32, batch_size, 2.0),
        "ours": lambda: bench.ours(networks, FLOAT32, batch_size),
    }
    least = {peer: min(seconds) for peer, seconds in alternating(peers, repetitions).items()}
    size = f"{', '.join(TOGETHER)} and {CLIP_NETWORK}, batch {batch_size}"
    note = f"{1e3 * least['ours']:.1f} ms an image over {1e3 * least['bare']:.1f} ms"
    yield Ratio("ours over the sum of bare forwards", size, least["ours"] / least["bare"], note, most=1.05)


def measure_decoding(bench: Bench) -> Iterator[Ratio]:
    """What decoding takes of one core, beside a forward pass."""
    (network,) = bench.networks(["resnet50"]).all
    rows = [range(64)]
    least = in_turn({"decode": lambda: list(decode_batches(bench.images, [network.transform], rows, workers=0))}, 3)
    yield Ratio("images decoded and resized per second and core", "500 x 375 to 224 x 224", 64 / least["decode"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one repetition; writes nothing")
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    device = torch.device(options.device)
    images, repetitions = (512, 1) if options.quick else (768, 3)
    images *= 1 if device.type == "cpu" else 16
    batch_size = default_batch_size(device)
    reduced = ("bfloat16",) if device.type == "cpu" else ("tfloat32", "bfloat16", "float16")
    ratios: list[Ratio] = []
    with TemporaryDirectory() as folder:
        bench = Bench(Path(folder), images, device)
        for name in NETWORKS:
            for precision in (FLOAT32, *reduced):
                ratios += measure_one(bench, name, precision, batch_size, repetitions)
                print(*table(ratios[-1:]), sep="\n", flush=True)
        ratios += measure_together(bench, batch_size, repetitions)
        ratios += measure_decoding(bench)
    facts = {"threads": str(torch.get_num_threads()), "device": options.device, "images": f"{images:,}"}
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
