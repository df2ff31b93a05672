"""Vocabularies and the data files they come from."""

import hashlib
import subprocess
import sys
import tomllib
from collections import Counter
from pathlib import Path

import pytest

from sing_compute import datafiles
from sing_compute.concepts.vocabulary import (
    MOST_BYTES,
    Vocabulary,
    merge_vocabularies,
    read_vocabulary,
    tokenizer_words,
    vocabulary_of,
)
from sing_compute.datafiles import data_path
from sing_compute.errors import ConceptsError, SingError


def written(folder: Path, content: str | bytes, name: str = "mine.txt") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def vocabulary(*concepts: tuple[str, str, str], merged: tuple[str, ...] = ()) -> Vocabulary:
    names, kinds, prompts = zip(*concepts, strict=True)
    return Vocabulary(names, kinds, prompts, merged)


def test_missing_columns_default_to_the_files_stem_and_to_an_image_of_the_name(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "a cat\nrusty\tcondition\nbeach\tscene\ta photo of a beach\ndusk\t\ttaken at dusk\ntail\t\n",
        "zoo.v2.tsv",
    )
    assert read_vocabulary(path) == vocabulary(
        ("a cat", "zoo.v2", "an image of a cat"),
        ("rusty", "condition", "an image of rusty"),
        ("beach", "scene", "a photo of a beach"),
        ("dusk", "zoo.v2", "taken at dusk"),
        ("tail", "zoo.v2", "an image of tail"),
    )


def test_comments_and_blank_lines_are_no_concepts(tmp_path: Path) -> None:
    path = written(tmp_path, "# head\n\n  \t \n  # indented\ncat\nC#\n")
    assert read_vocabulary(path).names == ("cat", "C#")


@pytest.mark.parametrize(
    "content", ["cat\ndog\n", "cat\ndog", "\ufeffcat\ndog\n", "cat\r\ndog\r\n", "cat\rdog\r", " cat \ndog\t\t\n"]
)
def test_line_ends_byte_order_mark_and_outer_space_do_not_change_the_names(tmp_path: Path, content: str) -> None:
    assert read_vocabulary(written(tmp_path, content)).names == ("cat", "dog")


@pytest.mark.parametrize("odd", ["\u2028", "\u0085", "\x0b", "\x1c"])
def test_an_odd_separator_neither_splits_a_line_nor_shifts_line_numbers(tmp_path: Path, odd: str) -> None:
    assert read_vocabulary(written(tmp_path, f"sea{odd}side\ncat\n")).names == ("sea side", "cat")
    with pytest.raises(ConceptsError, match="line 2:"):
        read_vocabulary(written(tmp_path, f"sea{odd}side\na\tb\tc\td\n"))


def test_names_outside_ascii_survive_and_composed_and_decomposed_are_the_same(tmp_path: Path) -> None:
    read = read_vocabulary(written(tmp_path, "café\ncafe\u0301\n猫\n"))
    assert read.names == ("café", "猫")
    assert len(read.duplicates) == 1


def test_a_duplicate_name_is_merged_whatever_its_case_and_space_and_the_first_wins(tmp_path: Path) -> None:
    read = read_vocabulary(written(tmp_path, "polar bear\tanimal\tone\nPolar  Bear\tother\ttwo\nfox\n"))
    assert list(zip(read.names, read.kinds, read.prompts, strict=True)) == [
        ("polar bear", "animal", "one"),
        ("fox", "mine", "an image of fox"),
    ]
    assert read.duplicates == ("Polar Bear",)


def test_a_duplicate_prompt_is_merged_and_names_the_concept_that_stays() -> None:
    joined = merge_vocabularies(
        [
            vocabulary(("striped", "pattern", "an image of something striped")),
            vocabulary(("stripes", "mine", "An image of  something striped"), ("dots", "mine", "an image of dots")),
        ]
    )
    assert joined.names == ("striped", "dots")
    assert joined.duplicates == ("stripes (same prompt as striped)",)


def test_merging_keeps_order_and_counts_every_duplicate() -> None:
    first = vocabulary(("a", "k", "pa"), ("b", "k", "pb"), merged=("A",))
    second = vocabulary(("c", "k", "pc"), ("B", "k", "other"), merged=("C",))
    joined = merge_vocabularies([first, second, first])
    assert joined == vocabulary(
        ("a", "k", "pa"), ("b", "k", "pb"), ("c", "k", "pc"), merged=("A", "C", "A", "B", "a", "b")
    )
    assert len(joined) == 3


def test_a_dropped_duplicate_does_not_claim_its_prompt() -> None:
    joined = merge_vocabularies([vocabulary(("a", "k", "p1")), vocabulary(("A", "k", "p2"), ("b", "k", "p2"))])
    assert joined.names == ("a", "b")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"caf\xe9\n", "not UTF-8"),
        ("cat\n".encode("utf-16"), "not UTF-8"),
        ("cat\n".encode("utf-16-le"), "not UTF-8"),
        (b"", "no concept"),
        (b"# only this\n\n", "no concept"),
        (b"# head\ncat\na\tb\tc\td\n", "line 3: 4 columns"),
        (b"cat\n\tanimal\n", "line 2: no name"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_in_one_line(tmp_path: Path, content: bytes, message: str) -> None:
    path = written(tmp_path, content)
    with pytest.raises(ConceptsError, match=message) as caught:
        read_vocabulary(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_names_the_built_in_vocabularies(tmp_path: Path) -> None:
    with pytest.raises(ConceptsError, match=r"nowhere\.txt; give a text file, or one of: attributes, words"):
        read_vocabulary(tmp_path / "nowhere.txt")
    with pytest.raises(ConceptsError, match="cannot read"):
        read_vocabulary(tmp_path)


def test_a_path_is_never_taken_for_a_built_in_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path, "cat\n", "words")
    monkeypatch.chdir(tmp_path)
    assert read_vocabulary("./words").names == read_vocabulary(Path("words")).names == ("cat",)


def test_the_attributes_are_whole_distinct_and_balanced() -> None:
    attributes = read_vocabulary("attributes")
    lines = [line for line in data_path("vocabularies/attributes.tsv").read_text(encoding="utf-8").split("\n") if line]
    assert len(attributes) == sum(not line.startswith("#") for line in lines) >= 1200
    assert all(line.startswith("#") or line.count("\t") == 2 for line in lines)
    assert attributes.duplicates == ()
    assert all(prompt.startswith("an image ") for prompt in attributes.prompts)
    assert max(map(len, attributes.names)) <= 26
    counts = Counter(attributes.kinds)
    assert len(counts) == 26
    assert 15 <= min(counts.values()) <= max(counts.values()) <= len(attributes) // 10


def test_the_words_are_what_the_tokenizer_yields() -> None:
    words = read_vocabulary("words")
    assert list(words.names) == tokenizer_words()
    assert words.prompts[0] == f"an image of {words.names[0]}"
    assert set(words.kinds) == {"word"}


def test_the_words_hold_things_to_see_and_no_word_endings() -> None:
    words = set(read_vocabulary("words").names)
    assert {"house", "horse", "beach", "rust", "striped", "watercolour"} <= words
    assert not {"ation", "ing", "tion", "ers", "gging", "the</w>", "hmm", "aaa"} & words


def test_every_data_file_has_its_origin_licence_and_right_hash() -> None:
    listing = data_path("SOURCES.toml")
    sources = tomllib.loads(listing.read_text(encoding="utf-8"))
    files = {str(path.relative_to(listing.parent)): path for path in listing.parent.rglob("[!.]*") if path.is_file()}
    assert set(sources) == set(files) - {"SOURCES.toml"}
    for name, entry in sources.items():
        assert all((entry["origin"], entry["licence"])), name
        assert entry["sha256"] == hashlib.sha256(files[name].read_bytes()).hexdigest(), name


def test_data_is_found_inside_the_package_first_and_beside_it_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "site" / "sing_compute"
    package.mkdir(parents=True)
    monkeypatch.setattr(datafiles, "PACKAGE", package)
    with pytest.raises(SingError, match="install sing-explorer again"):
        data_path("x/y.txt")
    for folder in (package.parent / "data" / "x", package / "data" / "x"):
        folder.mkdir(parents=True)
        written(folder, "here", "y.txt")
        assert data_path("x/y.txt") == folder / "y.txt"
    with pytest.raises(SingError, match=r"z\.txt"):
        data_path("x/z.txt")


def test_reading_a_vocabulary_loads_no_torch() -> None:
    code = (
        "import sys; from sing_compute.concepts.vocabulary import read_vocabulary; read_vocabulary('words');"
        "assert not {'torch', 'open_clip', 'timm'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_concepts_that_differ_only_behind_what_a_file_holds_are_refused() -> None:
    for count, letter in ((MOST_BYTES, "a"), (MOST_BYTES // 2, "é")):
        assert len(vocabulary_of([letter * (count - 12)])) == 1  # its prompt has 12 letters more
        with pytest.raises(ConceptsError, match="at most 4,096 bytes each; one begins '"):
            vocabulary_of([letter * count + "b", letter * count + "c"])
    with pytest.raises(ConceptsError, match="at most 4,096 bytes"):
        Vocabulary(("a" * 5000,), ("kind",), ("prompt",))
