"""Atomic writes: a file or folder appears complete or not at all."""

from __future__ import annotations

import glob
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tutelage.core.errors import CannotWrite

STALE_SECONDS = 3600


def is_empty(folder: Path) -> bool:
    """Whether a folder is empty."""
    return not any(folder.iterdir())


@contextmanager
def whole_file(target: Path) -> Iterator[Path]:
    """Yield a temporary path in the folder of `target`; on success it replaces `target`, on any error it is removed.

    Raises:
        CannotWrite: the folder cannot be created or written.
    """
    draft = _draft(target, folder=False)
    try:
        yield draft
        _replace(draft, target)
    except OSError as error:
        raise _cannot_write(target, error) from error
    finally:
        draft.unlink(missing_ok=True)


@contextmanager
def whole_folder(target: Path, *, may_replace: Callable[[Path], bool] = is_empty) -> Iterator[Path]:
    """Yield a temporary folder next to `target`; on success it replaces `target`, on any error it is removed.

    Args:
        target: the folder to create.
        may_replace: called with a folder that already exists; False leaves it untouched. By default only an empty folder
            is replaced.

    Raises:
        CannotWrite: the path cannot be written, or exists and may not be replaced.
    """
    check_place(target, may_replace=may_replace)
    draft = _draft(target, folder=True)
    try:
        yield draft
        draft.chmod(0o777 & ~_umask())
        _replace_folder(draft, target)
    except OSError as error:
        raise _cannot_write(target, error) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def check_place(target: Path, *, may_replace: Callable[[Path], bool] = is_empty) -> None:
    """Check, before any long computation, that a folder can later be written at `target`.

    Args:
        target: the folder that will be written.
        may_replace: as in `whole_folder`.

    Raises:
        CannotWrite: it cannot; the message gives the reason.
    """
    if target.exists():
        if not target.is_dir():
            raise CannotWrite(f"{target} is a file, but a folder will be written there. Choose another path.")
        if not may_replace(target):
            raise CannotWrite(f"{target} already holds other files, which would be lost. Choose another folder or empty it.")
    _probe(target)


def check_file_place(target: Path) -> None:
    """Check, before any long computation, that a file can later be written at `target`.

    Raises:
        CannotWrite: it cannot; the message gives the reason.
    """
    if target.is_dir():
        raise CannotWrite(f"{target} is a folder, but a file will be written there. Name a file.")
    _probe(target)


def write_text(target: Path, text: str) -> None:
    """Write a text file (UTF-8) atomically."""
    with whole_file(target) as draft:
        draft.write_text(text, encoding="utf-8")


def _probe(target: Path) -> None:
    """Write and remove an unnamed file in the nearest existing parent folder of `target`; no folder is created."""
    parent = next(folder for folder in target.absolute().parents if folder.exists())
    try:
        tempfile.TemporaryFile(dir=parent).close()
    except OSError as error:
        raise _cannot_write(target, error) from error


def _draft(target: Path, *, folder: bool) -> Path:
    """Create an empty draft in the target's folder, so that a rename never crosses file systems."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        prefix = f".{target.name}.draft-"
        _sweep(target.parent, prefix)
        if folder:
            return Path(tempfile.mkdtemp(prefix=prefix, dir=target.parent))
        handle, name = tempfile.mkstemp(prefix=prefix, dir=target.parent)
        os.close(handle)
        Path(name).chmod(0o666 & ~_umask())
        return Path(name)
    except OSError as error:
        raise _cannot_write(target, error) from error


def _sweep(folder: Path, prefix: str) -> None:
    """Remove drafts of the same target that a killed process left behind; an active draft is always younger than an hour."""
    for stale in folder.glob(f"{glob.escape(prefix)}*"):
        with suppress(OSError):
            if time.time() - stale.stat().st_mtime > STALE_SECONDS:
                shutil.rmtree(stale) if stale.is_dir() else stale.unlink()


def _replace(draft: Path, target: Path) -> None:
    _sync(draft)
    draft.replace(target)


def _replace_folder(draft: Path, target: Path) -> None:
    """Replace a folder by the draft. This takes two steps: the old folder is moved away first and restored on failure."""
    for path in sorted(draft.rglob("*")):
        _sync(path)
    if not target.exists():
        draft.replace(target)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{target.name}.old-", dir=target.parent))
    target.replace(old)
    try:
        draft.replace(target)
    except BaseException:
        old.replace(target)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _sync(path: Path) -> None:
    if path.is_file():
        with path.open("rb") as handle:
            os.fsync(handle.fileno())


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _cannot_write(target: Path, error: OSError) -> CannotWrite:
    return CannotWrite(f"{target} cannot be written ({error.strerror or error}). Make the path writable or choose another.")
