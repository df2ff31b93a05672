"""Faults in long runs: each ends in one line, keeps what is done, and the same command ends in the same file."""

import fcntl
import os
import pty
import select
import signal
import struct
import termios
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import pytest
from forked import Runs, contents, wait_for
from small_run import make_inputs

IMAGES, SHARDS = 800, 4
BATCHES = 8
"""In a shard."""


@dataclass(frozen=True)
class World:
    """A small run, and what it gives undisturbed."""

    runs: Runs
    folder: Path
    options: Sequence[str]
    calm: dict[str, object]

    def command(self, output: Path, *more: str) -> list[str]:
        return [*self.options, *more, "-o", str(output.relative_to(self.folder))]

    def begin(self, output: Path, *more: str, finished: int = 1, terminal: str = "") -> None:
        """Start a run and wait until it has finished so many shards; it goes on at `runs.let_go`."""
        self.runs.start(self.command(output, *more), hold=BATCHES * finished, terminal=terminal)
        self.runs.wait_held()
        wait_for(lambda: len(shards(output)) == finished)

    def refused(self, output: Path) -> str:
        """The one error line of the run; it stands in the log too, and nothing but finished work is left of the run."""
        code, told = self.runs.end()
        assert code == 2, told
        assert [line for line in told if "error" in line.lower() or "Traceback" in line] == told[-1:]
        said = told[-1].removeprefix("sing-compute: error: ")
        assert log(output)[-1] == f"error: {said}"
        assert not output.exists()
        assert not [path for path in work(output).iterdir() if path.suffix == ".tmp" or path.name == "progress.json"]
        return said

    def goes_on(self, output: Path, *more: str) -> None:
        """The same command ends in the undisturbed file, and computes no finished shard again."""
        left = IMAGES - 256 * len(shards(output))
        told = self.runs.finish(self.command(output, *more))
        assert contents(output) == self.calm
        assert not work(output).exists()
        assert log(output).count("finished") == 1
        assert any(line.startswith(f"features: {left} of {left} in") for line in told) == (left > 0)


def work(output: Path) -> Path:
    """Its folder of unfinished work."""
    return output.with_name(output.name + ".work")


def shards(output: Path) -> list[str]:
    """Names of its finished shards."""
    return sorted(path.name for path in work(output).glob("*.safetensors"))


def log(output: Path) -> list[str]:
    """The lines of the log without their moments."""
    return [line.split(maxsplit=1)[1] for line in output.with_name(output.name + ".log").read_text().splitlines()]


@pytest.fixture(scope="module")
def inputs(runs: Runs, tmp_path_factory: pytest.TempPathFactory) -> World:
    runs.folder = tmp_path_factory.mktemp("faults")
    options = [*make_inputs(runs.folder, images=IMAGES), "--device", "cpu"]
    runs.finish([*options, "-o", "calm.h5"])
    return World(runs, runs.folder, options, contents(runs.folder / "calm.h5"))


@pytest.fixture
def world(inputs: World) -> World:
    inputs.runs.folder = inputs.folder
    return inputs


def test_a_lost_connection_changes_nothing(world: World) -> None:
    """The terminal's other side is closed in the middle: SIGHUP comes, and every write to the terminal fails from then on."""
    output = world.folder / "hangup.h5"
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    world.begin(output, "--workers", "1", terminal=os.ttyname(slave))
    shown = b""
    while b"\x1b[2Kfeatures " not in shown:  # the bar may be drawn a moment after the network began to wait
        assert select.select([master], [], [], 120)[0], shown
        shown += os.read(master, 65536)
    os.close(slave)
    os.close(master)
    world.runs.let_go()
    code, _ = world.runs.end()
    assert code == 0
    assert contents(output) == world.calm
    lines = log(output)
    assert "SIGHUP: the terminal is gone; the run goes on" in lines
    assert any(line.startswith("features: 800 of 800 in ") for line in lines)
    table = lines[lines.index("finished") + 1 :]
    assert table[0].split() == ["model", "slow"]
    assert any(line.startswith("accuracy") for line in table)


def test_a_run_that_a_failed_test_left_waiting_holds_up_no_other(world: World) -> None:
    world.begin(world.folder / "left.h5")
    world.runs.finish(world.command(world.folder / "next.h5"))
    assert contents(world.folder / "next.h5") == world.calm
    assert not (world.folder / "left.h5").exists()


def test_a_disk_that_fills_up_costs_no_finished_work(world: World) -> None:
    output = world.folder / "full.h5"
    world.begin(output)
    world.runs.limit_files(20_000)
    world.runs.let_go()
    said = world.refused(output)
    assert said.startswith(f"cannot write full.h5.work/{len(shards(output)):06d}.safetensors: File too large (")
    assert said.endswith(" MB free there); finished work is kept: make room, and the same command goes on")
    assert len(shards(output)) == 1

    world.runs.start(world.command(output), hold=0)
    world.runs.wait_held()
    world.runs.limit_files(50_000)  # enough for shards, not for the results file
    world.runs.let_go()
    said = world.refused(output)
    assert said.startswith("cannot write full.h5: File too large (")
    assert said.endswith(" MB free there); finished work is kept: make room, and the same command goes on")
    assert len(shards(output)) == SHARDS
    world.goes_on(output)


def test_a_disk_without_room_is_refused_at_every_step_and_goes_on_when_there_is_some(world: World) -> None:
    if not world.runs.mounts:
        pytest.skip("no disk can be mounted here; the test before this one limits the length of files instead")
    output = world.folder / "small" / "out.h5"
    world.runs.shell(f"mkdir {output.parent}; mount -t tmpfs -o size=4k tmpfs {output.parent}")
    inside = Path(f"/proc/{world.runs.driver}/root{output}")
    steps = []
    for size in (4, 28, 76, 172, 300, 400, 4000):
        # Without its old options: of those, a user who is not root may not give uid and gid again.
        world.runs.shell(f"mount --options-source disable -o remount,size={size}k {output.parent}")
        world.runs.start(world.command(output))
        code, told = world.runs.end()
        steps.append(told[-1].split(":")[2] if code else "written")
        assert code in (0, 2), told
        assert code == 0 or "No space left on device (0." in told[-1], told
        assert inside.exists() == (code == 0)
    assert steps[-1] == "written"
    for step in ("cannot write small/out.h5.work/plan.json", "safetensors", "out.h5"):
        assert any(each.endswith(step) for each in steps), steps
    assert contents(inside) == world.calm
    world.runs.shell(f"umount {output.parent}")


def test_a_vanished_disk_of_images_is_no_heap_of_broken_images(world: World) -> None:
    output, images = world.folder / "vanished.h5", world.folder / "images"
    world.begin(output, "--workers", "1")
    images.rename(images.with_name("away"))
    world.runs.let_go()
    said = world.refused(output)
    assert said.startswith("images/class")
    assert "the images' disk is gone (" in said
    images.with_name("away").rename(images)
    world.goes_on(output, "--workers", "1")


def test_a_vanished_disk_of_results_is_one_line(world: World) -> None:
    output = world.folder / "results" / "gone.h5"
    world.begin(output)
    output.parent.rename(world.folder / "unplugged")
    world.runs.let_go()
    code, told = world.runs.end()
    assert code == 2
    assert told[-1].startswith("sing-compute: error: cannot write results/gone.h5.work/")
    assert told[-1].endswith(".safetensors: No such file or directory; finished work is kept, the same command goes on")
    assert not output.parent.exists()
    (world.folder / "unplugged").rename(output.parent)
    assert shards(output)
    world.goes_on(output)


def test_a_killed_decoder_is_one_line(world: World) -> None:
    output = world.folder / "decoder.h5"
    world.begin(output, "--workers", "2")
    os.kill(world.runs.workers()[-1], signal.SIGKILL)
    world.runs.let_go()
    said = world.refused(output)
    assert said.startswith("a process that decodes images was killed (out of memory?)")
    world.goes_on(output, "--workers", "2")


def test_a_batch_that_does_not_fit_into_memory_is_halved_and_nothing_lost(world: World) -> None:
    """As a GPU says it, which no test machine has; batches of ten images still fit."""
    output = world.folder / "narrow.h5"
    world.runs.start(world.command(output), place={"ROOM": "10"})
    code, told = world.runs.end()
    assert code == 0, told
    for size in (16, 8):
        line = f"slow: cpu is out of memory; going on with {size} images at a time"
        assert told.count(line) == log(output).count(line) == 1
    with h5py.File(output) as narrow, h5py.File(world.folder / "calm.h5") as calm:
        assert narrow["models/slow"].attrs["batch_size"] == 8
        assert np.array_equal(narrow["images/key"], calm["images/key"])
        for name in ("prediction", "image_score", "attribute_score"):
            here, there = (file[f"models/slow/images/{name}"][:] for file in (narrow, calm))
            assert np.allclose(here, there, atol=1e-3, equal_nan=True)


def test_memory_that_is_gone_is_one_line(world: World) -> None:
    output, crowded = world.folder / "crowded.h5", world.folder / "crowded"
    world.begin(output)
    crowded.touch()
    world.runs.let_go()
    said = world.refused(output)
    assert said.startswith("slow: cpu has no memory left for even one image at a time; finished work is kept")
    crowded.unlink()
    assert len(shards(output)) == 1
    world.goes_on(output)


def test_a_killed_run_whose_shard_was_damaged_computes_that_one_again(world: World) -> None:
    output = world.folder / "damaged.h5"
    world.begin(output, finished=2)
    world.runs.kill()
    assert world.runs.end()[0] == -signal.SIGKILL
    torn = work(output) / "000000.safetensors"
    torn.write_bytes(torn.read_bytes()[:-1000])
    assert "finished" not in log(output)
    told = world.runs.finish(world.command(output))
    assert contents(output) == world.calm
    line = next(line for line in told if "damaged" in line)
    assert line.startswith("damaged.h5.work/000000.safetensors is damaged (")
    assert line.endswith(") and is thrown away; its images are computed again")
    assert line in log(output)
    assert any(line.startswith("features: 544 of 544 in") for line in told)  # 800, less the one shard that was whole
