"""Every test starts from the same environment and the same random numbers, on every machine and in every order."""

import gc
import itertools
import logging
import os
import random
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ended_commands import Ended
from forked import Runs

KEPT = (
    "PATH", "TMPDIR", "VIRTUAL_ENV", "OMP_NUM_THREADS", "SING_ASSETS", "SNAPSHOTS",
    "PYTHONPATH", "PYTHONHOME", "PYTHONHASHSEED",
)  # fmt: skip
KEPT_GROUPS = ("PYTEST_", "COV_", "LD_", "CUDA_", "NVIDIA_")
"""Variables that say where programs, libraries and the real data are; tests and what they start see no other of the caller's."""
FIXED = {"LANG": "C.UTF-8", "TZ": "UTC", "TERM": "xterm-256color", "COLORTERM": "truecolor"}
SET_BY_OTHERS = ("PYTEST_", "KMP_", "GOMP_", "TORCH", "TOKENIZERS_")
"""Variables that pytest, torch, open_clip and the beginning of `sing-compute` set on their own."""
LONG = (
    "test_attack", "test_demo", "test_ranks", "test_photo_road", "test_cifar_road", "test_demo_heads", "test_heads_edit",
    "test_directions", "test_heads_verb", "test_invariants", "test_wheel", "test_resume", "test_agreement", "test_gpu",
    "test_kept_outputs", "test_faults", "test_sounds", "test_notebook", "test_archives", "test_comparison", "test_container",
    "test_probing", "test_null_words", "test_nothing_is_lost", "test_words", "test_screens", "test_features", "test_planted",
    "test_imports", "test_heads_check", "test_dry_run", "test_datasets", "test_store",
)  # fmt: skip
"""Test files that take longest, on the whole. They begin first: a long file that begins last keeps one process busy alone."""
HOMES = pytest.StashKey[Iterator[Path]]()
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def pytest_configure(config: pytest.Config) -> None:
    """Give the tests and their subprocesses an environment of their own."""
    home = tempfile.TemporaryDirectory(prefix="home-", ignore_cleanup_errors=True)
    config.add_cleanup(home.cleanup)
    config.stash[HOMES] = (Path(home.name) / str(number) for number in itertools.count())
    kept = {name: value for name, value in os.environ.items() if name in KEPT or name.startswith(KEPT_GROUPS)}
    os.environ.clear()
    os.environ.update(kept | FIXED | {"HOME": home.name})
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # `nohup make test` ignores it, and children inherit that
    time.tzset()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the long files, in their order; with `--no-loadscope-reorder` the processes take files in this order."""
    places = {name: place for place, name in enumerate(LONG)}
    items.sort(key=lambda item: places.get(item.path.stem, len(LONG)))


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Leave all objects of the imports and of the list of tests out of garbage collections: they stay until the end."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.collect()
        gc.freeze()


def pytest_sessionfinish() -> None:
    """Let the interpreter destroy everything at its end; libraries complain about objects that are left."""
    gc.unfreeze()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Give each test random numbers and an empty home folder that do not depend on what ran before it."""
    home = next(item.config.stash[HOMES])
    home.mkdir()
    os.environ["HOME"] = str(home)
    random.seed(0)
    np.random.seed(0)
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(0)


def shared_state() -> dict[str, Any]:
    """Return what all tests of a process share and each must leave as it found it."""
    torch = sys.modules.get("torch")
    variables = {f"${name}": value for name, value in os.environ.items() if not name.startswith(SET_BY_OTHERS)}
    return variables | {
        "working folder": os.getcwd(),
        "arguments": list(sys.argv),
        "import path": list(sys.path),
        "signal handlers": [signal.getsignal(number) for number in SIGNALS],
        "time zone": time.tzname,
        "logging": (logging.root.level, logging.root.manager.disable),
        "socket timeout": socket.getdefaulttimeout(),
        "threads of torch": torch.get_num_threads() if torch else None,
        "precision of torch": torch.get_default_dtype() if torch else None,
    }


@pytest.fixture(autouse=True)
def _unchanged() -> Iterator[None]:
    """Fail a test that leaves the process in another state than it found it in."""
    before = shared_state()
    yield
    after = shared_state()
    ends = {name: (before.get(name), after.get(name)) for name in before | after}
    changed = {name: each for name, each in ends.items() if each[0] != each[1]}
    if before["threads of torch"] is None:  # the test was the first to import it
        changed = {name: each for name, each in changed.items() if "torch" not in name}
    assert not changed, f"the test leaves changed: {changed}"


@pytest.fixture(scope="session")
def runs() -> Iterator[Runs]:
    """Runs that need no imports of their own."""
    with Runs() as runs:
        yield runs


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Threads that wait for each other on a busy machine cost a hundred times the work of small matrices."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def command(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ended]:
    """The command `sing-compute`, run in the process of the tests."""
    from sing_compute.cli import main

    def run(*arguments: object) -> Ended:
        monkeypatch.setattr(sys, "argv", ["sing-compute", *map(str, arguments)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capfd.readouterr()
        return Ended(int(ended.value.code or 0), out, err)

    return run
