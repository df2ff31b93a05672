"""Turn the singular values of attention heads up and down inside a CLIP network, which stays an ordinary network."""

from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float64
from torch import Tensor, nn

from sing_compute.errors import TowerError
from sing_compute.sith.attention import decompose
from sing_compute.sith.towers import attention_blocks, attention_layers, is_native


def scale_vectors(visual: nn.Module, factors: Mapping[int, Float64[Tensor, "head rank"]]) -> None:
    """Multiply singular values of a tower's heads by factors, in place.

    Only the output weights and biases of the attention change: W_O' = W_O + W_O V^T diag(factor - 1) V, and the constant that the
    layer adds stays (arXiv 2603.24653, section 5). A factor of 1 changes no bit. A head whose factors are all 0 gets output
    weights of exactly 0: what it wrote equally into all channels goes, too, which every later norm removes anyway.

    Args:
        visual: `visual` of a CLIP of open_clip.
        factors: Factor of each singular value of the folded heads, by number of the layer.

    Raises:
        TowerError: The tower's heads are not linear, there is no such layer, or a layer scale of 0 hides what it writes.
    """
    layers, blocks = attention_layers(visual), attention_blocks(visual)
    for number, wanted in factors.items():
        if not 0 <= number < len(layers):
            raise TowerError(f"no layer {number}: the tower has {len(layers)}, from 0")
        layer = layers[number].folded()
        if wanted.shape != layer.read_bias.shape:
            raise TowerError(f"layer {number}: factors {tuple(wanted.shape)}, wanted {tuple(layer.read_bias.shape)}")
        vectors = decompose(layer)
        change = (layers[number].write @ vectors.right.mT * (wanted - 1)[:, None]) @ vectors.right
        counted = torch.arange(wanted.shape[1]) < vectors.ranks[:, None]
        silenced = ((wanted == 0) | ~counted).all(1) & (wanted == 0).any(1)
        change[silenced] = -layers[number].write[silenced]
        block: Any = blocks[number]
        out = block.attn.out_proj if is_native(block) else block.attn.proj
        scale = layers[number].layer_scale
        if (scale == 0).any() and change[..., scale == 0].any():
            raise TowerError(f"layer {number}: its layer scale has a 0, so its output weights cannot be edited")
        change = change / torch.where(scale == 0, 1.0, scale)
        with torch.no_grad():
            _add(out.weight, change.permute(2, 0, 1).reshape(out.weight.shape))
            silent = silenced.repeat_interleave(wanted.shape[1])
            out.weight[:, silent.to(out.weight.device)] = 0.0  # the layer scale may leave rounding
            constant = (layer.read_bias[:, None] @ change)[:, 0].sum(0)
            if out.bias is None and constant.any():
                raise TowerError(f"layer {number}: its output has no bias, which would keep the constant of the values")
            if out.bias is not None:
                _add(out.bias, -constant)


def _add(parameter: Tensor, change: Tensor) -> None:
    """Add in float64, and leave numbers that do not change as they are."""
    new = (parameter.detach().cpu().double() + change).to(parameter)
    parameter.copy_(torch.where(change.to(parameter.device) == 0, parameter, new))
