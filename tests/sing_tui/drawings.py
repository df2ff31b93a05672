"""Pictures to be drawn, and drawings of two protocols decoded again."""

import base64
import re
from pathlib import Path

import numpy as np
from PIL import Image

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def save(path: Path, pixels: object, **how: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(pixels, dtype=np.uint8)).save(path, **how)
    return path


def gradient(width: int, height: int) -> np.ndarray:
    across, down = np.meshgrid(np.linspace(0, 255, width), np.linspace(0, 255, height))
    return np.stack([across, down, 255 - across], axis=-1)


def unpacked(sequence: str) -> tuple[dict[str, str], bytes]:
    """Keys and payload of a drawing by Kitty's protocol."""
    keys, data, more = {}, "", True
    for control, payload in re.findall(r"\x1b_G([^;\x1b]*);([^\x1b]*)\x1b\\", sequence):
        assert more
        assert len(payload) <= 4096
        found = dict(pair.split("=") for pair in control.split(","))
        more = found.pop("m") == "1"
        assert not (keys and found)
        keys |= found
        data += payload
    assert not more
    return keys, base64.b64decode(data, validate=True)


def rastered(sequence: str) -> np.ndarray:
    """The pixels of a sixel sequence in percent, NaN where none was set."""
    match = re.fullmatch(r'\x1bP0;1;0q"1;1;(\d+);(\d+)(.*)\x1b\\', sequence)
    assert match is not None
    width, height = int(match[1]), int(match[2])
    pixels = np.full((-(-height // 6) * 6, width, 3), np.nan)
    palette, color, x, y = {}, 0, 0, 0
    for token in re.finditer(r"#(\d+)(?:;2;(\d+);(\d+);(\d+))?|!(\d+)([?-~])|([?-~])|([$-])", match[3]):
        number, *levels, count, repeated, single, move = token.groups()
        if number is not None:
            color = int(number)
            if levels[0] is not None:
                palette[color] = tuple(map(int, levels))
        elif move is not None:
            x, y = 0, y + 6 * (move == "-")
        else:
            bits, times = ord(repeated or single) - 63, int(count or 1)
            for bit in range(6):
                if bits >> bit & 1:
                    pixels[y + bit, x : x + times] = palette[color]
            x += times
    assert np.isnan(pixels[height:]).all()
    return pixels[:height]
