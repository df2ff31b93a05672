"""Towers without one direction of a head: every family, compared with edited weights; and effects computed by hand."""

import copy

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from towers_of_clip import LINEAR

from sing_compute.sith.attention import decompose
from sing_compute.sith.causes import TextGroups, draws_of, layer_causes
from sing_compute.sith.editing import scale_vectors
from sing_compute.sith.removal import Directions, pools_first_token, run_layer, without_each
from sing_compute.sith.towers import attention_layers

FIRST = {"open_clip", "open_clip, layer scale", "open_clip, scaled heads", "timm CLIP", "MobileCLIP2-B", "EVA-giant"}
"""Towers that pool their first token; the others take a mean."""


def unit(vectors: Tensor) -> Tensor:
    return vectors / vectors.norm(dim=-1, keepdim=True)


def edited(tower: nn.Module, layer: int, head: int, vector: int, images: Tensor) -> Tensor:
    """Unit embeddings of a copy whose weights are edited."""
    other = copy.deepcopy(tower)
    factors = torch.ones(attention_layers(tower)[layer].read_bias.shape).double()
    factors[head, vector] = 0
    scale_vectors(other, {layer: factors})
    return unit(other(images))


@pytest.mark.parametrize("family", LINEAR)
@torch.inference_mode()
def test_a_tower_without_a_vector_is_the_tower_with_edited_weights_and_stays_as_it_was(family: str) -> None:
    torch.manual_seed(0)
    tower = LINEAR[family]().double()
    before = {name: tensor.clone() for name, tensor in tower.state_dict().items()}
    images = torch.randn(3, 3, 32, 32).double()
    first = pools_first_token(tower, images)
    assert first == (family in FIRST)
    layers = attention_layers(tower)
    for number in range(len(layers)):
        vectors = decompose(layers[number].folded())
        tried = torch.tensor([(0, 0), (len(vectors.right) - 1, 1)])
        directions = Directions(tried[:, 0], vectors.right[tried[:, 0], tried[:, 1]])
        run = run_layer(tower, number, layers[number], directions, images, first=first)
        assert (run.embedding - unit(tower(images))).abs().max() < 1e-12
        found = torch.cat([part for _, part in without_each(tower, number, layers[number], directions, run)])
        for (head, vector), own in zip(tried.tolist(), found, strict=True):
            wanted = edited(tower, number, head, vector, images)
            moved = float((wanted - run.embedding).abs().max())
            assert moved > 1e-8
            assert float((own - wanted).abs().max()) < 1e-12 + 1e-4 * moved
    assert all(torch.equal(tensor, before[name]) for name, tensor in tower.state_dict().items())
    assert not any("forward" in vars(module) or module._forward_hooks for module in tower.modules())


@torch.inference_mode()
def test_effects_amounts_and_extreme_images_are_those_computed_by_hand() -> None:
    torch.manual_seed(1)
    tower = LINEAR["open_clip"]().double()
    images = torch.randn(10, 3, 32, 32).double()
    texts = unit(torch.randn(5, 20).double())
    owner = [0, 1, 0, 1, 1]
    truth = torch.tensor([[k % 2, k % 3] for k in range(10)])
    groups = TextGroups(texts, torch.tensor(owner))

    def margins(embeddings: Tensor) -> np.ndarray:
        similar = (embeddings @ texts.T).numpy()
        found = np.empty((10, 2))
        for image in range(10):
            for attribute in (0, 1):
                own = [similar[image, k] for k in range(5) if owner[k] == attribute]
                true = own.pop(int(truth[image, attribute]))
                found[image, attribute] = true - max(own)
        return found

    before = margins(unit(tower(images)))
    assert np.array_equal(
        groups.most_similar(unit(tower(images)))[:, 0].numpy() == truth[:, 0].numpy(), before[:, 0] > 0
    )
    spread = torch.from_numpy(before.std(0, ddof=1))
    layer = attention_layers(tower)[0]
    chosen = torch.zeros(layer.read_bias.shape, dtype=torch.bool)
    chosen[0, :3], chosen[2, 0] = True, True
    done: list[int] = []
    parts = iter(images.split(4))
    found = layer_causes(
        tower, 0, layer, chosen, parts, groups, truth, spread, first=True, draws=2, advance=done.append
    )  # fmt: skip
    assert draws_of(chosen, 2) == 3
    assert sum(done) == 10 * (4 + 3)
    assert torch.equal(found.effect.isfinite().all(2), chosen)
    assert torch.equal(found.amount.isfinite(), chosen)
    assert found.random_amount.isfinite().tolist() == [[True, True], [False, False], [True, False]]
    vectors = decompose(layer.folded())
    block = tower.transformer.resblocks[0]
    seen: list[Tensor] = []
    remove = block.ln_1.register_forward_hook(lambda _, __, output: seen.append(output))
    tower(images)
    remove.remove()
    for head, vector in chosen.nonzero().tolist():
        change = margins(edited(tower, 0, head, vector, images)) - before
        np.testing.assert_allclose(
            found.effect[head, vector].numpy(), np.abs(change).mean(0) / spread.numpy(), rtol=1e-6
        )
        attention = block.attn(seen[0], seen[0], seen[0], average_attn_weights=False)[1][:, head]
        normed = (seen[0] - block.ln_1.bias) / block.ln_1.weight
        left = vectors.left[head, vector]
        amount = (attention @ (normed @ left)[..., None])[..., 0] * vectors.values[head, vector]
        assert float(amount.square().mean().sqrt()) == pytest.approx(float(found.amount[head, vector]), rel=1e-6)
        order = amount[:, 0].argsort(descending=True).tolist()
        assert found.nearest[head, vector].tolist() == order[:3]
        assert found.farthest[head, vector].tolist() == order[:-4:-1]
    assert found.random_amount[0].tolist() == pytest.approx([float(found.amount[0, k]) for k in (0, 2)])
    assert found.random_amount[2, 0] == found.amount[2, 0]
