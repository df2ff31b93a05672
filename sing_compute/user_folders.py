"""Find the user's folders, also in a container: with a user id that no list of users knows, without HOME, read-only."""

import os
import stat
import tempfile
from collections.abc import Mapping
from pathlib import Path

from sing_compute.errors import SingError

_FILLED = ("huggingface", "torch", "sing-explorer")
"""Folders of a cache that this program or its libraries have filled."""
_remarks: list[str] = []


def home_folder(environ: Mapping[str, str] | None = None) -> Path:
    """Return the user's home folder; the folder of `temporary_home` for a user who has none.

    Args:
        environ: The environment; None for that of this process.

    Raises:
        SingError: There is none, and no temporary folder either.
    """
    return _home(os.environ if environ is None else environ) or temporary_home()


def cache_folder() -> Path:
    """Return the user's cache: `$XDG_CACHE_HOME/sing-explorer`, or `~/.cache/sing-explorer`.

    Raises:
        SingError: As for `home_folder`.
    """
    given = os.environ.get("XDG_CACHE_HOME")
    return (Path(given) if given else home_folder() / ".cache") / "sing-explorer"


def temporary_home() -> Path:
    """Return a folder of this user below the temporary folder, and make it if it does not exist.

    Raises:
        SingError: There is no temporary folder that can be written.
    """
    try:
        folder = Path(tempfile.gettempdir()) / f"sing-explorer-{os.getuid()}"
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
        if stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o022:
            return folder
    except OSError as error:
        if not isinstance(error, FileExistsError):
            raise SingError(
                f"no folder for temporary files: {error.strerror or error}; TMPDIR=FOLDER names one"
            ) from error
    return Path(tempfile.mkdtemp(prefix="sing-explorer-"))  # somebody else has made the usual one


def settle_caches() -> None:
    """Send the caches of this program and its libraries below the temporary folder if the home folder cannot hold them.

    It sets XDG_CACHE_HOME, and HOME for a user who has none, before a library reads them. A cache that can only be read
    but was filled before stays in use. `cache_remark` then says what was done.

    Raises:
        SingError: As for `home_folder`.
    """
    home = _home(os.environ)
    if os.environ.get("XDG_CACHE_HOME") or (home is not None and _can_hold(home / ".cache")):
        return
    folder = temporary_home()
    os.environ["XDG_CACHE_HOME"] = str(folder / ".cache")
    if home is None:
        os.environ["HOME"] = str(folder)
    reason = "there is no home folder" if home is None else f"{home} cannot be written"
    _remarks[:] = [f"{reason}: what is downloaded is kept in {folder}; XDG_CACHE_HOME=FOLDER chooses another place"]


def cache_remark() -> str:
    """Return one line about where caches are, if that is not their usual place; else an empty text."""
    return "".join(_remarks)


def _home(environ: Mapping[str, str]) -> Path | None:
    """Return the home folder by HOME or by the list of users; None if neither knows it."""
    home = environ.get("HOME") or os.path.expanduser("~")  # it returns ~ for a user that it does not know
    return Path(home) if os.path.isabs(home) else None


def _can_hold(cache: Path) -> bool:
    """Return True if a cache folder can be written or made, or was filled before."""
    if cache.exists():
        return os.access(cache, os.W_OK | os.X_OK) or any((cache / name).exists() for name in _FILLED)
    return os.access(cache.parent, os.W_OK | os.X_OK)
