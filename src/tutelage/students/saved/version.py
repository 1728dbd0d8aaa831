"""The version of the files of students, and what is said about a file of another."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tutelage.core.errors import StaleCache

STUDENT_SCHEMA = 3
OURS = "a student that tutelage saved"
AGAIN = "Save the student again."


def check_schema(path: Path, about: Any) -> None:
    """Check that a file is of the format that this version reads.

    Raises:
        StaleCache: it is not.
    """
    schema = about.get("schema") if isinstance(about, dict) else None
    if schema != STUDENT_SCHEMA:
        raise StaleCache(
            f"{path} has schema {schema}; this version of tutelage reads {STUDENT_SCHEMA}. Load it with the version that saved it, or "
            "save the student again."
        )
