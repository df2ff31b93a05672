"""Part of the photograph road: the real MobileNetV2 and an open_clip model, from local folders in the hubs' formats."""

from pathlib import Path

import roads
import torch
from forked import Runs
from safetensors.torch import load_file

import sing_compute
from sing_compute.linalg.null_space import split_head

CLASSES = 24


def test_mobilenet_on_photographs_keeps_its_geometry(runs: Runs, tmp_path: Path) -> None:
    roads.need("imagenet_mobilenetv2", "imagenet_photos")
    photos = sorted((roads.ASSETS / "imagenet_photos").iterdir())[::15][:CLASSES]
    (tmp_path / "photos").mkdir()
    for folder in photos:
        (tmp_path / "photos" / folder.name).symlink_to(folder)
    model, clip = roads.mobilenet_folder(tmp_path / "mobilenet"), roads.clip_folder(tmp_path / "clip")
    options = ["--model", f"mobilenetv2={model}", "--clip", clip, "--images", "photos", "-o", "results.h5"]
    runs.folder = tmp_path
    runs.finish(options)
    results = sing_compute.load(tmp_path / "results.h5")
    row = results.models.loc["mobilenetv2"]
    assert (row["rank"], row["nullity"], row["flips"], row["images"]) == (1000, 280, 0, len(photos))
    assert row["logit_change_max"] < 1e-4
    assert row["accuracy"] > 0.75
    assert 0.1 < row["null_energy"] < 0.9
    images = results.images()
    assert (images["image_score"] > 0).all()
    assert (images["attribute_score"].abs() <= images["image_score"] + 1e-3).all()
    assert set(results.classes()["wnid"]) == {folder.name for folder in photos}
    assert len(results.concepts(results.classes().index[0])) > 1000
    facts = results.provenance()
    assert (facts["head"], facts["stored_precision"], facts["input_size"]) == ("classifier", "float32", "3x224x224")


def test_the_real_heads_spectrum_is_as_measured() -> None:
    roads.need("imagenet_mobilenetv2")
    weight = load_file(roads.ASSETS / "imagenet_mobilenetv2" / "mobilenetv2_100_same_1000.safetensors")[
        "classifier.weight"
    ]
    split = split_head(weight, stored_dtype=torch.float32)
    assert (split.rank, split.nullity) == (1000, 280)
    assert abs(float(split.singular_values[0]) - 3.9485) < 1e-4
    assert abs(float(split.singular_values[-1]) - 0.0257) < 1e-4
    assert float((weight.double() @ split.null_basis.T).abs().max()) < 1e-6
