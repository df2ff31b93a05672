"""Find a named tower of a results file, and load its CLIP."""

from sing_compute.concepts.open_clip_space import OpenClipSpace
from sing_compute.errors import ConceptsError, SingError
from sing_compute.process.progress import Progress
from sing_compute.questions.text_vectors import clip_place
from sing_compute.store import Store
from sing_compute.store.text import clean


def chosen_tower(store: Store, wanted: str | None) -> str:
    """Return the name of the tower that is asked for; without a name, the only one of the file.

    Raises:
        SingError: The file has no tower, none of this name, or several to choose from.
    """
    there = store.members("tower")
    listed = clean(", ".join(there))
    if not there:
        raise SingError(f"{store.path} holds no tower: `sing-compute heads {store.path}` names one first")
    if wanted is None and len(there) > 1:
        raise SingError(f"{store.path} holds {len(there)} towers: name one with --tower: {listed}")
    if wanted is not None and wanted not in there:
        raise SingError(f"--tower {clean(wanted)}: {store.path} holds no such tower; there are: {listed}")
    return there[0] if wanted is None else wanted


def need_folded(store: Store, tower: str) -> None:
    """Refuse a tower whose vectors are not those of the heads with the norm before them folded in.

    Raises:
        SingError: It was taken over from a decomposition without folding.
    """
    if not store.attributes(f"towers/{tower}").get("fold_layer_norm", True):
        raise SingError(
            f"the tower {clean(tower)!r} was decomposed without the norm before each layer (nofoldln), so its vectors are not "
            "those that are edited and checked: name the heads with `sing-compute heads`"
        )


def tower_place(store: Store, tower: str, wanted: str | None) -> str:
    """Return the name by which the CLIP of a tower can be loaded here.

    Args:
        store: The results file.
        tower: Name of the tower.
        wanted: Name of the CLIP, if it was moved; None for the place where the tower's command had it.

    Raises:
        ConceptsError: It is not there.
    """
    if wanted:
        return wanted
    facts = store.attributes(f"towers/{tower}")
    return clip_place(store, clean(str(facts.get("clip_tag", ""))), str(facts.get("clip_state_sha256", "")))


def tower_clip(store: Store, tower: str, place: str, progress: Progress) -> OpenClipSpace:
    """Load the CLIP of a tower, on the CPU.

    Args:
        store: The results file.
        tower: Name of the tower.
        place: Name of the CLIP (`tower_place`).
        progress: Is given a line about it.

    Raises:
        SingError: It cannot be loaded, or it is another one.
    """
    facts = {name: clean(str(value)) for name, value in store.attributes(f"towers/{tower}").items()}
    progress.say(f"loading CLIP {place}")
    space = OpenClipSpace(place)
    own = space.provenance
    if own["state_sha256"] != facts.get("clip_state_sha256"):
        raise ConceptsError(
            f"{place} has other weights than the CLIP of the tower {tower!r} in {store.path} "
            f"({facts.get('clip_tag') or 'not named'}): name its place with --clip"
        )
    if facts.get("clip_activation", own["activation"]) != own["activation"]:
        raise ConceptsError(
            f"{place} has the activation {own['activation']}, the CLIP of the tower {tower!r} {facts['clip_activation']}: name "
            "it as its command did"
        )
    return space
