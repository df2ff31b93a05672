"""Editing the demo's CLIP by the names of its heads: the worst group gains, nothing else suffers, and chance does not do it."""

from pathlib import Path

import pytest
from heads_edit import measure, table


def test_suppressing_what_is_named_after_backgrounds_helps_and_neither_chance_nor_whole_heads_do(
    tmp_path: Path,
) -> None:
    found = measure(tmp_path, draws=1)
    before, after, heads, random = (accuracies for _, _, accuracies in found)
    assert [count for _, count, _ in found] == [0, 54, 64, 54]
    assert (before.worst, before.overall) == pytest.approx((0.314, 0.690), abs=0.01)
    assert after.worst >= 0.64
    assert after.overall >= 0.88
    for name in ("shape", "colour", "texture", "size"):
        assert after.attributes[name] == pytest.approx(before.attributes[name], abs=0.015)
    assert after.attributes["background"] < before.attributes["background"] - 0.05
    assert heads.worst <= 0.32
    assert random.worst <= 0.32
    lines = table(found).splitlines()
    assert lines[3].startswith(f"| named after backgrounds | 54 | {after.worst:.3f} | {after.overall:.3f} |")
    assert lines[5].startswith(f"| random, 1 draws | 54 | {random.worst:.3f} ({random.worst:.3f} to ")
