"""The image processors of transformers as transforms: their own rules, equality, and what takes their place."""

import pickle
from pathlib import Path

import pytest
import torch
from PIL import Image
from transformers_folders import SIDE, loaded, photographs, save

from sing_compute.errors import SingError, WeightsError
from sing_compute.images.transform_steps import transform_settings
from sing_compute.models.transform_option import TransformOption
from sing_compute.transform_results import image_tensor


def test_a_convnext_crops_by_its_own_rule(folders: Path) -> None:
    """Resized to 32 / 0.875 at the shorter side, then the middle: the same by torchvision alone."""
    from torchvision.transforms import v2

    classifier = loaded(save(folders / "crop", "resnet"))
    steps = [v2.PILToTensor(), v2.Resize(int(SIDE / 0.875), v2.InterpolationMode.BICUBIC), v2.CenterCrop(SIDE)]
    scaled = [v2.ToDtype(torch.float32, scale=True), v2.Normalize([0.5] * 3, [0.5] * 3)]
    expected = v2.Compose([*steps, *scaled])(photographs()[0])
    assert (image_tensor(classifier.transform(photographs()[0])) - expected).abs().max() < 1e-5


def test_equal_image_processors_are_one_transform_and_others_are_not(vit: Path, folders: Path) -> None:
    one, again, other = loaded(vit).transform, loaded(vit).transform, loaded(save(folders / "other", "swin")).transform
    prints = [transform_settings(each) for each in (one, again, other)]
    assert None not in prints
    assert prints[0] == prints[1] != prints[2]
    copy = pickle.loads(pickle.dumps(one))
    assert torch.equal(copy(photographs()[0]), one(photographs()[0]))


def test_without_an_image_processor_the_user_says_how_images_become_tensors(folders: Path) -> None:
    folder = save(folders / "no processor", processor=False)
    text = f"size={SIDE},crop=1,interpolation=bilinear,mean=0.5,std=0.5"
    for option in (None, TransformOption.parse("crop=1")):
        with pytest.raises(
            WeightsError, match=r"there is no preprocessor_config.json, .* give --transform with size, crop, int"
        ):
            loaded(folder, transform=option)
    classifier = loaded(folder, transform=TransformOption.parse(text))
    assert classifier.transform(photographs()[0]).shape == (3, SIDE, SIDE)
    assert classifier.provenance["preprocessing_from"] == "option --transform"


def test_an_image_processor_is_replaced_as_a_whole_or_not_at_all(vit: Path) -> None:
    with pytest.raises(
        SingError, match=r"net has an image processor \(preprocessor_config.json\), whose .* add size, interpol"
    ):
        loaded(vit, transform=TransformOption.parse("crop=0.9"))
    text = f"size={SIDE},crop=1,interpolation=bicubic,mean=0,std=1"
    black = loaded(vit, transform=TransformOption.parse(text)).transform(Image.new("RGB", (40, 50)))
    assert torch.equal(black, torch.zeros(3, SIDE, SIDE))
