"""Images of which some cannot be read."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from small_images import picture


@pytest.fixture
def folder(tmp_path: Path) -> list[Path]:
    """Ten images whose grey value is ten times their row; rows 3, 4, 5 and 9 cannot be read."""
    paths = [picture(tmp_path / f"{row}.png", 10 * row) for row in range(10)]
    whole = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(whole, "jpeg")
    paths[3] = tmp_path / "torn.jpg"
    paths[3].write_bytes(whole.getvalue()[:1500])
    paths[4] = tmp_path / "text.jpg"
    paths[4].write_text("this is no image")
    paths[5] = tmp_path / "absent.png"
    paths[9] = tmp_path / "empty.gif"
    paths[9].touch()
    return paths
