"""Measure the models of a run, each on one of its processes, and write the results file on rank 0."""

import json
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path

import torch

from sing_compute import __version__
from sing_compute.extraction.settings import Settings
from sing_compute.extraction.shards import WorkFolder
from sing_compute.images.listing import folds_of
from sing_compute.measuring.comparison import ModelFigures, compare_models
from sing_compute.measuring.fitting import FOLDS
from sing_compute.measuring.network_outputs import keep_outputs
from sing_compute.measuring.reader import ShardReader
from sing_compute.measuring.sing import SharedInputs, SingMeasurement
from sing_compute.models.classifier import Classifier
from sing_compute.openmp import waiting
from sing_compute.pipeline.comparability import (
    MeasuredImages,
    TextInputs,
    existing,
    has_texts,
    refuse,
    stored_figures,
)
from sing_compute.pipeline.map_files import map_folder, remove_unused_map_files
from sing_compute.pipeline.plan import Plan
from sing_compute.pipeline.preparation import Prepared
from sing_compute.pipeline.store_sink import StoreSink
from sing_compute.pipeline.wording import noun_of
from sing_compute.process.progress import Progress
from sing_compute.process.ranks import Ranks
from sing_compute.store import Store, Writer, replace_store
from sing_compute.store.copying import comparison_paths, dependent_paths, dependents
from sing_compute.store.text import clean
from sing_compute.translator.translator_file import ImportedTranslator


class Results:
    """Turn the finished shards of a run into a results file."""

    def __init__(
        self,
        plan: Plan,
        work: WorkFolder,
        progress: Progress,
        ranks: Ranks,
        prepared: Prepared,
        texts: TextInputs | None,
        settings: Settings,
        translators: dict[str, ImportedTranslator],
    ) -> None:
        """Read from the shards which images could be decoded.

        Args:
            plan: The plan of the run.
            work: The folder with all shards.
            progress: Shows how far each task is.
            ranks: The processes of the run.
            prepared: Networks with their heads, and the images.
            texts: Classes and concepts in the CLIP space of the run; None for a run without an analysis.
            settings: Settings of the networks' arithmetic.
            translators: Translators that were fitted elsewhere, by model.
        """
        self.plan, self.work, self.progress, self.ranks = plan, work, progress, ranks
        self._prepared, self._texts, self._settings, self._translators = prepared, texts, settings, translators
        self._classifiers, self._classes = prepared.classifiers, prepared.classes
        images, device = prepared.images, plan.device
        nothing = torch.empty(0, dtype=torch.int32)
        read = ShardReader(work, len(images), None, nothing, nothing, device).readable_rows()
        self._failed = [(images.keys[row], reason) for row, reason in read.failed]
        self._turned = [images.keys[row] for row in read.turned]
        self._original = read.original
        self._images, labels = images.take(read.rows), prepared.labels[read.rows]
        stored = prepared.space.image_embeddings if prepared.space else None
        targets = stored.lookup(self._images.keys, "images") if stored else None
        folds = torch.from_numpy(folds_of(self._images.keys, FOLDS, self._original))
        self._reader = ShardReader(work, len(images), targets, torch.from_numpy(labels), folds, device)
        self._labels = labels

    def write(self) -> None:
        """Measure this process's part of the models. Rank 0 waits for the others and writes the results file.

        Raises:
            SingError: The file cannot be written, or models cannot be added to the existing one.
        """
        own = self.ranks.part(range(len(self._classifiers)))
        root = self._images.place
        if not self.ranks.first:
            images = MeasuredImages(self._images.keys, self._labels, self._images.groups, self._failed, root)
            found: dict[int, ModelFigures | None] = {}
            with self.ranks.agreeing():
                for place in own:
                    with replace_store(self._part(place), scratch=self.work.folder) as writer:
                        found[place] = self._measure(writer, images, place, order=0)
            self.ranks.gather(found)
            return
        if self._failed:
            key, reason = self._failed[0]
            self.progress.say(f"skipped {len(self._failed)} images that cannot be read, first {key}: {reason}")
        if self._turned:
            self.progress.say(
                f"EXIF orientation: {len(self._turned):,} of {len(self._images):,} images are not stored upright, first "
                f"{self._turned[0]}; networks and explorer see them as stored"
            )
        images = MeasuredImages.of(
            self._images,
            self._labels,
            self._failed,
            turned=len(self._turned),
            original=self._original,
            noun=self.plan.noun,
        )
        if images.copies:
            self.progress.say(images.copies_remark)
        with existing(self.plan) as old, replace_store(self.plan.output, scratch=self.work.folder) as writer:
            sink, classes = StoreSink(writer), self._classes
            compared: dict[str, ModelFigures | None] = {}
            first = 0
            if old:
                compared, first = self._copy(old, writer)
            if old and "images/key" in old:
                refuse(old, images.differing(old))
            else:
                sink.classes(classes.names, classes.wnids)
                sink.images(images, len(classes.names))
            if self._texts and not (old and has_texts(old)):
                sink.texts(self._texts)
            with self.ranks.agreeing():
                found = {place: self._measure(writer, images, place, order=first + place) for place in own}
            for others in self.ranks.gather(found):
                for place in others.keys() - set(own):
                    self._take_over(writer, place, order=first + place)
                found |= others
            compared |= {classifier.name: found[place] for place, classifier in enumerate(self._classifiers)}
            scored = {name: figures for name, figures in compared.items() if figures is not None}
            if scored:
                sink.comparison(compare_models(scored))
            self.work.leave_if_asked()
        remove_unused_map_files(self.plan.output)

    def _copy(self, old: Store, writer: Writer) -> tuple[dict[str, ModelFigures | None], int]:
        """Copy the valid parts of an existing file; return the figures of its models, and the position of the next model."""
        measured = [classifier.name for classifier in self._classifiers]
        others = [name for name in old.models if name not in measured]
        again = [f"models/{name}" for name in old.models if name in measured]
        for name in again:
            unknown = [path for path in old.unknown() if path.startswith(f"{name}/")]
            if unknown:
                self.progress.say(f"left out, because the model is measured again: {', '.join(unknown)}")
        stale = dependent_paths(old, "models")
        if stale:
            self.progress.say(f"left out, because the models of the file change: {dependents(stale)}")
        writer.copy(old, leave_out=[*again, *comparison_paths(), *stale])
        known = {name: stored_figures(old, name) for name in others}
        last = max((int(old.attributes(f"models/{name}").get("order", 0)) for name in others), default=-1)
        return known, 1 + last

    def _measure(self, writer: Writer, images: MeasuredImages, place: int, *, order: int) -> ModelFigures | None:
        """Write the results of one model: first the outputs of its network, then SING's analysis."""
        plan, classifier, classes = self.plan, self._classifiers[place], len(self._classes.names)
        offsets, groups = images.offsets(classes), images.group_masks
        whole = StoreSink(writer, map_folder(plan.output))
        sink = whole.model(classifier.name, images=len(images.labels), classes=classes)
        correct, warnings = keep_outputs(
            classifier,
            self._reader,
            images.labels,
            offsets,
            list(groups.values()),
            sink,
            self.progress,
            names=self._classes.names,
            map_stride=self._prepared.map_strides(plan).get(classifier.name),
        )
        warnings = [*classifier.warnings, *warnings]
        facts = self._provenance(classifier, order) | self._settings.facts(classifier.name)
        if self._texts is None:
            self._finish(writer, classifier.name, facts, warnings)
            return None
        class_vectors, concept_vectors = self._texts.class_vectors, self._texts.concept_vectors
        imported = self._translators.get(classifier.name)
        measurement = SingMeasurement(
            classifier,
            self._reader,
            SharedInputs(
                offsets, images.labels, groups, class_vectors.to(plan.device), concept_vectors.to(plan.device)
            ),
            invariance=plan.invariance,
            ridge=plan.ridge,
            seed=plan.seed,
            rule=plan.null_space,
            translator=imported.translator if imported else None,
            compare=plan.compare_translators,
        )
        if not measurement.split.nullity:
            self.progress.warn(f"{classifier.name}: its head has no null space: stored without scores")
        figures = measurement.run(correct, sink, self.progress)
        facts |= self._analysis(classifier)
        if measurement.doubt:
            facts["significance_note"] = measurement.doubt
        self._finish(writer, classifier.name, facts, [*warnings, *measurement.warnings])
        return figures

    def _finish(self, writer: Writer, name: str, facts: dict[str, str | int | float], warnings: list[str]) -> None:
        """Write the attributes of a model, warnings among them, and report what makes its figures doubtful."""
        words = partial(noun_of(self.plan).words, names=[name, *self._classes.names])
        if warnings:
            facts["warnings"] = words(clean("; ".join(warnings)))
        for kind in ("note", "significance_note"):
            if kind in facts:
                facts[kind] = words(str(facts[kind]))
        writer.annotate(f"models/{name}", facts)
        self._report_doubts(name, facts)

    def _take_over(self, writer: Writer, place: int, *, order: int) -> None:
        """Copy a model that another process has measured."""
        name = self._classifiers[place].name
        self.work.wait_for(self._part(place))
        with Store(self._part(place)) as part:
            writer.copy_item(part, f"models/{name}")
            facts = part.attributes(f"models/{name}")
        writer.annotate(f"models/{name}", {"order": order})
        self._report_doubts(name, facts)

    def _report_doubts(self, name: str, facts: Mapping[str, object]) -> None:
        for kind in ("warnings", "significance_note"):
            if kind in facts:
                self.progress.say(f"{name}: {facts[kind]}")

    def _part(self, place: int) -> Path:
        """Return the file into which another process writes the model that it measures."""
        return self.work.folder / f"model-{place:03d}.part.h5"

    def _provenance(self, classifier: Classifier, position: int) -> dict[str, str | int | float]:
        versions = {f"{name}_version": version(name) for name in ("torch", "timm", "open_clip_torch", "numpy")}
        return {
            **classifier.provenance,
            **versions,
            "sing_compute_version": __version__,
            "python_version": sys.version.split()[0],
            "order": position,
            "device": self.plan.device.type,
            "processes": self.ranks.size,
            "threads": torch.get_num_threads(),
            "thread_waiting": waiting(),
            "command": self.plan.command,
            "plan": json.dumps(self.plan.described(), default=str),
            "written": datetime.now(UTC).isoformat(timespec="seconds"),
        }

    def _analysis(self, classifier: Classifier) -> dict[str, str | int | float]:
        """Return the settings of SING's analysis, as attributes."""
        plan = self.plan
        fitted = "out-of-fold cosine" if plan.ridge is None else "given"
        return {
            "invariance": plan.invariance,
            "null_space": str(plan.null_space),
            "folds": FOLDS,
            "seed": plan.seed,
            "lambda_choice": "none: translator from a file" if classifier.name in self._translators else fitted,
        }
