"""Draw, train and write data/demo again: `python -m sing_compute.demo.build`, under 30 minutes on two cores."""

import hashlib
import json
import tomllib
from pathlib import Path

import torch

from sing_compute.datafiles import data_path
from sing_compute.demo.classifiers import LEAK_ATTRIBUTE, LEAK_CLASS, LEAK_VALUE, save_classifier, train_classifier
from sing_compute.demo.clip import PHRASES, pixels_of, save_clip, train_clip, zero_shot
from sing_compute.demo.scenes import ATTRIBUTES, drawing_seed, held_out_scenes
from sing_compute.errors import SingError

ARCHITECTURES = {"clean": "test_resnet", "leaky": "test_resnet", "plain": "test_efficientnet"}
WANTED = 0.95
"""Lowest accepted zero-shot accuracy of an attribute on held-out scenes."""
ORIGIN = "drawn and trained by sing_compute/demo (python -m sing_compute.demo.build)"


def build(folder: Path) -> None:
    """Train all networks and write them, with what was planted and their accuracy on held-out scenes.

    Args:
        folder: Folder to write into.

    Raises:
        SingError: The zero-shot accuracy of an attribute is too low.
    """
    scenes = held_out_scenes()
    images = pixels_of(scenes, seed=drawing_seed(0))
    clip = train_clip(steps=1600, batch=192, drawings=45_000, seed=1, say=print)
    accuracy = zero_shot(clip, scenes, images)
    print(accuracy)
    too_low = [name for name, value in accuracy.items() if value < WANTED]
    if too_low:
        raise SingError(f"zero-shot accuracy below {WANTED}: {', '.join(too_low)}")
    save_clip(clip, folder / "clip")
    labels = torch.tensor([scene.index("shape") for scene in scenes])
    correct = {}
    for name, architecture in ARCHITECTURES.items():
        network = train_classifier(architecture, kind=name, steps=2500, batch=128, drawings=20_000, seed=3, say=print)
        with torch.inference_mode():
            correct[name] = float((network(images).argmax(1) == labels).float().mean())
        print(name, correct[name])
        save_classifier(network, folder / name, name)
    write_descriptions(folder, accuracy, correct)


def write_descriptions(folder: Path, zero_shot_accuracy: dict[str, float], accuracy: dict[str, float]) -> None:
    """Write the vocabulary, what was planted, the accuracies, and the entries of SOURCES.toml.

    Args:
        folder: Folder to write into.
        zero_shot_accuracy: Zero-shot accuracy of each attribute, on held-out scenes.
        accuracy: Accuracy of each classifier, on held-out scenes.
    """
    lines = [
        f"{value}\t{name}\t{phrase.format(value)}" for name, phrase in PHRASES.items() for value in ATTRIBUTES[name]
    ]
    (folder / "concepts.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    planted = {
        "model": "leaky",
        "clean": "clean",
        "class": LEAK_CLASS,
        "attribute": LEAK_ATTRIBUTE,
        "value": LEAK_VALUE,
        "zero_shot": zero_shot_accuracy,
        "accuracy": accuracy,
    }
    (folder / "planted.json").write_text(json.dumps(planted, indent=1) + "\n", encoding="utf-8")
    list_sources(folder.parent)


def list_sources(data: Path) -> None:
    """Update the demo's entries of SOURCES.toml in the folder `data/`."""
    path = data / "SOURCES.toml"
    text = path.read_text(encoding="utf-8")
    known = tomllib.loads(text)
    others = text[: min((text.index(f'["{name}"]') for name in known if name.startswith("demo/")), default=len(text))]
    entries = []
    for file in sorted(entry for entry in (data / "demo").rglob("*") if entry.is_file()):
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        entries.append(
            f'["{file.relative_to(data).as_posix()}"]\norigin = "{ORIGIN}"\nlicence = "MIT"\nsha256 = "{digest}"\n'
        )
    path.write_text(others.rstrip() + "\n\n" + "\n".join(entries), encoding="utf-8")


if __name__ == "__main__":
    target = data_path("vocabularies").parent / "demo"
    target.mkdir(exist_ok=True)
    build(target)
