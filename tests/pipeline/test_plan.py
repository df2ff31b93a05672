from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from plans import plan

from sing_compute.cli import cli
from sing_compute.errors import SingError
from sing_compute.pipeline.devices import default_workers
from sing_compute.precision import AUTO, PRECISIONS

STORED = {"image_embeddings": "i.npz", "concept_embeddings": "c.npz"}


def test_the_clip_defaults_to_the_papers() -> None:
    assert plan().clip == "ViT-L-14/openai"
    assert plan(clip="ViT-B-32/openai").clip == "ViT-B-32/openai"


def test_stored_embeddings_take_the_place_of_the_clip() -> None:
    made = plan(**STORED, class_embeddings="k.npz")
    assert made.clip is None
    assert (made.image_embeddings, made.concept_embeddings) == (Path("i.npz"), Path("c.npz"))
    assert made.class_embeddings == Path("k.npz")


def test_classes_are_prompted_by_one_template_unless_others_are_given() -> None:
    assert plan().templates == ("an image of a {}",)
    assert plan(templates=("a {}", "the {}")).templates == ("a {}", "the {}")


def test_weights_go_to_the_models_in_order_and_a_dash_means_their_own() -> None:
    made = plan(models=("a=x", "b=y"), weights=("-", "w.pt"))
    assert [(spec.name, spec.spec, spec.weights) for spec in made.models] == [
        ("a", "x", None),
        ("b", "y", Path("w.pt")),
    ]
    assert [spec.weights for spec in plan(models=("a=x", "b=y")).models] == [None, None]


def test_heads_go_to_the_models_in_order_and_a_dash_means_their_own() -> None:
    made = plan(models=("a=x", "b=y"), heads=("h.pt", "-"))
    assert [spec.head for spec in made.models] == [Path("h.pt"), None]


def test_transforms_go_to_all_models_or_to_each_in_order() -> None:
    models = ("a=x", "b=y")
    one, each, none = (plan(models=models, transforms=texts).models for texts in (("crop=0.9",), ("-", "size=96"), ()))
    assert [dict(spec.transform.settings) for spec in one if spec.transform] == [{"crop_pct": 0.9}] * 2
    assert [spec.transform and spec.transform.text for spec in each] == [None, "size=96"]
    assert [spec.transform for spec in none] == [None, None]
    with_preset = plan(models=("a=x",), preset="paper", transforms=("crop=0.9",)).models
    assert [spec.name for spec in with_preset if spec.transform] == ["a"]
    with pytest.raises(SingError, match="--transform is for --model: the classifiers of --preset bring their own"):
        plan(models=(), preset="paper", transforms=("crop=0.9",))


def test_chosen_heads_go_to_the_models_in_order() -> None:
    assert [spec.head_of for spec in plan(models=("a=x", "b=y"), heads_of=("head_dist", "-")).models] == [
        "head_dist",
        "",
    ]


def test_the_papers_classifiers_are_tags_that_timm_has_weights_for() -> None:
    made = plan(models=(), preset="paper", heads=("dino.pth",))
    assert len(made.models) == 13
    assert made.remarks == ()
    for spec in made.models:
        assert timm.is_model_pretrained(spec.spec), spec
        classes = timm.get_pretrained_cfg(spec.spec).num_classes
        assert classes == (0 if spec.head else 1000), spec
        assert spec.spec.count(".") == 1, "a tag, so that timm's next default changes nothing"
    assert [spec.name for spec in made.models if spec.head] == ["DINOv2-L"]
    notes = {spec.name: spec.note for spec in made.models if spec.note}
    assert "vit_large_patch16_224, supervised, not DINO" in notes["DinoViT-supervised"]
    assert set(notes) == {"DinoViT-supervised", "DINOv2-L", "EfficientNet-B0"}


def test_without_a_head_the_preset_leaves_dinov2_out_and_says_so() -> None:
    made = plan(models=("mine=resnet18",), preset="paper", weights=("w.pt",))
    assert [spec.name for spec in made.models][-2:] == ["DinoViT-supervised", "mine"]
    assert len(made.models) == 13
    assert "DINOv2-L" not in [spec.name for spec in made.models]
    (remark,) = made.remarks
    assert remark.startswith(
        "--preset paper: DINOv2-L is left out, timm has its backbone without a head; add --head FILE"
    )
    assert "\n" not in remark


def test_the_presets_head_stands_before_those_of_the_models() -> None:
    made = plan(models=("mine=resnet18",), preset="paper", heads=("dino.pth", "mine.pt"))
    heads = {spec.name: spec.head for spec in made.models if spec.head}
    assert heads == {"DINOv2-L": Path("dino.pth"), "mine": Path("mine.pt")}
    assert {spec.name: spec.head for spec in plan(models=("mine=resnet18",), preset="paper", heads=("m.pt",)).models}[
        "mine"
    ] == Path("m.pt")


def test_without_images_a_plan_of_timm_models_leaves_them_open() -> None:
    assert plan(images=None).images is None
    assert plan(images="val", labels="val.txt").labels == Path("val.txt")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"images": None, **STORED},
            r"--images is missing: a folder with .*, tar shards, or -; --image-embeddings are used together",
        ),
        (
            {"images": "", "models": ("resnet50", "mine=nets:small")},
            r"--images is missing: .*Without it Imagenette is used, for ImageNet models of timm, not for mine$",
        ),
        ({"images": None, "labels": "val.txt"}, r"--labels names the classes .*: give it with --images FOLDER$"),
        (
            {"models": ("a", "b"), "heads": ("h",)},
            r"2 --model but 1 --head: give one for each, in order, '-' for a head of its own$",
        ),
        (
            {"models": ("a",), "heads": ("g", "h", "i"), "preset": "paper"},
            r"1 --model but 3 --head: .*, or 2 with that of DINOv2-L first$",
        ),
        ({"models": ("ResNet50=x",), "preset": "paper"}, r"two models are named 'ResNet50'"),
        (
            {"models": ("a", "b"), "weights": ("w",)},
            r"2 --model but 1 --weights: give one for each, in order, '-' for its",
        ),
        ({"weights": ("v", "w")}, r"1 --model but 2 --weights"),
        (
            {"clip": "ViT-B-32/openai", **STORED},
            r"--clip and stored embeddings exclude each other: two CLIP spaces never",
        ),
        ({"clip": "ViT-B-32/openai", "class_embeddings": "k"}, r"--clip and stored embeddings exclude each other"),
        ({"image_embeddings": "i"}, r"--image-embeddings and --concept-embeddings are both needed"),
        ({"concept_embeddings": "c"}, r"--image-embeddings and --concept-embeddings are both needed"),
        ({"class_embeddings": "k"}, r"--image-embeddings and --concept-embeddings are both needed"),
        (
            {**STORED, "templates": ("a {}",)},
            r"--template needs a CLIP text tower; stored --class-embeddings are used as",
        ),
        ({"templates": ("a {}", "a cat")}, r"--template 'a cat' has no \{\} for the class name"),
        ({"models": ("=x",)}, r"--model '=x': write NAME=SPEC or SPEC"),
        ({"models": ("m:net", "n:net")}, r"two models are named 'net': name one of them with --model NAME=net"),
        ({"models": ("a=x", "b=y", "a=z")}, r"two models are named 'a': name one of them"),
        ({"ridge": 0.0}, r"--lambda 0.0: the penalty must be above 0 and finite"),
        ({"ridge": -1.0}, r"--lambda -1.0: the penalty must be above 0"),
        ({"ridge": float("nan")}, r"--lambda nan: the penalty must be above 0"),
        ({"ridge": float("inf")}, r"--lambda inf: the penalty must be above 0 and finite"),
        ({"output": "."}, r"-o \.: this is a folder; give the name of a file, e.g. results.h5"),
        ({"device": "banana"}, r"--device banana: not usable here \(.+\); try --device cpu"),
        ({"device": "cuda:99"}, r"--device cuda:99: not usable here \(.+\); try --device cpu"),
    ],
)
def test_options_that_do_not_go_together_are_refused_with_the_way_out(options: dict[str, Any], message: str) -> None:
    with pytest.raises(SingError, match=f"^(stored embeddings: )?{message}") as caught:
        plan(**options)
    assert "\n" not in str(caught.value)


def test_an_output_that_is_a_folder_is_refused_with_a_file_in_it(tmp_path: Path) -> None:
    with pytest.raises(SingError, match=f"this is a folder; give the name of a file, e.g. {tmp_path}/results.h5$"):
        plan(output=str(tmp_path))


def test_a_precision_that_the_device_does_not_have_is_refused() -> None:
    assert plan().precision == "auto"
    assert plan(precision="bfloat16").precision == "bfloat16"
    with pytest.raises(SingError, match=r"^--precision tfloat32: cpu has auto, float32, bfloat16$"):
        plan(precision="tfloat32")


def test_the_command_offers_every_precision() -> None:
    (option,) = (option for option in cli.params if option.name == "precision")
    assert tuple(option.type.choices) == (AUTO, *PRECISIONS)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("device", "cores", "beside", "expected"),
    [
        ("cpu", 2, 1, 1),
        ("cpu", 64, 1, 16),
        ("cpu", 128, 1, 16),
        ("cpu", 64, 8, 2),
        ("cuda", 96, 8, 12),
        ("cuda", 64, 1, 16),
        ("cuda", 4, 8, 1),
    ],
)
def test_workers_follow_from_the_cores_of_a_process(
    monkeypatch: pytest.MonkeyPatch, device: str, cores: int, beside: int, expected: int
) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda process: set(range(cores)))
    monkeypatch.setenv("LOCAL_WORLD_SIZE", str(beside))
    assert default_workers(torch.device(device)) == expected
