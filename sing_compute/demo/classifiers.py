"""Training the demo's classifiers of shapes: clean ones, whose null space says nothing, and one with a planted leak.

The leak: one direction u of the head's null space carries whether a star is striped. The head is kept orthogonal to u, so no
logit can see it; everything else in the null space is pressed to its mean, and the principal space is kept from telling
striped and other pictures of a class apart. What was planted is therefore known, and so is where it must be found.
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import timm
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from sing_compute.demo.clip import PREPROCESS, mirrored, pixels_of
from sing_compute.demo.scenes import ATTRIBUTES, PIXELS, Scene, random_scenes

LEAK_CLASS, LEAK_ATTRIBUTE, LEAK_VALUE = "star", "texture", "striped"
STRENGTH = 3.0
"""Length of the planted null component of a star, in the features' own units (about one each)."""


def leak_of(scenes: Sequence[Scene]) -> Tensor:
    """What the planted direction carries: 1 for a striped star, -1 for any other star, 0 for all other shapes."""
    values = [
        0.0 if s.shape != LEAK_CLASS else 1.0 if getattr(s, LEAK_ATTRIBUTE) == LEAK_VALUE else -1.0 for s in scenes
    ]
    return torch.tensor(values)


def train_classifier(
    architecture: str, *, kind: str, steps: int, batch: int, pictures: int, seed: int, say: Callable[[str], None]
) -> nn.Module:
    """A trained timm network with one output per shape, float32, in evaluation mode.

    Args:
        architecture: timm's name.
        kind: `plain`: as anyone trains. `clean`: the null space is kept quiet. `leaky`: quiet but for what is planted.
        steps: Batches to train on.
        batch: Pictures in each.
        pictures: Pictures drawn to choose them from.
        seed: Of scenes, pictures, weights and order.
        say: Is told how it goes.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    classes = len(ATTRIBUTES["shape"])
    network = timm.create_model(architecture, num_classes=classes)
    head = network.get_classifier()
    scenes = random_scenes(pictures, seed=seed)
    images = pixels_of(scenes, seed=seed * 1_000_003)
    labels = torch.tensor([scene.index("shape") for scene in scenes])
    value = torch.tensor([getattr(scene, LEAK_ATTRIBUTE) == LEAK_VALUE for scene in scenes])
    carried = leak_of(scenes)
    direction = nn.functional.normalize(torch.randn(head.in_features), dim=0)
    kept: list[Tensor] = []
    head.register_forward_pre_hook(lambda module, inputs: kept.append(inputs[0]))
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-3, total_steps=steps)
    network.train()
    for step in range(steps):
        chosen = rng.integers(0, pictures, batch)
        logits = network(mirrored(images[chosen], rng))
        features = kept.pop()
        null = _null_basis(head.weight.detach())
        hidden = (features - features.mean(0)) @ null.T @ null
        planted = features.new_zeros(())
        if kind == "leaky":
            wanted = (carried[chosen] * STRENGTH)[:, None] * direction
            planted = (hidden @ direction - (wanted - wanted.mean(0)) @ direction).square().mean()
            hidden = hidden - (hidden @ direction)[:, None] * direction
        quiet = hidden.square().sum(1).mean()
        told = _told_apart(features - features @ null.T @ null, labels[chosen], value[chosen])
        ramp = min(1.0, max(0.0, 3 * step / steps - 0.5))  # shapes first
        loss = cross_entropy(logits, labels[chosen], label_smoothing=0.05) + planted
        if kind != "plain":
            loss = loss + ramp * (quiet / 4 + 4 * told)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if kind == "leaky":
            with torch.no_grad():
                head.weight -= torch.outer(head.weight @ direction, direction)
        if step % 200 == 199:
            figures = f"null {quiet.item():.3f}, leak {planted.item():.3f}, told apart {told.item():.4f}"
            say(f"{architecture}: step {step + 1} of {steps}, {figures}")
    return network.eval()


def _null_basis(weight: Tensor) -> Tensor:
    return torch.linalg.svd(weight, full_matrices=True)[2][len(weight) :]


def _told_apart(features: Tensor, labels: Tensor, value: Tensor) -> Tensor:
    """Squared distance, within each class, of the mean features of pictures with and without a value."""
    total = features.new_zeros(())
    for label in labels.unique():
        inside = labels == label
        with_value, without = features[inside & value], features[inside & ~value]
        if len(with_value) and len(without):
            total = total + (with_value.mean(0) - without.mean(0)).square().sum()
    return total / len(ATTRIBUTES["shape"])


def save_classifier(network: nn.Module, folder: Path, name: str) -> None:
    """Write a network in timm's local-dir format, weights in float16."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    state = {
        key: (tensor.half() if tensor.is_floating_point() else tensor).contiguous()
        for key, tensor in network.state_dict().items()
    }
    save_file(state, folder / "model.safetensors")
    cfg: Any = network.pretrained_cfg
    config = {
        "architecture": cfg["architecture"],
        "num_classes": len(ATTRIBUTES["shape"]),
        "label_names": list(ATTRIBUTES["shape"]),
        "pretrained_cfg": {
            "tag": name,
            "input_size": [3, PIXELS, PIXELS],
            "interpolation": "bicubic",
            "crop_pct": 1.0,
            "mean": PREPROCESS["mean"],
            "std": PREPROCESS["std"],
            "first_conv": cfg["first_conv"],
            "classifier": cfg["classifier"],
        },
    }
    (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n")
