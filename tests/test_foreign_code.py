"""Errors of a user's own code, described in one line."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from sing_compute.errors import HeadError, SingError
from sing_compute.foreign_code import describe_error, guarding, is_out_of_memory


def raised(call: Callable[[], object]) -> Exception:
    with pytest.raises(Exception) as caught:
        call()
    return caught.value


def of_file(folder: Path, code: str) -> Exception:
    """The error of a user's file."""
    path = folder / "mine.py"
    path.write_text(code)
    return raised(lambda: exec(compile(code, str(path), "exec"), {"nn": nn, "torch": torch, "json": json}))


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("\nraise ValueError('too small\\nand more')", "ValueError: too small, at mine.py:2"),
        ("raise KeyError", "KeyError, at mine.py:1"),
        ("def f():\n    return 1 / 0\n\nf()", "ZeroDivisionError: division by zero, at mine.py:2"),
        ("\n\njson.loads('{')", "JSONDecodeError: Expecting property name .*, at mine.py:3"),
        (
            "nn.Linear(2, 3)(torch.zeros(1, 4))",
            r"RuntimeError: .*mat1 and mat2 shapes cannot be multiplied .*, at mine.py:1",
        ),
        (
            "nn.Linear(2, 3).load_state_dict({})",
            r"RuntimeError: Error\(s\) in loading state_dict for Linear: Missing key\(s\) in state_dict: .*, at mine.py:1",
        ),
        (f"raise ValueError('x' * {10**6})", r"ValueError: x{240}\.\.\., at mine.py:1"),
    ],
)
def test_an_error_is_described_by_type_first_line_and_place_in_the_users_file(
    code: str, text: str, tmp_path: Path
) -> None:
    found = describe_error(of_file(tmp_path, code))
    assert "\n" not in found
    assert re.fullmatch(text, found), found


def test_a_guarded_error_keeps_its_cause_and_ours_pass_unchanged() -> None:
    ours, theirs = HeadError("no head"), LookupError("no such layer")
    with pytest.raises(HeadError) as caught, guarding("the network failed"):
        raise ours
    assert caught.value is ours
    with (
        pytest.raises(
            SingError, match=r"^the network failed \(LookupError: no such layer, at test_foreign_code"
        ) as other,
        guarding("the network failed"),
    ):
        raise theirs
    assert other.value.__cause__ is theirs


@pytest.mark.parametrize(
    "error",
    [MemoryError(), torch.cuda.OutOfMemoryError("CUDA out of memory"), RuntimeError("x: can't allocate memory: y")],
)
def test_a_failed_allocation_is_no_mistake_of_the_user(error: Exception) -> None:
    assert is_out_of_memory(error)
    with pytest.raises(type(error)), guarding("the network failed"):
        raise error
    assert not is_out_of_memory(RuntimeError("sizes must match"))
