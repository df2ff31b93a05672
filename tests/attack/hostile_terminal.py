"""Results files whose every text is hostile, in a pseudo-terminal: every command and every key of the explorer.

The bytes that reach the terminal hold no control sequence but those that our programs and Textual write themselves.
"""

import base64
import os
import pty
import re
import select
import shutil
import sys
import termios
from collections.abc import Iterable, Iterator
from pathlib import Path

import h5py
from attempts import CONTROL, TROUBLE, Attempt, drawn
from forked import Runs
from roads import save_embeddings
from stores import write_store
from terminal import Terminal

SEQUENCE = re.compile(
    rb"\x1b\](?P<osc>[^\x07\x1b]*)(?:\x07|\x1b\\)|\x1b[P_^X][^\x1b]*\x1b\\"
    rb"|\x1b\[(?P<csi>[0-?]*[ -/]*[@-~])|\x1b.",
    re.DOTALL,
)
COMMANDS = re.compile(r"[0-9;]*[mHJKnt]|\?[0-9;]+[hl]|\?[0-9]+\$p|[<>=]?[0-9;]*u|[0-9]*[AG]|>?0?[cq]")
"""Sequences of Textual, its driver and our bar after ESC [: colours, places, clearing, modes, keyboard protocol, questions."""
BAR = re.compile(r"2K|[0-9;]*m|\?25[hl]")
OURS = re.compile(r"1[01];\?|22;[a-z-]+")
"""Questions for the colours of the terminal, and the shape of the mouse pointer."""
KEYS = (
    *("enter", "down", "up", "pagedown", "end", "home", "right", "left", "space", "tab", "escape", "backspace", "f1"),
    *"tfs=eiIDPdpxa?/vlhjkgGwb][}{)(.,uSroNnF123456789*yYLR:",
)
STEPS = 50


def strange(output: bytes, allowed: re.Pattern[str], *, copied: bool = False) -> str:
    """Name a control sequence or character in the output of a terminal that is not ours; empty if there is none."""
    for found in SEQUENCE.finditer(output):
        osc, csi = found["osc"], found["csi"]
        if osc is not None:
            text = osc.decode(errors="replace")
            if not (OURS.fullmatch(text) or (copied and text.startswith("52;c;") and harmless_copy(text))):
                return f"{found[0]!r} at {output[max(0, found.start() - 60) : found.end() + 20]!r}"
        elif csi is None or not allowed.fullmatch(csi.decode(errors="replace")):
            return f"{found[0]!r} at {output[max(0, found.start() - 60) : found.end() + 20]!r}"
    text = SEQUENCE.sub(b"", output).replace(b"\r", b"").decode(errors="replace")
    control = CONTROL.search(text)
    return f"{text[max(0, control.start() - 30) : control.end() + 30]!r}" if control else ""


def harmless_copy(text: str) -> bool:
    """Return True if what goes to the clipboard holds no control characters that a shell would obey."""
    return not re.search(rb"[\x00-\x08\x0b-\x1f\x7f]", base64.b64decode(text.removeprefix("52;c;")))


def hostile_store(path: Path, seed: int, number: int) -> Path:
    """A file with hostile texts everywhere."""
    from bombs import every_text

    write_store(path, groups=("in", "out"), concepts=12, images_per_class=(9, 5, 1, 0))
    every_text(drawn(seed, "texts", number), path)
    return path


def explore(path: Path, seed: int, number: int) -> tuple[str, str]:
    """Open a file on the real screen and press keys; give how that ended, and what is wrong."""
    rng = drawn(seed, "terminal", number)
    keys = (
        rng.sample(KEYS, len(KEYS))
        if number % 4 == 0
        else rng.choices([*KEYS, *["enter"] * 6, *["escape"] * 4], k=STEPS)
    )
    home = {"XDG_STATE_HOME": str(path.parent), "XDG_CONFIG_HOME": str(path.parent), "HOME": str(path.parent)}
    with h5py.File(path) as file:
        model = rng.choice(sorted(file["models"]))
    begin = rng.choice(
        [(), (f"--model={model}",), ("--table", "images", f"--model={model}"), (f"--model={model}", "--class", "0")]
    )
    command = ["env", "-C", str(path.parent), sys.executable, "-m", "sing_tui", str(path), "--no-state", *begin]
    copied = False
    with Terminal(command, size=rng.choice([(80, 24), (120, 40)]), environment=home, limit=60) as app:
        settings = termios.tcgetattr(app._fd)
        settings[3] &= ~termios.ECHO  # keys that a program does not take any more would come back as its output
        termios.tcsetattr(app._fd, termios.TCSANOW, settings)
        try:
            app.wait(lambda: app.status is not None or len(app.frames) > 2, what="the first frames")
            for key in keys:
                if app.status is not None:
                    break
                copied |= key in "yYLe" or key == "enter"  # the palette and the export form copy by enter
                app.press(key, pause=0.05, limit=0.2)
            leave(app)
        except TimeoutError as error:
            return "hangs", str(error)
        output, code = bytes(app.output), app.status
    if found := strange(output, COMMANDS, copied=copied):
        return f"exit code {code}", found
    if TROUBLE.search(output.decode(errors="replace")):
        return f"exit code {code}", output[-1500:].decode(errors="replace")
    return ("one line" if code == 2 else "explored"), ("" if code in (0, 2) else f"exit code {code}")


def leave(app: Terminal) -> None:
    """Close what is open on the screen, and end the program."""
    for key in ["escape"] * 8 + ["ctrl+q", "Q"]:
        if app.status is None:
            app.press(key, pause=0.05, limit=0.2)
    app.wait_end(limit=30)


def lines_of(path: Path) -> list[list[str]]:
    """The commands of `sing-compute` on a results file."""
    file, out = path.name, "other.h5"
    images = ["--model", "slow_net:slow", "--images", "images", "--class-names", "classes.txt", "--only", "features"]
    return [
        ["verify", file], ["compare", file, file], ["merge", file, file, "-o", out], ["image", file, "--path", "photo.png"],
        ["concepts", file, "--text", "snow", "--embeddings", "later.npz"], ["concepts", file, "--text", "snow"],
        ["steer", file, "--from", "0", "--to", "1"], ["steer", file, "--from", "0", "--to", "a text"],
        ["words", file, "--modes", "2", "--class-directions", "1"], ["heads", file], ["heads", "check", file, "--images", "."],
        ["directions", file, "--model", "nobody"], ["heads", "compare", file, file], [*images, "-o", file],
    ]  # fmt: skip


def command(runs: Runs, path: Path, number: int) -> tuple[str, str]:
    """Give a file to one command that talks to a terminal."""
    lines = lines_of(path)
    main, side = pty.openpty()
    settings = termios.tcgetattr(side)
    settings[1] &= ~termios.OPOST
    termios.tcsetattr(side, termios.TCSANOW, settings)
    runs.start(lines[number % len(lines)], terminal=os.ttyname(side), place={"PATIENCE": "120"})
    output = b""
    status = Path(f"/proc/{runs.pid}/stat")
    while True:
        ready = select.select([main], [], [], 0.05)[0]
        if ready:
            output += os.read(main, 65536)
        elif status.read_text().rpartition(")")[2].split()[0] == "Z":
            break
    os.close(side)
    os.close(main)
    code, _ = runs.end()
    text = output.decode(errors="replace")
    end = "one line" if code == 2 else "finished"
    if TROUBLE.search(text) or code not in (0, 2):
        return end, f"{lines[number % len(lines)]}, exit code {code}: {text[-1500:]}"
    found = strange(output, BAR)
    return end, found and f"{lines[number % len(lines)]}: {found}"


def attack(runs: Runs, seed: int, numbers: Iterable[int], folder: Path) -> Iterator[Attempt]:
    """Show hostile files in turn by the explorer and by one of the commands.

    Args:
        runs: Carries the commands out.
        seed: Of all choices.
        numbers: Of the attempts.
        folder: An empty folder.
    """
    from small_run import make_inputs

    folder.mkdir(parents=True)
    make_inputs(folder, images=12)
    hostile = "\x1b]52;c;aGk=\x07\x9b2J\r\nforged\u202e"
    (folder / "images" / "class0" / f"{hostile}.png").write_bytes(b"no image")
    save_embeddings(folder / "later.npz", ["snow"], [[1.0] * 8], tag=hostile)
    shutil.copy(folder / "images" / "class0" / "0000.png", folder / "photo.png")
    runs.folder = folder
    for number in numbers:
        path = hostile_store(folder / "hostile.h5", seed, number)
        explored = number % 2 == 0
        kind = "explorer" if explored else lines_of(path)[number // 2 % len(lines_of(path))][0]
        end, problem = explore(path, seed, number) if explored else command(runs, path, number // 2)
        yield Attempt("terminal", number, kind.lstrip("-"), end, problem)
        for left in folder.glob("*.h5*"):
            shutil.rmtree(left) if left.is_dir() else left.unlink()
