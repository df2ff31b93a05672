"""Explain one new photograph by the networks of a results file: what their heads ignore in it. No CLIP is loaded."""

import dataclasses
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from sing_compute.errors import HeadError, ImagesError, SingError, WeightsError
from sing_compute.fingerprints import state_sha256, tensors_sha256
from sing_compute.hubs import NOT_ASKED, cache_alone
from sing_compute.images.decoding import decode_batches
from sing_compute.images.listing import ImageList
from sing_compute.linalg.angles import unit
from sing_compute.models.backbone import HeadedBackbone
from sing_compute.models.checkpoint_files import checkpoint_sha256
from sing_compute.models.classifier import Classifier, load_classifier
from sing_compute.models.spec import PRESETS, TIMM_SOURCES, ModelSpec
from sing_compute.models.transform_option import TransformOption
from sing_compute.models.weights import AVERAGED, read_state
from sing_compute.questions.stored_model import StoredModel
from sing_compute.scores.shifts import ConceptShifts, attribute_score, image_score
from sing_compute.store import Store
from sing_compute.store.constants import NEIGHBOURS
from sing_compute.store.text import clean, store_error


@dataclass(frozen=True, slots=True)
class Shift:
    """Shift of the photograph toward one concept when its null part is removed, and the class's mean shift in the file."""

    concept: str
    attribute_score: float
    """AS of the photograph, in degrees."""
    class_mean: float
    """Mean AS of the images of the predicted class, in degrees; NaN if it has no images."""
    q: float
    """q of that mean, compared with chance."""


@dataclass(frozen=True, slots=True)
class Neighbour:
    """An image of the file, and the cosine of its T(f) with a vector of the photograph."""

    key: str
    class_name: str
    cosine: float


@dataclass(frozen=True, slots=True)
class Scores:
    """Scores of one photograph under one head; angles in degrees."""

    null_energy: float
    attribute_score: float
    """AS toward the prompt of the predicted class."""
    image_score: float
    class_attribute_score: float
    """Median AS of the images of that class in the file; NaN if it has no images."""
    class_image_score: float
    shifts: list[Shift]
    before: list[Neighbour]
    """Images nearest to T(f); empty if the file stores no features."""
    after: list[Neighbour]
    """Images nearest to T(f~)."""
    compared: int
    """Number of images among which the nearest were searched."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """The answer of one model about one photograph."""

    model: str
    prediction: str
    confidence: float
    scores: Scores | None
    """Scores of the photograph; None where the file has no scores of the model."""
    unscored: str = ""
    """Why there are none."""


@torch.inference_mode()
def explain(store: Store, model: str, path: Path, *, spec: str | None = None, top: int = 10) -> Explanation:
    """Run one photograph through one model, and score its null part by the file's translator, fitted on all its images.

    Args:
        store: The results file.
        model: Name of one of its models.
        path: The photograph.
        spec: The network, as written after `--model NAME=`; None for the one that the file names.
        top: Number of concepts to return, those with the largest |AS|.

    Raises:
        SingError: The photograph cannot be read, the network cannot be loaded, or it is another one than was measured.
    """
    check_photograph(path)
    classifier = _load(store, model, spec)
    batch = next(decode_batches(_list_of_one(path), [classifier.transform], [[0]], workers=0))
    if batch.failed:
        raise ImagesError(f"{path}: {clean(model)} cannot take it: {batch.failed[0][1]}")
    classifier.attach(batch.tensors[0])
    facts = store.attributes(f"models/{model}")
    if classifier.provenance["head"] != facts.get("head"):
        raise HeadError(f"{clean(model)}: its head is {classifier.provenance['head']} here, {facts.get('head')} there")
    features, logits = classifier(batch.tensors[0])
    if not features.isfinite().all() or not logits.isfinite().all():
        raise SingError(f"{clean(model)} gives features that are not finite for {path}")
    if (logits.shape[1], features.shape[1]) != store.dataset(f"models/{model}/head/weight").shape:
        raise store_error(f"{store.path.name}: models/{model}/head/weight: not of the size of the network's own head")
    confidence, prediction = logits.float().softmax(1).max(1)
    names = store.class_names
    scores = None
    if store.summary(model).get("nullity"):
        scores = _scores(StoredModel.read(store, model), features, int(prediction), top)
    why = "" if scores is not None else store.unscored(model)
    return Explanation(clean(model), clean(str(names[int(prediction)])), float(confidence), scores, why)


def check_photograph(path: Path) -> None:
    """Refuse a file that is no image, before a network is loaded.

    Raises:
        ImagesError: The file is missing or cannot be decoded.
    """
    if not path.is_file():
        raise ImagesError(f"--path {path}: {'not a regular file' if path.exists() else 'no such file'}")
    batch = next(decode_batches(_list_of_one(path), [lambda image: torch.tensor(image.size)], [[0]], workers=0))
    if batch.failed:
        raise ImagesError(f"--path {path}: not a readable image ({batch.failed[0][1]})")


def _list_of_one(path: Path) -> ImageList:
    return ImageList.of_files(path.parent, [path.name])


def _scores(model: StoredModel, features: Tensor, label: int, top: int) -> Scores:
    store, base = model.store, f"models/{model.name}/"
    features = features.double()
    views = model.whole(features)
    text = torch.from_numpy(store.dataset("clip/class_embeddings")[label : label + 1]).double()
    concepts = torch.from_numpy(store.array("clip/concept_embeddings"))
    score = ConceptShifts.of(views, concepts).attribute_score[0]
    order = score.nan_to_num(0.0).abs().topk(min(top, len(score))).indices.tolist()
    mean, q = (store.dataset(f"{base}concepts/{name}")[label] for name in ("attribute_score", "q"))
    shifts = [
        Shift(clean(str(store.concept_names[at])), float(score[at]), float(mean[at]), float(q[at])) for at in order
    ]
    before, after = _nearest(model, torch.cat([views.before, views.after]))
    return Scores(
        float(model.split.null_part(features).norm() / features.norm()),
        float(attribute_score(views.before, views.after, text)),
        float(image_score(views.before, views.after)),
        float(store.dataset(f"{base}classes/attribute_score_q50")[0][label]),
        float(store.dataset(f"{base}classes/image_score_q50")[0][label]),
        shifts,
        before,
        after,
        len(model.rows),
    )


def _nearest(model: StoredModel, vectors: Tensor) -> list[list[Neighbour]]:
    """Return for each vector the stored images whose T(f) has the nearest direction, by the translator of all images."""
    parts = [functional.normalize(model.whole.whole(batch.features), dim=1) for batch in model.batches()]
    if not parts:
        return [[] for _ in vectors]
    cosine = unit(vectors) @ torch.cat(parts).T
    best = cosine.nan_to_num(-torch.inf).topk(min(NEIGHBOURS, cosine.shape[1]), dim=1)
    store, labels = model.store, model.store.array("images/class")

    def neighbour(place: int, value: float) -> Neighbour:
        row = int(model.rows[place])
        name = clean(str(store.class_names[labels[row]]))
        return Neighbour(clean(str(store.dataset("images/key")[row])), name, value)

    pairs = zip(best.indices.tolist(), best.values.tolist(), strict=True)
    return [[neighbour(*pair) for pair in zip(*found, strict=True)] for found in pairs]


def _load(store: Store, model: str, spec: str | None) -> Classifier:
    """Load the network of a model as the file's provenance describes it, and check its fingerprint."""
    facts = store.attributes(f"models/{model}")
    known = str(facts.get("spec", ""))
    wanted = ModelSpec(model, spec or known)
    if wanted.is_factory and spec is None:
        raise SingError(
            f"{clean(model)} is a user's own code, which a results file alone never runs; if you trust it: "
            f"--model {clean(model)}={clean(known)}"
        )
    note = str(facts.get("note", ""))
    for preset in (each for specs in PRESETS.values() for each in specs):
        if preset.spec == wanted.spec and preset.note and note.startswith(preset.note):
            wanted = dataclasses.replace(preset, name=model)
    probed = facts.get("head_file") == "--probe"
    weights = _file(store, facts, "weights", clean(model))
    head = None if probed else _file(store, facts, "head", clean(model))
    keys = str(facts.get("weights_key", "")).split("/")
    ema = any(key in AVERAGED for key in keys) if weights else None
    wanted = dataclasses.replace(
        wanted, weights=weights, head=head, ema=ema, head_of=clean(str(facts.get("head_of", "")))
    )
    if "transform" in facts:
        wanted = dataclasses.replace(wanted, transform=TransformOption.parse(str(facts["transform"])))
    if spec is None:
        _check_known(store, model, wanted, probed=probed)
    try:
        with cache_alone(spec is None):
            classifier = load_classifier(wanted, probe=probed)
    except WeightsError as error:
        if NOT_ASKED not in str(error):
            raise
        raise WeightsError(
            f"{model}: {wanted.spec} is not in the cache of this machine, and {NOT_ASKED}; to download it: "
            f"--model {model}={wanted.spec}"
        ) from error
    if probed and isinstance(classifier.network, HeadedBackbone):
        weight, bias = (torch.from_numpy(store.array(f"models/{model}/head/{part}")) for part in ("weight", "bias"))
        classifier.network.put(weight, bias, "--probe")
    if state_sha256(classifier.network) != facts.get("state_sha256"):
        raise WeightsError(
            f"{clean(model)}: {clean(wanted.spec)} has other weights than those that were measured; name the right network "
            f"with --model {clean(model)}=SPEC"
        )
    return classifier


def _check_known(store: Store, model: str, wanted: ModelSpec, *, probed: bool) -> None:
    """Refuse a repository or folder that only the file names, unless the folder's weights are those that were measured.

    Its fingerprint is checked before anything is loaded. A name of timm's own list is looked for in the cache alone, and a
    file of weights has been compared with its hash.

    Raises:
        SingError: The user must name it.
    """
    source, _, place = wanted.spec.partition(":")
    if source not in TIMM_SOURCES or wanted.weights is not None:
        return
    if source == "local-dir":
        try:
            tensors = dict(read_state(Path(place), option="--model"))
        except WeightsError:
            tensors = {}
        if probed or wanted.head is not None:
            parts = {part: torch.from_numpy(store.array(f"models/{model}/head/{part}")) for part in ("weight", "bias")}
            tensors = {f"backbone.{name}": tensor for name, tensor in tensors.items()}
            tensors |= {f"head.{part}": tensor for part, tensor in parts.items()}
        single = {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in tensors.items()}
        if store.attributes(f"models/{model}").get("state_sha256") in (tensors_sha256(tensors), tensors_sha256(single)):
            return
    raise SingError(
        f"{model}: {store.path} alone names {wanted.spec}, and its weights are not known to be those that were measured; if you "
        f"trust it: --model {model}={wanted.spec}"
    )


def _file(store: Store, facts: Mapping[str, Any], part: str, model: str) -> Path | None:
    """Find the checkpoint or head file that a model was measured with: at its old path, here, or next to the results."""
    name = Path(str(facts.get(f"{part}_file", ""))).name
    if not name:
        return None
    try:
        words = shlex.split(str(facts.get("command", "")))
    except ValueError:
        words = []
    ends = [Path(word.removeprefix(f"--{part}=")) for word in words]
    places = [path for path in ends if path.name == name] + [Path(name), store.path.parent / name]
    for path in places:
        if path.exists() and _sha256(path) == facts.get(f"{part}_sha256"):
            return path
    raise WeightsError(
        f"{model}: its --{part} file {clean(name)} is not here (sha256 {str(facts.get(f'{part}_sha256'))[:12]}...); put it "
        f"next to {store.path}"
    )


def _sha256(path: Path) -> str | None:
    """Return the SHA-256 of a checkpoint; None if there is none at this path."""
    try:
        return checkpoint_sha256(path)
    except (WeightsError, OSError):
        return None
