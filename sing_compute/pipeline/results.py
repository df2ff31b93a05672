"""Measuring the models of a run, each on one of its processes, and the results file that rank 0 makes of them."""

import json
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import torch

from sing_compute import __version__
from sing_compute.extraction.settings import Settings
from sing_compute.extraction.shards import WorkFolder
from sing_compute.images.listing import folds_of
from sing_compute.measuring.comparison import Compared, write_comparison
from sing_compute.measuring.fitting import FOLDS
from sing_compute.measuring.image_rows import Measured
from sing_compute.measuring.measure import ModelMeasurement
from sing_compute.measuring.reader import ShardReader
from sing_compute.models.classifier import Classifier
from sing_compute.pipeline.plan import Plan
from sing_compute.pipeline.preparation import Prepared
from sing_compute.pipeline.shared import Pictures, Words, existing, refuse
from sing_compute.process.progress import Progress
from sing_compute.process.ranks import Ranks
from sing_compute.store import Store, Writer, replace_store
from sing_compute.store.write import SHARED
from sing_compute.translator.translator_file import ImportedTranslator


class Results:
    """What the finished shards of a run lead to."""

    def __init__(
        self,
        plan: Plan,
        work: WorkFolder,
        progress: Progress,
        ranks: Ranks,
        prepared: Prepared,
        words: Words,
        settings: Settings,
        given: dict[str, ImportedTranslator],
    ) -> None:
        self.plan, self.work, self.progress, self.ranks = plan, work, progress, ranks
        self._classifiers, self._words, self._settings, self._given = prepared.classifiers, words, settings, given
        images, device = prepared.images, plan.device
        empty = torch.empty(0)
        kept, broken = ShardReader(work, len(images), None, empty, empty, device).kept()
        self._failed = [(images.keys[row], reason) for row, reason in broken]
        self._images, labels = images.take(kept), prepared.labels[kept]
        stored = prepared.space.image_embeddings
        targets = stored.lookup(self._images.keys, "images") if stored else None
        folds = torch.from_numpy(folds_of(self._images.keys, FOLDS))
        self._reader = ShardReader(work, len(images), targets, torch.from_numpy(labels), folds, device)
        self._labels = labels

    def write(self) -> None:
        """Measure this process's part of the models. Rank 0 waits for the others' and puts the results file in place.

        Raises:
            SingError: It cannot be written, or models cannot be added to the one that is there.
        """
        own = self.ranks.part(range(len(self._classifiers)))
        root = str(self._images.root.resolve())
        if not self.ranks.first:
            pictures = Pictures(self._images.keys, self._labels, self._images.groups, self._failed, root)
            found: dict[int, Compared | None] = {}
            with self.ranks.agreeing():
                for place in own:
                    with replace_store(self._part(place), scratch=self.work.folder) as writer:
                        found[place] = self._measure(writer, pictures, place, order=0)
            self.ranks.gather(found)
            return
        if self._failed:
            key, reason = self._failed[0]
            self.progress.say(f"skipped {len(self._failed)} images that cannot be read, first {key}: {reason}")
        pictures = Pictures.of(self._images, self._labels, self._failed)
        with existing(self.plan) as old, replace_store(self.plan.output, scratch=self.work.folder) as writer:
            compared: dict[str, Compared | None] = {}
            first = 0
            if old:
                refuse(old, pictures.differing(old))
                compared, first = _adopt(old, writer, [classifier.name for classifier in self._classifiers])
            else:
                self._words.write(writer)
                pictures.write(writer, len(self._words.classes.names))
            with self.ranks.agreeing():
                found = {place: self._measure(writer, pictures, place, order=first + place) for place in own}
            for others in self.ranks.gather(found):
                for place in others.keys() - set(own):
                    self._take_over(writer, place, order=first + place)
                found |= others
            compared |= {classifier.name: found[place] for place, classifier in enumerate(self._classifiers)}
            write_comparison(writer, {name: known for name, known in compared.items() if known is not None})

    def _measure(self, writer: Writer, pictures: Pictures, place: int, *, order: int) -> Compared | None:
        """Measure one model into a file."""
        plan, classifier = self.plan, self._classifiers[place]
        given = self._given.get(classifier.name)
        against = Measured(
            pictures.offsets(len(self._words.classes.names)),
            pictures.labels,
            pictures.group_masks,
            self._words.class_vectors.to(plan.device),
            self._words.concept_vectors.to(plan.device),
        )
        measurement = ModelMeasurement(
            classifier,
            self._reader,
            against,
            invariance=plan.invariance,
            ridge=plan.ridge,
            seed=plan.seed,
            rule=plan.null_space,
            translator=given.translator if given else None,
            compare=plan.compare_translators,
        )
        if not measurement.split.nullity:
            self.progress.warn(f"{classifier.name}: its head has no null space: stored without scores")
        compared = measurement.run(writer, self.progress)
        facts = self._provenance(classifier, order) | self._settings.facts(classifier.name)
        if measurement.doubt:
            facts["significance_note"] = measurement.doubt
        writer.annotate(f"models/{classifier.name}", facts)
        self._tell(classifier.name, measurement.doubt)
        return compared

    def _take_over(self, writer: Writer, place: int, *, order: int) -> None:
        """Copy a model that another process has measured."""
        name = self._classifiers[place].name
        self.work.wait_for(self._part(place))
        with Store(self._part(place)) as part:
            writer.adopt(part, [f"models/{name}"])
            facts = part.attributes(f"models/{name}")
        writer.annotate(f"models/{name}", {"order": order})
        self._tell(name, str(facts.get("significance_note", "")))

    def _tell(self, name: str, doubt: str) -> None:
        if doubt:
            self.progress.say(f"{name}: {doubt}")

    def _part(self, place: int) -> Path:
        """Where another process leaves the model that it has measured."""
        return self.work.folder / f"model-{place:03d}.part.h5"

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
            "processes": self.ranks.size,
            "threads": torch.get_num_threads(),
            "command": plan.command,
            "plan": json.dumps(asdict(plan), default=str),
            "written": datetime.now(UTC).isoformat(timespec="seconds"),
        }


def _adopt(old: Store, writer: Writer, replaced: list[str]) -> tuple[dict[str, Compared | None], int]:
    """Copy what stays of an existing file; gives what its models are compared by and the position of the next model."""
    others = [name for name in old.models if name not in replaced]
    writer.adopt(old, [*SHARED, *(f"models/{name}" for name in others)])
    known: dict[str, Compared | None] = {name: Compared.read(old, name) for name in others}
    last = max((int(old.attributes(f"models/{name}").get("order", 0)) for name in others), default=-1)
    return known, 1 + last
