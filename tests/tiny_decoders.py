"""Decoders of random weights, a few hundred kilobytes each, built with diffusers' own classes and saved in its own format."""

import json
from pathlib import Path
from typing import Any

import torch

SIDE = 16
"""Pixels of a side of their pictures."""
TEXT = 8
"""Width of their text towers."""


def _tokenizer(folder: Path) -> Any:
    """A CLIP tokenizer of single letters."""
    from transformers import CLIPTokenizer

    folder.mkdir(parents=True)
    letters = [chr(number) for number in range(97, 123)]
    tokens = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    (folder / "vocab.json").write_text(json.dumps({token: number for number, token in enumerate(tokens)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    (folder / "tokenizer_config.json").write_text(json.dumps({"model_max_length": 4}))
    return CLIPTokenizer.from_pretrained(folder, local_files_only=True)


def _text_config(width: int = TEXT) -> Any:
    from transformers import CLIPTextConfig

    return CLIPTextConfig(
        hidden_size=width, projection_dim=width, intermediate_size=TEXT, num_attention_heads=2, num_hidden_layers=1,
        vocab_size=54, max_position_embeddings=4, bos_token_id=52, eos_token_id=53, pad_token_id=53,
    )  # fmt: skip


def image_encoder(visual: Any) -> Any:
    """The image tower of a CLIP of open_clip as transformers has it, with the same weights."""
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    source = {name: tensor.float() for name, tensor in visual.state_dict().items()}
    width, patch = source["conv1.weight"].shape[0], source["conv1.weight"].shape[-1]
    layers = len(visual.transformer.resblocks)
    side = int((len(source["positional_embedding"]) - 1) ** 0.5) * patch
    network = CLIPVisionModelWithProjection(
        CLIPVisionConfig(
            hidden_size=width, projection_dim=source["proj"].shape[1], intermediate_size=4 * width, num_hidden_layers=layers,
            num_attention_heads=visual.transformer.resblocks[0].attn.num_heads, image_size=side, patch_size=patch,
            hidden_act="gelu",
        )
    )  # fmt: skip
    found = {}
    for name in network.state_dict():
        plain = name.removeprefix("vision_model.")
        for old, new in (
            ("embeddings.class_embedding", "class_embedding"), ("embeddings.patch_embedding", "conv1"),
            ("embeddings.position_embedding.weight", "positional_embedding"), ("pre_layrnorm", "ln_pre"),
            ("post_layernorm", "ln_post"), ("encoder.layers", "transformer.resblocks"), ("self_attn.out_proj", "attn.out_proj"),
            ("layer_norm1", "ln_1"), ("layer_norm2", "ln_2"), ("fc1", "c_fc"), ("fc2", "c_proj"),
        ):  # fmt: skip
            plain = plain.replace(old, new)
        if plain == "visual_projection.weight":
            found[name] = source["proj"].T
        elif "self_attn" in plain:
            block, _, part = plain.partition(".self_attn.")
            which, kind = part.split("_proj.")
            found[name] = source[f"{block}.attn.in_proj_{kind}"].chunk(3)["qkv".index(which)]
        elif plain in source:
            found[name] = source[plain]
    network.load_state_dict(found, strict=False)
    return network.eval()


def _feature_extractor(visual: Any) -> Any:
    from transformers import CLIPImageProcessor

    side, pixels = int(visual.image_size[0]), visual.preprocess_cfg
    return CLIPImageProcessor(
        crop_size={"height": side, "width": side}, size={"shortest_edge": side},
        image_mean=list(pixels["mean"]), image_std=list(pixels["std"]),
    )  # fmt: skip


def stable_decoder(folder: Path, visual: Any, *, side: int = SIDE) -> Path:
    """A Stable unCLIP pipeline in the space of a CLIP; its pictures are a little like their embeddings."""
    from diffusers import AutoencoderKL, DDIMScheduler, DDPMScheduler, StableUnCLIPImg2ImgPipeline, UNet2DConditionModel
    from diffusers.pipelines.stable_diffusion.stable_unclip_image_normalizer import StableUnCLIPImageNormalizer
    from transformers import CLIPTextModel

    torch.manual_seed(1)
    encoder = image_encoder(visual)
    dim = encoder.config.projection_dim
    unet = UNet2DConditionModel(
        sample_size=side // 2, in_channels=4, out_channels=4, down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"), block_out_channels=(8, 16),
        attention_head_dim=(2, 4), norm_num_groups=4,
        class_embed_type="projection", projection_class_embeddings_input_dim=2 * dim,
        cross_attention_dim=TEXT, layers_per_block=1,
        use_linear_projection=True,
    )  # fmt: skip
    vae = AutoencoderKL(
        block_out_channels=(8, 8), norm_num_groups=4, latent_channels=4, layers_per_block=1, sample_size=side,
        down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("UpDecoderBlock2D",) * 2,
    )  # fmt: skip
    StableUnCLIPImg2ImgPipeline(
        feature_extractor=_feature_extractor(visual), image_encoder=encoder,
        image_normalizer=StableUnCLIPImageNormalizer(embedding_dim=dim),
        image_noising_scheduler=DDPMScheduler(beta_schedule="squaredcos_cap_v2"),
        tokenizer=_tokenizer(folder.with_name(f"{folder.name}-words")), text_encoder=CLIPTextModel(_text_config()).eval(),
        unet=unet.eval(), scheduler=DDIMScheduler(prediction_type="v_prediction", set_alpha_to_one=False, steps_offset=1),
        vae=vae.eval(),
    ).save_pretrained(folder, safe_serialization=True)  # fmt: skip
    return folder


def karlo_decoder(folder: Path, visual: Any, *, side: int = SIDE) -> Path:
    """A Karlo pipeline in the space of a CLIP."""
    from diffusers import UnCLIPImageVariationPipeline, UnCLIPScheduler, UNet2DConditionModel, UNet2DModel
    from diffusers.pipelines.deprecated.unclip import UnCLIPTextProjModel
    from transformers import CLIPTextModelWithProjection

    torch.manual_seed(2)
    encoder = image_encoder(visual)
    dim = encoder.config.projection_dim
    text = _text_config(dim)
    blocks: dict[str, Any] = {"block_out_channels": (8, 16), "layers_per_block": 1, "norm_num_groups": 4}
    decoder = UNet2DConditionModel(
        sample_size=side // 2, in_channels=3, out_channels=6,
        down_block_types=("ResnetDownsampleBlock2D", "SimpleCrossAttnDownBlock2D"),
        up_block_types=("SimpleCrossAttnUpBlock2D", "ResnetUpsampleBlock2D"), mid_block_type="UNetMidBlock2DSimpleCrossAttn",
        cross_attention_dim=12, attention_head_dim=4, resnet_time_scale_shift="scale_shift",
        class_embed_type="identity", **blocks,
    )  # fmt: skip
    super_resolution = [
        UNet2DModel(
            sample_size=side, in_channels=6, out_channels=3, down_block_types=("ResnetDownsampleBlock2D",) * 2,
            up_block_types=("ResnetUpsampleBlock2D",) * 2, **blocks,
        ).eval()
        for _ in range(2)
    ]  # fmt: skip
    UnCLIPImageVariationPipeline(
        decoder=decoder.eval(), text_encoder=CLIPTextModelWithProjection(text).eval(),
        tokenizer=_tokenizer(folder.with_name(f"{folder.name}-words")),
        text_proj=UnCLIPTextProjModel(
            clip_embeddings_dim=dim, time_embed_dim=32, cross_attention_dim=12, clip_extra_context_tokens=2
        ).eval(),
        feature_extractor=_feature_extractor(visual), image_encoder=encoder,
        super_res_first=super_resolution[0], super_res_last=super_resolution[1],
        decoder_scheduler=UnCLIPScheduler(variance_type="learned_range", prediction_type="epsilon"),
        super_res_scheduler=UnCLIPScheduler(variance_type="fixed_small_log", prediction_type="epsilon"),
    ).save_pretrained(folder, safe_serialization=True)  # fmt: skip
    return folder
