"""Images in tar archives, as webdataset packs them: one pass over the headers finds each, nothing is unpacked."""

import json
import os
import re
import tarfile
from array import array
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import repeat
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from sing_compute.errors import ImagesError
from sing_compute.images.compact_text import Categorical, Coded, Texts
from sing_compute.images.folders import Note, gathered, is_class, is_image, look_into
from sing_compute.images.listing import ImageList, Members, stamp

READERS = 16
"""Archives that are read at once: a slow disk answers many in the time of one."""
LABEL_KEYS = ("wnid", "label", "class")
"""Where a .json member may say the class; the first that is there is taken."""
COMPRESSED = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd")
"""First bytes of gzip, bzip2, xz and zstd."""


@dataclass(slots=True)
class _Sample:
    """Members of one name but for the ending: images, and what says their class."""

    rows: list[int] = field(default_factory=list)
    text: str | None = None
    """Of the .cls member."""
    told: str | None = None
    """Of the .json member."""

    @property
    def label(self) -> str | None:
        return self.told if self.text is None else self.text


@dataclass(frozen=True, slots=True)
class _Index:
    """The images of one archive; a label is empty where no member says it."""

    stamp: str
    names: Texts
    offset: NDArray[np.int64]
    size: NDArray[np.int64]
    labels: Categorical


def archives_of(source: Path) -> list[Path]:
    """The archives that `--images` means: one, those of a folder without subfolders, or those of a pattern with braces.

    Raises:
        ImagesError: The pattern names archives that are not there.
    """
    if source.is_dir():
        entries = list(look_into(source))
        names = sorted(entry.name for entry in entries if entry.name.lower().endswith(".tar"))
        return [] if any(map(is_class, entries)) else [source / name for name in names]
    if source.suffix.lower() != ".tar" or source.exists():
        return [source] if source.suffix.lower() == ".tar" else []
    archives = [Path(text) for text in _expanded(str(source))]
    missing = [path for path in archives if not path.is_file()]
    if missing and len(archives) > 1:
        raise ImagesError(
            f"--images {source}: {len(missing)} of these {len(archives)} archives are not there, the first is {missing[0]}"
        )
    return [] if missing else archives


def list_archives(root: Path, names: Sequence[str], note: Note = str) -> ImageList:
    """Images in tar archives below a folder, with keys such as `train-000000.tar/n01440764/0001.jpg`.

    The class of NAME.jpg is what NAME.cls says (its text: an index or a name), or the `wnid`, `label` or `class` of
    NAME.json; where no archive has such members, the folder in which the image lies within its archive.

    Raises:
        ImagesError: An archive is damaged, compressed or cannot be read, or an image has no class.
    """
    for name in names:
        note(name)
    with ThreadPoolExecutor(READERS) as pool:
        found = list(pool.map(_indexed, repeat(root), names))
    by_member = any(any(index.labels.used) for index in found)
    labels = Coded()

    def keys() -> Iterator[str]:
        for name, index in zip(names, found, strict=True):
            for member, label in zip(index.names, index.labels, strict=True):
                if not by_member:
                    label = os.path.basename(os.path.dirname(member))
                if not label:
                    told = (
                        "has neither .cls nor .json with its class, as others have"
                        if by_member
                        else "lies in no folder"
                    )
                    raise ImagesError(
                        f"--images {root / name}: {member} {told}; an image's class is told by NAME.cls or NAME.json beside "
                        "NAME.jpg, or by its folder within the archive"
                    )
                labels.add(label)
                yield f"{name}/{member}"

    texts = gathered(root, keys())
    if not texts:
        raise ImagesError(f"--images {root / names[0]}: no images in {'it' if len(names) == 1 else 'these archives'}")
    twice = texts.repeated()
    if twice is not None:
        raise ImagesError(f"--images {root}: {twice} stands in its archive twice; pack each image once")
    members = Members(
        tuple(names),
        tuple(index.stamp for index in found),
        np.repeat(np.arange(len(names), dtype=np.int32), [len(index.names) for index in found]),
        np.concatenate([index.offset for index in found]),
        np.concatenate([index.size for index in found]),
    )
    return ImageList(root, texts, labels.categorical(), members=members)


def _indexed(root: Path, name: str) -> _Index:
    """One pass over the headers of an archive."""
    path = root / name
    try:
        with path.open("rb") as stream:
            if stream.read(6).startswith(COMPRESSED):
                raise ImagesError(
                    f"--images {path}: it is compressed, so that no image in it can be reached alone; unpack it to a plain .tar"
                )
            stream.seek(0)
            with tarfile.open(fileobj=stream, mode="r:") as archive:
                return _images_of(archive, stream, path)
    except (OSError, ValueError, tarfile.TarError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ImagesError(f"--images {path}: a broken or truncated tar archive ({reason}); copy it again") from error


def _images_of(archive: tarfile.TarFile, stream: BinaryIO, path: Path) -> _Index:
    before = stamp(os.fstat(stream.fileno()))
    offset, size, codes, known = array("q"), array("q"), array("i"), {"": 0}
    apart: dict[str, _Sample] = {}

    def settle(stem: str, sample: _Sample) -> None:
        """Label a sample's images, or keep it until its other members come."""
        if sample.rows and sample.label:
            for row in sample.rows:
                codes[row] = known.setdefault(sample.label, len(known))
        elif sample.rows or sample.label:
            apart[stem] = sample

    def images() -> Iterator[str]:
        current, sample = "", _Sample()
        for member in _members(archive, stream):
            name = os.path.normpath(member.name)
            stem, ending = os.path.splitext(name)
            if stem != current:
                settle(current, sample)
                current, sample = stem, apart.pop(stem, _Sample())
            if is_image(name) and not member.isdir():
                if not member.isreg() or member.issparse():
                    raise tarfile.ReadError(f"{name} is a link or has holes")
                sample.rows.append(len(offset))
                offset.append(member.offset_data)
                size.append(member.size)
                codes.append(0)
                yield name
            elif member.isreg() and ending.lower() in (".cls", ".json"):
                stream.seek(member.offset_data)
                content = stream.read(member.size)
                if ending.lower() == ".cls":
                    sample.text = _text(content, path, name)
                else:
                    sample.told = _told(content, path, name)
        settle(current, sample)

    names = gathered(path, images())
    labels = Categorical(np.array(codes, dtype=np.int32), tuple(known))
    return _Index(before, names, np.array(offset, dtype=np.int64), np.array(size, dtype=np.int64), labels)


def _members(archive: tarfile.TarFile, stream: BinaryIO) -> Iterator[tarfile.TarInfo]:
    """All members, none of them kept; an archive that stops without an end mark is one that was not copied wholly."""
    while (member := archive.next()) is not None:
        archive.members.clear()  # type: ignore[attr-defined]
        yield member
    stream.seek(archive.offset)
    if stream.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
        raise tarfile.ReadError("no end mark after its last member")


def _text(content: bytes, path: Path, name: str) -> str | None:
    try:
        return content.decode("utf-8-sig").strip() or None
    except UnicodeDecodeError as error:
        raise ImagesError(f"--images {path}: {name} is not the UTF-8 text of a class") from error


def _told(content: bytes, path: Path, name: str) -> str | None:
    try:
        facts = json.loads(content)
    except ValueError as error:
        raise ImagesError(f"--images {path}: {name} is not JSON") from error
    given = [facts[key] for key in LABEL_KEYS if key in facts] if isinstance(facts, dict) else []
    return next((str(label).strip() for label in given if type(label) in (str, int) and str(label).strip()), None)


def _expanded(pattern: str) -> list[str]:
    """A pattern with {000..146} or {a,b} as the shell would write it out."""
    found = re.search(r"\{([^{}]*)\}", pattern)
    if found is None:
        return [pattern]
    span = re.fullmatch(r"(\d+)\.\.(\d+)", found[1])
    if span is None:
        parts = found[1].split(",")
    else:
        width = max(map(len, span.groups())) if any(text.startswith("0") for text in span.groups()) else 0
        parts = [f"{number:0{width}d}" for number in range(int(span[1]), int(span[2]) + 1)]
    return [text for part in parts for text in _expanded(pattern[: found.start()] + part + pattern[found.end() :])]
