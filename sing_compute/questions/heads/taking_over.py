"""Take over decompositions of the authors' own code into a results file."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import torch

from sing_compute.concepts.encoded_texts import encoded_texts
from sing_compute.concepts.open_clip_space import OpenClipSpace
from sing_compute.concepts.word_list import texts_sha256
from sing_compute.errors import SingError, TowerError
from sing_compute.extraction.shards import WorkFolder
from sing_compute.pipeline.devices import usable_device
from sing_compute.process.interruption import Interruption
from sing_compute.process.progress import Progress
from sing_compute.questions.heads.concept_pool import ConceptPool, dictionary_of
from sing_compute.questions.heads.image_mean import image_mean
from sing_compute.questions.heads.naming import HeadsQuestion, tower_name
from sing_compute.questions.heads.official import (
    OfficialLayer,
    dictionary_lines,
    official_files,
    read_dictionary,
    read_official,
    together,
)
from sing_compute.questions.heads.tower_sink import put_tower, tower_facts
from sing_compute.sith.heads import judged_layer
from sing_compute.sith.towers import read_tower
from sing_compute.store import replace_store
from sing_compute.store.text import clean


def take_over(
    paths: Sequence[Path], output: Path, question: HeadsQuestion, progress: Progress, *, embeddings: Path | None = None
) -> str:
    """Start a results file with a tower whose names the authors' code has found, and measure how well they fit.

    Singular values, cosines, fidelity and coherence are computed here; concepts and coefficients are those of the files.

    Args:
        paths: Decompositions, or folders of them; all of one kind.
        output: The new results file.
        question: `clip`, `words` (the dictionary), `mean`, `name`, `device` and `fresh` are used.
        progress: Is given lines about what is used.
        embeddings: The authors' embeddings of the dictionary; None embeds its lines.

    Returns:
        Name of the tower in the file.

    Raises:
        SingError: A mistake of the user; no file is written.
    """
    if question.clip is None or question.words is None:
        raise SingError(
            "name the CLIP of the decompositions with --clip, and their dictionary (a text file) with --words"
        )
    if output.exists() and not question.fresh:
        raise SingError(f"{output} exists; --fresh replaces it")
    files = official_files(paths)
    with Interruption(progress.say) as interruption:
        work = WorkFolder(output, fresh=False, stop=interruption.check)
        try:
            return _take_over(files, output, question, progress, embeddings, work)
        finally:
            work.release(finished=False)


def _take_over(
    files: Sequence[Path],
    output: Path,
    question: HeadsQuestion,
    progress: Progress,
    embeddings: Path | None,
    work: WorkFolder,
) -> str:
    assert question.clip is not None
    progress.say(f"loading CLIP {question.clip}")
    device = usable_device(question.device, 0)
    space = OpenClipSpace(question.clip)
    try:
        tower = read_tower(space.visual)
    except TowerError as error:
        raise TowerError(f"--clip {question.clip}: {error}") from error
    layers = together([read_official(file, len(tower.layers[0].read)) for file in files])
    first = layers[0]
    missing = [layer.path for layer in layers if layer.layer >= len(tower.layers)]
    if missing:
        raise SingError(f"{missing[0]}: the tower has {len(tower.layers)} layers, 0 to {len(tower.layers) - 1}")
    name = tower_name(question.name or f"{space.provenance['tag']} {first.method} of {first.dictionary}")
    space.to(device)
    size = tower.projection.shape[1]
    mean = image_mean(space, progress, size=size, store=None, given=question.mean, images=None, device=device)
    pool = _dictionary(space, question.words, embeddings, progress, device)
    outside = [layer.path for layer in layers if int(layer.picks.max()) >= len(pool.names)]
    if outside:
        raise SingError(f"{outside[0]}: an index is behind the {len(pool.names):,} concepts of {pool.source}")
    dictionary = dictionary_of(pool, [first.size], size, progress, what="the tower", folder=work.folder)
    found = []
    for layer in layers:
        work.leave_if_asked()
        found.append(
            judged_layer(
                tower,
                layer.layer,
                mean.vector,
                dictionary,
                layer.picks,
                layer.coefficients,
                side=layer.side,
                folded=layer.folded,
            )
        )
    numbers = [layer.layer for layer in layers]
    with replace_store(output, scratch=work.folder) as writer:
        put_tower(writer, name, tower, numbers, found, pool, dictionary, mean, [first.size], [first.method])
        facts = tower_facts(space, pool, mean, dictionary, coherence=first.coherence, side=first.side)
        facts |= {
            "fold_layer_norm": first.folded,
            "taken_from": _places(layers),
            "command": question.command,
            "order": 0,
        }
        writer.annotate(f"towers/{name}", facts)
    return name


def _places(layers: Sequence[OfficialLayer]) -> str:
    return ", ".join(layer.path.name for layer in layers)[:1000]


def _dictionary(
    space: OpenClipSpace, words: Path | None, embeddings: Path | None, progress: Progress, device: torch.device
) -> ConceptPool:
    """Return the dictionary, a concept for each line; lines that are equal or empty are told apart by their number."""
    assert words is not None
    vectors = None if embeddings is None else read_dictionary(embeddings)
    lines = dictionary_lines(words, None if vectors is None else len(vectors))
    if vectors is None:
        progress.say(f"named with {words}: {len(lines):,}")
        with progress.task("concepts", len(lines)) as advance:
            vectors = encoded_texts(space, lines, device=device, advance=advance)
    shown = [clean(" ".join(line.split())) for line in lines]
    often = Counter(shown)
    names = [
        line if line and often[line] == 1 else f"{line} (line {number})".strip() for number, line in enumerate(shown, 1)
    ]
    return ConceptPool(names, vectors, clean(str(words)), texts_sha256(lines))
