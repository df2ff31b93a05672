"""The state of a process that a function must leave as it found it, apart from what conftest checks after every test."""

import random
import signal
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch


def traces() -> dict[str, Any]:
    """Return what `measure` and `run` must leave as it is."""
    return {
        "handlers": [
            signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD)
        ],
        "numpy": np.random.get_state()[1].tolist(),
        "random": random.getstate(),
        "torch": torch.get_rng_state().tolist(),
        "threads": (torch.get_num_threads(), torch.get_num_interop_threads()),
        "grad": torch.is_grad_enabled(),
        "warnings": list(warnings.filters),
        "path": list(sys.path),
        "temporary": sorted(Path(tempfile.gettempdir()).glob("sing-*")),
    }
