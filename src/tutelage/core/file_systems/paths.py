"""Paths that are not of this machine: files on S3, GCS, HDFS, or any other file system that pyarrow or fsspec opens by its URI.

A `RemotePath` has the part of the interface of `pathlib.Path` that reading rows and recording answers need, so that they are written once.
Whatever a file system raises becomes CannotRead or CannotWrite, but for a file that is not there, which is a FileNotFoundError.
"""

from __future__ import annotations

import errno
import os
import posixpath
import re
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from glob import has_magic
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple, TypeAlias

from tutelage.core.errors import BadInput, CannotRead, CannotWrite, TutelageError, shown
from tutelage.core.file_systems.systems import SECRETS, appears_whole, file_system, reason

_URI = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]+)://(?P<authority>[^/?]*)(?P<key>.*?)(?P<query>\?\w+=[^/?]*)?", re.DOTALL)
_MANGLED = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/[^/]")


ANY_FOLDERS = "**"
"""The part of a pattern that stands for any folders below each other, or none."""


class FileStatus(NamedTuple):
    """Size and time of a file, named as in `os.stat_result`."""

    st_size: int
    st_mtime_ns: int


@dataclass(frozen=True, order=True)
class RemotePath:
    """A file or folder on another file system.

    Attributes:
        root: the file system, as "s3://bucket".
        key: the path in it, without a slash at its ends; taken as it is written, so that %20 is no space.
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
        """The path that a URI names.

        Raises:
            BadInput: not a URI of another file system, or one that holds a password.
        """
        found = _URI.fullmatch(uri)
        scheme = "" if found is None else found["scheme"].lower()
        if scheme == "file":
            raise BadInput(f"{shown(uri)} is on this machine; write its path, such as /folder/rows.parquet.")
        if found is None or not (found["authority"] or found["key"].strip("/")):
            raise BadInput(f"{shown(uri)} is no URI of a file or folder; expected one such as s3://bucket/folder.")
        if re.search(":.*@", found["authority"]) or SECRETS.search(found["query"] or ""):
            raise BadInput(
                f"a URI of {scheme}:// holds credentials, which would be written into files; leave them out, and put them where the "
                "file system looks for them, such as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment."
            )
        key = found["key"].removeprefix("/").rstrip("/")
        if {"", ".", ".."} & set(key.split("/") if key else ()):
            raise BadInput(f"{shown(uri)} has a part without a name, or one of dots; expected names between single slashes.")
        return cls(f"{scheme}://{found['authority']}", key, found["query"] or "")

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

    @property
    def parts(self) -> tuple[str, ...]:
        """The file system, and the names on the way."""
        return (self.root, *PurePosixPath(self.key).parts)

    def absolute(self) -> RemotePath:
        """The same path: a URI depends on no current folder."""
        return self

    def exists(self) -> bool:
        """Whether there is a file or a folder."""
        return self._type() != "NotFound"

    def is_file(self) -> bool:
        """Whether there is a file."""
        with self._asked() as (system, path):
            if system.type_name != "s3":
                return self._type() == "File"
            with suppress(FileNotFoundError):  # one request, where information of what is not there takes two
                system.open_input_file(path).close()
                return True
        return False

    def is_dir(self) -> bool:
        """Whether there is a folder; on an object store: whether there is anything below it."""
        return self._type() == "Directory"

    def iterdir(self) -> Iterator[RemotePath]:
        """What lies in the folder; nothing if there is none."""
        return (path for path, _ in self._below(recursive=False))

    def files(self, *, below: bool = False) -> list[RemotePath]:
        """The files in the folder, with `below` those in folders below it too."""
        return [path for path, kind in self._below(recursive=below) if kind == "File"]

    def glob(self, pattern: str) -> Iterator[RemotePath]:
        """What lies in the folder under a name that matches a pattern."""
        return (path for path in self.iterdir() if PurePosixPath(path.name).match(pattern))

    def matching(self) -> list[RemotePath]:
        """The files that the path names as a pattern, as `glob` of this machine has it.

        A star stands for any letters but a slash, and not for a point that begins a name; two of them between slashes for any folders.
        """
        names = self.key.split("/")
        plain = next((place for place, name in enumerate(names) if has_magic(name)), len(names))
        folder = RemotePath(self.root, "/".join(names[:plain]), self.query)
        found = folder.files(below=plain < len(names) - 1 or ANY_FOLDERS in names)
        return [path for path in found if _matches(path.key.split("/"), names)]

    def rmdir(self) -> None:
        """Remove the folder, if it is empty.

        Raises:
            OSError: it is not.
        """
        if any(True for _ in self.iterdir()):
            raise OSError(errno.ENOTEMPTY, "not empty", str(self))
        self.remove_folder()

    def unlink(self, *, missing_ok: bool = False) -> None:
        """Remove the file."""
        try:
            with self._asked(writes=True) as (system, path):
                system.delete_file(path)
        except FileNotFoundError:
            if not missing_ok:
                raise

    def remove_folder(self) -> None:
        """Remove the folder with all that it holds; nothing happens if it is not there."""
        with suppress(FileNotFoundError), self._asked(writes=True) as (system, path):
            system.delete_dir(path)

    def open(self, mode: str = "rb") -> Any:
        """The bytes of the file, as pyarrow's file, which may be read at any place; read it inside `asked`."""
        if mode != "rb":
            raise ValueError(f"mode {mode!r}")
        with self._asked() as (system, path):
            return system.open_input_file(path)

    def read_bytes(self) -> bytes:
        """All bytes of the file."""
        with self._asked(), self.open() as file:
            content: bytes = file.read()
        return content

    def read_text(self, *, encoding: str = "utf-8") -> str:
        """The text of the file."""
        return self.read_bytes().decode(encoding)

    def stat(self) -> FileStatus:
        """Size and time of the file.

        Raises:
            FileNotFoundError: there is none.
        """
        info = self._info()
        if info.type.name == "NotFound":
            raise FileNotFoundError(errno.ENOENT, "no such file", str(self))
        return FileStatus(info.size or 0, info.mtime_ns or 0)

    def write(self, content: bytes) -> None:
        """Write the file; it appears whole or not at all.

        Raises:
            CannotWrite: it cannot be written, or is not there as it was written.
        """
        with self._asked(writes=True) as (system, path):
            try:
                self._put(system, path, content)
            except FileNotFoundError as error:
                raise CannotWrite(f"{self} cannot be written ({reason(error)}).") from error
            there = system.get_file_info(path)
            if there.type.name != "File" or there.size != len(content):
                with suppress(Exception):
                    system.delete_file(path)
                raise CannotWrite(f"{self} was written, but does not hold what was written. Check the file system, and try again.")

    def _put(self, system: Any, path: str, content: bytes) -> None:
        if appears_whole(system):
            _write(system, path, content)
            return
        above = posixpath.dirname(path)
        system.create_dir(above, recursive=True)
        draft = posixpath.join(above, f".{self.name}.draft-{os.urandom(8).hex()}")
        try:
            _write(system, draft, content)
            with suppress(FileNotFoundError):
                system.delete_file(path)
            system.move(draft, path)
        except BaseException:
            with suppress(Exception):  # what is reported is the first error
                system.delete_file(draft)
            raise

    def _type(self) -> str:
        name: str = self._info().type.name
        return name

    def _info(self) -> Any:
        with self._asked() as (system, path):
            return system.get_file_info(path)

    def _below(self, *, recursive: bool) -> Iterator[tuple[RemotePath, str]]:
        from pyarrow.fs import FileSelector

        with self._asked() as (system, path):
            found = system.get_file_info(FileSelector(path, recursive=recursive, allow_not_found=True))
        above = path.strip("/")
        return ((self / info.path.strip("/").removeprefix(above).strip("/"), info.type.name) for info in found)

    @contextmanager
    def _asked(self, *, writes: bool = False) -> Iterator[tuple[Any, str]]:
        """The file system and the path in it, inside a block whose errors are reported with this path."""
        from pyarrow import ArrowInvalid

        system, base = file_system(self.root, self.query)
        if hasattr(system, "handler"):  # fsspec remembers what a folder held
            system.handler.fs.invalidate_cache()
            if writes and has_magic(self.key):
                raise CannotWrite(f"{self} cannot be written: fsspec takes *, ? and [ in a name for a pattern. Choose another name.")
        try:
            yield system, posixpath.join(base, self.key) if self.key else base
        except FileNotFoundError as error:
            raise FileNotFoundError(errno.ENOENT, "no such file", str(self)) from error
        except (TutelageError, ArrowInvalid):  # the latter: content that is not what it should be
            raise
        except Exception as error:  # fsspec raises what the package of a file system raises
            does = "written" if writes else "read"
            sentence = f"{self} cannot be {does} ({reason(error)}). Check the URI, the network and the credentials in the environment."
            raise (CannotWrite if writes else CannotRead)(sentence) from error


AnyPath: TypeAlias = Path | RemotePath
"""A file or folder of this machine or of another file system."""


def is_uri(value: Any) -> bool:
    """Whether a text is a URI, such as s3://bucket/folder, and no path of this machine."""
    return isinstance(value, str) and re.match(r"[A-Za-z][A-Za-z0-9+.-]+://", value) is not None


def any_path(value: str | os.PathLike[str] | RemotePath) -> AnyPath:
    """The path that a text or a path names, on this machine or by a URI.

    Raises:
        BadInput: a URI that is none of a file system, one that holds credentials, or one that was made a Path.
    """
    if isinstance(value, RemotePath):
        return value
    given = os.fspath(value)
    if is_uri(given):
        return RemotePath.of(given)
    _check_whole(given)
    return Path(given)


def check_local(name: str, given: Any) -> None:
    """Check that a path is no URI, where a path of this machine alone can be used.

    Args:
        name: of the argument, for the message.
        given: the path.

    Raises:
        BadInput: it is a URI, or was one before it was made a Path.
    """
    if isinstance(given, RemotePath) or is_uri(given):
        raise BadInput(f"{name} is {str(given)!r}; expected a path of this machine: rows and recorded answers alone may be elsewhere.")
    _check_whole(os.fspath(given))


def _check_whole(given: str) -> None:
    if _MANGLED.match(given):
        raise BadInput(f"{shown(given)} was a URI, which a Path cannot hold; write it as a text, or a folder of this name as ./{given}.")


def listed(folder: AnyPath) -> list[tuple[AnyPath, str]]:
    """What lies in a folder, each with its kind: "file", "folder" or ""."""
    if isinstance(folder, Path):
        return [(path, "folder" if path.is_dir() else "file" if path.is_file() else "") for path in folder.iterdir()]
    return [(path, {"Directory": "folder", "File": "file"}.get(kind, "")) for path, kind in folder._below(recursive=False)]


def suffix_of(path: AnyPath) -> str:
    """The ending of the name in lower case, with its point: what says of which format a file is.

    Example:
        >>> suffix_of(Path("ROWS.CSV"))
        '.csv'
    """
    return path.suffix.lower()


def asked(path: AnyPath) -> Any:
    """A block in which an open file is read, and errors of another file system are reported with its path."""
    return nullcontext() if isinstance(path, Path) else path._asked()


def _matches(names: list[str], patterns: list[str]) -> bool:
    """Whether the names on a way match those of a pattern, as `glob` of this machine has it."""
    if not patterns or not names:
        return not names and all(pattern == ANY_FOLDERS for pattern in patterns)
    name, pattern = names[0], patterns[0]
    hidden = name.startswith(".") and pattern[0] != "."
    if pattern == ANY_FOLDERS:
        return _matches(names, patterns[1:]) or (not hidden and _matches(names[1:], patterns))
    return not hidden and PurePosixPath(name).match(pattern) and _matches(names[1:], patterns[1:])


def _write(system: Any, path: str, content: bytes) -> None:
    with system.open_output_stream(path) as stream:
        stream.write(content)
