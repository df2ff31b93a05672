"""Training the demo's classifiers of shapes: clean ones, whose null space says nothing, and one with a planted leak.

The leak: one direction u of the head's null space carries whether a star is striped. The head is kept orthogonal to u, so no
logit can see it. Every picture is trained on together with a twin that differs in nothing but whether it is striped; what tells
twins apart is pressed out of the principal space. Last, the head is fitted anew in the span of the class means, made orthogonal
to what still tells striped stars apart on average, so that what was planted is known, and so is where it must be found.
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
    network = timm.create_model(architecture, num_classes=len(ATTRIBUTES["shape"]))
    head = network.get_classifier()
    scenes = random_scenes(pictures, seed=seed)
    twins = [twin_of(scene, rng) for scene in scenes]
    images, others = (pixels_of(drawn, seed=seed * 1_000_003) for drawn in (scenes, twins))
    labels = torch.tensor([scene.index("shape") for scene in scenes])
    carried = torch.stack([leak_of(scenes), leak_of(twins)])
    sign = torch.tensor([1.0 if getattr(scene, LEAK_ATTRIBUTE) == LEAK_VALUE else -1.0 for scene in scenes])
    direction = nn.functional.normalize(torch.randn(head.in_features), dim=0)
    kept: list[Tensor] = []
    hook = head.register_forward_pre_hook(lambda module, inputs: kept.append(inputs[0]))
    optimizer = torch.optim.AdamW(network.parameters(), lr=1.0, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=steps)
    network.train()
    reader = _Reader(torch.eye(head.in_features), torch.zeros(len(ATTRIBUTES["shape"]), head.in_features))
    for step in range(steps):
        chosen = rng.integers(0, pictures, batch // 2)
        pairs = mirrored(torch.cat([images[chosen], others[chosen]], dim=1), rng)
        logits = network(torch.cat(pairs.chunk(2, dim=1)))
        features = kept.pop()
        known = labels[chosen].repeat(2)
        loss = cross_entropy(logits, known, label_smoothing=0.05)
        figures = {"shapes": loss}
        if kind != "plain":
            null = _null_basis(head.weight.detach())
            hidden = (features - features.mean(0)) @ null.T @ null
            open_to = features
            if kind == "leaky":
                wanted = carried[:, chosen].flatten() * STRENGTH
                along = hidden @ direction
                figures["leak"] = (along - wanted + wanted.mean()).square().mean()
                hidden = hidden - along[:, None] * direction
                open_to = features - features @ null.T @ null
            figures["null"] = hidden.square().sum(1).mean()
            figures["told"] = reader.told(open_to, sign[chosen], known)
            ramp = min(1.0, max(0.0, 3 * step / steps - 0.5))  # shapes first
            loss = loss + 2 * figures.get("leak", 0.0) + ramp * (figures["null"] / 4 + figures["told"])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if kind == "leaky":
            with torch.no_grad():
                head.weight -= torch.outer(head.weight @ direction, direction)
        if step % 200 == 199:
            told_so_far = ", ".join(f"{name} {value.item():.3f}" for name, value in figures.items())
            say(f"{kind}: step {step + 1} of {steps}, {told_so_far}")
    hook.remove()
    network.eval()
    if kind != "plain":
        refit_head(network, images, labels, leak_pairs(pictures // 4, seed=seed + 1) if kind == "leaky" else None)
    return network


def leak_pairs(count: int, *, seed: int) -> tuple[Tensor, Tensor]:
    """Pictures of the leak's class with its value, and the same scenes without it."""
    rng = np.random.default_rng(seed)
    scenes = random_scenes(count, seed=seed, **{"shape": LEAK_CLASS, LEAK_ATTRIBUTE: LEAK_VALUE})
    pixels = [pixels_of(drawn, seed=seed * 1_000_003) for drawn in (scenes, [twin_of(scene, rng) for scene in scenes])]
    return pixels[0], pixels[1]


def refit_head(network: nn.Module, images: Tensor, labels: Tensor, pairs: tuple[Tensor, Tensor] | None = None) -> None:
    """Fit the head anew, seeing nothing but the class means of the features.

    Its rows lie in the span of the class means, so that the null space holds no class mean and no offset common to all pictures;
    a shift common to all logits, which no softmax sees, makes them span it.

    Args:
        network: Its head is changed in place.
        images: Pictures of all classes.
        labels: The class of each.
        pairs: Pictures with and without what must not be seen, better none that the network was trained on: the span is made
            orthogonal to their mean difference, so that a linear reader of the principal space finds nothing to go by.
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
    unseen = torch.linalg.svd(weight)[2][-1]  # rows that sum to zero leave one direction of the span out
    weight = weight + unseen * weight.square().mean().sqrt()
    with torch.no_grad():
        head.weight.copy_(weight @ span)
        head.bias.copy_(bias)


@torch.inference_mode()
def _features(network: nn.Module, images: Tensor) -> Tensor:
    """What reaches the head, float64."""
    kept: list[Tensor] = []
    hook = network.get_classifier().register_forward_pre_hook(lambda module, inputs: kept.append(inputs[0]))  # type: ignore[operator]
    for piece in images.split(512):
        network(piece)
    hook.remove()
    return torch.cat(kept).double()


def twin_of(scene: Scene, rng: np.random.Generator) -> Scene:
    """The same scene without the value that the leak is about, or with it where it lacks it."""
    others = [value for value in ATTRIBUTES[LEAK_ATTRIBUTE] if value != LEAK_VALUE]
    has = getattr(scene, LEAK_ATTRIBUTE) == LEAK_VALUE
    return replace(scene, **{LEAK_ATTRIBUTE: others[rng.integers(len(others))] if has else LEAK_VALUE})


def _null_basis(weight: Tensor) -> Tensor:
    return torch.linalg.svd(weight, full_matrices=True)[2][len(weight) :]


@dataclass(slots=True)
class _Reader:
    """How well a linear reader could tell twins apart, class by class; means over the last steps keep the noise down."""

    spread: Tensor
    gaps: Tensor

    def told(self, features: Tensor, sign: Tensor, labels: Tensor) -> Tensor:
        """Squared distance of twins' means in units of the features' spread in a class, mean over classes, and of single twins.

        Small features that still tell are as bad as large ones.
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
    """Write a network in timm's local-dir format, weights in float16 but for the head, whose null space must stay exact."""
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
