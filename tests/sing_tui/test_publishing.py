"""Figures and report from the explorer: which command runs, what is said, and how it ends."""

import sys
from pathlib import Path
from threading import Event

import pytest
from driving import AT, drawn, press, status, until

from sing_compute.errors import SingError
from sing_tui.app import Explorer
from sing_tui.publishing import free_target, publish


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program in the place of Python; it notes its arguments and does what the file `does` says."""
    script = tmp_path / "python"
    script.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/arguments\n. {tmp_path}/does\n')
    script.chmod(0o700)
    (tmp_path / "does").write_text("exit 0\n")
    monkeypatch.setattr(sys, "executable", str(script))
    return tmp_path


def test_a_name_that_is_taken_gets_a_number(tmp_path: Path) -> None:
    file = Path("results.h5")
    assert free_target("figures", file, tmp_path) == tmp_path / "results-figures"
    assert free_target("report", file, tmp_path) == tmp_path / "results-report.html"
    (tmp_path / "results-report.html").touch()
    (tmp_path / "results-report-2.html").touch()
    assert free_target("report", file, tmp_path) == tmp_path / "results-report-3.html"


@pytest.mark.parametrize(("model", "more"), [(None, ""), ("vit", " --model vit")])
def test_the_command_of_sing_compute_is_run(command: Path, model: str | None, more: str) -> None:
    target = command / "page.html"
    assert publish("report", Path("-r.h5"), target, model, lambda: False) == f"{target} is written"
    file = Path.cwd() / "-r.h5"  # by its whole path: as it was typed it would be an option
    assert (command / "arguments").read_text().strip() == f"-m sing_compute report {file} -o {target}{more}"


def test_its_last_line_says_why_it_failed(command: Path) -> None:
    (command / "does").write_text("echo warning >&2; printf 'sing-compute: error: no \\033[31m room\\n' >&2; exit 2\n")
    with pytest.raises(SingError, match=r"^no .*room$") as error:
        publish("figures", Path("r.h5"), command / "f", None, lambda: False)
    assert "\x1b" not in str(error.value)


def test_it_is_ended_once_nobody_waits_for_it(command: Path) -> None:
    (command / "does").write_text("exec sleep 600\n")
    assert publish("figures", Path("r.h5"), command / "f", None, lambda: True) == ""


def test_the_real_command_refuses_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SingError, match=r"absent\.h5"):
        publish("report", tmp_path / "absent.h5", tmp_path / "page.html", None, Event().is_set)
    assert not (tmp_path / "page.html").exists()


async def test_the_palette_writes_the_report_of_the_model(
    store_path: Path, command: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(command)
    app = Explorer(store_path, AT["classes"])
    async with app.run_test(size=(100, 24)) as pilot:
        await drawn(app)
        await press(pilot, "colon", *"report", "enter")
        await until(lambda: "report.html is written" in status(app), app)
    assert (command / "arguments").read_text().split()[-2:] == ["--model", "alpha"]
