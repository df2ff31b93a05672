"""Run the tests where nothing is as on the machine they were written on.

python tests/environments.py                                     every environment, all tests
python tests/environments.py short long user -- tests/store      some environments, some tests: after -- come pytest's arguments
python tests/environments.py short+locale+busy                   several environments at once, in one run of the tests
python tests/environments.py delays --times 30 -- tests/sing_tui the explorer's tests 30 times, each time with other delays

Two processes share the tests; `-n 0` after -- runs them in one. An environment that this machine cannot give (another user
without root) is named and counts as not passed.
"""

import argparse
import os
import pwd
import random
import shutil
import string
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
ASSETS = Path(os.environ.get("SING_ASSETS", PROJECT.parent / "shared" / "assets"))


@dataclass(frozen=True, slots=True)
class Call:
    """How pytest is called in an environment."""

    before: Sequence[str] = ()
    """A command that runs the command that follows it."""
    options: Sequence[str] = ()
    variables: dict[str, str] = field(default_factory=dict)
    folder: Path = PROJECT
    """The working tree that is tested."""


class NotPossibleError(Exception):
    """This machine cannot give the environment; says why."""


@contextmanager
def temporary_path(length: int, _: int) -> Iterator[Call]:
    """TMPDIR of so many characters."""
    parent = Path("/") if length < len("/tmp/x") else Path("/tmp")
    letters = random.choices(string.ascii_lowercase, k=length - len(str(parent / "x")) + 1)
    folder = parent / "".join(letters)
    try:
        folder.mkdir()
    except OSError as error:
        raise NotPossibleError(f"no folder with a path of {length} characters can be made here ({error})") from None
    try:
        yield Call(variables={"TMPDIR": str(folder)})
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def another_user(_: int) -> Iterator[Call]:
    """The user nobody, on a copy of the working tree that belongs to it."""
    if os.geteuid():
        raise NotPossibleError("only root can run the tests as another user")
    user = pwd.getpwnam("nobody")
    with tempfile.TemporaryDirectory(dir="/tmp") as outer:
        copy, temporary, mounts = (Path(outer) / name for name in ("copy", "tmp", "mounts"))
        listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        for name in subprocess.check_output(listed, cwd=PROJECT, text=True).split("\0"):
            if name and (PROJECT / name).is_file():  # a file that was removed is still in the index
                (copy / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(PROJECT / name, copy / name)
        temporary.mkdir()
        mounts.mkdir()
        for path in (Path(outer), *Path(outer).rglob("*")):
            os.chown(path, user.pw_uid, user.pw_gid)
        ids = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
        seen = sorted({path.resolve() for path in (Path(sys.prefix), Path(sys.base_prefix), ASSETS) if path.exists()})
        variables = {"TMPDIR": str(temporary), "SING_ASSETS": str(ASSETS)}
        yield Call([*opened(seen, mounts), *ids], variables=variables, folder=copy)


def opened(paths: Sequence[Path], mounts: Path) -> list[str]:
    """Return a command that runs another one with paths in sight that only root can reach, such as a Python below /root."""
    hidden = {path: closed for path in paths if (closed := closed_above(path)) is not None}
    if not hidden:
        return []
    script = ["set -e"]
    places = {path: mounts / str(number) for number, path in enumerate(hidden)}
    script += [f"mkdir '{place}'; mount --bind '{path}' '{place}'" for path, place in places.items()]
    script += [f"mount -t tmpfs -o mode=755 none '{closed}'" for closed in sorted(set(hidden.values()))]
    script += [f"mkdir -p '{path}'; mount --bind '{place}' '{path}'" for path, place in places.items()]
    return ["unshare", "--mount", "sh", "-c", "; ".join([*script, 'exec "$@"']), "sh"]


def closed_above(path: Path) -> Path | None:
    """Return the topmost folder on the way to a path that not everyone may pass through."""
    return next((folder for folder in reversed(path.parents) if not folder.stat().st_mode & 0o001), None)


@contextmanager
def variable(name: str, value: str, _: int) -> Iterator[Call]:
    """Another value of a variable of the environment."""
    yield Call(variables={name: value})


@contextmanager
def plugin(name: str, option: str, seed: int) -> Iterator[Call]:
    """A plugin of this folder that draws random numbers."""
    yield Call(options=["-p", name, f"{option}={seed}"])


@contextmanager
def one_core(_: int) -> Iterator[Call]:
    """A machine with one core."""
    yield Call(["taskset", "--cpu-list", str(min(os.sched_getaffinity(0)))])


@contextmanager
def busy(_: int) -> Iterator[Call]:
    """A machine whose cores are all kept busy by other programs."""
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in os.sched_getaffinity(0)]
    try:
        yield Call()
    finally:
        for other in others:
            other.kill()
            other.wait()


ENVIRONMENTS: dict[str, tuple[str, Callable[[int], AbstractContextManager[Call]]]] = {
    "short": ("TMPDIR of 5 characters", partial(temporary_path, 5)),
    "medium": ("TMPDIR of 40 characters", partial(temporary_path, 40)),
    "long": ("TMPDIR of 90 characters", partial(temporary_path, 90)),
    "user": ("another user, on a copy of the working tree", another_user),
    "locale": ("LC_ALL=C", partial(variable, "LC_ALL", "C")),
    "zone": ("TZ=Pacific/Kiritimati", partial(variable, "TZ", "Pacific/Kiritimati")),
    "order": ("files and their tests in random order", partial(plugin, "shuffling", "--order-seed")),
    "core": ("one core", one_core),
    "busy": ("another program on every core", busy),
    "delays": ("random delays in threads and message loops", partial(plugin, "delays", "--delay-seed")),
}


@contextmanager
def together(names: Sequence[str], seed: int) -> Iterator[Call]:
    """Several environments at once; of a variable or folder that two of them set, the last one's counts."""
    with ExitStack() as stack:
        calls = [stack.enter_context(ENVIRONMENTS[name][1](seed)) for name in names]
        yield Call(
            before=[word for call in calls for word in call.before],
            options=[word for call in calls for word in call.options],
            variables={name: value for call in calls for name, value in call.variables.items()},
            folder=next((call.folder for call in reversed(calls) if call.folder != PROJECT), PROJECT),
        )


def outcome(name: str, seed: int, arguments: Sequence[str]) -> str:
    """Run pytest in an environment; return "passed", "failed", or why this machine cannot give the environment."""
    try:
        with together(name.split("+"), seed) as call:
            paths = (str(call.folder), str(call.folder / "tests"), os.environ.get("PYTHONPATH", ""))
            variables = {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(filter(None, paths))} | call.variables
            side_by_side = [] if "-n" in arguments else ["-n", "2", "--dist", "loadfile", "--no-loadscope-reorder"]
            pytest = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *side_by_side]
            command = [*call.before, *pytest, *call.options, *arguments]
            ended = subprocess.run(command, cwd=call.folder, env=os.environ | variables, check=False)
            return "failed" if ended.returncode else "passed"
    except NotPossibleError as error:
        return f"not possible: {error}"


def main() -> None:
    """Run what the command line asks for; end with 1 unless everything passed."""
    cut = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="ENVIRONMENT", help=", ".join(ENVIRONMENTS))
    parser.add_argument(
        "--times", type=int, default=1, help="how often each environment runs, with seeds going up by one"
    )
    parser.add_argument("--seed", type=int, help="first seed of random order and delays; without it, a new one")
    given = parser.parse_args(sys.argv[1:cut])
    if unknown := [name for names in given.names for name in names.split("+") if name not in ENVIRONMENTS]:
        parser.error(f"no environment {unknown[0]!r}; there are {', '.join(ENVIRONMENTS)}")
    first = random.randrange(10**6) if given.seed is None else given.seed
    lines = []
    for name in given.names or ENVIRONMENTS:
        for seed in range(first, first + given.times):
            print(f"=== {', '.join(ENVIRONMENTS[part][0] for part in name.split('+'))}; seed {seed}", flush=True)
            begun = time.monotonic()
            found = outcome(name, seed, sys.argv[cut + 1 :])
            lines.append(f"{name:24} seed {seed:<7} {time.monotonic() - begun:6.0f} s  {found}")
    print("\n".join(["", *lines]))
    sys.exit(not all(line.endswith("  passed") for line in lines))


if __name__ == "__main__":
    main()
