"""Read what `sing-compute heads edit` and `compare` wrote."""

import csv
import json
from pathlib import Path

from safetensors import safe_open


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def note_of(folder: Path) -> dict[str, object]:
    with safe_open(folder / "open_clip_model.safetensors", "pt") as content:
        return json.loads(content.metadata()["sing_compute_edit"])
