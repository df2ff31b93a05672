"""Plans of runs, made from options as the command gives them."""

from typing import Any

from sing_compute.pipeline.plan import Plan, make_plan

DEFAULTS: dict[str, Any] = {
    "models": ("resnet50",),
    "weights": (),
    "images": "photos",
    "output": "results.h5",
    "clip": None,
    "image_embeddings": None,
    "concept_embeddings": None,
    "class_embeddings": None,
    "class_names": None,
    "concepts": (),
    "templates": (),
    "ridge": None,
    "invariance": "logits",
    "device": "cpu",
    "batch_size": 64,
    "workers": None,
    "fresh": False,
    "command": "sing-compute",
}


def plan(**options: Any) -> Plan:
    return make_plan(**DEFAULTS | options)
