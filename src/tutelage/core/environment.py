"""What ran: versions that change figures, and the machine's kind; nothing that names the machine or its user."""

from __future__ import annotations

import platform
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version


def environment(*packages: str) -> dict[str, str]:
    """Date, Python, machine, and the version of each of these packages that is installed."""
    found = {"date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"), "python": platform.python_version(), "machine": platform.machine()}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
