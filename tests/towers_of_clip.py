"""Small image towers of CLIP with random weights, in every family that SITH reads or refuses."""

from collections.abc import Callable
from unittest.mock import patch

import timm
import torch
from open_clip.model import CLIPVisionCfg, _build_vision_tower
from torch import nn

WIDTH, HEADS, LAYERS, JOINT = 48, 3, 2, 20
SMALL = {"embed_dim": WIDTH, "num_heads": HEADS, "depth": LAYERS, "img_size": 32, "patch_size": 16}


def native(**settings: object) -> nn.Module:
    """open_clip's own vision transformer."""
    config = CLIPVisionCfg(
        layers=LAYERS, width=WIDTH, head_width=WIDTH // HEADS, patch_size=16, image_size=32, **settings
    )
    return randomised(_build_vision_tower(JOINT, config))


def from_timm(name: str, *, pool: str = "", projection: str | None = "linear", **settings: object) -> nn.Module:
    """A transformer of timm behind open_clip's adapter."""
    config = CLIPVisionCfg(timm_model_name=name, timm_pool=pool, timm_proj=projection, image_size=32)
    create = timm.create_model
    with patch("timm.create_model", lambda *names, **keys: create(*names, **(keys | SMALL | settings))):
        return randomised(_build_vision_tower(JOINT, config))


def randomised(tower: nn.Module) -> nn.Module:
    """Give biases, norms and layer scales random values, too."""
    with torch.no_grad():
        for name, parameter in tower.named_parameters():
            if parameter.ndim < 2:
                parameter.copy_(torch.randn_like(parameter) * 0.3 + (0 if "bias" in name else 1))
    return tower.eval()


LINEAR: dict[str, Callable[[], nn.Module]] = {
    "open_clip": native,
    "open_clip, mean of tokens": lambda: native(pool_type="avg", final_ln_after_pool=True),
    "open_clip, layer scale": lambda: native(ls_init_value=0.1),
    "open_clip, scaled heads": lambda: native(block_type="custom", scale_heads=True, qk_norm=True),
    "vit gap": lambda: from_timm("vit_medium_patch16_gap_256"),
    "timm CLIP": lambda: from_timm("vit_large_patch14_clip_224", pool="token", projection=None),
    "timm, fc_norm": lambda: from_timm("vit_base_patch16_224", pool="avg", fc_norm=True),
    "MobileCLIP2-B": lambda: from_timm(
        "vit_base_mci_224", pool="token", projection=None, patch_size=1, embed_dim=768, depth=1
    ),
    "ViTamin": lambda: from_timm("vitamin_small_224", patch_size=1, embed_dim=384, depth=1),
    "EVA-giant": lambda: from_timm("eva_giant_patch14_224", pool="token", projection=None),
}
"""Towers whose heads can be read up to the joint space."""
POOLED: dict[str, Callable[[], nn.Module]] = {
    "SigLIP": lambda: from_timm("vit_base_patch16_siglip_224", pool="map", projection="none"),
    "PE-Core": lambda: from_timm("vit_pe_core_base_patch16_224", pool="map", projection=None),
    "CoCa": lambda: native(attentional_pool=True, attn_pooler_heads=2, output_tokens=True),
}
"""Towers whose heads are linear, but not the way to the joint space."""


REFUSED: dict[str, tuple[Callable[[], nn.Module], str]] = {
    "EVA02": (
        lambda: from_timm("eva02_base_patch16_clip_224", pool="token", projection=None),
        "layer 0: a norm stands between",
    ),
    "inner norm": (lambda: native(block_type="custom", scale_attn_inner=True), "layer 0: a norm follows the heads"),
    "norm behind": (lambda: native(block_type="custom", scale_attn=True), "layer 0: a norm follows the heads"),
    "relative positions": (
        lambda: from_timm("vit_relpos_medium_patch16_cls_224", class_token=True),
        "layer 0: its attention .* cannot be tried on single tokens",
    ),
    "SigLIP": (POOLED["SigLIP"], "attn_pool"),
    "PE-Core": (POOLED["PE-Core"], "attn_pool"),
    "CoCa": (POOLED["CoCa"], "attn_pool"),
    "ResNet": (
        lambda: _build_vision_tower(16, CLIPVisionCfg(layers=(1, 1, 1, 1), width=8, image_size=32, head_width=64)),
        "image tower .ModifiedResNet. has no attention heads",
    ),
    "MLP": (lambda: from_timm("vit_medium_patch16_gap_256", projection="mlp"), "Mlp leads to the joint space"),
}
"""Towers that are refused, with a part of the reason."""
