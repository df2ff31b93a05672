"""Carry out a run: load, check, extract features, measure, write."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from sing_compute import __version__
from sing_compute.errors import SingError
from sing_compute.extraction.features import extract
from sing_compute.extraction.networks import Networks
from sing_compute.extraction.settings import Settings
from sing_compute.extraction.shard_file import SHARD_IMAGES, shard_rows
from sing_compute.extraction.shards import WorkFolder
from sing_compute.images.listing import ImageList
from sing_compute.images.transform_steps import transform_settings
from sing_compute.openmp import waiting
from sing_compute.pipeline.comparability import TextInputs
from sing_compute.pipeline.output_file import replaced_models
from sing_compute.pipeline.plan import Plan
from sing_compute.pipeline.preparation import Prepared, prepare, read_translators, resolve, text_inputs
from sing_compute.pipeline.results import Results
from sing_compute.pipeline.wording import noun_of, speaking_of
from sing_compute.process.interruption import Interruption
from sing_compute.process.progress import Progress
from sing_compute.process.ranks import Ranks
from sing_compute.store import Store
from sing_compute.store.text import clean


def run(plan: Plan, progress: Progress, ranks: Ranks | None = None) -> list[str]:
    """Carry out a plan, up to the finished results file.

    With several processes, each runs its part of the images and measures its part of the models; rank 0 writes the file.

    Args:
        plan: The plan of the run.
        progress: Shows messages and how far each task is.
        ranks: The processes of the run; None for one.

    Returns:
        Names of the measured models.

    Raises:
        SingError: Any error that the user can correct; an old results file is unchanged.
        OtherRankError: Another process had such an error and reports it.
        StoppedError: SIGINT or SIGTERM came; finished work remains, and so does an old results file.
    """
    ranks = ranks or Ranks()
    with Interruption(progress.say) as interruption:
        with ranks.agreeing():
            work = WorkFolder(
                plan.output,
                fresh=plan.fresh or plan.in_memory,
                stop=interruption.check,
                warn=progress.warn,
                joined=not ranks.first,
            )
        finished = False
        try:
            device = f"{plan.device}, {waiting()}"
            with (
                progress.record(work.progress_file, plan.command, log=work.log_file, device=device),
                speaking_of(noun_of(plan), plan, progress),
            ):
                _Run(plan, work, progress, ranks).go()
            finished = True
        finally:
            work.release(finished=finished)
    return [spec.name for spec in plan.models]


def refuse_unscored(store: Store, measured: Sequence[str], *, kept: bool) -> None:
    """Refuse results in which no model has scores.

    Args:
        store: The results file.
        measured: Names of the models of the run.
        kept: True if the file stays.

    Raises:
        SingError: No head of these models has a null space.
    """
    if not any(store.summary(name)["nullity"] for name in measured):
        where = f"; {store.path} says so for each" if kept else f": {', '.join(map(clean, measured))}"
        raise SingError(f"no model of this run has a null space, so there is nothing to score{where}")


class _Run:
    """The steps of one run in their order."""

    def __init__(self, plan: Plan, work: WorkFolder, progress: Progress, ranks: Ranks) -> None:
        self.plan, self.work, self.progress, self.ranks = plan, work, progress, ranks

    def go(self) -> None:
        replaced = replaced_models(self.plan.output) if self.plan.fresh and self.ranks.first else []
        for remark in (*self.plan.remarks, *replaced):
            self.progress.say(remark)
        prepared = prepare(self.plan, self.work, self.progress, self.ranks)
        texts = self.ranks.share(lambda: text_inputs(self.plan, prepared, self.progress))
        with self.ranks.agreeing():
            translators = read_translators(self.plan, prepared.classifiers, texts, self.progress)
        settings = self._extract(prepared, texts)
        Results(self.plan, self.work, self.progress, self.ranks, prepared, texts, settings, translators).write()

    def _extract(self, prepared: Prepared, texts: TextInputs | None) -> Settings:
        """Compute the features of this process's shards; return the settings of the networks."""
        plan, images, ranks = self.plan, prepared.images, self.ranks
        clip = prepared.space.network if prepared.space else None
        networks = Networks(prepared.classifiers, clip, plan.device, self.progress.warn)
        settings = ranks.share(lambda: self._resolve_settings(prepared, texts, networks))
        with ranks.agreeing():
            if not ranks.first and not self.work.sees_plan():
                raise SingError(
                    f"rank {ranks.rank} does not see {self.work.folder} of rank 0: all processes of a run need the same -o, "
                    "in a folder that their machines share"
                )
        count = len(shard_rows(len(images)))
        # one list for all: a process that looks later would already see shards of the others, and share out the rest otherwise
        todo = ranks.share(lambda: [index for index in range(count) if not self.work.has(index)])
        title = "features" if ranks.alone else f"features (1 of {ranks.size} processes)"
        if todo:
            extract(
                self.work,
                networks,
                images,
                settings,
                ranks.part(todo),
                workers=plan.workers,
                progress=self.progress,
                title=title,
                map_strides=prepared.map_strides(plan),
            )
            settings = dataclasses.replace(settings, batch_size=networks.batch_size)
        ranks.wait()
        networks.release()
        return settings

    def _adopt(self, facts: dict[str, Any], images: ImageList) -> int:
        """Adopt the plan, and return the number of finished shards, each of which has been checked."""
        count = len(self.work.finished)
        if not count:
            return self.work.adopt_plan(facts)
        with self.progress.task("finished work, checked", count) as advance:
            return self.work.adopt_plan(facts, images=images, advance=advance)

    def _resolve_settings(self, prepared: Prepared, texts: TextInputs | None, networks: Networks) -> Settings:
        """Adopt the plan; return the recorded settings of unfinished work, or choose them now."""
        plan, images, say = self.plan, prepared.images, self.progress.say
        maps = {"maps": dataclasses.asdict(plan.maps)} if plan.maps else {}
        facts = maps | {
            "version": __version__,
            "models": {
                c.name: [
                    c.provenance["state_sha256"],
                    transform_settings(c.transform),
                    *([c.chosen_head.name] if c.chosen_head else []),
                ]
                for c in prepared.classifiers
            },
            "clip": prepared.space.provenance if prepared.space else None,
            "images": images.keys.sha256(),
            "image root": images.place,
            "batch size": plan.batch_size,
            "precision": plan.precision,
            "shard size": SHARD_IMAGES,
            "device": plan.device.type,
        }
        done = self._adopt(facts, images)
        if done:
            say(f"going on: {done * SHARD_IMAGES:,} images or fewer were done before")
        known = self.work.settings()
        if known:
            settings = Settings.from_json(known)
        else:
            settings = resolve(plan, prepared, texts, networks, self.progress)
            self.work.keep_settings(settings.to_json())
        for line in settings.lines():
            say(line)
        return settings
