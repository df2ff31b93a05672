"""The names of the classes of a run, and the prompts that are made of them."""

from pathlib import Path

import pytest
import torch
from plans import plan
from torch import nn

from sing_compute.errors import ConceptsError
from sing_compute.models.classifier import Classifier
from sing_compute.pipeline.clip_space import ClipSpace, class_table
from sing_compute.pipeline.plan import Plan


def classifier(name: str, classes: int, labels: list[str] | None, wnids: list[str] | None = None) -> Classifier:
    network = nn.Sequential(nn.Flatten(), nn.Linear(12, classes))
    made = Classifier(name, network, torch.Tensor, {}, (labels, wnids) if labels else None)
    made.attach(torch.randn(2, 3, 2, 2))
    return made


def names_file(folder: Path, content: bytes) -> Path:
    (folder / "names.txt").write_bytes(content)
    return folder / "names.txt"


def test_class_names_come_from_the_user_then_the_checkpoint_then_imagenet(tmp_path: Path) -> None:
    known, unknown = classifier("known", 3, ["a", "b", "c"], ["n1", "n2", "n3"]), classifier("unknown", 3, None)
    file = names_file(tmp_path, "\ufeffx\r\n y \n\nz".encode())
    assert class_table([known, unknown], file).names == ["x", "y", "z"]
    table = class_table([unknown, known], None)
    assert (table.names, table.wnids) == (["a", "b", "c"], ["n1", "n2", "n3"])
    imagenet = class_table([classifier("big", 1000, None)], None)
    assert imagenet.names[0] == "tench"
    assert imagenet.wnids is not None
    assert imagenet.wnids[0] == "n01440764"
    with pytest.raises(ConceptsError, match=r"^the names of the 3 classes are not known: give --class-names FILE"):
        class_table([unknown], None)


class Tower:
    """A CLIP network whose embeddings nobody reads."""

    def texts(self, prompts: list[list[str]], *, device: torch.device) -> torch.Tensor:
        return torch.zeros(len(prompts), 1)


def prompts_of(names: list[str], made: Plan) -> list[str]:
    """Return the prompt of each class."""
    space = object.__new__(ClipSpace)
    object.__setattr__(space, "network", Tower())
    return ClipSpace.classes(space, names, made, torch.device("cpu"))[0]


def test_class_names_that_are_wordnet_ids_become_words_so_that_prompts_say_something(tmp_path: Path) -> None:
    ids = ["n01440764", "N02510455", "n02123045"]
    words = ["tench", "giant panda", "tabby cat"]
    from_file = class_table([classifier("p", 3, None)], names_file(tmp_path, "\n".join(ids).encode()))
    from_checkpoint = class_table([classifier("p", 3, ids)], None)
    for table in (from_file, from_checkpoint):
        assert (table.names, table.wnids) == (words, [name.lower() for name in ids])
        assert prompts_of(table.names, plan()) == [f"an image of a {word}" for word in words]
    with pytest.raises(
        ConceptsError, match=r"^p: 1 class names are WordNet ids without known words \(n99999999\); give the"
    ):
        class_table([classifier("p", 3, [*ids[:2], "n99999999"])], None)


def test_models_whose_logits_mean_different_classes_do_not_share_a_file() -> None:
    with pytest.raises(
        ConceptsError, match=r"^the models have different classes \(p 3, q 4\); give each kind its own -o$"
    ):
        class_table([classifier("p", 3, None), classifier("q", 4, None)], None)
    first, second = classifier("p", 3, ["a", "b", "c"]), classifier("q", 3, ["a", "c", "b"])
    with pytest.raises(
        ConceptsError, match=r"^p and q name their classes differently \(b, c\): give each its own -o, or"
    ):
        class_table([first, second], None)
    assert class_table([first, classifier("r", 3, ["a", "b", "c"])], None).names == ["a", "b", "c"]


def test_a_file_of_class_names_must_fit_and_be_text(tmp_path: Path) -> None:
    models = [classifier("p", 3, None)]
    with pytest.raises(ConceptsError, match=r"names.txt: 2 names for 3 classes; one per line, in logit order$"):
        class_table(models, names_file(tmp_path, b"a\nb\n"))
    with pytest.raises(ConceptsError, match=r"names.txt: not a readable UTF-8 text file"):
        class_table(models, names_file(tmp_path, b"\xff\xfe"))
    with pytest.raises(ConceptsError, match=r"absent.txt: not a readable UTF-8 text file .*No such file"):
        class_table(models, tmp_path / "absent.txt")


def test_a_template_is_filled_at_its_braces_and_nowhere_else() -> None:
    made = plan(templates=("a {}, {} {0} {x}", "100% {}"))
    assert prompts_of(["{cat}", "golden_retriever"], made) == [
        "a {cat}, {cat} {0} {x} | 100% {cat}",
        "a golden retriever, golden retriever {0} {x} | 100% golden retriever",
    ]
