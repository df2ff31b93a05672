"""Make the JPEG files that a results file keeps, all by one rule."""

import io

from PIL import Image

from sing_compute.errors import SingError
from sing_compute.store.pictures import MOST_BYTES, MOST_SIDE

QUALITY = 90
"""Quality of the files; colours are not subsampled."""


def jpeg_of(image: Image.Image) -> bytes:
    """Return a picture as a JPEG file of at most `MOST_SIDE` pixels a side.

    Args:
        image: Any picture in RGB.

    Raises:
        SingError: Its file is larger than a results file holds.
    """
    picture = image.convert("RGB")
    if max(picture.size) > MOST_SIDE:
        scale = MOST_SIDE / max(picture.size)
        size = tuple(max(1, round(side * scale)) for side in picture.size)
        picture = picture.resize((size[0], size[1]), Image.Resampling.LANCZOS)
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=QUALITY, subsampling=0)
    if stream.tell() > MOST_BYTES:
        raise SingError(
            f"a picture of {picture.width} x {picture.height} pixels takes more than {MOST_BYTES:,} bytes as JPEG"
        )
    return stream.getvalue()
