"""Where the numbers of a file come from: its bytes, the commands, versions, weights and settings of its runs."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sing_compute.errors import visible
from sing_compute.store import Store

_ELSEWHERE = ("plan", "order", "warnings", "note", "significance_note", "root")
"""Attributes that are shown in other places, or that say no more than others or the place of files on a machine."""
_LEADING = (
    "command",
    "written",
    "sing_compute_version",
    "tag",
    "spec",
    "weights_file",
    "weights_sha256",
    "state_sha256",
)
_LONGEST = 4_000


@dataclass(frozen=True, slots=True)
class Facts:
    """Names and values about one part of the file."""

    title: str
    rows: tuple[tuple[str, str], ...]


def provenance(store: Store) -> list[Facts]:
    """List what the file says about its making.

    Args:
        store: The results file.

    Returns:
        The file, its CLIP, its images, then each model and tower with the analyses that were added later.
    """
    found = [_file(store)]
    for group, title in (("clip", "CLIP"), ("images", store.noun.plural), ("concepts", "concepts")):
        found.append(_facts(title, store.attributes(group)))
    for axis in ("model", "tower"):
        for name in store.members(axis):
            base = f"{axis}s/{name}"
            found.append(_facts(f"{axis} {name}", store.attributes(base)))
            for part in store.names(base):
                attributes = store.attributes(f"{base}/{part}")
                if "command" in attributes or "written" in attributes:
                    found.append(_facts(f"{axis} {name}, {part}", attributes))
    return [facts for facts in found if facts.rows]


def dates(store: Store) -> tuple[str, str]:
    """Return the dates of the first and the last run that wrote a model or a tower; empty where the file does not say."""
    texts = []
    for axis in ("model", "tower"):
        for name in store.members(axis):
            texts.append(str(store.attributes(f"{axis}s/{name}").get("written", ""))[:10])
    known = sorted(text for text in texts if len(text) == 10 and text.isascii() and text.isprintable())
    return (known[0], known[-1]) if known else ("", "")


def _file(store: Store) -> Facts:
    with store.path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    size = f"{store.path.stat().st_size:,} bytes"
    version = str(int(store.file.attrs["schema_version"]))  # checked when the file was opened
    return Facts("file", (("name", store.path.name), ("size", size), ("sha256", digest), ("schema version", version)))


def _facts(title: str, attributes: Mapping[str, Any]) -> Facts:
    names = [name for name in _LEADING if name in attributes]
    names += sorted(name for name in attributes if name not in names and name not in _ELSEWHERE)
    rows = ((name.replace("_", " "), visible(attributes[name], longest=_LONGEST)) for name in names)
    return Facts(title, tuple((name, text) for name, text in rows if text))
