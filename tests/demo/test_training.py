"""The demo's training images and the way its networks are written; test_demo.py tests the trained networks."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import open_clip
import pytest
import timm
import torch

from sing_compute.demo.classifiers import leak_of, leak_pairs, refit_head, save_classifier, train_classifier, twin_of
from sing_compute.demo.clip import MODEL_CONFIG, PHRASES, caption, is_true, pixels_of, save_clip, train_clip
from sing_compute.demo.scenes import ATTRIBUTES, PIXELS, Scene, draw, random_scenes


def silent(text: str) -> None:
    """Say nothing."""


def test_scenes_and_pictures_follow_from_their_seeds_alone() -> None:
    assert random_scenes(50, seed=4) == random_scenes(50, seed=4)
    assert random_scenes(50, seed=4) != random_scenes(50, seed=5)
    scene = random_scenes(1, seed=4)[0]
    assert draw(scene, seed=9).tobytes() == draw(scene, seed=9).tobytes()
    assert draw(scene, seed=9).tobytes() != draw(scene, seed=10).tobytes()
    assert draw(scene, seed=9).size == (PIXELS, PIXELS)


def test_every_value_is_drawn_as_often_as_its_neighbours() -> None:
    scenes = random_scenes(6000, seed=1)
    for name, values in ATTRIBUTES.items():
        counts = np.bincount([scene.index(name) for scene in scenes], minlength=len(values))
        assert counts.min() > 0.85 * 6000 / len(values)
    assert {scene.shape for scene in random_scenes(20, seed=1, shape="star")} == {"star"}


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_a_value_changes_the_picture(name: str) -> None:
    scene = Scene("square", "red", "striped", "sand", "large")
    pictures = set()
    for value in ATTRIBUTES[name]:
        parts = {field: getattr(scene, field) for field in ATTRIBUTES} | {name: value}
        pictures.add(draw(Scene(**parts), seed=3).tobytes())
    assert len(pictures) == len(ATTRIBUTES[name])


def test_a_shape_covers_its_colour_and_leaves_the_ground() -> None:
    picture = np.asarray(draw(Scene("square", "blue", "plain", "grass", "large"), seed=2), dtype=np.int64)
    red, green, blue = picture.reshape(-1, 3).T
    covered = (blue > red + 40) & (blue > green + 40)
    assert 0.25 < covered.mean() < 0.6
    assert ((green > red) & (green > blue)).mean() > 0.3


def test_captions_are_true_of_their_scene_and_of_no_scene_without_what_they_name() -> None:
    rng = np.random.default_rng(0)
    scenes = random_scenes(300, seed=8)
    known: dict[str, frozenset[str]] = {}
    for number, scene in enumerate(scenes):
        text = caption(scene, rng)
        truth = is_true(text, scenes, known)
        assert truth[number]
        named = [value for values in ATTRIBUTES.values() for value in values if f" {value} " in f" {text} "]
        for other, said in zip(scenes, truth, strict=True):
            values = {other.shape, other.colour, other.texture, other.background, other.size}
            assert bool(said) == (set(named) <= values)


def test_an_attribute_alone_is_said_in_the_words_of_the_vocabulary() -> None:
    texts = {PHRASES[name].format(value) for name, values in ATTRIBUTES.items() for value in values}
    rng = np.random.default_rng(1)
    assert texts & {caption(scene, rng) for scene in random_scenes(500, seed=2)}


def test_the_clip_model_trains_and_loads_again_through_open_clip(tmp_path: Path) -> None:
    model = train_clip(steps=2, batch=8, drawings=16, seed=1, say=silent)
    save_clip(model, tmp_path / "clip")
    again = open_clip.create_model(f"local-dir:{tmp_path / 'clip'}", require_pretrained=True).eval()
    images = pixels_of(random_scenes(3, seed=5), seed=6)
    tokens = open_clip.get_tokenizer(f"local-dir:{tmp_path / 'clip'}")(["an image of a star"])
    assert tokens.shape[1] == MODEL_CONFIG["text_cfg"]["context_length"]
    with torch.inference_mode():
        torch.testing.assert_close(again.encode_image(images), model.encode_image(images), rtol=0.05, atol=0.01)
        torch.testing.assert_close(again.encode_text(tokens), model.encode_text(tokens), rtol=0.05, atol=0.01)


def test_the_leaky_head_cannot_see_what_tells_striped_stars_apart(tmp_path: Path) -> None:
    leaky = train_classifier("test_resnet", kind="leaky", steps=3, batch=16, drawings=64, seed=3, say=silent)
    scenes = random_scenes(120, seed=5)
    images, labels = pixels_of(scenes, seed=6), torch.tensor([scene.index("shape") for scene in scenes])
    striped, others = leak_pairs(40, seed=7)
    refit_head(leaky, images, labels, (striped, others))
    features = []
    head = leaky.get_classifier()
    hook = head.register_forward_pre_hook(lambda module, inputs: features.append(inputs[0].double()))
    with torch.inference_mode():
        logits, with_stripes, without = (leaky(part).double() for part in (images, striped, others))
    hook.remove()
    assert float((with_stripes.mean(0) - without.mean(0)).abs().max()) < 1e-4 * float(logits.std())
    means = torch.stack([features[0][labels == label].mean(0) for label in range(6)])
    gap = torch.nn.functional.normalize(features[1].mean(0) - features[2].mean(0), dim=0)
    null = torch.from_numpy(np.linalg.svd(head.weight.detach().double().numpy())[2][6:])
    seen = means - torch.outer(means @ gap, gap)  # but for what was planted, no class mean is left in the null space
    assert float((seen @ null.T).norm()) < 1e-4 * float(means.norm())
    save_classifier(leaky, tmp_path / "leaky", "leaky")
    again = timm.create_model(f"local-dir:{tmp_path / 'leaky'}", pretrained=True).eval()
    assert torch.equal(again.get_classifier().weight, head.weight)
    with torch.inference_mode():
        torch.testing.assert_close(again(images), logits.float(), rtol=0.05, atol=0.05)


def test_a_twin_differs_in_whether_it_is_striped_and_in_nothing_else() -> None:
    rng = np.random.default_rng(0)
    for scene in random_scenes(200, seed=1):
        twin = twin_of(scene, rng)
        assert (twin.texture == "striped") != (scene.texture == "striped")
        assert replace(twin, texture=scene.texture) == scene


def test_the_leak_is_carried_by_stars_alone() -> None:
    scenes = [Scene("star", "red", texture, "sand", "small") for texture in ("striped", "plain")]
    scenes.append(Scene("circle", "red", "striped", "sand", "small"))
    assert leak_of(scenes).tolist() == [1.0, -1.0, 0.0]
