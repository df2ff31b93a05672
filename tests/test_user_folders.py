"""The user's folders in a poor container: no HOME, an unknown user id, a read-only home folder."""

import os
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from environments import opened

from sing_compute import user_folders
from sing_compute.errors import SingError
from sing_compute.images.image_sources import list_images
from sing_compute.images.imagenette import imagenette
from sing_compute.user_folders import cache_folder, cache_remark, home_folder, settle_caches, temporary_home
from sing_tui.settings import config_path, state_path


@pytest.fixture
def stranger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user without HOME whom no list of users knows; returns the folder that is to be used."""
    monkeypatch.delenv("HOME")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    monkeypatch.setattr(user_folders, "_remarks", [])
    (tmp_path / "tmp").mkdir()
    return tmp_path / "tmp" / f"sing-explorer-{os.getuid()}"


def test_whoever_has_no_home_has_folders_below_the_temporary_one(stranger: Path) -> None:
    assert home_folder() == stranger
    assert cache_folder() == stranger / ".cache" / "sing-explorer"
    assert config_path({}) == stranger / ".config" / "sing-tui" / "config.toml"
    assert state_path({}) == stranger / ".local" / "state" / "sing-tui" / "state.json"
    assert stat.S_IMODE(stranger.stat().st_mode) == 0o700


def test_libraries_are_told_and_the_user_too(stranger: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "")  # so that monkeypatch restores what is set here
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    settle_caches()
    assert (os.environ["HOME"], os.environ["XDG_CACHE_HOME"]) == (str(stranger), str(stranger / ".cache"))
    assert cache_remark() == (
        f"there is no home folder: what is downloaded is kept in {stranger}; XDG_CACHE_HOME=FOLDER chooses another place"
    )


def test_the_folder_of_somebody_else_is_not_used(stranger: Path, tmp_path: Path) -> None:
    (tmp_path / "trap").mkdir()
    stranger.symlink_to(tmp_path / "trap")
    found = temporary_home()
    assert found != stranger
    assert found.parent == stranger.parent
    stranger.unlink()
    stranger.mkdir()
    stranger.chmod(0o777)
    assert temporary_home() not in (stranger, found)


def test_without_any_folder_one_line_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> str:
        raise FileNotFoundError(2, "No usable temporary directory found")

    monkeypatch.setattr(tempfile, "gettempdir", none)
    with pytest.raises(
        SingError, match=r"^no folder for temporary files: No usable .* found; TMPDIR=FOLDER names one$"
    ):
        temporary_home()


@pytest.mark.parametrize("filled", [False, True])
def test_a_home_that_cannot_be_written_keeps_only_a_cache_that_was_filled(
    filled: bool, stranger: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    (home / ".cache" / ("huggingface" if filled else "other")).mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write everywhere
    settle_caches()
    assert os.environ["HOME"] == str(home)
    assert os.environ["XDG_CACHE_HOME"] == ("" if filled else str(stranger / ".cache"))
    assert cache_remark().startswith("" if filled else f"{home} cannot be written: ")


def test_a_usual_home_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(user_folders, "_remarks", [])
    before = dict(os.environ)
    settle_caches()
    assert (dict(os.environ), cache_remark()) == (before, "")


def test_images_are_listed_and_looked_for_without_a_home(stranger: Path, tmp_path: Path) -> None:
    (tmp_path / "images" / "cat").mkdir(parents=True)
    (tmp_path / "images" / "cat" / "1.png").touch()
    assert list(list_images(tmp_path / "images").keys) == ["cat/1.png"]
    ready = stranger / ".cache" / "sing-explorer" / "imagenette2-320" / "val"
    ready.mkdir(parents=True)
    assert imagenette() == ready


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can start a program as another user")
def test_the_commands_run_for_a_user_id_that_no_list_knows(tmp_path: Path) -> None:
    code = "from sing_compute.cli import main; import sys; sys.argv[1:] = ['verify', 'absent.h5']; main()"
    mounts, folder = tmp_path / "mounts", tempfile.mkdtemp()  # pytest's own folders are closed to others
    mounts.mkdir()
    os.chmod(folder, 0o777)
    seen = sorted({Path(sys.prefix).resolve(), Path(sys.base_prefix).resolve(), Path(__file__).parents[1]})
    user = ["setpriv", "--reuid=12345", "--regid=12345", "--clear-groups", "env", "-u", "HOME", f"TMPDIR={folder}"]
    try:
        ready = subprocess.run([*opened(seen, mounts), *user, sys.executable, "-c", "pass"], capture_output=True)
    except OSError:
        pytest.skip("there is no setpriv")
    if ready.returncode:
        pytest.skip("mounting is not allowed, so another user does not see this Python")
    command = [*opened(seen, tmp_path / "again"), *user, sys.executable, "-c", code]
    (tmp_path / "again").mkdir()
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder)
    assert done.stderr.startswith("sing-compute: error: absent.h5 does not exist")
    assert Path(folder, "sing-explorer-12345").stat().st_uid == 12345
    assert sorted(os.listdir(folder)) == ["sing-explorer-12345"]  # no folder named ~
