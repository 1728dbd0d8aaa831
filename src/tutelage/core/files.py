"""Atomic writes: a file or folder appears complete or not at all, also if several processes write it, or one is killed."""

from __future__ import annotations

import glob
import os
import secrets
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

    Of several processes that write the same folder, the last to finish replaces what the others wrote. A process that is killed while it
    replaces the folder leaves a finished folder, which the next call, or `recover_folder`, puts into its place.

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
        for path in sorted(draft.rglob("*")):
            _sync(path)
        with locked(target.parent, wait=True):
            _recover(target)
            _check_replaceable(target, may_replace)  # another process may have written there since
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
    recover_folder(target)
    _check_replaceable(target, may_replace)
    _probe(target)


def _check_replaceable(target: Path, may_replace: Callable[[Path], bool]) -> None:
    if target.exists():
        if not target.is_dir():
            raise CannotWrite(f"{target} is a file, but a folder will be written there. Choose another path.")
        if not may_replace(target):
            raise CannotWrite(f"{target} already holds other files, which would be lost. Choose another folder or empty it.")


def recover_folder(target: Path) -> None:
    """Put a finished folder into its place, if a process was killed while it replaced `target`. Call it before `target` is read."""
    if any(_left_behind(target)):
        with suppress(OSError), locked(target.parent, wait=True):  # where nothing can be written, the folder stays missing
            _recover(target)


@contextmanager
def locked(folder: Path, *, wait: bool) -> Iterator[None]:
    """Hold the lock of a folder. The operating system releases it when the process ends in any way.

    Args:
        folder: an existing folder.
        wait: wait for another process that holds the lock.

    Raises:
        BlockingIOError: another process holds the lock, and `wait` is False. OSError: the folder cannot be opened.
    """
    try:
        import fcntl
    except ModuleNotFoundError:  # Windows has no such lock
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            raise
        except OSError:  # a file system without locks
            pass
        yield
    finally:
        os.close(handle)


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
        draft = target.with_name(f"{prefix}{secrets.token_hex(8)}")
        # Not tempfile, which hides what it creates from other users, whatever the umask.
        if folder:
            draft.mkdir()
        else:
            draft.touch(exist_ok=False)
        return draft
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
    """Put a finished draft into its place, which may hold a folder. A kill between two steps leaves what `_recover` completes."""
    if not target.exists():
        draft.replace(target)
        return
    done, old = (target.with_name(f".{target.name}.{kind}-{secrets.token_hex(8)}") for kind in ("done", "old"))
    draft.replace(done)
    target.replace(old)
    try:
        done.replace(target)
    except BaseException:
        old.replace(target)
        done.replace(draft)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _left_behind(target: Path) -> list[Path]:
    """Finished folders that a killed process left under other names: new ones first, then those that were to be replaced."""
    name = glob.escape(target.name)
    return [path for kind in ("done", "old") for path in target.parent.glob(f".{name}.{kind}-*")]


def _recover(target: Path) -> None:
    """Complete the replacement that a killed process began; the caller holds the lock of the folder above."""
    left = _left_behind(target)
    if left and not target.exists():
        left.pop(0).replace(target)
    for path in left:
        shutil.rmtree(path, ignore_errors=True)


def _sync(path: Path) -> None:
    if path.is_file():
        with path.open("rb") as handle:
            os.fsync(handle.fileno())


def _cannot_write(target: Path, error: OSError) -> CannotWrite:
    return CannotWrite(f"{target} cannot be written ({error.strerror or error}). Make the path writable or choose another.")
