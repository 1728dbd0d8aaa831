"""Whether a file or a folder can later be written at a place."""

from __future__ import annotations

import os
import secrets
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Literal

from tutelage.core.errors import CannotWrite
from tutelage.core.file_systems.drafts import cannot_write, followed
from tutelage.core.file_systems.paths import AnyPath, RemotePath


def is_empty(folder: AnyPath) -> bool:
    """Whether a folder is empty."""
    return not any(folder.iterdir())


def check_place(target: AnyPath, *, may_replace: Callable[[Any], bool] = is_empty) -> None:
    """Check, before any long computation, that files can later be written into the folder `target`.

    Args:
        target: the folder, which need not exist.
        may_replace: called with a folder that already exists: whether it holds nothing but files that may be replaced.

    Raises:
        CannotWrite: they cannot; the message gives the reason.
    """
    check_replaceable(target, may_replace)
    if isinstance(target, RemotePath):
        _probe_remote(target)
    else:
        probe(followed(target) / "file", named=target)


def check_file_place(target: Path, *, read: Iterable[AnyPath | None] = ()) -> None:
    """Check, before any long computation, that a file can later be written at `target`.

    Args:
        target: the file, which need not exist.
        read: files and folders that the same command reads, as for `check_not_read`.

    Raises:
        CannotWrite: it cannot; the message gives the reason.
    """
    if target.is_dir():
        raise CannotWrite(f"{target} is a folder, but a file will be written there. Name a file.")
    check_not_read(target, read)
    probe(followed(target))


def check_apart(target: AnyPath, cache: Path, *, may_hold: bool = False) -> None:
    """Check, before any long computation, that a cache is no part of a folder of results, whatever both are called.

    Args:
        target: the folder of results.
        cache: that of the cache, on this machine.
        may_hold: whether the target may lie inside the cache.

    Raises:
        CannotWrite: they are the same folder, or one lies inside the other.
    """
    if isinstance(target, RemotePath):
        return
    lies = _lies(target, cache)
    if lies is None or (may_hold and lies == "inside"):
        return
    where = {"same": "is the same folder", "around": "lies around it", "inside": "lies inside it"}[lies]
    raise CannotWrite(
        f"cache= is {cache}, and {target}, a folder of results, {where}. Choose another folder for one of the two, neither inside the "
        "other; what is stored stays there."
    )


def _lies(place: Path, other: Path) -> Literal["same", "inside", "around"] | None:
    """How a place lies to another, whatever both are called, and whether they exist; None if they are apart."""
    first, second = (Path(os.path.realpath(path)) for path in (place, other))
    if _is_same(first, second):
        return "same"
    if any(_is_same(parent, second) for parent in first.parents):
        return "inside"
    return "around" if any(_is_same(first, parent) for parent in second.parents) else None


def _is_same(first: Path, second: Path) -> bool:
    """Whether two places are one, also where a file system takes two names for it."""
    return first == second or (first.exists() and second.exists() and first.samefile(second))


def check_not_read(target: Path, read: Iterable[AnyPath | None]) -> None:
    """Check that what is written at `target` replaces nothing that the same command reads, by whatever names the two are given.

    Args:
        target: a file, or a folder that is replaced as a whole.
        read: files, and folders of which any file may be read; None and paths of other file systems are not looked at.

    Raises:
        CannotWrite: `target` is one of the files, lies in one of the folders, or is a folder that holds one of them.
    """
    if not target.exists():  # a new file replaces nothing
        return
    for path in read:
        found = _of_both(target, path) if isinstance(path, Path) and path.exists() else None
        if found is not None:
            raise CannotWrite(f"{target} {found}, which is read as well and would be lost. Choose another path to write to.")


def _of_both(target: Path, read: Path) -> str | None:
    """How a place that is written is one that is read, as the end of "the place ..."; None if it is not."""
    lies = _lies(target, read)
    if lies == "same":
        return "is an input" if str(target) == str(read) else f"is the same {'folder' if read.is_dir() else 'file'} as {read}"
    if target.is_dir():
        return f"holds {read}" if lies == "around" else None
    return f"lies in {read}" if lies == "inside" else None


def check_replaceable(target: AnyPath, may_replace: Callable[[Any], bool]) -> None:
    """Check that what lies at a place may be replaced by a folder.

    Raises:
        CannotWrite: it is a file, or a folder that may not be replaced.
    """
    try:
        if target.exists():
            if not target.is_dir():
                raise CannotWrite(f"{target} is a file, but a folder will be written there. Choose another path.")
            if not may_replace(target):
                raise CannotWrite(
                    f"{target} already holds other files, which would be lost. Choose another folder, or move them elsewhere."
                )
    except OSError as error:
        raise cannot_write(target, error) from error


def probe(target: Path, *, named: Path | None = None) -> None:
    """Write and remove an unnamed file in the nearest existing parent folder of `target`; no folder is created."""
    parent = next(folder for folder in target.absolute().parents if folder.exists())
    try:
        tempfile.TemporaryFile(dir=parent).close()
    except OSError as error:
        raise cannot_write(named or target, error) from error


def _probe_remote(folder: RemotePath) -> None:
    """Write and remove a file with a name of its own."""
    probe = folder / f".probe.draft-{secrets.token_hex(8)}"
    try:
        probe.write(b"")
        probe.unlink(missing_ok=True)
    except CannotWrite as error:
        raise CannotWrite(str(error).replace(str(probe), str(folder), 1)) from error
