"""The page of the explorer lists every action with its keys, and no other."""

from pathlib import Path

import pytest

from sing_tui.key_list import BINDINGS, key_name

PAGE = Path(__file__).resolve().parents[2] / "docs" / "explorer.md"


def test_the_page_and_the_key_map_name_the_same_keys() -> None:
    rows = [line.split(" | ") for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    listed = {
        cells[-1].strip(" |`"): cells[0].strip("| ").replace("`", "").split() for cells in rows if len(cells) == 4
    }
    assert listed == {binding.id: [key_name(key) for key in binding.key.split(",")] for binding in BINDINGS}


def test_the_page_says_what_each_key_does_in_each_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(PAGE.parent)
    import make_tables

    text = PAGE.read_text(encoding="utf-8")
    assert text.partition(make_tables.MARK)[2].strip() == make_tables.key_tables().strip()
