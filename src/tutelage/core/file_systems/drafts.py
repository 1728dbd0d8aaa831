"""Drafts: what is written under another name in the same folder, until it is whole."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import time
from contextlib import suppress
from pathlib import Path

from tutelage.core.errors import CannotWrite
from tutelage.core.file_systems.paths import AnyPath, RemotePath

STALE_SECONDS = 3600
_SIXTEEN_DIGITS = "[0-9a-f]{16}"


def is_draft(path: AnyPath) -> bool:
    """Whether a path has the name of a draft of this module: one that is not being written was left by a killed process."""
    return re.fullmatch(rf"\..+\.draft-{_SIXTEEN_DIGITS}", path.name) is not None


def remove_draft(path: AnyPath) -> None:
    """Remove a draft, a file or a folder; nothing happens if it is gone."""
    remove_folder(path) if path.is_dir() else path.unlink(missing_ok=True)


def remove_folder(path: AnyPath) -> None:
    """Remove a folder with all that it holds, as far as it can be removed."""
    if isinstance(path, RemotePath):
        with suppress(CannotWrite):
            path.remove_folder()
    else:
        shutil.rmtree(path, ignore_errors=True)


def draft_of(target: Path, *, folder: bool) -> Path:
    """Create an empty draft in the target's folder, so that a rename never crosses file systems."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _sweep(target)
        draft = beside(target, "draft")
        # Not tempfile, which hides what it creates from other users, whatever the umask.
        if folder:
            draft.mkdir()
        else:
            draft.touch(exist_ok=False)
        return draft
    except OSError as error:
        raise cannot_write(target, error) from error


def beside(target: Path, kind: str) -> Path:
    """A new name in the target's folder, which `named` recognises."""
    return target.with_name(f".{target.name}.{kind}-{secrets.token_hex(8)}")


def named(target: Path, kind: str) -> list[Path]:
    """What lies in the target's folder under a name that `beside` gave; any other name belongs to the user."""
    name = re.compile(rf"\.{re.escape(target.name)}\.{kind}-{_SIXTEEN_DIGITS}")
    return [path for path in target.parent.iterdir() if name.fullmatch(path.name) and not path.is_symlink()]


def _sweep(target: Path) -> None:
    """Remove drafts of the same target that a killed process left behind; an active draft is always younger than an hour."""
    for stale in named(target, "draft"):
        with suppress(OSError):
            if time.time() - stale.stat().st_mtime > STALE_SECONDS:
                shutil.rmtree(stale) if stale.is_dir() else stale.unlink()


def followed(target: Path) -> Path:
    """The path that is written: what a symbolic link names; `.` and `..` by their names.

    Raises:
        CannotWrite: a link that leads back to itself.
    """
    if target.is_symlink() or target.name in {"", ".."}:
        with suppress(RuntimeError):  # a loop, until Python 3.12
            target = target.resolve()
        if target.is_symlink():
            raise CannotWrite(f"{target} is a symbolic link that leads back to itself. Choose another path.")
    return target


def sync(path: Path) -> None:
    """Have the content of a file on the disk; nothing happens to a folder."""
    if path.is_file():
        with path.open("rb") as handle:
            os.fsync(handle.fileno())


def cannot_write(target: AnyPath, error: OSError) -> CannotWrite:
    """The error of a place that cannot be written."""
    return CannotWrite(f"{target} cannot be written ({error.strerror or error}). Make the path writable or choose another.")
