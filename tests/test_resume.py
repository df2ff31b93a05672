"""A run that is killed without warning goes on where it was, and ends in the numbers of an undisturbed one."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import roads
from PIL import Image

NETWORK = """
import os, time
import torch
from torch import nn
from torchvision import transforms

class Slow(nn.Module):
    transform = transforms.ToTensor()

    def __init__(self):
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.body, self.head = nn.Linear(192, 32), nn.Linear(32, 4)
        for parameter in self.parameters():
            parameter.data = torch.randn(parameter.shape, generator=generator) / 8

    def forward(self, x):
        time.sleep(float(os.environ.get("SLOW", "0")))
        return self.head(torch.relu(self.body(x.flatten(1))))

def slow():
    return Slow()
"""
IMAGES = 800


def make_inputs(folder: Path) -> list[str]:
    """800 small images of four classes, one of them broken, with stored embeddings."""
    rng = np.random.default_rng(0)
    keys = []
    for number in range(IMAGES):
        key = f"class{number % 4}/{number:04d}.png"
        (folder / "images" / key).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 255, (8, 8, 3), dtype=np.uint8)).save(folder / "images" / key)
        keys.append(key)
    (folder / "images" / keys[5]).write_bytes(b"no image")
    roads.save_embeddings(folder / "images.npz", keys, rng.normal(size=(IMAGES, 16)) + 1)
    names = [f"class{c}" for c in range(4)] + [f"concept {k}" for k in range(9)]
    roads.save_embeddings(folder / "words.npz", names, rng.normal(size=(13, 16)))
    (folder / "classes.txt").write_text("class0\nclass1\nclass2\nclass3\n")
    (folder / "slow_net.py").write_text(NETWORK)
    return [
        *("--model", "slow_net:slow", "--images", "images", "--class-names", "classes.txt", "--batch-size", "32"),
        *("--image-embeddings", "images.npz", "--concept-embeddings", "words.npz", "--workers", "0"),
    ]


def test_a_killed_run_goes_on_and_ends_in_the_same_numbers(tmp_path: Path) -> None:
    options = make_inputs(tmp_path)
    command = [sys.executable, "-m", "sing_compute", *options]
    calm = subprocess.run([*command, "-o", "calm.h5"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert calm.returncode == 0, calm.stderr
    assert "skipped 1 images that cannot be read, first class1/0005.png" in calm.stderr
    work = tmp_path / "killed.h5.work"
    with subprocess.Popen([*command, "-o", "killed.h5"], cwd=tmp_path, env=os.environ | {"SLOW": "0.3"}) as process:
        deadline = time.monotonic() + 60
        while len(list(work.glob("*.safetensors"))) < 2 and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
    done = sorted(path.name for path in work.glob("*.safetensors"))
    assert done == ["000000.safetensors", "000001.safetensors"]
    assert not (tmp_path / "killed.h5").exists()
    stamps = {name: (work / name).stat().st_mtime_ns for name in done}

    other = subprocess.run(
        [*command, "-o", "killed.h5", "--batch-size", "16"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert other.returncode == 2
    assert "unfinished work of another command (differs: batch size)" in other.stderr
    assert {name: (work / name).stat().st_mtime_ns for name in done} == stamps

    again = subprocess.run([*command, "-o", "killed.h5"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stderr
    assert "going on" in again.stderr
    assert f"features: {IMAGES - 512} of {IMAGES - 512}" in again.stderr
    assert not work.exists()
    assert datasets(tmp_path / "killed.h5") == datasets(tmp_path / "calm.h5")


def datasets(path: Path) -> dict[str, bytes]:
    """Every dataset's bytes."""
    found: dict[str, bytes] = {}
    with h5py.File(path) as file:
        file.visititems(
            lambda name, item: found.update({name: item[()].tobytes()} if isinstance(item, h5py.Dataset) else {})
        )
    return found
