"""Draw scenes: one shape with a colour, a texture and a size on a background. All attributes are known and balanced."""

from dataclasses import dataclass, fields
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

PIXELS = 48
"""Side of a drawing."""
HELD_OUT, _SCENE_SEED, _DRAWING_SEED = 1200, 20_260, 7_000_000
"""Number of the scenes that no network is trained on, and seeds of the scenes and of their drawings."""
SUPERSAMPLE = 4
"""Shapes are drawn so many times larger and then averaged, for smooth edges."""
RIM = 5
"""Width of the plain rim of a shape, in pixels of the larger drawing."""

ATTRIBUTES: dict[str, tuple[str, ...]] = {
    "shape": ("circle", "cross", "heart", "square", "star", "triangle"),
    "colour": ("red", "orange", "yellow", "green", "blue", "purple"),
    "texture": ("plain", "striped", "dotted", "checkered"),
    "background": ("grey", "sky", "grass", "sand"),
    "size": ("small", "large"),
}
COLOURS = {
    "red": (205, 35, 40),
    "orange": (245, 135, 20),
    "yellow": (240, 220, 40),
    "green": (30, 140, 60),
    "blue": (35, 70, 200),
    "purple": (130, 45, 160),
}
GROUNDS = {"grey": (150, 150, 150), "sky": (140, 190, 235), "grass": (95, 150, 60), "sand": (215, 190, 140)}
Attribute = Literal["shape", "colour", "texture", "background", "size"]


@dataclass(frozen=True, slots=True)
class Scene:
    """The attributes of one drawing."""

    shape: str
    colour: str
    texture: str
    background: str
    size: str

    def index(self, attribute: str) -> int:
        """Return the index of this scene's value among the values of an attribute."""
        return ATTRIBUTES[attribute].index(getattr(self, attribute))


def random_scenes(count: int, *, seed: int, **fixed: str) -> list[Scene]:
    """Return scenes with independent, uniformly drawn attributes.

    Args:
        count: Number of scenes.
        seed: Seed of the draws.
        fixed: Attributes that have the same value in all scenes.
    """
    rng = np.random.default_rng(seed)
    drawn = {
        field.name: [fixed[field.name]] * count
        if field.name in fixed
        else [ATTRIBUTES[field.name][k] for k in rng.integers(0, len(ATTRIBUTES[field.name]), count)]
        for field in fields(Scene)
    }
    return [Scene(*values) for values in zip(*drawn.values(), strict=True)]


def held_out_scenes() -> list[Scene]:
    """Return the scenes of the demo's run and of every figure about its networks; no network is trained on them."""
    return random_scenes(HELD_OUT, seed=_SCENE_SEED)


def drawing_seed(number: int) -> int:
    """Return the seed of the drawing of one held-out scene, by its number."""
    return _DRAWING_SEED + number


def draw(scene: Scene, *, seed: int) -> Image.Image:
    """Draw a scene, 48 x 48 pixels in RGB.

    Args:
        scene: The attributes.
        seed: Decides place, rotation, shades and noise.
    """
    rng = np.random.default_rng(seed)
    mask, inside = _shape_masks(scene, rng)
    colour = np.array(COLOURS[scene.colour]) + rng.normal(0, 8, 3)
    paint = np.where(_marks(scene, rng)[..., None], _contrast(scene), colour)
    paint = paint * inside[..., None] + colour * (1 - inside[..., None])  # a plain rim keeps the outline clear
    ground = _background(scene, rng)
    shaded = ground * (1 - mask[..., None]) + paint * mask[..., None]
    noisy = shaded * rng.uniform(0.9, 1.1) + rng.normal(0, 5, shaded.shape)
    return Image.fromarray(noisy.clip(0, 255).astype(np.uint8))


def _shape_masks(scene: Scene, rng: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the share of each pixel inside the shape, and the share inside its rim."""
    side = PIXELS * SUPERSAMPLE
    radius = side * (rng.uniform(0.23, 0.26) if scene.size == "small" else rng.uniform(0.37, 0.41))
    room = side / 2 - radius * 1.05
    centre = side / 2 + rng.uniform(-room, room, 2) * 0.8
    turn = np.radians(rng.uniform(-20, 20))
    canvas = Image.new("L", (side, side), 0)
    pen = ImageDraw.Draw(canvas)
    if scene.shape == "circle":
        pen.ellipse([*(centre - radius), *(centre + radius)], fill=255)
        whole = _shares(canvas)
        pen.ellipse([*(centre - radius), *(centre + radius)], outline=0, width=RIM)
    else:
        rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        outline = [tuple(point) for point in (_OUTLINES[scene.shape] * radius) @ rotation.T + centre]
        pen.polygon(outline, fill=255)
        whole = _shares(canvas)
        pen.line([*outline, *outline[:2]], fill=0, width=2 * RIM)
    return whole, _shares(canvas)


def _shares(canvas: Image.Image) -> NDArray[np.float64]:
    tiles = np.asarray(canvas, dtype=np.float64).reshape(PIXELS, SUPERSAMPLE, PIXELS, SUPERSAMPLE)
    covered: NDArray[np.float64] = tiles.mean(axis=(1, 3)) / 255
    return covered


def _contrast(scene: Scene) -> NDArray[np.float64]:
    """Return the colour of the marks: near white on dark colours, near black on light ones."""
    return np.full(3, 20.0) if scene.colour in ("orange", "yellow") else np.full(3, 250.0)


def _marks(scene: Scene, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Return the pixels that the texture marks, over the whole drawing."""
    y, x = np.mgrid[0:PIXELS, 0:PIXELS] + rng.uniform(0, 6, (2, 1, 1))
    if scene.texture == "striped":
        turn = rng.uniform(0, np.pi)
        marks = np.sin((x * np.cos(turn) + y * np.sin(turn)) * 2 * np.pi / rng.uniform(5, 6.5)) > 0.1
    elif scene.texture == "dotted":
        period = rng.uniform(5, 6)
        marks = (x % period - period / 2) ** 2 + (y % period - period / 2) ** 2 < (period * 0.3) ** 2
    elif scene.texture == "checkered":
        period = rng.uniform(3.5, 4.5)
        marks = (x // period + y // period) % 2 == 0
    else:
        marks = np.zeros((PIXELS, PIXELS), dtype=bool)
    return np.asarray(marks, dtype=bool)


def _background(scene: Scene, rng: np.random.Generator) -> NDArray[np.float64]:
    colour = np.array(GROUNDS[scene.background], dtype=np.float64) + rng.normal(0, 6, 3)
    ground = np.broadcast_to(colour, (PIXELS, PIXELS, 3)).copy()
    if scene.background == "sky":
        ground += np.linspace(-35, 35, PIXELS)[:, None, None]
    elif scene.background == "grass":
        ground += rng.normal(0, 22, (PIXELS, PIXELS, 1)) * np.array([0.6, 1.0, 0.5])
    elif scene.background == "sand":
        ground += rng.normal(0, 12, (PIXELS, PIXELS, 1))
    return ground


def _star(points: int, inner: float) -> NDArray[np.float64]:
    turn = np.arange(2 * points) * np.pi / points - np.pi / 2
    radius = np.where(np.arange(2 * points) % 2 == 0, 1.0, inner)
    return np.stack([radius * np.cos(turn), radius * np.sin(turn)], axis=1)


def _heart() -> NDArray[np.float64]:
    t = np.linspace(0, 2 * np.pi, 60)
    x = 16 * np.sin(t) ** 3
    y = 13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)
    return np.stack([x, -y], axis=1) / 16


_ARM = 0.32
_OUTLINES = {
    "square": np.array([[-0.82, -0.82], [0.82, -0.82], [0.82, 0.82], [-0.82, 0.82]]),
    "triangle": np.array([[0.0, -1.0], [0.95, 0.75], [-0.95, 0.75]]),
    "star": _star(5, 0.42),
    "heart": _heart(),
    "cross": np.array(
        [
            [-_ARM, -1], [_ARM, -1], [_ARM, -_ARM], [1, -_ARM], [1, _ARM], [_ARM, _ARM],
            [_ARM, 1], [-_ARM, 1], [-_ARM, _ARM], [-1, _ARM], [-1, -_ARM], [-_ARM, -_ARM],
        ]
    ),
}  # fmt: skip
