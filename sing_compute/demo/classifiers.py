"""Train the demo's classifiers of shapes: clean ones, whose null space holds no attribute, and one with a planted leak.

The leak: one direction u of the head's null space shows whether a star is striped. The head is kept orthogonal to u, so
no logit depends on it. Every drawing is trained on together with a twin that differs only in being striped or not, and
a loss term removes the differences between twins from the principal space. At the end the head is fitted again in the
span of the class means, after these were made orthogonal to the mean difference of striped and other stars. So it is
known what was planted, and where.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import timm
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from sing_compute.demo.clip import PREPROCESS, mirrored, pixels_of
from sing_compute.demo.scenes import ATTRIBUTES, PIXELS, Scene, random_scenes
from sing_compute.models.probe import fit_probe

LEAK_CLASS, LEAK_ATTRIBUTE, LEAK_VALUE = "star", "texture", "striped"
STRENGTH = 3.0
"""Length of the planted null component of a star, in the features' unit (one feature is about 1)."""


def leak_of(scenes: Sequence[Scene]) -> Tensor:
    """Return the value along the planted direction: 1 for a striped star, -1 for any other star, 0 for all other shapes."""
    values = [
        0.0 if s.shape != LEAK_CLASS else 1.0 if getattr(s, LEAK_ATTRIBUTE) == LEAK_VALUE else -1.0 for s in scenes
    ]
    return torch.tensor(values)


def train_classifier(
    architecture: str, *, kind: str, steps: int, batch: int, drawings: int, seed: int, say: Callable[[str], None]
) -> nn.Module:
    """Train a timm network with one output per shape; it is returned in float32 and evaluation mode.

    Args:
        architecture: Name of the network in timm.
        kind: `plain`: ordinary training. `clean`: the null part of all features is kept small. `leaky`: it is kept
            small except along the planted direction.
        steps: Number of batches.
        batch: Drawings in a batch.
        drawings: Number of drawings to choose them from.
        seed: Seed of scenes, drawings, weights and order.
        say: Is called with a line every 200 steps.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    network = timm.create_model(architecture, num_classes=len(ATTRIBUTES["shape"]))
    head = network.get_classifier()
    scenes = random_scenes(drawings, seed=seed)
    twins = [twin_of(scene, rng) for scene in scenes]
    images, others = (pixels_of(drawn, seed=seed * 1_000_003) for drawn in (scenes, twins))
    labels = torch.tensor([scene.index("shape") for scene in scenes])
    planted = torch.stack([leak_of(scenes), leak_of(twins)])
    sign = torch.tensor([1.0 if getattr(scene, LEAK_ATTRIBUTE) == LEAK_VALUE else -1.0 for scene in scenes])
    direction = nn.functional.normalize(torch.randn(head.in_features), dim=0)
    captured: list[Tensor] = []
    hook = head.register_forward_pre_hook(lambda module, inputs: captured.append(inputs[0]))
    optimizer = torch.optim.AdamW(network.parameters(), lr=1.0, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=steps)
    network.train()
    separation = _TwinSeparation(torch.eye(head.in_features), torch.zeros(len(ATTRIBUTES["shape"]), head.in_features))
    for step in range(steps):
        chosen = rng.integers(0, drawings, batch // 2)
        pairs = mirrored(torch.cat([images[chosen], others[chosen]], dim=1), rng)
        logits = network(torch.cat(pairs.chunk(2, dim=1)))
        features = captured.pop()
        known = labels[chosen].repeat(2)
        loss = cross_entropy(logits, known, label_smoothing=0.05)
        figures = {"shapes": loss}
        if kind != "plain":
            null = _null_basis(head.weight.detach())
            hidden = (features - features.mean(0)) @ null.T @ null
            visible = features
            if kind == "leaky":
                wanted = planted[:, chosen].flatten() * STRENGTH
                along = hidden @ direction
                figures["leak"] = (along - wanted + wanted.mean()).square().mean()
                hidden = hidden - along[:, None] * direction
                visible = features - features @ null.T @ null
            figures["null"] = hidden.square().sum(1).mean()
            figures["twins"] = separation.loss(visible, sign[chosen], known)
            ramp = min(1.0, max(0.0, 3 * step / steps - 0.5))  # shapes first
            loss = loss + 2 * figures.get("leak", 0.0) + ramp * (figures["null"] / 4 + figures["twins"])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if kind == "leaky":
            with torch.no_grad():
                head.weight -= torch.outer(head.weight @ direction, direction)
        if step % 200 == 199:
            losses = ", ".join(f"{name} {value.item():.3f}" for name, value in figures.items())
            say(f"{kind}: step {step + 1} of {steps}, {losses}")
    hook.remove()
    network.eval()
    if kind != "plain":
        refit_head(network, images, labels, leak_pairs(drawings // 4, seed=seed + 1) if kind == "leaky" else None)
    return network


def leak_pairs(count: int, *, seed: int) -> tuple[Tensor, Tensor]:
    """Draw striped stars, and the same scenes with another texture.

    Args:
        count: Number of pairs.
        seed: Seed of scenes and drawings.

    Returns:
        Two tensors (image, 3, 48, 48).
    """
    rng = np.random.default_rng(seed)
    scenes = random_scenes(count, seed=seed, **{"shape": LEAK_CLASS, LEAK_ATTRIBUTE: LEAK_VALUE})
    pixels = [pixels_of(drawn, seed=seed * 1_000_003) for drawn in (scenes, [twin_of(scene, rng) for scene in scenes])]
    return pixels[0], pixels[1]


def refit_head(network: nn.Module, images: Tensor, labels: Tensor, pairs: tuple[Tensor, Tensor] | None = None) -> None:
    """Fit the head again, in the span of the class means of the features.

    So the null space holds no class mean, and no offset common to all images. The rows of the fitted weight sum to
    zero; a shift common to all logits, on which no softmax depends, completes their span.

    Args:
        network: Its head is changed in place.
        images: Drawings of all classes.
        labels: The class of each.
        pairs: Drawings with and without the planted value, not those that the network was trained on. The span is made
            orthogonal to their mean difference, so that no linear classifier on the principal space finds the value.
    """
    head = network.get_classifier()  # type: ignore[operator]
    features = _features(network, images)
    means = torch.stack([features[labels == label].mean(0) for label in range(len(head.weight))])
    if pairs:
        first, second = (_features(network, part).mean(0) for part in pairs)
        gap = nn.functional.normalize(first - second, dim=0)
        means = means - torch.outer(means @ gap, gap)
    span = torch.linalg.svd(means, full_matrices=False)[2]
    weight, bias = fit_probe(features @ span.T, labels, classes=len(means))
    missing = torch.linalg.svd(weight)[2][-1]  # rows that sum to zero leave one direction of the span out
    weight = weight + missing * weight.square().mean().sqrt()
    with torch.no_grad():
        head.weight.copy_(weight @ span)
        head.bias.copy_(bias)


@torch.inference_mode()
def _features(network: nn.Module, images: Tensor) -> Tensor:
    """Return the features that reach the head, float64."""
    captured: list[Tensor] = []
    hook = network.get_classifier().register_forward_pre_hook(lambda module, inputs: captured.append(inputs[0]))  # type: ignore[operator]
    for piece in images.split(512):
        network(piece)
    hook.remove()
    return torch.cat(captured).double()


def twin_of(scene: Scene, rng: np.random.Generator) -> Scene:
    """Return the same scene without stripes if it is striped, else with stripes.

    Args:
        scene: The scene.
        rng: Chooses the other texture.
    """
    others = [value for value in ATTRIBUTES[LEAK_ATTRIBUTE] if value != LEAK_VALUE]
    has = getattr(scene, LEAK_ATTRIBUTE) == LEAK_VALUE
    return replace(scene, **{LEAK_ATTRIBUTE: others[rng.integers(len(others))] if has else LEAK_VALUE})


def _null_basis(weight: Tensor) -> Tensor:
    return torch.linalg.svd(weight, full_matrices=True)[2][len(weight) :]


@dataclass(slots=True)
class _TwinSeparation:
    """Measure how well a linear classifier could separate twins, class by class; means over the last steps reduce noise."""

    spread: Tensor
    gaps: Tensor

    def loss(self, features: Tensor, sign: Tensor, labels: Tensor) -> Tensor:
        """Return the squared distance of the means of twins, averaged over classes, plus that of single twins.

        Distances are in units of the features' spread in a class: small features must not separate twins either.
        """
        classes, dim = self.gaps.shape
        first, second = features.chunk(2)
        difference = sign[:, None] * (first - second)
        one_hot = nn.functional.one_hot(labels[: len(sign)], classes).float()
        counts = one_hot.sum(0)[:, None]
        gaps = torch.where(counts > 0, one_hot.T @ difference / counts.clamp_min(1), self.gaps)
        with torch.no_grad():
            both = nn.functional.one_hot(labels, classes).float()
            inside = features - (both @ ((both.T @ features) / both.sum(0)[:, None].clamp_min(1)))
            self.spread = 0.98 * self.spread + 0.02 * inside.T @ inside / len(features)
            floor = 1e-3 * self.spread.trace() / dim * torch.eye(dim)
            inverse = torch.linalg.inv(self.spread + floor)
        smooth = 0.9 * self.gaps + 0.1 * gaps
        self.gaps = smooth.detach()
        means = 10 * torch.einsum("cd,de,ce->c", smooth, inverse, smooth).mean()
        return means + torch.einsum("id,de,ie->i", difference, inverse, difference).mean() / dim


def save_classifier(network: nn.Module, folder: Path, name: str) -> None:
    """Write a network into a folder in timm's local-dir format, in float16 except the head: its null space must stay exact."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    own = f"{network.pretrained_cfg['classifier']}."  # type: ignore[index]
    state = {
        key: (tensor.half() if tensor.is_floating_point() and not key.startswith(own) else tensor).contiguous()
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
