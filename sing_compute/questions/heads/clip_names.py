"""Find the CLIP that a user names: by its own name, or by a results file that was made with it."""

from pathlib import Path

from sing_compute.errors import SingError
from sing_compute.questions.heads.stored_tower import chosen_tower
from sing_compute.questions.text_vectors import clip_place
from sing_compute.store import Store
from sing_compute.store.text import clean

_STORES = (".h5", ".hdf5")


def named_clip(text: str) -> tuple[str, Path | None]:
    """Return the name of a CLIP as `OpenClipSpace` takes it, and the results file that stands for it; None if none does.

    Args:
        text: Name of a CLIP, or a results file: its CLIP is meant, or that of its tower if it holds towers alone.

    Raises:
        SingError: The file cannot be read, or its CLIP is not where its run had it.
    """
    path = Path(text)
    if path.suffix.lower() not in _STORES or text.startswith(("local-dir:", "hf-hub:")):
        return text, None
    with Store(path) as store:
        facts = store.attributes("clip")
        if facts.get("source") == "stored embeddings":
            raise SingError(f"{path} was made from stored embeddings, so its CLIP is not known: name a CLIP")
        if facts.get("tag"):
            return clip_place(store, clean(str(facts["tag"])), str(facts.get("state_sha256", ""))), path
        facts = store.attributes(f"towers/{chosen_tower(store, None)}")
        return clip_place(store, clean(str(facts.get("clip_tag", ""))), str(facts.get("clip_state_sha256", ""))), path
