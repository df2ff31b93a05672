"""The layers that SITH reads from image towers, against the towers themselves and dense linear algebra."""

from collections.abc import Callable, Sequence
from pathlib import Path
from unittest.mock import patch

import open_clip
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import layer_norm
from towers_of_clip import LINEAR, POOLED, REFUSED, native

from sing_compute.errors import TowerError
from sing_compute.sith.attention import AttentionLayer, decompose
from sing_compute.sith.editing import scale_vectors
from sing_compute.sith.towers import attention_layers, read_tower

BOUNDS = {torch.float32: 1e-5, torch.float64: 1e-12}


def own_blocks(tower: nn.Module) -> Sequence[nn.Module]:
    return tower.transformer.resblocks if hasattr(tower, "transformer") else tower.trunk.blocks


def attended(block: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
    """Attention weights (image, head, token, token) of a block, and what its attention adds, both as the block computes them."""
    if isinstance(block.attn, nn.MultiheadAttention):
        normed = block.ln_1(x)
        added, weights = block.attn(normed, normed, normed, average_attn_weights=False)
        return weights, block.ls_1(added)
    kept: list[Tensor] = []

    def plain(q: Tensor, k: Tensor, v: Tensor, **_: object) -> Tensor:
        kept.append((q @ k.mT / q.shape[-1] ** 0.5).softmax(-1))
        return kept[0] @ v

    with patch("torch.nn.functional.scaled_dot_product_attention", plain):
        added = block.attn((block.ln_1 if hasattr(block, "ln_1") else block.norm1)(x))
    if getattr(block, "gamma_1", None) is not None:
        return kept[0], added * block.gamma_1
    return kept[0], getattr(block, "ls_1", getattr(block, "ls1", nn.Identity()))(added)


@pytest.mark.parametrize("dtype", BOUNDS, ids=str)
@pytest.mark.parametrize("family", [*LINEAR, *POOLED])
@torch.inference_mode()
def test_the_heads_of_every_family_add_up_to_what_its_attention_adds(family: str, dtype: torch.dtype) -> None:
    tower = (LINEAR | POOLED)[family]().to(dtype)
    for layer, block in zip(attention_layers(tower), own_blocks(tower), strict=True):
        dim = layer.read.shape[1]
        x = 2 * torch.randn(2, 5, dim, dtype=dtype) + 0.5
        weights, own = attended(block, x)
        eps = (block.norm1 if hasattr(block, "norm1") else block.ln_1).eps
        normed = layer_norm(x.double(), (dim,), layer.gamma, layer.beta, eps)
        ours = torch.einsum("bhij,bjd,hdr,hre->bie", weights.double(), normed, layer.read, layer.write) + layer.constant
        assert (ours - own.double()).abs().max() < BOUNDS[dtype] * own.abs().max()
        folded = layer.folded()
        plain = layer_norm(x.double(), (dim,), eps=eps)
        ours = (
            torch.einsum("bhij,bjd,hdr,hre->bie", weights.double(), plain, folded.read, folded.write) + folded.constant
        )
        centred = own.double() - own.double().mean(2, keepdim=True)
        assert (ours - centred).abs().max() < BOUNDS[dtype] * own.abs().max()


def random_layer(heads: int = 3, dim: int = 40, rank: int = 8) -> AttentionLayer:
    numbers = {
        "read": (heads, dim, rank),
        "read_bias": (heads, rank),
        "write": (heads, rank, dim),
        "write_bias": (dim,),
    }
    parts = {name: torch.randn(shape, dtype=torch.float64) for name, shape in numbers.items()}
    return AttentionLayer(
        **parts,
        gamma=torch.rand(dim).double() + 0.5,
        beta=torch.randn(dim).double(),
        layer_scale=torch.ones(dim).double(),
    )


def test_singular_vectors_are_those_of_the_dense_product() -> None:
    layer = random_layer().folded()
    found = decompose(layer)
    for head in range(layer.heads):
        product = layer.read[head] @ layer.write[head]
        u, values, vh = torch.linalg.svd(product)
        assert torch.allclose(found.values[head], values[:8], rtol=1e-12)
        assert torch.allclose((found.left[head] @ u[:, :8]).abs().diagonal(), torch.ones(8).double(), atol=1e-10)
        assert torch.allclose((found.right[head] @ vh[:8].T).abs().diagonal(), torch.ones(8).double(), atol=1e-10)
        rebuilt = found.left[head].T * found.values[head] @ found.right[head]
        assert (rebuilt - product).abs().max() < 1e-13 * product.abs().max() * 40
    assert found.ranks.tolist() == [8, 8, 8]
    assert found.left.sum(2).abs().max() < 1e-12  # orthogonal to the vector of ones
    assert found.right.sum(2).abs().max() < 1e-12
    largest = found.left.gather(2, found.left.abs().argmax(2, keepdim=True))
    assert (largest > 0).all()


def test_vectors_of_rounding_are_not_counted() -> None:
    layer = random_layer()
    layer.read[1, :, 5:] = layer.read[1, :, :3].float().double()  # a head of rank 5, stored in float32
    layer.write[2] *= 0
    found = decompose(layer)
    assert found.ranks.tolist() == [8, 5, 0]


@pytest.mark.parametrize("family", [name for name in LINEAR if name != "vit gap"])
@torch.inference_mode()
def test_an_edited_layer_adds_the_scaled_vectors_and_the_same_constant(family: str) -> None:
    tower = LINEAR[family]().double()
    before = attention_layers(tower)[0]
    factors = torch.ones(before.read_bias.shape).double()
    factors[1, 2], factors[2, 0] = 0.0, -1.5
    vectors = decompose(before.folded())
    scale_vectors(tower, {0: factors})
    after = attention_layers(tower)[0].folded()
    for head in range(before.heads):
        expected = vectors.left[head].T * (factors * vectors.values)[head] @ vectors.right[head]
        assert torch.allclose(after.read[head] @ after.write[head], expected, atol=1e-12)
    assert torch.allclose(after.constant, before.folded().constant, atol=1e-12)


@pytest.mark.parametrize("family", [name for name in LINEAR if name != "vit gap"])
@torch.inference_mode()
def test_a_head_whose_vectors_are_all_suppressed_has_no_weights(family: str) -> None:
    tower = LINEAR[family]()
    before = attention_layers(tower)[0]
    factors = torch.ones(before.read_bias.shape).double()
    factors[1] = 0
    scale_vectors(tower, {0: factors})
    after = attention_layers(tower)[0]
    assert not after.write[1].any()
    kept = [head for head in range(after.heads) if head != 1]
    assert torch.equal(after.write[kept], before.write[kept])
    assert decompose(after.folded()).ranks[1] == 0
    assert torch.allclose(after.folded().constant, before.folded().constant, atol=1e-6)


@pytest.mark.parametrize("family", LINEAR)
@torch.inference_mode()
def test_the_joint_space_is_reached_as_the_tower_reaches_it(family: str) -> None:
    tower = LINEAR[family]().double()
    read = read_tower(tower)
    directions = torch.nn.functional.normalize(torch.randn(6, read.projection.shape[0]).double(), dim=1)
    if hasattr(tower, "transformer"):
        own = tower.ln_post(directions) @ tower.proj
    else:
        trunk = tower.trunk
        norm = trunk.norm if isinstance(trunk.norm, nn.LayerNorm) else trunk.fc_norm
        own = tower.head(trunk.head(norm(directions)))
    own = own / own.norm(dim=1, keepdim=True)
    assert torch.allclose(read.to_joint_space(directions), own, atol=1e-12)


@pytest.mark.parametrize("name", REFUSED)
def test_towers_that_are_not_linear_are_refused_with_the_reason(name: str) -> None:
    make, reason = REFUSED[name]
    with pytest.raises(TowerError, match=reason):
        read_tower(make())


def poisoned(tower: nn.Module) -> nn.Module:
    with torch.no_grad():
        tower.transformer.resblocks[1].attn.out_proj.weight[3, 4] = torch.nan
    return tower


def changed(tower: nn.Module) -> nn.Module:
    """Its attention doubles what the weights give."""
    inner = tower.transformer.resblocks[1].attn
    inner.register_forward_hook(lambda _, __, given: (2 * given[0], given[1]))
    return tower


@pytest.mark.parametrize(
    ("change", "part"), [(poisoned, "layer 1: a weight .* not finite"), (changed, "layer 1: its attention does more")]
)
def test_weights_that_are_not_finite_or_not_all_are_refused(
    change: Callable[[nn.Module], nn.Module], part: str
) -> None:
    with pytest.raises(TowerError, match=part):
        read_tower(change(native()))


def test_the_tower_of_the_demo_is_read() -> None:
    folder = Path(__file__).resolve().parents[2] / "data" / "demo" / "clip"
    tower = read_tower(open_clip.create_model(f"local-dir:{folder}").visual)
    assert [tuple(layer.read.shape) for layer in tower.layers] == [(4, 128, 32)] * 4
