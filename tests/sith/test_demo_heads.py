"""Names of the heads of the demo's CLIP, whose images have known attributes. No training."""

import copy
from pathlib import Path
from typing import NamedTuple

import numpy as np
import open_clip
import pytest
import torch
from torch import Tensor, nn

from sing_compute.demo.clip import MODEL_CONFIG, PHRASES, pixels_of
from sing_compute.demo.scenes import ATTRIBUTES, drawing_seed, held_out_scenes
from sing_compute.sith.attention import decompose
from sing_compute.sith.causes import TextGroups, layer_causes
from sing_compute.sith.editing import scale_vectors
from sing_compute.sith.naming import Dictionary, both_poles, name_directions
from sing_compute.sith.towers import read_tower
from sing_compute.store.derived.name_causes import agreement, largest, name_shares

FOLDER = Path(__file__).resolve().parents[2] / "data" / "demo" / "clip"
WORDS = [(name, PHRASES[name].format(value)) for name, values in ATTRIBUTES.items() for value in values]


class World(NamedTuple):
    """The demo's CLIP and everything that is measured on it."""

    model: nn.Module
    images: Tensor
    """The first 200 held-out scenes."""
    mean: Tensor
    """Their mean embedding."""


@pytest.fixture(scope="module")
@torch.inference_mode()
def world() -> World:
    model = open_clip.create_model(f"local-dir:{FOLDER}").eval()
    images = pixels_of(held_out_scenes()[:200], seed=drawing_seed(0))
    return World(model, images, embedded(model, images).double().mean(0))


def embedded(model: nn.Module, images: Tensor) -> Tensor:
    return torch.cat([model.encode_image(part, normalize=True) for part in images.split(50)])


def embedded_texts(model: nn.Module, texts: list[str]) -> Tensor:
    tokenizer = open_clip.SimpleTokenizer(context_length=MODEL_CONFIG["text_cfg"]["context_length"])
    return model.encode_text(tokenizer(texts), normalize=True)


def test_factors_of_one_leave_every_bit(world: World) -> None:
    model = copy.deepcopy(world.model)
    scale_vectors(model.visual, {number: torch.ones(4, 32).double() for number in range(4)})
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, world.model.state_dict()[name]), name
    one = torch.ones(4, 32).double()
    one[2, 5] = 0
    scale_vectors(model.visual, {1: one})
    changed = {n for n, tensor in model.state_dict().items() if not torch.equal(tensor, world.model.state_dict()[n])}
    assert changed == {f"visual.transformer.resblocks.1.attn.out_proj.{part}" for part in ("weight", "bias")}


@torch.inference_mode()
def test_fidelity_and_its_ceiling_are_those_of_the_paper(world: World) -> None:
    visual = world.model.visual
    mean = world.mean
    texts = embedded_texts(world.model, [text for _, text in WORDS]).double()
    atoms = texts / texts.norm(dim=1, keepdim=True)
    atoms = atoms - atoms.mean(0)
    atoms = atoms / atoms.norm(dim=1, keepdim=True)
    tower = read_tower(visual)
    directions = decompose(tower.layers[3].folded()).right[2]
    names = name_directions(tower, directions, mean, Dictionary.of_texts(texts), (3,))
    back = torch.linalg.pinv(visual.proj.double())
    for row, direction in enumerate(directions):
        joint = visual.double().ln_post(direction) @ visual.proj.double()
        x = joint / joint.norm() - mean
        x = x / x.norm()
        mix = names.codes.coefficients[3][row] @ atoms[names.codes.picks[row]]
        mix = mix / mix.norm()
        assert float(names.cosine[0, row]) == pytest.approx(float(mix @ x), abs=1e-9)
        for found, expected in ((mix, names.fidelity[0, row]), (x, names.ceiling[row])):
            led = (found + mean) / (found + mean).norm() @ back
            assert float(expected) == pytest.approx(float(led @ direction / led.norm()), abs=1e-9)
    visual.float()


@torch.inference_mode()
def test_without_coherence_names_fit_better_and_hold_together_less(world: World) -> None:
    tower = read_tower(world.model.visual)
    mean = world.mean
    dictionary = Dictionary.of_texts(embedded_texts(world.model, [text for _, text in WORDS]))
    poles = both_poles(decompose(tower.layers[3].folded()).right).flatten(0, 2)
    comp, nnomp = (name_directions(tower, poles, mean, dictionary, method=method) for method in ("comp", "nnomp"))
    assert nnomp.cosine.mean() > comp.cosine.mean()
    assert nnomp.coherence.nanmean() < comp.coherence.nanmean()
    with pytest.raises(ValueError, match="no method 'omp'"):
        name_directions(tower, poles, mean, dictionary, method="omp")


@torch.inference_mode()
def test_the_strongest_vectors_do_what_their_names_say(world: World) -> None:
    """Names of 22 words, K = 5, against the effect of each vector on 160 held-out scenes with their true attributes."""
    visual, images = world.model.visual, world.images[:160]
    texts = embedded_texts(world.model, [text for _, text in WORDS])
    owners = [list(ATTRIBUTES).index(name) for name, _ in WORDS]
    groups = TextGroups(texts, torch.tensor(owners))
    truth = torch.tensor([[scene.index(name) for name in ATTRIBUTES] for scene in held_out_scenes()[:160]])
    spread = groups.margins(embedded(world.model, images), truth).double().std(0)
    dictionary, tower = Dictionary.of_texts(texts), read_tower(visual)
    agreeing = {}
    for number in (2, 3):
        layer = tower.layers[number]
        poles = both_poles(decompose(layer.folded()).right)
        codes = name_directions(tower, poles.flatten(0, 2), world.mean, dictionary).codes
        picks, weights = (part.reshape(128, 2, 5).numpy() for part in (codes.picks, codes.coefficients[5]))
        every = torch.ones(4, 32, dtype=torch.bool)
        batches = iter(images.split(32))
        found = layer_causes(visual, number, layer, every, batches, groups, truth, spread, first=True, draws=1)
        effect = found.effect.flatten(0, 1).numpy()
        said, moved = largest(name_shares(picks, weights, np.array(owners), 5)), largest(effect)
        strongest = np.argsort(-effect.max(1))[:16]
        agreeing[number] = {
            name: agreement(said[rows], moved[rows])
            for name, rows in (("strongest", strongest), ("all", np.arange(128)))
        }
    share, chance, p = agreeing[2]["strongest"]
    assert share >= 0.80
    assert chance < 0.30
    assert p < 0.001
    share, chance, p = agreeing[3]["all"]
    assert share >= 0.72
    assert chance < 0.50
    assert p < 0.001
