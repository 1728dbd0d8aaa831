"""The teacher of benchmarks/labelling.py, which worker processes import."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np


@cache
def weights() -> tuple[Any, ...]:
    """Of a network of 10 inputs, two layers of 256, and 10 answers."""
    draws = np.random.default_rng(0)
    return tuple(draws.normal(size=shape).astype(np.float32) / 8 for shape in ((10, 256), (256, 256), (256, 10)))


def answer(rows: Any) -> Any:
    """(rows, 10) logits."""
    first, second, last = weights()
    answers = np.tanh(np.tanh(np.asarray(rows) @ first) @ second) @ last
    note = os.environ.get("TUTELAGE_PEAKS")
    if note is not None:
        status = Path("/proc/self/status").read_text(encoding="utf-8")
        own, place = int(status.split("RssAnon:")[1].split()[0]), Path(note) / f"peak-{os.getpid()}"
        most = max(own, int(place.read_text(encoding="utf-8")) if place.exists() else 0)
        place.write_text(str(most), encoding="utf-8")
    return answers
