"""The parts that read need neither Textual nor anything heavy."""

import subprocess
import sys

import pytest

HEAVY = ("textual", "textual_plotext", "plotext", "torch", "pandas", "timm", "open_clip", "matplotlib", "PIL")


@pytest.mark.parametrize(
    "module",
    [
        "sing_compute.charts.registry", "sing_compute.charts.sing", "sing_compute.formats", "sing_compute.table_text",
        "sing_tui.analyses.sing", "sing_tui.charts.drawing", "sing_tui.clipboard", "sing_tui.details", "sing_tui.filters",
        "sing_tui.finder", "sing_tui.photographs", "sing_tui.run_progress", "sing_tui.search", "sing_tui.widgets.columns",
        "sing_tui.words",
    ],
)  # fmt: skip
def test_a_module_loads_nothing_heavy(module: str) -> None:
    code = f"import sys, {module}; print(*({HEAVY} & sys.modules.keys()))".replace(str(HEAVY), str(set(HEAVY)))
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.split() == []
