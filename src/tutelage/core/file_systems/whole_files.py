"""Files that appear complete or not at all, also if several processes write them, or one is killed."""

from __future__ import annotations

import errno
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tutelage.core.file_systems.drafts import cannot_write, draft_of, followed, sync
from tutelage.core.file_systems.paths import AnyPath, RemotePath

_WITHOUT_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)
"""What file systems say that have no hard links."""


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
    target = followed(target)
    draft = draft_of(target, folder=False)
    try:
        yield draft
        _replace(draft, target)
    except OSError as error:
        raise cannot_write(target, error) from error
    finally:
        draft.unlink(missing_ok=True)


def write_text(target: AnyPath, text: str) -> None:
    """Write a text file (UTF-8) atomically."""
    with whole_file(target) as draft:
        draft.write_text(text, encoding="utf-8")


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
    target = followed(target)
    draft = draft_of(target, folder=False)
    try:
        write(draft)
        sync(draft)
        return _linked(draft, target)
    except OSError as error:
        raise cannot_write(target, error) from error
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


def _replace(draft: Path, target: Path) -> None:
    sync(draft)
    draft.replace(target)
