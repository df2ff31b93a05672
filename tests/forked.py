"""Runs of `sing-compute` that start at once: forks of one process that has imported everything."""

import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any, Self

import h5py

DRIVER = """
import fcntl, gc, json, os, signal, sys, termios, traceback
gc.disable()
import torch
torch.set_num_threads(1)  # no thread pool before the forks
import sing_compute.cli, sing_compute.pipeline.plan, sing_compute.pipeline.closing_table, sing_compute.pipeline.run
import timm.data, safetensors.torch, scipy.stats, scipy.sparse.csgraph, PIL.Image
import sing_compute.questions.adding, sing_compute.questions.merging, sing_compute.questions.null_words.naming
import sing_compute.questions.explaining, sing_compute.questions.steering, sing_compute.questions.agreement
from sing_compute.open_clip_import import import_open_clip
import_open_clip()
PIL.Image.init()  # its formats are modules, too
gc.freeze()  # no fork searches these objects for garbage, which would copy their memory
gc.enable()

def compute(order):
    os.setsid()
    os.chdir(order["folder"])  # which code of one's own is imported from
    place = os.open(order["terminal"] or order["output"], os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    if order["terminal"]:
        fcntl.ioctl(place, termios.TIOCSCTTY, 0)
    for number in (1, 2):
        os.dup2(place, number)
    os.environ.update(order["environment"])
    sys.argv = ["sing-compute", *order["arguments"]]
    if first := order["environment"].get("BEGIN_WITH"):
        with open(first) as stream:
            code = compile(stream.read(), first, "exec")
        exec(code, {"__name__": "begin_with"})
    signal.alarm(int(order["environment"].get("PATIENCE", "0")))
    try:
        sing_compute.cli.main()
    except SystemExit as stop:
        sys.stdout.flush()
        os._exit(stop.code or 0)
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()

for line in sys.stdin:
    order = json.loads(line)
    if isinstance(order, str):
        print(os.system(order), flush=True)
        continue
    child = os.fork()
    if "pipes" in order:  # another process of this kind, which is asked through these
        if child == 0:
            for number, (path, how) in enumerate(zip(order["pipes"], (os.O_RDONLY, os.O_WRONLY))):
                os.dup2(os.open(path, how), number)
        else:
            print(child, flush=True)
        continue
    if child == 0:
        try:
            compute(order)
        finally:
            os._exit(70)
    print(child, flush=True)
    sys.stdin.readline()  # its number stays its own until its end is asked for
    _, status, used = os.wait4(child, 0)
    print(os.waitstatus_to_exitcode(status), used.ru_utime + used.ru_stime, used.ru_maxrss * 1024, flush=True)
"""
PRIVATE = ("unshare", "--user", "--map-root-user", "--mount")
"""Begins a command with mounts of its own, where that is allowed."""


def may_mount() -> bool:
    """Return True if disks of any size can be mounted here."""
    try:
        command = [*PRIVATE, "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


PASSING = ("command", "plan", "written", "thread_waiting")
"""Attributes of a model that differ between two runs with the same numbers."""


class Runs:
    """One run after the other."""

    def __init__(self, beside: "Runs | None" = None) -> None:
        """Prepare runs.

        Args:
            beside: Others that are already entered, and left later. These ones run at the same time, among the mounts of those.
        """
        self._beside = beside
        self.mounts = beside.mounts if beside else may_mount()
        """True if the runs have mounts of their own."""
        self._told = f"told-{id(self)}.txt"
        self.folder = Path()
        """Where the next run works."""
        self.pid = 0
        """Of the run in work."""
        self._at_work = False
        self.seconds, self.memory = 0.0, 0
        """Of the last run: seconds of a processor, and its largest memory in bytes."""

    def __enter__(self) -> Self:
        if self._beside:
            self._orders, self._answers, self.driver = self._beside.fork()
            return self
        command = [*(PRIVATE if self.mounts else ()), sys.executable, "-c", DRIVER]
        self._process = subprocess.Popen(command, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._orders, self._answers, self.driver = self._process.stdin, self._process.stdout, self._process.pid
        return self

    def __exit__(self, *_: object) -> None:
        self._give_up()
        self._orders.close()
        if self._beside:
            self._answers.read()  # until its end
        else:
            self._process.wait()
        self._answers.close()

    def fork(self) -> tuple[IO[str], IO[str], int]:
        """Fork the process that has imported everything; gives where its copy is asked, where it answers, and its number."""
        with TemporaryDirectory() as folder:
            pipes = [Path(folder) / "orders", Path(folder) / "answers"]
            for pipe in pipes:
                os.mkfifo(pipe)
            self._ask({"pipes": list(map(str, pipes))})
            pid = int(self._answers.readline())
            return pipes[0].open("w"), pipes[1].open("r"), pid

    def start(
        self,
        arguments: Sequence[str],
        *,
        hold: int | None = None,
        slow: float = 0,
        terminal: str = "",
        place: Mapping[str, str] | None = None,
    ) -> None:
        """Begin a run.

        Args:
            arguments: Of sing-compute.
            hold: After so many batches of features the small network waits until `let_go`; None: it never waits.
            slow: Seconds that the small network takes for each batch.
            terminal: Path of the terminal that the run talks to; without it a file takes what the run says.
            place: Variables that give its place among several processes, and others: BEGIN_WITH (a Python file that runs before
                the command), PATIENCE (seconds after which the run is ended).
        """
        self._give_up()
        waits = {} if hold is None else {"HOLD": str(hold)}
        self._ask(
            {
                "folder": str(self.folder),
                "arguments": list(arguments),
                "terminal": terminal,
                "environment": {"SLOW": str(slow), **waits, **(place or {})},
                "output": self._told,
            }
        )
        self.pid, self._at_work = int(self._answers.readline()), True

    def _give_up(self) -> None:
        """End a run whose end nobody has asked for: a test that failed left it waiting, and the next one would wait for it."""
        if self._at_work:
            self.kill()
            self.end()

    def wait_held(self) -> None:
        """Wait until the network of the run waits where `hold` says."""
        wait_for((self.folder / f"held-{self.pid}").exists)

    def let_go(self) -> None:
        """Let the network of the run go on."""
        (self.folder / f"go-{self.pid}").touch()

    def end(self) -> tuple[int, list[str]]:
        """Wait for its end; gives the exit code, negative for a signal, and the lines it said, unless on a terminal."""
        self._ask("")
        self._at_work = False
        code, seconds, memory = self._answers.readline().split()
        self.seconds, self.memory = float(seconds), int(memory)
        return int(code), self.said().splitlines()

    def said(self) -> str:
        """Return what the run has said so far, unless on a terminal."""
        told = self.folder / self._told
        return told.read_text(errors="replace") if told.exists() else ""

    def finish(self, arguments: Sequence[str]) -> list[str]:
        """A run that must end well."""
        self.start(arguments)
        code, told = self.end()
        assert code == 0, told
        return told

    def kill(self) -> None:
        """As the machine does when it is out of memory or current."""
        self.signal(signal.SIGKILL)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the run, not to its workers."""
        os.kill(self.pid, number)

    def limit_files(self, size: int) -> None:
        """From now on no file may grow beyond this."""
        _, hard = resource.prlimit(self.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(self.pid, resource.RLIMIT_FSIZE, (size, hard))

    def workers(self) -> list[int]:
        """Process numbers of the run's children."""
        return [int(pid) for pid in Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()]

    def shell(self, command: str) -> None:
        """A command that must end well, among the mounts of the runs."""
        self._ask(command)
        assert self._answers.readline() == "0\n"

    def _ask(self, order: Any) -> None:
        self._orders.write(json.dumps(order) + "\n")
        self._orders.flush()


def wait_for(condition: Callable[[], object], seconds: float = 120) -> None:
    """Wait until a condition holds; fail after so many seconds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not so within {seconds:g} s"
        time.sleep(0.005)


def contents(path: Path) -> dict[str, object]:
    """Every dataset's bytes and every attribute of a results file, but for what names the moment and the command."""
    found: dict[str, object] = {}

    def visit(name: str, item: h5py.Group | h5py.Dataset) -> None:
        if isinstance(item, h5py.Dataset):
            found[name] = item[()].tobytes()
        found.update({f"{name}@{key}": str(value) for key, value in item.attrs.items() if key not in PASSING})

    with h5py.File(path) as file:
        file.visititems(visit)
    return found
