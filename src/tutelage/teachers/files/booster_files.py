"""Booster files that others wrote, proven before they are loaded: a damaged one would end this process, or never return.

LightGBM, XGBoost and CatBoost trust the files that they read. Each file is first loaded and queried in a process of its own, with limits of
time and memory (`booster_probe`); then the trees of LightGBM and XGBoost are checked node by node, since a few rows do not visit all.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tutelage.core.errors import BadInput, DamagedFile, one_line, require
from tutelage.core.stored.booster_trees import lightgbm_parts, sound_lightgbm, sound_xgboost, without_tree_sizes
from tutelage.teachers.files import booster_probe

SECONDS, SECONDS_A_MEGABYTE = 30, 1
"""How much time of a processor a file may take to load and answer a few rows; far more than any sound one takes."""
PATIENCE = 10
"""How many times as long the other process may take by the clock, on a machine that is busy."""
MEMORY, MEMORY_A_BYTE = 4 << 30, 50
_PROVEN: set[str] = set()
"""SHA-256 of the files that this process has proven."""


def load_lightgbm(path: Path) -> Any:
    """A lightgbm.Booster from its text.

    Raises:
        DamagedFile: LightGBM cannot load or query it, or a tree of it points outside itself. MissingExtra: LightGBM is not installed.
    """
    lightgbm = require("lightgbm")
    text = path.read_text(encoding="utf-8", errors="replace")
    if "\nend of trees" not in text:  # LightGBM itself would read past the end of the text
        raise DamagedFile(f"{path} is not a complete LightGBM model (the line 'end of trees' is missing). Save the model again.")
    text = without_tree_sizes(text)
    _check_nodes(path, lambda: sound_lightgbm(lightgbm_parts(text)), "LightGBM")
    _prove(path, text.encode(), "lightgbm", "a LightGBM")
    return _loaded(path, "a LightGBM", lambda: lightgbm.Booster(model_str=text))


def load_xgboost(path: Path) -> Any:
    """An xgboost.Booster from its JSON or UBJSON.

    Raises:
        DamagedFile: XGBoost cannot load or query it, or a tree of it points outside itself. MissingExtra: XGBoost is not installed.
    """
    xgboost = require("xgboost")
    content = path.read_bytes()
    _prove(path, content, "xgboost", "an XGBoost")

    def load() -> Any:
        booster = xgboost.Booster()
        booster.load_model(bytearray(content))
        return booster

    booster = _loaded(path, "an XGBoost", load)
    _check_nodes(path, lambda: sound_xgboost(json.loads(bytes(booster.save_raw("json")))), "XGBoost")
    return booster


def load_catboost(path: Path) -> Any:
    """A catboost.CatBoost from a .cbm file.

    Raises:
        DamagedFile: CatBoost cannot load or query it. MissingExtra: CatBoost is not installed.
    """
    catboost = require("catboost")
    content = path.read_bytes()
    _prove(path, content, "catboost", "a CatBoost")
    return _loaded(path, "a CatBoost", lambda: catboost.CatBoost().load_model(blob=content))


def _loaded(path: Path, of: str, load: Callable[[], Any]) -> Any:
    try:
        return load()
    except Exception as error:  # the engines' exceptions share no base class
        raise DamagedFile(f"{path} is not {of} model ({one_line(error)}). Save the model again.") from error


def _check_nodes(path: Path, sound: Callable[[], bool], engine: str) -> None:
    try:
        reason = None if sound() else "a tree of it points outside itself"
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError, OverflowError) as error:
        reason = f"its trees cannot be read: {type(error).__name__} {one_line(error)}"
    if reason is not None:
        raise DamagedFile(f"{path} is not a sound {engine} model ({reason}); it was damaged or tampered with. Save the model again.")


def _prove(path: Path, content: bytes, engine: str, of: str) -> None:
    """Load and query a file in a process of its own, once for each content.

    Raises:
        DamagedFile: that process did not come to a good end. BadInput: no other process can be started here.
    """
    name = hashlib.sha256(content).hexdigest()
    if name in _PROVEN:
        return
    if not sys.executable:
        raise BadInput(f"{path} cannot be proven: this program knows no Python to start. Load the model with {engine}, and pass it.")
    megabytes = len(content) / 1e6
    seconds, memory = SECONDS + SECONDS_A_MEGABYTE * megabytes, MEMORY + MEMORY_A_BYTE * len(content)
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(folder for folder in sys.path if folder),
        "CUDA_VISIBLE_DEVICES": "",  # a device maps more memory than the limit allows
        **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "MALLOC_ARENA_MAX"), "1"),
    }
    try:
        ended = subprocess.run(  # noqa: S603 - our own program, with the bytes on its standard input
            [sys.executable, "-P", booster_probe.__file__, engine, str(memory), str(int(seconds) + 1)],
            input=content,
            capture_output=True,
            timeout=PATIENCE * seconds,
            env=environment,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise DamagedFile(
            f"{path} is not {of} model ({engine} did not load it in {PATIENCE * seconds:.0f} s). Save the model again."
        ) from error
    if ended.returncode == booster_probe.REFUSED:
        reason = ended.stderr.decode(errors="replace").strip().splitlines()[-1]
        raise DamagedFile(f"{path} is not {of} model ({one_line(Exception(reason))}). Save the model again.")
    if ended.returncode:
        raise DamagedFile(
            f"{path} is not {of} model, or is damaged (it ended the process that loaded it: {ended.returncode}). Save the model again."
        )
    _PROVEN.add(name)
