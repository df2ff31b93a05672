"""The tools that run the tests elsewhere: the order that they draw, the delays that they put in, the folders that they open."""

import asyncio
import random
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from pathlib import Path
from types import SimpleNamespace

import delays
import environments
import pytest
import shuffling

PROJECT = Path(__file__).resolve().parents[1]


def shuffled(seed: int) -> list[tuple[str, int]]:
    items = [SimpleNamespace(path=path, number=number) for path in "abcdef" for number in range(6)]
    config = SimpleNamespace(option=SimpleNamespace(order_seed=seed))
    shuffling.pytest_collection_modifyitems(config, items)  # type: ignore[arg-type]
    return [(item.path, item.number) for item in items]


def test_a_seed_gives_one_order_of_files_and_of_the_tests_in_each() -> None:
    found = shuffled(1)
    assert found == shuffled(1)
    assert found != shuffled(2)
    assert sorted(found) != found
    files = [path for path, _ in found]
    assert len([path for path, _ in groupby(files)]) == 6  # a file's tests stay together


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The waits that are asked for; nobody waits them."""
    asked: list[float] = []
    monkeypatch.setattr(delays, "_sleep", asked.append)
    monkeypatch.setattr(delays, "_numbers", random.Random(3))
    monkeypatch.setattr(delays, "THREAD_SHARE", 1.0)
    return asked


def in_thread(work: Callable[[], object]) -> None:
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


def test_work_waits_in_a_thread_and_not_in_the_main_one(waits: list[float]) -> None:
    call = delays._delayed(lambda word, *, end: word + end)
    assert call("a", end="b") == "ab"
    assert waits == []
    in_thread(lambda: call("a", end="b"))
    assert len(waits) == 1
    assert 0 <= waits[0] <= delays.THREAD_SECONDS


def test_a_pools_work_waits_before_and_after(waits: list[float]) -> None:
    with ThreadPoolExecutor(1) as pool:
        future = delays._delayed_work(ThreadPoolExecutor.submit)(pool, lambda word, *, end: word + end, "a", end="b")
        assert future.result() == "ab"
    assert len(waits) == 2


def test_the_loop_stalls_between_some_messages(waits: list[float]) -> None:
    async def dispatch(message: int) -> None:
        seen.append(message)

    seen: list[int] = []
    for message in range(1000):
        asyncio.run(delays._stalled(dispatch)(message))
    assert seen == list(range(1000))
    assert 10 <= len(waits) <= 60
    assert max(waits) <= delays.LOOP_SECONDS


def test_nothing_waits_between_tests(waits: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delays, "_numbers", None)
    in_thread(delays._delayed(int))
    assert waits == []


@pytest.mark.parametrize("length", [40, 90])
def test_the_temporary_folder_has_the_length_asked_for_and_goes(length: int) -> None:
    with environments.temporary_path(length, 0) as call:
        folder = Path(call.variables["TMPDIR"])
        assert len(str(folder)) == length
        assert folder.is_dir()
    assert not folder.exists()


def test_the_command_refuses_an_environment_that_it_does_not_know() -> None:
    command = [sys.executable, PROJECT / "tests" / "environments.py", "moon"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert "no environment 'moon'; there are short, medium" in ended.stderr


def test_environments_can_be_had_at_once() -> None:
    with environments.together(["medium", "locale", "order"], 7) as call:
        assert len(call.variables.pop("TMPDIR")) == 40
        assert call.variables == {"LC_ALL": "C"}
        assert call.options == ["-p", "shuffling", "--order-seed=7"]
        assert call.folder == PROJECT
