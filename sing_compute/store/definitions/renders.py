"""Pictures of equivalent features: T(f), T(f~) and others decoded to images, and how far each pair can be believed."""

from sing_compute.store.checks import renders
from sing_compute.store.definition import Analysis, Column, Explanation, Interval, TableSpec, check
from sing_compute.store.definitions.column_lists import columns
from sing_compute.store.definitions.images_and_classifiers import NO_FEATURES
from sing_compute.store.definitions.render_fields import AXES, FIELDS, GROUP, KINDS, PAIRS, PICTURES, VECTORS
from sing_compute.store.derived.picture_cells import kind_of_picture

SOURCE = "docs/pictures.md"
_G = f"{GROUP}/"
_SHARE = Explanation(
    "pairs beyond noise over the pairs of which it is known",
    "How often the change of the embedding can be seen in the pictures. About one pair in twenty that only noise tells apart is "
    "called beyond noise, too: 5 % mean nothing.",
    "Of the images that were chosen, not of all: pairs chosen by a large AS differ more than others.",
    SOURCE,
)
_MEDIANS = """
vector_angle | angle | degrees | value | {0}vector_angle | {1}angle between T(f) and the other embedding | IS for `equivalent`:
    how far apart the two embeddings are that the pictures show. | Not how far apart the pictures are.
between | pictures apart | degrees | value | {0}between | {1}mean over seeds of the angle between the two pictures in CLIP |
    Compare it with the next column. | Not a distance that people see: CLIP overlooks some changes and reacts to others.
noise | seeds apart | degrees | value | {0}noise | {1}mean angle between the pictures of T(f) of two seeds | What the noise of the
    decoder alone changes. | Not of the pictures of the other embedding.
back_before | T(f) back | degrees | value | {0}back_before | {1}mean angle between the pictures of T(f) and T(f) | How far the
    decoder strays from what it is asked for. Larger than the angle between the embeddings: the pictures show the decoder more
    than the difference. | Not 0 for a perfect picture: T(f) is no embedding of any image.
back_after | other back | degrees | value | {0}back_after | {1}the same for the other embedding | As for T(f). | As for T(f).
"""


def _text(name: str, title: str, meaning: str, field: str = "", *, format: str = "text", role: str = "label") -> Column:
    words = Explanation(meaning=meaning, source=SOURCE)
    return Column(name, title, format, field, words, role=role, description=meaning if not field else "")


def _share(title: str, at: tuple[tuple[str, int | str], ...] = ()) -> Column:
    return Column(
        "beyond_share",
        title,
        "percent",
        KINDS + "share",
        _SHARE,
        role="share",
        at=at,
        intervals=(Interval(KINDS + "share_interval", at=at, over="pairs"),),
    )


_EQUIVALENT = (("render_kind", 0),)
_MODELS = (
    _text("model", "model", "A classifier with pictures."),
    _share("beyond noise", _EQUIVALENT),
    *(
        Column(c.name, c.title, c.format, c.field, c.explanation, role=c.role, at=_EQUIVALENT)
        for c in columns(
            "pairs | pairs | count | count | kinds/pairs | count | Pairs of T(f) and T(f~). | Not the images of the model."
            + _MEDIANS.format("kinds/", "median over the pairs: "),
            group=_G,
            source=SOURCE,
        )
    ),
)
_KINDS = (
    _text("kind", "kind", "The embedding that is compared with T(f); `true` is the image's own CLIP embedding."),
    *columns(
        "pairs | pairs | count | count | kinds/pairs | count | Pairs of T(f) and an embedding of this kind. | Not all images.",
        group=_G,
        source=SOURCE,
    ),
    _share("beyond noise"),
    *columns(
        "beyond | beyond | count | count | kinds/beyond | count | Pairs whose pictures differ beyond noise. | Not a share."
        + _MEDIANS.format("kinds/", "median over the pairs: "),
        group=_G,
        source=SOURCE,
    ),
)
_PAIRS = (
    _text("image", "image", "The image whose feature was translated.", format="path"),
    _text("kind", "kind", "The embedding that is compared with T(f).", PAIRS + "kind", role="text"),
    Column(
        "difference",
        "difference",
        "text",
        PAIRS + "state",
        Explanation(
            meaning="`within noise`: the pictures differ no more than those of T(f) with other seeds do. `not known`: fewer than "
            "four seeds, or no decoder.",
            source=SOURCE,
        ),
        role="text",
    ),
    *columns(_MEDIANS.format("pairs/", "").split("\nback_before")[0], group=_G, source=SOURCE),
    *columns(
        "p | p | three digits | value | pairs/p | share of all ways to share out the pictures of both with a difference as large "
        "| At most .05: beyond noise. The smallest with four seeds is about .03. | Not a size. Not corrected for the number of "
        "pairs.\nback_before" + _MEDIANS.format("pairs/", "").split("\nback_before")[1],
        group=_G,
        source=SOURCE,
    ),
)
_PICTURES = (
    _text("image", "image", "The image whose feature was translated.", format="path"),
    Column(
        "kind",
        "kind",
        "text",
        explanation=Explanation(meaning="The embedding that the picture shows.", source=SOURCE),
        role="text",
        derived=kind_of_picture,
        needs=(PICTURES + "rendering", VECTORS + "kind"),
        description="the embedding that the picture shows",
    ),
    *columns(
        """
seed | seed | index | index | pictures/seed | - | Seed of the decoder's noise; of nearest images the place. | -
back | angle back | degrees | value | pictures/back | angle between the picture, in the file's CLIP, and its embedding | How far
    the decoder strays from what it is asked for. | Not 0 for a perfect picture: T(f) is no embedding of any image.
width | width | count | count | pictures/width | pixels | Pixels across. | Not those of the decoder where it makes larger ones.
height | height | count | count | pictures/height | pixels | Pixels down. | As for the width.
""",
        group=_G,
        source=SOURCE,
    ),
)
_ABSENT = "pictures; sing-compute render FILE adds them"
_PLACES = """pairs/image pairs/row pairs/before pairs/after pairs/kind embeddings/image embeddings/row embeddings/kind
pictures/image pictures/rendering pictures/seed pictures/edge"""
_NUMBERS = "pairs/between pairs/noise pairs/p pairs/state pairs/back_before pairs/back_after pictures/back"
RENDERS = Analysis(
    "renders",
    1,
    "pictures of equivalent features",
    "model",
    FIELDS,
    AXES,
    (
        TableSpec(
            "pairs",
            "pair",
            ("model",),
            "image",
            _PAIRS,
            opens=("render_kinds", "pictures"),
            measure="between",
            naming=("image", "kind"),
            absent=_ABSENT,
            opened_by=("models",),
        ),
        TableSpec(
            "render_kinds",
            "render_kind",
            ("model",),
            "kind",
            _KINDS,
            opens=("pairs", "pictures"),
            measure="beyond_share",
            naming=("kind",),
            absent=_ABSENT,
        ),
        TableSpec(
            "pictures",
            "picture",
            ("model",),
            "image",
            _PICTURES,
            opens=("pairs",),
            measure="back",
            naming=("image", "kind", "seed"),
            absent=_ABSENT,
        ),
        TableSpec(
            "rendered_models",
            "model",
            (),
            "model",
            _MODELS,
            opens=("pairs", "render_kinds"),
            measure="beyond_share",
            naming=("model",),
            absent=_ABSENT,
        ),
    ),
    needs=("images", "classes", "clip"),
    checks=(
        check(renders.check_places, _PLACES, group=_G),
        check(renders.check_sizes, "pictures/width pictures/height", group=_G),
        check(
            renders.check_vectors,
            "embeddings/vector",
            group=_G,
            needs="/models/{model}/features/value /models/{model}/images/image_score",
            without=NO_FEATURES,
        ),
        check(renders.check_pairs, "pairs/vector_angle", group=_G),
        check(
            renders.check_pictures, _NUMBERS, group=_G, needs="pictures/vector", without="no CLIP network was loaded"
        ),
        check(renders.check_kinds, "kinds/*", group=_G),
        check(
            renders.check_scores,
            "pairs/vector_angle",
            group=_G,
            needs="/models/{model}/images/image_score",
            without=NO_FEATURES,
        ),
    ),
)
