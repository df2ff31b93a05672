"""Shards know what they are: of which plan, which number, which images. What does not fit is computed again and named."""

import os
import shutil
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save
from work_folders import PLAN, opened, shard, unfinished

from sing_compute.errors import ImagesError, SingError
from sing_compute.extraction.shard_file import SHARD_IMAGES
from sing_compute.extraction.shards import WorkFolder
from sing_compute.images.archives import list_archives
from sing_compute.images.image_stamps import NUMBERS, UNREAD, image_stamps
from sing_compute.images.listing import ImageList


def going_on(output: Path, *, images: ImageList | None = None) -> tuple[list[bool], list[str]]:
    """Go on with unfinished work; return which of its two shards are reused, and what is said."""
    said: list[str] = []
    work = WorkFolder(output, fresh=False, warn=said.append)
    try:
        count = work.adopt_plan(PLAN, images=images)
        found = [work.has(0), work.has(1)]
        assert count == sum(found)
    finally:
        work.release(finished=False)
    return found, said


def shard_file(output: Path, number: int) -> Path:
    return output.with_name("results.h5.work") / f"{number:06d}.safetensors"


def test_flipped_bytes_are_computed_again_and_named(output: Path) -> None:
    unfinished(output)
    path = shard_file(output, 1)
    content = bytearray(path.read_bytes())
    content[-20:-12] = bytes(8)
    path.write_bytes(content)
    assert going_on(output) == (
        [True, False],
        [
            f"{path} is damaged (the checksum of a/features differs) and is thrown away; its images are computed again",
        ],
    )


def test_a_shard_whose_bytes_flip_while_it_is_measured_is_an_error_and_not_a_number(output: Path) -> None:
    work = opened(output)
    work.write(0, shard(0))
    path = shard_file(output, 0)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(
        SingError, match=r"000000\.safetensors is damaged \(the checksum of .* differs\) and is thrown away; the same"
    ):
        work.read(0, "a/features")
    assert not work.has(0)
    work.release(finished=True)


def test_exchanged_shards_are_computed_again_and_named(output: Path) -> None:
    unfinished(output)
    first, second = shard_file(output, 0), shard_file(output, 1)
    first.rename(first.with_suffix(".away"))
    second.rename(first)
    first.with_suffix(".away").rename(second)
    reused, said = going_on(output)
    assert reused == [False, False]
    assert said[0].startswith(f"{first} is shard 1 in the place of shard 0 and is thrown away")
    assert said[1].startswith(f"{second} is shard 0 in the place of shard 1 and is thrown away")


def test_a_shard_of_another_plan_is_computed_again_and_named(output: Path) -> None:
    other = opened(output.with_name("other.h5"), plan={**PLAN, "models": {"a": ["other weights", "transform"]}})
    other.write(1, shard(5))
    unfinished(output)
    shutil.copy(other.folder / "000001.safetensors", shard_file(output, 1))
    other.release(finished=True)
    reused, (line,) = going_on(output)
    assert reused == [True, False]
    assert line.startswith(f"{shard_file(output, 1)} is of another plan and is thrown away")


def test_shards_of_a_version_that_wrote_nothing_down_are_never_believed(output: Path) -> None:
    unfinished(output)
    shard_file(output, 0).write_bytes(save({"rows": torch.arange(4)}, {"failed": "[]", "turned": "[]"}))
    reused, (line,) = going_on(output)
    assert reused == [False, True]
    assert "000000.safetensors is of a version that did not write down what it holds and is thrown away" in line


def test_of_many_shards_five_are_named(output: Path) -> None:
    work = opened(output)
    for number in range(9):
        work.write(number, shard(0))
    work.release(finished=False)
    for number in range(1, 9):
        shard_file(output, number).write_bytes(b"")
    reused, said = going_on(output)
    assert reused == [True, False]
    assert len(said) == 6
    assert said[-1] == "so are 3 more shards for such reasons, 6 to 8"


@pytest.fixture
def images(tmp_path: Path) -> ImageList:
    """The images of two shards; the second shard has one."""
    keys = [f"{number:03d}.png" for number in range(SHARD_IMAGES + 1)]
    (tmp_path / "images").mkdir()
    for key in keys:
        (tmp_path / "images" / key).write_bytes(b"image")
    return ImageList.of_files(tmp_path / "images", keys)


def unfinished_of(output: Path, images: ImageList) -> None:
    """A run over these images that was stopped after both shards."""
    work = opened(output)
    for number, start in enumerate((0, SHARD_IMAGES)):
        rows = range(start, min(start + SHARD_IMAGES, len(images)))
        stamps = torch.from_numpy(image_stamps(images, rows))
        assert stamps.shape == (len(rows), NUMBERS)
        work.write(number, replace(shard(start), stamps=stamps))
    work.release(finished=False)


def rewritten(path: Path) -> None:
    """Other bytes of the same length, a second later."""
    before = path.stat()
    path.write_bytes(b"other")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 10**9))


@pytest.mark.parametrize(
    "change",
    [rewritten, lambda path: path.write_bytes(b"longer image"), lambda path: path.unlink()],
    ids=["rewritten", "longer", "removed"],
)
def test_an_image_that_was_replaced_is_computed_again_and_named(
    change: Callable[[Path], object], output: Path, images: ImageList
) -> None:
    unfinished_of(output, images)
    assert going_on(output, images=images) == ([True, True], [])
    change(images.path(SHARD_IMAGES))
    reused, (line,) = going_on(output, images=images)
    assert reused == [True, False]
    assert line == (
        f"{shard_file(output, 1)} is older than {images.path(SHARD_IMAGES)} and is thrown away; its images are computed again"
    )


def test_an_image_that_was_broken_and_is_there_again_is_computed(output: Path, images: ImageList) -> None:
    path = images.path(3)
    path.unlink()
    unfinished_of(output, images)
    assert going_on(output, images=images) == ([True, True], [])
    path.write_bytes(b"image")
    assert going_on(output, images=images)[0] == [False, True]


def test_a_missing_disk_of_images_costs_no_finished_work(output: Path, images: ImageList, tmp_path: Path) -> None:
    unfinished_of(output, images)
    (tmp_path / "images").rename(tmp_path / "away")
    with pytest.raises(ImagesError, match="the images' disk is gone"):
        going_on(output, images=images)
    (tmp_path / "away").rename(tmp_path / "images")
    assert going_on(output, images=images) == ([True, True], [])


def test_an_image_that_could_not_be_read_then_is_tried_again(output: Path, images: ImageList) -> None:
    work = opened(output)
    stamps = torch.from_numpy(image_stamps(images, range(SHARD_IMAGES)))
    stamps[3] = torch.tensor(UNREAD)
    work.write(0, replace(shard(0), stamps=stamps))
    work.release(finished=False)
    reused, (line,) = going_on(output, images=images)
    assert reused == [False, False]
    assert "is without" in line
    assert "003.png" in line
    (images.root / images.keys[3]).unlink()  # it still cannot be read
    work = opened(output)
    work.write(0, replace(shard(0), stamps=stamps))
    work.release(finished=False)
    assert going_on(output, images=images) == ([True, False], [])


def test_an_archive_that_was_packed_again_is_computed_again(output: Path, tmp_path: Path) -> None:
    (tmp_path / "class").mkdir()
    (tmp_path / "class" / "one.png").write_bytes(b"image")

    def packed() -> ImageList:
        with tarfile.open(tmp_path / "images.tar", "w") as archive:
            archive.add(tmp_path / "class" / "one.png", "class/one.png")
        return list_archives(tmp_path, ["images.tar"])

    images = packed()
    work = opened(output)
    work.write(0, replace(shard(0), stamps=torch.from_numpy(image_stamps(images, range(1)))))
    work.release(finished=False)
    assert going_on(output, images=images) == ([True, False], [])
    (tmp_path / "class" / "one.png").write_bytes(b"another image" * 1000)
    reused, (line,) = going_on(output, images=packed())
    assert reused == [False, False]
    assert "is older than" in line
    assert "images.tar/class/one.png" in line


def test_a_run_whose_folder_was_made_anew_ends_and_leaves_the_other_alone(output: Path) -> None:
    first = opened(output)
    first.write(0, shard(0))
    shutil.rmtree(first.folder)
    second = opened(output, plan={**PLAN, "models": {"a": ["other weights", "transform"]}})
    second.write(0, shard(100))
    for act in (
        lambda: first.write(1, shard(5)),
        lambda: first.read(0),
        lambda: first.keep_settings({}),
        first.leave_if_asked,
    ):
        with pytest.raises(
            SingError, match=rf"results.h5.work was removed .* by process {os.getpid()} on .*: this run"
        ):
            act()
    first.release(finished=True)
    assert second.read(0).rows.tolist() == [100, 101, 102, 103]
    assert not second.has(1)
    with pytest.raises(SingError, match="is being written by process"):
        WorkFolder(output, fresh=False)
    second.release(finished=True)
    assert list(output.parent.iterdir()) == []


def test_a_joined_process_whose_folder_was_made_anew_ends_too(output: Path) -> None:
    first, joined = opened(output), WorkFolder(output, fresh=False, joined=True)
    assert joined.sees_plan()
    joined.write(0, shard(0))
    assert first.read(0).rows.tolist() == [0, 1, 2, 3]
    shutil.rmtree(first.folder)
    second = opened(output)
    with pytest.raises(SingError, match="was removed while this run went on"):
        joined.write(1, shard(5))
    assert not second.has(1)
    second.release(finished=True)
    first.release(finished=False)


def test_settings_that_were_changed_or_are_of_another_plan_are_refused(output: Path) -> None:
    work = opened(output)
    work.keep_settings({"batch_size": 32})
    assert work.settings() == {"batch_size": 32}
    path = work.folder / "settings.json"
    for changed in (path.read_text().replace("32", "33"), '{"batch_size": 32}', "[]"):
        path.write_text(changed)
        with pytest.raises(
            SingError, match=r"settings.json is damaged, or of another plan: add --fresh to start over$"
        ):
            work.settings()
    work.release(finished=True)


@pytest.mark.parametrize("content", ["[]", "3", '"x"'])
def test_a_plan_that_is_no_plan_is_one_line(content: str, output: Path) -> None:
    unfinished(output)
    (output.with_name("results.h5.work") / "plan.json").write_text(content)
    with pytest.raises(SingError, match=r"plan.json is damaged \(no plan\): add --fresh to start over$"):
        going_on(output)


def test_a_folder_in_the_place_of_a_shard_is_one_line_and_fresh_removes_it(output: Path) -> None:
    unfinished(output)
    shard_file(output, 1).unlink()
    shard_file(output, 1).mkdir()
    with pytest.raises(
        SingError, match=r"^cannot read .*000001.safetensors: Is a directory; add --fresh to start over$"
    ):
        going_on(output)
    work = opened(output, fresh=True)
    assert not work.finished
    work.release(finished=True)
