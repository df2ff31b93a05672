"""Texts of files that were made to control a terminal: they reach screen, log and error as one harmless line."""

import ast
import csv
import io
import json
import os
import re
import sys
import tarfile
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from ended_commands import Ended
from roads import save_embeddings
from safetensors.torch import save_file
from user_folder import CLASSES, FACTORIES, make_images

import sing_compute
import sing_tui
from sing_compute.concepts.stored_embeddings import StoredEmbeddings
from sing_compute.concepts.vocabulary import read_vocabulary
from sing_compute.errors import SingError, visible
from sing_compute.images.image_sources import list_images
from sing_compute.images.label_files import list_with_labels
from sing_compute.models.backbone import read_head
from sing_compute.models.weights import load_strictly, read_state
from sing_compute.pipeline.closing_table import align
from sing_compute.process.progress import Progress
from sing_compute.process.speaking import HarmlessStream, show
from sing_tui.cli import main as explorer

EVIL = "\x1b]52;c;aGk=\x07\x9b2J\r\nsing-compute: error: forged\u2028\u202egpj.\u2066\u061c\x7f\x85\tend"
"""Writes to the clipboard, clears the screen, begins a line, and turns the direction of writing."""
SHOWN = r"\x1b]52;c;aGk=\x07\x9b2J sing-compute: error: forged \u202egpj.\u2066\u061c\x7f end"
NOT_UTF8 = os.fsdecode(b"caf\xe9.png")
CONTROL = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def folder_of_classes(folder: Path) -> None:
    (folder / EVIL).mkdir()
    (folder / "loose.png").write_bytes(b"")
    (folder / EVIL / NOT_UTF8).write_bytes(b"")
    list_images(folder)


def listed_folder(folder: Path) -> None:
    place = folder / EVIL
    place.mkdir()
    (place / EVIL).write_bytes(b"")
    list_images(place)


def members_of_tar(folder: Path) -> None:
    with tarfile.open(folder / "a.tar", "w") as archive:
        member = tarfile.TarInfo(f"{EVIL}.jpg")
        archive.addfile(member)
    list_images(folder / "a.tar")


def labels_of_members(folder: Path) -> None:
    with tarfile.open(folder / "a.tar", "w") as archive:
        for name in (f"cat/{EVIL}.jpg", f"cat/{EVIL}.jpg"):
            archive.addfile(tarfile.TarInfo(name))
    list_images(folder / "a.tar")


def paths_of_table(folder: Path) -> None:
    with (folder / "list.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([["path", "label"], [EVIL, EVIL], [EVIL, EVIL]])
    list_images(folder / "list.csv")


def columns_of_table(folder: Path) -> None:
    (folder / "list.csv").write_text(EVIL)
    list_images(folder / "list.csv")


def lines_of_labels(folder: Path) -> None:
    (folder / "a.png").write_bytes(b"")
    (folder / "labels.txt").write_text(f"a.png {EVIL.replace(chr(10), '')}\na.png cat\n", newline="")
    list_with_labels(folder, folder / "labels.txt")


def keys_of_npz(folder: Path) -> None:
    save_embeddings(folder / "a.npz", [EVIL, "b"], np.zeros((2, 3)))
    StoredEmbeddings.read(folder / "a.npz")


def arrays_of_npz(folder: Path) -> None:
    np.savez(folder / "a.npz", **{EVIL: np.zeros(2)})
    StoredEmbeddings.read(folder / "a.npz")


def tensors_of_checkpoint(folder: Path) -> None:
    save_file({EVIL: torch.zeros(2)}, folder / "a.safetensors")
    load_strictly(torch.nn.Linear(2, 2), read_state(folder / "a.safetensors"), f"--weights {EVIL}")


def tensors_of_head(folder: Path) -> None:
    torch.save({EVIL: torch.zeros(2)}, folder / "a.pt")
    read_head(folder / "a.pt")


def columns_of_vocabulary(folder: Path) -> None:
    (folder / f"{EVIL}.tsv").write_text("a\tb\tc\td\n")
    read_vocabulary(str(folder / f"{EVIL}.tsv"))


@pytest.mark.parametrize(
    "entrance",
    [
        *(folder_of_classes, listed_folder, members_of_tar, labels_of_members, paths_of_table, columns_of_table),
        *(lines_of_labels, keys_of_npz, arrays_of_npz, tensors_of_checkpoint, tensors_of_head, columns_of_vocabulary),
    ],
    ids=lambda entrance: entrance.__name__,
)
def test_an_error_that_quotes_a_file_is_one_harmless_line(entrance: Callable[[Path], None], tmp_path: Path) -> None:
    with pytest.raises(SingError) as refused:
        entrance(tmp_path)
    message = str(refused.value)
    assert not CONTROL.search(message), ascii(message)
    assert "\n" not in message
    assert r"\x1b]52;c" in message or r"\udce9" in message


def test_harmless_text_stays_as_it_is_and_other_text_shows_what_was_in_it() -> None:
    for text in ("", "plain", "naïve café, 東京 – ŝ", "two  spaces", r"C:\x1b"):
        assert visible(text) == text
    assert visible(EVIL) == SHOWN
    assert visible(NOT_UTF8) == r"caf\udce9.png"
    assert visible(visible(EVIL)) == visible(EVIL)
    assert visible("x" * 5000).startswith("x" * 1000 + " ... x")
    assert len(str(SingError("y" * 10**6))) < 2100


def test_lines_tasks_results_and_tables_are_harmless_on_screen_in_log_and_in_the_state_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    progress, states, warned = Progress(), list[bytes](), list[str]()
    monkeypatch.setattr(warnings, "showwarning", lambda message, *_: warned.append(str(message)))
    try:
        with progress.record(tmp_path / "progress.json", f"sing-compute {EVIL}", log=tmp_path / "log"):
            progress.say(f"said {EVIL}")
            progress.warn(f"warned {EVIL}")
            with progress.task(f"task {EVIL}", 1) as advance:
                states.append((tmp_path / "progress.json").read_bytes())
                advance(1)
            warnings.showwarning(UserWarning(f"library {EVIL}"), UserWarning, f"{EVIL}.py", 1)
            progress.result("\n".join(align([["model", "AS"], [EVIL, "1"]])))
            raise SingError(f"failed {EVIL}")
    except SingError:
        pass
    show(f"shown {EVIL}")
    out, err = capsys.readouterr()
    assert not CONTROL.search(out), ascii(out)
    assert [line.split()[0] for line in out.splitlines()] == ["model", r"\x1b]52;c;aGk=\x07\x9b2J", "shown"]
    told = [line for line in err.splitlines() if line.startswith(("said", "warned", "task"))]
    assert told[:2] == [f"said {SHOWN}", f"warned {SHOWN}"]
    assert not CONTROL.search("".join(told)), ascii(told)
    assert warned == [f"library {SHOWN}"]
    log = (tmp_path / "log").read_text()
    assert not CONTROL.search(log), ascii(log)
    assert not any(line.split(" ", 1)[1].startswith("sing-compute: error") for line in log.splitlines())
    task = json.loads(states[0])["task"]
    assert task == f"task {SHOWN}"


def test_what_libraries_print_cannot_control_the_terminal_but_their_bars_can_move() -> None:
    raw = io.BytesIO()
    stream = HarmlessStream(raw, encoding="utf-8", errors="backslashreplace", newline="")
    stream.write("\r50%|██ \t|")
    stream.write(f"\n\x1b[A\x1b[2K\x1b[31mred\rforged\n{EVIL}\n{NOT_UTF8}\n")
    stream.flush()
    bar, forged, rest = raw.getvalue().decode().split("\n", 2)
    assert bar == "\r50%|██ \t|"
    assert forged == r"\x1b[A\x1b[2K\x1b[31mred\rforged"
    assert not re.search("[\x1b\x07\x9b\u202e\u2028\x7f]", rest), ascii(rest)
    assert r"caf\udce9.png" in rest


def test_wrong_options_of_the_explorer_are_named_harmlessly() -> None:
    ended = CliRunner().invoke(explorer, ["a.h5", f"--{EVIL}"])
    assert ended.exit_code == 2
    assert not CONTROL.search(ended.output), ascii(ended.output)
    ended = CliRunner().invoke(explorer, [EVIL, "--csv", "-"])
    assert ended.exit_code == 2
    assert ended.output.startswith("sing-tui: error: ")
    assert ended.output.count("\n") == 1
    assert not CONTROL.search(ended.output), ascii(ended.output)


@pytest.mark.parametrize("package", [sing_compute, sing_tui], ids=["sing_compute", "sing_tui"])
def test_nothing_prints_past_the_gate(package: object) -> None:
    root = Path(str(package.__file__)).parent  # type: ignore[attr-defined]
    gates = {root / "process" / name for name in ("speaking.py", "terminal.py")} | {root / "demo" / "build.py"}
    for file in set(root.rglob("*.py")) - gates:
        source = file.read_text()
        if not re.search(r"print\(|click\.echo|stderr\.write", source):
            continue
        for node in ast.walk(ast.parse(source)):
            if not isinstance(node, ast.Call) or ast.unparse(node.func) not in (
                "print",
                "click.echo",
                "sys.stderr.write",
            ):
                continue
            text = ast.unparse(node.args[0])
            assert text.startswith(("visible(", "f'sing-tui: error: {visible(")) or isinstance(
                node.args[0], ast.Constant
            ), f"{file}:{node.lineno}: use process.speaking.show"


def test_a_run_on_images_with_hostile_names_skips_and_lists_them_in_one_line_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: Callable[..., Ended]
) -> None:
    make_images(tmp_path / "images")
    (tmp_path / "classes.txt").write_text("\n".join(CLASSES))
    (tmp_path / "cli_factories.py").write_text(FACTORIES)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "cli_factories", raising=False)
    (tmp_path / "images" / CLASSES[0] / f"{EVIL}.png").write_bytes(b"no image")
    (tmp_path / "images" / CLASSES[0] / f"{EVIL}.{EVIL}").write_bytes(b"")
    options = ("--model", "first=cli_factories:small", "--class-names", tmp_path / "classes.txt", "--workers", "0")
    line = (*options, "--images", tmp_path / "images", "-o", tmp_path / "results.h5", "--only", "features")
    ended = command(*line)
    assert ended.code == 0, ended.err
    assert f"first {CLASSES[0]}/{SHOWN}.png" in ended.err
    log = (tmp_path / "results.h5.log").read_text()
    for text in (ended.err, ended.out, log):
        assert not CONTROL.search(text), ascii(text)
        assert not any(line.startswith("sing-compute: error") for line in text.splitlines())
    os.rename(tmp_path / "images" / CLASSES[1], tmp_path / "images" / EVIL)
    refused = command(*line, "--fresh")
    assert SHOWN in refused.error
    assert not CONTROL.search(refused.err)
