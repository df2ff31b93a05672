"""A clock that tests move."""

from types import SimpleNamespace

import pytest

from sing_compute.process import state_file, tasks


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A clock that stands still until `now` is moved, an hour behind the wall's."""
    clock = SimpleNamespace(now=1000.0)
    fake = SimpleNamespace(monotonic=lambda: clock.now, time=lambda: clock.now + 3600)
    for module in (tasks, state_file):
        monkeypatch.setattr(module, "time", fake)
    return clock
