"""Networks as users bring them: each gives the numbers of the plain network, or is refused in one line that says why."""

from pathlib import Path

import numpy as np
import pytest
import timm.data
import torch
import user_networks
from PIL import Image
from torch import Tensor

from sing_compute.errors import SingError
from sing_compute.extraction.features import attach_heads, decode_for
from sing_compute.extraction.networks import Networks
from sing_compute.images.image_sources import list_images
from sing_compute.images.listing import ImageList
from sing_compute.models.classifier import Classifier, load_classifier
from sing_compute.models.spec import ModelSpec

IMAGES = 7


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> ImageList:
    folder, rng = tmp_path_factory.mktemp("images"), np.random.default_rng(0)
    (folder / "all").mkdir()
    for number in range(IMAGES):
        pixels = rng.integers(0, 255, (user_networks.SIDE, user_networks.SIDE, 3), dtype=np.uint8)
        pixels[0, 0] = (255, 0, 0) if number in (2, 5) else (0, 0, 0)
        Image.fromarray(pixels).save(folder / "all" / f"{number}.png")
    return list_images(folder)


def loaded(name: str) -> Classifier:
    return load_classifier(ModelSpec.parse(f"user_networks:{name}"))


def outputs(classifier: Classifier, images: ImageList) -> dict[str, Tensor]:
    """Return the stored outputs of all images, computed in a batch of four and one of the rest."""
    networks = Networks([classifier], None, torch.device("cpu"), print)
    (batch,) = decode_for(images, networks, [range(len(images))], 0)
    networks.batch_size = 4
    return {"rows": torch.tensor(batch.rows)} | networks.run(networks.all[0], networks.put(batch.tensors[0]), "float32")


def pixels_of(images: ImageList) -> Tensor:
    return torch.stack([user_networks.TO_TENSOR(Image.open(images.path(row))) for row in range(IMAGES)])


WORKING = {
    "small": "channels_last", "viewing": "contiguous", "viewing_last": "channels_last", "reordering": "contiguous",
    "counting": "channels_last", "in_training": "channels_last", "half": "channels_last", "brain_half": "channels_last",
    "double": "channels_last", "object_output": "channels_last", "dict_output": "channels_last", "instance": "channels_last",
    "wrapped": "channels_last", "compiled": "channels_last",
}  # fmt: skip
"""Networks, with the memory format in which they run."""
WRAPPED = {"wrapped": "module", "compiled": "_orig_mod"}
"""Networks in a wrapper, and where in it they are."""


@pytest.mark.parametrize("name", WORKING)
@torch.inference_mode()
def test_a_network_gives_the_numbers_of_the_plain_network(name: str, images: ImageList) -> None:
    classifier = loaded(name)
    attach_heads([classifier], images)
    made = getattr(user_networks, name)
    plain = (made if name == "instance" else made()).float().eval()
    pixels = pixels_of(images)
    if name == "viewing_last":
        pixels = pixels.contiguous(memory_format=torch.channels_last)
    if name in WRAPPED:
        plain = getattr(plain, WRAPPED[name])
    expected = plain.to(memory_format=torch.contiguous_format)(pixels)
    expected = getattr(expected, "logits", expected["logits"] if isinstance(expected, dict) else expected)
    found = outputs(classifier, images)
    weight, bias = classifier.head
    spread = float((expected.amax(1) - expected.amin(1)).mean())
    assert torch.allclose(found[f"{name}/features"] @ weight.T + bias, expected, atol=1e-5 * spread)
    assert found[f"{name}/prediction"].tolist() == expected.argmax(1).tolist()
    assert classifier.provenance["memory_format"] == WORKING[name]
    assert not any(module.training for module in classifier.network.modules())


@pytest.mark.parametrize(
    "name",
    [
        "four_axes",
        "dictionary",
        "processed",
        "listed",
        "array",
        "array_of_rows",
        "with_gradient",
        "albumentations",
        "bytes_read",
        "preset",
        "stepwise",
    ],
)
@torch.inference_mode()
def test_a_transform_may_give_one_image_in_any_plain_form(name: str, images: ImageList) -> None:
    classifier = loaded(name)
    attach_heads([classifier], images)
    expected = user_networks.small()(pixels_of(images))
    weight, bias = classifier.head
    assert torch.allclose(outputs(classifier, images)[f"{name}/features"] @ weight.T + bias, expected, atol=1e-5)
    assert classifier.provenance["input_size"] == "3x24x24"


@pytest.mark.parametrize("name", ["transformer", "normalising_itself"])
@torch.inference_mode()
def test_a_layer_named_transform_is_no_preprocessing(name: str, images: ImageList) -> None:
    classifier = loaded(name)
    attach_heads([classifier], images)
    usual = timm.data.create_transform((3, 224, 224), is_training=False, interpolation="bicubic", crop_pct=0.875)
    pixels = torch.stack([usual(Image.open(images.path(row)).convert("RGB")) for row in range(IMAGES)])
    expected = getattr(user_networks, name)()(pixels)
    weight, bias = classifier.head
    found = outputs(classifier, images)[f"{name}/features"] @ weight.T + bias
    assert torch.allclose(found, expected, atol=1e-5)
    said = "its layer `transform` is no preprocessing, so timm's is used: 3x224x224, bicubic, crop 0.875"
    assert classifier.remarks == [said]


@torch.inference_mode()
def test_a_lazy_layer_gets_its_size_from_an_image_and_the_same_weights_in_every_run(images: ImageList) -> None:
    first, second = loaded("lazy"), loaded("lazy")
    assert first.provenance["state_sha256"] == second.provenance["state_sha256"]
    assert first.provenance["note"] == "its lazy layers have random weights: no --weights were given that hold them"
    attach_heads([first], images)
    assert first.head[0].shape == (6, 16)
    weight, bias = first.head
    expected = first.network.to(memory_format=torch.contiguous_format)(pixels_of(images))
    assert torch.allclose(
        outputs(second_attached(second, images), images)["lazy/features"] @ weight.T + bias, expected, atol=1e-5
    )


def second_attached(classifier: Classifier, images: ImageList) -> Classifier:
    attach_heads([classifier], images)
    return classifier


@torch.inference_mode()
def test_images_for_which_a_transform_fails_are_left_out_with_its_error_and_place(images: ImageList) -> None:
    classifier = loaded("fails_sometimes")
    attach_heads([classifier], images)
    networks = Networks([classifier], None, torch.device("cpu"), print)
    (batch,) = decode_for(images, networks, [range(IMAGES)], 0)
    assert batch.rows == [0, 1, 3, 4, 6]
    why = f"the transform failed: LookupError: red images are not supported, at user_networks.py:{line('red images')}"
    assert batch.failed == [(2, why), (5, why)]
    assert torch.allclose(batch.tensors[0], pixels_of(images)[batch.rows])


def line(text: str) -> int:
    """Line of the module of networks that holds a text."""
    lines = Path(user_networks.__file__).read_text().splitlines()
    return next(number for number, content in enumerate(lines, start=1) if text in content)


REFUSED = {
    "dropping": r"^dropping: it gives another result for the same image each time: is dropout active .*self\.training$",
    "normalising": r"^normalising: it fails for one image alone \(ValueError: Expected more than 1 value per channel .*, "
    r"at user_networks.py:\d+\), though not for 4: batch statistics in evaluation, or",
    "centring": r"^centring: the result for an image depends on the other images of its batch: batch statistics",
    "squeezing": r"^squeezing: for one image alone the network returns a tensor of shape \(6,\); .* does it squeeze",
    "drifting": r"^drifting: its buffer mean changes with every batch",
    "staying": r"^staying: its layer drop \(Dropout\) is in training mode although .* `train` or `forward` switch it on\?$",
    "raising": r"^raising: the network failed on the first images \(ValueError: the size must be 32, "
    r"at user_networks.py:\d+\); its transform makes them 3x24x24$",
    "grey": r"^grey: the network failed on the first images \(RuntimeError: .* to have 1 channels, but got 3 channels "
    r"instead, at user_networks.py:\d+\); its transform makes them 3x24x24$",
    "bytes_refused": r"^bytes_refused: the transform gives uint8 pixels, and the network needs floats: end it with "
    r"transforms.ConvertImageDtype",
    "pixels_returned": r"^the transform of pixels_returned gives a PIL image, not a tensor; end it with transforms.ToTensor",
    "nothing_returned": r"^the transform of nothing_returned gives None, not one tensor \(channel, height, width\); so it was",
    "five_crops": r"^the transform of five_crops gives 5 images \(5, 3, 24, 24\) for one; it must give one tensor",
    "two_tensors": r"^the transform of two_tensors gives a dict of 2 tensors \(left, right\), not one tensor",
    "fails_always": r"^the transform of fails_always failed: LookupError: no such colour profile, at user_networks.py:\d+; "
    r"so it was for all 7 images that were tried$",
    "a_class": r"^--model user_networks:a_class: a_class\(\) returned the class Small, not a network of it: return Small\(\)$",
    "scripted": r"^--model user_networks:scripted: scripted\(\) returned TorchScript, .* return the network before torch.jit",
    "loads_wrongly": r"^--model user_networks:loads_wrongly: loads_wrongly\(\) failed \(RuntimeError: Error\(s\) in loading "
    r"state_dict for Small: Missing key\(s\) in state_dict: .*, at user_networks.py:\d+\)$",
}


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.filterwarnings("ignore:.*torch.jit:FutureWarning")
def test_any_other_network_is_refused_in_one_line_that_names_the_reason(name: str, images: ImageList) -> None:
    with pytest.raises(SingError, match=REFUSED[name]) as caught:
        attach_heads([loaded("small"), loaded(name)], images)
    assert "\n" not in str(caught.value)


def test_an_error_of_a_network_in_the_run_itself_has_its_place(images: ImageList) -> None:
    classifier = loaded("small")
    attach_heads([classifier], images)
    classifier.network.features = user_networks.Raising.forward.__get__(classifier.network)
    message = rf"^small: the network failed \(ValueError: the size must be 32, at user_networks.py:{line('raise ValueError')}\)$"
    with pytest.raises(SingError, match=message):
        outputs(classifier, images)


def test_maps_of_a_network_that_runs_contiguous_or_on_bytes_are_found(images: ImageList) -> None:
    for name in ("viewing", "bytes_read"):
        classifier = loaded(name)
        attach_heads([classifier], images, map_side=2)
        assert classifier.map_tap is not None
        found = outputs(classifier, images)
        if name == "bytes_read":
            expected = user_networks.small().body[:4](pixels_of(images)).detach()
            assert str(classifier.map_tap.place).startswith("map of body.3, 5x5 positions x 16 channels, pooling: mean")
            grid = expected.flatten(2).transpose(1, 2)[:, list(classifier.map_tap.positions)]
            assert torch.allclose(found["bytes_read/maps"], grid, atol=1e-5)
        else:
            assert str(classifier.map_tap.place).startswith("map of relu, 20x20 positions x 4 channels, pooling: none")
            assert found["viewing/maps"].shape == (IMAGES, 4, 4)
