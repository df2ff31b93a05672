"""Embed images and texts in one CLIP space with a network of open_clip."""

import difflib
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from sing_compute.errors import ConceptsError, SingError
from sing_compute.fingerprints import state_sha256
from sing_compute.hubs import cache_alone, connection_problem, first_line, hub_access
from sing_compute.linalg.angles import unit
from sing_compute.model_configs import without_foreign_code
from sing_compute.open_clip_import import add_transformers, check_described_clip, check_local_clip, import_open_clip
from sing_compute.outside_files import JSON, read_text
from sing_compute.precision import FLOAT32, computing_in
from sing_compute.transform_results import preprocessing_text

SCHEMAS = ("local-dir:", "hf-hub:")
"""Beginnings of names that are no ARCH/PRETRAINED."""
TEXT_BATCH = 256
"""Texts that go through the text tower at once."""


class NamedByFile(str):
    """Name of a CLIP that a results file alone names: it is loaded from this machine, and no hub is asked for it."""

    __slots__ = ()


class OpenClipSpace:
    """An open_clip network in evaluation mode. It gives unit embeddings of images and of texts."""

    def __init__(self, name: str) -> None:
        """Load the network with its weights, on the CPU; it is never left with random weights.

        Args:
            name: `ARCH/PRETRAINED` as `open_clip.list_pretrained()` names them, `ARCH/FILE`, `ARCH/FILE@TAG` for a file whose
                weights were trained as those of the tag, `hf-hub:ORG/REPO`, or `local-dir:FOLDER` in the hub's format.

        Raises:
            ConceptsError: Unknown architecture or tag, weights that cannot be loaded, or a file of an architecture whose tags
                were trained with different settings.
        """
        open_clip = import_open_clip()
        from open_clip.transform import PreprocessCfg, image_transform_v2

        architecture, pretrained, known_as = name, None, ""
        if not name.startswith(SCHEMAS):
            architecture, _, pretrained = name.partition("/")
            if architecture not in open_clip.list_models():
                near = difflib.get_close_matches(architecture, open_clip.list_models(), n=5)
                hint = f"near: {', '.join(near)}" if near else "open_clip.list_models() names them, e.g. ViT-L-14"
                raise ConceptsError(f"--clip {name}: unknown architecture {architecture!r}; {hint}")
            if not Path(pretrained).is_file() and "@" in pretrained:
                pretrained, _, known_as = pretrained.rpartition("@")
            if not open_clip.get_pretrained_cfg(architecture, pretrained) and not Path(pretrained).is_file():
                problem = f"no tag or file {pretrained!r}" if pretrained else "write ARCH/PRETRAINED"
                tags = ", ".join(open_clip.list_pretrained_tags_by_model(architecture)) or "none, give a file"
                raise ConceptsError(f"--clip {name}: {problem}; {architecture} has the tags: {tags}")
        with_transformers = _may_need_transformers(name, architecture)
        if with_transformers:
            add_transformers()
        weights = check_local_clip(name, pretrained)
        settings, reason_for_settings = _settings(name, architecture, pretrained, known_as)
        try:
            # The activation must be the one that the weights were trained with; open_clip only warns where they differ.
            with (
                cache_alone(isinstance(name, NamedByFile)),
                hub_access(wanted=_may_need_hub(name, pretrained)),
                without_foreign_code() if with_transformers else nullcontext(),
            ):
                check_described_clip(name, weights)
                model = open_clip.create_model(
                    architecture,
                    pretrained,
                    force_quick_gelu=settings.quick_gelu,
                    force_preprocess_cfg=settings.pixels,
                    require_pretrained=True,
                    pretrained_text=False,
                )
                tokenizer = open_clip.get_tokenizer(architecture)
        except SingError:
            raise
        except Exception as error:  # hub, network and format errors come as many types
            with cache_alone(isinstance(name, NamedByFile)):
                reason = connection_problem(error)
            if reason and isinstance(name, NamedByFile):
                raise ConceptsError(f"cannot get CLIP {name} ({reason}). To load it: --clip {name}") from error
            if reason:
                raise ConceptsError(
                    f"cannot get --clip {name} ({reason}). Ways out: --clip local-dir:FOLDER or ARCH/FILE, "
                    "a cache filled elsewhere (HF_HOME=FOLDER HF_HUB_OFFLINE=1), a mirror (HF_ENDPOINT=URL)"
                ) from error
            raise ConceptsError(
                f"--clip {name}: {first_line(error)[:200]}. Without a connection: local-dir:FOLDER or ARCH/FILE"
            ) from error
        self._model = model.eval()
        self._tokenizer: Callable[[list[str]], Tensor] = tokenizer
        preprocess: dict[str, Any] = model.visual.preprocess_cfg
        self.transform = image_transform_v2(PreprocessCfg(**preprocess), is_train=False)
        # The place of a folder or file differs between machines; its name and the fingerprint of the weights do not.
        tag = f"local-dir:{Path(name.partition(':')[2]).resolve().name}" if name.startswith("local-dir:") else name
        if pretrained and not open_clip.get_pretrained_cfg(architecture, pretrained):
            tag = f"{architecture}/{Path(pretrained).name}"
            tag += f"@{known_as}" if known_as else ""
        quick = any(type(module).__name__ == "QuickGELU" for module in model.modules())
        self.provenance: dict[str, str] = {
            "tag": tag,
            "source": "open_clip",
            "state_sha256": state_sha256(model),
            "preprocessing": preprocessing_text(
                preprocess["size"],
                preprocess["interpolation"],
                preprocess["resize_mode"],
                preprocess["mean"],
                preprocess["std"],
            ),
            "activation": "QuickGELU" if quick else "the architecture's own",
            "preprocessing_from": reason_for_settings,
        }

    def to(self, device: torch.device) -> "OpenClipSpace":
        """Move the network to a device, and return this space."""
        self._model.to(device)
        return self

    @property
    def network(self) -> nn.Module:
        """The whole network."""
        network: nn.Module = self._model
        return network

    @property
    def tokenizer(self) -> Callable[[list[str]], Tensor]:
        """Its tokenizer, as open_clip made it."""
        return self._tokenizer

    @property
    def visual(self) -> nn.Module:
        """The image tower."""
        visual: nn.Module = self._model.visual
        return visual

    @torch.inference_mode()
    def images(self, batch: Tensor, precision: str = FLOAT32) -> Float[Tensor, "image clip"]:
        """Return unit embeddings of images, float32.

        Args:
            batch: Transformed images (image, channel, height, width), on the network's device.
            precision: Arithmetic inside the network.
        """
        with computing_in(precision, batch.device):
            embedded: Tensor = self._model.encode_image(batch)
        return unit(embedded.float())

    @torch.inference_mode()
    def texts(self, texts: Sequence[Sequence[str]], *, device: torch.device) -> Float[Tensor, "text clip"]:
        """Return one unit embedding for each entry, float32, on the CPU.

        Args:
            texts: Entries of one text or several. For several it is the direction of the mean of their unit embeddings.
            device: Device of the network.
        """
        flat = [text for entry in texts for text in entry]
        owner = torch.tensor([index for index, entry in enumerate(texts) for _ in entry])
        parts = []
        for start in range(0, len(flat), TEXT_BATCH):
            tokens = self._tokenizer(flat[start : start + TEXT_BATCH]).to(device)
            parts.append(self._model.encode_text(tokens, normalize=True).float().cpu())
        embedded = torch.cat(parts)
        sums = torch.zeros(len(texts), embedded.shape[1]).index_add_(0, owner, embedded)
        return unit(sums)


@dataclass(frozen=True, slots=True)
class _Settings:
    """Settings that weights were trained with; None where the architecture's or the folder's own are used."""

    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    interpolation: str | None = None
    resize_mode: str | None = None
    quick_gelu: bool = False

    @property
    def pixels(self) -> dict[str, Any]:
        """Those of the preprocessing that are known, by open_clip's names."""
        found = asdict(self)
        return {name: value for name, value in found.items() if name != "quick_gelu" and value is not None}


def _settings(name: str, architecture: str, pretrained: str | None, known_as: str) -> tuple[_Settings, str]:
    """Return the settings for weights, and where they come from.

    Args:
        name: The whole name, for messages.
        architecture: open_clip's name of the architecture.
        pretrained: Tag or file; None for a folder or hub name, which has its own settings.
        known_as: The tag whose settings a file's weights were trained with; empty if the user does not say it.

    Raises:
        ConceptsError: The tags of a file's architecture differ in their settings, or there is no such tag.
    """
    open_clip = import_open_clip()
    if pretrained is None:
        return _Settings(), "the folder's or repository's own configuration"
    config = open_clip.get_pretrained_cfg(architecture, pretrained)
    if config:
        return _settings_of(config), f"the tag {pretrained}"
    tags = open_clip.list_pretrained_tags_by_model(architecture)
    if known_as:
        if known_as not in tags:
            raise ConceptsError(
                f"--clip {name}: {architecture} has no tag {known_as!r}; it has: {', '.join(tags) or 'none'}"
            )
        return _settings_of(
            open_clip.get_pretrained_cfg(architecture, known_as)
        ), f"the tag {known_as}, as the user says"
    by_settings: dict[_Settings, str] = {}
    for tag in tags:
        by_settings.setdefault(_settings_of(open_clip.get_pretrained_cfg(architecture, tag)), tag)
    if len(by_settings) > 1:
        choices = " or ".join(f"{architecture}/{pretrained}@{tag}" for tag in by_settings.values())
        raise ConceptsError(
            f"--clip {name}: weights of {architecture} were trained with different activations or pixels; say those of which tag "
            f"the file has: {choices}"
        )
    if by_settings:
        return next(iter(by_settings)), f"all {len(tags)} tags of {architecture}"
    return _Settings(), "open_clip's default, because the architecture has no tags"


def _settings_of(config: Mapping[str, Any]) -> _Settings:
    return _Settings(
        tuple(config["mean"]) if config.get("mean") else None,
        tuple(config["std"]) if config.get("std") else None,
        config.get("interpolation"),
        config.get("resize_mode"),
        bool(config.get("quick_gelu")),
    )


def _may_need_transformers(name: str, architecture: str) -> bool:
    """Return True if the text tower may be one of transformers."""
    if name.startswith("local-dir:"):
        return _names_hub(Path(name.partition(":")[2]))
    if name.startswith("hf-hub:"):
        return True
    config: dict[str, Any] = import_open_clip().get_model_config(architecture) or {}
    return "hf_model_name" in config.get("text_cfg", {})


def _names_hub(folder: Path) -> bool:
    """Return True if a folder names something of transformers, which may be on the hub."""
    try:
        return "hf_" in read_text(folder / "open_clip_config.json", most=JSON)
    except (OSError, UnicodeDecodeError):
        return False


def _may_need_hub(name: str, pretrained: str | None) -> bool:
    """Return True if weights or tokenizer may come from a hub: False for a file, and for a folder that names nothing there."""
    if name.startswith("local-dir:"):
        return _names_hub(Path(name.partition(":")[2]))
    return not (pretrained and Path(pretrained).is_file())
