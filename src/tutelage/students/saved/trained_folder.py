"""The folder of a trained student: run.json, which says what it is, and the student's file with the SHA-256 recorded there.

`tutelage train` and `tutelage distill` write such folders.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tutelage.core.errors import BadInput, DamagedFile, StaleCache
from tutelage.core.file_systems.whole_folders import recover_folder
from tutelage.core.stored.checksums import read_json, sha256_of

TRAINED = "run.json"
STUDENT_FILE = "student.skops"
SPLIT = "split.parquet"
"""Where the folder of a distillation says which rows were for what."""
_OWN = (TRAINED, STUDENT_FILE, SPLIT, "plan.json", "results.json", "figures.json", "playground.json", "students", "work")
TRAINED_SCHEMA = 5
REMEDY = "Restore it, or train again."
MOST_NAMED = 6
"""Classes that are named in a sentence."""


def read_trained(folder: Path) -> dict[str, Any]:
    """The contents of a folder's run.json.

    Raises:
        BadInput: the folder does not exist, or holds no trained student. DamagedFile: run.json is damaged or of another version.
    """
    recover_folder(folder)
    path = folder / TRAINED
    if not folder.is_dir():
        raise BadInput(f"there is no folder {folder}; name one that `tutelage distill` or `tutelage train` wrote.")
    if not path.is_file():
        raise BadInput(f"{folder} holds no trained student: it has no {TRAINED}.{_instead(folder)}")
    record = read_json(path, schema=TRAINED_SCHEMA, remedy=REMEDY)
    if not {"student", "task", "columns", "data", "file"} <= set(record):
        raise DamagedFile(f"{path} is damaged (entries are missing). {REMEDY}")
    return record


def own_files(folder: Path) -> list[Path]:
    """Files and folders that a folder of students is read from: what is written there beside them must replace none of these."""
    return [folder / name for name in _OWN]


def class_weights_of_run(record: Mapping[str, Any]) -> str:
    """The weights of classes that a student was trained with, in words; "" if there were none.

    Example:
        >>> class_weights_of_run({"class_weights": {"ok": 1.0, "fraud": 10.0}})
        'ok 1, fraud 10'
    """
    weights = record.get("class_weights") or {}
    more = f" and {len(weights) - MOST_NAMED:,} more" if len(weights) > MOST_NAMED else ""
    return ", ".join(f"{name} {weight:.3g}" for name, weight in list(weights.items())[:MOST_NAMED]) + more


def sha256_of_student(folder: Path) -> str | None:
    """The SHA-256 of the student's file that a folder's run.json names; None without one, or for one of another version.

    Raises:
        DamagedFile: run.json is damaged.
    """
    if not (folder / TRAINED).is_file():
        return None
    try:
        entry = read_trained(folder)["file"]
    except StaleCache:
        return None
    found = entry.get("sha256") if isinstance(entry, dict) else None
    return None if found is None else str(found)


def student_file(folder: Path, entry: Any) -> Path:
    """The path of a student's file that run.json names, once its content was checked.

    Args:
        folder: of the student.
        entry: what run.json says of the file: its name and its SHA-256.

    Raises:
        DamagedFile: it is missing, or its content differs.
    """
    try:
        path = folder / str(entry["name"])
        if not path.resolve().is_relative_to(folder.resolve()):
            raise DamagedFile(f"{folder / TRAINED} names a file outside its folder, {entry['name']}. Do not use it.")
        if sha256_of(path) != entry["sha256"]:
            raise DamagedFile(f"{path} is damaged: its SHA-256 differs from the one in {TRAINED}. {REMEDY}")
    except OSError as error:
        raise DamagedFile(f"{path} cannot be read ({error.strerror or error}). {REMEDY}") from error
    except (KeyError, TypeError) as error:
        raise DamagedFile(f"{folder / TRAINED} is damaged (entries are missing). {REMEDY}") from error
    return path


def _instead(folder: Path) -> str:
    if (folder / "plan.json").is_file():
        return " It is a distillation that has not finished: give the same command again, and it goes on."
    if (folder / "results.json").is_file():
        return " It was written by `tutelage run`. Name a folder that `tutelage distill` or `tutelage train` wrote."
    return " Name a folder that `tutelage distill` or `tutelage train` wrote."
