"""A path that is no regular file is never written, and a verb shows its answer alone, without warnings of its arithmetic."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from ended_commands import Ended

from sing_compute.errors import SingError
from sing_compute.extraction.shards import WorkFolder


@pytest.mark.parametrize("fresh", [False, True])
def test_a_pipe_or_a_device_is_refused_by_name_and_left_alone(fresh: bool, tmp_path: Path) -> None:
    pipe = tmp_path / "results.h5"
    os.mkfifo(pipe)
    for output in (pipe, tmp_path / "zero.h5", tmp_path / "folder.h5"):
        if output.name == "zero.h5":
            output.symlink_to("/dev/zero")
        elif output is not pipe:
            output.mkdir()
        with pytest.raises(
            SingError, match=rf"^-o .*{output.name}: this is not a regular file; give the name of a file"
        ):
            WorkFolder(output, fresh=fresh)
    assert pipe.is_fifo()
    assert not list(tmp_path.glob("*.work"))


def test_a_verb_says_that_a_pipe_is_no_file(tmp_path: Path, command: Callable[..., Ended]) -> None:
    os.mkfifo(tmp_path / "results.h5")
    assert command("verify", tmp_path / "results.h5").error.startswith(
        f"{tmp_path / 'results.h5'} is not a regular file; sing-compute writes such a file"
    )


def test_warnings_of_arithmetic_do_not_reach_the_screen_of_a_verb(
    command: Callable[..., Ended], monkeypatch: pytest.MonkeyPatch
) -> None:
    def join(*_: object, **__: object) -> list[str]:
        return [str(np.array([1.0, np.inf]) / np.array([0.0, np.inf]))]

    monkeypatch.setattr("sing_compute.questions.merging.merge", join)
    ended = command("merge", "a.h5", "b.h5", "-o", "c.h5")  # here a warning that is shown is an error
    assert (ended.code, ended.out, ended.err) == (0, "c.h5 is written: 1 models, [inf nan]\n", "")
    with pytest.warns(RuntimeWarning, match="divide by zero|invalid value"):
        command("--debug", "merge", "a.h5", "b.h5", "-o", "c.h5")
