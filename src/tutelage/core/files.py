"""Atomic writes: a file or folder appears complete or not at all, also if several processes write it, or one is killed."""

from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tutelage.core.errors import CannotWrite
from tutelage.core.remote import AnyPath, RemotePath

STALE_SECONDS = 3600
_LOCKS = find_spec("fcntl") is not None  # not on Windows
_WITHOUT_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)
"""What file systems say that have no hard links."""
_SIXTEEN_DIGITS = "[0-9a-f]{16}"


def is_empty(folder: AnyPath) -> bool:
    """Whether a folder is empty."""
    return not any(folder.iterdir())


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


@contextmanager
def whole_file(target: AnyPath) -> Iterator[Path]:
    """Yield a temporary path in the folder of `target`; on success it replaces `target`, on any error it is removed.

    Where `target` is a symbolic link, the file that it names is written. For a file of another file system, the temporary path is on this
    machine.

    Raises:
        CannotWrite: the folder cannot be created or written.
    """
    if isinstance(target, RemotePath):
        with _uploaded(target) as draft:
            yield draft
        return
    target = _followed(target)
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
    """Yield a temporary folder next to `target`; on success it replaces `target`, on any error within the block it is removed.

    Of several processes that write the same folder, the last to finish replaces what the others wrote. A process that is killed while it
    replaces the folder leaves a finished folder, which the next call, or `recover_folder`, puts into its place.

    Args:
        target: the folder to create. Where it is a symbolic link, the folder that it names is written.
        may_replace: called with a folder that already exists; False leaves it untouched. By default only an empty folder
            is replaced.

    Raises:
        CannotWrite: the path cannot be written, or exists and may not be replaced. If the block had ended, the message gives the path
            where the finished folder was left.
    """
    check_whole_folder(target, may_replace=may_replace)
    target = _followed(target)
    draft = _draft(target, folder=True)
    try:
        yield draft
        for path in sorted(draft.rglob("*")):
            _sync(path)
    except OSError as error:
        shutil.rmtree(draft, ignore_errors=True)
        raise _cannot_write(target, error) from error
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    try:
        with _turn(target):
            _recover(target)
            _remove_left_behind(target, may_replace)
            _check_replaceable(target, may_replace)  # another process may have written there since
            _replace_folder(draft, target)
    except (OSError, CannotWrite) as error:
        reason = _cannot_write(target, error) if isinstance(error, OSError) else error
        raise CannotWrite(f"{reason} The finished folder was left at {_preserved(draft, target)}.") from error


def check_whole_folder(target: Path, *, may_replace: Callable[[Path], bool] = is_empty) -> None:
    """Check, before any long computation, that `whole_folder` can later write `target`.

    Args:
        target: the folder that will be written.
        may_replace: as in `whole_folder`.

    Raises:
        CannotWrite: it cannot; the message gives the reason.
    """
    recover_folder(target)
    _check_replaceable(target, may_replace)
    place = _followed(target)
    if not place.name or os.path.ismount(place):
        raise CannotWrite(f"{target} is the root of a file system, which cannot be replaced. Name a folder inside it.")
    if _holds_current(place):
        raise CannotWrite(f"{target} is or holds the current folder, which cannot be replaced. Name a new one, such as {target / 'run'}.")
    _probe(place)


def check_place(target: AnyPath, *, may_replace: Callable[[Any], bool] = is_empty) -> None:
    """Check, before any long computation, that files can later be written into the folder `target`.

    Args:
        target: the folder, which need not exist.
        may_replace: called with a folder that already exists: whether it holds nothing but files that may be replaced.

    Raises:
        CannotWrite: they cannot; the message gives the reason.
    """
    _check_replaceable(target, may_replace)
    if isinstance(target, RemotePath):
        _probe_remote(target)
    else:
        _probe(_followed(target) / "file", named=target)


def _probe_remote(folder: RemotePath) -> None:
    """Write and remove a file with a name of its own."""
    probe = folder / f".probe.draft-{secrets.token_hex(8)}"
    try:
        probe.write(b"")
        probe.unlink(missing_ok=True)
    except CannotWrite as error:
        raise CannotWrite(str(error).replace(str(probe), str(folder), 1)) from error


def _check_replaceable(target: AnyPath, may_replace: Callable[[Any], bool]) -> None:
    try:
        if target.exists():
            if not target.is_dir():
                raise CannotWrite(f"{target} is a file, but a folder will be written there. Choose another path.")
            if not may_replace(target):
                raise CannotWrite(f"{target} already holds other files, which would be lost. Choose another folder or empty it.")
    except OSError as error:
        raise _cannot_write(target, error) from error


def recover_folder(target: Path) -> None:
    """Put a finished folder into its place, if a process was killed while it replaced `target`. Call it before `target` is read.

    Nothing is removed. Where there are no locks, nothing is done: another process may be replacing the folder.
    """
    with suppress(OSError, CannotWrite):  # where nothing can be written, the folder stays missing
        target = _followed(target)
        if not target.exists() and _left_behind(target):
            with _turn(target) as alone:
                if alone:
                    _recover(target)


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
def _turn(target: Path) -> Iterator[bool]:
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


def check_file_place(target: Path) -> None:
    """Check, before any long computation, that a file can later be written at `target`.

    Raises:
        CannotWrite: it cannot; the message gives the reason.
    """
    if target.is_dir():
        raise CannotWrite(f"{target} is a folder, but a file will be written there. Name a file.")
    _probe(_followed(target))


def write_unless_there(target: AnyPath, write: Callable[[Path], None]) -> bool:
    """Write a file that appears complete or not at all, and never replaces one: of several processes, the first to finish wins.

    On another file system, two that finish at the same moment may both be told that they were first, and the last of them wins.

    Args:
        target: the file.
        write: called with a temporary path in its folder.

    Returns:
        Whether the file was not there before.

    Raises:
        CannotWrite: the folder cannot be created or written.
    """
    if isinstance(target, RemotePath):
        if target.is_file():
            return False
        with _uploaded(target) as draft:
            write(draft)
        return True
    target = _followed(target)
    draft = _draft(target, folder=False)
    try:
        write(draft)
        _sync(draft)
        return _linked(draft, target)
    except OSError as error:
        raise _cannot_write(target, error) from error
    finally:
        draft.unlink(missing_ok=True)


@contextmanager
def _uploaded(target: RemotePath) -> Iterator[Path]:
    """Yield a temporary path on this machine; on success its content is written to the target at once."""
    with tempfile.TemporaryDirectory() as folder:
        draft = Path(folder) / target.name
        yield draft
        target.write(draft.read_bytes())


def _linked(draft: Path, target: Path) -> bool:
    """Give a finished draft the name of a file that is not there; False if it is."""
    try:
        target.hardlink_to(draft)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in _WITHOUT_LINKS:
            raise
        if target.exists():
            return False
        draft.replace(target)
    return True


def write_text(target: AnyPath, text: str) -> None:
    """Write a text file (UTF-8) atomically."""
    with whole_file(target) as draft:
        draft.write_text(text, encoding="utf-8")


def _probe(target: Path, *, named: Path | None = None) -> None:
    """Write and remove an unnamed file in the nearest existing parent folder of `target`; no folder is created."""
    parent = next(folder for folder in target.absolute().parents if folder.exists())
    try:
        tempfile.TemporaryFile(dir=parent).close()
    except OSError as error:
        raise _cannot_write(named or target, error) from error


def _followed(target: Path) -> Path:
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


def _holds_current(target: Path) -> bool:
    """Whether a folder is the current one of this process, or a folder above it."""
    with suppress(OSError):  # the current folder was removed
        return Path.cwd().resolve().is_relative_to(target.resolve())
    return False


def _draft(target: Path, *, folder: bool) -> Path:
    """Create an empty draft in the target's folder, so that a rename never crosses file systems."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _sweep(target)
        draft = _beside(target, "draft")
        # Not tempfile, which hides what it creates from other users, whatever the umask.
        if folder:
            draft.mkdir()
        else:
            draft.touch(exist_ok=False)
        return draft
    except OSError as error:
        raise _cannot_write(target, error) from error


def _beside(target: Path, kind: str) -> Path:
    """A new name in the target's folder, which `_named` recognises."""
    return target.with_name(f".{target.name}.{kind}-{secrets.token_hex(8)}")


def _named(target: Path, kind: str) -> list[Path]:
    """What lies in the target's folder under a name that `_beside` gave; any other name belongs to the user."""
    name = re.compile(rf"\.{re.escape(target.name)}\.{kind}-{_SIXTEEN_DIGITS}")
    return [path for path in target.parent.iterdir() if name.fullmatch(path.name) and not path.is_symlink()]


def _sweep(target: Path) -> None:
    """Remove drafts of the same target that a killed process left behind; an active draft is always younger than an hour."""
    for stale in _named(target, "draft"):
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
    done, old = _beside(target, "done"), _beside(target, "old")
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
    if not target.parent.is_dir():
        return []
    return [path for kind in ("done", "old") for path in _named(target, kind) if path.is_dir()]


def _recover(target: Path) -> None:
    """Complete the replacement that a killed process began; the caller has its turn."""
    left = _left_behind(target)
    if left and not target.exists():
        left[0].replace(target)


def _remove_left_behind(target: Path, may_replace: Callable[[Path], bool]) -> None:
    """Remove what a killed process left and no one needs, once the target is in its place; the caller has its turn."""
    for path in _left_behind(target):
        if may_replace(path):
            shutil.rmtree(path, ignore_errors=True)


def _preserved(draft: Path, target: Path) -> Path:
    """Move a finished draft to a name that is seen, and that no later call removes; where it then lies."""
    finished = target.with_name(f"{target.name}.finished-{draft.name[-16:]}")
    with suppress(OSError):
        return draft.replace(finished)
    return draft


def _sync(path: Path) -> None:
    if path.is_file():
        with path.open("rb") as handle:
            os.fsync(handle.fileno())


def _cannot_write(target: AnyPath, error: OSError) -> CannotWrite:
    return CannotWrite(f"{target} cannot be written ({error.strerror or error}). Make the path writable or choose another.")
