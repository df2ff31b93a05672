"""Whole runs of networks as users bring them: what the file records, and what ends in one line."""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from ended_commands import Ended
from PIL import Image
from user_folder import BROKEN, Place, make_inputs

from sing_compute.store import Store

NETS = """
import torch
from torch import nn
from torch.nn import functional
from torchvision.transforms import ToTensor

class Viewing(nn.Module):
    transform = ToTensor()

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.fc = nn.Conv2d(3, 4, 3), nn.Linear(144, 3)

    def forward(self, x):
        return self.fc(self.conv(x).relu().view(-1, 144))

class Dropping(Viewing):
    def forward(self, x):
        return self.fc(functional.dropout(self.conv(x).relu().reshape(-1, 144), 0.5))

class Failing(Viewing):
    def forward(self, x):
        return self.fc(self.conv(x).refine())

def broken_transform():
    network = Viewing()
    network.transform = lambda image: image.missing
    return network
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    make_inputs(tmp_path)
    (tmp_path / "brought_nets.py").write_text(NETS)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "brought_nets", raising=False)
    return Place(tmp_path)


def logits_of_plain(place: Place, state: dict[str, torch.Tensor] | None = None) -> torch.Tensor:
    """Logits of the network of these weights on contiguous images, in the order of the file."""
    from brought_nets import Viewing

    network = Viewing().eval()
    if state is not None:
        network.load_state_dict(state)
    with Store(place.output) as store:
        keys = store.array("images/key").tolist()
    assert BROKEN not in keys
    pixels = torch.stack([network.transform(Image.open(place.folder / "images" / key)) for key in keys])
    with torch.inference_mode():
        return network(pixels.contiguous())


def test_a_network_that_needs_contiguous_images_runs_on_them(place: Place, command: Callable[..., Ended]) -> None:
    ended = command(*place.arguments("net=brought_nets:Viewing"))
    assert ended.code == 0, ended.err
    logits = logits_of_plain(place)
    with Store(place.output) as store:
        assert store.attributes("models/net")["memory_format"] == "contiguous"
        confidence = store.array("models/net/images/confidence")
        assert store.array("models/net/images/prediction").tolist() == logits.argmax(1).tolist()
    assert np.allclose(confidence, logits.softmax(1).amax(1), atol=1e-5)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Dropping", "net: it gives another result for the same image each time: is dropout active in evaluation?"),
        (
            "Failing",
            "net: the network failed on the first images (AttributeError: 'Tensor' object has no attribute 'refine', at "
            "brought_nets.py:24)",
        ),
        (
            "broken_transform",
            "the transform of net failed: AttributeError: 'Image' object has no attribute 'missing', at brought_nets.py:28",
        ),
    ],
)
def test_any_other_network_ends_in_one_line_and_debug_shows_the_rest(
    name: str, message: str, place: Place, command: Callable[..., Ended]
) -> None:
    ended = command(*place.arguments(f"net=brought_nets:{name}"))
    assert ended.error.startswith(message)
    assert not place.output.exists()
    shown = command(*place.arguments(f"net=brought_nets:{name}", extra=["--debug"]))
    assert (shown.code, "Traceback" in shown.err) == (2, True)


@pytest.mark.parametrize(("option", "key"), [([], "state_dict_ema"), (["--no-ema"], "state_dict")])
def test_the_weights_that_were_chosen_are_measured_recorded_and_found_again(
    option: list[str], key: str, place: Place, command: Callable[..., Ended]
) -> None:
    from brought_nets import Viewing

    states = {name: {k: v + shift for k, v in Viewing().state_dict().items()} for name, shift in
              (("state_dict", 0.01), ("state_dict_ema", -0.02))}  # fmt: skip
    torch.save(states, place.folder / "net.pth")
    weights = ["--weights", place.folder / "net.pth"]
    ended = command(*place.arguments("net=brought_nets:Viewing", extra=[*weights, *option]))
    assert ended.code == 0, ended.err
    assert f"net: weights `{key}` of {place.folder / 'net.pth'}" in ended.err
    logits = logits_of_plain(place, states[key])
    with Store(place.output) as store:
        assert store.attributes("models/net")["weights_key"] == key
        confidence = store.array("models/net/images/confidence")
    assert np.allclose(confidence, logits.softmax(1).amax(1), atol=1e-5)
    photograph = place.folder / "images" / "ant" / "00.png"
    model = ["--model", "net=brought_nets:Viewing"]
    asked = command("image", place.output, "--path", photograph, *model)
    assert asked.code == 0, asked.err


def test_a_choice_of_weights_needs_a_file_of_weights(place: Place, command: Callable[..., Ended]) -> None:
    ended = command(*place.arguments("net=brought_nets:Viewing", extra=["--no-ema"]))
    assert ended.error == "--no-ema chooses among the weights of a checkpoint: give it with --weights FILE"
