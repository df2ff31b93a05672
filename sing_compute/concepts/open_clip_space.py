"""Embed images and texts in one CLIP space with a network of open_clip."""

import difflib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from sing_compute.errors import ConceptsError
from sing_compute.fingerprints import state_sha256
from sing_compute.hubs import connection_problem, first_line, hub_access
from sing_compute.linalg.angles import unit
from sing_compute.precision import FLOAT32, computing_in

SCHEMAS = ("local-dir:", "hf-hub:")
"""Beginnings of names that are no ARCH/PRETRAINED."""
TEXT_BATCH = 256
"""Texts that go through the text tower at once."""


class OpenClipSpace:
    """An open_clip network in evaluation mode. It gives unit embeddings of images and of texts."""

    def __init__(self, name: str) -> None:
        """Load the network with its weights, on the CPU; it is never left with random weights.

        Args:
            name: `ARCH/PRETRAINED` as `open_clip.list_pretrained()` names them, `ARCH/FILE`, `hf-hub:ORG/REPO`, or
                `local-dir:FOLDER` in the hub's format.

        Raises:
            ConceptsError: Unknown architecture or tag, or weights that cannot be loaded.
        """
        import open_clip
        from open_clip.transform import PreprocessCfg, image_transform_v2

        architecture, pretrained = name, None
        if not name.startswith(SCHEMAS):
            architecture, _, pretrained = name.partition("/")
            if architecture not in open_clip.list_models():
                near = difflib.get_close_matches(architecture, open_clip.list_models(), n=5)
                hint = f"near: {', '.join(near)}" if near else "open_clip.list_models() names them, e.g. ViT-L-14"
                raise ConceptsError(f"--clip {name}: unknown architecture {architecture!r}; {hint}")
            if not open_clip.get_pretrained_cfg(architecture, pretrained) and not Path(pretrained).is_file():
                problem = f"no tag or file {pretrained!r}" if pretrained else "write ARCH/PRETRAINED"
                tags = ", ".join(open_clip.list_pretrained_tags_by_model(architecture)) or "none, give a file"
                raise ConceptsError(f"--clip {name}: {problem}; {architecture} has the tags: {tags}")
        wants_quick = (
            bool((open_clip.get_pretrained_cfg(architecture, pretrained) or {}).get("quick_gelu"))
            if pretrained
            else False
        )
        try:
            # The activation must be the one that the weights were trained with; open_clip only warns where they differ.
            with hub_access(wanted=_may_need_hub(name, pretrained)):
                model = open_clip.create_model(
                    architecture,
                    pretrained,
                    force_quick_gelu=wants_quick,
                    require_pretrained=True,
                    pretrained_text=False,
                )
                tokenizer = open_clip.get_tokenizer(architecture)
        except Exception as error:  # hub, network and format errors come as many types
            reason = connection_problem(error)
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
        self.provenance: dict[str, str] = {"tag": tag, "source": "open_clip", "state_sha256": state_sha256(model)}

    def to(self, device: torch.device) -> "OpenClipSpace":
        """Move the network to a device, and return this space."""
        self._model.to(device)
        return self

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


def _may_need_hub(name: str, pretrained: str | None) -> bool:
    """Return True if weights or tokenizer may come from a hub: False for a file, and for a folder that names nothing there."""
    if name.startswith("local-dir:"):
        try:
            return "hf_" in (Path(name.partition(":")[2]) / "open_clip_config.json").read_text()
        except (OSError, UnicodeDecodeError):
            return False
    return not (pretrained and Path(pretrained).is_file())
