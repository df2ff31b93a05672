"""The settings of a user, and the memory of the explorer: a TOML and a JSON file in the XDG folders. No Textual."""

import json
import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sing_compute.atomic_write import write_text
from sing_compute.errors import SingError
from sing_compute.outside_files import read_bytes
from sing_compute.store.text import one_line
from sing_compute.user_folders import home_folder

FILES = 200
"""Results files whose place is remembered, those used last."""
_ENTRY_CHARACTERS = 16_000
_MOST_BYTES = 4_000_000
"""More than FILES entries can be."""
_DEPTH = 3
_MOST = 2**53


def config_path(environ: Mapping[str, str]) -> Path:
    """Return the file of the user's settings."""
    return _folder(environ, "XDG_CONFIG_HOME", ".config") / "sing-tui" / "config.toml"


def state_path(environ: Mapping[str, str]) -> Path:
    """Return the file of what the explorer remembers."""
    return _folder(environ, "XDG_STATE_HOME", ".local/state") / "sing-tui" / "state.json"


def _folder(environ: Mapping[str, str], name: str, default: str) -> Path:
    given = Path(environ.get(name, ""))
    if given.is_absolute():  # the XDG rule: anything else counts as not set
        return given
    return home_folder(environ) / default


@dataclass(frozen=True, slots=True)
class Config:
    """The user's settings; None where the user says nothing."""

    theme: str | None = None
    mouse: bool | None = None
    ascii: bool | None = None
    graphics: str | None = None
    images: Path | None = None
    """Folder of the images on this machine; in the file relative to the file's own folder."""
    keys: Mapping[str, str] = field(default_factory=dict)
    """Action id to a comma separated list of keys, as Textual's `App.set_keymap` takes it."""


_KINDS: dict[str, tuple[type, str]] = {
    "theme": (str, "a text"),
    "mouse": (bool, "true or false"),
    "ascii": (bool, "true or false"),
    "graphics": (str, "a text"),
    "images": (str, "a folder"),
    "keys": (dict, 'a table of action = "keys"'),
}


def read_config(path: Path, actions: Collection[str]) -> Config:
    """Read the settings in a file; the defaults where there is none.

    Args:
        path: The file.
        actions: Names of the actions that may be given keys.

    Raises:
        SingError: It cannot be read, or names a setting or an action that does not exist or a value of the wrong kind.
    """
    try:
        content = read_bytes(path, most=_MOST_BYTES)
    except FileNotFoundError:
        return Config()
    except OSError as error:
        raise SingError(one_line(f"cannot read {path}: {error.strerror or error}")) from error
    import tomllib

    try:
        found = tomllib.loads(content.decode())
    except (ValueError, RecursionError) as error:
        raise SingError(one_line(f"{path} is no TOML: {error}")) from error
    for name, value in found.items():
        if name not in _KINDS:
            raise SingError(one_line(f"{path}: no setting {name!r}; {_instead(name, _KINDS)}"))
        kind, words = _KINDS[name]
        if type(value) is not kind or value == "":
            raise SingError(one_line(f"{path}: {name} is {words}, not {value!r}"))
    if "images" in found:
        found["images"] = _resolved(path, found["images"])
    if "keys" in found:
        found["keys"] = {action: _keys(path, action, value, actions) for action, value in found["keys"].items()}
    return Config(**found)


def _resolved(path: Path, folder: str) -> Path:
    try:
        return path.parent / Path(folder).expanduser()
    except RuntimeError as error:
        raise SingError(one_line(f"{path}: images is {folder!r}: {error}")) from error


def _keys(path: Path, action: str, value: object, actions: Collection[str]) -> str:
    if action not in actions:
        raise SingError(one_line(f"{path}: no action {action!r} for [keys]; {_instead(action, actions)}"))
    keys = [key.strip() for key in value.split(",")] if isinstance(value, str) else []
    if not keys or not all(keys):
        raise SingError(
            one_line(f'{path}: keys of {action} are names with commas between, as in "s,f2,comma", not {value!r}')
        )
    return ",".join(keys)


def _instead(name: str, known: Collection[str]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(name, known, n=1)
    return f"is {near[0]} meant?" if near else f"known are: {', '.join(sorted(known))}"


@dataclass(frozen=True, slots=True)
class State:
    """The things that are remembered from one session to the next."""

    theme: str | None = None
    hint_seen: bool = False
    places: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """By results file (`file_key`), the one used last at the end: JSON scalars, lists and tables of them.
    Names in it come from files and other programs: look them up, and paint them only as text of a store is painted."""

    def place(self, file: Path) -> Mapping[str, Any]:
        """Return what is remembered of a results file; empty if nothing is."""
        return self.places.get(file_key(file), {})


def file_key(file: Path) -> str:
    """The name under which a results file is remembered: its absolute path with links resolved."""
    return os.path.realpath(file)


def read_state(path: Path) -> State:
    """Return what is remembered; nothing where the file is missing, damaged or not ours. Impossible entries are left out."""
    try:
        if not path.is_file():
            return State()
        with path.open("rb") as stream:
            content = stream.read(_MOST_BYTES + 1)
        found = json.loads(content) if len(content) <= _MOST_BYTES else None
    except (OSError, ValueError, RecursionError):
        return State()
    if not isinstance(found, dict) or found.get("version") != 1:
        return State()
    theme, places = found.get("theme"), found.get("places")
    return State(
        theme if isinstance(theme, str) and 0 < len(theme) <= 100 else None,
        found.get("hint_seen") is True,
        _kept(places if isinstance(places, dict) else {}),
    )


def write_state(path: Path, changes: State) -> bool:
    """Remember what this session changed, and only that; what others wrote meanwhile stays. Return True if that could be done.

    A theme replaces the one there unless it is None, a hint once seen stays seen, a place replaces that of the same file.
    """
    before = read_state(path)
    others = {file: place for file, place in before.places.items() if file not in changes.places}
    places = _kept({**others, **changes.places})
    state = {
        "version": 1,
        "theme": changes.theme or before.theme,
        "hint_seen": changes.hint_seen or before.hint_seen,
        "places": places,
    }
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_text(path, json.dumps(state), durable=False)
    except OSError:
        return False
    return places.keys() >= changes.places.keys()


def _kept(places: Mapping[str, object]) -> dict[str, Mapping[str, Any]]:
    """Return the last entries that are valid and small."""
    good = {file: place for file, place in places.items() if isinstance(place, dict) and _plain(place, _DEPTH)}
    small = {file: place for file, place in good.items() if len(json.dumps([file, place])) <= _ENTRY_CHARACTERS}
    return dict(list(small.items())[-FILES:])


def _plain(value: object, depth: int) -> bool:
    """Return True for a JSON scalar, or lists and tables of such, so many levels deep."""
    if isinstance(value, dict):
        return depth > 0 and all(isinstance(name, str) and _plain(item, depth - 1) for name, item in value.items())
    if isinstance(value, list | tuple):
        return depth > 0 and all(_plain(item, depth - 1) for item in value)
    return value is None or isinstance(value, str) or (isinstance(value, int | float) and abs(value) <= _MOST)
