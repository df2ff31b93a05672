"""Hubs that do not answer: quickly, in one line, and with whatever lies in their cache."""

import json
import logging
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import huggingface_hub
import huggingface_hub.constants as constants
import pytest
import timm
import torch
from huggingface_hub.errors import LocalEntryNotFoundError
from safetensors.torch import save_file

from sing_compute import hubs
from sing_compute.concepts.open_clip_space import OpenClipSpace
from sing_compute.errors import ConceptsError, WeightsError
from sing_compute.models.classifier import load_classifier
from sing_compute.models.spec import ModelSpec


@pytest.fixture(autouse=True)
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """A machine of its own: an empty cache, a hub at a port where nobody listens, nothing known of it yet."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{port}")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    ask = hubs.why_unreachable
    ask.cache_clear()
    yield tmp_path / "hub"
    ask.cache_clear()
    huggingface_hub.close_session()


def cached(cache: Path, repository: str, files: dict[str, bytes]) -> None:
    """Files in the hub's own cache, as a download leaves them."""
    folder = cache / f"models--{repository.replace('/', '--')}"
    (folder / "refs").mkdir(parents=True)
    (folder / "refs" / "main").write_text("0" * 40)
    snapshot = folder / "snapshots" / ("0" * 40)
    snapshot.mkdir(parents=True)
    for name, content in files.items():
        (snapshot / name).write_bytes(content)


def weights_of(network: torch.nn.Module, folder: Path) -> bytes:
    save_file({name: tensor.contiguous() for name, tensor in network.state_dict().items()}, folder / "w.safetensors")
    return (folder / "w.safetensors").read_bytes()


def test_a_timm_name_without_a_hub_is_one_line_without_a_wait(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)  # between the hub's own retries
    for name in ("test_resnet", "hf-hub:timm/test_resnet.r160_in1k"):
        with pytest.raises(WeightsError) as caught:
            load_classifier(ModelSpec.parse(name))
        message = str(caught.value)
        assert message.startswith(f"cannot get the weights of {name} (127.0.0.1 cannot be reached: ")
        assert "and it is not in the cache" in message
        assert message.endswith(
            "Ways out: --weights FILE, --model local-dir:FOLDER, a cache filled elsewhere "
            "(HF_HOME=FOLDER HF_HUB_OFFLINE=1), a mirror (HF_ENDPOINT=URL)"
        )
        assert "\n" not in message
    assert waits == []
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", ["ViT-B-32/openai", "RN50/cc12m", "hf-hub:laion/CLIP-ViT-B-32-laion2B-s34B-b79K"])
def test_a_clip_name_without_a_hub_is_one_line(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(
        ConceptsError,
        match=rf"^cannot get --clip {name} \(127.0.0.1 cannot be reached: .+\)\. Ways out: --clip local-dir",
    ) as caught:
        OpenClipSpace(name)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("offline", [False, True])
def test_cached_weights_are_used_without_a_hub(
    offline: bool, hub: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", offline)
    network = timm.create_model("test_resnet")
    cached(hub, "timm/test_resnet.r160_in1k", {"model.safetensors": weights_of(network, tmp_path)})
    classifier = load_classifier(ModelSpec.parse("test_resnet"))
    assert torch.equal(classifier.network.fc.weight, network.fc.weight)
    assert classifier.provenance["tag"] == "test_resnet.r160_in1k"
    assert classifier.provenance["origin"] == "timm/test_resnet.r160_in1k"
    assert constants.HF_HUB_OFFLINE is offline


def test_what_the_cache_lacks_is_told_when_the_user_is_offline_by_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(hubs, "why_unreachable", lambda: pytest.fail("nobody is asked"))
    with pytest.raises(WeightsError, match=r"\(HF_HUB_OFFLINE is set, and it is not in the cache /.*hub\)\. Ways out"):
        load_classifier(ModelSpec.parse("test_resnet"))
    with pytest.raises(ConceptsError, match=r"\(HF_HUB_OFFLINE is set, and it is not in the cache /.*hub\)\. Ways out"):
        OpenClipSpace("ViT-B-32/openai")


def test_a_hub_that_swallows_packets_costs_no_more_than_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:  # accepts, and never says a word
        monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{server.getsockname()[1]}")
        monkeypatch.setattr(hubs, "SECONDS", 0.3)
        assert hubs.why_unreachable()


def test_a_name_server_that_is_silent_costs_no_more_than_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    over, answered = threading.Event(), []

    class Session:
        def head(self, url: str, timeout: float) -> None:
            answered.append(over.wait(60))

    monkeypatch.setattr(huggingface_hub, "get_session", Session)
    monkeypatch.setattr(hubs, "SECONDS", 0.2)
    assert hubs.why_unreachable() == "no answer within 0 s"
    assert not answered
    over.set()


def test_a_hub_that_answers_is_asked_once_and_used(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    class Session:
        def head(self, url: str, timeout: float) -> None:
            asked.append((url, timeout))

    monkeypatch.setattr(huggingface_hub, "get_session", Session)
    for _ in range(2):
        with hubs.hub_access():
            assert constants.HF_HUB_OFFLINE is False
    assert asked == [(constants.ENDPOINT, hubs.SECONDS)]


def test_settings_are_as_before_after_a_failure() -> None:
    def settings() -> tuple[object, ...]:
        return constants.HF_HUB_OFFLINE, logging.root.manager.disable, socket.getdefaulttimeout()

    before = settings()

    def fail() -> None:
        with hubs.hub_access():
            assert settings() == (True, logging.ERROR, hubs.SECONDS)
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert settings() == before


def test_folders_files_and_slips_of_the_pen_ask_nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(hubs, "why_unreachable", lambda: pytest.fail("nobody is asked"))
    (tmp_path / "open_clip_config.json").write_text(json.dumps({"model_cfg": {}, "preprocess_cfg": {}}))
    (tmp_path / "w.pt").touch()
    for spec in ("local-dir:/nope", "resnet5O", "resnet50.nope", "efficientnet_b0_g8_gn"):
        with pytest.raises(Exception, match=r"nope|unknown model|No pretrained weights"):
            load_classifier(ModelSpec.parse(spec))
    for clip in (f"local-dir:{tmp_path}", f"ViT-B-32/{tmp_path}/w.pt"):
        with pytest.raises(ConceptsError):
            OpenClipSpace(clip)


def test_only_a_missing_connection_counts_as_one() -> None:
    assert hubs.connection_problem(ValueError("size mismatch")) == ""
    assert hubs.connection_problem(TimeoutError("timed out")) == "timed out"
    deep = RuntimeError("outer")
    deep.__cause__ = LocalEntryNotFoundError("not there")
    assert "cannot be reached" in hubs.connection_problem(deep)
