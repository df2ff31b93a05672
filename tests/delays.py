"""A pytest plugin that delays threads and stalls Textual's message loop at random, as a busy machine or a slow disk does.

PYTHONPATH=tests python -m pytest -p delays [--delay-seed N] tests/sing_tui

A thread waits before it starts, before and after each function that a pool runs, and before each message or call to the
application. The loop of the application stops now and then between two messages. The seed is printed; the delays of a test
follow from the seed and the test's name. `python tests/environments.py delays --times 30 -- tests/sing_tui` is the short way.
"""

import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import wraps
from typing import Any

import pytest

THREAD_SHARE, THREAD_SECONDS = 0.5, 0.15
"""Share of the places in a thread where it waits, and for how long at most."""
LOOP_SHARE, LOOP_SECONDS = 0.03, 0.05
"""The same for the messages of the application."""

_sleep = time.sleep  # some tests replace the module's
_numbers: random.Random | None = None
"""Decides which places wait; None between two tests."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option of the seed."""
    parser.addoption("--delay-seed", type=int, help="seed of the random delays; without it, a new one")


def pytest_configure(config: pytest.Config) -> None:
    """Choose a seed here, before the worker processes of xdist start."""
    if config.option.delay_seed is None:
        config.option.delay_seed = random.SystemRandom().randrange(10**6)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the seed."""
    terminalreporter.write_line(f"random delays: --delay-seed {config.option.delay_seed}")


def pytest_collection_finish() -> None:
    """Put the delays in; they wait only while a test runs."""
    from textual.app import App
    from textual.message_pump import MessagePump

    threading.Thread.run = _delayed(threading.Thread.run)
    ThreadPoolExecutor.submit = _delayed_work(ThreadPoolExecutor.submit)
    App.call_from_thread = _delayed(App.call_from_thread)
    MessagePump.post_message = _delayed(MessagePump.post_message)
    MessagePump._dispatch_message = _stalled(MessagePump._dispatch_message)  # Textual has no public place for it


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Give each test delays of its own."""
    global _numbers
    _numbers = random.Random(f"{item.config.option.delay_seed} {item.nodeid}")
    try:
        return (yield)
    finally:
        _numbers = None


def _wait(share: float, seconds: float) -> None:
    numbers = _numbers
    if numbers is not None and numbers.random() < share:
        _sleep(numbers.uniform(0, seconds))


def _wait_in_thread() -> None:
    if threading.current_thread() is not threading.main_thread():
        _wait(THREAD_SHARE, THREAD_SECONDS)


def _delayed(function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def delayed(*given: Any, **options: Any) -> Any:
        _wait_in_thread()
        return function(*given, **options)

    return delayed


def _delayed_work(submit: Callable[..., Future[Any]]) -> Callable[..., Future[Any]]:
    @wraps(submit)
    def delayed(pool: ThreadPoolExecutor, work: Callable[..., Any], /, *given: Any, **options: Any) -> Future[Any]:
        def waiting() -> Any:
            _wait_in_thread()
            try:
                return work(*given, **options)
            finally:
                _wait_in_thread()

        return submit(pool, waiting)

    return delayed


def _stalled(dispatch: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(dispatch)
    async def stalled(*given: Any) -> None:
        _wait(LOOP_SHARE, LOOP_SECONDS)
        await dispatch(*given)

    return stalled
