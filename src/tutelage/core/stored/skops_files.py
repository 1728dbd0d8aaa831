"""skops archives: the same model gives the same bytes, a damaged archive is refused, and none unpacks to an unbounded size."""

from __future__ import annotations

import hashlib
import io
import json
import re
import sys
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from tutelage.core.errors import DamagedFile, TutelageError, one_line, reported_as_ours

ABOUT = "tutelage.json"
"""The entry of an archive of ours that holds JSON values about it."""
FREE_BYTES, MOST_TIMES = 1 << 25, 60
"""An archive of another program may unpack to this many bytes, and in addition to this many times its own size. One of ours states what
it unpacks to: a tree of many classes takes hundreds of times its size."""
_UNPACKED = "unpacked_bytes"
_MARK = b"sha256:"
_LENGTH = len(_MARK) + 64
# skops names objects, and the files of arrays, by addresses in memory or at random. In the JSON of the archive, a quote within a text
# follows a backslash.
_NAMES = re.compile(r'(?<!\\)("__id__": |"file": ")([0-9a-f-]+)')


# The only package of scikit-learn that loads torch; skops, as it is loaded, goes through all of them, past those that cannot be imported.
_LOADS_TORCH = "sklearn.externals.array_api_compat.torch"


def skops_io() -> ModuleType:
    """The module `skops.io`, loaded without torch, which it does not need and which takes longer to load than all else."""
    spared = "torch" not in sys.modules and _LOADS_TORCH not in sys.modules
    if spared:
        sys.modules[_LOADS_TORCH] = None  # type: ignore[assignment]
    try:
        return import_module("skops.io")
    finally:
        if spared:
            del sys.modules[_LOADS_TORCH]


def dump_skops(model: Any, about: Mapping[str, Any]) -> bytes:
    """A model as an archive that holds no code, and ends with the SHA-256 of all that precedes. The same model gives the same bytes.

    Args:
        model: an object that skops can store.
        about: JSON values to store with it.

    Raises:
        BadInput: skops cannot store the object; WrongType for a value of a kind that it does not know.
    """
    with reported_as_ours(f"this {type(model).__name__} cannot be stored"):
        stored = skops_io().dumps(model)
    names: dict[str, str] = {}

    def renamed(found: re.Match[str]) -> str:
        return found[1] + names.setdefault(found[2], str(len(names)))

    buffer = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(stored)) as original,
        zipfile.ZipFile(buffer, "w", compression=zipfile.ZIP_DEFLATED) as archive,
    ):
        schema = _NAMES.sub(renamed, original.read("schema.json").decode())
        entries = {"schema.json": schema.encode()}
        for name in original.namelist():
            stem, dot, kind = name.partition(".")
            if stem in names:
                content = original.read(name)
                entries[f"{names[stem]}{dot}{kind}"] = _without_padding(content) if kind == "npy" else content
        unpacked = sum(len(content) + _size_inside(name, content) for name, content in entries.items())
        entries[ABOUT] = json.dumps({**about, _UNPACKED: unpacked}).encode()
        for name, content in sorted(entries.items()):
            # ZipInfo: without the time of day.
            archive.writestr(zipfile.ZipInfo(name), content, compress_type=zipfile.ZIP_DEFLATED)
        archive.comment = bytes(_LENGTH)
    content = buffer.getvalue()[:-_LENGTH] + _MARK
    return content + hashlib.sha256(content).hexdigest().encode()


def _without_padding(content: bytes) -> bytes:
    """A .npy file in which the bytes between the fields of records, such as a tree's nodes, are zero: they hold what the memory held."""
    array = np.load(io.BytesIO(content), allow_pickle=False)
    if array.dtype.names is None:
        return content
    clean = np.zeros(array.shape, array.dtype)  # not zeros_like, which sets the fields only
    for name in array.dtype.names:
        clean[name] = array[name]
    buffer = io.BytesIO()
    np.save(buffer, clean, allow_pickle=False)
    return buffer.getvalue()


@dataclass(frozen=True)
class SkopsArchive:
    """The bytes of an archive that may be given to skops, and what `dump_skops` stored about it; None in a file of another program."""

    content: bytes
    about: Any


def read_skops(path: Path) -> SkopsArchive:
    """Read an archive, after checking that it matches its checksum, if it has one, and unpacks to a bounded size.

    Raises:
        DamagedFile: it does not. OSError, and the errors of `zipfile`, for `reading_skops` to name.
    """
    content = path.read_bytes()
    marked = content[-_LENGTH:].startswith(_MARK)
    if marked and hashlib.sha256(content[:-64]).hexdigest().encode() != content[-64:]:
        raise DamagedFile(f"{path} is damaged: its content does not match its checksum. Save the model again.")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        about = _about(archive)
        if about is not None and not marked:
            raise DamagedFile(f"{path} is damaged: it carries no checksum. Save the model again.")
        stated = None if about is None else about.pop(_UNPACKED, None)
        most = FREE_BYTES + MOST_TIMES * len(content) if stated is None else int(stated)
        unpacked = _unpacked_size(archive, most)
    if unpacked > most:
        raise DamagedFile(
            f"{path} would unpack to {unpacked:,} bytes, from {len(content):,}; expected {most:,} at most. Do not use it; if the model is "
            "yours, save it again, without compression."
        )
    return SkopsArchive(content, about)


def _about(archive: zipfile.ZipFile) -> dict[str, Any] | None:
    """What `dump_skops` stored in an archive; None if another program wrote it."""
    if ABOUT not in archive.namelist():
        return None
    if archive.getinfo(ABOUT).file_size > FREE_BYTES:
        raise ValueError(f"its {ABOUT} is too large")
    return dict(json.loads(archive.read(ABOUT)))


def _unpacked_size(archive: zipfile.ZipFile, most: int) -> int:
    """Bytes of all entries but `ABOUT`, and of what the archives among them unpack to; no more than `most` bytes are ever read."""
    entries = [entry for entry in archive.infolist() if entry.filename != ABOUT]
    total = sum(entry.file_size for entry in entries)
    if total <= most:
        total += sum(_size_inside(entry.filename, archive.read(entry)) for entry in entries if entry.filename.endswith(".npz"))
    return total


def _size_inside(name: str, content: bytes) -> int:
    """Bytes that an entry itself unpacks to, if it is an archive: a sparse matrix."""
    if not name.endswith(".npz"):
        return 0
    with zipfile.ZipFile(io.BytesIO(content)) as inner:
        return sum(part.file_size for part in inner.infolist())


@contextmanager
def reading_skops(path: Path, of: str, remedy: str) -> Iterator[None]:
    """Re-raise whatever reading a damaged archive raises as DamagedFile.

    Args:
        path: the file, for the message.
        of: what it should be, such as "a skops file".
        remedy: a sentence: what to do.
    """
    try:
        yield
    except TutelageError:
        raise
    except OSError as error:
        raise DamagedFile(f"{path} cannot be read ({error.strerror or one_line(error)}). {remedy}") from error
    except Exception as error:  # skops, zipfile, NumPy and the restored classes raise anything: zlib.error, RecursionError, EOFError, ...
        raise DamagedFile(f"{path} is not {of}, or is damaged ({one_line(error)}). {remedy}") from error
