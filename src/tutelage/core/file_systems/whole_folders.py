"""Folders that appear complete or not at all, also if several processes write them, or one is killed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tutelage.core.errors import CannotWrite
from tutelage.core.file_systems.drafts import beside, cannot_write, draft_of, followed, named, sync
from tutelage.core.file_systems.locks import turn
from tutelage.core.file_systems.paths import AnyPath
from tutelage.core.file_systems.places import check_not_read, check_replaceable, is_empty, probe


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
    target = followed(target)
    draft = draft_of(target, folder=True)
    try:
        yield draft
        for path in sorted(draft.rglob("*")):
            sync(path)
    except OSError as error:
        shutil.rmtree(draft, ignore_errors=True)
        raise cannot_write(target, error) from error
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    try:
        with turn(target):
            _recover(target)
            _remove_left_behind(target, may_replace)
            check_replaceable(target, may_replace)  # another process may have written there since
            _replace_folder(draft, target)
    except (OSError, CannotWrite) as error:
        reason = cannot_write(target, error) if isinstance(error, OSError) else error
        raise CannotWrite(f"{reason} The finished folder was left at {_preserved(draft, target)}.") from error


def check_whole_folder(target: Path, *, may_replace: Callable[[Path], bool] = is_empty, read: Iterable[AnyPath | None] = ()) -> None:
    """Check, before any long computation, that `whole_folder` can later write `target`.

    Args:
        target: the folder that will be written.
        may_replace: as in `whole_folder`.
        read: files and folders that the same command reads, as for `check_not_read`.

    Raises:
        CannotWrite: it cannot; the message gives the reason.
    """
    recover_folder(target)
    check_replaceable(target, may_replace)
    check_not_read(target, read)
    place = followed(target)
    if not place.name or os.path.ismount(place):
        raise CannotWrite(f"{target} is the root of a file system, which cannot be replaced. Name a folder inside it.")
    if _holds_current(place):
        raise CannotWrite(f"{target} is or holds the current folder, which cannot be replaced. Name a new one, such as {target / 'run'}.")
    probe(place)


def recover_folder(target: Path) -> None:
    """Put a finished folder into its place, if a process was killed while it replaced `target`. Call it before `target` is read.

    Nothing is removed. Where there are no locks, nothing is done: another process may be replacing the folder.
    """
    with suppress(OSError, CannotWrite):  # where nothing can be written, the folder stays missing
        target = followed(target)
        if not target.exists() and _left_behind(target):
            with turn(target) as alone:
                if alone:
                    _recover(target)


def _replace_folder(draft: Path, target: Path) -> None:
    """Put a finished draft into its place, which may hold a folder. A kill between two steps leaves what `_recover` completes."""
    if not target.exists():
        draft.replace(target)
        return
    done, old = beside(target, "done"), beside(target, "old")
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
    return [path for kind in ("done", "old") for path in named(target, kind) if path.is_dir()]


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


def _holds_current(target: Path) -> bool:
    """Whether a folder is the current one of this process, or a folder above it."""
    with suppress(OSError):  # the current folder was removed
        return Path.cwd().resolve().is_relative_to(target.resolve())
    return False
