"""Null space rules and translators from elsewhere, as users ask for them."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from ended_commands import Ended
from small_run import make_inputs

from sing_compute.store import Store
from sing_compute.translator.ridge import AffineTranslator
from sing_compute.translator.translator_file import save_translator

CLIP = "ViT-B-32/openai"
Compute = Callable[..., Ended]


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    folder = tmp_path_factory.mktemp("translators")
    return folder, make_inputs(folder, images=120)


@pytest.fixture
def compute(
    inputs: tuple[Path, list[str]], monkeypatch: pytest.MonkeyPatch, command: Callable[..., Ended]
) -> Iterator[Compute]:
    """The command, run in the folder of the inputs and in this process."""
    monkeypatch.chdir(inputs[0])
    monkeypatch.syspath_prepend(inputs[0])
    yield lambda *options, output: command(*inputs[1], *options, "-o", output) if output else command(*options)
    sys.modules.pop("slow_net", None)


def translator() -> AffineTranslator:
    rng = np.random.default_rng(3)
    return AffineTranslator(torch.from_numpy(rng.normal(size=(16, 32))), torch.from_numpy(rng.normal(size=16)))


def test_an_approximate_null_space_is_larger_and_its_cost_is_shown(
    inputs: tuple[Path, list[str]], compute: Compute
) -> None:
    ended = compute("--null-space", "tol=0.6", output="tol.h5")
    assert ended.code == 0, ended.err
    with Store(inputs[0] / "tol.h5") as store:
        summary = store.summary("slow")
        assert summary["nullity"] > 28
        assert summary["logit_change_max"] > 0.01
        assert store.attributes("models/slow")["null_space"] == "tol=0.6"
        names = list(store.array("models/slow/variants/name"))
        nullity, changes = (store.array(f"models/slow/variants/{name}") for name in ("nullity", "logit_change_mean"))
    assert names == ["numerical", "tol=0.001", "tol=0.01", "energy=0.9999", "energy=0.99", "softmax"]
    assert nullity[0] == 28
    assert nullity[names.index("softmax")] == 29
    assert (changes < 1e-5)[[0, names.index("softmax")]].all()


def test_a_rule_that_is_none_is_refused(inputs: tuple[Path, list[str]], compute: Compute) -> None:
    message = compute("--null-space", "some", output="no.h5").error
    assert not (inputs[0] / "no.h5").exists()
    assert message == "--null-space 'some' is no null space: numerical, tol=1e-2 or energy=0.99 (between 0 and 1)"


def test_a_translator_from_elsewhere_scores_every_image(inputs: tuple[Path, list[str]], compute: Compute) -> None:
    given = translator()
    save_translator(inputs[0] / "mine.safetensors", given, model="slow", clip=CLIP, images=9)
    ended = compute("--translator", "mine.safetensors", output="given.h5")
    assert ended.code == 0, ended.err
    assert f"slow: translator from mine.safetensors, into {CLIP}" in ended.err
    with Store(inputs[0] / "given.h5") as store:
        base = "models/slow/"
        np.testing.assert_array_equal(store.array(base + "translator/weight"), given.weight.numpy())
        features = store.array(base + "features/value").astype(float)
        null = np.linalg.svd(store.array(base + "head/weight"))[2][4:]
        before, after = (
            part @ given.weight.numpy().T + given.bias.numpy()
            for part in (features, features - features @ null.T @ null)
        )
        cosine = (before * after).sum(1) / np.linalg.norm(before, axis=1) / np.linalg.norm(after, axis=1)
        np.testing.assert_allclose(store.array(base + "images/image_score"), np.degrees(np.arccos(cosine)), atol=1e-3)
        assert np.isnan(store.summary("slow")["lambda"])
        assert np.isnan(store.array(base + "bootstrap/value")[[0, 2]]).all()
        assert np.isfinite(store.array(base + "bootstrap/images_interval")[1, 0]).all()
        assert store.attributes("models/slow")["translator_file"] == "mine.safetensors"
    checked = compute("verify", "given.h5", output="")
    assert checked.code == 0, checked.out


@pytest.mark.parametrize(
    ("clip", "options", "message"),
    [
        ("ViT-L-14/openai", ["--translator", "t.safetensors"],
         f"t.safetensors: leads into the CLIP space ViT-L-14/openai, this run's is {CLIP}: give --clip ViT-L-14/openai"),
        (CLIP, ["--translator", "ViT-L-14/openai=t.safetensors"],
         f"t.safetensors: leads into the CLIP space {CLIP}, but ViT-L-14/openai was asked for; they must be one"),
        (CLIP, ["--translator", "t.safetensors", "--translator", "-"],
         "1 models but 2 --translator: give one for each, in order, '-' to have it fitted"),
        (CLIP, ["--translator", "t.safetensors", "--lambda", "1"],
         "--translator brings a translator that is fitted already: leave --lambda and --compare-translators out"),
        (CLIP, ["--translator", "absent.safetensors"], "absent.safetensors: no such file; give a translator's file"),
    ],
)  # fmt: skip
def test_translators_of_another_space_or_place_are_refused(
    inputs: tuple[Path, list[str]], compute: Compute, clip: str, options: list[str], message: str
) -> None:
    save_translator(inputs[0] / "t.safetensors", translator(), model="slow", clip=clip, images=9)
    assert compute(*options, output="no.h5").error == message
    assert not (inputs[0] / "no.h5").exists()


def test_translators_are_compared_on_one_fold_that_none_of_them_saw(
    inputs: tuple[Path, list[str]], compute: Compute
) -> None:
    ended = compute("--compare-translators", output="table2.h5")
    assert ended.code == 0, ended.err
    with Store(inputs[0] / "table2.h5") as store:
        kinds = list(store.array("models/slow/translators/kind"))
        images, parameters = (store.array(f"models/slow/translators/{name}") for name in ("images", "parameters"))
    assert kinds == ["mean embedding", "linear", "3layer", "residual", "4layer"]
    assert 0 < images[0] < 60
    assert len(set(images)) == 1
    assert parameters[:2].tolist() == [16, 16 * 33]
