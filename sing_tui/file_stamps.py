"""Stamps of files on disk, by which another file in their place is noticed."""

from pathlib import Path

Stamp = tuple[tuple[int, int], ...]


def stamp_of(*paths: Path | None) -> Stamp | None:
    """Return when files were changed, and which files they are; None if one is missing. A path that is None is left out."""
    try:
        found = [path.stat() for path in paths if path is not None]
    except OSError:
        return None
    return tuple((status.st_mtime_ns, status.st_ino) for status in found)
