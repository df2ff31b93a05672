"""The results file that a run writes: its name, and what it takes the place of."""

from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from sing_compute.atomic_write import ProtectedFileError, followed
from sing_compute.errors import SingError
from sing_compute.process.progress import Progress
from sing_compute.store import Store, catalogue
from sing_compute.store.definitions.images_and_classifiers import CLASSIFIERS
from sing_compute.store.definitions.sing import SING
from sing_compute.store.text import clean
from sing_compute.store.write import check_results_name


def output_file(name: str | Path) -> Path:
    """Return the file that `-o` names, behind a link the file that it leads to.

    Args:
        name: The name.

    Raises:
        SingError: It belongs to a folder, a device, or a file that is no results file.
    """
    if str(name) == "-":
        raise SingError("-o -: results are no text; give the name of a file")
    target = followed(Path(name))
    if target.is_dir():
        raise SingError(f"-o {target}: this is a folder; give the name of a file, e.g. {target / 'results.h5'}")
    if target.exists() and not target.is_file():
        raise SingError(f"-o {target}: this is no regular file; give the name of a file")
    try:
        check_results_name(target)
    except ProtectedFileError as error:
        raise SingError(f"-o {target}: {error.strerror}; give the name of another file") from None
    return target


def replaced_models(output: Path) -> list[str]:
    """Say which models a results file holds that `--fresh` replaces; nothing where there is none that can be read."""
    with suppress(SingError), Store(output) as store:
        return [f"--fresh replaces {output} with its models: {', '.join(map(clean, store.models)) or 'none'}"]
    return []


def check_measured_again(old: Store, names: Collection[str], *, scored: bool, maps: bool, progress: Progress) -> None:
    """Say what an existing file has of models that are measured again, and that the new file will lack.

    Args:
        old: The file.
        names: The models of the run.
        scored: True if they get scores.
        maps: True if their spatial maps are kept.
        progress: Is given a line for each model that loses something.

    Raises:
        SingError: A model would lose its scores.
    """
    for name in (name for name in old.models if name in names):
        if not scored and old.summary(name).get("nullity") is not None:
            raise SingError(
                f"{clean(name)} has scores in {old.path}, which --only features would leave out: choose another -o, or measure "
                "it under another name, --model NAME=..."
            )
        others = [each for each in catalogue.analyses() if each.subject == "model" and each not in (CLASSIFIERS, SING)]
        lost = [each.title for each in others if catalogue.is_present(old, each, name)]
        lost += ["spatial maps"] if not maps and f"models/{name}/maps" in old else []
        if lost:
            progress.say(
                f"{clean(name)} is measured again; the new file will lack what was made of it: {'; '.join(lost)}"
            )
