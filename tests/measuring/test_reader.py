"""Batches out of shards of which some images, or all, could not be read."""

from pathlib import Path

import numpy as np
import pytest
import torch

from sing_compute.extraction.shard_file import Shard, shard_rows
from sing_compute.extraction.shards import WorkFolder
from sing_compute.measuring.reader import ShardReader, spread

IMAGES = 900
FAILED = {3, *range(256, 512), 700}


@pytest.fixture
def reader(tmp_path: Path) -> ShardReader:
    """Four shards; the feature of an image is its row, and nothing of the second can be read."""
    work = WorkFolder(tmp_path / "results.h5", fresh=False)
    for index, listed in enumerate(shard_rows(IMAGES)):
        rows = torch.tensor([row for row in listed if row not in FAILED], dtype=torch.int64)
        tensors = {
            "net/features": rows[:, None].float(),
            "net/prediction": rows.int() % 5,
            "net/confidence": rows.float() / IMAGES,
            "clip": rows[:, None].float() + 0.5,
        }
        work.write(index, Shard(rows, tensors, [(row, "broken") for row in listed if row in FAILED]))
    kept = torch.tensor([row for row in range(IMAGES) if row not in FAILED])
    return ShardReader(work, IMAGES, None, (kept % 7).int(), (kept % 5).to(torch.int8), torch.device("cpu"))


def test_images_that_could_not_be_read_are_told_and_left_out(reader: ShardReader) -> None:
    read = reader.readable_rows()
    kept, failed = read.rows, read.failed
    assert read.original is None  # these shards have no hashes of contents
    assert kept.tolist() == [row for row in range(IMAGES) if row not in FAILED]
    assert {row for row, _ in failed} == FAILED
    prediction, confidence = np.full(len(kept), -1), np.full(len(kept), np.nan, np.float32)
    for rows, values in reader.columns("net/prediction", "net/confidence"):
        prediction[rows], confidence[rows] = values
    assert prediction.tolist() == (kept % 5).tolist()
    assert confidence == pytest.approx(kept / IMAGES)


@pytest.mark.parametrize("stride", [1, 2, 3, 50, 255, 256, 300, 10_000])
def test_spread_gives_every_so_manieth_measured_image_in_few_batches(reader: ShardReader, stride: int) -> None:
    kept = reader.readable_rows().rows
    batches = list(spread(reader.batches("net"), stride))
    assert torch.cat([batch.features for batch in batches])[:, 0].tolist() == kept[::stride].tolist()
    assert torch.cat([batch.targets for batch in batches])[:, 0].tolist() == (kept[::stride] + 0.5).tolist()
    assert torch.cat([batch.labels for batch in batches]).tolist() == (kept[::stride] % 7).tolist()
    assert torch.cat([batch.folds for batch in batches]).tolist() == (kept[::stride] % 5).tolist()
    assert torch.equal(reader.targets(stride)[:, 0], torch.from_numpy(kept[::stride]) + 0.5)
    assert len(batches) <= 1 + len(kept) // stride // 100
