"""Train the demo's CLIP: a small open_clip model that knows the words for every attribute of the scenes.

A drawing matches every caption that is true of it, so the contrastive targets are spread over all true pairs of a
batch. Early in training, linear heads on the image tower predict each attribute; their weight falls to zero, because
the contrastive loss alone learns shapes slowly.
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, log_softmax

from sing_compute.demo.scenes import ATTRIBUTES, PIXELS, Scene, draw, random_scenes
from sing_compute.open_clip_import import import_open_clip

MODEL_CONFIG: dict[str, Any] = {
    "embed_dim": 64,
    "vision_cfg": {"image_size": PIXELS, "layers": 4, "width": 128, "patch_size": 6, "head_width": 32},
    "text_cfg": {"context_length": 24, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2},
}
PREPROCESS = {
    "size": PIXELS,
    "mean": [0.5] * 3,
    "std": [0.25] * 3,
    "interpolation": "bicubic",
    "resize_mode": "shortest",
}
PHRASES: dict[str, str] = {
    "shape": "an image of a {}",
    "colour": "an image of something {}",
    "texture": "an image of something {}",
    "background": "an image with a {} background",
    "size": "an image of something {}",
}
"""Captions of one attribute alone; the demo's vocabulary uses the same words."""


def caption(scene: Scene, rng: np.random.Generator) -> str:
    """Return a true sentence about a scene: one attribute alone, or any of them together."""
    names = list(ATTRIBUTES)
    if rng.random() < 0.5:
        name = names[rng.integers(len(names))]
        return PHRASES[name].format(getattr(scene, name))
    values = {name: getattr(scene, name) for name in names if rng.random() < 0.6}
    words = [values[name] for name in ("size", "colour", "texture") if name in values]
    text = " ".join(["an image of a", *words, values.get("shape", "shape")])
    return text + (f" with a {values['background']} background" if "background" in values else "")


def is_true(text: str, scenes: Sequence[Scene], known: dict[str, frozenset[str]]) -> Tensor:
    """Find the scenes of which a caption is true.

    Args:
        text: The caption.
        scenes: The scenes.
        known: The values that each caption names; filled here, for the next call.

    Returns:
        True or False for each scene.
    """
    if text not in known:
        values = {value for options in ATTRIBUTES.values() for value in options}
        known[text] = frozenset(text.split()) & values
    named = known[text]
    return torch.tensor([named <= {s.shape, s.colour, s.texture, s.background, s.size} for s in scenes])


def pixels_of(scenes: Sequence[Scene], *, seed: int) -> Tensor:
    """Draw scenes as normalised float tensors (image, 3, 48, 48)."""
    stack = np.stack([np.asarray(draw(scene, seed=seed + number)) for number, scene in enumerate(scenes)])
    mean, std = torch.tensor(PREPROCESS["mean"]), torch.tensor(PREPROCESS["std"])
    return ((torch.from_numpy(stack) / 255 - mean) / std).permute(0, 3, 1, 2).contiguous()


def mirrored(images: Tensor, rng: np.random.Generator) -> Tensor:
    """Mirror half of the images left to right, at random; every attribute stays true."""
    turned = torch.from_numpy(rng.random(len(images)) < 0.5)
    return torch.where(turned[:, None, None, None], images.flip(3), images)


def train_clip(*, steps: int, batch: int, drawings: int, seed: int, say: Callable[[str], None]) -> nn.Module:
    """Train an open_clip model; it is returned in float32 and evaluation mode.

    Args:
        steps: Number of batches.
        batch: Drawings in a batch.
        drawings: Number of drawings to choose them from.
        seed: Seed of scenes, drawings, weights, captions and order.
        say: Is called with a line every 100 steps.
    """
    open_clip = import_open_clip()

    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    model = open_clip.CLIP(**MODEL_CONFIG)
    scenes = random_scenes(drawings, seed=seed)
    images = pixels_of(scenes, seed=seed * 1_000_003)
    labels = {name: torch.tensor([scene.index(name) for scene in scenes]) for name in ATTRIBUTES}
    heads = nn.ModuleDict({name: nn.Linear(MODEL_CONFIG["embed_dim"], len(ATTRIBUTES[name])) for name in ATTRIBUTES})
    optimizer = torch.optim.AdamW(
        [*model.parameters(), *heads.parameters()], lr=1.0, betas=(0.9, 0.98), weight_decay=0.05
    )
    tokenizer = open_clip.SimpleTokenizer(context_length=MODEL_CONFIG["text_cfg"]["context_length"])
    known: dict[str, frozenset[str]] = {}
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = 1.5e-3 * min(1.0, (step + 1) / 150) * 0.5 * (1 + np.cos(np.pi * step / steps)) + 1e-6
        chosen = rng.integers(0, drawings, batch)
        picked = [scenes[k] for k in chosen]
        texts = [caption(scene, rng) for scene in picked]
        truth = torch.stack([is_true(text, picked, known) for text in texts]).T.float()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            image_vectors = model.encode_image(mirrored(images[chosen], rng))
            text_vectors = model.encode_text(tokenizer(texts), normalize=True)
        image_vectors, text_vectors = image_vectors.float(), text_vectors.float()
        logits = model.logit_scale.exp() * nn.functional.normalize(image_vectors, dim=-1) @ text_vectors.T
        loss = -(truth / truth.sum(1, keepdim=True) * log_softmax(logits, 1)).sum(1).mean()
        loss = loss - (truth / truth.sum(0, keepdim=True) * log_softmax(logits, 0)).sum(0).mean()
        fade = max(0.0, 1 - step / (0.7 * steps))
        aid = sum(
            (cross_entropy(heads[name](image_vectors), labels[name][chosen]) for name in ATTRIBUTES), torch.zeros(())
        )
        optimizer.zero_grad(set_to_none=True)
        (loss / 2 + fade * aid).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        with torch.no_grad():
            model.logit_scale.clamp_(0, np.log(100))
        if step % 100 == 99:
            say(f"clip: step {step + 1} of {steps}, contrast {loss.item() / 2:.3f}, attributes {aid.item() / 5:.3f}")
    return model.eval()


@torch.inference_mode()
def zero_shot(model: nn.Module, scenes: Sequence[Scene], images: Tensor) -> dict[str, float]:
    """Measure how often each attribute is named correctly by the nearest of its captions.

    Args:
        model: The CLIP.
        scenes: The true attributes.
        images: Drawings of the scenes, as `pixels_of` gives them.

    Returns:
        Accuracy of each attribute, from 0 to 1.
    """
    open_clip = import_open_clip()

    tokenizer = open_clip.SimpleTokenizer(context_length=MODEL_CONFIG["text_cfg"]["context_length"])
    image_vectors = torch.cat([model.encode_image(part, normalize=True) for part in images.split(64)])  # type: ignore[operator]
    result = {}
    for name, values in ATTRIBUTES.items():
        text_vectors = model.encode_text(tokenizer([PHRASES[name].format(value) for value in values]), normalize=True)  # type: ignore[operator]
        truth = torch.tensor([scene.index(name) for scene in scenes])
        result[name] = float(((image_vectors @ text_vectors.T).argmax(1) == truth).float().mean())
    return result


def save_clip(model: nn.Module, folder: Path) -> None:
    """Write a model into a folder in open_clip's local-dir format, weights in float16."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    state = {name: tensor.half().contiguous() for name, tensor in model.state_dict().items()}
    save_file(state, folder / "open_clip_model.safetensors")
    config = {"model_cfg": MODEL_CONFIG, "preprocess_cfg": PREPROCESS}
    (folder / "open_clip_config.json").write_text(json.dumps(config, indent=1) + "\n")
