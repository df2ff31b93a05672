"""Describe the classifiers that a user asks for with `--model` and `--preset`."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sing_compute.errors import SingError
from sing_compute.models.transform_option import TransformOption

if TYPE_CHECKING:
    from sing_compute.models.backbone import HeadSource
    from sing_compute.models.given_network import GivenNetwork
    from sing_compute.models.stored_features import FeatureSource

TIMM_SOURCES = ("local-dir", "hf-hub")


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """One classifier as a user asks for it: `[NAME=]SPEC`, SPEC a timm name, `local-dir:FOLDER` or `module:factory`."""

    name: str
    """Name in the results file."""
    spec: str
    weights: Path | None = None
    """Checkpoint file; None for the model's own weights."""
    head: "HeadSource | None" = None
    """File with weight and bias of a linear head, or these values, for a backbone without one."""
    note: str = ""
    """Remark that is shown with the model's figures."""
    image_size: int | None = None
    """Side of the input images in pixels, for a backbone of free input size; None for its own size."""
    features: "FeatureSource | None" = None
    """Features that were computed elsewhere, in a file or in memory; the classifier is then its head alone."""
    tokens: bool = False
    """True if a head that will be fitted reads class token and mean patch token."""
    ema: bool | None = None
    """True for the averaged weights (EMA) of the checkpoint file, False for the others; None for averaged ones if it has both."""
    transform: TransformOption | None = None
    """Settings of the preprocessing that the user names; None to leave it as it is."""
    head_of: str = ""
    """Name of the head that counts in a network with several heads; empty for the network's own answer."""
    network: "GivenNetwork | None" = None
    """A network in memory, in the place of one that `spec` names."""

    @classmethod
    def parse(cls, text: str, weights: Path | None = None, head: "HeadSource | None" = None) -> "ModelSpec":
        """Read `[NAME=]SPEC`; without a name, the last part of the specification becomes the name.

        Args:
            text: Argument of `--model`.
            weights: File of `--weights` for it.
            head: File of `--head` for it.

        Raises:
            SingError: The name or the specification is empty.
        """
        name, separator, spec = text.partition("=")
        if not separator or ":" in name or "/" in name:
            spec = text
            source, _, rest = spec.rpartition(":")
            name = os.path.basename(os.path.abspath(rest) if source == "local-dir" else rest.rstrip("/")) or spec
        name = name.strip().replace("/", "_")
        if name in ("", ".", "..") or not spec:
            raise SingError(f"--model {text!r}: write NAME=SPEC or SPEC; SPEC is a timm name or module:factory")
        return cls(name, spec, weights, head)

    @classmethod
    def of_features(cls, text: str, head: "HeadSource") -> "ModelSpec":
        """Read `[NAME=]FILE`; without a name, the file's own becomes the name.

        Args:
            text: Argument of `--features`.
            head: File of `--head` for it.
        """
        name, separator, file = text.partition("=")
        path = Path(file if separator else text)
        return cls(
            (name if separator else path.stem).strip().replace("/", "_"),
            f"features:{path.name}",
            None,
            head,
            features=path,
        )

    @property
    def is_factory(self) -> bool:
        """True for a user's own network: `module:factory`, or one in memory."""
        if self.network is not None:
            return True
        source, separator, _ = self.spec.partition(":")
        return bool(separator) and source not in TIMM_SOURCES and self.features is None

    @property
    def is_local(self) -> bool:
        """True if the model can be loaded without a model hub."""
        return (
            self.is_factory
            or self.features is not None
            or self.weights is not None
            or self.spec.startswith("local-dir:")
        )


DINOV2 = ModelSpec(
    "DINOv2-L",
    "vit_large_patch14_dinov2.lvd142m",
    note="linear head on class token and mean patch token; at 224 pixels, as Meta's own linear heads were trained",
    image_size=224,
    tokens=True,
)
PRESETS = {
    "paper": (
        ModelSpec("ResNet50", "resnet50.tv_in1k"),
        ModelSpec("DenseNet121", "densenet121.tv_in1k"),
        ModelSpec("VGG16", "vgg16.tv_in1k"),
        ModelSpec("VGG19", "vgg19.tv_in1k"),
        ModelSpec("BiT-ResNet50", "resnetv2_50x1_bit.goog_in21k_ft_in1k"),
        ModelSpec("ResNeXt101", "resnext101_32x8d.fb_wsl_ig1b_ft_in1k"),
        ModelSpec(
            "EfficientNet-B0",
            "tf_efficientnet_b0.ns_jft_in1k",
            note="the paper's text says EfficientNet-B4, its authors' configuration B0",
        ),
        ModelSpec("ConvNeXt-B", "convnext_base.fb_in22k_ft_in1k"),
        ModelSpec("Swin-L", "swin_large_patch4_window7_224.ms_in22k_ft_in1k"),
        ModelSpec("DeiT3-L", "deit3_large_patch16_224.fb_in1k"),
        ModelSpec("EVA02-L", "eva02_large_patch14_448.mim_in22k_ft_in22k_in1k"),
        DINOV2,
        ModelSpec(
            "DinoViT-supervised",
            "vit_large_patch16_224.augreg_in21k_ft_in1k",
            note="the paper's DinoViT: its authors' code maps the name to timm's vit_large_patch16_224, supervised, not DINO",
        ),
    )
}
"""Classifiers of each `--preset`: `paper` has the 13 of the SING paper (arXiv:2603.14610), by timm's tags."""
