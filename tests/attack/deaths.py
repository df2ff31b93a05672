"""Kill a small run at one of its file operations, or let that operation fail; the same command must then end undisturbed."""

import errno
import random
import shutil
import signal
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import h5py
from attempts import Attempt, badly_ended, drawn
from forked import Runs, contents
from roads import save_embeddings
from small_run import make_inputs

FAULTS = Path(__file__).with_name("file_faults.py")
IMAGES = 300
"""Two files of features."""
PATIENCE = {"PATIENCE": "150"}
ANY = (errno.EIO, errno.ESTALE)
NEW = (errno.EIO, errno.ENOSPC, errno.ESTALE, errno.EACCES)
ERRORS = {
    "open": (errno.EIO, errno.ESTALE, errno.EACCES, errno.EMFILE),
    "open for writing": (*NEW, errno.EMFILE),
    **dict.fromkeys(("write", "fsync", "mkdir", "replace", "rename", "posix_fallocate"), NEW),
    **dict.fromkeys(("listdir", "scandir"), (errno.EIO, errno.ESTALE, errno.EACCES, errno.EMFILE)),
    **dict.fromkeys(("unlink", "remove", "rmdir", "stat"), (errno.EIO, errno.ESTALE, errno.EACCES)),
    **dict.fromkeys(("flock", "lockf"), (errno.EIO, errno.ESTALE, errno.ENOLCK)),
}
"""Errors that a file system gives for an operation."""


@dataclass(frozen=True, slots=True)
class Road:
    """A command, what is in its folder before it, and what an undisturbed run of it gives."""

    command: list[str]
    before: Path
    output: str
    undisturbed: dict[str, object]
    names: list[str]
    places: list[tuple[int, str]]
    """Its file operations in the order in which they are tried: number and kind."""


class World:
    """The inputs of all roads; a road is measured when it is first asked for."""

    def __init__(self, runs: Runs, folder: Path, seed: int) -> None:
        self.runs, self.folder, self.seed = runs, folder, seed
        self.work = folder / "work"
        self._roads: dict[str, Road] = {}
        self.work.mkdir(parents=True)
        runs.folder = self.work
        self.options = [*make_inputs(self.work, images=IMAGES), "--device", "cpu"]
        save_embeddings(self.work / "later.npz", ["snow", "rain"], [[1.0, *[0.5] * 15], [0.5] * 16])
        (self.work / "out").mkdir()
        self._finish([*self.options, "-o", "out/out.h5"])
        self.full = self._keep("full")
        self._clear()
        self.empty = self._keep("empty")

    def road(self, name: str) -> Road:
        """Return one of ROADS, measured."""
        if name not in self._roads:
            self._roads[name] = getattr(self, f"_{name}")()
        return self._roads[name]

    def begin(self, road: Road) -> None:
        """Put the folder of a road as it is before its command."""
        self.runs.folder = self.work
        shutil.rmtree(self.work / "out")
        shutil.copytree(road.before, self.work / "out")

    def _first(self) -> Road:
        return self._measured([*self.options, "-o", "out/out.h5"], self.empty, "out.h5")

    def _second(self) -> Road:
        options = [*self.options]
        options[1] = "second=slow_net:slow"
        return self._measured([*options, "-o", "out/out.h5"], self.full, "out.h5")

    def _concepts(self) -> Road:
        added = ["--text", "snow", "--text", "rain", "--embeddings", "later.npz"]
        return self._measured(["concepts", "out/out.h5", *added], self.full, "out.h5")

    def _words(self) -> Road:
        return self._measured(["words", "out/out.h5"], self.full, "out.h5")

    def _merge(self) -> Road:
        both = self.folder / "both"
        shutil.copytree(self.full, both)
        shutil.copy(both / "out.h5", both / "b.h5")
        command = ["merge", "out/out.h5", "out/b.h5", "--rename", "slow=other", "-o", "out/merged.h5"]
        return self._measured(command, both, "merged.h5")

    def _measured(self, command: list[str], before: Path, output: str) -> Road:
        road = Road(command, before, output, {}, [], [])
        self.begin(road)
        trace = self.folder / "trace"
        trace.unlink(missing_ok=True)
        self._finish(command, {"FAULT_TRACE": str(trace)})
        found: dict[str, list[int]] = {}
        for number, kind in enumerate(trace.read_text().splitlines(), 1):
            found.setdefault(kind, []).append(number)
        return Road(
            command,
            before,
            output,
            contents(self.work / "out" / output),
            names_in(self.work / "out"),
            in_turn(found, self.seed),
        )

    def _finish(self, command: list[str], faults: dict[str, str] | None = None) -> None:
        self.runs.start(command, place=PATIENCE | (self.faults() | faults if faults else {}))
        code, told = self.runs.end()
        assert code == 0, told

    def faults(self) -> dict[str, str]:
        """Return the variables that every run with counted operations needs."""
        return {"BEGIN_WITH": str(FAULTS), "FAULT_FOLDER": str(self.work)}

    def _keep(self, name: str) -> Path:
        kept = self.folder / name
        shutil.copytree(self.work / "out", kept)
        return kept

    def _clear(self) -> None:
        for path in (self.work / "out").iterdir():
            path.unlink()


ROADS = ("first", "second", "concepts", "merge", "words")


def in_turn(found: dict[str, list[int]], seed: int) -> list[tuple[int, str]]:
    """Return all operations so that each kind has its turn: those of an image come as often as the one rename at the end."""
    rng = random.Random(seed)
    queues = {kind: rng.sample(numbers, len(numbers)) for kind, numbers in found.items()}
    order: list[tuple[int, str]] = []
    while queues:
        for kind in rng.sample(sorted(queues), len(queues)):
            order.append((queues[kind].pop(), kind))
            if not queues[kind]:
                del queues[kind]
    return order


def names_in(folder: Path) -> list[str]:
    """Return all names below a folder."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def attack(part: str, world: World, numbers: Iterable[int]) -> Iterator[Attempt]:
    """Try deaths or errors.

    Args:
        part: `deaths` or `errno`.
        world: The inputs; its seed is that of all choices.
        numbers: Of the attempts.
    """
    for number in numbers:
        road_name = ROADS[number % len(ROADS)]
        road = world.road(road_name)
        at, kind = road.places[number // len(ROADS) % len(road.places)]
        faults = {"FAULT_AT": str(at), "FAULT": "kill"}
        if part == "errno":
            rng = drawn(world.seed, part, number)
            code = rng.choice(ERRORS.get(kind.rpartition(" ")[0], ANY))
            faults |= {"FAULT": str(code), "FAULT_LASTS": str(rng.randrange(2))}
            kind = f"{errno.errorcode[code]}{' (lasting)' * (faults['FAULT_LASTS'] == '1')} at {kind}"
        end, problem = disturb(world, road, faults)
        yield Attempt(part, number, road_name, end, problem and f"{road_name}, operation {at}, {kind}: {problem}")


def disturb(world: World, road: Road, faults: dict[str, str]) -> tuple[str, str]:
    """Run a command that is disturbed, then run it again; give how the first ended, and what is wrong."""
    world.begin(road)
    target = world.work / "out" / road.output
    old = contents(target) if target.exists() else None
    world.runs.start(road.command, place=PATIENCE | world.faults() | faults)
    code, told = world.runs.end()
    end = {0: "finished", 2: "one line", -signal.SIGKILL: "killed"}.get(code, f"exit code {code}")
    killed = faults["FAULT"] == "kill" and code == -signal.SIGKILL
    if not killed and (problem := badly_ended(code, told)):
        return end, problem
    state = contents(target) if target.exists() else None
    if code == 0 and state != road.undisturbed:
        return skipped(target, road) or (end, "it ended well, and its file is another one")
    if state not in (old, road.undisturbed):
        return end, f"{road.output} is neither the old file nor the new one: {told[-1:]}"
    world.runs.start(road.command, place=PATIENCE)
    code, told = world.runs.end()
    if problem := badly_ended(code, told):
        return end, f"afterwards: {problem}"
    if code != 0 and state != road.undisturbed:
        return end, f"the same command does not go on: {told[-1]}"
    if contents(target) != road.undisturbed:
        return end, "the same command ends in another file"
    if (names := names_in(world.work / "out")) != road.names:
        return end, f"left over: {sorted(set(names) ^ set(road.names))}"
    return end, ""


def skipped(target: Path, road: Road) -> tuple[str, str] | None:
    """Say that a run has skipped and listed images that it could not read; None if it has not, or if they were as many."""
    with h5py.File(target) as file:
        keys = file["images/skipped_key"][()].tobytes() if "images/skipped_key" in file else b""
    return ("skipped and listed", "") if keys != road.undisturbed.get("images/skipped_key") else None
