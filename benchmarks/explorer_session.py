"""Sessions of the real sing-tui in a pseudo-terminal, started at a table of a store, with nothing remembered from others."""

import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from explorer_facts import Facts
from terminal import Terminal

from sing_compute.store import Store
from sing_tui.actions import keys_of
from sing_tui.key_list import BINDINGS
from sing_tui.session.lookup import find_place
from sing_tui.start import Wish
from sing_tui.store_catalog import StoreCatalog

SIZES = ((80, 24), (200, 50))
Level = Literal["models", "classes", "concepts", "images"]
LEVELS: tuple[Level, ...] = ("models", "classes", "concepts", "images")
REST = {80: 0.05, 200: 0.25}
"""Seconds without output after which a key counts as done, by width; on wide screens, details are painted later."""
ANSI = {"NO_COLOR": "1"}
"""Environment in which the explorer uses the terminal's own colours."""


def named(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"


@dataclass(frozen=True, slots=True)
class Bench:
    """The store that is measured on, and the number of repetitions."""

    facts: Facts
    scratch: Path
    quick: bool = False
    size_of_empty: int = 0
    """Resident bytes of an empty Textual app."""
    environment: dict[str, str] = field(default_factory=dict)

    def count(self, full: int, quick: int) -> int:
        return quick if self.quick else full

    def command(self, *options: str) -> list[str]:
        """Return the command that opens the store in the explorer."""
        script = Path(sys.executable).with_name("sing-tui")
        program = [str(script)] if script.exists() else [sys.executable, "-m", "sing_tui"]
        return [*program, os.fspath(self.facts.path), *options]

    def options(self, level: Level, about: int | None = None) -> list[str]:
        """Return the options that start the explorer at a level; images are those of all classes unless a class is given."""
        if level == "models":
            return ["--table", level]
        about = self.facts.classes[0] if level == "concepts" and about is None else about
        return ["--table", level, "--model", self.facts.model, *([] if about is None else ["--class", str(about)])]

    def keys(self, level: Level) -> dict[str, str]:
        """Return the first key of each action that is possible at a level, by action."""
        about = {"model": self.facts.model} if level != "models" else {}
        about |= {"class": str(self.facts.classes[0])} if level == "concepts" else {}
        with Store(self.facts.path) as store:
            catalog = StoreCatalog(store)
            place, _ = find_place(catalog, Wish.of(level, about))
            offered = keys_of(place, catalog, {}, {})
        return {key.action: first_key(key.name) for key in offered}

    def terminal(
        self, *options: str, size: tuple[int, int] = SIZES[0], theme: Mapping[str, str] | None = None
    ) -> Terminal:
        return Terminal(self.command(*options), size=size, environment=self.environment | dict(theme or {}), limit=60)

    @contextmanager
    def at(
        self,
        level: Level,
        *,
        about: int | None = None,
        size: tuple[int, int] = SIZES[0],
        theme: Mapping[str, str] | None = None,
    ) -> Iterator[Terminal]:
        """Open a session that shows the rows of a level and is at rest."""
        with self.terminal(*self.options(level, about), size=size, theme=theme) as app:
            word = "all images" if level == "images" and about is None else level
            app.wait_for(word)  # tables below this one may be painted before it
            app.wait_for(" 1 of ", since=app.output.index(word.encode()))
            app.wait_quiet(0.3)
            yield app


def first_key(name: str) -> str:
    """Return the first key of an action by its name in the user's key map."""
    return next(binding.key.split(",")[0] for binding in BINDINGS if binding.id == name)


def isolated(scratch: Path) -> dict[str, str]:
    """Return an environment with empty folders of settings and state, except that the first hint counts as seen."""
    folders = {name: str(scratch / name.lower()) for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME")}
    state = Path(folders["XDG_STATE_HOME"]) / "sing-tui" / "state.json"
    state.parent.mkdir(parents=True, exist_ok=True)
    state.write_text(json.dumps({"version": 1, "hint_seen": True, "places": {}}))
    return folders
