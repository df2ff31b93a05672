"""Weights of a small network of timm, and the classifier that is loaded from a file of them."""

from pathlib import Path

import timm
import torch
from torch import Tensor

from sing_compute.models.classifier import Classifier, load_classifier
from sing_compute.models.spec import ModelSpec


def weights(classes: int = 1000, seed: int = 0) -> dict[str, Tensor]:
    torch.manual_seed(seed)
    return dict(timm.create_model("test_resnet", num_classes=classes).state_dict())


def loaded(path: Path, ema: bool | None = None, spec: str = "test_resnet") -> Classifier:
    return load_classifier(ModelSpec("net", spec, path, ema=ema))
