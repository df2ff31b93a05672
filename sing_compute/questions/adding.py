"""Concepts added to a results file later, from the features that it keeps: no image is decoded, no classifier is run."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unicodedata import normalize

import h5py
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sing_compute.errors import SingError
from sing_compute.extraction.shards import WorkFolder
from sing_compute.fingerprints import file_sha256
from sing_compute.measuring.concept_rows import ConceptRows
from sing_compute.measuring.fitting import FittedTranslator
from sing_compute.measuring.image_rows import Measured
from sing_compute.measuring.validity import Validity
from sing_compute.process.interruption import Interruption
from sing_compute.process.progress import Progress
from sing_compute.questions.kept import KeptModel
from sing_compute.questions.texts import text_vectors
from sing_compute.scores.shifts import ConceptShifts, fold_views
from sing_compute.scores.significance import SharedDirections, benjamini_hochberg
from sing_compute.store import Store, Writer, replace_store
from sing_compute.store.gate import MAX_TEXT
from sing_compute.store.schema import FIELDS, SIGNIFICANT, TOP_CONCEPTS
from sing_compute.store.text import clean
from sing_compute.store.write import SHARED
from sing_compute.translator.ridge import RidgeSums

KIND = "added"
"""Kind of a concept that was added later."""
NEW = "new"
"""What the model is called in the file of new columns, which is in memory alone."""
FIGURES = [path.rpartition("/")[2] for path in FIELDS if path.startswith("models/{model}/concepts/")]


def add_concepts(
    path: Path,
    texts: Sequence[str],
    progress: Progress,
    *,
    clip: str | None = None,
    embeddings: Path | None = None,
) -> list[str]:
    """Add concepts, each its own name and prompt, to every model of a file that has scores; gives those that were new.

    The file is replaced in one step. Everything that does not depend on the vocabulary is copied bit for bit.

    Args:
        path: The results file.
        texts: The concepts; those that the file has are left out.
        progress: Where to say what is left out, and on how many images the new ones rest.
        clip: Where the file's CLIP lies, as in `text_vectors`.
        embeddings: Stored text embeddings instead.

    Raises:
        SingError: The texts have no vectors in the file's CLIP space, a model keeps no features, or the file is being
            written. The file is untouched.
    """
    Store(path).close()  # no folder is made beside a file that is not there
    with Interruption(progress.say) as interruption:
        work = WorkFolder(path, fresh=False, stop=interruption.check)
        try:
            if any(work.folder.glob("*.safetensors")) or any(work.folder.glob("*.probe")):
                raise SingError(f"{work.folder} holds unfinished work for {path}: finish that run first")
            with Store(path) as store, progress.record(work.progress_file, "sing-compute concepts"):
                new = _new(store, texts, progress)
                if new:
                    _Adding(store, work, progress).go(new, clip, embeddings)
        finally:
            work.release(finished=False)
    return new


class _Adding:
    """New columns of one file."""

    def __init__(self, store: Store, work: WorkFolder, progress: Progress) -> None:
        self.store, self.work, self.progress = store, work, progress

    def go(self, new: list[str], clip: str | None, embeddings: Path | None) -> None:
        store = self.store
        models = [KeptModel.read(store, name) for name in store.models if store.summary(name).get("nullity")]
        if not models:
            raise SingError(f"no model of {store.path} has scores: there is nothing to add concepts to")
        images = int(store.offsets[-1])
        for kept in models:
            kept.need_features("concepts")
            if len(kept.rows) < images:
                self.progress.say(
                    f"{clean(kept.name)}: the new concepts rest on the {len(kept.rows):,} of {images:,} images whose "
                    "features are kept"
                )
        vectors = text_vectors(store, new, new, self.progress, clip=clip, embeddings=embeddings)
        with replace_store(store.path, scratch=self.work.folder) as writer:
            writer.adopt(store, [*SHARED, "comparison", *(f"models/{name}" for name in store.models)])
            if embeddings:
                writer.annotate("clip", {"added_sha256": file_sha256(embeddings)})
            self._words(writer, new, vectors)
            for kept in models:
                self._model(writer, kept, vectors)

    def _words(self, writer: Writer, new: list[str], vectors: Tensor) -> None:
        for name, values in (("name", new), ("kind", [KIND] * len(new)), ("prompt", new)):
            writer.replace(f"concepts/{name}", [*self.store.array(f"concepts/{name}"), *values])
        writer.replace(
            "clip/concept_embeddings",
            np.concatenate([self.store.array("clip/concept_embeddings"), vectors.numpy()]),
        )

    def _model(self, writer: Writer, kept: KeptModel, vectors: Tensor) -> None:
        """The new columns, by the code that measures a vocabulary, into a file in memory; then beside the old ones."""
        store, base = self.store, f"models/{kept.name}/"
        known = len(store.concept_names)
        nulls = [removal.whole.weight - removal.principal.weight for removal in kept.folds]
        seed = store.attributes(f"models/{kept.name}").get("seed", 0)
        directions = SharedDirections.of(kept.split, nulls, vectors, seed=int(seed))
        against = Measured(kept.offsets, np.empty(0, np.int32), {}, torch.empty(0), vectors)
        top = store.array(f"{base}images/top_concept"), store.array(f"{base}images/top_concept_score")
        with h5py.File(NEW, "w", driver="core", backing_store=False) as memory:
            rows = ConceptRows(Writer(memory), NEW, against, directions)
            with self.progress.task(f"{clean(kept.name)}: concepts", len(kept.rows)) as advance:
                for batch in kept.batches():
                    views = fold_views(kept.folds, batch.features, batch.folds)
                    shifts = ConceptShifts.of(views, vectors)
                    rows.add(batch, views, shifts, kept.split.null_part(batch.features.double()))
                    _merge_top(top, kept.rows[batch.rows], shifts.attribute_score, known)
                    advance(len(batch.features))
                    self.work.leave_if_asked()
            rows.close()
            found = {name: memory[f"models/{NEW}/concepts/{name}"][()] for name in FIGURES}
        matrices = {name: np.concatenate([store.array(f"{base}concepts/{name}"), found[name]], 1) for name in FIGURES}
        normal = torch.special.erfc(torch.from_numpy(matrices["z"]).double().abs() / math.sqrt(2))
        matrices["q"] = benjamini_hochberg(normal).float().numpy()
        for name, values in matrices.items():
            writer.replace(f"models/{{model}}/concepts/{name}", values, model=kept.name)
        for name, values in zip(("top_concept", "top_concept_score"), top, strict=True):
            writer.replace(f"models/{{model}}/images/{name}", values, model=kept.name)
        significant = int((matrices["q"] < SIGNIFICANT).sum())
        writer.replace("models/{model}/summary/significant", significant, model=kept.name)
        self._spectrum(writer, kept, vectors)

    def _spectrum(self, writer: Writer, kept: KeptModel, vectors: Tensor) -> None:
        """The concepts at the poles of the null directions; the directions themselves stay."""
        concepts = torch.cat([torch.from_numpy(self.store.array("clip/concept_embeddings")), vectors])
        clip, dim = kept.whole.whole.weight.shape
        nothing = torch.empty(0)
        sums = RidgeSums.zero(dim, clip)  # what the spectrum says of the data stays as it is
        fitted = FittedTranslator(math.nan, math.nan, kept.whole, kept.folds, nothing, sums, [])

        def put(group: str, **values: Any) -> None:
            for name, value in values.items():
                if name != "singular_value":
                    writer.replace(f"models/{{model}}/{group}/{name}", value, model=kept.name)

        Validity(kept.split, kept.weight, kept.bias, fitted, nothing, concepts, 0, 0).spectrum(put)


def _new(store: Store, texts: Sequence[str], progress: Progress) -> list[str]:
    """The texts, tidied, that are neither name nor prompt of a concept of the file; each once."""
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
    """Let new concepts into the few with the largest |AS| of each image of these rows, in place."""
    concepts, scores = top
    fresh = np.broadcast_to(np.arange(known, known + new.shape[1], dtype=np.int32), new.shape)
    names = np.concatenate([concepts[rows], fresh], axis=1)
    values = np.concatenate([scores[rows], new.numpy()], axis=1)
    size = np.where(names >= 0, np.nan_to_num(np.abs(values)), -1)
    order = np.argsort(-size, axis=1, kind="stable")[:, :TOP_CONCEPTS]
    concepts[rows], scores[rows] = np.take_along_axis(names, order, 1), np.take_along_axis(values, order, 1)
