"""Networks and transforms as users bring them, for `--model user_networks:NAME`; images of 24 pixels, 6 classes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional
from torchvision import transforms
from torchvision.transforms import v2

SIDE, CLASSES = 24, 6
TO_TENSOR = transforms.Compose([transforms.ToTensor(), transforms.Normalize([0.5] * 3, [0.25] * 3)])
Factory = Callable[[], nn.Module]


class Small(nn.Module):
    """Convolutions, pooling, a linear head; the others change one part of it."""

    channels = 3

    def __init__(self) -> None:
        super().__init__()
        stem = nn.Conv2d(self.channels, 8, 3, 2)
        self.body = nn.Sequential(
            stem, nn.ReLU(), nn.Conv2d(8, 16, 3, 2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()
        )
        self.fc = nn.Linear(16, CLASSES)
        nn.init.normal_(self.fc.weight)

    def features(self, x: Tensor) -> Tensor:
        return self.body(x)

    def forward(self, x: Tensor) -> Any:
        return self.fc(self.features(x))


class Viewing(nn.Module):
    """Flattens by `view`, which fails for channels last."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.relu, self.fc = nn.Conv2d(3, 4, 5), nn.ReLU(), nn.Linear(4 * 20 * 20, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.relu(self.conv(x)).view(-1, 4 * 20 * 20))


class ViewingLast(nn.Module):
    """Flattens pixels by `view`, which fails for contiguous images."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(3 * SIDE * SIDE, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(x.permute(0, 2, 3, 1).view(len(x), -1))


class Reordering(nn.Module):
    """Reads memory as it is, so that the result depends on the memory format."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(3 * SIDE * SIDE, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(x.as_strided((len(x), 3 * SIDE * SIDE), (3 * SIDE * SIDE, 1)))


class Dropping(Small):
    def features(self, x: Tensor) -> Tensor:
        return functional.dropout(self.body(x), 0.5)


class Normalising(Small):
    """Batch statistics in evaluation."""

    def features(self, x: Tensor) -> Tensor:
        return functional.batch_norm(self.body(x), None, None, training=True)


class Centring(Small):
    """Subtracts the mean image of the batch: one image alone gives a result, but another one."""

    def features(self, x: Tensor) -> Tensor:
        return self.body(x - 0.5 * x.mean(dim=0))


class Squeezing(Small):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).squeeze()


class Drifting(Small):
    """Its running mean is updated in evaluation, too little to be seen in the logits of two passes."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(16))

    def features(self, x: Tensor) -> Tensor:
        found = self.body(x)
        self.mean = self.mean * (1 - 1e-6) + 1e-6 * found.mean(dim=0)
        return found - self.mean


class Counting(Small):
    """Counts its passes, which changes no result."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0
        self.register_buffer("passes", torch.zeros((), dtype=torch.int64))

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        self.passes = self.passes + 1
        return super().forward(x)


class StayingInTraining(Small):
    """Its own `train` leaves dropout on, as Monte Carlo dropout does."""

    def __init__(self) -> None:
        super().__init__()
        self.drop = nn.Dropout(1e-7)

    def train(self, mode: bool = True) -> "StayingInTraining":
        super().train(mode)
        self.drop.train()
        return self

    def features(self, x: Tensor) -> Tensor:
        return self.drop(self.body(x))


class InTraining(Small):
    """Dropout and batch norm, as the factory left them."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.drop = nn.BatchNorm1d(16), nn.Dropout(0.5)

    def features(self, x: Tensor) -> Tensor:
        return self.drop(self.norm(self.body(x)))


class WithTransformer(Small):
    """One of its layers is called `transform`."""

    def __init__(self) -> None:
        super().__init__()
        self.transform = nn.Sequential(nn.Conv2d(3, 3, 3, padding=1))

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(self.transform(x))


class NormalisingItself(Small):
    """Its layer `transform` is a step of torchvision's for tensors, which takes no image."""

    def __init__(self) -> None:
        super().__init__()
        self.transform = v2.Normalize([0.5] * 3, [0.25] * 3)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(self.transform(x))


class Lazy(Small):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.LazyLinear(CLASSES)


class Grey(Small):
    channels = 1


class Raising(Small):
    def forward(self, x: Tensor) -> Tensor:
        raise ValueError("the size must be 32\nmore about it")


@dataclass
class Output:
    logits: Tensor
    hidden: Tensor | None = None


class ObjectOutput(Small):
    def forward(self, x: Tensor) -> Output:
        return Output(super().forward(x))


class DictOutput(Small):
    def forward(self, x: Tensor) -> dict[str, Tensor | None]:
        return {"loss": None, "logits": super().forward(x)}


class OfBytes(Small):
    """Scales bytes itself."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward((x.float() / 255 - 0.5) / 0.25)


class Albumentations:
    """Takes arrays by name only."""

    def __call__(self, *arguments: object, image: Any = None) -> dict[str, Any]:
        if arguments:
            raise KeyError("You have to pass data to augmentations as named arguments")
        assert image.dtype == np.uint8
        return {"image": TO_TENSOR(Image.fromarray(image)).numpy().transpose(1, 2, 0)}


class Processed:
    """The result of a processor of Hugging Face."""

    def __init__(self, image: Image.Image) -> None:
        self.pixel_values = [TO_TENSOR(image).numpy()]


def raise_always(image: Image.Image) -> Tensor:
    raise LookupError("no such colour profile")


def raise_sometimes(image: Image.Image) -> Tensor:
    if image.getpixel((0, 0)) == (255, 0, 0):
        raise LookupError("red images are not supported")
    return TO_TENSOR(image)


def _made(kind: Callable[[], nn.Module], transform: Any = TO_TENSOR) -> Factory:
    def factory() -> nn.Module:
        torch.manual_seed(0)
        network = kind()
        if transform is not None:
            network.transform = transform
        return network

    return factory


small, viewing, viewing_last, reordering = _made(Small), _made(Viewing), _made(ViewingLast), _made(Reordering)
dropping, normalising, centring, squeezing = _made(Dropping), _made(Normalising), _made(Centring), _made(Squeezing)
drifting, counting, staying = _made(Drifting), _made(Counting), _made(StayingInTraining)
in_training, lazy, grey, raising = _made(InTraining), _made(Lazy), _made(Grey), _made(Raising)
object_output, dict_output = _made(ObjectOutput), _made(DictOutput)
transformer, normalising_itself = _made(WithTransformer, None), _made(NormalisingItself, None)
compiled = _made(lambda: torch.compile(Small()))
steps = (v2.ToImage(), v2.ToDtype(torch.float32, scale=True), v2.Normalize([0.5] * 3, [0.25] * 3))
preset, stepwise = _made(Small, v2.Compose(steps)), _made(Small, nn.Sequential(*steps))
half, brain_half, double = (
    _made(lambda: Small().half()),
    _made(lambda: Small().bfloat16()),
    _made(lambda: Small().double()),
)
wrapped = _made(lambda: nn.DataParallel(Small(), device_ids=[]))
four_axes = _made(Small, lambda image: TO_TENSOR(image)[None])
dictionary = _made(Small, lambda image: {"pixel_values": TO_TENSOR(image), "name": "x"})
processed, listed = _made(Small, Processed), _made(Small, lambda image: [TO_TENSOR(image)])
array = _made(Small, lambda image: TO_TENSOR(image).double().numpy())
array_of_rows = _made(Small, lambda image: np.asarray(TO_TENSOR(image)).transpose(1, 2, 0))
with_gradient = _made(Small, lambda image: TO_TENSOR(image).double().requires_grad_())
albumentations = _made(Small, Albumentations())
bytes_read, bytes_refused = _made(OfBytes, transforms.PILToTensor()), _made(Small, transforms.PILToTensor())
pixels_returned, nothing_returned = _made(Small, lambda image: image.copy()), _made(Small, lambda image: None)
five_crops = _made(Small, lambda image: torch.stack([TO_TENSOR(image)] * 5))
two_tensors = _made(Small, lambda image: {"left": TO_TENSOR(image), "right": TO_TENSOR(image)})
fails_always, fails_sometimes = _made(Small, raise_always), _made(Small, raise_sometimes)
instance = small()


def a_class() -> type[nn.Module]:
    return Small


def scripted() -> nn.Module:
    return torch.jit.script(nn.Sequential(nn.Flatten(), nn.Linear(3 * SIDE * SIDE, CLASSES)))


def loads_wrongly() -> nn.Module:
    network = Small()
    network.load_state_dict({"fc.weight": torch.zeros(2, 2)})
    return network
