import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import Tensor, nn

from sing_compute.errors import HeadError
from sing_compute.models.head import FeatureTap, find_head, head_parameters

CLASSES, DIM = 5, 12


class Net(nn.Module):
    """A convolution and a head; what becomes of them is each test's matter."""

    def __init__(self, forward: Callable[["Net", Tensor], object] | None = None, head: nn.Module | None = None) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.stem = nn.Conv2d(3, DIM, 3)
        self.head = head if head is not None else nn.Linear(DIM, CLASSES)
        self.other = nn.Linear(DIM, CLASSES)
        self.wide = nn.Linear(DIM, CLASSES + 2)
        self._forward = forward

    def maps(self, images: Tensor) -> Tensor:
        return self.stem(images).relu()

    def features(self, images: Tensor) -> Tensor:
        return self.maps(images).mean(dim=(2, 3))

    def forward(self, images: Tensor) -> object:
        return self.head(self.features(images)) if self._forward is None else self._forward(self, images)


def batch(count: int = 4) -> Tensor:
    return torch.randn(count, 3, 8, 8, generator=torch.Generator().manual_seed(1))


def tokens(net: Net, images: Tensor) -> Tensor:
    return net.maps(images).flatten(2).transpose(1, 2)


def runs_another_later(net: Net, images: Tensor) -> Tensor:
    logits = net.head(net.features(images))
    net.other(net.features(images))
    return logits


HEADED = {
    "Linear": Net(),
    "Linear without bias": Net(head=nn.Linear(DIM, CLASSES, bias=False)),
    "Linear called by keyword": Net(lambda net, x: net.head(input=net.features(x))),
    "1x1 convolution after pooling": Net(
        lambda net, x: net.head(net.maps(x).mean(dim=(2, 3), keepdim=True)).flatten(1), nn.Conv2d(DIM, CLASSES, 1)
    ),
    "1x1 convolution at every position, averaged": Net(
        lambda net, x: net.head(net.maps(x)).mean(dim=(2, 3)), nn.Conv2d(DIM, CLASSES, 1)
    ),
    "Linear at every token, averaged": Net(lambda net, x: net.head(tokens(net, x)).mean(dim=1)),
    "another Linear of its size runs later": Net(runs_another_later),
    "a grouped 1x1 convolution of its size runs later": Net(
        lambda net, x: (net.head(net.features(x)), net.grouped(x))[0],
    ),
    "a wider Linear runs later": Net(lambda net, x: (net.head(net.features(x)), net.wide(net.features(x)))[0]),
}
HEADED["a grouped 1x1 convolution of its size runs later"].grouped = nn.Sequential(
    nn.Conv2d(3, 2 * CLASSES, 3), nn.Conv2d(2 * CLASSES, CLASSES, 1, groups=CLASSES)
)


@pytest.mark.parametrize("kind", HEADED)
@torch.inference_mode()
def test_the_head_on_the_tapped_features_gives_the_networks_own_logits(kind: str) -> None:
    network = HEADED[kind].eval()
    name, head = find_head(network, batch())
    assert (name, head) == ("head", network.head)
    tap = FeatureTap(head)
    logits = network(batch(7))
    weight, bias = head_parameters(head)
    assert weight.shape == (CLASSES, DIM)
    assert torch.allclose(tap.take() @ weight.T + bias, logits, atol=1e-6)


@torch.inference_mode()
def test_the_feature_of_a_head_at_every_position_is_its_mean_input() -> None:
    network = HEADED["1x1 convolution at every position, averaged"]
    tap = FeatureTap(network.head)
    network(batch())
    assert torch.allclose(tap.take(), network.features(batch()), atol=1e-6)


@torch.inference_mode()
def test_features_are_float32_where_the_network_is_not() -> None:
    network = Net().bfloat16()
    tap = FeatureTap(network.head)
    network(batch().bfloat16())
    assert tap.take().dtype == torch.float32


@torch.inference_mode()
def test_features_can_be_taken_once_and_never_those_of_an_earlier_batch() -> None:
    network = Net()
    tap = FeatureTap(network.head)
    network(batch())
    tap.take()
    with pytest.raises(HeadError, match="the head was not reached in the last forward pass"):
        tap.take()


def test_two_threads_take_the_features_of_their_own_images() -> None:
    network = Net()
    tap = FeatureTap(network.head)
    both = threading.Barrier(2, timeout=20)

    def features(seed: int) -> bool:
        images = batch(seed)
        with torch.inference_mode():
            network(images)
            both.wait()  # neither takes before both have left theirs
            return torch.equal(tap.take(), network.features(images))

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(features, (1, 2))) == [True, True]


def test_finding_the_head_leaves_no_hook_behind() -> None:
    network = Net()
    find_head(network, batch())
    broken = Net(lambda net, x: net.head(x))
    with pytest.raises(RuntimeError):
        find_head(broken, batch())
    for module in [*network.modules(), *broken.modules()]:
        assert not module._forward_pre_hooks


def half_of_two(net: Net, images: Tensor) -> Tensor:
    return (net.head(net.features(images)) + net.other(net.features(images))) / 2


REFUSED: dict[str, tuple[Callable[[Net, Tensor], object], str]] = {
    "tuple": (lambda net, x: (net.head(net.features(x)), net.other(net.features(x))), r"returns a tuple of 2, not one"),
    "dict": (
        lambda net, x: {"scores": net.head(net.features(x))},
        r"returns a dict of 1, not one tensor of logits; wrap",
    ),
    "None": (lambda net, x: None, r"returns a NoneType, not one tensor"),
    "softmax": (
        lambda net, x: net.head(net.features(x)).softmax(1),
        r"no linear head gives Net's logits; nearest: head \(",
    ),
    "two heads": (
        half_of_two,
        r"nearest: other \(.* of the spread off\), head \(.*averages two heads or ends in a softmax",
    ),
    "no such layer": (lambda net, x: net.features(x), r"no Linear or 1x1 convolution has 12 outputs"),
    "logits per token": (
        lambda net, x: net.head(tokens(net, x)),
        r"tensor of shape \(4, 36, 5\); one row of logits per",
    ),
    "one row": (lambda net, x: net.head(net.features(x))[0], r"tensor of shape \(5,\); one row"),
    "one logit": (lambda net, x: net.head(net.features(x))[:, :1], r"returns one logit per image; one per class"),
    "not finite": (
        lambda net, x: net.head(net.features(x)) / 0,
        r"logits are not finite .* are these the right weights\?",
    ),
    "constant": (lambda net, x: 0 * net.head(net.features(x)), r"gives all classes the same logit; was its checkpoint"),
    "largest over positions": (lambda net, x: net.head(tokens(net, x)).amax(1), r"no linear head gives"),
    "positions masked": (lambda net, x: net.head(tokens(net, x))[:, :9].mean(1), r"no linear head gives"),
    # The tap keeps what reached the head last, so a head whose first run made the logits must not be accepted.
    "head that runs again": (
        lambda net, x: (net.head(net.features(x)), net.head(net.features(-x)))[0],
        r"no linear head",
    ),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_a_network_without_one_linear_head_is_refused_with_the_reason(kind: str) -> None:
    forward, message = REFUSED[kind]
    with pytest.raises(HeadError, match=message) as caught:
        find_head(Net(forward), batch())
    assert "\n" not in str(caught.value)
