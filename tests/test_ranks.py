"""Several processes on one run: the same file as one gives, and one line where something happens to one of them."""

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest
from forked import Runs, contents, wait_for
from small_run import IMAGES, make_inputs, mapped_inputs


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


class Launched:
    """Up to three processes, which take part in one run after the other as a launcher starts them."""

    def __init__(self, runs: Sequence[Runs], options: Sequence[str], folder: Path) -> None:
        self.runs, self.options, self.folder = runs, options, folder

    def start(
        self,
        output: str,
        size: int,
        *more: str,
        hold: Mapping[int, int] | None = None,
        slurm: bool = False,
        first: str = "",
    ) -> None:
        """Begin a run of so many; the network of rank r waits after `hold[r]` batches until it may go on; `first` is a file of
        Python that each carries out before.
        """
        port = free_port()
        for rank, run in enumerate(self.runs[:size]):
            run.folder = self.folder
            if slurm:
                place = {"SLURM_STEP_NUM_TASKS": size, "SLURM_PROCID": rank, "SLURM_LOCALID": rank, "SLURM_JOB_ID": 7}
            else:
                place = {"WORLD_SIZE": size, "RANK": rank, "LOCAL_RANK": rank, "MASTER_ADDR": "127.0.0.1"}
            early = {"BEGIN_WITH": first} if first else {}
            environment = {key: str(value) for key, value in (place | {"MASTER_PORT": port} | early).items()}
            arguments = [*self.options, *more, "-o", output]
            run.start(arguments, hold=(hold or {}).get(rank), place=environment if size > 1 else None)
        self.size = size

    def end(self) -> list[tuple[int, list[str]]]:
        """Exit code of each, and the lines that it said."""
        return [run.end() for run in self.runs[: self.size]]


@pytest.fixture(scope="module")
def launched(runs: Runs, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Launched]:
    folder = tmp_path_factory.mktemp("ranks")
    options = [*make_inputs(folder), "--model", "other=slow_net:slow"]  # two models: they are measured by two processes
    with ExitStack() as stack:
        others = [stack.enter_context(Runs(beside=runs)) for _ in range(2)]
        yield Launched([runs, *others], options, folder)


@pytest.fixture(scope="module")
def calm(launched: Launched) -> dict[str, object]:
    """The results file of one process."""
    launched.start("calm.h5", 1)
    ((code, told),) = launched.end()
    assert code == 0, told
    return results(launched.folder / "calm.h5")


def results(path: Path) -> dict[str, object]:
    """All that it holds but how many processes made it."""
    return {name: value for name, value in contents(path).items() if not name.endswith("@processes")}


def test_two_processes_under_torchrun_give_the_file_of_one(launched: Launched, calm: dict[str, object]) -> None:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    ended = subprocess.run(
        [*command, "-m", "sing_compute", *launched.options, "-o", "two.h5"],
        cwd=launched.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.count("two.h5 is written") == 1
    assert ended.stderr.count("images: 800 in") == 1
    assert "features (1 of 2 processes): 512 of 512" in ended.stderr
    assert results(launched.folder / "two.h5") == calm
    assert not (launched.folder / "two.h5.work").exists()


LATE = """
import os, time
from sing_compute.extraction.shards import WorkFolder

known = WorkFolder.has

def has(self, index):
    while not self.finished:
        time.sleep(0.01)
    return known(self, index)

if os.environ["RANK"] == "1":
    WorkFolder.has = has
"""


def test_a_process_that_looks_when_another_has_finished_work_leaves_none_to_nobody(
    launched: Launched, calm: dict[str, object], tmp_path: Path
) -> None:
    (tmp_path / "late.py").write_text(LATE)
    launched.start("late.h5", 2, first=str(tmp_path / "late.py"))
    assert [code for code, _ in launched.end()] == [0, 0]
    assert results(launched.folder / "late.h5") == calm


def test_a_lost_process_ends_the_run_in_a_line_and_one_process_finishes_it(
    launched: Launched, calm: dict[str, object]
) -> None:
    work, finished = launched.folder / "lost.h5.work", [f"00000{n}.safetensors" for n in (0, 2, 3)]
    launched.start("lost.h5", 3, hold={1: 3}, slurm=True)
    launched.runs[1].wait_held()
    wait_for(lambda: [path.name for path in sorted(work.glob("*.safetensors"))] == finished)
    assert "features (1 of 3 processes): begins" in (launched.folder / "lost.h5.log").read_text()
    launched.runs[1].kill()
    first, lost, other = launched.end()
    line = "another process of this run is gone; finished work is kept, and the same command goes on where it was"
    assert lost[0] == -signal.SIGKILL
    assert first[0] == other[0] == 2
    assert first[1][-1] == f"sing-compute: error: {line}"
    assert other[1] == [f"sing-compute: error: rank 2: {line}"]
    assert [path.name for path in sorted(work.glob("*.safetensors"))] == finished
    launched.start("lost.h5", 1)
    ((code, told),) = launched.end()
    assert code == 0, told
    assert any(line.startswith("going on") for line in told)
    assert results(launched.folder / "lost.h5") == calm


def test_three_processes_go_on_where_one_was_interrupted(launched: Launched, calm: dict[str, object]) -> None:
    launched.start("on.h5", 1, hold={0: 9})
    launched.runs[0].wait_held()
    launched.runs[0].signal(signal.SIGTERM)
    wait_for(lambda: "SIGTERM: finishing" in launched.runs[0].said())
    launched.runs[0].let_go()
    ((code, told),) = launched.end()
    assert code == 143, told
    launched.start("on.h5", 3)
    ended = launched.end()
    assert [code for code, _ in ended] == [0, 0, 0], ended
    assert any("on.h5 is written" in line for line in ended[0][1])
    assert [told for _, told in ended[1:]] == [[], []]
    assert results(launched.folder / "on.h5") == calm


def test_two_processes_keep_the_maps_that_one_keeps(launched: Launched, tmp_path: Path) -> None:
    options = mapped_inputs(tmp_path)
    mapped = Launched(launched.runs, options, tmp_path)
    for output, size in (("one.h5", 1), ("two.h5", 2)):
        mapped.start(output, size)
        assert [code for code, _ in mapped.end()] == [0] * size
    one = results(tmp_path / "one.h5")
    assert len(one["models/mapped/maps/image"]) == 4 * (IMAGES // 2)  # bytes: four a row
    assert results(tmp_path / "two.h5") == one


def test_a_mistake_of_all_is_said_once(launched: Launched) -> None:
    launched.start("never.h5", 2, "--class-names", "images.npz")
    (first, told), (second, silent) = launched.end()
    assert (first, second) == (2, 2)
    assert told[-1].startswith("sing-compute: error: --class-names images.npz: not a readable")
    assert silent == []
    assert not list(launched.folder.glob("never.h5*"))


def test_variables_left_over_in_a_shell_are_named_while_the_run_waits(launched: Launched) -> None:
    run = launched.runs[0]
    run.folder = launched.folder
    (run.folder / "soon.py").write_text("import sing_compute.process.ranks as ranks; ranks.PATIENCE = 0.1")
    place = {"WORLD_SIZE": "2", "RANK": "0", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
    run.start([*launched.options, "-o", "left.h5"], place=place | {"BEGIN_WITH": "soon.py"})
    wait_for(lambda: "if this is the only one, stop it and type: unset RANK WORLD_SIZE" in run.said())
    assert "(RANK=0, WORLD_SIZE=2) at 127.0.0.1" in run.said()
    run.kill()
    run.end()


def test_srun_on_several_machines_needs_to_know_where_to_meet(launched: Launched) -> None:
    place = {"SLURM_STEP_NUM_TASKS": "2", "SLURM_PROCID": "0", "SLURM_LOCALID": "0", "SLURM_JOB_ID": "7"}
    launched.runs[0].folder = launched.folder
    launched.runs[0].start([*launched.options, "-o", "far.h5"], place=place | {"SLURM_STEP_NUM_NODES": "2"})
    code, told = launched.runs[0].end()
    assert code == 2
    assert told[-1].startswith("sing-compute: error: MASTER_ADDR is not set: the 2 processes of this run cannot find")
