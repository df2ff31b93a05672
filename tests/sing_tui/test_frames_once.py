"""A frame that the terminal shows already is not sent again; whatever may have changed the terminal makes it be sent."""

import os
import signal
from pathlib import Path

import pytest
from test_terminal import running
from textual.driver import Driver

from sing_tui.frames_once import FramesOnce, frames_once

BEGIN, END = "\x1b[?2026h", "\x1b[?2026l"


class Kept(Driver):
    """Keeps what is written."""

    def __init__(self) -> None:
        self.written: list[str] = []

    def write(self, data: str) -> None:
        self.written.append(data)

    def start_application_mode(self) -> None:
        self.written.append("taken")

    def disable_input(self) -> None: ...

    def stop_application_mode(self) -> None: ...


@pytest.fixture
def driver() -> Kept:
    return frames_once(Kept)()  # type: ignore[call-arg, return-value]


def frame(driver: Kept, text: str) -> None:
    for data in (BEGIN, text, END):
        driver.write(data)


def sent(driver: Kept) -> list[str]:
    return [data for data in driver.written if data not in (BEGIN, END)]


def test_a_frame_is_sent_once_until_another_one_follows(driver: Kept) -> None:
    for text in ("one", "one", "two", "two", "one"):
        frame(driver, text)
    assert sent(driver) == ["one", "two", "one"]


def test_the_shape_of_the_pointer_changes_no_cell(driver: Kept) -> None:
    frame(driver, "one")
    driver.write("\x1b]22;default\x07")
    frame(driver, "one")
    assert sent(driver) == ["one", "\x1b]22;default\x07"]


@pytest.mark.parametrize("change", ["a photograph", "forget", "taken"])
def test_what_may_have_painted_over_a_frame_makes_it_be_sent_again(driver: Kept, change: str) -> None:
    frame(driver, "one")
    if change == "a photograph":
        driver.write("\x1bPq#0;2;0;0;0\x1b\\")
    elif change == "forget":
        assert isinstance(driver, FramesOnce)
        driver.forget()
    else:
        driver.start_application_mode()
    frame(driver, "one")
    assert sent(driver).count("one") == 2


def test_without_synchronised_updates_everything_is_sent(driver: Kept) -> None:
    for _ in range(2):
        driver.write("one")
    assert driver.written == ["one", "one"]


def test_a_signal_that_asks_for_the_screen_gets_all_of_it(store_path: Path, tmp_path: Path) -> None:
    """Programs that hold a session (dtach, abduco) send SIGWINCH in the same size where someone looks at it again."""
    with running(store_path, tmp_path) as app:
        for _ in range(3):
            since = app.here
            os.kill(app.pid, signal.SIGWINCH)
            app.wait_for(" models", " 1 of ", " help", since=since)
