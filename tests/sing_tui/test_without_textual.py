"""The parts that read need neither Textual nor anything heavy."""

import subprocess
import sys

import pytest

HEAVY = ("textual", "textual_plotext", "plotext", "torch", "pandas", "timm", "open_clip", "matplotlib", "PIL")


@pytest.mark.parametrize(
    "module",
    [
        "analyses.sing", "charts.drawing", "charts.registry", "clipboard", "csv_cells", "details", "filters", "finder", "formats",
        "photographs", "run_progress", "search", "widgets.columns", "words",
    ],
)  # fmt: skip
def test_a_module_loads_nothing_heavy(module: str) -> None:
    code = f"import sys, sing_tui.{module}; print(*({HEAVY} & sys.modules.keys()))".replace(str(HEAVY), str(set(HEAVY)))
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.split() == []
