"""Add concepts to a results file from its stored features: no image is decoded, no classifier is run."""

import math
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from unicodedata import normalize

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from sing_compute.concepts.vocabulary import Vocabulary
from sing_compute.errors import SingError
from sing_compute.extraction.shards import WorkFolder
from sing_compute.fingerprints import file_sha256
from sing_compute.measuring.concept_rows import ConceptRows
from sing_compute.measuring.model_results import ConceptRow
from sing_compute.measuring.validity import null_directions
from sing_compute.pipeline.store_sink import ConceptUpdate, StoreSink
from sing_compute.process.progress import Progress
from sing_compute.questions.rewriting import rewriting
from sing_compute.questions.stored_model import StoredModel, need_scores
from sing_compute.questions.text_vectors import text_vectors
from sing_compute.scores.shifts import ConceptShifts, fold_views
from sing_compute.scores.significance import SharedDirections, benjamini_hochberg
from sing_compute.store import Store, replace_store
from sing_compute.store.constants import SIGNIFICANT, TOP_CONCEPTS
from sing_compute.store.copying import dependent_paths, dependents
from sing_compute.store.definitions.sing import SING
from sing_compute.store.gate import MAX_TEXT
from sing_compute.store.text import clean

KIND = "added"
"""Kind of a concept that was added later."""


def add_concepts(
    path: Path,
    texts: Sequence[str],
    progress: Progress,
    *,
    clip: str | None = None,
    embeddings: Path | None = None,
) -> list[str]:
    """Add concepts to every model of a results file that has scores.

    The file is replaced in one step. Everything that does not depend on the vocabulary is copied bit for bit.

    Args:
        path: The results file.
        texts: The concepts; each text is both name and prompt. Concepts that the file already has are left out.
        progress: Is given a line about what is left out, and about the images that the new concepts are measured on.
        clip: Name of the file's CLIP, as in `text_vectors`.
        embeddings: File of stored text embeddings, used instead of a CLIP network.

    Returns:
        Names of the new concepts.

    Raises:
        SingError: The texts have no vectors in the file's CLIP space, the features of a model are not stored, or another
            process writes the file. The file is unchanged.
    """
    with rewriting(path, progress, "sing-compute concepts") as (store, work):
        need_scores(store, store.models)
        new = _new(store, texts, progress)
        if new:
            _add(store, work, progress, new, clip, embeddings)
    return new


def _add(
    store: Store, work: WorkFolder, progress: Progress, new: list[str], clip: str | None, embeddings: Path | None
) -> None:
    """Replace the file by one with the new concepts."""
    models = [StoredModel.read(store, name) for name in store.models if store.summary(name).get("nullity")]
    if not models:
        raise SingError(f"no model of {store.path} has scores: there is nothing to add concepts to")
    images = int(store.offsets[-1])
    for model in models:
        model.need_features("concepts")
        if len(model.rows) < images:
            progress.say(
                f"{clean(model.name)}: the new concepts rest on the {len(model.rows):,} of {images:,} {store.noun.plural} whose "
                "features are kept"
            )
    vectors = text_vectors(store, new, new, progress, clip=clip, embeddings=embeddings)
    all_vectors = torch.cat([torch.from_numpy(store.array("clip/concept_embeddings")), vectors])
    with replace_store(store.path, scratch=work.folder) as writer:
        stale = dependent_paths(store, "concepts", handled=[SING.name])
        if stale:
            progress.say(f"left out, because the concepts change: {dependents(stale)}")
        writer.copy(store, leave_out=stale)
        if embeddings:
            writer.annotate("clip", {"added_sha256": file_sha256(embeddings)})
        sink = StoreSink(writer)
        sink.replace_vocabulary(_vocabulary(store, new), all_vectors)
        for model in models:
            sink.replace_concepts(model.name, _measure_new(model, vectors, all_vectors, work, progress))


def _vocabulary(store: Store, new: list[str]) -> Vocabulary:
    """Return the concepts of a file, then the new ones."""
    stored = (tuple(map(str, store.array(f"concepts/{part}"))) for part in ("name", "kind", "prompt"))
    names, kinds, prompts = stored
    return Vocabulary((*names, *new), (*kinds, *[KIND] * len(new)), (*prompts, *new))


def _measure_new(
    model: StoredModel,
    vectors: Float[Tensor, "new clip"],
    all_vectors: Float[Tensor, "concept clip"],
    work: WorkFolder,
    progress: Progress,
) -> ConceptUpdate:
    """Measure the new concepts on the stored features, as a run does, and join them with the stored concepts.

    Args:
        model: The model.
        vectors: Unit text embedding of each new concept.
        all_vectors: Vectors of the stored concepts, then of the new ones.
        work: Is asked between batches if the user wants to stop.
        progress: Shows how far the pass over the features is.
    """
    store, base = model.store, f"models/{model.name}/"
    known = len(store.concept_names)
    seed = int(store.attributes(f"models/{model.name}").get("seed", 0))
    rows = ConceptRows(model.offsets, SharedDirections.of(model.split, model.null_weights, vectors, seed=seed))
    found: list[ConceptRow] = []
    top = store.array(f"{base}images/top_concept"), store.array(f"{base}images/top_concept_score")
    with progress.task(f"{clean(model.name)}: concepts", len(model.rows)) as advance:
        for batch in model.batches():
            views = fold_views(model.folds, batch.features, batch.folds)
            shifts = ConceptShifts.of(views, vectors)
            found += rows.add(batch, views, shifts, model.split.null_part(batch.features.double()))
            _merge_top(top, model.rows[batch.rows], shifts.attribute_score, known)
            advance(len(batch.features))
            work.leave_if_asked()
    found += rows.finish()
    matrices: dict[str, NDArray[np.float32]] = {}
    for name in (field.name for field in fields(ConceptRow) if field.name != "label"):
        new = np.stack([getattr(row, name) for row in found]).astype(np.float32)
        matrices[name] = np.concatenate([store.array(f"{base}concepts/{name}"), new], axis=1)
    p_normal = torch.special.erfc(torch.from_numpy(matrices["z"]).double().abs() / math.sqrt(2))
    matrices["q"] = benjamini_hochberg(p_normal).float().numpy()
    significant = int((matrices["q"] < SIGNIFICANT).sum())
    directions = null_directions(model.whole.whole, model.split, all_vectors)
    return ConceptUpdate(matrices, *top, significant, directions)


def _new(store: Store, texts: Sequence[str], progress: Progress) -> list[str]:
    """Return the texts that are neither name nor prompt of a concept of the file; white space is cleaned up, each text once."""
    stored = [*store.array("concepts/name"), *store.array("concepts/prompt")]
    known = {_folded(str(text)) for text in stored}
    new: list[str] = []
    for text in texts:
        tidy = " ".join(normalize("NFC", clean(text)).split())
        if not tidy or len(tidy.encode()) > MAX_TEXT:
            raise SingError(f"--text {clean(text)[:40]!r}: a concept has 1 to {MAX_TEXT:,} bytes")
        if _folded(tidy) in known:
            progress.say(f"{tidy!r} is a concept of {store.path} already")
        else:
            new.append(tidy)
            known.add(_folded(tidy))
    return new


def _folded(text: str) -> str:
    return " ".join(text.split()).casefold()


def _merge_top(
    top: tuple[NDArray[np.int32], NDArray[np.float32]], rows: NDArray[np.int64], new: Tensor, known: int
) -> None:
    """Merge new concepts into the list of concepts with the largest |AS| of each image of these rows, in place."""
    concepts, scores = top
    fresh = np.broadcast_to(np.arange(known, known + new.shape[1], dtype=np.int32), new.shape)
    names = np.concatenate([concepts[rows], fresh], axis=1)
    values = np.concatenate([scores[rows], new.numpy()], axis=1)
    size = np.where(names >= 0, np.nan_to_num(np.abs(values)), -1)
    order = np.argsort(-size, axis=1, kind="stable")[:, :TOP_CONCEPTS]
    concepts[rows], scores[rows] = np.take_along_axis(names, order, 1), np.take_along_axis(values, order, 1)
