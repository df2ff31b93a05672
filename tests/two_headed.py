"""Networks with two heads, for `--model two_headed:NAME`: distilled ones of timm in small, and one that returns both answers."""

import timm
import torch
from torch import Tensor, nn
from torchvision import transforms

SIDE, CLASSES = 32, 3
TRANSFORM = transforms.Compose([transforms.Resize((SIDE, SIDE)), transforms.ToTensor()])


def _spread(network: nn.Module) -> nn.Module:
    """Give all heads random weights of a usable size: timm's are zero or tiny."""
    for name, module in network.named_modules():
        if "head" in name and isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=0.5)
            nn.init.normal_(module.bias)
    network.transform = TRANSFORM
    return network


def distilled() -> nn.Module:
    torch.manual_seed(0)
    options = {"img_size": SIDE, "depth": 2, "embed_dim": 24, "num_heads": 3, "num_classes": CLASSES}
    return _spread(timm.create_model("deit_tiny_distilled_patch16_224", **options))


class Pair(nn.Module):
    """Returns the logits of both heads, and averages nothing."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.body = nn.Sequential(nn.Conv2d(3, 16, 5, 4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.left, self.right, self.unused = nn.Linear(16, CLASSES), nn.Linear(16, CLASSES), nn.Linear(16, CLASSES)
        self.transform = TRANSFORM

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        features = self.body(x)
        return self.left(features), self.right(features)


def pair() -> nn.Module:
    return Pair()
