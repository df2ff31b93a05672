"""List images in tar archives, as webdataset packs them, in one pass over the headers; nothing is unpacked."""

import json
import os
import tarfile
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import repeat
from pathlib import Path
from typing import BinaryIO

import numpy as np
from jaxtyping import Int64

from sing_compute.errors import ImagesError
from sing_compute.images.archive_patterns import expanded_pattern
from sing_compute.images.compact_text import Categorical, CategoricalBuilder, Texts
from sing_compute.images.folders import LeftOut, OnVisit, compact_keys, folder_entries, is_class, is_image, is_junk
from sing_compute.images.listing import MOST_KEY, ArchiveMembers, ImageList, file_stamp
from sing_compute.outside_files import ARRAYS, UnfitFileError, open_file

_LONGEST_TEXT = 2**20
"""Most bytes of a .cls or .json member."""
_LONGEST_HEADER = 2**24
"""Most bytes of a header with its extended records."""
READERS = 16
"""Archives that are read at once: a slow disk answers many requests in the time of one."""
LABEL_KEYS = ("wnid", "label", "class")
"""Keys under which a .json member may give the class; the first of them that exists is used."""
COMPRESSED = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd")
"""First bytes of files of gzip, bzip2, xz and zstd."""


@dataclass(slots=True)
class _Sample:
    """Members whose names differ only in the ending: images, and files that give their class."""

    rows: list[int] = field(default_factory=list)
    cls_label: str | None = None
    """Class by the .cls member."""
    json_label: str | None = None
    """Class by the .json member."""

    @property
    def label(self) -> str | None:
        return self.json_label if self.cls_label is None else self.cls_label


@dataclass(frozen=True, slots=True)
class _Index:
    """The images of one archive; the label is an empty text where no member gives it."""

    stamp: str
    names: Texts
    offset: Int64[np.ndarray, " image"]
    size: Int64[np.ndarray, " image"]
    labels: Categorical
    junk: int
    """Members that are hidden or from other programs, and so left out."""


def find_archives(source: Path) -> list[Path]:
    """Find the archives that `--images` names: one, those in a folder without subfolders, or those of a pattern.

    Args:
        source: A .tar file, a folder, or a pattern with braces such as `train-{000..146}.tar`.

    Returns:
        Paths of the archives; none if the source is something else.

    Raises:
        ImagesError: Some archives of the pattern do not exist.
    """
    if os.path.isdir(source):  # unlike Path's, no error for a pattern that is too long for a path
        entries = list(folder_entries(source))
        names = sorted(entry.name for entry in entries if entry.name.lower().endswith(".tar"))
        return [] if any(map(is_class, entries)) else [source / name for name in names]
    if source.suffix.lower() != ".tar" or os.path.exists(source):
        return [source] if source.suffix.lower() == ".tar" else []
    archives = expanded_pattern(source)
    missing = [path for path in archives if not os.path.isfile(path)]
    if missing and len(archives) > 1:
        raise ImagesError(
            f"--images {source}: {len(missing)} of these {len(archives)} archives are not there, the first is {missing[0]}"
        )
    return [] if missing else archives


def list_archives(root: Path, names: Sequence[str], on_visit: OnVisit = str) -> ImageList:
    """List the images in tar archives, with keys such as `train-000000.tar/n01440764/0001.jpg`.

    The class of NAME.jpg is the text of NAME.cls (an index or a name), or the `wnid`, `label` or `class` of NAME.json.
    Where no archive has such members, it is the name of the image's folder within the archive.

    Args:
        root: A folder.
        names: Paths of the archives below it.
        on_visit: Called for each archive before it is read.

    Raises:
        ImagesError: An archive is damaged, compressed or cannot be read, or an image has no class.
    """
    for name in names:
        on_visit(name)
    with ThreadPoolExecutor(READERS) as pool:
        found = list(pool.map(_index, repeat(root), names))
    by_member = any(any(index.labels.used_names) for index in found)
    labels = CategoricalBuilder()

    def keys() -> Iterator[str]:
        for name, index in zip(names, found, strict=True):
            for member, label in zip(index.names, index.labels, strict=True):
                if len(f"{name}/{member}".encode("utf-8", "replace")) > MOST_KEY:
                    raise ImagesError(
                        f"--images {root / name}: {member[:100]}... has more than {MOST_KEY:,} bytes; rename it"
                    )
                if not by_member:
                    label = os.path.basename(os.path.dirname(member))
                if not label:
                    problem = "has no .cls or .json with its class, as others have" if by_member else "is in no folder"
                    raise ImagesError(
                        f"--images {root / name}: {member} {problem}; NAME.cls or NAME.json next to NAME.jpg gives an "
                        "image's class, or else its folder within the archive"
                    )
                labels.add(label)
                yield f"{name}/{member}"

    texts = compact_keys(root, keys())
    if not texts:
        raise ImagesError(f"--images {root / names[0]}: no images in {'it' if len(names) == 1 else 'these archives'}")
    duplicate = texts.first_duplicate()
    if duplicate is not None:
        raise ImagesError(f"--images {root}: {duplicate} is in its archive twice; pack each image once")
    members = ArchiveMembers(
        tuple(names),
        tuple(index.stamp for index in found),
        np.repeat(np.arange(len(names), dtype=np.int32), [len(index.names) for index in found]),
        np.concatenate([index.offset for index in found]),
        np.concatenate([index.size for index in found]),
    )
    left_out = LeftOut(Counter({"members of archives": sum(index.junk for index in found)}))
    return ImageList(root, texts, labels.build(), members=members, notes=left_out.notes)


def _index(root: Path, name: str) -> _Index:
    """Read the headers of an archive in one pass."""
    path = root / name
    try:
        with open_file(path, most=ARRAYS) as opened:
            stream = _Headers(opened)
            if stream.read(6).startswith(COMPRESSED):
                raise ImagesError(
                    f"--images {path}: it is compressed, so no image in it can be read alone; unpack it to a plain .tar"
                )
            stream.seek(0)
            with tarfile.open(fileobj=stream, mode="r:") as archive:  # type: ignore[call-overload]
                return _images_of(archive, stream, path)
    except UnfitFileError as error:
        raise ImagesError(f"--images {path}: {error}") from error
    except (OSError, ValueError, OverflowError, RecursionError, tarfile.TarError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ImagesError(f"--images {path}: a broken or truncated tar archive ({reason}); copy it again") from error


def _images_of(archive: tarfile.TarFile, stream: "_Headers", path: Path) -> _Index:
    """Find the images of an open archive, and the class of each."""
    before = file_stamp(os.fstat(stream.fileno()))
    offset, size, codes, known, junk = array("q"), array("q"), array("i"), {"": 0}, 0
    incomplete: dict[str, _Sample] = {}

    def add_label(stem: str, sample: _Sample) -> None:
        """Label the images of a sample, or keep it until its other members come."""
        if sample.rows and sample.label:
            for row in sample.rows:
                codes[row] = known.setdefault(sample.label, len(known))
        elif sample.rows or sample.label:
            incomplete[stem] = sample

    def images() -> Iterator[str]:
        nonlocal junk
        current, sample = "", _Sample()
        for member in _members(archive, stream):
            name = os.path.normpath(member.name)
            if any(map(is_junk, name.split("/"))) and not member.isdir():
                junk += 1
                continue
            stem, ending = os.path.splitext(name)
            if stem != current:
                add_label(current, sample)
                current, sample = stem, incomplete.pop(stem, _Sample())
            if is_image(name) and not member.isdir():
                if not member.isreg() or member.issparse():
                    raise tarfile.ReadError(f"{name} is a link or has holes")
                sample.rows.append(len(offset))
                offset.append(member.offset_data)
                size.append(member.size)
                codes.append(0)
                yield name
            elif member.isreg() and ending.lower() in (".cls", ".json"):
                if member.size > _LONGEST_TEXT:
                    raise tarfile.ReadError(f"{name} has {member.size:,} bytes, which is no class of an image")
                stream.seek(member.offset_data)
                content = stream.read(member.size)
                if ending.lower() == ".cls":
                    sample.cls_label = _cls_label(content, path, name)
                else:
                    sample.json_label = _json_label(content, path, name)
        add_label(current, sample)

    names = compact_keys(path, images())
    labels = Categorical(np.array(codes, dtype=np.int32), tuple(known))
    return _Index(before, names, np.array(offset, dtype=np.int64), np.array(size, dtype=np.int64), labels, junk)


def _members(archive: tarfile.TarFile, stream: "_Headers") -> Iterator[tarfile.TarInfo]:
    """Give all members of an archive; raise an error if it has no end mark, because then it is not complete."""
    while (member := archive.next()) is not None:
        archive.members.clear()  # type: ignore[attr-defined]
        if member.isreg() and not 0 <= member.size <= stream.size - member.offset_data:
            raise tarfile.ReadError(f"{member.name[:200]} declares {member.size:,} bytes, which are not in the file")
        yield member
    stream.seek(archive.offset)
    if stream.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
        raise tarfile.ReadError("no end mark after its last member")


def _cls_label(content: bytes, path: Path, name: str) -> str | None:
    try:
        return content.decode("utf-8-sig").strip() or None
    except UnicodeDecodeError as error:
        raise ImagesError(f"--images {path}: {name} is not the UTF-8 text of a class") from error


def _json_label(content: bytes, path: Path, name: str) -> str | None:
    try:
        facts = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ImagesError(f"--images {path}: {name} is not JSON") from error
    labels = [facts[key] for key in LABEL_KEYS if key in facts] if isinstance(facts, dict) else []
    return next((str(label).strip() for label in labels if type(label) in (str, int) and str(label).strip()), None)


class _Headers:
    """An archive for reading headers: nothing longer than `_LONGEST_HEADER` is read at once, whatever a header declares."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream, self.size = stream, os.fstat(stream.fileno()).st_size

    def read(self, count: int) -> bytes:
        if not 0 <= count <= _LONGEST_HEADER:
            raise tarfile.ReadError(f"a header declares {count:,} bytes")
        return self._stream.read(count)

    def seek(self, place: int) -> int:
        if place > self.size:
            raise tarfile.ReadError("a header points behind the end of the file")
        return self._stream.seek(place)

    def tell(self) -> int:
        return self._stream.tell()

    def fileno(self) -> int:
        return self._stream.fileno()
