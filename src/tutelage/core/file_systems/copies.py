"""Files of any file system, read as files of this machine: copied, at once, or part by part."""

from __future__ import annotations

import atexit
import io
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tutelage.core.file_systems.paths import AnyPath, asked


@contextmanager
def local_copies(folder: AnyPath) -> Iterator[Path]:
    """A folder of this machine, whose files are copied into `folder` at the end of the block; the folder itself if it is of this machine.

    Raises:
        CannotWrite: they cannot be written.
    """
    if isinstance(folder, Path):
        yield folder
        return
    with tempfile.TemporaryDirectory() as place:
        yield Path(place)
        for file in sorted(Path(place).iterdir()):
            (folder / file.name).write(file.read_bytes())


def copied_here(folder: AnyPath, pattern: str) -> Path:
    """A folder of this machine that holds files of a folder, for as long as this process runs; the folder itself if it is here.

    Args:
        folder: that holds the files.
        pattern: of their names.

    Raises:
        CannotRead, FileNotFoundError: they cannot be read.
    """
    if isinstance(folder, Path):
        return folder
    place = Path(tempfile.mkdtemp(prefix="tutelage-"))
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    for file in folder.glob(pattern):
        (place / file.name).write_bytes(file.read_bytes())
    return place


@contextmanager
def fetched(path: AnyPath) -> Iterator[Path]:
    """A file of this machine with the content of a file, inside the block; what is mapped in it stays. The file itself if it is here.

    Raises:
        CannotRead, FileNotFoundError: it cannot be read.
    """
    if isinstance(path, Path):
        yield path
        return
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as place:  # Windows removes no file that is mapped
        copy = Path(place) / path.name
        with asked(path), path.open() as source, copy.open("wb") as target:
            shutil.copyfileobj(source, target, 1 << 24)
        yield copy


def seekable(path: AnyPath) -> Path | io.BytesIO:
    """What all of a file is read from: the path, or the whole content of a file of another file system, which is asked once."""
    return path if isinstance(path, Path) else io.BytesIO(path.read_bytes())


def random_access(path: AnyPath) -> Any:
    """What pyarrow reads parts of a file from: the path, or an open file of another file system, which is read inside `asked`."""
    return path if isinstance(path, Path) else path.open()
