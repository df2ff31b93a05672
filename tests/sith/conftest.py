"""Files with heads, made once for all tests of the verb."""

import os
import shutil
from pathlib import Path

import pytest
from filelock import FileLock
from heads_files import CLIP, make_heads, typed


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files of `make_heads`, which no test changes; the processes of one test run share it."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "heads"
    with FileLock(folder.with_suffix(".lock")):
        if not (folder / "made").exists():
            folder.mkdir()
            make_heads(folder)
            (folder / "made").touch()
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's working folder with these files."""
    for name in ("run.h5", "heads.h5", "tower.h5", "words.txt"):
        shutil.copy(made / name, tmp_path / name)
    (tmp_path / "images").symlink_to(made / "images")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def edited(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `ground/`: the demo's CLIP without what layers 1 to 3 name after backgrounds, and one vector more."""
    place = tmp_path_factory.mktemp("edited")
    typed(
        *("heads", "edit", made / "heads.h5", "-o", place / "ground", "--clip", CLIP, "--layers", "-3:"),
        *("--suppress", "grey,sky", "--suppress", "Grass", "--suppress", "sand", "--amplify", "3/1/30=2.5"),
    )
    return place
