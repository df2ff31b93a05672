"""Counts of attempts that add up over several sittings: one row for each seed, part, kind and end."""

import csv
import subprocess
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from attempts import Attempt


@dataclass(frozen=True, slots=True)
class Row:
    """Attempts of one seed, part and kind that ended alike."""

    part: str
    seed: int
    kind: str
    end: str
    tried: int
    failed: int
    commit: str
    """The code that was attacked."""


def commit() -> str:
    """Return the short name of the commit of the code, with `+` behind it if the code is changed since; `?` without git."""
    here = Path(__file__).parent
    name = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=here, capture_output=True, text=True, check=False
    )
    changed = ["git", "status", "--porcelain", "--untracked-files=no", ":/*.py"]
    dirty = subprocess.run(changed, cwd=here, capture_output=True, text=True, check=False).stdout
    return name.stdout.strip() + "+" * bool(dirty) if name.returncode == 0 else "?"


def counted(found: Iterable[Attempt], seed: int, commit: str) -> list[Row]:
    """Count the attempts of one seed."""
    groups = Counter((each.part, each.kind, each.end) for each in found_once(found))
    failed = Counter((each.part, each.kind, each.end) for each in found_once(found) if each.problem)
    return [Row(part, seed, kind, end, n, failed[part, kind, end], commit) for (part, kind, end), n in groups.items()]


def found_once(found: Iterable[Attempt]) -> list[Attempt]:
    """Return one attempt for each part and number."""
    return list({(each.part, each.number): each for each in found}.values())


def add(path: Path, rows: Sequence[Row], parts: Mapping[str, tuple[float, str]]) -> None:
    """Add rows to a table of rows (CSV) and write all as Markdown next to it. Those of the same seed and part are replaced.

    Args:
        path: The CSV file, which need not exist.
        rows: What was tried now.
        parts: Order and meaning of the parts.
    """
    new = {(row.part, row.seed) for row in rows}
    every = [row for row in read(path) if (row.part, row.seed) not in new] + list(rows)
    every.sort(key=lambda row: (list(parts).index(row.part), row.seed, row.kind, row.end))
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, [field.name for field in fields(Row)], lineterminator="\n")
        writer.writeheader()
        writer.writerows(map(asdict, every))
    path.with_suffix(".md").write_text(f"# Attack\n\n{table(every, parts)}\n", encoding="utf-8")


def read(path: Path) -> list[Row]:
    """Return the rows of a CSV file; none if there is no file."""
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as stream:
        found = list(csv.DictReader(stream))
    whole = ("seed", "tried", "failed")
    return [Row(**{name: int(text) if name in whole else text for name, text in row.items()}) for row in found]


def table(rows: Sequence[Row], parts: Mapping[str, tuple[float, str]]) -> str:
    """Return what was tried and what failed as tables in Markdown: by part, by seed, by kind."""
    lines = ["| part | what | tried | failed | ends |", "|---|---|---:|---:|---|"]
    for part in parts:
        own = [row for row in rows if row.part == part]
        ends = Counter[str]()
        for row in own:
            ends[row.end] += row.tried
        ended = ", ".join(f"{end} {count:,}" for end, count in ends.most_common())
        if own:
            lines.append(f"| {part} | {parts[part][1]} | {total(own, 'tried'):,} | {total(own, 'failed')} | {ended} |")
    lines += ["", "| part | seed | commit | tried | failed |", "|---|---:|---|---:|---:|"]
    for part, seed, commit in dict.fromkeys((row.part, row.seed, row.commit) for row in rows):
        own = [row for row in rows if (row.part, row.seed, row.commit) == (part, seed, commit)]
        lines.append(f"| {part} | {seed} | {commit} | {total(own, 'tried'):,} | {total(own, 'failed')} |")
    lines += ["", "| part | kind | tried | failed |", "|---|---|---:|---:|"]
    for part, kind in sorted(
        dict.fromkeys((row.part, row.kind) for row in rows), key=lambda each: (list(parts).index(each[0]), each[1])
    ):
        own = [row for row in rows if (row.part, row.kind) == (part, kind)]
        lines.append(f"| {part} | {kind} | {total(own, 'tried'):,} | {total(own, 'failed')} |")
    return "\n".join(lines)


def total(rows: Iterable[Row], name: str) -> int:
    """Return the sum of a column."""
    return sum(getattr(row, name) for row in rows)
