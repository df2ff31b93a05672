"""The whole road of one run: load, look, extract, measure, write."""

import hashlib
import json
import sys
from contextlib import ExitStack
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version

import numpy as np
import torch
from numpy.typing import NDArray

from sing_compute import __version__
from sing_compute.errors import TranslatorError
from sing_compute.images.decoding import transform_settings
from sing_compute.images.listing import ImageList, folds_of, match_classes
from sing_compute.models.classifier import Classifier, load_classifier
from sing_compute.pipeline.comparison import Compared, write_comparison
from sing_compute.pipeline.features import attach_heads, extract
from sing_compute.pipeline.fitting import FOLDS
from sing_compute.pipeline.image_rows import Measured
from sing_compute.pipeline.interruption import Interruption
from sing_compute.pipeline.measure import ModelMeasurement
from sing_compute.pipeline.plan import Plan
from sing_compute.pipeline.probing import fit_probes
from sing_compute.pipeline.progress import Progress
from sing_compute.pipeline.reader import ShardReader
from sing_compute.pipeline.shards import SHARD_IMAGES, WorkFolder
from sing_compute.pipeline.shared import Pictures, Words, refuse
from sing_compute.pipeline.sources import given_images, imagenette_images
from sing_compute.pipeline.space import ClipSpace, class_table
from sing_compute.store import Store, Writer, replace_store
from sing_compute.store.write import SHARED
from sing_compute.translator.imported import ImportedTranslator, read_translator


def run(plan: Plan, progress: Progress) -> list[str]:
    """Carry out a plan; the results file stands in its place when this returns. Gives the names of the measured models.

    Raises:
        SingError: Anything the user can mend; the old results file, if there was one, is untouched.
        StoppedError: SIGINT or SIGTERM came; what was done is kept, and so is the old results file.
    """
    with Interruption(progress.say) as interruption:
        work = WorkFolder(plan.output, fresh=plan.fresh, stop=interruption.check)
        finished = False
        try:
            with progress.kept_in(work.progress_file, plan.command):
                _Run(plan, work, progress).go()
            finished = True
        finally:
            work.release(finished=finished)
    return [spec.name for spec in plan.models]


class _Run:
    """The state of one run, in the order in which it comes to be."""

    def __init__(self, plan: Plan, work: WorkFolder, progress: Progress) -> None:
        self.plan, self.work, self.progress = plan, work, progress
        self._given: dict[str, ImportedTranslator] = {}

    def go(self) -> None:
        plan, say = self.plan, self.progress.say
        for remark in plan.remarks:
            say(remark)
        images = given_images(plan)
        classifiers = [load_classifier(spec, probe=plan.probe) for spec in plan.models]
        images = images or imagenette_images(classifiers, self.progress)
        space = ClipSpace.load(plan)
        say(f"images: {len(images):,} in {plan.images or images.root}")
        fit_probes(classifiers, images, plan, self.work, self.progress)
        attach_heads(classifiers, [images.path(row) for row in range(len(images))])
        for classifier in classifiers:
            classes, dim = classifier.head[0].shape
            facts = classifier.provenance
            size = f"{classes} classes x {dim} features"
            say(f"{classifier.name}: head {facts['head']}, {size}, stored in {facts['stored_precision']}")
            if "note" in facts:
                say(f"{classifier.name}: {facts['note']}")
        table = class_table(classifiers, plan.class_names)
        labels = match_classes(images.labels_among(len(table.names)), table.names, table.wnids)
        order = np.lexsort((np.array(images.keys), labels))
        if space.image_embeddings:  # a missing key must not surface after hours of work
            space.image_embeddings.lookup([images.keys[row] for row in order], "images")
        prompts, class_vectors = space.classes(table.names, plan, plan.device)
        vocabulary, concept_vectors = space.concepts(plan, plan.device, self.progress)
        self._read_translators(classifiers, space.provenance["tag"], class_vectors.shape[1])
        words = Words(table, prompts, vocabulary, class_vectors, concept_vectors, space.provenance)
        self._check_output(words, images, order, labels)
        self._extract(images, order, classifiers, space)
        reader, kept, failed = self._reader(images, order, labels, space)
        pictures = Pictures.of(images, order[kept], labels, failed)
        self._write(classifiers, reader, words, pictures)

    def _read_translators(self, classifiers: list[Classifier], clip: str, clip_dim: int) -> None:
        """Translators made elsewhere; one that leads into another CLIP space than this run's is refused."""
        for classifier, given in zip(classifiers, self.plan.translators, strict=True):
            if given is None:
                continue
            found = read_translator(given[1], clip=given[0], dim=classifier.head[0].shape[1], clip_dim=clip_dim)
            if found.clip != clip:
                raise TranslatorError(
                    f"{given[1]}: leads into the CLIP space {found.clip}, this run's is {clip}: give --clip {found.clip}"
                )
            self._given[classifier.name] = found
            facts = classifier.provenance
            facts |= {"translator_file": str(given[1]), "translator_sha256": found.sha256}
            self.progress.say(f"{classifier.name}: translator from {given[1]}, into {found.clip}")

    def _old(self) -> ExitStack | Store:
        """The results file that models are added to; nothing where there is none."""
        return Store(self.plan.output) if self.plan.output.exists() and not self.plan.fresh else ExitStack()

    def _check_output(
        self, words: Words, images: ImageList, order: NDArray[np.int64], labels: NDArray[np.int32]
    ) -> None:
        """Refuse an output that models cannot be added to before hours of work, not after them."""
        with self._old() as old:
            if isinstance(old, Store):
                skipped = set(old.array("images/skipped_key"))
                expected = Pictures.of(images, [row for row in order if images.keys[row] not in skipped], labels, [])
                refuse(old, expected.differing(old) + words.differing(old))

    def _extract(
        self, images: ImageList, order: NDArray[np.int64], classifiers: list[Classifier], space: ClipSpace
    ) -> None:
        plan = self.plan
        keys = "\n".join(images.keys[row] for row in order)
        done = self.work.adopt_plan(
            {
                "version": __version__,
                "models": {
                    c.name: [c.provenance["state_sha256"], transform_settings(c.transform)] for c in classifiers
                },
                "clip": space.provenance,
                "images": hashlib.sha256(keys.encode()).hexdigest(),
                "image root": str((plan.images or images.root).resolve()),
                "batch size": plan.batch_size,
                "shard size": SHARD_IMAGES,
                "device": plan.device.type,
            }
        )
        if done:
            self.progress.say(f"going on: {done * SHARD_IMAGES:,} images or fewer were done before")
        extract(
            self.work,
            classifiers,
            space.network,
            [images.path(row) for row in order],
            device=plan.device,
            batch_size=plan.batch_size,
            workers=plan.workers,
            progress=self.progress,
        )

    def _reader(
        self, images: ImageList, order: NDArray[np.int64], labels: NDArray[np.int32], space: ClipSpace
    ) -> tuple[ShardReader, NDArray[np.int64], list[tuple[str, str]]]:
        empty = torch.empty(0)
        kept, broken = ShardReader(self.work, len(order), None, empty, empty, self.plan.device).kept()
        failed = [(images.keys[order[row]], reason) for row, reason in broken]
        if failed:
            self.progress.say(f"skipped {len(failed)} images that cannot be read, first {failed[0][0]}: {failed[0][1]}")
        keys = [images.keys[row] for row in order[kept]]
        targets = space.image_embeddings.lookup(keys, "images") if space.image_embeddings else None
        chosen = torch.from_numpy(labels[order[kept]])
        folds = torch.from_numpy(folds_of(keys, FOLDS))
        return ShardReader(self.work, len(order), targets, chosen, folds, self.plan.device), kept, failed

    def _write(self, classifiers: list[Classifier], reader: ShardReader, words: Words, pictures: Pictures) -> None:
        plan, classes = self.plan, len(words.classes.names)
        against = Measured(
            pictures.offsets(classes),
            pictures.labels,
            pictures.group_masks,
            words.class_vectors.to(plan.device),
            words.concept_vectors.to(plan.device),
        )
        with self._old() as old, replace_store(plan.output, scratch=self.work.folder) as writer:
            compared: dict[str, Compared] = {}
            position = 0
            if isinstance(old, Store):
                refuse(old, pictures.differing(old))
                compared, position = _adopt(old, writer, [classifier.name for classifier in classifiers])
            else:
                words.write(writer)
                pictures.write(writer, classes)
            for order, classifier in enumerate(classifiers, position):
                measurement = ModelMeasurement(
                    classifier,
                    reader,
                    against,
                    invariance=plan.invariance,
                    ridge=plan.ridge,
                    seed=plan.seed,
                    rule=plan.null_space,
                    translator=given.translator if (given := self._given.get(classifier.name)) else None,
                    compare=plan.compare_translators,
                )
                if not measurement.split.nullity:
                    self.progress.say(f"{classifier.name}: its head has no null space: stored without scores")
                found = measurement.run(writer, self.progress)
                if found is not None:
                    compared[classifier.name] = found
                facts = self._provenance(classifier, order)
                if measurement.doubt:
                    facts["significance_note"] = measurement.doubt
                    self.progress.say(f"{classifier.name}: {measurement.doubt}")
                writer.annotate(f"models/{classifier.name}", facts)
            write_comparison(writer, compared)

    def _provenance(self, classifier: Classifier, position: int) -> dict[str, str | int | float]:
        plan = self.plan
        versions = {f"{name}_version": version(name) for name in ("torch", "timm", "open_clip_torch", "numpy")}
        return {
            **classifier.provenance,
            **versions,
            "sing_compute_version": __version__,
            "python_version": sys.version.split()[0],
            "order": position,
            "invariance": plan.invariance,
            "null_space": str(plan.null_space),
            "folds": FOLDS,
            "seed": plan.seed,
            "lambda_choice": "none: translator from a file"
            if classifier.name in self._given
            else "out-of-fold cosine"
            if plan.ridge is None
            else "given",
            "device": plan.device.type,
            "batch_size": plan.batch_size,
            "threads": torch.get_num_threads(),
            "command": plan.command,
            "plan": json.dumps(asdict(plan), default=str),
            "written": datetime.now(UTC).isoformat(timespec="seconds"),
        }


def _adopt(old: Store, writer: Writer, replaced: list[str]) -> tuple[dict[str, Compared], int]:
    """Copy what stays of an existing file; gives what its models are compared by and the position of the next model."""
    others = [name for name in old.models if name not in replaced]
    writer.adopt(old, [*SHARED, *(f"models/{name}" for name in others)])
    known = {name: Compared.read(old, name) for name in others}
    last = max((int(old.attributes(f"models/{name}").get("order", 0)) for name in others), default=-1)
    return {name: compared for name, compared in known.items() if compared is not None}, 1 + last
