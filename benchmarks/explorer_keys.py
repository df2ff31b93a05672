"""Measure the time until a key is answered: movements, every other key, sorts of all images, the next class."""

import contextlib
import math
import statistics
from collections.abc import Iterator
from dataclasses import dataclass

from explorer_peers import empty_app
from explorer_report import Figure, spread
from explorer_session import LEVELS, REST, SIZES, Bench, Level, named
from terminal import Answer, Terminal, sent

MOVEMENTS = {"down": "home", "up": "end", "pagedown": "home", "right": "left"}
"""Keys to measure, each with the key that returns to the other end of the table when it reaches one end."""
LEAVES = ("app.quit", "quit", "suspend", "app.suspend_process")
SETTLED = 0.25
"""Seconds without output after which a key that reads data counts as done."""


def starts(bench: Bench) -> Iterator[Figure]:
    """Measure first paint and first rows, in turn with an empty Textual app."""
    model, image = bench.facts.models[0], bench.facts.image(int(bench.facts.order("image_score", True)[0]))
    for size in SIZES:
        times: dict[str, list[float]] = {"empty": [], "paint": [], "rows": [], "image rows": []}
        for turn in range(bench.count(5, 2) + 1):
            found = {}
            with Terminal(empty_app(bench.scratch), size=size, environment=bench.environment) as app:
                found["empty"] = app.wait_painted() - app.started
            with bench.terminal(*bench.options("models"), size=size) as app:
                found["paint"] = app.wait_painted() - app.started
                found["rows"] = app.wait_for(model) - app.started
            with bench.terminal(*bench.options("images"), size=size) as app:
                found["image rows"] = app.wait_for(image) - app.started
            for name, seconds in found.items():
                times[name] += [seconds] if turn else []  # the first turn warms caches
        empty = statistics.median(times["empty"])
        yield Figure("first paint, empty Textual app", named(size), empty, "s", headline=True)
        for what, name, goal in (
            ("first paint", "paint", 1.5),
            ("first rows, models", "rows", 2.5),
            ("first rows, all images ranked", "image rows", 2.5),
        ):
            middle = statistics.median(times[name])
            note = f"{middle:.2f} s, n {len(times[name])}, {min(times[name]):.2f} to {max(times[name]):.2f} s"
            yield Figure(what, named(size), middle / empty, "x empty", goal, note, headline=True)


def movements(bench: Bench) -> Iterator[Figure]:
    """Measure the time from key to frame for the keys that are held down."""
    for size in SIZES:
        count = bench.count(25 if size[0] < 100 else 12, 6)
        firsts: list[float] = []
        lasts: list[float] = []
        for level in LEVELS if size[0] < 100 else LEVELS[1::2]:
            with bench.at(level, size=size) as app:
                for key, again in MOVEMENTS.items():
                    answers = list(_pressed(app, key, again, count, REST[size[0]]))
                    first = [answer.first for answer in answers]
                    yield spread("key to frame", f"{named(size)} {level} {key}", first, 16)
                    firsts += first
                    lasts += [answer.last for answer in answers]
        yield spread("key to frame, movements", named(size), firsts, 16, headline=True)
        also = "the status line" if size[0] < 100 else "details beside the table (80 ms of rest first)"
        yield spread(f"key to last byte, with {also}", named(size), lasts, headline=True)


def _pressed(app: Terminal, key: str, again: str, count: int, rest: float) -> Iterator[Answer]:
    app.send(sent(again) * 40)
    app.wait_quiet(0.3)
    for _ in range(count):
        answer = app.press(key, pause=rest)
        if not answer.size:  # the end of the table
            app.send(sent(again) * 40)
            app.wait_quiet(0.3)
            answer = app.press(key, pause=rest)
        yield answer


@dataclass(frozen=True, slots=True)
class Waited:
    """A key and the times of its answer; `ended` is True if the program ended."""

    level: Level
    action: str
    key: str
    answer: Answer
    ended: bool = False

    @property
    def name(self) -> str:
        return f"{self.level} {self.key} ({self.action})"


def every_key(bench: Bench) -> Iterator[Figure]:
    """Measure the longest wait of any key of a table screen: until its first frame, and until everything is painted."""
    for size in SIZES:
        waits: list[Waited] = []
        for level in LEVELS if size[0] < 100 and not bench.quick else ("images",):
            waits += _all_keys(bench, level, size)
        for wait in waits:
            where, milliseconds = f"{named(size)} {wait.name}", wait.answer.first * 1000
            if not wait.answer.size and not wait.ended:
                yield Figure("every key", where, milliseconds, "ms", note="the screen stays as it is")
                continue
            note = "the program ended" if wait.ended else f"all painted after {wait.answer.last * 1000:.0f} ms"
            yield Figure("every key", where, milliseconds, "ms", 100, note)
        for what, part, goal in (("first frame", "first", 100.0), ("all painted", "last", math.nan)):
            known = sorted((getattr(w.answer, part), w.name) for w in waits if w.answer.size)
            worst = ", ".join(f"{name} {seconds * 1000:.0f}" for seconds, name in known[-2:-5:-1])
            longest, name = known[-1]
            note = f"{name}; then {worst}; {len(known)} keys"
            yield Figure(
                f"longest wait of any key, {what}", named(size), longest * 1000, "ms", goal, note, headline=True
            )
        if ended := [wait.name for wait in waits if wait.ended]:
            yield Figure(
                "keys that ended the program", named(size), len(ended), "keys", 0, ", ".join(ended), headline=True
            )


def _all_keys(bench: Bench, level: Level, size: tuple[int, int]) -> list[Waited]:
    """Press each key once, on a screen at rest; a key over 80 ms is repeated in three new sessions, and the median counts."""
    keys = {action: key for action, key in bench.keys(level).items() if action not in LEAVES}
    if level == "models":
        keys.pop("leave", None)
    waits = []
    with contextlib.ExitStack() as sessions:
        app, home = None, ("", "", "", False)
        for action, key in keys.items():
            if app is None or not _at_home(app, home):
                sessions.close()
                app = sessions.enter_context(bench.at(level, size=size))
                app.press("down", pause=0.1)
                home = _landmarks(app)
            try:
                answer = app.press(key, pause=SETTLED)
            except ValueError as error:  # a key that terminal.KEYS does not know yet
                print(error)
                continue
            waits.append(Waited(level, action, key, answer, app.status is not None))
    return [_again(bench, wait, size) if wait.answer.first > 0.08 else wait for wait in waits]


def _again(bench: Bench, wait: Waited, size: tuple[int, int]) -> Waited:
    answers = [wait.answer]
    for _ in range(2):
        with bench.at(wait.level, size=size) as app:
            app.press("down", pause=0.3)
            answers.append(app.press(wait.key, pause=SETTLED))
    middle = sorted((a for a in answers if a.size), key=lambda answer: answer.first)
    return Waited(wait.level, wait.action, wait.key, middle[len(middle) // 2], wait.ended)


Landmarks = tuple[str, str, str, bool]


def _at_home(app: Terminal, home: Landmarks) -> bool:
    """Return True if the session shows the table that it began with, after an Esc if necessary."""
    for attempt in range(2):
        if app.status is not None:
            return False
        if _landmarks(app) == home:
            return True
        if not attempt:
            app.press("escape", pause=0.15)
    return False


def _landmarks(app: Terminal) -> Landmarks:
    """Return level, title of the first column, keys, and whether a dialog is open: the same for any class, sort or column."""
    lines = app.screen()
    return lines[0].rstrip().rpartition(" ")[2], lines[1][:12], lines[-1], any("╭" in line for line in lines)


def sorts(bench: Bench) -> Iterator[Figure]:
    """Sort all images by a key, and measure the time until rows next to the cursor's image in that order are painted."""
    facts = bench.facts
    where = f"80x24 {facts.images:,} images"
    unstored = ("confidence", "image_score_centred", "class_angle", "cosine", "attribute_score_centred")
    stored = ("attribute_score", "null_energy")
    cursor = int(facts.order("image_score", True)[0])
    for column in (
        *(c for c in unstored[: bench.count(3, 1)] if c in facts.columns),
        *(c for c in stored if c in facts.columns),
    ):
        ranked = column in stored
        what, goal = ("sort, stored ranking", 20) if ranked else ("sort, no stored ranking", 150)
        times: list[float] = []
        status_times: list[float] = []
        with bench.at("images") as app:
            for _ in range(abs(step := facts.columns.index(column) - facts.columns.index("image_score"))):
                app.press("right" if step > 0 else "left", pause=0.05)
            for turn in range(bench.count(4, 2)):
                order = facts.order(column, not turn % 2)
                line, around = int((order == cursor).argmax()), facts.images_around(order, cursor)
                app.wait_quiet(0.15)
                since, moment = app.here, app.send("S")  # s would go to the first row
                painted = app.wait(
                    lambda since=since, around=around: _any(app, around, since), what=f"rows by {column}"
                )
                updated = app.wait_for(f"{line + 1:,} of {facts.images:,}", since=since)
                times.append(painted - moment)
                status_times.append(updated - moment)
            first = facts.image(int(order[0]))
            app.wait_quiet(0.15)
            since = app.here
            yield spread(
                "first line after a sort",
                f"{where}, {column}",
                [-app.send("g") + app.wait_for(first, since=since)],
                100,
            )
        yield spread(what, f"{where}, {column}", times, goal, headline=True)
        yield spread(f"{what}: the status line, too", f"{where}, {column}", status_times, goal)


def _any(app: Terminal, texts: list[str], since: int) -> bool:
    shown = app.text(since)
    return any(text in shown for text in texts)


def next_class(bench: Bench) -> Iterator[Figure]:
    """Go to the next class, and measure the time until its rows are painted (the cursor stays on its concept)."""
    facts = bench.facts
    for size in SIZES:
        for level in ("concepts", "images"):
            times = []
            cursor = int(facts.concept_order(facts.classes[0])[0])
            with bench.at(level, about=facts.classes[0], size=size) as app:
                for c in facts.classes[1 : bench.count(12, 4)]:
                    if level == "images":
                        rows = [facts.image(int(facts.order("image_score", True, c)[0]), c)]
                    else:
                        rows = facts.concepts_around(c, cursor)
                    since, moment = app.here, app.send("]")
                    seen = app.wait(lambda since=since, rows=rows: _any(app, rows, since), what=f"rows of class {c}")
                    times.append(seen - moment)
                    app.wait_quiet(REST[size[0]] + 0.05)
            yield spread(f"next class, {level}", named(size), times, 20, headline=True)
