"""Draw T(f), T(f~) and other embeddings of images of one model, and add the pictures to the results file."""

from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from sing_compute.concepts.open_clip_space import OpenClipSpace
from sing_compute.errors import SingError
from sing_compute.extraction.shards import WorkFolder
from sing_compute.outside_files import size_text
from sing_compute.pipeline.devices import usable_device
from sing_compute.process.interruption import Interruption
from sing_compute.process.progress import Progress
from sing_compute.questions.directions.search_state import SearchState
from sing_compute.questions.renders.choosing import chosen_rows
from sing_compute.questions.renders.drawing import Drawer, DrawnImage, embedded, keep, kept
from sing_compute.questions.renders.outside_pictures import OutsidePictures, export_vectors, find_pictures
from sing_compute.questions.renders.question import OTHERS, RenderQuestion, facts_of, plan_of, the_model
from sing_compute.questions.renders.real_images import Measured, measured, nearest_images
from sing_compute.questions.renders.sink import GROUP, put_pictures
from sing_compute.questions.renders.vectors import ImageVectors, image_vectors
from sing_compute.questions.steering import Target, find_target
from sing_compute.questions.stored_model import StoredModel
from sing_compute.questions.text_vectors import load_clip
from sing_compute.rendering.clip_agreement import check_space
from sing_compute.rendering.decoder_files import DecoderFiles, find_decoder
from sing_compute.rendering.decoders import Decoder, load_decoder
from sing_compute.store import Store, replace_store
from sing_compute.store.definitions.render_fields import ELSEWHERE, NEAREST
from sing_compute.store.text import clean
from sing_compute.store.write import Attribute

_PICTURE = 30_000
"""Bytes of a picture of 256 x 256 pixels, for the forecast."""


@dataclass(slots=True)
class _Look:
    """The file's CLIP network on its device; none if it cannot be had."""

    clip: OpenClipSpace | None
    device: torch.device


def render_and_add(path: Path, question: RenderQuestion, progress: Progress) -> str:
    """Draw the embeddings of images of a model and add the pictures to its file, which is replaced in one step.

    Killed work goes on behind the last finished image. Pictures of the model from an earlier call are replaced.

    Args:
        path: The results file.
        question: What is asked for.
        progress: Is given lines about what is used, and how far the work is.

    Returns:
        Name of the model.

    Raises:
        SingError: A mistake of the user; the file is unchanged.
    """
    question.check()
    Store(path).close()  # fails here if there is no such file, before a work folder is made
    with Interruption(progress.say, unit="image") as interruption:
        work, finished = WorkFolder(path, fresh=question.fresh, stop=interruption.check, warn=progress.warn), False
        try:
            others = (
                ("*.probe",) if question.decoder is not None else ("*.probe", "*.safetensors")
            )  # a plan finds the rest
            if any(found for pattern in others for found in work.folder.glob(pattern)):
                raise SingError(
                    f"{work.folder} holds unfinished work for {path}: finish that run first, or add --fresh"
                )
            with Store(path) as store, ExitStack() as stack:
                stack.enter_context(progress.record(work.progress_file, "sing-compute render"))
                model = _add(store, work, question, progress)
                finished = True
                return model
        finally:
            work.release(finished=finished)


def export(path: Path, question: RenderQuestion, progress: Progress) -> int:
    """Write the embeddings that pictures would show into `question.export`; the results file is not changed.

    Args:
        path: The results file.
        question: What is asked for.
        progress: Is given lines about what is left out.

    Returns:
        The number of embeddings.

    Raises:
        SingError: A mistake of the user; nothing is written.
    """
    question.check()
    assert question.export is not None
    with Store(path) as store:
        model = _model(store, question)
        return export_vectors(question.export, store, model.name, _images(model, question, progress), question.command)


def _model(store: Store, question: RenderQuestion) -> StoredModel:
    if not store.noun.is_image:
        raise SingError(f"{store.path} is of {store.noun.plural}: there are no pictures of them")
    model = StoredModel.read(store, the_model(store, question.model))
    model.need_features("render")
    return model


def _images(model: StoredModel, question: RenderQuestion, progress: Progress) -> list[ImageVectors]:
    """Return the embeddings of the chosen images, and say which cannot be had."""
    target: Target | None = None
    if question.steer is not None:
        target = find_target(model.store, question.steer, progress, clip=question.clip)
    rows = chosen_rows(model, question, progress)
    found = image_vectors(model, rows, question.also, target, angle=question.angle)
    for kind in (*question.also, *(["steered"] if target else [])):
        without = sum(kind not in image.kinds for image in found)
        if without:
            have = "has" if without == 1 else "have"
            progress.say(f"{without} of {len(found)} images {have} no {kind} embedding: it cannot be reached")
    return found


def _add(store: Store, work: WorkFolder, question: RenderQuestion, progress: Progress) -> str:
    model = _model(store, question)
    files = None if question.decoder is None else find_decoder(question.decoder)
    outside = None if question.from_images is None else find_pictures(question.from_images)
    if outside is not None:
        question = _as_in_folder(store, outside, question, progress)
    images = _images(model, question, progress)
    if files is not None:
        drawn, facts = _decoded(model, images, files, work, question, progress)
        source = files.pipeline
    else:
        source = NEAREST if outside is None else ELSEWHERE
        drawn, facts = _taken(model, images, outside, question, progress)
    work.leave_if_asked()
    with replace_store(store.path, scratch=work.folder) as writer:
        writer.copy(store, leave_out=[GROUP.format(model=model.name)])
        put_pictures(writer, model.name, drawn, decoded=source != NEAREST)
        writer.annotate(GROUP.format(model=model.name), facts_of(question, source, facts))
    return model.name


def _decoded(
    model: StoredModel,
    images: list[ImageVectors],
    files: DecoderFiles,
    work: WorkFolder,
    question: RenderQuestion,
    progress: Progress,
) -> tuple[list[DrawnImage], dict[str, Attribute]]:
    """Draw every image with a decoder; images that were finished earlier are read."""
    store, where = model.store, f"--decoder {question.decoder}"
    look = _look(store, question, progress, needed=True)
    assert look.clip is not None
    name = str(store.attributes("clip").get("tag", ""))
    space = check_space(files, look.clip.visual, clean(name), images[0].vectors.shape[1], where)
    progress.say(f"decoder {files.name}: {files.pipeline}, {size_text(files.size)} of weights")
    sha256 = files.sha256()
    decoder: Decoder = load_decoder(
        files, steps=question.steps, device=look.device, memory=question.memory, where=where
    )
    known = measured(
        *(store, images, look.clip, look.device, decoder, progress), folder=question.photographs, norm=question.norm
    )
    facts = {"decoder": files.name, "decoder_revision": files.revision, "decoder_sha256": sha256, **decoder.facts}
    work.adopt_plan(
        plan_of(model, question, [image.key for image in known.images], [image.kinds for image in known.images], facts)
    )
    drawn = _draw_all(known, decoder, look, work, question, progress)
    facts |= {
        "space": space,
        "norm_from": known.norm_from,
        "seeds": question.seeds,
        "device": str(look.device),
        **_versions(),
    }
    return drawn, {key: value for key, value in facts.items() if value != ""}


def _draw_all(
    known: Measured, decoder: Decoder, look: _Look, work: WorkFolder, question: RenderQuestion, progress: Progress
) -> list[DrawnImage]:
    """Draw image after image, and keep each on disk when it is finished."""
    assert look.clip is not None
    count = question.seeds * sum(len(image.kinds) for image in known.images)
    size = count * _PICTURE * (min(decoder.side, 512) / 256) ** 2
    progress.say(
        f"{len(known.images)} images, {count} pictures of {decoder.side} x {decoder.side} pixels with {question.seeds} seeds; "
        f"about {size_text(int(size))} in the file. The time left is shown from the first pictures on"
    )
    draw = Drawer(decoder, question.seeds, question.batch, work.leave_if_asked)
    found = []
    with progress.task("pictures", count) as advance:
        for number, (image, norm) in enumerate(zip(known.images, known.norms, strict=True)):
            state = SearchState(work.folder / f"picture-{number:05d}.safetensors", work.plan_sha256)
            drawn = kept(state, image)
            if drawn is None:
                pictures = tuple(draw(image, norm, advance))
                shown = embedded(look.clip, look.device, [picture.jpeg for picture in pictures])
                drawn = DrawnImage(image, norm, pictures, shown)
                keep(state, drawn)
            else:
                advance(len(drawn.pictures))
            found.append(drawn)
    return found


def _taken(
    model: StoredModel,
    images: list[ImageVectors],
    outside: OutsidePictures | None,
    question: RenderQuestion,
    progress: Progress,
) -> tuple[list[DrawnImage], dict[str, Attribute]]:
    """Take pictures that were decoded elsewhere, or the nearest real images."""
    look = _look(model.store, question, progress, needed=outside is not None)
    if outside is None:
        rest = "; other embeddings get none" if question.also or question.steer else ""
        progress.say(f"no --decoder: the nearest real images of T(f) and T(f~) take the places of pictures{rest}")
    elif "true" in outside.kinds and look.clip is not None:
        images = measured(
            *(model.store, images, look.clip, look.device, None, progress), folder=question.photographs, norm=None
        ).images
    found = []
    for image in images:
        if outside is None:
            pictures = nearest_images(model.store, model.name, image, question.photographs)
        else:
            image, pictures = outside.drawn(image)
        shown = None if look.clip is None else embedded(look.clip, look.device, [picture.jpeg for picture in pictures])
        found.append(DrawnImage(image, float("nan"), tuple(pictures), shown))
    alike = 0 if outside is None else sum(outside.alike(each.pictures) for each in found)
    if alike:
        progress.warn(
            f"{alike} of {len(found)} images: equal pictures of T(f) for all seeds, so their noise is not known"
        )
    place = {} if outside is None else {"pictures_from": str(outside.folder)}
    return found, {**place, **_versions()}


def _look(store: Store, question: RenderQuestion, progress: Progress, *, needed: bool) -> _Look:
    """Load the file's CLIP; without it nearest images have no angles, and everything else is refused."""
    device = usable_device(question.device, 0)
    try:
        if store.attributes("clip").get("source") == "stored embeddings":
            raise SingError(
                f"{store.path} was made from stored embeddings: no CLIP network can look at pictures for it"
            )
        return _Look(load_clip(store, progress, clip=question.clip).to(device), device)
    except SingError as error:
        if needed or question.clip:
            raise
        progress.say(f"angles between pictures and embeddings are not known: {error}")
        return _Look(None, device)


def _as_in_folder(
    store: Store, outside: OutsidePictures, question: RenderQuestion, progress: Progress
) -> RenderQuestion:
    """Return the options with the kinds of a folder, and with its images unless the user names some."""
    if "steered" in outside.kinds and question.steer is None:
        raise SingError(
            f"{outside.folder} holds steered pictures: name with --steer and --angle what they are steered toward"
        )
    also = tuple(kind for kind in OTHERS if kind in outside.kinds)
    images = question.images
    if not images and question.label is None:
        keys = {str(key) for key in store.array("images/key")}
        images = sorted(key for key in outside.places if key in keys)
        strange = sorted(outside.places.keys() - keys)
        if strange:
            progress.say(
                f"{'1 folder' if len(strange) == 1 else f'{len(strange):,} folders'} of {outside.folder} left out, named like no "
                f"image of the file: {clean(strange[0])}"
            )
        if not images:
            raise SingError(
                f"--from-images {outside.folder}: none of its folders is the key of an image of {store.path}"
            )
    return replace(question, also=also, images=images)


def _versions() -> dict[str, Any]:
    import importlib.metadata

    found = {}
    for name in ("diffusers", "transformers", "torch"):
        try:
            found[f"{name}_version"] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
