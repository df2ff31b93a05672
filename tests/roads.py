"""Real data laid out as a user would have it, from the assets beside the project (`SING_ASSETS` moves them)."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

ASSETS = Path(os.environ.get("SING_ASSETS", Path(__file__).resolve().parents[2] / "shared" / "assets"))
CIFAR_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
LVIS_NAMES = ("airplane", "car_(automobile)", "bird", "cat", "deer", "dog", "frog", "horse", "boat", "truck")


def need(*folders: str) -> None:
    """Skip the test where the real data is absent."""
    missing = [folder for folder in folders if not (ASSETS / folder).is_dir()]
    if missing:
        pytest.skip(f"real data not at hand: {', '.join(missing)} below {ASSETS}")


def cifar_road(folder: Path) -> list[str]:
    """Class tree, stored embeddings and names for the 500 CIFAR images; gives the options of sing-compute."""
    source, words = ASSETS / "cifar10_test500_clip_vitb32", ASSETS / "detic_clip_vitb32_text"
    labels = np.load(source / "image_labels.npy")
    keys = []
    for number, (pixels, label) in enumerate(zip(np.load(source / "original_images.npy"), labels, strict=True)):
        key = f"{CIFAR_CLASSES[label]}/{number:04d}.png"
        (folder / "images" / key).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(folder / "images" / key)
        keys.append(key)
    embeddings = torch.load(source / "image_embeddings.pt", weights_only=True).numpy()
    order = np.random.default_rng(0).permutation(len(keys))  # keys, not positions, must match them
    save_embeddings(folder / "images.npz", [keys[i] for i in order], embeddings[order])
    entries = sorted(json.loads((words / "lvis_v1_train_cat_info.json").read_text()), key=lambda entry: entry["id"])
    names = [entry["name"] for entry in entries]
    vectors = np.load(words / "lvis_v1_clip_a+cname.npy")
    save_embeddings(folder / "lvis.npz", names, vectors)
    save_embeddings(folder / "classes.npz", CIFAR_CLASSES, vectors[[names.index(name) for name in LVIS_NAMES]])
    (folder / "classes.txt").write_text("\n".join(CIFAR_CLASSES))
    return [
        *("--images", str(folder / "images"), "--class-names", str(folder / "classes.txt")),
        *("--image-embeddings", str(folder / "images.npz"), "--concept-embeddings", str(folder / "lvis.npz")),
        *("--class-embeddings", str(folder / "classes.npz")),
    ]


def cifar_models(*names: str) -> list[str]:
    """Options for the two ResNets with their real weights."""
    files = {"resnet20": "resnet20-12fca82f", "resnet56": "resnet56-4bfd9763"}
    options = []
    for name in names:
        options += [
            "--model",
            f"cifar_nets:{name}",
            "--weights",
            str(ASSETS / "cifar10_resnets" / f"{files[name]}.safetensors"),
        ]
    return options


def save_embeddings(
    path: Path, keys: list[str] | tuple[str, ...], embeddings: np.ndarray, tag: str = "ViT-B-32/openai"
) -> None:
    """A file of stored embeddings."""
    np.savez(path, keys=np.array(keys), embeddings=embeddings, tag=np.array(tag))


def mobilenet_folder(folder: Path) -> str:
    """The real MobileNetV2 in timm's local-dir format; gives the value of --model."""
    config = {
        "architecture": "mobilenetv2_100",
        "num_classes": 1000,
        "model_args": {"pad_type": "same"},
        "pretrained_cfg": {
            "input_size": [3, 224, 224],
            "interpolation": "bicubic",
            "crop_pct": 0.875,
            "mean": [0.5, 0.5, 0.5],
            "std": [0.5, 0.5, 0.5],
            "first_conv": "conv_stem",
            "classifier": "classifier",
        },
    }
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(config))
    weights = ASSETS / "imagenet_mobilenetv2" / "mobilenetv2_100_same_1000.safetensors"
    (folder / "model.safetensors").symlink_to(weights)
    return f"local-dir:{folder}"


def clip_folder(folder: Path) -> str:
    """A small open_clip model of random weights in open_clip's local-dir format; gives the value of --clip."""
    import open_clip
    from safetensors.torch import save_file

    model_config = {
        "embed_dim": 64,
        "vision_cfg": {"image_size": 32, "layers": 2, "width": 64, "patch_size": 8, "head_width": 32},
        "text_cfg": {"context_length": 24, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2},
    }
    folder.mkdir()
    torch.manual_seed(0)
    model = open_clip.CLIP(**model_config)
    save_file(
        {name: tensor.contiguous() for name, tensor in model.state_dict().items()},
        folder / "open_clip_model.safetensors",
    )
    preprocess = {
        "mean": [0.5, 0.5, 0.5],
        "std": [0.5, 0.5, 0.5],
        "interpolation": "bicubic",
        "resize_mode": "shortest",
    }
    config = {"model_cfg": model_config, "preprocess_cfg": preprocess}
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    return f"local-dir:{folder}"
