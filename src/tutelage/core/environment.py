"""The versions and the processor architecture behind a result; nothing that identifies the machine or its user."""

from __future__ import annotations

import platform
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version

PACKAGES = (
    "tutelage",
    "numpy",
    "scipy",
    "scikit-learn",
    "pandas",
    "pyarrow",
    "optuna",
    "onnx",
    "onnxruntime",
    "skl2onnx",
    "skops",
    "lightgbm",
    "xgboost",
    "torch",
)
"""Packages whose version may change a figure or a file."""


def environment(*packages: str) -> dict[str, str]:
    """Date, Python version, processor architecture, and the version of each package that is installed: of `PACKAGES` if none are given."""
    found = {"date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"), "python": platform.python_version(), "machine": platform.machine()}
    for package in packages or PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
