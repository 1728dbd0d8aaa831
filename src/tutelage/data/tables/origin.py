"""Where rows are read from, as a value from which another process reads the same rows, and notices that they changed."""

from __future__ import annotations

import hashlib
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tutelage.core.errors import BadInput
from tutelage.core.file_systems.paths import AnyPath, any_path
from tutelage.data.tables.column_types import Known
from tutelage.data.tables.found_files import FoundFiles

ENDS = 1 << 16
"""Bytes at the start and at the end of a file whose hash is kept: the end of a Parquet file describes all of its columns."""


@dataclass(frozen=True)
class Origin:
    """Rows that are read from files.

    Attributes:
        paths: the files, in the order of their rows.
        names: the columns that are read; None for a file without columns.
        known: what is known of some columns.
        texts: whether the rows are the texts of one column.
        folders: the number of folders of each path that name a column.
        ends: for a table, the number of its rows up to the end of each file.
        dataset: a Hugging Face Dataset of these files (see `hugging_face`); None for tables and arrays.
        fingerprint: of the Dataset, which follows from its files and from how it is made of them.
    """

    paths: tuple[str, ...]
    names: tuple[str, ...] | None = None
    known: Mapping[str, Known] | None = None
    texts: bool = False
    folders: int = 0
    ends: tuple[int, ...] = ()
    dataset: bytes | None = None
    fingerprint: str | None = None

    @classmethod
    def of_file(cls, path: AnyPath) -> Origin:
        """A file without columns; by its absolute path, so that processes in other folders find it."""
        return cls((str(path.absolute()),))

    @classmethod
    def of(cls, files: FoundFiles, names: Sequence[str], known: Mapping[str, Known], ends: Sequence[int], *, texts: bool = False) -> Origin:
        """Columns of files; by their absolute paths."""
        paths = tuple(str(path.absolute()) for path in files.paths)
        return cls(paths, tuple(names), dict(known), texts, files.folders, tuple(ends))

    def holding(self, start: int, stop: int) -> range:
        """The numbers of the files that hold these rows."""
        if not self.ends:
            return range(len(self.paths))
        return range(bisect_right(self.ends, start), bisect_left(self.ends, stop) + 1)

    @property
    def choice(self) -> str | None:
        """What tells these rows from others of the same files: the column of texts, or the Dataset; None for all rows of a table."""
        return self.names[0] if self.texts and self.names is not None else self.fingerprint

    @property
    def files(self) -> FoundFiles:
        """The files of a table."""
        return FoundFiles(tuple(map(any_path, self.paths)), self.folders)


@dataclass(frozen=True)
class Pin:
    """A file as it was: enough to notice that it was replaced, extended or rewritten.

    Attributes:
        path: of the file.
        size: in bytes.
        modified_ns: when it was last written, in nanoseconds.
        sha256: of its first and last `ENDS` bytes.
    """

    path: str
    size: int
    modified_ns: int
    sha256: str

    @classmethod
    def of(cls, path: str) -> Pin:
        """The file as it is now.

        Raises:
            BadInput: it is gone, or cannot be read.
        """
        try:
            with any_path(path).open("rb") as file:
                digest = hashlib.sha256(file.read(ENDS))
                size = file.seek(0, 2)
                file.seek(min(size, max(ENDS, size - ENDS)))
                digest.update(file.read(ENDS))
            return cls(path, size, any_path(path).stat().st_mtime_ns, digest.hexdigest())
        except OSError as error:
            raise BadInput(f"the rows in {path} cannot be read any more ({error.strerror or error}). Bring the file back.") from error

    def check(self, *, content: bool = True) -> None:
        """Check that the file is still as it was.

        Args:
            content: whether its ends are read; otherwise its size and time are looked at.

        Raises:
            BadInput: it is not, with what differs.
        """
        now = Pin.of(self.path) if content else self._at_a_glance()
        if now != self:
            what = f"it had {self.size:,} bytes and has {now.size:,}" if now.size != self.size else "it was written since"
            raise BadInput(
                f"the rows in {self.path} are not those that the plan was made for: {what}. Bring the file back, or label the new rows "
                "into another folder."
            )

    def _at_a_glance(self) -> Pin:
        try:
            status = any_path(self.path).stat()
        except OSError:
            return Pin.of(self.path)  # says why
        return Pin(self.path, status.st_size, status.st_mtime_ns, self.sha256)
