"""Files that hang, fill the memory or overflow the stack: refused in one line, before anything is taken for them."""

import io
import os
import socket
import tarfile
import threading
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from sing_compute import outside_files
from sing_compute.concepts.stored_embeddings import StoredEmbeddings
from sing_compute.concepts.vocabulary import read_vocabulary
from sing_compute.concepts.word_list import read_words
from sing_compute.errors import SingError
from sing_compute.images.archive_patterns import MOST_ARCHIVES
from sing_compute.images.decoding import decode_batches
from sing_compute.images.folders import DEEPEST
from sing_compute.images.image_sources import list_images
from sing_compute.images.label_files import list_with_labels
from sing_compute.images.listing import ImageList
from sing_compute.models.backbone import read_head
from sing_compute.models.stored_features import StoredFeatures
from sing_compute.models.weights import read_state
from sing_compute.pipeline.clip_space import read_class_names
from sing_compute.process.run_log import RunLog
from sing_compute.questions.directions.labelled import read_concepts
from sing_compute.questions.heads.image_mean import read_mean
from sing_compute.translator.translator_file import read_translator
from sing_tui.settings import read_config

MEMORY = 64 * 2**20


def pipe(path: Path) -> None:
    os.mkfifo(path)


def pipe_behind_a_link(path: Path) -> None:
    os.mkfifo(path.with_name("pipe"))
    path.symlink_to("pipe")


def endless_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def open_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        folder = os.open(path.parent, os.O_RDONLY)  # a path of any length is too long for a socket
        try:
            listener.bind(f"/proc/self/fd/{folder}/{path.name}")
        finally:
            os.close(folder)


def folder(path: Path) -> None:
    path.mkdir()


def labels(path: Path) -> None:
    images = path.parent / "images"
    images.mkdir(exist_ok=True)
    (images / "a.png").write_bytes(b"")
    list_with_labels(images, path)


def image(path: Path) -> None:
    listed = ImageList.of_files(path.parent, [path.name])
    (batch,) = decode_batches(listed, [lambda each: torch.zeros(1)], [[0]], workers=0)
    assert batch.rows == []
    raise SingError(batch.failed[0][1])


READERS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "image": ("a.png", image),
    "images of a table": ("a.csv", list_images),
    "images of an archive": ("a.tar", list_images),
    "labels": ("a.txt", labels),
    "class names": ("a.txt", read_class_names),
    "vocabulary": ("a.txt", read_vocabulary),
    "words": ("a.txt", read_words),
    "embeddings": ("a.npz", StoredEmbeddings.read),
    "features": ("a.npz", StoredFeatures.read),
    "features as tensors": ("a.safetensors", StoredFeatures.read),
    "weights": ("a.pt", read_state),
    "weights as safetensors": ("a.safetensors", read_state),
    "index of weights": ("a.index.json", read_state),
    "head": ("a.safetensors", read_head),
    "translator": ("a.pt", lambda path: read_translator(path, clip="x", dim=2, clip_dim=2)),
    "known concepts": ("a.csv", lambda path: read_concepts(path, ["a"])),
    "mean": ("a.npy", read_mean),
}


@pytest.mark.parametrize(
    "kind", [pipe, pipe_behind_a_link, endless_device, open_socket, folder], ids=lambda k: k.__name__
)
@pytest.mark.parametrize("reader", READERS)
def test_what_is_no_regular_file_is_refused_at_once(reader: str, kind: Callable[[Path], None], tmp_path: Path) -> None:
    name, read = READERS[reader]
    kind(tmp_path / name)
    with pytest.raises(SingError) as refused:
        read(tmp_path / name)
    assert "\n" not in str(refused.value)
    assert "Errno" not in str(refused.value)


def test_a_pipe_of_the_shell_is_read_as_a_text() -> None:
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as stream:
        threading.Thread(target=lambda: (stream.write("ant\nbee\n"), stream.close())).start()
        assert read_class_names(Path(f"/dev/fd/{reading}")) == ["ant", "bee"]
    os.close(reading)


def test_a_text_of_the_system_without_a_size_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    assert outside_files.read_bytes(Path("/proc/self/stat"), most=10_000)
    with pytest.raises(outside_files.UnfitFileError, match="more than the 10 bytes that are read"):
        outside_files.read_bytes(Path("/proc/self/stat"), most=10)


def test_a_log_and_settings_that_are_pipes_do_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "log")
    log = RunLog(tmp_path / "log", 0)
    log.say("nobody reads this", begin=True)
    os.mkfifo(tmp_path / "config.toml")
    with pytest.raises(SingError, match="it is a pipe, not a regular file"):
        read_config(tmp_path / "config.toml", [])


def test_large_sparse_files_are_refused_by_their_size(tmp_path: Path) -> None:
    for name, read in READERS.values():
        path = tmp_path / name
        path.unlink(missing_ok=True)
        with path.open("wb") as stream:
            stream.truncate(2**43)
        with pytest.raises(SingError) as refused:
            read(path)
        assert "\n" not in str(refused.value)
        path.unlink()


def header(shape: tuple[int, ...], dtype: str = "<f8", text: str = "") -> bytes:
    """A .npy file that declares a shape and holds one number."""
    found = text or repr({"descr": dtype, "fortran_order": False, "shape": shape})
    return b"\x93NUMPY\x01\x00" + len(found).to_bytes(2, "little") + found.encode() + bytes(8)


def npz(path: Path, content: bytes, *, compression: int = zipfile.ZIP_STORED, array: str = "embeddings") -> None:
    keys = io.BytesIO()
    np.save(keys, np.array(["a"]))
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("keys.npy", keys.getvalue())
        archive.writestr(f"{array}.npy", content)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (header((10**9, 4)), "declares 1000000000 x 4 values of float64, which is not what it holds"),
        (header((2**62, 4)), "which is not what it holds"),
        (header((1, 1), text="{" * 900), "header"),
        (header((1, 1), text="(" * 4000 + ")" * 4000), "header|parse"),
    ],
    ids=["rows", "more rows", "braces", "parentheses"],
)
@pytest.mark.parametrize(("array", "read"), [("embeddings", StoredEmbeddings.read), ("features", StoredFeatures.read)])
def test_arrays_that_declare_what_they_do_not_hold(
    array: str, read: Callable[[Path], object], content: bytes, said: str, tmp_path: Path
) -> None:
    npz(tmp_path / "a.npz", content, array=array)
    with pytest.raises(SingError, match=said):
        read(tmp_path / "a.npz")


def test_a_bomb_of_compressed_zeros_is_not_unpacked(tmp_path: Path) -> None:
    shape = repr({"descr": "<f8", "fortran_order": False, "shape": (2**24, 1)}).encode()
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("keys.npy", b"")
        with archive.open("embeddings.npy", "w") as member:
            member.write(b"\x93NUMPY\x01\x00" + len(shape).to_bytes(2, "little") + shape)
            for _ in range(128):
                member.write(bytes(2**20))
    tracemalloc.start()
    with pytest.raises(SingError, match=r"declares 128 MB in a file of .* KB; save it with numpy\.savez"):
        StoredEmbeddings.read(tmp_path / "a.npz")
    assert tracemalloc.get_traced_memory()[1] < MEMORY
    tracemalloc.stop()


def tar_header(name: str, size: int, kind: bytes = tarfile.REGTYPE) -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.type = size, kind
    return info.tobuf(tarfile.GNU_FORMAT)


@pytest.mark.parametrize("size", [2**33, 2**62])
@pytest.mark.parametrize(
    "name_and_kind", [("cat/a.jpg", tarfile.REGTYPE), ("cat/a.cls", tarfile.REGTYPE), ("x", b"x"), ("x", b"L")], ids=str
)
def test_a_tar_header_that_declares_more_than_the_file_holds(
    name_and_kind: tuple[str, bytes], size: int, tmp_path: Path
) -> None:
    name, kind = name_and_kind
    (tmp_path / "a.tar").write_bytes(tar_header(name, size, kind) + bytes(10_240))
    with pytest.raises(SingError, match="a broken or truncated tar archive"):
        list_images(tmp_path / "a.tar")


def test_a_class_in_an_archive_is_not_a_gigabyte(tmp_path: Path) -> None:
    with (tmp_path / "a.tar").open("wb") as stream:
        stream.write(tar_header("cat/a.cls", 2**30))
        stream.truncate(2**30 + 10_240)
    with pytest.raises(SingError, match="1,073,741,824 bytes, which is no class of an image"):
        list_images(tmp_path / "a.tar")


def test_a_chain_of_long_names_does_not_overflow_the_stack(tmp_path: Path) -> None:
    one = tar_header("././@LongLink", 4, b"L") + b"abc\0".ljust(512, b"\0")
    (tmp_path / "a.tar").write_bytes(one * 3000 + bytes(1024))
    with pytest.raises(SingError, match="a broken or truncated tar archive"):
        list_images(tmp_path / "a.tar")


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("t-{0..1000000000}.tar", f"names at most {MOST_ARCHIVES:,} archives"),
        ("{a,b}" * 22 + ".tar", f"names at most {MOST_ARCHIVES:,} archives"),
        ("t-{0.." + "9" * 5000 + "}.tar", "numbers of at most 12 digits"),
        ("{" * 5000 + ".tar", "no such file or folder"),
        ("{a}" * 60 + ".tar", "at most 16 braces"),
    ],
    ids=["range", "pairs", "digits", "open", "pairs of one"],
)
def test_a_pattern_is_bounded_before_it_is_expanded(pattern: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(SingError, match=said):
        list_images(tmp_path / pattern)


def test_folders_in_folders_are_bounded_and_links_to_themselves_are_named(tmp_path: Path) -> None:
    deep = tmp_path / "deep"
    (deep / "/".join(["d"] * 200)).mkdir(parents=True)
    with pytest.raises(SingError, match=f"folders in it are more than {DEEPEST} deep"):
        list_images(deep)
    looped = tmp_path / "looped"
    looped.mkdir()
    (looped / "cat").symlink_to("cat")
    with pytest.raises(SingError, match=r"looped/cat: cannot be read \(Too many levels of symbolic links\)"):
        list_images(looped)
    inner = tmp_path / "inner"
    (inner / "cat").mkdir(parents=True)
    (inner / "cat" / "a.png").write_bytes(b"")
    (inner / "cat" / "b.png").symlink_to("b.png")
    (inner / "cat" / "again").symlink_to("again")
    (inner / "cat" / "up").symlink_to("..")
    assert list(list_images(inner).keys) == ["cat/a.png", "cat/b.png"]


def test_a_line_of_a_table_is_bounded(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("path,label\n" + "a" * (2**20 + 1))
    with pytest.raises(SingError, match="a line has more than 1,048,576 characters"):
        list_images(tmp_path / "a.csv")


def test_keys_that_differ_only_behind_what_a_results_file_holds_are_refused(tmp_path: Path) -> None:
    long = "cat/" + "a" * 4096
    (tmp_path / "a.csv").write_text(f"path,label\n{long}b.png,cat\n{long}c.png,cat\n")
    with pytest.raises(SingError, match="line 2: a path or label has at most 4,096 bytes"):
        list_images(tmp_path / "a.csv")
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        archive.addfile(tarfile.TarInfo(f"{long}b.png"))
    with pytest.raises(SingError, match="has more than 4,096 bytes; rename it"):
        list_images(tmp_path / "a.tar")
    with pytest.raises(SingError, match="a key has at most 4,096 bytes"):
        StoredFeatures.of([long], np.zeros((1, 2)), None)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000], ids=["lists", "objects"])
def test_json_that_is_nested_too_deeply(text: str, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(ValueError, match="nested too deeply"):
        outside_files.read_json(tmp_path / "a.json")
    (tmp_path / "model.safetensors.index.json").write_text(text)
    with pytest.raises(SingError, match="not an index of shards"):
        read_state(tmp_path / "model.safetensors.index.json")
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        info = tarfile.TarInfo("a.json")
        info.size = len(text)
        archive.addfile(info, io.BytesIO(text.encode()))
    with pytest.raises(SingError, match=r"a\.json is not JSON"):
        list_images(tmp_path / "a.tar")
