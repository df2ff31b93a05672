"""Imports and the headless paths load no heavy module, checked in a fresh interpreter."""

import json
import subprocess
import sys
from pathlib import Path

import click
import pytest
from stores import write_store

from sing_compute import verbs
from sing_compute.cli import cli

HEAVY = ("torch", "timm", "open_clip", "pandas", "torchvision", "diffusers", "transformers")


def loaded_after(code: str) -> set[str]:
    """Top-level modules that a fresh interpreter has loaded after running some code."""
    script = f"{code}\nimport sys; print('\\n@' + ' '.join(sys.modules))"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return {name.partition(".")[0] for name in run.stdout.rpartition("@")[2].split()}


@pytest.mark.parametrize(
    ("code", "banned"),
    [
        ("import sing_compute", (*HEAVY, "numpy", "h5py")),
        ("import sing_compute.store", (*HEAVY, "textual", "matplotlib")),
        ("import sing_compute.figures.contents, sing_compute.figures.saving", (*HEAVY, "textual", "plotext")),
        ("import sing_compute.charts.sing, sing_compute.table_text", (*HEAVY, "textual", "plotext", "matplotlib")),
        ("import sing_compute.cli", (*HEAVY, "textual", "numpy", "matplotlib", "jinja2")),
        ("import sing_compute.report.page", (*HEAVY, "textual", "plotext")),
        ("import sing_compute.measuring.sing, sing_compute.measuring.network_outputs", ("h5py", "timm", "open_clip")),
        ("import sing_tui", HEAVY),
        ("import sing_tui.cli", HEAVY),
        ("import sing_tui.app", (*HEAVY, "plotext", "textual_plotext", "matplotlib")),
    ],
)
def test_importing_stays_light(code: str, banned: tuple[str, ...]) -> None:
    assert loaded_after(code).isdisjoint(banned)


def test_open_clip_loads_transformers_only_for_its_towers_and_these_work(tmp_path: Path) -> None:
    sizes = {
        "hidden_size": 8,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 8,
        "vocab_size": 20,
    }
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "roberta", **sizes}))
    code = f"""
import sys
from sing_compute.open_clip_import import add_transformers, import_open_clip
open_clip = import_open_clip()
assert "transformers" not in sys.modules
kind = open_clip.model.HFTextEncoder
add_transformers()
import torch
tower = kind({str(tmp_path)!r}, output_dim=4, pooler_type="mean_pooler", proj_type="linear", pretrained=False).eval()
tokens = torch.tensor([[5, 6, 7]])
states = tower.transformer(input_ids=tokens, attention_mask=torch.ones(1, 3)).last_hidden_state
assert torch.allclose(tower(tokens), tower.proj(states.mean(dim=1)), atol=1e-6)
"""
    assert "transformers" in loaded_after(code)


def test_headless_export_loads_neither_torch_nor_the_screen(tmp_path: Path) -> None:
    path = write_store(tmp_path / "results.h5")
    code = f"""
import sys
from sing_tui.cli import main
sys.argv = ["sing-tui", {str(path)!r}, "--model", "beta", "--table", "classes", "--csv", "-"]
try: main()
except SystemExit as stop: assert not stop.code, stop.code
"""
    assert loaded_after(code).isdisjoint((*HEAVY, "textual", "plotext"))


def test_every_verb_can_be_called() -> None:
    defined = {command for command in vars(verbs).values() if isinstance(command, click.Command)}
    assert defined == set(verbs.VERBS)
    assert set(cli.commands.values()) >= defined
