"""A whole run in seconds: a small network that waits where a test says so, drawn pictures, stored embeddings."""

from pathlib import Path

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
        self.calls = 0

    def forward(self, x):
        self.calls += 1
        if self.calls - 5 >= int(os.environ.get("HOLD", "1000000")):  # the first four calls check it and look for the head
            open(f"held-{os.getpid()}", "w").close()
            while not os.path.exists(f"go-{os.getpid()}"):
                time.sleep(0.01)
        time.sleep(float(os.environ.get("SLOW", "0")))
        if len(x) > int(os.environ.get("ROOM", "1000000")) or os.path.exists("crowded"):
            raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB")
        return self.head(torch.relu(self.body(x.flatten(1))))

def slow():
    return Slow()
"""
MAPPED_NETWORK = """
import os, time
import torch
from torch import nn
from torchvision import transforms

class Mapped(nn.Module):
    transform = transforms.ToTensor()

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.stem, self.head = nn.Conv2d(3, 20, 3), nn.Linear(20, 4)

    def forward(self, x):
        time.sleep(float(os.environ.get("SLOW", "0")))
        return self.head(self.stem(x).mean(dim=(2, 3)))

def mapped():
    return Mapped()
"""
IMAGES = 800


def make_inputs(folder: Path, images: int = IMAGES) -> list[str]:
    """Small images of four classes, one of them broken, with stored embeddings."""
    rng = np.random.default_rng(0)
    keys = []
    for number in range(images):
        key = f"class{number % 4}/{number:04d}.png"
        (folder / "images" / key).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 255, (8, 8, 3), dtype=np.uint8)).save(folder / "images" / key)
        keys.append(key)
    (folder / "images" / keys[5]).write_bytes(b"no image")
    roads.save_embeddings(folder / "images.npz", keys, rng.normal(size=(images, 16)) + 1)
    names = [f"class{c}" for c in range(4)] + [f"concept {k}" for k in range(9)]
    roads.save_embeddings(folder / "words.npz", names, rng.normal(size=(13, 16)))
    (folder / "classes.txt").write_text("class0\nclass1\nclass2\nclass3\n")
    (folder / "slow_net.py").write_text(NETWORK)
    return [
        *("--model", "slow_net:slow", "--images", "images", "--class-names", "classes.txt", "--batch-size", "32"),
        *("--image-embeddings", "images.npz", "--concept-embeddings", "words.npz", "--workers", "0"),
    ]


def mapped_inputs(folder: Path) -> list[str]:
    """The same with a network whose spatial maps are kept, of every second image."""
    options = make_inputs(folder)
    (folder / "mapped_net.py").write_text(MAPPED_NETWORK)
    options[1] = "mapped=mapped_net:mapped"
    return [*options, "--maps", "--maps-limit", "300KB", "--maps-grid", "3"]
