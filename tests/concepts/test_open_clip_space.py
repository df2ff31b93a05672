import json
import os
from pathlib import Path
from typing import Any

import open_clip
import pytest
import torch
from PIL import Image
from roads import clip_folder
from safetensors.torch import load_file, save_file

from sing_compute.concepts.open_clip_space import TEXT_BATCH, OpenClipSpace
from sing_compute.errors import ConceptsError, SingError

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "small-clip"
    clip_folder(path)
    return path


@pytest.fixture(scope="module")
def space(folder: Path) -> OpenClipSpace:
    return OpenClipSpace(f"local-dir:{folder}")


def images(count: int) -> torch.Tensor:
    return torch.randn(count, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def test_images_and_texts_have_unit_length_in_one_space(space: OpenClipSpace) -> None:
    pictures = space.images(images(5))
    words = space.texts([["a cat"], ["a dog", "the dog"]], device=CPU)
    assert pictures.shape[1] == words.shape[1] == 64
    assert torch.allclose(torch.cat([pictures, words]).norm(dim=1), torch.ones(7), atol=1e-6)


def test_several_texts_of_one_entry_are_averaged_and_scaled_to_unit_length(space: OpenClipSpace) -> None:
    single = space.texts([["a cat"], ["the cat"], ["one cat"]], device=CPU)
    mean = single.mean(dim=0)
    together = space.texts([["a dog"], ["a cat", "the cat", "one cat"], ["a cat"]], device=CPU)
    assert mean.norm() < 0.9999  # the three differ, so that the mean is shorter than one
    assert torch.allclose(together[1], mean / mean.norm(), atol=1e-6)
    assert torch.allclose(together[2], single[0], atol=1e-6)


def test_texts_do_not_depend_on_how_they_fall_into_batches(space: OpenClipSpace) -> None:
    entries = [[f"{number}", f"thing {number}"] for number in range(TEXT_BATCH // 2 + 3)]
    embedded = space.texts(entries, device=CPU)
    assert len(embedded) == len(entries)
    assert torch.allclose(embedded[-4:], space.texts(entries[-4:], device=CPU), atol=1e-6)


def test_evaluation_mode_gives_one_image_one_vector(space: OpenClipSpace) -> None:
    assert torch.equal(space.images(images(3)), space.images(images(3)))


def test_the_folders_weights_are_the_ones_used(space: OpenClipSpace, folder: Path, tmp_path: Path) -> None:
    weights = load_file(folder / "open_clip_model.safetensors")
    assert torch.equal(space._model.state_dict()["visual.proj"], weights["visual.proj"])
    other = tmp_path / folder.name
    other.mkdir()
    (other / "open_clip_config.json").write_text((folder / "open_clip_config.json").read_text())
    save_file(weights | {"logit_scale": weights["logit_scale"] + 1}, other / "open_clip_model.safetensors")
    changed = OpenClipSpace(f"local-dir:{other}").provenance
    assert changed["tag"] == space.provenance["tag"] == "local-dir:small-clip"
    assert changed["state_sha256"] != space.provenance["state_sha256"]


def test_one_folder_has_one_fingerprint_however_it_is_written(
    space: OpenClipSpace, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    for name in (f"local-dir:{folder}/", "local-dir:."):
        assert OpenClipSpace(name).provenance == space.provenance


def test_the_transform_is_the_one_of_the_folders_own_configuration(space: OpenClipSpace) -> None:
    pixels = space.transform(Image.new("RGB", (50, 40), (255, 255, 0)))
    assert pixels.shape == (3, 32, 32)
    assert pixels[:, 5, 5].tolist() == [1.0, 1.0, -1.0]  # mean and standard deviation .5


def test_a_folder_without_weights_is_refused_never_a_random_network(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "open_clip_config.json").write_text((folder / "open_clip_config.json").read_text())
    with pytest.raises(
        ConceptsError, match=f"^--clip local-dir:{tmp_path}: .*pretrained.*local-dir:FOLDER or"
    ) as caught:
        OpenClipSpace(f"local-dir:{tmp_path}")
    assert "\n" not in str(caught.value)


def test_a_folder_whose_weights_do_not_fit_is_refused(folder: Path, tmp_path: Path) -> None:
    config = json.loads((folder / "open_clip_config.json").read_text())
    config["model_cfg"]["vision_cfg"]["layers"] = 1
    (tmp_path / "open_clip_config.json").write_text(json.dumps(config))
    (tmp_path / "open_clip_model.safetensors").symlink_to(folder / "open_clip_model.safetensors")
    with pytest.raises(ConceptsError, match=f"^--clip local-dir:{tmp_path}: Error.* loading state_dict") as caught:
        OpenClipSpace(f"local-dir:{tmp_path}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("part", "change", "said"),
    [
        ("vision_cfg", {"layers": 10**6}, "its configuration says layers 1e\\+06, more than 1,000"),
        ("vision_cfg", {"image_size": 20_000}, "its configuration says image_size 2e\\+04, more than 4,096"),
        ("vision_cfg", {"layers": 900, "width": 60_000}, "describes more weights than its files of .* can hold"),
        ("text_cfg", {"vocab_size": 2**31, "width": 1024}, "describes more weights than its files of .* can hold"),
        ("text_cfg", {"trust_remote_code": True}, "has trust_remote_code, and code of a repository is never run"),
        ("text_cfg", {"attn_implementation": "a/b"}, "takes kernels from a repository, and such code is never run"),
    ],
)
def test_a_configuration_is_checked_before_a_network_is_built(
    part: str, change: dict[str, Any], said: str, folder: Path, tmp_path: Path, asked: dict[str, Any]
) -> None:
    config = json.loads((folder / "open_clip_config.json").read_text())
    config["model_cfg"][part] |= change
    (tmp_path / "open_clip_config.json").write_text(json.dumps(config))
    (tmp_path / "open_clip_model.safetensors").symlink_to(folder / "open_clip_model.safetensors")
    with pytest.raises(SingError, match=f"^--clip local-dir:{tmp_path}: .*{said}"):
        OpenClipSpace(f"local-dir:{tmp_path}")
    assert asked == {}


@pytest.mark.parametrize(
    ("name", "make", "said"),
    [
        ("open_clip_config.json", os.mkfifo, "open_clip_config.json is no regular file"),
        ("open_clip_model.safetensors", os.mkfifo, "open_clip_model.safetensors is no regular file"),
        ("vocab.json", lambda path: path.write_text("[" * 100_000), "vocab.json is nested too deeply"),
    ],
)
def test_a_folder_whose_files_would_hang_or_overflow_is_refused(
    name: str, make: Any, said: str, tmp_path: Path, asked: dict[str, Any]
) -> None:
    make(tmp_path / name)
    with pytest.raises(SingError, match=f"^--clip local-dir:{tmp_path}: .*{said}"):
        OpenClipSpace(f"local-dir:{tmp_path}")
    assert asked == {}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("ViT-B-33/openai", r"unknown architecture 'ViT-B-33'; near: .*ViT-B-32"),
        ("@@/openai", r"unknown architecture '@@'; open_clip.list_models\(\) names them, e.g. ViT-L-14$"),
        ("ViT-B/32/openai", r"unknown architecture 'ViT-B'; near: "),
        ("ViT-B-32", r"write ARCH/PRETRAINED; ViT-B-32 has the tags: openai, .*laion2b_s34b_b79k"),
        ("ViT-B-32/", r"write ARCH/PRETRAINED; ViT-B-32 has the tags: openai"),
        ("ViT-B-32/nope", r"no tag or file 'nope'; ViT-B-32 has the tags: openai, "),
        ("ViT-B-32//nope/model.pt", r"no tag or file '/nope/model.pt'; ViT-B-32 has the tags: "),
        ("local-dir:/nope", r"Directory specified via 'local-dir:' schema not found: /nope\. Without a connection: "),
    ],
)
def test_an_unknown_clip_is_refused_in_one_line_with_what_there_is(
    name: str, message: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ConceptsError, match=f"^--clip {name}: {message}") as caught:
        OpenClipSpace(name)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


class Asked(Exception):
    """Raised in the place of a download."""


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """Arguments that open_clip.create_model was called with."""
    seen: dict[str, object] = {}

    def create_model(name: str, pretrained: str | None = None, **options: object) -> None:
        seen.update(options, name=name, pretrained=pretrained)
        raise Asked("no download in tests")

    monkeypatch.setattr(open_clip, "create_model", create_model)
    monkeypatch.setattr("sing_compute.concepts.open_clip_space.check_described_clip", lambda name, weights: None)
    monkeypatch.setattr("sing_compute.hubs.why_unreachable", lambda: "")
    return seen


@pytest.mark.parametrize(
    ("name", "quick"),
    [
        ("ViT-B-32/openai", True),
        ("ViT-L-14/openai", True),
        ("ViT-B-32/laion400m_e32", open_clip.get_pretrained_cfg("ViT-B-32", "laion400m_e32").get("quick_gelu", False)),
        ("ViT-B-32/laion2b_s34b_b79k", False),
        ("ViT-L-14/laion2b_s32b_b82k", False),
        ("hf-hub:laion/CLIP-ViT-B-32-laion2B-s34B-b79K", False),
    ],
)
def test_the_activation_is_the_one_the_weights_were_trained_with(name: str, quick: bool, asked: dict[str, Any]) -> None:
    with pytest.raises(
        ConceptsError, match=r"no download in tests. Without a connection: local-dir:FOLDER or ARCH/FILE"
    ):
        OpenClipSpace(name)
    assert asked["force_quick_gelu"] is quick
    assert asked["require_pretrained"] is True
    assert asked.get("load_weights", True) is True


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "weights.pt").write_bytes(b"weights")
    return tmp_path / "weights.pt"


def test_a_file_is_refused_where_the_tags_of_its_architecture_disagree(file: Path, asked: dict[str, Any]) -> None:
    with pytest.raises(ConceptsError, match="trained with different activations or pixels") as caught:
        OpenClipSpace(f"ViT-B-32/{file}")
    assert f"ViT-B-32/{file}@openai or ViT-B-32/{file}@laion" in str(caught.value)
    assert asked == {}
    with pytest.raises(ConceptsError, match="ViT-B-32 has no tag 'nonsense'; it has: openai, "):
        OpenClipSpace(f"ViT-B-32/{file}@nonsense")


@pytest.mark.parametrize(("tag", "quick"), [("openai", True), ("laion2b_s34b_b79k", False)])
def test_a_file_has_the_settings_of_the_tag_that_the_user_names(
    tag: str, quick: bool, file: Path, asked: dict[str, Any]
) -> None:
    with pytest.raises(ConceptsError, match="no download in tests"):
        OpenClipSpace(f"ViT-B-32/{file}@{tag}")
    assert asked["force_quick_gelu"] is quick
    assert asked["force_preprocess_cfg"]["interpolation"] == "bicubic"


@pytest.mark.parametrize(
    ("architecture", "mean", "interpolation"),
    [
        ("MobileCLIP-S1", (0.0, 0.0, 0.0), "bilinear"),
        ("ViT-B-16-SigLIP", (0.5, 0.5, 0.5), "bicubic"),
        ("RN50", (0.48145466, 0.4578275, 0.40821073), "bicubic"),
    ],
)
def test_a_file_has_the_pixels_that_all_tags_of_its_architecture_share(
    architecture: str, mean: tuple[float, ...], interpolation: str, file: Path, asked: dict[str, Any]
) -> None:
    with pytest.raises(ConceptsError, match="no download in tests"):
        OpenClipSpace(f"{architecture}/{file}")
    pixels = asked["force_preprocess_cfg"]
    assert (pixels["mean"], pixels["interpolation"]) == (mean, interpolation)


def test_how_images_become_tensors_is_stored(folder: Path) -> None:
    config = json.loads((folder / "open_clip_config.json").read_text())
    facts = OpenClipSpace(f"local-dir:{folder}").provenance
    mean = " ".join(f"{value:.4g}" for value in config["preprocess_cfg"]["mean"])
    assert f"mean {mean}" in facts["preprocessing"]
    assert facts["preprocessing_from"] == "the folder's or repository's own configuration"
    assert facts["activation"] == "the architecture's own"


def test_a_checkpoint_file_is_loaded_and_named_without_its_folder(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = json.loads((folder / "open_clip_config.json").read_text())["model_cfg"]
    (tmp_path / "tiny-arch.json").write_text(json.dumps(config))
    registry = open_clip.factory._MODEL_CONFIGS.copy()
    try:
        open_clip.add_model_config(tmp_path / "tiny-arch.json")
        weights = folder / "open_clip_model.safetensors"
        space = OpenClipSpace(f"tiny-arch/{weights}")
    finally:
        open_clip.factory._MODEL_CONFIGS.clear()
        open_clip.factory._MODEL_CONFIGS.update(registry)
    assert space.provenance["tag"] == "tiny-arch/open_clip_model.safetensors"
    assert torch.equal(space._model.state_dict()["visual.proj"], load_file(weights)["visual.proj"])
