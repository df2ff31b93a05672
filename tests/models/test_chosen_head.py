"""One head of a network with several: its own logits count, and the network's other answer is spoken of."""

from pathlib import Path

import pytest
import timm
import torch
import two_headed
from safetensors.torch import save_file
from torch import Tensor, nn

from sing_compute.errors import HeadError
from sing_compute.models.classifier import Classifier, load_classifier
from sing_compute.models.spec import ModelSpec

WARNING = (
    "predictions, accuracy and scores are those of its head {} (--head-of); the network's own answer is another, because it "
    "has several heads"
)


def loaded(factory: str, head_of: str) -> Classifier:
    return load_classifier(ModelSpec("net", f"two_headed:{factory}", head_of=head_of))


def images(side: int = two_headed.SIDE, count: int = 4) -> Tensor:
    return torch.randn(count, 3, side, side, generator=torch.Generator().manual_seed(1))


def check_against(classifier: Classifier, batch: Tensor, logits: Tensor, features: Tensor) -> None:
    """Compare features, head and logits with those of an independent pass in float64."""
    classifier.attach(batch)
    with torch.inference_mode():
        found, answer = classifier(batch)
    weight, bias = classifier.head
    spread = float(logits.amax() - logits.amin())
    assert (answer - logits).abs().max() < 1e-5 * spread
    assert (found - features).abs().max() < 1e-4 * features.abs().max()
    assert (found.double() @ weight.double().T + bias.double() - logits).abs().max() < 1e-5 * spread


def distilled_reference(network: nn.Module, batch: Tensor) -> tuple[dict[str, Tensor], dict[str, Tensor], Tensor]:
    """Logits and features of both heads of a distilled DeiT in float64, and its own answer, by its documented formula."""
    network = network.double().eval()
    with torch.inference_mode():
        tokens = network.forward_features(batch.double())
        features = {"head": tokens[:, 0], "head_dist": tokens[:, 1]}
        logits = {name: feature @ getattr(network, name).weight.T + getattr(network, name).bias
                  for name, feature in features.items()}  # fmt: skip
        own = network(batch.double())
    assert torch.allclose(own, (logits["head"] + logits["head_dist"]) / 2)
    return logits, features, own


@pytest.mark.parametrize("name", ["head", "head_dist"])
def test_a_head_of_a_distilled_network_gives_its_own_logits(name: str) -> None:
    logits, features, own = distilled_reference(two_headed.distilled(), images())
    assert (own - logits[name]).abs().max() > 0.1
    classifier = loaded("distilled", name)
    check_against(classifier, images(), logits[name], features[name])
    assert classifier.provenance["head"] == classifier.provenance["head_of"] == name
    assert classifier.warnings == [WARNING.format(name)]


def test_timms_own_distilled_network_by_name_with_weights_from_a_file(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = timm.create_model("deit_tiny_distilled_patch16_224")
    for head in (network.head, network.head_dist):
        nn.init.normal_(head.weight, std=0.05)
    save_file(network.state_dict(), tmp_path / "deit.safetensors")
    spec = ModelSpec("net", "deit_tiny_distilled_patch16_224", tmp_path / "deit.safetensors", head_of="head_dist")
    classifier = load_classifier(spec)
    assert set(classifier.network.state_dict()) == set(network.state_dict())
    logits, features, _ = distilled_reference(network, images(224, 2))
    check_against(classifier, images(224, 2), logits["head_dist"], features["head_dist"])
    assert classifier.labels is not None


@pytest.mark.parametrize("name", ["head", "head_dist"])
def test_a_head_with_a_norm_of_its_own_is_chosen_by_the_name_of_the_whole(name: str) -> None:
    torch.manual_seed(0)
    network = timm.create_model("levit_128s", num_classes=5).eval()
    batch = images(224, 2)
    network(batch)
    reference = timm.create_model("levit_128s", num_classes=5).double().eval()
    reference.load_state_dict(network.state_dict())
    with torch.inference_mode():
        pooled = reference.forward_features(batch.double()).mean(dim=1)
        head = getattr(reference, name)
        features = head.bn(pooled)
        logits = head(pooled)
    from sing_compute.models.chosen_head import choose_head

    chosen = choose_head(network, ModelSpec("net", "levit_128s", head_of=name), 5)
    classifier = Classifier("net", network, two_headed.TRANSFORM, {}, chosen_head=chosen)
    check_against(classifier, batch, logits, features)
    assert classifier.provenance["head"] == f"{name}.linear"


def test_a_network_that_returns_both_answers_is_taken_by_one() -> None:
    classifier, network = loaded("pair", "right"), two_headed.pair().double().eval()
    with torch.inference_mode():
        features = network.body(images().double())
        check_against(classifier, images(), network(images().double())[1], features)
    assert classifier.warnings == [WARNING.format("right")]


def test_a_head_whose_answer_is_the_networks_own_is_not_warned_of() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(12, 8), nn.ReLU(), nn.Linear(8, 3))
    from sing_compute.models.chosen_head import choose_head

    classifier = Classifier("net", network, two_headed.TRANSFORM, {})
    classifier.chosen_head = choose_head(network, ModelSpec("net", "x", head_of="3"), 3)
    classifier.attach(torch.randn(4, 3, 2, 2))
    assert (classifier.provenance["head"], classifier.warnings) == ("3", [])


@pytest.mark.parametrize(
    ("factory", "name", "message"),
    [
        (
            "distilled",
            "head_dst",
            r"^net: --head-of head_dst: it has no layer of this name; its linear layers: head_dist, head, blocks.1.mlp.fc2, ",
        ),
        ("distilled", "blocks.0.mlp", r"this layer gives 24 values per image, the network 3 logits; its linear layers of 3 "
         r"outputs: head_dist, head$"),
        ("pair", "unused", r"^net: --head-of unused: this layer does not run for an image; its linear layers: unused, right"),
        ("distilled", "norm", r"this layer gives 24 values per image, the network 3 logits"),
    ],
)  # fmt: skip
def test_a_layer_that_cannot_be_the_head_is_refused_with_those_that_can(factory: str, name: str, message: str) -> None:
    with pytest.raises(HeadError, match=message) as caught:
        loaded(factory, name).attach(images())
    assert "\n" not in str(caught.value)


def test_without_a_choice_the_message_names_the_option() -> None:
    with pytest.raises(
        HeadError, match=r"nearest: head_dist .*, head .*averages two heads .* choose a head with --head-of"
    ):
        loaded("distilled", "").attach(images())
