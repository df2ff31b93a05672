"""Folders of small image classifiers of transformers with random weights, as `save_pretrained` leaves them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from PIL import Image
from torch import nn

from sing_compute.models.classifier import Classifier, load_classifier
from sing_compute.models.spec import ModelSpec

CLASSES = ("ant", "bee", "cat")
SIDE = 32
TRANSFORMER: dict[str, Any] = {
    "hidden_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "intermediate_size": 32,
    "image_size": SIDE,
    "patch_size": 8,
}
SQUARE = {"height": SIDE, "width": SIDE}
Made = tuple[Any, Callable[[Any], nn.Module], Any]


def families() -> dict[str, Callable[[], Made]]:
    """Configuration, network class and image processor of each family; built when it is asked for."""
    t = transformers
    return {
        "vit": lambda: (t.ViTConfig(**TRANSFORMER), t.ViTForImageClassification, t.ViTImageProcessor(size=SQUARE)),
        "resnet": lambda: (
            t.ResNetConfig(embedding_size=8, hidden_sizes=[8, 12], depths=[1, 1], layer_type="basic"),
            t.ResNetForImageClassification,
            t.ConvNextImageProcessor(size={"shortest_edge": SIDE}, crop_pct=0.875),
        ),
        "convnext": lambda: (
            t.ConvNextConfig(hidden_sizes=[8, 12], depths=[1, 1], num_stages=2),
            t.ConvNextForImageClassification,
            t.ConvNextImageProcessor(size={"shortest_edge": SIDE}, crop_pct=0.9, resample=3),
        ),
        "swin": lambda: (
            t.SwinConfig(image_size=SIDE, patch_size=4, embed_dim=12, depths=[1, 1], num_heads=[2, 2], window_size=4),
            t.SwinForImageClassification,
            t.ViTImageProcessor(size=SQUARE, resample=3),
        ),
        "beit": lambda: (
            t.BeitConfig(**TRANSFORMER),
            t.BeitForImageClassification,
            t.BeitImageProcessor(size=SQUARE, do_center_crop=False),
        ),
        "deit": lambda: (
            t.DeiTConfig(**TRANSFORMER),
            t.DeiTForImageClassification,
            t.DeiTImageProcessor(size={"height": 36, "width": 36}, crop_size=SQUARE),
        ),
        "deit with teacher": lambda: (
            t.DeiTConfig(**TRANSFORMER),
            t.DeiTForImageClassificationWithTeacher,
            t.DeiTImageProcessor(size={"height": 36, "width": 36}, crop_size=SQUARE),
        ),
        "dinov2 with registers": lambda: (
            t.Dinov2WithRegistersConfig(**{k: v for k, v in TRANSFORMER.items() if k != "intermediate_size"}),
            t.Dinov2WithRegistersForImageClassification,
            t.BitImageProcessor(size={"shortest_edge": 40}, crop_size=SQUARE, resample=3),
        ),
        "mobilenet": lambda: (
            t.MobileNetV2Config(image_size=SIDE, depth_multiplier=0.25),
            t.MobileNetV2ForImageClassification,
            t.MobileNetV2ImageProcessor(size={"shortest_edge": 36}, crop_size=SQUARE),
        ),
    }


def save(
    folder: Path, family: str = "vit", *, processor: bool = True, names: tuple[str, ...] = CLASSES, **options: Any
) -> Path:
    """Save a network of random weights.

    Args:
        folder: Is made.
        family: One of `families`.
        processor: False to leave the image processor out.
        names: Class names; an empty one leaves the placeholders of transformers.
        options: Of `save_pretrained`.
    """
    torch.manual_seed(0)
    config, kind, image_processor = families()[family]()
    config.num_labels = len(names)
    if all(names):
        config.id2label, config.label2id = dict(enumerate(names)), {name: index for index, name in enumerate(names)}
    network = kind(config)
    for name, parameter in network.named_parameters():  # so that no head and no bias is zero or tiny
        if "classifier" in name:
            nn.init.normal_(parameter, std=0.5)
    dtype = options.pop("dtype", None)
    (network.to(dtype) if dtype else network).save_pretrained(folder, **options)
    if processor:
        image_processor.save_pretrained(folder)
    return folder


def loaded(folder: Path, **options: Any) -> Classifier:
    return load_classifier(ModelSpec("net", f"local-dir:{folder}", **options))


def photographs() -> list[Image.Image]:
    rng = np.random.default_rng(0)
    sizes = ((50, 40), (33, 61), (SIDE, SIDE), (90, 34))
    return [Image.fromarray(rng.integers(0, 255, (*size, 3), dtype=np.uint8)) for size in sizes]
