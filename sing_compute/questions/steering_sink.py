"""Keep the steering of all classes in a results file, and print what it holds."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from sing_compute import __version__
from sing_compute.errors import SingError
from sing_compute.extraction.shards import WorkFolder
from sing_compute.pipeline.closing_table import align
from sing_compute.process.progress import Progress
from sing_compute.questions.rewriting import rewriting
from sing_compute.questions.steering import SteeringMatrix, steer_matrix
from sing_compute.questions.stored_model import StoredModel, chosen_models
from sing_compute.store import Store, replace_store
from sing_compute.store.definitions.steering import GROUP, MATRIX
from sing_compute.store.noun import IMAGE, Noun
from sing_compute.store.text import clean
from sing_compute.store.write import Writer


def keep_steering(path: Path, progress: Progress, *, model: str | None, angle: float, command: str) -> list[str]:
    """Steer every class toward every class and add the result to a results file; the file is replaced in one step.

    Everything else in the file is copied bit for bit. Steering of the same models from an earlier call is replaced. One model is
    in memory at a time.

    Args:
        path: The results file.
        progress: Is given lines about what is missing, and how far the work is.
        model: One model; None for all that can be steered.
        angle: Image Score to reach, in degrees.
        command: The command line, which the file keeps.

    Returns:
        Names of the models that were steered.

    Raises:
        SingError: A mistake of the user, or no model can be steered; the file is unchanged.
    """
    with rewriting(path, progress, "sing-compute steer") as (store, work):
        models = _models(store, model, progress)
        with replace_store(path, scratch=work.folder) as writer:
            writer.copy(store, leave_out=[GROUP.format(model=name) for name in models])
            for name in models:
                _add(writer, StoredModel.read(store, name), work, progress, angle=angle, command=command)
    return models


def _models(store: Store, wanted: str | None, progress: Progress) -> list[str]:
    """Return the names of the models whose features are stored and whose head has a null space; say which others there are.

    Raises:
        SingError: There is none.
    """
    names = chosen_models(store, wanted)
    found = []
    for name in names:
        try:
            StoredModel.read(store, name).need_features("steer")
        except SingError as error:
            if len(names) == 1:
                raise
            progress.say(str(error))
        else:
            found.append(name)
    if not found:
        raise SingError(f"no model of {store.path} can be steered")
    return found


def _add(
    writer: Writer, model: StoredModel, work: WorkFolder, progress: Progress, *, angle: float, command: str
) -> None:
    images, kept = int(model.store.offsets[-1]), len(model.rows)
    if kept < images:
        noun = model.store.noun
        progress.say(
            f"{clean(model.name)}: steered are the {kept:,} of {images:,} {noun.plural} whose features are kept"
        )
    found = steer_matrix(model, progress, angle=angle, stop=work.leave_if_asked)
    put_steering(writer, model.name, found, angle=angle)
    facts = {
        "version": __version__,
        "command": command,
        "written": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    writer.annotate(GROUP.format(model=model.name), facts)


def put_steering(writer: Writer, model: str, found: SteeringMatrix, *, angle: float) -> None:
    """Write the steering of a model at the paths of its analysis.

    Args:
        writer: The file.
        model: Name of the model.
        found: Every class steered toward every class.
        angle: Image Score of the steps, in degrees.
    """
    datasets: dict[str, ArrayLike] = {
        "angle": angle,
        "images": found.images,
        "attribute_score_mean": found.mean,
        "attribute_score_std": found.std,
        "unreachable": found.unreachable,
    }
    for name, values in datasets.items():
        writer.put(MATRIX + name, values, model=model)


def kept_steering_text(store: Store, models: Sequence[str], noun: Noun = IMAGE) -> str:
    """List for each model how many images were steered, and the pair of classes with the largest mean AS.

    Args:
        store: The results file.
        models: Models with stored steering.
        noun: What the file calls its images.
    """
    rows = [["model", "IS", noun.plural, "unreachable steps", "largest AS", "from", "toward"]]
    classes = [clean(str(name)) for name in store.class_names]
    for model in models:
        angle, images, mean, unreachable = (
            store.array(MATRIX.format(model=model) + name)
            for name in ("angle", "images", "attribute_score_mean", "unreachable")
        )
        largest, names = "-", ["-", "-"]
        if np.isfinite(mean).any():
            pair = np.unravel_index(int(np.nanargmax(mean)), mean.shape)
            largest, names = f"{mean[pair]:+.2f}", [classes[int(place)] for place in pair]
        steps = f"{int(unreachable.sum()):,} of {int(images.sum()) * len(classes):,}"
        rows.append([clean(model), f"{float(angle):g}", f"{int(images.sum()):,}", steps, largest, *names])
    return "\n".join(align(rows))
