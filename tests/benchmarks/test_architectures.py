"""The sweep over architectures, on tiny ones whose answers are known."""

import csv
from pathlib import Path

import architectures
import pytest
import torch
from architecture_choice import Choice, families
from architectures import check, main
from random_networks import fill_constants
from torch import nn

from sing_compute.models.classifier import Classifier


def test_three_tiny_architectures_are_right(tmp_path: Path) -> None:
    assert main(["test_resnet", "test_vit", "test_mambaout", "--output", str(tmp_path)]) == 0
    lines = [line for line in (tmp_path / "architectures.csv").read_text().splitlines() if not line.startswith("#")]
    rows = {row["name"]: row for row in csv.DictReader(lines)}
    assert {name: row["result"] for name, row in rows.items()} == dict.fromkeys(rows, "right")
    heads = {"test_resnet": "fc", "test_vit": "head", "test_mambaout": "head.fc"}
    assert {name: row["head"] for name, row in rows.items()} == heads
    assert all(float(row["error"]) < 1e-5 for row in rows.values())
    assert "3 checked: 3 right" in (tmp_path / "architectures.md").read_text()


class TwoHeads(nn.Module):
    """The mean of two heads, as of the distilled DeiT."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.head, self.head_dist = nn.Conv2d(3, 8, 3), nn.Linear(8, 5), nn.Linear(8, 5)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        features = self.body(images).relu().mean(dim=(2, 3))
        return (self.head(features) + self.head_dist(features)) / 2


class Zeros(nn.Module):
    """A head of zeros, as many networks have before their training."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.head = nn.Conv2d(3, 8, 3), nn.Linear(8, 5)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(images).relu().mean(dim=(2, 3)))


def test_two_heads_are_refused_and_a_head_of_zeros_is_drawn() -> None:
    refused = check(Choice("two", "here", TwoHeads, 0))
    assert (refused.result, refused.error) == ("refused", "")
    assert "no linear head gives TwoHeads's logits" in refused.note
    assert "checked: its logits are 0.5 head + 0.5 head_dist" in refused.note
    found = check(Choice("zeros", "here", Zeros, 0))
    assert (found.result, found.head, found.size) == ("right", "head", "5 x 8, 64 px")
    assert "2 parameters were constant and are drawn" in found.note


def test_a_tool_that_takes_another_layer_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    right = Classifier.__call__

    def shifted(self: Classifier, batch: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        features, logits = right(self, batch)
        return features + 0.01, logits

    monkeypatch.setattr(architectures.Classifier, "__call__", shifted)
    found = check(Choice("zeros", "here", Zeros, 0))
    assert found.result == "DIFFERENT"
    assert float(found.error) > 1e-3


def test_a_large_network_is_left_out_with_its_size() -> None:
    found = check(Choice("huge", "here", Zeros, 999_000_000))
    assert (found.result, found.note) == ("left out", "999 million parameters, above 89 million")


def test_families_have_one_name_of_each_variant_smallest_first() -> None:
    names = ["resnet50", "resnet18", "resnet18d", "resnext50_32x4d", "vit_base_16", "vit_tiny_16", "vit_tiny_gap_16"]
    assert families(names) == {
        "resnet": ["resnet18", "resnet18d"],
        "resnext": ["resnext50_32x4d"],
        "vit": ["vit_tiny_16", "vit_tiny_gap_16"],
    }


def test_drawn_parameters_are_those_that_were_constant() -> None:
    network = Zeros()
    body = network.body.weight.clone()
    assert fill_constants(network) == 2
    assert torch.equal(network.body.weight, body)
    assert network.head.weight.std() > 0.1
    assert network.head.bias.std() > 0
    assert fill_constants(network) == 0
