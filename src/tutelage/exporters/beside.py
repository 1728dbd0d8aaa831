"""FILE.json beside an exported file: which bytes were proven, and of which student's file they are."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

from tutelage.core.errors import BadInput, DamagedFile
from tutelage.core.file_systems.whole_files import write_text
from tutelage.core.records import dumps
from tutelage.core.stored.checksums import sha256_of

STUDENT = "student"
"""The key of the SHA-256 of the student's file."""


def record_path(path: Path) -> Path:
    """Where the record of an exported file is."""
    return path.with_name(f"{path.name}.json")


def name_student(path: Path, sha256: str) -> None:
    """Say in the record of an exported file of which student it is.

    Args:
        path: the exported file.
        sha256: of the student's own file.

    Raises:
        CannotWrite: it cannot be written. DamagedFile: the record cannot be read.
    """
    write_text(record_path(path), dumps({**(_read(path) or {}), STUDENT: sha256}))


def check_exported(path: Path, sha256: str | None = None) -> None:
    """Check that an exported file is the one that its record speaks of, and of a student.

    Args:
        path: the exported file.
        sha256: of the student's own file; None if that is not known.

    Raises:
        DamagedFile: other bytes than were written, or a record that cannot be read. BadInput: it is of another student.

    Warns:
        UserWarning: nothing says of which student it is.
    """
    record = _read(path)
    if record is not None and record.get("sha256") != sha256_of(path):
        raise DamagedFile(
            f"{path} is not the file that was exported: its SHA-256 differs from the one in {record_path(path).name}. Export the student "
            "again."
        )
    of = None if record is None else record.get(STUDENT)
    if sha256 is not None and of is None:
        warnings.warn(
            f"nothing beside {path} says of which student it is, so its answers may be those of another one. Export it with tutelage "
            "export, and keep its .json beside it.",
            stacklevel=3,
        )
    elif sha256 is not None and of != sha256:
        raise BadInput(f"{path} was exported from another student than the one that it stands for here; export that one again.")


def _read(path: Path) -> dict[str, Any] | None:
    place = record_path(path)
    try:
        found = json.loads(place.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise DamagedFile(f"{place} cannot be read; export the student again.") from error
    if not isinstance(found, dict):
        raise DamagedFile(f"{place} is no record of an exported file; export the student again.")
    return found
