"""The command line of `sing-compute`: mistyped commands, help, version and `verify`."""

import errno
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from ended_commands import Ended
from stores import write_store

from sing_compute import __version__
from sing_compute.verbs import VERBS


def outside(*arguments: object, code: str | None = None) -> subprocess.CompletedProcess[str]:
    """The command, or another program, in a process of its own."""
    start = ["-m", "sing_compute"] if code is None else ["-c", code]
    root = Path(__file__).resolve().parents[2]
    line = [sys.executable, *start, *map(str, arguments)]
    return subprocess.run(line, capture_output=True, text=True, cwd=root, timeout=120)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--fresh"], "--model is missing: a timm name such as resnet50, or module:factory; --help lists all options"),
        (["--model", "nets:small"], "--images is missing: "),
        (["--preset", "papers"], "'--preset': 'papers' is not 'paper'"),
        (["--model"], "Option '--model' requires an argument"),
        (["--modle", "x"], "No such option"),
        (["--model", "x", "--batch-size", "0"], "'--batch-size': 0 is not in the range"),
        (["--model", "x", "--lambda", "much"], "'--lambda': 'much' is not a valid float"),
        (["--model", "x", "--invariance", "all"], "'--invariance': 'all' is not one of"),
        (["verfy", "x.h5"], "No such command 'verfy'"),
        (["verify"], "Missing argument 'FILE'"),
        (["verify", "/nope/x.h5"], "/nope/x.h5 does not exist; sing-compute writes such a file (-o x.h5)"),
    ],
)
def test_a_mistyped_command_is_one_line(arguments: list[str], message: str, command: Callable[..., Ended]) -> None:
    ended = command(*arguments)
    assert message in ended.error
    assert len(ended.err.splitlines()) == 1
    assert ended.out == ""


def test_a_disk_that_fails_where_nobody_expects_it_is_one_line(
    command: Callable[..., Ended], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_store(tmp_path / "x.h5")

    def fail(*_: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))

    monkeypatch.setattr(Path, "is_file", fail)
    ended = command("verify", path)
    assert ended.code == 2
    assert ended.err == (
        f"sing-compute: error: cannot use {path}: Input/output error; finished work is kept, the same command goes on\n"
    )


def test_debug_shows_the_traceback_before_the_line(command: Callable[..., Ended]) -> None:
    plain, debug = command("--model", "nets:small"), command("--model", "nets:small", "--debug")
    assert "Traceback" not in plain.err
    assert debug.code == 2
    assert debug.err.startswith("Traceback (most recent call last):")
    assert debug.err.endswith(plain.err)
    assert "make_plan" in debug.err


def test_no_arguments_show_the_help(command: Callable[..., Ended]) -> None:
    ended = command()
    assert ended.code == 0
    assert "What does this image classifier ignore?" in ended.out
    assert ended.out == command("--help").out


def test_the_version_is_the_packages(command: Callable[..., Ended]) -> None:
    ended = command("--version")
    assert (ended.code, ended.out) == (0, f"sing-compute, version {__version__}\n")


def test_verify_accepts_a_good_store_and_counts_what_it_holds(tmp_path: Path, command: Callable[..., Ended]) -> None:
    path = write_store(tmp_path / "good.h5", groups=("indoor",))
    ended = command("verify", path)
    assert (ended.code, ended.err) == (0, "")
    *notes, last = ended.out.splitlines()
    assert re.fullmatch(rf"{path}: \d+ checks passed, 2 models, 43 images", last)
    assert notes[0].startswith("taken as given, as features are not kept: ")


def test_verify_lists_each_problem_and_ends_with_their_number(tmp_path: Path, command: Callable[..., Ended]) -> None:
    import h5py

    path = write_store(tmp_path / "bad.h5")
    with h5py.File(path, "r+") as file:
        file["models/alpha/summary/correct"][()] += 1
    ended = command("verify", path)
    assert ended.out.startswith("models/alpha/summary/correct: not that of images/prediction: 38, computed 37\n")
    assert re.fullmatch(rf"{path}: 1 of \d+ checks failed", ended.error)


def test_verify_refuses_what_is_no_complete_store(tmp_path: Path, command: Callable[..., Ended]) -> None:
    text = tmp_path / "text.h5"
    text.write_text("no store")
    torn = write_store(tmp_path / "torn.h5")
    torn.write_bytes(torn.read_bytes()[:-2000])
    for path in (text, torn):
        ended = command("verify", path)
        assert ended.error.startswith(f"{path} is not a readable HDF5 file (is it complete?): ")
        assert len(ended.err.splitlines()) == 1


def test_the_module_runs_as_a_command_of_its_own() -> None:
    ended = outside("--model", "nets:small")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("sing-compute: error: --images is missing: ")
    assert ended.stderr.count("\n") == 1


def test_help_version_and_verify_load_neither_torch_nor_pandas(tmp_path: Path) -> None:
    path = write_store(tmp_path / "good.h5")
    for arguments in (["--help"], ["--version"], ["verify", path]):
        code = (
            "import sys\nfrom sing_compute.cli import main\n"
            "try: main()\nexcept SystemExit as end: assert not end.code, end.code\n"
            "heavy = {'torch', 'timm', 'open_clip', 'pandas', 'textual', 'torchvision'} & set(sys.modules)\n"
            "print('loaded:', sorted(heavy))"
        )
        ended = outside(*arguments, code=code)
        assert ended.stdout.splitlines()[-1] == "loaded: []", ended.stdout + ended.stderr


START = """
import sys
from sing_compute.cli import cli, main
from sing_compute.verbs import VERBS
for verb in VERBS:
    cli.add_command(verb)
try:
    main()
finally:
    print("loaded:", *sorted(set(sys.modules) & {"torch", "timm", "open_clip", "pandas"}), sep="")
"""


@pytest.mark.parametrize("verb", [verb.name for verb in VERBS])
def test_help_loads_no_networks(verb: str, tmp_path: Path) -> None:
    root = str(Path(__file__).resolve().parents[2])
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))}
    line = [sys.executable, "-c", START, verb, "--help"]
    ended = subprocess.run(line, capture_output=True, text=True, cwd=tmp_path, env=environment, timeout=120)
    assert ended.returncode == 0, ended.stderr
    assert f"{verb} [OPTIONS]" in ended.stdout
    assert ended.stdout.splitlines()[-1] == "loaded:"
