"""Give a check its view of a file: datasets of one subject by their names, and ways to say what is wrong or was left out."""

import zlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from sing_compute.store.read import Store

ABSOLUTE, RELATIVE = 2e-6, 1e-5
"""Largest accepted differences of figures that are stored in float32."""
_KEPT_BYTES = 2**23
"""Most bytes of a dataset that is kept in memory for the next check of the same subject."""
_SEED = 20_261_128
T = TypeVar("T")


class Findings:
    """The problems of one file, and what was sampled or taken as given."""

    def __init__(self) -> None:
        self.problems: list[str] = []
        self.made = 0
        """Number of checks."""
        self.sampled: dict[str, tuple[int, int]] = {}
        """Things that were looked at in part: how many, and of how many."""
        self.notes: dict[str, set[str]] = {}
        """Reasons why something was taken as given, each with the subjects that it is said of."""


class Look:
    """One subject of a file as its checks see it.

    Names of datasets are their paths below the subject's group; a name that begins with `/` is a path of the file.
    """

    def __init__(self, store: "Store", base: str, item: str, findings: Findings, *, full: bool) -> None:
        self.store, self.base, self.item, self.full = store, base, item, full
        self._findings = findings
        self._arrays: dict[str, NDArray[Any]] = {}
        self._found: dict[Any, Any] = {}

    def path(self, name: str) -> str:
        """Return the path of a dataset in the file."""
        return name[1:] if name.startswith("/") else self.base + name

    def has(self, *names: str) -> bool:
        """Return True if the file holds all of these datasets."""
        return all(self.path(name) in self.store for name in names)

    def array(self, name: str) -> NDArray[Any]:
        """Read a whole dataset; text as str."""
        path = self.path(name)
        if path not in self._arrays:
            found = self.store.array(path)
            if found.nbytes > _KEPT_BYTES:
                return found
            self._arrays[path] = found
        return self._arrays[path]

    def wide(self, name: str) -> NDArray[np.float64]:
        """Read a whole dataset as float64."""
        return self.array(name).astype(np.float64)

    def rows(self, name: str, rows: NDArray[np.int64]) -> NDArray[Any]:
        """Read some rows of a dataset."""
        path = self.path(name)
        found: NDArray[Any] = self._arrays[path][rows] if path in self._arrays else self.store.dataset(path)[rows]
        return found

    def texts(self, name: str) -> list[str]:
        """Read a text dataset."""
        return [str(text) for text in self.array(name)]

    def number(self, name: str) -> float:
        """Read one number; NaN if the file does not hold it."""
        return float(self.array(name)) if self.has(name) else float("nan")

    def fact(self, name: str, default: Any = "", *, group: str = "") -> Any:
        """Return one attribute of the subject's group, or of a group in it."""
        path = (self.base + group).rstrip("/")
        return self.once(("attributes", path), lambda: self.store.attributes(path)).get(name, default)

    def once(self, key: Any, make: Callable[[], T]) -> T:
        """Return what `make` returns, computed once for all checks of this subject."""
        if key not in self._found:
            self._found[key] = make()
        found: T = self._found[key]
        return found

    def check(self, good: Any, problem: str) -> None:
        """Count one check, and record the problem, whose text begins with a dataset's name, if it failed."""
        self._findings.made += 1
        if not bool(good):
            self._findings.problems.append(self.path(problem))

    def equal(
        self,
        name: str,
        wanted: Any,
        source: str,
        *,
        stored: Any = None,
        absolute: Any = ABSOLUTE,
        relative: float = RELATIVE,
        where: Any = True,
    ) -> None:
        """Check a dataset against what follows from other data; NaN agrees with NaN.

        Args:
            name: The dataset.
            wanted: Its values as computed again.
            source: What they were computed from, behind "not that of".
            stored: Its values, or those rows of them that `wanted` is about; None to read all.
            absolute: Largest accepted absolute difference.
            relative: Largest accepted difference over the computed value.
            where: True for the entries to compare.
        """
        stored = self.array(name) if stored is None else np.asarray(stored)
        wanted = np.asarray(wanted)
        if stored.shape != wanted.shape:
            self.check(False, f"{name}: has shape {stored.shape}, {source}: {wanted.shape}")
            return
        if stored.dtype.kind in "US" or wanted.dtype.kind in "USO":
            wrong = (stored.astype(str) != wanted.astype(str)) & where
        else:
            close = np.isclose(stored, wanted, rtol=relative, atol=absolute, equal_nan=True)
            wrong = ~close & np.asarray(where)
        count = int(wrong.sum())
        detail = ""
        if count:
            at = tuple(int(k) for k in np.argwhere(wrong)[0]) if wrong.ndim else ()
            many = f" in {count:,} of {wrong.size:,} entries, the first at {list(at)}" if wrong.ndim else ""
            detail = f"{many}: {_shown(stored[at])}, computed {_shown(wanted[at])}"
        self.check(not count, f"{name}: not that of {source}{detail}")

    def sample(self, count: int, most: int, what: str) -> NDArray[np.int64]:
        """Choose rows to look at: all of them with `--full` or if they are few, else drawn by a fixed seed, ascending.

        Args:
            count: Number of rows.
            most: Number of rows that are cheap enough to look at.
            what: What a row is, in the plural, for the last lines of `verify`.
        """
        if self.full or count <= most:
            return np.arange(count)
        done, whole = self._findings.sampled.get(what, (0, 0))
        self._findings.sampled[what] = (done + most, whole + count)
        rng = np.random.default_rng([_SEED, count, zlib.crc32((self.base + what).encode())])
        if most < 2:
            return rng.choice(count, most, replace=False)
        return np.concatenate([[0], np.sort(rng.choice(count - 2, most - 2, replace=False)) + 1, [count - 1]])

    def given(self, reason: str) -> None:
        """Say that something of this subject is taken as given, with the reason."""
        self._findings.notes.setdefault(reason, set()).add(self.item)


def _shown(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float | np.floating) else str(value)[:60]
