"""Parts of gpu.py that need no extraction of their own: whole runs of the command, and measuring on features that are drawn."""

import multiprocessing
import os
import socket
import sys
import time
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path

import h5py
import numpy as np
import torch
from gpu import Row, Setting
from processes import same
from torch.nn.functional import normalize

from sing_compute.linalg.null_space import split_head
from sing_compute.measuring.fitting import FOLDS, FittedTranslator, fit_translator
from sing_compute.measuring.reader import BLOCK_IMAGES, PairedBatch
from sing_compute.scores.shifts import ConceptShifts, fold_views

NETWORK = """
import timm, torch
from timm.data import create_transform

def network():
    torch.manual_seed(0)
    made = timm.create_model("{name}", num_classes=2)
    made.transform = create_transform(input_size=(3, {side}, {side}), is_training=False)
    return made
"""
CLIP_DIM = 64


def two_processes(setting: Setting) -> Iterator[Row]:
    """Run the command with one process and with two processes on the same card; the files must hold the same numbers."""
    folder = setting.folder / "runs"
    folder.mkdir()
    name, side = ("test_resnet", 32) if setting.small else ("resnet50", 224)
    (folder / "drawn_networks.py").write_text(NETWORK.format(name=name, side=side))
    (folder / "classes.txt").write_text("class0\nclass1\n")
    images = setting.folder / "images"
    keys = sorted(path.relative_to(images).as_posix() for path in images.rglob("*.jpg"))
    rng = np.random.default_rng(0)
    words = ["class0", "class1", *(f"concept {number}" for number in range(20))]
    for kind, texts in (("images", keys), ("words", words)):
        np.savez(folder / f"{kind}.npz", keys=np.array(texts), embeddings=rng.normal(size=(len(texts), CLIP_DIM)) + 1)
    options = [
        *("--model", "drawn_networks:network", "--images", str(images), "--class-names", "classes.txt"),
        *("--image-embeddings", "images.npz", "--concept-embeddings", "words.npz", "--precision", "float32"),
        *("--device", setting.device_name, *(("--workers", "0") if setting.small else ())),
    ]
    seconds = {size: _command(folder, options, size) for size in (1, 2)}
    equal = same(folder / "1.h5", folder / "2.h5")
    note = f"{seconds[1]:.1f} s and {seconds[2]:.1f} s, {len(keys):,} images"
    yield Row("time of a run with one process over two on one card", name, f"{seconds[1] / seconds[2]:.2f}", note)
    with h5py.File(folder / "1.h5") as one, h5py.File(folder / "2.h5") as two:
        (model,) = one["models"]
        scores = [np.asarray(file[f"models/{model}/images/attribute_score"]) for file in (one, two)]
    difference = float(np.nanmax(np.abs(scores[0] - scores[1])))
    value = "same" if equal else f"differ, AS by {difference:.1e} degrees"
    yield Row(
        "numbers in both files", name, value if difference < 1e-3 else "failed", "bit for bit" if equal else value
    )


def _command(folder: Path, options: list[str], size: int) -> float:
    """Run the command as so many processes, as torchrun starts them, and return the seconds."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    context = multiprocessing.get_context("fork")
    place = {"WORLD_SIZE": str(size), "LOCAL_WORLD_SIZE": str(size), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    environments = [place | {"RANK": str(rank), "LOCAL_RANK": str(rank)} if size > 1 else {} for rank in range(size)]
    arguments = [*options, "-o", f"{size}.h5"]
    began = time.perf_counter()
    processes = [context.Process(target=_rank, args=(folder, arguments, each)) for each in environments]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    took = time.perf_counter() - began
    if any(process.exitcode for process in processes):
        raise RuntimeError(f"a run of {size} processes ended with {[process.exitcode for process in processes]}")
    return took


def _rank(folder: Path, arguments: list[str], environment: Mapping[str, str]) -> None:
    from sing_compute.cli import main

    os.chdir(folder)
    os.environ.update(environment)
    sys.argv = ["sing-compute", *arguments]
    place = os.open(f"said-{os.getpid()}.txt", os.O_RDWR | os.O_CREAT)
    error = os.dup(2)
    for number in (1, 2):
        os.dup2(place, number)
    sys.stdout, sys.stderr = (os.fdopen(number, "w", closefd=False) for number in (1, 2))
    code = 1
    try:
        main()
    except SystemExit as stop:
        code = int(stop.code or 0)
    except BaseException:
        traceback.print_exc()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    if code:
        os.write(error, Path(f"said-{os.getpid()}.txt").read_bytes())
    os._exit(code)


class Drawn:
    """Features, embeddings that follow from them, labels, a head and concepts, on a device."""

    def __init__(self, device: torch.device, *, small: bool) -> None:
        self.images, self.dim, self.clip, self.classes, concepts = (
            (600, 48, 24, 10, 30) if small else (8192, 2048, 768, 1000, 500)
        )
        draw = torch.Generator().manual_seed(0)
        self.features = torch.rand(self.images, self.dim, generator=draw)
        mixing = torch.randn(self.dim, self.clip, generator=draw) / self.dim**0.5
        noise = torch.randn(self.images, self.clip, generator=draw)
        self.targets = normalize(self.features @ mixing + 0.1 * noise, dim=1)
        self.labels = (torch.arange(self.images) * self.classes) // self.images
        self.folds = torch.randint(FOLDS, (self.images,), generator=draw)
        head = torch.randn(self.classes, self.dim, generator=draw)
        self.texts = normalize(torch.randn(self.classes, self.clip, generator=draw), dim=1)
        self.concepts = normalize(torch.randn(concepts, self.clip, generator=draw), dim=1)
        for name in ("features", "targets", "labels", "folds", "texts", "concepts"):
            setattr(self, name, getattr(self, name).to(device))
        self.device, self.split = device, split_head(head.to(device), stored_dtype=torch.float32)

    def batches(self) -> Iterator[PairedBatch]:
        for start in range(0, self.images, BLOCK_IMAGES):
            rows = slice(start, min(start + BLOCK_IMAGES, self.images))
            yield PairedBatch(rows, self.features[rows], self.labels[rows], self.folds[rows], self.targets[rows])

    def wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize()

    def translator(self) -> FittedTranslator:
        found = fit_translator(self.batches, self.split, self.texts, self.images)
        self.wait()
        return found

    def scores(self, fitted: FittedTranslator) -> torch.Tensor:
        """Return AS of each image toward each concept, in degrees."""
        parts = []
        for batch in self.batches():
            views = fold_views(fitted.folds, batch.features, batch.folds)
            parts.append(ConceptShifts.of(views, self.concepts).attribute_score)
        self.wait()
        return torch.cat(parts)


def measuring(setting: Setting) -> Iterator[Row]:
    """Fit a translator and score all images toward all concepts, on the card and on the processor."""
    found: list[tuple[float, float, FittedTranslator, torch.Tensor]] = []
    for device in (setting.device, torch.device("cpu")):
        drawn = Drawn(device, small=setting.small)
        if device.type == "cuda":
            drawn.scores(drawn.translator())  # a first time prepares kernels
        marks = [time.perf_counter()]
        fitted = drawn.translator()
        marks.append(time.perf_counter())
        scores = drawn.scores(fitted)
        marks.append(time.perf_counter())
        found.append((marks[1] - marks[0], marks[2] - marks[1], fitted, scores.cpu()))
    card, processor = found
    size = f"{drawn.images:,} images, {drawn.dim:,} -> {drawn.clip}, {len(drawn.concepts)} concepts"
    for name, place in (("translator", 0), ("scores", 1)):
        note = f"{card[place]:.2f} s on {setting.device.type}, {processor[place]:.2f} s on the processor"
        yield Row(f"{name}, time on the processor over the card", size, f"{processor[place] / card[place]:.1f}", note)
    difference = float((card[3] - processor[3]).abs().max())
    value = f"{difference:.1e} degrees" if difference < 1e-2 else "failed"
    note = f"penalty {card[2].ridge:.4g} and {processor[2].ridge:.4g}; largest AS difference {difference:.1e} degrees"
    yield Row("largest difference of any AS between card and processor", size, value, note)
