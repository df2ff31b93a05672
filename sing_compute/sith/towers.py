"""Read the attention layers of a CLIP image tower, and the linear way from its residual stream to the joint space."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float64
from torch import Tensor, nn
from torch.nn import functional

from sing_compute.errors import TowerError
from sing_compute.linalg.angles import unit
from sing_compute.sith.attention import AttentionLayer

TOLERANCE = 1e-4
"""Largest relative difference between a layer's own output and that of the parts read from it, in float32."""


@dataclass(frozen=True, slots=True)
class Tower:
    """A CLIP image tower as SITH reads it, in float64."""

    layers: Sequence[AttentionLayer]
    """Attention layers from the first to the last."""
    gamma: Float64[Tensor, " dim"]
    """Scale of the last norm."""
    beta: Float64[Tensor, " dim"]
    """Shift of the last norm."""
    eps: float
    """Added to the variance in the last norm."""
    projection: Float64[Tensor, "dim clip"]
    """Linear map behind the last norm, to the joint space of images and texts."""
    projection_bias: Float64[Tensor, " clip"]

    def to_joint_space(self, directions: Float64[Tensor, "... dim"]) -> Float64[Tensor, "... clip"]:
        """Return unit vectors of the joint space for directions of the residual stream, through last norm and projection.

        Later layers are left out, as in the paper: a direction means what it would mean to the last norm.

        Args:
            directions: Directions of length 1; a direction and its opposite give two vectors that are not opposite, because
                the norm has a shift.
        """
        normed = functional.layer_norm(directions, directions.shape[-1:], self.gamma, self.beta, self.eps)
        return unit(normed @ self.projection + self.projection_bias)


def read_tower(visual: nn.Module) -> Tower:
    """Read an image tower of open_clip: its own VisionTransformer, or a vision transformer of timm.

    Args:
        visual: `visual` of a CLIP of open_clip.

    Raises:
        TowerError: The tower has no attention heads, or what stands between its heads and the joint space is not linear but for
            the last norm; the message names it.
    """
    layers = attention_layers(visual)
    if hasattr(visual, "transformer"):
        if visual.attn_pool is not None:
            raise TowerError("its pooling attends to the tokens (attn_pool): no linear map leads to the joint space")
        norm, projections = visual.ln_post, []
        if visual.proj is not None:
            projections = [(visual.proj, None)]
    else:
        norm, projections = _timm_end(visual)
    gamma, beta, eps = _norm(norm, "the last norm")
    projection, bias = torch.eye(len(gamma), dtype=torch.float64), torch.zeros(len(gamma), dtype=torch.float64)
    for weight, shift in projections:
        projection, bias = projection @ _double(weight), bias @ _double(weight)
        bias = bias if shift is None else bias + _double(shift)
    if not all(part.isfinite().all() for part in (gamma, beta, projection, bias)):
        raise TowerError("a weight of its last norm or of its projection is not finite")
    return Tower(layers, gamma, beta, eps, projection, bias)


def attention_layers(visual: nn.Module) -> list[AttentionLayer]:
    """Return the attention layers of an image tower. Each is checked on random input against the network's own layer.

    Args:
        visual: `visual` of a CLIP of open_clip.

    Raises:
        TowerError: The tower has no attention heads, or they are not linear; the message names the reason.
    """
    blocks = attention_blocks(visual)
    layers = []
    for number, block in enumerate(blocks):
        try:
            native = is_native(block)
            layer = _native_layer(block) if native else _timm_layer(block)
            _check(layer, block, native=native)
        except TowerError as error:
            raise TowerError(f"layer {number}: {error}") from error
        layers.append(layer)
    return layers


def attention_blocks(visual: nn.Module) -> Sequence[nn.Module]:
    """Return the blocks of an image tower whose `attn` is an attention layer, from the first to the last.

    Args:
        visual: `visual` of a CLIP of open_clip.

    Raises:
        TowerError: It has none.
    """
    blocks = getattr(getattr(visual, "transformer", None), "resblocks", None)
    if blocks is None:
        blocks = getattr(getattr(visual, "trunk", None), "blocks", None)
    if blocks is None or not len(blocks) or not all(hasattr(block, "attn") for block in blocks):
        name = type(getattr(visual, "trunk", visual)).__name__
        raise TowerError(
            f"its image tower ({name}) has no attention heads in every layer: SITH reads vision transformers"
        )
    return list(blocks)


def is_native(block: nn.Module) -> bool:
    """Return True for a block of open_clip's own transformer, False for one of timm's."""
    return hasattr(block, "ln_1")


def _native_layer(block: Any) -> AttentionLayer:
    attention = block.attn
    heads = attention.num_heads
    dim = len(attention.out_proj.weight)
    if not _is_identity(getattr(block, "ln_attn", None)) or not _is_identity(getattr(attention, "ln_inner", None)):
        raise TowerError("a norm follows the heads (ln_inner or ln_attn): they are not linear")
    bias = attention.in_proj_bias
    scale = getattr(attention, "head_scale", None)
    return _layer(
        attention.in_proj_weight[2 * dim :],
        None if bias is None else bias[2 * dim :],
        attention.out_proj,
        heads,
        block.ln_1,
        block.ls_1,
        None if scale is None else scale.reshape(-1),
    )


def _timm_layer(block: Any) -> AttentionLayer:
    attention = block.attn
    if not _is_identity(getattr(attention, "norm", None)):
        raise TowerError("a norm stands between the heads and their output (attn.norm): they are not linear")
    if getattr(attention, "gate", None) is not None:
        raise TowerError("a gate multiplies what the heads give (attn.gate): they are not linear")
    if not hasattr(block, "norm1") or not hasattr(attention, "proj"):
        raise TowerError(f"a block of another kind ({type(block).__name__})")
    fused = getattr(attention, "qkv", None)
    if fused is not None:
        inner = fused.weight.shape[0] // 3
        weight = fused.weight[2 * inner :]
        own = getattr(attention, "v_bias", None)
        bias = own if own is not None else None if fused.bias is None else fused.bias[2 * inner :]
    elif getattr(attention, "v_proj", None) is not None:
        weight, bias = attention.v_proj.weight, attention.v_proj.bias
    else:
        raise TowerError(f"no weights of values are known in {type(attention).__name__}")
    scale = getattr(block, "ls1", None)
    if scale is None and getattr(block, "gamma_1", None) is not None:
        scale = block.gamma_1
    return _layer(weight, bias, attention.proj, attention.num_heads, block.norm1, scale)


def _layer(
    values: Tensor,
    values_bias: Tensor | None,
    out: Any,
    heads: int,
    norm: nn.Module,
    layer_scale: Any,
    head_scale: Tensor | None = None,
) -> AttentionLayer:
    gamma, beta, _ = _norm(norm, "the norm before the attention")
    dim, rank = values.shape[1], values.shape[0] // heads
    read = _double(values).reshape(heads, rank, dim).mT
    read_bias = torch.zeros(heads, rank, dtype=torch.float64)
    if values_bias is not None:
        read_bias = _double(values_bias).reshape(heads, rank)
    if head_scale is not None:
        read, read_bias = read * _double(head_scale)[:, None, None], read_bias * _double(head_scale)[:, None]
    write = _double(out.weight).reshape(dim, heads, rank).permute(1, 2, 0)
    bias = torch.zeros(dim, dtype=torch.float64) if out.bias is None else _double(out.bias)
    after = getattr(layer_scale, "gamma", layer_scale)
    if not isinstance(after, Tensor) and not _is_identity(layer_scale):
        raise TowerError(f"{type(layer_scale).__name__} follows the attention: its effect is not known")
    scale = _double(after) if isinstance(after, Tensor) else torch.ones(dim, dtype=torch.float64)
    return AttentionLayer(read.contiguous(), read_bias, (write * scale).contiguous(), bias * scale, gamma, beta, scale)


def _timm_end(visual: Any) -> tuple[nn.Module, list[tuple[Tensor, Tensor | None]]]:
    """Return the last norm and the linear maps behind it."""
    trunk = visual.trunk
    if getattr(trunk, "attn_pool", None) is not None:
        raise TowerError(
            "its pooling attends to the tokens and has an MLP (attn_pool): no linear map leads to the joint space"
        )
    candidates = (trunk.norm, getattr(trunk, "fc_norm", None))
    norms = [norm for norm in candidates if isinstance(norm, nn.Module) and not _is_identity(norm)]
    if len(norms) != 1:
        raise TowerError(f"{len(norms)} norms stand before the joint space, wanted one")
    behind = [getattr(trunk, "head", None), *getattr(visual.head, "children", list)()]
    maps: list[tuple[Tensor, Tensor | None]] = []
    for module in behind:
        if isinstance(module, nn.Linear):
            maps.append((module.weight.T, module.bias))
        elif not (_is_identity(module) or isinstance(module, nn.Dropout)):
            raise TowerError(f"{type(module).__name__} leads to the joint space: it is not linear")
    return norms[0], maps


def _norm(norm: Any, title: str) -> tuple[Tensor, Tensor, float]:
    """Return scale, shift and eps of a layer norm."""
    if not isinstance(norm, nn.LayerNorm):
        raise TowerError(f"{title} is {type(norm).__name__}, wanted LayerNorm")
    size = norm.normalized_shape[-1]
    gamma = torch.ones(size, dtype=torch.float64) if norm.weight is None else _double(norm.weight)
    beta = torch.zeros(size, dtype=torch.float64) if norm.bias is None else _double(norm.bias)
    return gamma, beta, float(norm.eps)


@torch.inference_mode()
def _check(layer: AttentionLayer, block: Any, *, native: bool) -> None:
    """Compare a layer with its block on single tokens, whose attention weights are 1, so that all heads add up.

    Raises:
        TowerError: A weight is not finite, or they differ: the block does what was not read from it.
    """
    if not all(
        part.isfinite().all()
        for part in (layer.read, layer.read_bias, layer.write, layer.write_bias, layer.gamma, layer.beta)
    ):
        raise TowerError("a weight of its attention or of the norm before it is not finite")
    weight = block.attn.out_proj.weight if native else block.attn.proj.weight
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randn(4, 1, layer.read.shape[1], generator=generator).to(weight)
    normed = (block.ln_1 if native else block.norm1)(tokens)
    try:
        own = block.attention(normed) if native and hasattr(block, "attention") else block.attn(normed)
    except RuntimeError as error:
        raise TowerError(f"its attention ({type(block.attn).__name__}) cannot be tried on single tokens") from error
    if native:
        own = block.ls_1(own)
    elif getattr(block, "gamma_1", None) is not None:
        own = own * block.gamma_1
    else:
        own = getattr(block, "ls1", nn.Identity())(own)
    ours = normed.double().cpu() @ torch.einsum("hdr,hre->de", layer.read, layer.write) + layer.constant
    if not own.isfinite().all():
        raise TowerError("its attention gives numbers that are not finite: a weight is NaN or infinite")
    difference = float((own.double().cpu() - ours).abs().max()) / max(float(ours.abs().max()), 1e-30)
    if not difference < TOLERANCE * (1 if weight.dtype in (torch.float32, torch.float64) else 100):
        raise TowerError(f"its attention does more than its weights say (difference {difference:.2g})")


def _is_identity(module: Any) -> bool:
    return module is None or isinstance(module, nn.Identity)


def _double(tensor: Tensor) -> Tensor:
    return tensor.detach().to("cpu", torch.float64)
