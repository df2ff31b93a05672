"""A run as in a poor container: 64 MB of shared memory, an unknown user id, a read-only home folder, no terminal."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from environments import opened
from forked import PRIVATE, may_mount
from PIL import Image
from roads import save_embeddings

from sing_compute.store import Store

PROJECT = Path(__file__).resolve().parents[1]
CLASSES = ("red", "green", "blue")
IMAGES = 132
"""Together 79 MB of tensors, which does not fit into 64 MB."""
NETWORK = """
import torch
from torch import nn
from torchvision import transforms

class Colours(nn.Module):
    # The mean colour is the logit, so that each image of one colour is right; other features are ignored.
    transform = transforms.Compose([transforms.Resize((224, 224)), transforms.ToTensor()])

    def __init__(self):
        super().__init__()
        self.pool, self.head = nn.AvgPool2d(112), nn.Linear(12, 3)
        with torch.no_grad():
            self.head.weight.copy_(torch.eye(3).repeat_interleave(4, 1))
            self.head.bias.zero_()

    def forward(self, images):
        return self.head(self.pool(images).flatten(1))

def colours():
    return Colours()
"""
OPTIONS = [
    *("--model", "container_net:colours", "--images", "images", "--class-names", "classes.txt", "--device", "cpu"),
    *("--image-embeddings", "images.npz", "--concept-embeddings", "words.npz", "--workers", "1", "-o", "results.h5"),
]
SMALL_MEMORY = 'mount -t tmpfs -o size=64m,mode=1777 tmpfs /dev/shm && exec "$@"'


@pytest.fixture
def folder() -> Iterator[Path]:
    """A user's folder that everybody may write; pytest's own folders are closed to others."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o777)
    rng = np.random.default_rng(0)
    keys = [f"{CLASSES[number % 3]}/{number:03d}.png" for number in range(IMAGES)]
    for number, key in enumerate(keys):
        pixels = 140 * np.eye(3)[number % 3] + rng.uniform(0, 100, (4, 4, 3))
        (folder / "images" / key).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels.astype(np.uint8)).save(folder / "images" / key)
    save_embeddings(folder / "images.npz", keys, rng.normal(size=(IMAGES, 6)) + 1)
    save_embeddings(folder / "words.npz", [*CLASSES, "bright", "dark"], rng.normal(size=(5, 6)) + 1)
    (folder / "classes.txt").write_text("\n".join(CLASSES))
    (folder / "container_net.py").write_text(NETWORK)
    (folder / "home").mkdir()
    (folder / "home").chmod(0o555)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def in_container(mounts: Path) -> list[str]:
    """The beginning of a command that runs in such a container."""
    if os.geteuid() == 0:
        mounts.mkdir()
        seen = sorted({Path(sys.prefix).resolve(), Path(sys.base_prefix).resolve(), PROJECT})
        user = ["setpriv", "--reuid=12345", "--regid=12345", "--clear-groups"]
        return ["unshare", "--mount", "sh", "-c", SMALL_MEMORY, "sh", *opened(seen, mounts), *user]
    if may_mount():  # only root can become another user; the rest of the container is as above
        return [*PRIVATE, "sh", "-c", SMALL_MEMORY, "sh"]
    pytest.skip("this user may mount no disks, so shared memory cannot be made small")


def test_a_run_in_a_container_ends_with_the_right_numbers(folder: Path, tmp_path: Path) -> None:
    start = in_container(tmp_path / "mounts")
    try:
        ready = subprocess.run([*start, sys.executable, "-c", "pass"], capture_output=True)
    except FileNotFoundError as error:
        pytest.skip(f"there is no {error.filename}")
    if ready.returncode:
        pytest.skip("mounting is not allowed here, so there is no container")
    start = in_container(tmp_path / "again")
    variables = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(PROJECT),
        "HOME": str(folder / "home"),
        "TMPDIR": str(folder),
        "OMP_NUM_THREADS": "1",
    }
    line = [*start, sys.executable, "-m", "sing_compute", *OPTIONS]
    ended = subprocess.run(
        line,
        cwd=folder,
        env=variables,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        start_new_session=True,  # no terminal
        timeout=300,
    )
    assert ended.returncode == 0, ended.stderr
    assert "more slowly" not in ended.stderr  # 64 MB are enough for processes that decode
    if os.geteuid() == 0:
        assert (folder / "results.h5").stat().st_uid == 12345
        assert f"{folder / 'home'} cannot be written: what is downloaded is kept in " in ended.stderr
    with Store(folder / "results.h5") as store:
        assert store.array("images/skipped_key").tolist() == []
        keys = store.array("images/key").tolist()
        assert len(keys) == IMAGES
        assert store.summary("colours")["accuracy"] == 1
        features = store.array("models/colours/features/value")
        shifts = store.array("models/colours/images/image_score")
    exact = np.stack([np.asarray(Image.open(folder / "images" / key), dtype=np.float64) / 255 for key in keys])
    assert np.abs(features.reshape(IMAGES, 3, 4).mean(2) - exact.mean(axis=(1, 2))).max() < 0.01  # Resize rounds
    assert np.isfinite(shifts).all()
    assert len(set(shifts.tolist())) == IMAGES
