"""Locks of folders, which the operating system releases when a process ends in any way."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

_LOCKS = find_spec("fcntl") is not None  # not on Windows


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder. The operating system releases it when the process ends in any way.

    Args:
        folder: an existing folder.

    Raises:
        BlockingIOError: another process holds the lock. OSError: the folder cannot be opened.
    """
    if not _LOCKS:
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        _flock(handle, wait=False)
        yield
    finally:
        os.close(handle)


@contextmanager
def turn(target: Path) -> Iterator[bool]:
    """Wait until no other process replaces `target`; yield whether that is certain: not every file system has locks.

    The lock is a file next to the target, not the folder that holds both, which `locked` may hold for hours. It is removed at the end.
    """
    if not _LOCKS:
        yield False
        return
    path = target.with_name(f".{target.name}.lock")
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            alone = _flock(handle, wait=True)
            if not _is_open_file(handle, path):  # the process that held the lock removed the file
                continue
            try:
                yield alone
            finally:
                path.unlink(missing_ok=True)
            return
        finally:
            os.close(handle)


def _flock(handle: int, *, wait: bool) -> bool:
    """Lock an open file or folder; False on a file system without locks."""
    import fcntl

    try:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        raise
    except OSError:
        return False
    return True


def _is_open_file(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False
