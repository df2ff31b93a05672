"""The classic option-A ResNets for CIFAR-10, as a user would bring their own: `--model cifar_nets:resnet20`."""

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision import transforms


class Block(nn.Module):
    """Two 3x3 convolutions; the shortcut of a narrowing block drops every other pixel and pads channels with zeros."""

    def __init__(self, width: int, out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, out, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(out)
        self.conv2 = nn.Conv2d(out, out, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(out)
        self.stride, self.extra = stride, out - width

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn2(self.conv2(functional.relu(self.bn1(self.conv1(x)))))
        if self.extra or self.stride != 1:
            x = functional.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.extra // 2, self.extra // 2))
        return functional.relu(y + x)


class CifarResNet(nn.Module):
    """Three stages of 16, 32 and 64 channels, mean over positions, one linear layer."""

    transform = transforms.Compose(
        [transforms.ToTensor(), transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))]
    )

    def __init__(self, blocks: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        widths = (16, 16, 32, 64)
        for stage in (1, 2, 3):
            layers = [Block(widths[stage - 1], widths[stage], 1 if stage == 1 else 2)]
            layers += [Block(widths[stage], widths[stage], 1) for _ in range(blocks - 1)]
            setattr(self, f"layer{stage}", nn.Sequential(*layers))
        self.linear = nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.linear(torch.flatten(functional.adaptive_avg_pool2d(x, 1), 1))


def resnet20() -> nn.Module:
    """20 layers."""
    return CifarResNet(3)


def resnet56() -> nn.Module:
    """56 layers."""
    return CifarResNet(9)
