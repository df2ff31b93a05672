"""Hostile images, archives, tables, embeddings, vocabularies, weights and configurations, each given to a small run."""

import io
import json
import os
import random
import shutil
import struct
import tarfile
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import h5py
import numpy as np
from attempts import Attempt, badly_ended, drawn
from forked import Runs
from hostile_images import any_image, damaged, noise, packed, strange_file
from small_run import make_inputs

IMAGES = 24
PATIENCE = {"PATIENCE": "120"}
MEMORY = 1.2
"""Most memory of a run, over that of a run on sound inputs."""
RESIZED = """
from slow_net import Slow
from torchvision import transforms

def resized():
    network = Slow()
    network.transform = transforms.Compose([transforms.Resize((8, 8)), transforms.ToTensor()])
    return network
"""
ODD_MEMBERS = [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, b"S"]
EVIL = b"\x1b]52;c;aGk=\x07\xc2\x9b2J\r\nsing-compute: error: forged\xe2\x80\xae\x7f"


def images(rng: random.Random, folder: Path, options: list[str]) -> None:
    """Some images of a folder are replaced, others are added under hostile names."""
    root = folder / "images"
    replace_option(options, "--model", "resized_net:resized")
    for number in range(6):
        name = rng.choice([f"x{number}.png", f"x{number}.jpg", f"x{number}.tif", f"x{number}.gif", f"x{number}"])
        if rng.random() < 0.3:
            name = os.fsdecode(rng.choice([*[EVIL, b"x" * 240, b"a\rb\nc"] * 4, b"caf\xe9"]) + f"{number}.png".encode())
        path = root / f"class{rng.randrange(4)}" / name
        strange_file(rng, path) if rng.random() < 0.25 else path.write_bytes(any_image(rng))
    without_concepts(options)


def archive(rng: random.Random, folder: Path, options: list[str]) -> None:
    """A tar archive of images, damaged or with hostile members."""
    path = folder / "images.tar"
    with tarfile.open(path, "w") as made:
        for number in range(8):
            data = any_image(rng) if number % 2 else packed(noise(rng), "PNG")
            name = f"class{number % 4}/{number}.png"
            if rng.random() < 0.2:
                name = rng.choice(
                    ["../../x.png", "/etc/x.png", EVIL.decode() + ".png", "class0/" + "d/" * 300 + "x.png"]
                )
            member = tarfile.TarInfo(name)
            member.size = len(data)
            member.type = rng.choice(
                [tarfile.REGTYPE] * 60 + [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, b"S"]
            )
            made.addfile(member, io.BytesIO(data))
    if rng.random() < 0.5:
        path.write_bytes(damaged(rng, path.read_bytes()))
    replace_option(options, "--images", "images.tar")
    replace_option(options, "--model", "resized_net:resized")
    without_concepts(options)


def text_of(rng: random.Random, good: str) -> bytes:
    """A text that is damaged, hostile, endless or no UTF-8."""
    return rng.choice(
        [
            damaged(rng, good.encode() or b"x"), EVIL, good.encode() + b"\n" + EVIL, b"\xff\xfe" + good.encode("utf-16-le"),
            good.encode() * 500, b"\0" * 1000, b"a" * 2**21, b'"' * 5000, b",,,\n" * 1000, good.encode("latin-1") + b"\xe9\n",
            b"[" * 100_000, b'{"a":' * 50_000,
        ]
    )  # fmt: skip


def table(rng: random.Random, folder: Path, options: list[str]) -> None:
    keys = sorted(str(path.relative_to(folder)) for path in (folder / "images").rglob("*.png"))
    good = "path,label\n" + "".join(f"{key},{key.split('/')[1]}\n" for key in keys)
    write_or_strange(rng, folder / "list.csv", text_of(rng, good))
    replace_option(options, "--images", "list.csv")
    without_concepts(options)


def class_names(rng: random.Random, folder: Path, options: list[str]) -> None:
    write_or_strange(rng, folder / "classes.txt", text_of(rng, "class0\nclass1\nclass2\nclass3\n"))


def labels(rng: random.Random, folder: Path, options: list[str]) -> None:
    flat = folder / "flat"
    flat.mkdir()
    for path in (folder / "images").rglob("*.png"):
        shutil.copy(path, flat / path.name)
    good = "".join(f"{path.name} {rng.randrange(4)}\n" for path in flat.iterdir())
    write_or_strange(rng, folder / "labels.txt", text_of(rng, good))
    replace_option(options, "--images", "flat")
    options += ["--labels", "labels.txt"]
    without_concepts(options)


def embeddings(rng: random.Random, folder: Path, options: list[str]) -> None:
    """Stored embeddings whose file or arrays are damaged, or declare what they do not hold."""
    name = rng.choice(["images.npz", "words.npz"])
    path = folder / name
    how = rng.choice(["bytes", "bytes", "arrays", "declared", "strange"])
    if how == "bytes":
        path.write_bytes(damaged(rng, path.read_bytes()))
    elif how == "strange":
        strange_file(rng, path)
    elif how == "arrays":
        with np.load(path) as found:
            arrays = dict(found)
        part = rng.choice(["keys", "embeddings"])
        arrays[part] = rng.choice(
            [np.zeros(0), np.zeros((3, 3, 3)), np.full((5, 2), np.nan), arrays[part][:-3], arrays[part][::-1].repeat(2, 0),
             np.array(["\x1b]52;c;aGk=\x07"] * len(arrays[part])), np.array(1), np.arange(9), arrays[part].astype("S")]
        )  # fmt: skip
        np.savez(path, **arrays)
    else:
        header = repr(
            {"descr": rng.choice(["<f8", "<f4", "|O", "<U9999"]), "fortran_order": False, "shape": (10**9, 16)}
        ).encode()
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
            for part in ("keys", "embeddings"):
                made.writestr(
                    f"{part}.npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + bytes(10**7)
                )


def vocabulary(rng: random.Random, folder: Path, options: list[str]) -> None:
    write_or_strange(
        rng, folder / "concepts.txt", text_of(rng, "concept 1\nconcept 2\tcolour\nconcept 3\tkind\tan image of 3\n")
    )
    options += ["--concepts", "concepts.txt"]


def weights(rng: random.Random, folder: Path, options: list[str]) -> None:
    import torch
    from safetensors.torch import save

    state = {
        "body.weight": torch.randn(32, 192),
        "body.bias": torch.zeros(32),
        "head.weight": torch.randn(4, 32),
        "head.bias": torch.zeros(4),
    }
    name = rng.choice(["w.safetensors", "w.pt"])
    stream = io.BytesIO()
    torch.save(state, stream)
    data = stream.getvalue() if name == "w.pt" else save(state)
    if name == "w.safetensors" and rng.random() < 0.4:
        header = rng.choice(
            [
                b"{" * 1000,
                EVIL,
                b'{"body.weight":{"dtype":"F32","shape":[1000000000,9],"data_offsets":[0,36000000000]}}',
            ]
        )
        data = struct.pack("<Q", rng.choice([len(header), 2**40, 99_999_999])) + header
    write_or_strange(rng, folder / name, damaged(rng, data) if rng.random() < 0.8 else data)
    options += ["--weights", name]
    without_concepts(options)


def configuration(rng: random.Random, folder: Path, options: list[str]) -> None:
    """A folder in the hub's format whose configuration is damaged or asks for code, for sizes, for other files."""
    place = folder / "model"
    place.mkdir()
    config = {
        "architecture": "resnet18", "num_classes": 4, "pretrained_cfg": {"input_size": [3, 32, 32]}, "model_args": {},
    }  # fmt: skip
    more = rng.choice(
        [
            {"architecture": "\x1b[31mx"}, {"num_classes": 10**9}, {"num_classes": -1}, {"num_classes": "x"},
            {"pretrained_cfg": {"input_size": [3, 20_000, 20_000]}}, {"pretrained_cfg": []}, {"model_args": {"block_args": "x"}},
            {"trust_remote_code": True}, {"auto_map": {"AutoModel": "x.y"}}, {"model_args": {"layers": [10**6] * 4}},
            {"architectures": ["X"]},
        ]
    )  # fmt: skip
    text = json.dumps(config | more).encode()
    write_or_strange(rng, place / "config.json", rng.choice([text, text, text_of(rng, text.decode())]))
    (place / "model.safetensors").write_bytes(damaged(rng, bytes(1000)))
    replace_option(options, "--model", "local-dir:model")
    without_concepts(options)


def write_or_strange(rng: random.Random, path: Path, data: bytes) -> None:
    strange_file(rng, path) if rng.random() < 0.2 else path.write_bytes(data)


def replace_option(options: list[str], name: str, value: str) -> None:
    options[options.index(name) + 1] = value


def without_concepts(options: list[str]) -> None:
    """Measure the network alone: stored embeddings have no rows for images that are added."""
    for name in ("--image-embeddings", "--concept-embeddings"):
        del options[options.index(name) : options.index(name) + 2]
    options += ["--only", "features"]


KINDS = (images, archive, table, class_names, labels, embeddings, vocabulary, weights, configuration)


def attack(runs: Runs, seed: int, numbers: Iterable[int], folder: Path) -> Iterator[Attempt]:
    """Give hostile inputs to runs, one kind after the other.

    Args:
        runs: Carries the runs out.
        seed: Of all choices.
        numbers: Of the attempts.
        folder: An empty folder.
    """
    sound = folder / "sound"
    sound.mkdir(parents=True)
    good = [*make_inputs(sound, images=IMAGES), "--device", "cpu", "-o", "out.h5"]
    (sound / "resized_net.py").write_text(RESIZED)
    runs.folder = sound
    runs.start(good, place=PATIENCE)
    code, told = runs.end()
    assert code == 0, told
    memory = runs.memory
    for path in sound.glob("out*"):
        path.unlink()
    for number in numbers:
        kind, place = KINDS[number % len(KINDS)], folder / "hostile"
        shutil.copytree(sound, place)
        options = list(good)
        kind(drawn(seed, "inputs", number), place, options)
        runs.folder = place
        runs.start(options, place=PATIENCE)
        code, told = runs.end()
        problem = badly_ended(code, told) or unlisted(code, place)
        if not problem and runs.memory > MEMORY * memory:
            problem = f"{runs.memory / 1e6:.0f} MB of memory, a sound run takes {memory / 1e6:.0f}"
        yield Attempt("inputs", number, kind.__name__, "finished" if code == 0 else "one line", problem)
        shutil.rmtree(place)


def unlisted(code: int, folder: Path) -> str:
    """Say which images are neither measured nor listed as skipped."""
    if code != 0:
        return "there is a results file all the same" if (folder / "out.h5").exists() else ""
    with h5py.File(folder / "out.h5") as file:
        listed = len(file["images/key"]) + (len(file["images/skipped_key"]) if "images/skipped_key" in file else 0)
    # an archive has 8 images; members that are named ../../x.png are left out, and the run says how many
    return "" if listed >= 3 else f"only {listed} images are listed"
