"""The parts of gpu.py: each yields rows as soon as they are known."""

import io
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import redirect_stdout
from dataclasses import replace
from itertools import count
from pathlib import Path

import extraction as extraction_speed
import timm
import torch
from extraction import Bench, draw_photographs
from gpu import Part, Row, Setting
from gpu_runs import measuring, two_processes
from random_networks import fill_constants
from timm.data import create_transform
from torch import nn
from torch.nn.functional import normalize

from sing_compute.extraction import shard_file
from sing_compute.extraction.features import attach_heads, extract
from sing_compute.extraction.networks import CLIP, Network, Networks
from sing_compute.extraction.precision_effect import effect_on_scores
from sing_compute.extraction.settings import SMALL_EFFECT, Settings
from sing_compute.extraction.shard_file import SHARD_IMAGES
from sing_compute.extraction.shards import WorkFolder
from sing_compute.images.decoding import decode_batches
from sing_compute.images.image_sources import list_images
from sing_compute.images.listing import ImageList
from sing_compute.linalg.null_space import split_head
from sing_compute.models.classifier import Classifier
from sing_compute.pipeline.devices import default_workers
from sing_compute.precision import FLOAT32, faster_precisions, keeping_weights
from sing_compute.process.progress import Progress

ROOT = Path(__file__).resolve().parents[1]
CLASSES = 1000
MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
"""OpenAI's values for CLIP."""
EFFECT_IMAGES = 256
LARGE_BATCH = 256


def draw_images(setting: Setting) -> Iterator[Row]:
    """Draw photographs of two classes; `many` holds each of them several times, for runs in which only speed counts."""
    distinct, times, pixels = (288, 1, 32) if setting.small else (1024, 16, 256)
    began = time.perf_counter()
    draw_photographs(setting.folder / "images", distinct, height=pixels, processes=len(os.sched_getaffinity(0)))
    for path in sorted((setting.folder / "images").rglob("*.jpg")):
        folder = setting.folder / "many" / path.parent.name
        folder.mkdir(parents=True, exist_ok=True)
        for time_ in range(times):
            (folder / f"{path.stem}-{time_}.jpg").hardlink_to(path)
    yield Row("images drawn", f"{distinct:,}", f"{time.perf_counter() - began:.1f} s")


def run_tests(setting: Setting) -> Iterator[Row]:
    """Run the tests that have a device as parameter: on the card, or their twins on the processor."""
    config = setting.folder / "pytest.ini"  # the project's own names plugins that a machine with a card may lack
    config.write_text(
        f"[pytest]\npythonpath = {ROOT / 'tests'}\naddopts = --import-mode=importlib -p no:cacheprovider\n"
    )
    files = ["tests/test_cuda.py", *([] if setting.small else ["tests/images/test_decoding.py"])]
    chosen = "cuda or pinned" if setting.on_card else "cpu"
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-c", config, "--rootdir", ROOT, *files, "-k", chosen],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"},
        capture_output=True,
        text=True,
        check=False,
    )
    said = ended.stdout.strip().splitlines() or ended.stderr.strip().splitlines() or [""]
    print(ended.stdout[-3000:], ended.stderr[-3000:], sep="\n", file=sys.stderr)
    yield Row("tests", chosen, "passed" if ended.returncode == 0 else "failed", said[-1].strip("= "))


class Drawn:
    """Networks with random weights, and the drawn images."""

    def __init__(self, setting: Setting, folder: str = "images") -> None:
        self.setting, self.device = setting, setting.device
        self.images: ImageList = list_images(setting.folder / folder)

    def classifier(self) -> Classifier:
        """Return a ResNet-50, or a tiny residual network."""
        torch.manual_seed(0)
        name, side = ("test_resnet", 32) if self.setting.small else ("resnet50", 224)
        with self.device:
            network = timm.create_model(name, num_classes=10 if self.setting.small else CLASSES)
        network = network.cpu()
        fill_constants(network)
        transform = create_transform(input_size=(3, side, side), is_training=False)
        return Classifier(name, network.eval(), transform, {}, concurrent=True)

    def tower(self) -> nn.Module:
        """Return the visual tower of ViT-L/14 as open_clip builds it (timm's where there is no open_clip), or a tiny one."""
        small = self.setting.small
        torch.manual_seed(0)
        try:
            from open_clip.transformer import VisionTransformer
        except ImportError:
            name = "test_vit" if small else "vit_large_patch14_clip_224"
            more = {"img_size": 32} if small else {}
            with self.device:
                return timm.create_model(name, num_classes=16 if small else 768, **more).eval()
        sizes = (32, 8, 32, 2, 2, 4.0) if small else (224, 14, 1024, 24, 16, 4.0)
        with self.device:
            return VisionTransformer(*sizes, output_dim=16 if small else 768).eval()

    def networks(self, *, classifier: bool, clip: bool) -> Networks:
        """Return the wanted networks on the device."""
        classifiers = [self.classifier()] if classifier else []
        if classifiers:
            attach_heads(classifiers, self.images)
        networks = Networks(classifiers, None, self.device, print)
        if clip:
            from sing_compute.precision import computing_in

            tower = self.tower().to(self.device)
            side = 32 if self.setting.small else 224
            transform = create_transform(
                input_size=(3, side, side), is_training=False, interpolation="bicubic", mean=MEAN, std=STD, crop_pct=1.0
            )

            def forward(batch: torch.Tensor, precision: str) -> dict[str, torch.Tensor]:
                with computing_in(precision, batch.device):
                    return {CLIP: normalize(tower(batch).float(), dim=1)}

            networks.all.append(Network(CLIP, transform, forward))
        return networks


def extraction(setting: Setting, *, clip: bool) -> Iterator[Row]:
    """Compare extraction in every precision with the bare forward pass, and with decoding by all workers alone."""
    if setting.small:  # smaller shards, in the process of this part alone
        extraction_speed.SHARD_IMAGES = shard_file.SHARD_IMAGES = 64
    drawn = Drawn(setting, "many")
    networks = drawn.networks(classifier=not clip, clip=clip)
    (network,) = networks.all
    name = ("ViT-L/14" if clip else "ResNet-50") if not setting.small else ("tiny ViT" if clip else "tiny ResNet")
    batch = 16 if setting.small else 128
    decoded = 1 / decoding_seconds(drawn.images, network, setting)
    yield Row("images decoded per second, all workers", name, f"{decoded:.0f}")
    bench = Bench(setting.folder, setting.device, drawn.images)
    for precision in (FLOAT32, *faster_precisions(setting.device)):
        if setting.on_card:
            torch.cuda.reset_peak_memory_stats()
        bare = 1 / bench.bare(networks, precision, batch, 0.2 if setting.small else 2.0)
        expected = min(bare, decoded) * 5 / SHARD_IMAGES  # shards of five seconds
        shards = 3 if setting.small else int(min(len(drawn.images) // SHARD_IMAGES, max(4, expected)))
        ours = 1 / bench.ours(networks, precision, batch, shards)
        size = f"{name}, {precision}, batch {batch}"
        note = f"images/s: bare {bare:.0f}, ours {ours:.0f}, decoding {decoded:.0f}"
        yield Row("ours over bare forward", size, f"{ours / bare:.2f}", note)
        yield Row("ours over the slower of bare forward and decoding", size, f"{ours / min(bare, decoded):.2f}")
        if setting.on_card:
            yield Row("memory at most", size, f"{torch.cuda.max_memory_allocated() / 1e9:.2f} GB")


def decoding_seconds(images: ImageList, network: Network, setting: Setting) -> float:
    """Return the seconds per image of decoding alone, from its second batch on."""
    size, most = 64, 256 if setting.small else 4096
    rows = [range(start, start + size) for start in range(0, min(most, len(images)) - size + 1, size)]
    workers = default_workers(setting.device)
    marks = []
    for _ in decode_batches(images, [network.transform], rows, workers=workers, pin=setting.on_card):
        marks.append(time.perf_counter())
    return (marks[-1] - marks[0]) / (size * (len(marks) - 1))


def precision_effects(setting: Setting) -> Iterator[Row]:
    """Measure how far AS and IS of drawn images move by each precision of the classifier, of CLIP, and of both."""
    drawn = Drawn(setting)
    networks = drawn.networks(classifier=True, clip=True)
    model, clip = networks.all
    wanted = 64 if setting.small else EFFECT_IMAGES
    chosen = range(0, len(drawn.images), len(drawn.images) // wanted)[:wanted]
    rows = [chosen[start : start + 64] for start in range(0, wanted, 64)]
    batches = list(decode_batches(drawn.images, [model.transform, clip.transform], rows, workers=0))

    @torch.inference_mode()
    def outputs(network: Network, place: int, key: str, precision: str) -> torch.Tensor:
        with keeping_weights(setting.device):
            found = [networks.run(network, networks.put(batch.tensors[place]), precision)[key] for batch in batches]
        return torch.cat(found).float().cpu()

    precisions = (FLOAT32, *faster_precisions(setting.device))
    features = {each: outputs(model, 0, f"{model.name}/features", each) for each in precisions}
    answers = {each: outputs(model, 0, f"{model.name}/prediction", each) for each in precisions}
    targets = {each: outputs(clip, 1, CLIP, each) for each in precisions}
    head = next(m for m in reversed(list(networks._modules[0].modules())) if isinstance(m, nn.Linear))
    split = split_head(head.weight.detach().cpu(), stored_dtype=torch.float32)
    texts = normalize(torch.randn(wanted, targets[FLOAT32].shape[1], generator=torch.Generator().manual_seed(0)), dim=1)
    exact = features[FLOAT32], targets[FLOAT32]
    for each in precisions[1:]:
        for where, changed in (
            ("classifier", (features[each], targets[FLOAT32])),
            ("CLIP", (features[FLOAT32], targets[each])),
            ("both", (features[each], targets[each])),
        ):
            attribute, image = effect_on_scores(exact, changed, split, texts)
            flips = int((answers[each] != answers[FLOAT32]).sum()) if where != "CLIP" else 0
            small = "auto may take it" if max(attribute, image) < SMALL_EFFECT else "auto refuses it"
            size = f"{each}, {where}, {wanted} images"
            value = f"AS {attribute:.4f}, IS {image:.4f} degrees"
            yield Row("change at the 95th percentile", size, value, f"{flips} predictions differ; {small}")


def out_of_memory(setting: Setting) -> Iterator[Row]:
    """Compare a run whose batch does not fit into memory with one whose batch does."""
    drawn = Drawn(setting)
    batch = 64 if setting.small else LARGE_BATCH
    found: list[tuple[int, torch.Tensor, str]] = []
    for number, scarce in zip(count(), (False, True)):
        networks = drawn.networks(classifier=True, clip=False)
        if scarce and setting.on_card:
            torch.cuda.empty_cache()
            total = torch.cuda.get_device_properties(setting.device).total_memory
            torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_reserved() + 0.6e9) / total)
        elif scarce:
            networks.all = [_with_room(network, 20) for network in networks.all]
        work = WorkFolder(setting.folder / f"scarce{number}.h5", fresh=True)
        settings = Settings(batch, {network.name: FLOAT32 for network in networks.all})
        with redirect_stdout(io.StringIO()) as said:
            extract(work, networks, drawn.images, settings, [0], workers=0, progress=Progress(rank=1))
        name = networks.all[0].name
        networks.release()
        found.append(
            (networks.batch_size, work.read(0, f"{name}/features").tensors[f"{name}/features"], said.getvalue())
        )
    (full, features, _), (fitted, halved, said_then) = found
    difference = float((features - halved).abs().max() / features.std())
    works = fitted < batch == full and difference < 1e-3
    note = " ".join(said_then.split()) or "no line was printed"
    value = "works" if works else "failed"
    yield Row("a batch that does not fit is halved", f"batch {batch}, then {fitted}", value, note)
    yield Row("largest difference of features, over their spread", f"batch {batch} and {fitted}", f"{difference:.1e}")


def _with_room(network: Network, images: int) -> Network:
    """Return the network with memory for so many images."""

    def forward(batch: torch.Tensor, precision: str) -> dict[str, torch.Tensor]:
        if len(batch) > images:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB")
        return network.forward(batch, precision)

    return replace(network, forward=forward)


def resnet(setting: Setting) -> Iterator[Row]:
    """Measure the extraction of ResNet-50."""
    return extraction(setting, clip=False)


def vit(setting: Setting) -> Iterator[Row]:
    """Measure the extraction of ViT-L/14."""
    return extraction(setting, clip=True)


PARTS = (
    Part("tests", run_tests, 90),
    Part("ResNet-50", resnet, 75),
    Part("ViT-L/14", vit, 90),
    Part("precision", precision_effects, 45),
    Part("out of memory", out_of_memory, 40),
    Part("two processes", two_processes, 60),
    Part("measuring", measuring, 60),
)
