"""Paths that are not of this machine: files on S3, GCS, HDFS, or any other file system that pyarrow or fsspec opens by its URI.

A `RemotePath` has the part of the interface of `pathlib.Path` that reading rows and recording answers need, so that they are written once.
"""

from __future__ import annotations

import atexit
import io
import os
import posixpath
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from glob import has_magic
from pathlib import Path, PurePosixPath
from typing import Any, TypeAlias

from tutelage.core.errors import BadInput, CannotWrite, one_line, shown

_URI = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]+)://(?P<authority>[^/?]*)(?P<key>[^?]*)(?P<query>\?.*)?", re.DOTALL)
_SECRETS = re.compile(r"[?&](access_key|secret_key|token|password|sas)[^=]*=", re.IGNORECASE)
_APPEAR_WHOLE = ("s3", "gcs", "abfs")
"""File systems, as pyarrow names them, where nobody sees an object before all of it was written."""


@dataclass(frozen=True, order=True)
class RemotePath:
    """A file or folder on another file system.

    Attributes:
        root: the file system, as "s3://bucket".
        key: the path in it, without a slash at its ends.
        query: what else the URI says, such as "?region=eu-central-1".

    Example:
        >>> path = RemotePath.of("s3://lake/rows/part-0.parquet")
        >>> path.name, path.suffix, str(path.parent / "part-1.parquet")
        ('part-0.parquet', '.parquet', 's3://lake/rows/part-1.parquet')
    """

    root: str
    key: str
    query: str = ""

    @classmethod
    def of(cls, uri: str) -> RemotePath:
        """The path that a URI names; its key is taken as it is written.

        Raises:
            BadInput: not a URI, or one that holds a password.
        """
        found = _URI.fullmatch(uri)
        if found is None or not (found["authority"] or found["key"].strip("/")):
            raise BadInput(f"{uri!r} is no URI of a file or folder; expected one such as s3://bucket/folder.")
        if "@" in found["authority"] or _SECRETS.search(found["query"] or ""):
            raise BadInput(
                f"a URI of {found['scheme']}:// holds credentials, which would be written into files; leave them out, and put them where the "
                "file system looks for them, such as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment."
            )
        return cls(f"{found['scheme']}://{found['authority']}", found["key"].strip("/"), found["query"] or "")

    def __str__(self) -> str:
        return f"{self.root}/{self.key}{self.query}"

    def __truediv__(self, name: str) -> RemotePath:
        return RemotePath(self.root, posixpath.join(self.key, name), self.query)

    @property
    def name(self) -> str:
        """The last part."""
        return posixpath.basename(self.key)

    @property
    def suffix(self) -> str:
        """The ending of the name, with its point."""
        return PurePosixPath(self.key).suffix

    @property
    def suffixes(self) -> list[str]:
        """All endings of the name."""
        return PurePosixPath(self.key).suffixes

    @property
    def stem(self) -> str:
        """The name without its last ending."""
        return PurePosixPath(self.key).stem

    @property
    def parent(self) -> RemotePath:
        """The folder that holds it."""
        return RemotePath(self.root, posixpath.dirname(self.key), self.query)

    def absolute(self) -> RemotePath:
        """The same path: a URI depends on no current folder."""
        return self

    def relative_to(self, folder: RemotePath) -> PurePosixPath:
        """The path as it is seen from a folder above it."""
        return PurePosixPath(self.key).relative_to(folder.key)

    def with_name(self, name: str) -> RemotePath:
        """Another path in the same folder."""
        return self.parent / name

    def exists(self) -> bool:
        """Whether there is a file or a folder."""
        return bool(self._info().type.name != "NotFound")

    def is_file(self) -> bool:
        """Whether there is a file."""
        return bool(self._info().type.name == "File")

    def is_dir(self) -> bool:
        """Whether there is a folder; on an object store: whether there is anything below it."""
        return bool(self._info().type.name == "Directory")

    def is_symlink(self) -> bool:
        """Never: the links of another file system are not seen."""
        return False

    def iterdir(self) -> Iterator[RemotePath]:
        """What lies in the folder."""
        return (path for path, _ in self._below(recursive=False))

    def files_below(self) -> list[RemotePath]:
        """All files in the folder and in folders below it, sorted."""
        return sorted(path for path, info in self._below(recursive=True) if info.type.name == "File")

    def glob(self, pattern: str) -> Iterator[RemotePath]:
        """The files of the folder whose name matches a pattern."""
        return (path for path in self.iterdir() if PurePosixPath(path.name).match(pattern))

    def matching(self) -> list[RemotePath]:
        """The files that the path names as a pattern, sorted; a star stands for any letters but a slash."""
        parts = PurePosixPath(self.key).parts
        plain = next((place for place, part in enumerate(parts) if has_magic(part)), len(parts))
        folder = RemotePath(self.root, "/".join(parts[:plain]), self.query)
        found = folder.files_below() if plain < len(parts) - 1 else [path for path in folder.iterdir() if path.is_file()]
        return sorted(path for path in found if len(PurePosixPath(path.key).parts) == len(parts) and PurePosixPath(path.key).match(self.key))

    def mkdir(self, *, parents: bool = True, exist_ok: bool = True) -> None:
        """Make the folder, where file systems know folders."""
        system, path = self._opened()
        if system.type_name not in _APPEAR_WHOLE:
            system.create_dir(path, recursive=parents)

    def rmdir(self) -> None:
        """Remove the folder, if it is empty.

        Raises:
            OSError: it is not.
        """
        if any(True for _ in self.iterdir()):
            raise OSError(f"{self} is not empty")
        system, path = self._opened()
        with suppress(FileNotFoundError):
            system.delete_dir(path)

    def unlink(self, *, missing_ok: bool = False) -> None:
        """Remove the file."""
        system, path = self._opened()
        try:
            system.delete_file(path)
        except FileNotFoundError:
            if not missing_ok:
                raise

    def remove_folder(self) -> None:
        """Remove the folder with all that it holds; nothing happens if it is not there."""
        system, path = self._opened()
        with suppress(FileNotFoundError):
            system.delete_dir(path)

    def open(self, mode: str = "rb") -> Any:
        """The bytes of the file, as pyarrow's file, which may be read at any place."""
        if mode != "rb":
            raise ValueError(f"mode {mode!r}")
        system, path = self._opened()
        return system.open_input_file(path)

    def read_bytes(self) -> bytes:
        """All bytes of the file."""
        with self.open() as file:
            content: bytes = file.read()
        return content

    def read_text(self, *, encoding: str = "utf-8") -> str:
        """The text of the file."""
        return self.read_bytes().decode(encoding)

    def stat(self) -> os.stat_result:
        """Size and time of the file.

        Raises:
            FileNotFoundError: there is none.
        """
        info = self._info()
        if info.type.name == "NotFound":
            raise FileNotFoundError(2, "No such file", str(self))
        seconds = (info.mtime_ns or 0) / 1e9
        return os.stat_result((0, 0, 0, 0, 0, 0, info.size or 0, seconds, seconds, seconds))

    def write(self, content: bytes) -> None:
        """Write the file; it appears whole or not at all.

        Raises:
            OSError: it cannot be written.
        """
        system, path = self._opened()
        if system.type_name in _APPEAR_WHOLE:
            with system.open_output_stream(path) as stream:
                stream.write(content)
            return
        self.parent.mkdir()
        draft = self.with_name(f".{self.name}.draft-{os.urandom(8).hex()}")
        try:
            with system.open_output_stream(draft._opened()[1]) as stream:
                stream.write(content)
            self.unlink(missing_ok=True)
            system.move(draft._opened()[1], path)
        except BaseException:
            with suppress(OSError):
                draft.unlink(missing_ok=True)
            raise

    def _info(self) -> Any:
        system, path = self._opened()
        return system.get_file_info(path)

    def _below(self, *, recursive: bool) -> Iterator[tuple[RemotePath, Any]]:
        from pyarrow.fs import FileSelector

        system, path = self._opened()
        for info in system.get_file_info(FileSelector(path, recursive=recursive, allow_not_found=True)):
            inside = posixpath.relpath(info.path.strip("/"), path.strip("/"))
            yield self / inside, info

    def _opened(self) -> tuple[Any, str]:
        """The file system, and the path in it."""
        system, base = _file_system(self.root, self.query)
        return system, posixpath.join(base, self.key) if self.key else base


AnyPath: TypeAlias = Path | RemotePath
"""A file or folder of this machine or of another file system."""


def is_uri(value: Any) -> bool:
    """Whether a text is a URI, such as s3://bucket/folder, and no path of this machine."""
    return isinstance(value, str) and re.match(r"[a-z][a-z0-9+.-]+://", value) is not None


def any_path(value: str | os.PathLike[str] | RemotePath) -> AnyPath:
    """The path that a text or a path names, on this machine or by a URI.

    Raises:
        BadInput: a URI that is none of a file system, or that holds credentials.
    """
    if isinstance(value, RemotePath):
        return value
    given = os.fspath(value)
    return RemotePath.of(given) if is_uri(given) else Path(given)


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
            try:
                (folder / file.name).write(file.read_bytes())
            except OSError as error:
                raise CannotWrite(f"{folder / file.name} cannot be written ({one_line(error)}).") from error


@lru_cache(maxsize=8)
def copied_here(folder: AnyPath) -> Path:
    """A folder of this machine that holds the files of a folder, for as long as this process runs; the folder itself if it is here.

    Raises:
        OSError: they cannot be read.
    """
    if isinstance(folder, Path):
        return folder
    place = Path(tempfile.mkdtemp(prefix="tutelage-"))
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    for file in folder.iterdir():
        if file.is_file():
            (place / file.name).write_bytes(file.read_bytes())
    return place


def seekable(path: AnyPath) -> Path | io.BytesIO:
    """What all of a file is read from: the path, or the whole content of a file of another file system, which is asked once."""
    return path if isinstance(path, Path) else io.BytesIO(path.read_bytes())


def random_access(path: AnyPath) -> Any:
    """What pyarrow reads parts of a file from: the path, or an open file of another file system."""
    return path if isinstance(path, Path) else path.open()


@lru_cache(maxsize=64)
def _file_system(root: str, query: str) -> tuple[Any, str]:
    """A file system, and the path of its root there.

    Raises:
        BadInput: no file system is known by this URI.
    """
    import pyarrow as pa
    from pyarrow.fs import FileSystem, FSSpecHandler, PyFileSystem

    scheme, _, authority = root.partition("://")
    try:
        system, path = FileSystem.from_uri(f"{root}/{query}")
        return system, path
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, ValueError) as error:
        why = one_line(error)
    except OSError as error:
        raise BadInput(f"{root} cannot be opened ({one_line(error)}).") from error
    try:
        import fsspec

        if scheme in fsspec.available_protocols():
            return PyFileSystem(FSSpecHandler(fsspec.filesystem(scheme))), authority
    except ImportError as error:
        why = f"{why}; {one_line(error)}"
    raise BadInput(f"{shown(root)} is on no file system that can be opened ({why}). Name a path of this machine, or a URI such as s3://.")
