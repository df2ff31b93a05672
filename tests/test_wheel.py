"""The wheel, installed into another environment, computes and explores far from any checkout."""

import os
import site
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest
from small_run import make_inputs

PROJECT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another environment with the wheel in it; the heavy dependencies are lent from this one."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    build = [*pip, "wheel", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", str(folder), str(PROJECT)]
    subprocess.run(build, check=True)
    (wheel,) = folder.glob("*.whl")
    venv.create(folder / "env", with_pip=False)
    python = folder / "env" / "bin" / "python"
    target = Path(sysconfig.get_path("purelib", vars={"base": str(folder / "env")}))
    subprocess.run([*pip, "--python", str(python), "install", "--no-deps", "--no-index", str(wheel)], check=True)
    (target / "lent.pth").write_text("\n".join(site.getsitepackages()) + "\n")
    return folder


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    program, *arguments = command
    path = folder / "env" / "bin" / program
    outside = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}  # it may lead to a checkout
    return subprocess.run([str(path), *arguments], cwd=folder, env=outside, capture_output=True, text=True, check=False)


def test_the_wheel_is_what_runs_there(elsewhere: Path) -> None:
    place = run(
        elsewhere, "python", "-c", "import sing_compute, sing_tui; print(sing_compute.__file__, sing_tui.__file__)"
    )
    assert place.stdout.count(str(elsewhere)) == 2, place


def test_a_run_and_the_explorer_work_there(elsewhere: Path) -> None:
    options = make_inputs(elsewhere, images=80)
    computed = run(elsewhere, "sing-compute", *options, "-o", "out.h5")
    assert computed.returncode == 0, computed.stderr
    assert run(elsewhere, "sing-compute", "verify", "out.h5").returncode == 0
    table = run(elsewhere, "sing-tui", "out.h5", "--model", "slow", "--class", "class2", "--csv", "-")
    assert table.returncode == 0, table.stderr
    assert len(table.stdout.splitlines()) == 1 + 13
    vocabulary = run(
        elsewhere,
        "python",
        "-c",
        "from sing_compute.datafiles import data_path; print(data_path('vocabularies/attributes.tsv'))",
    )
    assert str(elsewhere) in vocabulary.stdout


def test_the_files_of_the_demo_are_there(elsewhere: Path) -> None:
    """Its run is that of tests/demo, with the same files."""
    code = "from sing_compute.datafiles import data_path; print(data_path('demo'))"
    there = Path(run(elsewhere, "python", "-c", code).stdout.strip())
    assert there.is_relative_to(elsewhere)
    here = PROJECT / "data" / "demo"
    wanted = {path.relative_to(here): path.read_bytes() for path in here.rglob("*") if path.is_file()}
    assert {path.relative_to(there): path.read_bytes() for path in there.rglob("*") if path.is_file()} == wanted
