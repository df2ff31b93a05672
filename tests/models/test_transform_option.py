"""`--transform`: how it is read, what it replaces, and that its pixels are those of torchvision."""

from pathlib import Path

import numpy as np
import pytest
import timm.data
import torch
from PIL import Image
from safetensors.torch import save_file
from small_checkpoints import weights
from torchvision.models import ResNet18_Weights

from sing_compute.errors import SingError
from sing_compute.images.transform_steps import transform_settings
from sing_compute.models.classifier import Classifier, load_classifier
from sing_compute.models.spec import ModelSpec
from sing_compute.models.transform_option import TransformOption

TORCHVISION = "size=224,crop=0.875,interpolation=bilinear,mean=0.485/0.456/0.406,std=0.229/0.224/0.225"


def loaded(text: str | None, spec: str, path: Path | None = None) -> Classifier:
    option = None if text is None else TransformOption.parse(text)
    return load_classifier(ModelSpec("net", spec, path, transform=option))


def photograph() -> Image.Image:
    """Smooth colours, sharp edges and fine noise, of no round size."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[0:375, 0:500]
    waves = [127 + 100 * np.sin(rows / 40 + channel) * np.cos(columns / (25 + 9 * channel)) for channel in range(3)]
    pixels = np.stack(waves, axis=2) + rng.normal(0, 12, (375, 500, 3))
    pixels[(rows - 150) ** 2 + (columns - 300) ** 2 < 4_000] = (240, 30, 60)
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights for timm's test_resnet, whose own settings are 160 pixels, bilinear, crop 0.95."""
    path = tmp_path_factory.mktemp("weights") / "net.safetensors"
    save_file(weights(), path)
    return path


def test_torchvisions_settings_give_torchvisions_pixels_to_the_bit(file: Path) -> None:
    classifier = loaded(TORCHVISION, "test_resnet", file)
    theirs = ResNet18_Weights.IMAGENET1K_V1.transforms()(photograph())
    own = loaded(None, "test_resnet", file).transform(photograph())
    assert torch.equal(classifier.transform(photograph()), theirs)
    assert own.shape != theirs.shape
    shown = "3x224x224, bilinear, crop 0.875, mean 0.485 0.456 0.406, std 0.229 0.224 0.225"
    assert classifier.provenance["preprocessing"] == shown
    assert classifier.provenance["preprocessing_from"] == "option --transform"
    assert classifier.provenance["transform"] == TORCHVISION


def test_a_part_of_the_settings_changes_these_alone(file: Path) -> None:
    own, changed = (
        loaded(None, "test_resnet", file),
        loaded("crop_pct=0.8, interpolation = Bicubic", "test_resnet", file),
    )
    usual = timm.data.resolve_data_config(model=own.network)
    wanted = timm.data.create_transform(**usual | {"crop_pct": 0.8, "interpolation": "bicubic"}, is_training=False)
    assert torch.equal(changed.transform(photograph()), wanted(photograph()))
    assert not torch.equal(changed.transform(photograph()), own.transform(photograph()))
    before, after = (str(each.provenance["preprocessing"]) for each in (own, changed))
    assert after == before.replace("bilinear", "bicubic").replace("crop 0.95", "crop 0.8") != before
    assert str(changed.provenance["preprocessing_from"]).startswith(
        "option --transform (crop, interpolation), otherwise timm's configuration of test_resnet"
    )


@pytest.mark.parametrize(
    ("text", "shape"),
    [("size=96", (3, 96, 96)), ("input_size=64x96", (3, 64, 96)), ("img_size=32,crop_mode=squash", (3, 32, 32))],
)
def test_sizes_are_rows_and_columns(text: str, shape: tuple[int, ...], file: Path) -> None:
    assert loaded(text, "test_resnet", file).transform(photograph()).shape == shape


def test_a_crop_mode_that_is_not_the_usual_one_is_said(file: Path) -> None:
    classifier = loaded("size=32,crop=1,crop_mode=squash,interpolation=bicubic,mean=0,std=1", "test_resnet", file)
    whole = classifier.transform(photograph())
    assert torch.equal(whole, torch.from_numpy(np.array(photograph().resize((32, 32), Image.Resampling.BICUBIC))
                                               ).permute(2, 0, 1) / 255)  # fmt: skip
    assert classifier.provenance["preprocessing"] == "3x32x32, bicubic, crop 1.0 (squash), mean 0 0 0, std 1 1 1"


def test_one_value_counts_for_every_channel(file: Path) -> None:
    one, three = (
        loaded("mean=0.5,std=0.25", "test_resnet", file),
        loaded("mean=.5/.5/.5,std=.25/.25/.25", "test_resnet", file),
    )
    assert torch.equal(one.transform(photograph()), three.transform(photograph()))
    with pytest.raises(SingError, match=r"--transform 'mean=0.5/0.4': mean has 2 values, the images have 3 channels"):
        loaded("mean=0.5/0.4", "test_resnet", file)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"'' is no setting; there are size, crop, crop_mode, interpolation, mean and std, for example size=224,"),
        ("crop", r"'crop' is no setting"),
        ("sice=224", r"'sice=224' is no setting; there are size, crop"),
        ("size=224,size=256", r"size is given twice"),
        ("size=224,input_size=256", r"input_size is given twice"),
        ("size=0", r"size=0: a side has 1 to 4096 pixels"),
        ("size=0x224", r"size=0x224: a side has 1 to 4096 pixels"),
        ("size=100000", r"a side has 1 to 4096 pixels"),
        ("size=-5", r"size=-5: give pixels, such as 224, or rows x columns"),
        ("size=3x224x224", r"give pixels, such as 224, or rows x columns"),
        ("size=²", r"give pixels"),
        ("crop=0", r"crop=0: the part of the resized image that remains is from 0.05 to 1"),
        ("crop=95", r"crop=95: the part of the resized"),
        ("crop=much", r"crop=much: not a number"),
        ("crop=nan", r"crop=nan: not a number"),
        ("interpolation=cubic", r"interpolation=cubic: there are nearest, bilinear, bicubic, box, hamming, lanczos"),
        ("crop_mode=middle", r"crop_mode=middle: there are center, squash, border"),
        ("mean=0.5/x/0.5", r"mean=0.5/x/0.5: not a number"),
        ("mean=inf", r"mean=inf: not a number"),
        ("std=0.2/0/0.2", r"std=0.2/0/0.2: a standard deviation is above 0"),
        ("std=-1", r"std=-1: a standard deviation is above 0"),
    ],
)
def test_settings_that_cannot_be_used_are_one_line(text: str, message: str) -> None:
    with pytest.raises(SingError, match=message) as caught:
        TransformOption.parse(text)
    assert str(caught.value).startswith(f"--transform {text!r}: ")
    assert "\n" not in str(caught.value)


def test_a_transform_of_the_users_network_is_replaced_as_a_whole_or_not_at_all() -> None:
    with pytest.raises(
        SingError,
        match=r"^--transform crop=0.5: net has a `transform` of its own, whose settings cannot be changed one by one; add size, "
        r"interpolation, mean, std to replace it as a whole, or give '-' for this model$",
    ):
        loaded("crop=0.5", "user_networks:small")
    whole = loaded(TORCHVISION, "user_networks:small")
    assert torch.equal(whole.transform(photograph()), ResNet18_Weights.IMAGENET1K_V1.transforms()(photograph()))
    assert whole.provenance["preprocessing_from"] == "option --transform"
    assert "own `transform`" in str(loaded(None, "user_networks:small").provenance["preprocessing_from"])


def test_a_users_network_without_a_transform_takes_single_settings() -> None:
    classifier = loaded("size=48", "user_networks:transformer")
    assert classifier.transform(photograph()).shape == (3, 48, 48)
    assert str(classifier.provenance["preprocessing_from"]).startswith(
        "option --transform (size), otherwise timm's default"
    )
    assert classifier.remarks == []


def test_other_settings_are_another_plan_and_equal_ones_the_same(file: Path) -> None:
    texts = ["crop=0.9", "crop_pct=0.90", "crop=0.91", "crop=0.9,std=0.3"]
    prints = [transform_settings(loaded(text, "test_resnet", file).transform) for text in texts]
    assert None not in prints
    assert prints[0] == prints[1]
    assert len(set(prints)) == 3
