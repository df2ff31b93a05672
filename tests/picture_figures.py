"""Add pictures of two images of a model to a small results file: T(f) in one colour, T(f~) in another."""

import io
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from sing_compute.store import Store, replace_store
from sing_compute.store.checks.renders import wilson
from sing_compute.store.definitions.render_fields import GROUP
from sing_compute.store.derived.picture_noise import angles, picture_noise

SEEDS = 4
KINDS = ("translated", "equivalent", "true")
COLORS = ((255, 0, 0), (0, 255, 0), (0, 0, 255))


def jpeg(color: tuple[int, int, int], side: int = 24) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (side, side), color).save(stream, "JPEG", quality=95, subsampling=0)
    return stream.getvalue()


def write_pictures(path: Path, model: str, rows: Sequence[int] = (0, 30)) -> None:
    """Add a pair beyond noise (T(f~)) and one within (the true embedding) for each of some images; `verify` accepts them."""
    rng = np.random.default_rng(0)
    with Store(path) as store, replace_store(path, scratch=path.with_name("scratch")) as writer:
        writer.copy(store)
        keys = [str(store.array("images/key")[row]) for row in rows]
        clip = store.dataset("clip/class_embeddings").shape[1]
        score = store.array(f"models/{model}/images/image_score")
        vectors, shown = [], []
        for row in rows:
            before, away = np.linalg.qr(rng.normal(size=(clip, 2)))[0].T
            turn = np.radians(score[row])
            vectors += [before, np.cos(turn) * before + np.sin(turn) * away, before + 0.01 * away]
            noise = 0.1 * rng.normal(size=(SEEDS, clip))
            shown += [before + noise, away + 0.5 * noise, before + 0.01 * away + noise]
        vector = np.array(vectors, dtype=np.float32)
        seen = np.concatenate(shown).astype(np.float32)
        of = np.repeat(np.arange(len(vector)), SEEDS)
        back = angles(seen.astype(np.float64), vector[of].astype(np.float64))
        files = [jpeg(color) for color in COLORS for _ in range(SEEDS)] * len(rows)
        mean = back.reshape(-1, SEEDS).mean(1)
        pairs = [(image, kind) for image in range(len(rows)) for kind in (1, 2)]
        found = [
            picture_noise(
                seen[3 * at * SEEDS :][:SEEDS].astype(float), seen[(3 * at + kind) * SEEDS :][:SEEDS].astype(float)
            )
            for at, kind in pairs
        ]
        before, after = np.array([3 * at for at, _ in pairs]), np.array([3 * at + kind for at, kind in pairs])
        columns = {
            "pairs/image": [keys[at] for at, _ in pairs],
            "pairs/row": [rows[at] for at, _ in pairs],
            "pairs/kind": [kind - 1 for _, kind in pairs],
            "pairs/before": before,
            "pairs/after": after,
            "pairs/vector_angle": angles(vector[before].astype(float), vector[after].astype(float)),
            **{f"pairs/{name}": [getattr(each, name) for each in found] for name in ("between", "noise", "p", "state")},
            "pairs/back_before": mean[before],
            "pairs/back_after": mean[after],
            "embeddings/image": [key for key in keys for _ in KINDS],
            "embeddings/row": [row for row in rows for _ in KINDS],
            "embeddings/kind": list(KINDS) * len(rows),
            "embeddings/vector": vector,
            "embeddings/norm": np.full(len(vector), 9.5),
            "pictures/image": [key for key in keys for _ in range(len(KINDS) * SEEDS)],
            "pictures/rendering": of,
            "pictures/seed": np.tile(np.arange(SEEDS), len(vector)),
            "pictures/width": np.full(len(of), 24),
            "pictures/height": np.full(len(of), 24),
            "pictures/back": back,
            "pictures/vector": seen,
            "pictures/edge": np.cumsum([0, *map(len, files)]),
            "pictures/jpeg": np.frombuffer(b"".join(files), np.uint8),
        }
        beyond = np.array([sum(each.state == "beyond noise" for each in found[kind::2]) for kind in (0, 1)])
        columns |= {
            "kinds/name": ["equivalent", "true"],
            "kinds/pairs": [len(rows)] * 2,
            "kinds/known": [len(rows)] * 2,
            "kinds/beyond": beyond,
            "kinds/share": beyond / len(rows),
            "kinds/share_interval": [wilson(int(hits), len(rows)) for hits in beyond],
        }
        for name in ("vector_angle", "between", "noise", "back_before", "back_after"):
            values = np.asarray(columns[f"pairs/{name}"], dtype=float)
            columns[f"kinds/{name}"] = [float(np.median(values[kind::2])) for kind in (0, 1)]
        for name, values in columns.items():
            writer.put("models/{model}/renders/" + name, values, model=model)
        writer.annotate(GROUP.format(model=model), {"source": "StableUnCLIPImg2ImgPipeline"})
    shutil.rmtree(path.with_name("scratch"))
