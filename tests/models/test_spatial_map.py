"""The last map before the pooling of planted networks is found, described and kept as an independent hook sees it."""

import pytest
import torch
from torch import Tensor, nn

from sing_compute.errors import HeadError
from sing_compute.models.classifier import Classifier
from sing_compute.models.spatial_map import SpatialMap, even_positions

CLASSES, DIM, SIDE = 5, 12, 4


def batch(count: int = 4, seed: int = 1) -> Tensor:
    return torch.randn(count, 3, 2 * SIDE, 2 * SIDE, generator=torch.Generator().manual_seed(seed))


class Planted(nn.Module):
    """A stem that gives a map of SIDE x SIDE positions, one module `last` before the pooling, and a head."""

    def __init__(self, dim: int = DIM) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.stem = nn.Conv2d(3, DIM, 2, stride=2)
        self.last = nn.ReLU()
        self.head = nn.Linear(dim, CLASSES)

    def map(self, images: Tensor) -> Tensor:
        return self.last(self.stem(images))


class Mean(Planted):
    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.map(images).mean(dim=(2, 3)))


class Maximum(Planted):
    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.map(images).amax(dim=(2, 3)))


class MeanAndNorm(Planted):
    """Further layers follow the pooling, as in ConvNeXt."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(DIM)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.norm(self.map(images).mean(dim=(2, 3))))


class Flattened(Planted):
    def __init__(self) -> None:
        super().__init__(DIM * SIDE * SIDE)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.map(images).flatten(1))


class LastAxis(Planted):
    """Channels are the last axis, as in timm's Swin."""

    def map(self, images: Tensor) -> Tensor:
        return self.last(self.stem(images).permute(0, 2, 3, 1))

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.map(images).mean(dim=(1, 2)))


class InPlace(Planted):
    """A layer behind the map overwrites it."""

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.map(images).mul_(3.0).mean(dim=(2, 3)))


class Shared(Planted):
    """One ReLU serves before and after the pooling, on maps of two sizes, and a branch that leads nowhere runs last."""

    def __init__(self) -> None:
        super().__init__()
        self.second, self.aside = nn.Conv2d(DIM, DIM, 1), nn.Conv2d(3, DIM, 2, stride=2)

    def map(self, images: Tensor) -> Tensor:
        return self.last(self.second(self.last(self.stem(images))))

    def forward(self, images: Tensor) -> Tensor:
        found = self.map(images)
        self.aside(images)
        return self.head(self.last(found.mean(dim=(2, 3))))


class HeadAtEveryPosition(Planted):
    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Conv2d(DIM, CLASSES, 1)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.map(images)).mean(dim=(2, 3))


class Vit(Planted):
    """Attention over tokens behind a class token and `registers`, then a norm; `pool` says what becomes of the tokens."""

    def __init__(self, pool: str, registers: int = 0, classes: int = 1) -> None:
        super().__init__(2 * DIM if pool == "both" else DIM)
        self.pool, self.first = pool, classes + registers
        self.prefix = nn.Parameter(torch.randn(1, self.first, DIM))
        self.mix, self.last, self.pooled_norm = (
            nn.Linear(SIDE * SIDE + self.first, SIDE * SIDE + self.first),
            nn.LayerNorm(DIM),
            nn.LayerNorm(DIM),
        )

    def map(self, images: Tensor) -> Tensor:
        tokens = torch.cat(
            [self.prefix.expand(len(images), -1, -1), self.stem(images).flatten(2).transpose(1, 2)], dim=1
        )
        return self.last(tokens + self.mix(tokens.transpose(1, 2)).transpose(1, 2))

    def forward(self, images: Tensor) -> Tensor:
        tokens = self.map(images)
        ways = {
            "class": lambda: tokens[:, 0],
            "class and norm": lambda: self.pooled_norm(tokens[:, 0].exp()),
            "mean": lambda: tokens.mean(1),
            "patches": lambda: tokens[:, self.first :].mean(1),
            "both": lambda: torch.cat([tokens[:, 0], tokens[:, self.first :].mean(1)], dim=1),
        }
        return self.head(ways[self.pool]())


NETWORKS = {
    "mean": (Mean(), "last", "nchw", "mean", 0),
    "maximum": (Maximum(), "last", "nchw", "maximum", 0),
    "mean, then a norm": (MeanAndNorm(), "last", "nchw", "mean, then the network's own layers", 0),
    "flattened": (Flattened(), "last", "nchw", "none: flattened", 0),
    "channels last": (LastAxis(), "last", "nhwc", "mean", 0),
    "overwritten": (InPlace(), "last", "nchw", "mean, then the network's own layers", 0),
    "one module in several places": (Shared(), "last", "nchw", "mean", 0),
    "head at every position": (HeadAtEveryPosition(), "head", "nchw", "by the head itself", 0),
    "class token": (Vit("class"), "last", "ntc", "class token", 1),
    "class token and registers": (Vit("class", registers=4), "last", "ntc", "class token", 5),
    "class token, then a norm": (Vit("class and norm"), "last", "ntc", "class token, then the network's own layers", 1),
    "mean of all tokens": (Vit("mean", classes=0), "last", "ntc", "mean", 0),
    "mean of the patches": (Vit("patches", registers=2), "last", "ntc", "mean patch token", 3),
    "class token beside the mean patch": (Vit("both"), "last", "ntc", "class token and mean patch token", 1),
}


@pytest.mark.parametrize("name", NETWORKS)
@torch.inference_mode()
def test_what_is_kept_is_what_a_hook_of_our_own_sees(name: str) -> None:
    network, module, layout, pooling, prefix = NETWORKS[name]
    classifier = Classifier("net", network.eval(), lambda image: image, {})
    classifier.attach(batch(), map_side=3)
    tap = classifier.map_tap
    assert tap is not None
    place = tap.place
    assert (place.module, place.layout, place.pooling, place.prefix) == (module, layout, pooling, prefix)
    assert place.of_input == (module == "head")
    assert (place.channels, place.grid, place.positions) == (DIM, (SIDE, SIDE), SIDE * SIDE)
    seen: list[Tensor] = []
    hook = network.last.register_forward_hook(lambda module, inputs, output: seen.append(output.clone()))
    for images in (batch(6, seed=2), batch(3, seed=3)):
        seen.clear()
        classifier(images)
        whole = next(each for each in reversed(seen) if each.ndim > 2)
        rows = whole.flatten(2).transpose(1, 2) if layout == "nchw" else whole.flatten(1, -2)[:, prefix:]
        assert torch.equal(tap.take(), rows[:, list(tap.positions)])
    hook.remove()
    rows, columns = {position // SIDE for position in tap.positions}, {position % SIDE for position in tap.positions}
    assert len(rows) == len(columns) == 3
    assert len(tap.positions) == 9


class Vectors(Planted):
    """Everything behind the first layer is a vector."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Linear(3 * 4 * SIDE * SIDE, DIM)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.body(images.flatten(1)).relu())


class Aside(Vectors):
    """A map of the right size is made, but the feature does not follow from it alone."""

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.body(images.flatten(1)) + self.map(images).mean(dim=(2, 3)))


class OnePosition(Planted):
    def __init__(self) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.stem = nn.Conv2d(3, DIM, 2 * SIDE)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.pool(self.map(images)).flatten(1))


class Narrower(Planted):
    """Layers behind the pooling change the number of channels, as in VGG."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.body = nn.Conv2d(3, 7, 2, stride=2), nn.Linear(7, DIM)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.body(self.map(images).mean(dim=(2, 3))))


@pytest.mark.parametrize("kind", [Vectors, Aside, OnePosition, Narrower])
def test_a_network_without_a_map_is_refused_by_its_name(kind: type[Planted]) -> None:
    classifier = Classifier("mynet", kind().eval(), lambda image: image, {})
    with pytest.raises(
        HeadError, match=r"^mynet: no spatial map of 12 channels, with two positions or more, .*--maps out"
    ):
        classifier.attach(batch(), map_side=7)


def test_a_feature_that_no_image_changes_is_refused() -> None:
    network = Mean().eval()
    with torch.no_grad():
        network.stem.weight.mul_(1e-9)
        network.stem.bias.copy_(torch.arange(DIM) + 1.0)
    with pytest.raises(HeadError, match="hardly depends on the image"):
        Classifier("net", network, lambda image: image, {}).attach(batch(), map_side=7)


def test_a_map_of_another_size_is_not_kept() -> None:
    classifier = Classifier("net", Mean().eval(), lambda image: image, {})
    classifier.attach(batch(), map_side=7)
    with torch.inference_mode():
        classifier(torch.randn(2, 3, 20, 20))
    with pytest.raises(HeadError, match="gave no map of 16 positions x 12 channels"):
        classifier.map_tap.take()


@pytest.mark.parametrize(
    ("grid", "side", "rows", "columns"),
    [
        ((7, 7), 7, range(7), range(7)),
        ((14, 14), 7, range(1, 14, 2), range(1, 14, 2)),
        ((3, 12), 4, range(3), (1, 4, 7, 10)),
        ((4, 4), 1, (2,), (2,)),
    ],
)
def test_positions_are_evenly_spread(grid: tuple[int, int], side: int, rows: range, columns: range) -> None:
    place = SpatialMap("layer4", False, "nchw", DIM, grid[0] * grid[1], grid, 0, "mean")
    assert even_positions(place, side) == tuple(row * grid[1] + column for row in rows for column in columns)


def test_positions_of_a_sequence_without_a_grid_are_evenly_spread() -> None:
    place = SpatialMap("norm", False, "ntc", DIM, 30, None, 0, "mean")
    assert even_positions(place, 2) == (3, 11, 18, 26)
