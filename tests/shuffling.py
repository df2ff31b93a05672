"""A pytest plugin that runs the test files, and the tests inside each file, in random order.

PYTHONPATH=tests python -m pytest -p shuffling [--order-seed N]

The seed is printed; the same seed gives the same order. `python tests/environments.py order` is the short way.
"""

import random
from collections.abc import Iterator
from itertools import groupby

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option of the seed."""
    parser.addoption("--order-seed", type=int, help="seed of the random order; without it, a new one")


def pytest_configure(config: pytest.Config) -> None:
    """Choose a seed here, before the worker processes of xdist start, so that all of them have the same order."""
    if config.option.order_seed is None:
        config.option.order_seed = random.SystemRandom().randrange(10**6)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the seed."""
    terminalreporter.write_line(f"random order: --order-seed {config.option.order_seed}")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put the files in random order, and the tests inside each file; a file's tests stay together."""
    files = [list(tests) for _, tests in groupby(items, key=lambda item: item.path)]
    items[:] = _shuffled(files, random.Random(config.option.order_seed))


def _shuffled(files: list[list[pytest.Item]], numbers: random.Random) -> Iterator[pytest.Item]:
    for tests in numbers.sample(files, len(files)):
        yield from numbers.sample(tests, len(tests))
