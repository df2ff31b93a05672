"""The datasets of the pictures of equivalent features: what was decoded, the pictures, and how far each pair can be believed."""

from sing_compute.store.definition import Axis, fields

GROUP = "models/{model}/renders"
KINDS, PAIRS, VECTORS, PICTURES = (f"{GROUP}/{part}/" for part in ("kinds", "pairs", "embeddings", "pictures"))
TRANSLATED, EQUIVALENT, TRUE = "translated", "equivalent", "true"
"""Kinds of embeddings: T(f), T(f~), and the CLIP embedding of the image itself."""
CHANGED = (EQUIVALENT, "centred", "steered", "random", "null", "principal", "counterfactual", TRUE)
"""Kinds of embeddings that are compared with T(f), in the order of the tables."""
ALL_KINDS = (TRANSLATED, *CHANGED)
NEAREST, ELSEWHERE = "nearest images", "pictures decoded elsewhere"
"""Values of the attribute `source` where this program decoded nothing; else it is the class of the decoder."""

_CHANGED, _ALL = "/".join(CHANGED), "/".join(ALL_KINDS)
FIELDS = fields(f"""
[models/{{model}}/renders/kinds]
name | text | render_kind | text in {_CHANGED} | MUST | kinds of embeddings that are compared with T(f), `equivalent` first
pairs | int64 | render_kind | count | MUST | pairs of T(f) and an embedding of the kind
known | int64 | render_kind | count | MUST | pairs of which it is known if their pictures differ beyond noise
beyond | int64 | render_kind | count | MUST | pairs whose pictures do
share | float64 | render_kind | 1 in 0..1 or nan | MUST | `beyond` over `known`
share_interval | float64 | render_kind bound | 1 in 0..1 or nan | MUST | 95 % interval of the share (Wilson)
vector_angle | float64 | render_kind | degree in 0..180 or nan | MUST | median over the pairs of `pairs/vector_angle`
between | float64 | render_kind | degree in 0..180 or nan | MUST | median of `pairs/between`
noise | float64 | render_kind | degree in 0..180 or nan | MUST | median of `pairs/noise`
back_before | float64 | render_kind | degree in 0..180 or nan | MUST | median of `pairs/back_before`
back_after | float64 | render_kind | degree in 0..180 or nan | MUST | median of `pairs/back_after`

[models/{{model}}/renders/pairs]
image | text | pair | text | MUST | key of the image of each pair
row | int32 | pair | index of image in 0.. | MUST | its row
kind | int32 | pair | index of render_kind in 0.. | MUST | kind of the embedding that is compared with T(f)
before | int32 | pair | index of rendering in 0.. | MUST | T(f) among `embeddings`
after | int32 | pair | index of rendering in 0.. | MUST | the embedding that is compared with it
vector_angle | float64 | pair | degree in 0..180 | MUST | angle between the two embeddings; IS for `equivalent`
between | float64 | pair | degree in 0..180 or nan | MUST | mean angle between the two pictures of a seed, in the file's CLIP
noise | float64 | pair | degree in 0..180 or nan | MUST | mean angle between the pictures of T(f) of two seeds
p | float64 | pair | 1 in >0..1 or nan | MUST | share of all ways to share out the pictures with a difference as large
state | text | pair | text in beyond noise/within noise/not known | MUST | `beyond noise` where p is at most .05
back_before | float64 | pair | degree in 0..180 or nan | MUST | mean angle between a picture of T(f), in the file's CLIP, and T(f)
back_after | float64 | pair | degree in 0..180 or nan | MUST | the same for the other embedding

[models/{{model}}/renders/embeddings]
image | text | rendering | text | MUST | key of the image of each embedding
row | int32 | rendering | index of image in 0.. | MUST | its row
kind | text | rendering | text in {_ALL} | MUST | kind of the embedding
vector | float32 | rendering clip | 1 | MUST | the embedding, of length 1
norm | float64 | rendering | 1 in >0.. or nan | MUST | length with which it was decoded; NaN where this program decoded nothing

[models/{{model}}/renders/pictures]
image | text | picture | text | MUST | key of the image of each picture
rendering | int32 | picture | index of rendering in 0.. | MUST | the embedding that it shows
seed | int64 | picture | index | MUST | seed of the decoder's noise; of nearest images the place, the nearest is 0
width | int32 | picture | count | MUST | pixels across
height | int32 | picture | count | MUST | pixels down
back | float32 | picture | degree in 0..180 or nan | MUST | angle between the picture, in the file's CLIP, and its embedding
vector | float32 | picture clip | 1 | MAY | the picture in the file's CLIP, of length 1; absent where no CLIP network was there
nearest | int32 | picture | index of image in 0.. | MAY | the real image, where nearest images take the places of pictures
edge | int64 | picture_edge | index | MUST | JPEG file k is the bytes edge[k] to edge[k + 1]
jpeg | uint8 | picture_byte | 1 in 0..255 | MUST | the JPEG files, one behind the other
""")
AXES = (
    Axis("render_kind", "kinds of embeddings that are compared with T(f)", field=KINDS + "name", labels=KINDS + "name"),
    Axis(
        "pair",
        "pairs of T(f) and another embedding of one image",
        field=PAIRS + "image",
        labels=PAIRS + "image",
        repeats=True,
    ),
    Axis("rendering", "embeddings that are shown by pictures", field=VECTORS + "row"),
    Axis(
        "picture",
        "pictures, by embedding, then seed",
        field=PICTURES + "image",
        labels=PICTURES + "image",
        repeats=True,
    ),
    Axis("picture_edge", "one more edge than pictures", edges_of="picture"),
    Axis("picture_byte", "bytes of all JPEG files", field=PICTURES + "jpeg"),
)
