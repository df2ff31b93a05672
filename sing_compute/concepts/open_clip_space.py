"""A CLIP network through open_clip: image and text towers into one space."""

import difflib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from sing_compute.errors import ConceptsError
from sing_compute.fingerprints import state_sha256
from sing_compute.hubs import first_line, hub_access, no_connection
from sing_compute.linalg.angles import unit
from sing_compute.precision import FLOAT32, computing_in

SCHEMAS = ("local-dir:", "hf-hub:")
TEXT_BATCH = 256


class OpenClipSpace:
    """An open_clip model, in evaluation mode: unit embeddings of images and of texts.

    Args:
        name: `ARCH/PRETRAINED` as `open_clip.list_pretrained()` has them, `ARCH/FILE`, `hf-hub:ORG/REPO`, or
            `local-dir:FOLDER` in the hub's own format.

    Raises:
        ConceptsError: Unknown architecture or tag, or weights that cannot be had; never a random network.
    """

    def __init__(self, name: str) -> None:
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
                wrong = f"no tag or file {pretrained!r}" if pretrained else "write ARCH/PRETRAINED"
                tags = ", ".join(open_clip.list_pretrained_tags_by_model(architecture)) or "none, give a file"
                raise ConceptsError(f"--clip {name}: {wrong}; {architecture} has the tags: {tags}")
        wants_quick = (
            bool((open_clip.get_pretrained_cfg(architecture, pretrained) or {}).get("quick_gelu"))
            if pretrained
            else False
        )
        try:
            # The activation must be the one the weights were trained with: open_clip only warns where they differ.
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
            away = no_connection(error)
            if away:
                raise ConceptsError(
                    f"cannot get --clip {name} ({away}). Ways out: --clip local-dir:FOLDER or ARCH/FILE, "
                    "a cache filled elsewhere (HF_HOME=FOLDER HF_HUB_OFFLINE=1), a mirror (HF_ENDPOINT=URL)"
                ) from error
            raise ConceptsError(
                f"--clip {name}: {first_line(error)[:200]}. Without a connection: local-dir:FOLDER or ARCH/FILE"
            ) from error
        self._model = model.eval()
        self._tokenizer: Callable[[list[str]], Tensor] = tokenizer
        preprocess: dict[str, Any] = model.visual.preprocess_cfg
        self.transform = image_transform_v2(PreprocessCfg(**preprocess), is_train=False)
        # Where a folder or file lies differs between machines; its name and the weights' fingerprint do not.
        shown = f"local-dir:{Path(name.partition(':')[2]).resolve().name}" if name.startswith("local-dir:") else name
        if pretrained and not open_clip.get_pretrained_cfg(architecture, pretrained):
            shown = f"{architecture}/{Path(pretrained).name}"
        self.provenance: dict[str, str] = {"tag": shown, "source": "open_clip", "state_sha256": state_sha256(model)}

    def to(self, device: torch.device) -> "OpenClipSpace":
        """Move the network."""
        self._model.to(device)
        return self

    @torch.inference_mode()
    def images(self, batch: Tensor, precision: str = FLOAT32) -> Float[Tensor, "image clip"]:
        """Unit embeddings of transformed images, float32."""
        with computing_in(precision, batch.device):
            embedded: Tensor = self._model.encode_image(batch)
        return unit(embedded.float())

    @torch.inference_mode()
    def texts(self, texts: Sequence[Sequence[str]], *, device: torch.device) -> Float[Tensor, "text clip"]:
        """Unit embedding of each entry: of its one text, or of the mean of its texts' unit embeddings."""
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
    """Whether weights or tokenizer may lie on a hub: not those of a file or folder that names none of the hub's."""
    if name.startswith("local-dir:"):
        try:
            return "hf_" in (Path(name.partition(":")[2]) / "open_clip_config.json").read_text()
        except (OSError, UnicodeDecodeError):
            return False
    return not (pretrained and Path(pretrained).is_file())
