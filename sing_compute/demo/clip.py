"""Training the demo's CLIP: a small open_clip model in which every attribute of the scenes has its words.

A picture matches every caption that is true of it, so the contrastive targets spread over all true pairs of a batch.
Heads on the image tower read each attribute while it is young and fade out: contrast alone is slow to see shape.
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
"""How one attribute alone is said; the demo's vocabulary says it in the same words."""


def caption(scene: Scene, rng: np.random.Generator) -> str:
    """A true sentence about a scene: one attribute alone, or any of them together."""
    names = list(ATTRIBUTES)
    if rng.random() < 0.5:
        name = names[rng.integers(len(names))]
        return PHRASES[name].format(getattr(scene, name))
    said = {name: getattr(scene, name) for name in names if rng.random() < 0.6}
    words = [said[name] for name in ("size", "colour", "texture") if name in said]
    text = " ".join(["an image of a", *words, said.get("shape", "shape")])
    return text + (f" with a {said['background']} background" if "background" in said else "")


def is_true(text: str, scenes: Sequence[Scene], known: dict[str, frozenset[str]]) -> Tensor:
    """Of which scenes a caption is true; `known` keeps the values that each caption names."""
    if text not in known:
        values = {value for options in ATTRIBUTES.values() for value in options}
        known[text] = frozenset(text.split()) & values
    named = known[text]
    return torch.tensor([named <= {s.shape, s.colour, s.texture, s.background, s.size} for s in scenes])


def pixels_of(scenes: Sequence[Scene], *, seed: int) -> Tensor:
    """Pictures of scenes as normalised float tensors, (image, 3, 48, 48)."""
    stack = np.stack([np.asarray(draw(scene, seed=seed + number)) for number, scene in enumerate(scenes)])
    mean, std = torch.tensor(PREPROCESS["mean"]), torch.tensor(PREPROCESS["std"])
    return ((torch.from_numpy(stack) / 255 - mean) / std).permute(0, 3, 1, 2).contiguous()


def mirrored(images: Tensor, rng: np.random.Generator) -> Tensor:
    """Half of the pictures left to right: every attribute stays true."""
    turned = torch.from_numpy(rng.random(len(images)) < 0.5)
    return torch.where(turned[:, None, None, None], images.flip(3), images)


def train_clip(*, steps: int, batch: int, pictures: int, seed: int, say: Callable[[str], None]) -> nn.Module:
    """A trained open_clip model, float32, in evaluation mode."""
    import open_clip

    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    model = open_clip.CLIP(**MODEL_CONFIG)
    scenes = random_scenes(pictures, seed=seed)
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
        chosen = rng.integers(0, pictures, batch)
        picked = [scenes[k] for k in chosen]
        texts = [caption(scene, rng) for scene in picked]
        truth = torch.stack([is_true(text, picked, known) for text in texts]).T.float()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            seen = model.encode_image(mirrored(images[chosen], rng))
            said = model.encode_text(tokenizer(texts), normalize=True)
        seen, said = seen.float(), said.float()
        logits = model.logit_scale.exp() * nn.functional.normalize(seen, dim=-1) @ said.T
        loss = -(truth / truth.sum(1, keepdim=True) * log_softmax(logits, 1)).sum(1).mean()
        loss = loss - (truth / truth.sum(0, keepdim=True) * log_softmax(logits, 0)).sum(0).mean()
        fade = max(0.0, 1 - step / (0.7 * steps))
        aid = sum((cross_entropy(heads[name](seen), labels[name][chosen]) for name in ATTRIBUTES), torch.zeros(()))
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
    """Held-out accuracy of naming each attribute from its words alone."""
    import open_clip

    tokenizer = open_clip.SimpleTokenizer(context_length=MODEL_CONFIG["text_cfg"]["context_length"])
    seen = torch.cat([model.encode_image(part, normalize=True) for part in images.split(256)])  # type: ignore[operator]
    result = {}
    for name, values in ATTRIBUTES.items():
        said = model.encode_text(tokenizer([PHRASES[name].format(value) for value in values]), normalize=True)  # type: ignore[operator]
        truth = torch.tensor([scene.index(name) for scene in scenes])
        result[name] = float(((seen @ said.T).argmax(1) == truth).float().mean())
    return result


def save_clip(model: nn.Module, folder: Path) -> None:
    """Write a model in open_clip's local-dir format, weights in float16."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    state = {name: tensor.half().contiguous() for name, tensor in model.state_dict().items()}
    save_file(state, folder / "open_clip_model.safetensors")
    config = {"model_cfg": MODEL_CONFIG, "preprocess_cfg": PREPROCESS}
    (folder / "open_clip_config.json").write_text(json.dumps(config, indent=1) + "\n")
