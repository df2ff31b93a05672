"""Choose the images of a model that get pictures."""

import numpy as np
from jaxtyping import Int64

from sing_compute.errors import SingError
from sing_compute.process.progress import Progress
from sing_compute.questions.renders.question import RenderQuestion
from sing_compute.questions.stored_model import StoredModel
from sing_compute.store.text import clean

_COLUMNS = {"as": "attribute_score", "is": "image_score"}


def chosen_rows(model: StoredModel, question: RenderQuestion, progress: Progress) -> Int64[np.ndarray, " image"]:
    """Return the rows of the images that get pictures.

    Named images come in the order in which they are named, each once. Else it is those with the largest |AS| toward their class,
    or the largest IS: descending, equal ones in the order of the file, images without a score never.

    Args:
        model: The model; its features are stored.
        question: The options.
        progress: Is given a line if images are left out.

    Raises:
        SingError: There is no such image or class, or no features of it are stored.
    """
    rows = _named(model, question) if question.images else _largest(model, question)
    if len(rows) > question.limit:
        progress.say(f"{len(rows):,} images are chosen, the first {question.limit:,} are drawn (--limit)")
    return rows[: question.limit]


def _named(model: StoredModel, question: RenderQuestion) -> Int64[np.ndarray, " image"]:
    store = model.store
    found = list(dict.fromkeys(int(store.find("image", name)) for name in question.images))
    kept = set(model.rows.tolist())
    missing = [row for row in found if row not in kept]
    if missing:
        key = clean(str(store.dataset("images/key")[missing[0]]))
        raise SingError(
            f"{clean(model.name)}: no features of {key} are kept, so it cannot be drawn; choose another --images"
        )
    return np.array(found, dtype=np.int64)


def _largest(model: StoredModel, question: RenderQuestion) -> Int64[np.ndarray, " image"]:
    store, rows, where = model.store, model.rows, ""
    if question.label is not None:
        label = store.find_class(question.label)
        rows = rows[int(model.offsets[label]) : int(model.offsets[label + 1])]
        where = f" of {clean(str(store.class_names[label]))}"
    score = np.abs(store.array(f"models/{model.name}/images/{_COLUMNS[question.by]}")[rows].astype(np.float64))
    rows, score = rows[np.isfinite(score)], score[np.isfinite(score)]
    if not len(rows):
        raise SingError(f"{clean(model.name)}: no {store.noun.singular}{where} has stored features and a score")
    order = np.argsort(-score, kind="stable")[: question.top]
    return np.asarray(rows[order], dtype=np.int64)
