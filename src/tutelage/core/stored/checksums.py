"""Stored files that carry a checksum of their own: a damaged file is refused when it is read, whichever byte has changed.

JSON: the key "checksum" holds the SHA-256 of the other values, so that a file may be indented anew, but not changed. safetensors:
and ONNX: the metadata holds the SHA-256 of the whole file, header included, with zeros in the place of the checksum.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

from tutelage.core.errors import DamagedFile, StaleCache, one_line, require
from tutelage.core.file_systems.paths import AnyPath, RemotePath
from tutelage.core.file_systems.whole_files import whole_file
from tutelage.core.records import dumps

CHECKSUM = "checksum"
LARGEST_JSON = 1 << 28
"""Bytes of the largest JSON file that is read: far above any that is written, and little enough to fit into memory."""
_ZEROS = "0" * 64
_IN_HEADER = re.compile(rb'\\"checksum\\": \\"([0-9a-f]{64})\\"')
_IN_ONNX = re.compile(rb"checksum\x12@([0-9a-f]{64})")
"""An entry of the metadata: the key, then the tag and the length of the value."""
_ABOUT = "tutelage"  # the only entry of the metadata: safetensors writes several entries in any order


def sha256_of(source: AnyPath | BytesIO) -> str:
    """SHA-256 (hex) of a file's bytes, or of bytes that were read."""
    if isinstance(source, RemotePath):  # in one request
        return hashlib.sha256(source.read_bytes()).hexdigest()
    if isinstance(source, BytesIO):
        return hashlib.sha256(source.getbuffer()).hexdigest()
    with source.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def with_checksum(plain: Mapping[str, Any]) -> dict[str, Any]:
    """A record with its checksum, to be written as JSON.

    Args:
        plain: values that JSON can represent, as for `dumps`; NaN raises ValueError. A checksum among them is replaced.
    """
    values = {key: value for key, value in plain.items() if key != CHECKSUM}
    return {**values, CHECKSUM: _json_checksum(json.loads(dumps(values)))}


def intact(values: Mapping[str, Any]) -> bool:
    """Whether a record is as `with_checksum` returned it."""
    try:
        return bool(values.get(CHECKSUM) == with_checksum(values)[CHECKSUM])
    except (ValueError, TypeError, RecursionError):  # no JSON, such as NaN
        return False


def checked(values: Any, *, schema: int, name: str, remedy: str) -> dict[str, Any]:
    """The values of a record that `with_checksum` wrote, without the checksum.

    Args:
        values: what the JSON holds.
        schema: the schema that this version reads.
        name: what was read, for the message.
        remedy: a sentence: what to do about a file that cannot be used.

    Raises:
        DamagedFile: the values are not those that were written. StaleCache: they are of another schema.
    """
    if not isinstance(values, dict) or "schema" not in values:
        raise DamagedFile(f"{name} is damaged, or another program wrote it (it names no schema). {remedy}")
    found = values["schema"]
    # Another version may have written no checksum; a file of this version that lacks one was damaged.
    if (CHECKSUM in values or found == schema) and not intact(values):
        raise DamagedFile(f"{name} is damaged: its content does not match its checksum. {remedy}")
    if found != schema or type(found) is not int:
        raise StaleCache(
            f"{name} has schema {found!r}; this version of tutelage reads {schema}. Use the version that wrote it, or write it again."
        )
    return {key: value for key, value in values.items() if key != CHECKSUM}


def read_json(path: AnyPath, *, schema: int, remedy: str) -> dict[str, Any]:
    """Read a JSON file that holds what `with_checksum` returned.

    Args:
        path: the file.
        schema: as for `checked`.
        remedy: as for `checked`.

    Returns:
        The record, without its checksum.

    Raises:
        DamagedFile: not such a file, or a changed one. StaleCache: a file of another schema.
    """
    try:
        size = path.stat().st_size
        if size > LARGEST_JSON:
            raise ValueError(f"it has {size:,} bytes; expected {LARGEST_JSON:,} at most")
        values = json.loads(path.read_text(encoding="utf-8"))
        return checked(values, schema=schema, name=str(path), remedy=remedy)
    except OSError as error:
        raise DamagedFile(f"{path} cannot be read ({error.strerror or error}). {remedy}") from error
    except (ValueError, TypeError, RecursionError) as error:
        raise DamagedFile(f"{path} is damaged, or another program wrote it ({one_line(error)}). {remedy}") from error


def _json_checksum(values: Any) -> str:
    canonical = json.dumps(values, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def write_tensors(path: Path, tensors: Mapping[str, Any], about: Mapping[str, Any], *, framework: Literal["torch", "numpy"]) -> None:
    """Write a safetensors file that carries its checksum, atomically. The same tensors and values give the same bytes.

    Args:
        path: the file to write.
        tensors: contiguous tensors of torch or arrays of NumPy, by name.
        about: JSON values that describe them.
        framework: the kind of the tensors.

    Raises:
        CannotWrite: the file cannot be written.
    """
    header = json.dumps({CHECKSUM: _ZEROS, **about})
    content = memoryview(require(f"safetensors.{framework}").save(dict(tensors), {_ABOUT: header}))
    start, stop = _place_of_checksum(content, _IN_HEADER)
    with whole_file(path) as draft, draft.open("wb") as file:
        # Not save_file: it writes to another draft, with a name that nobody recognises if the process is killed.
        file.writelines((content[:start], _checksum_of(content, _IN_HEADER).encode(), content[stop:]))


def read_tensors(path: Path, *, framework: Literal["torch", "numpy"], of: str, remedy: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Read a file that `write_tensors` wrote; nothing in it is executed.

    Args:
        path: the file.
        framework: the kind of tensors to return.
        of: what the file should be, for the message, such as "a checkpoint".
        remedy: as for `checked`.

    Returns:
        What `about` was, and the tensors by name, in memory of their own.

    Raises:
        DamagedFile: not such a file, or one with a changed byte.
    """
    try:
        content = path.read_bytes()
        about = _about(content)
        if about.pop(CHECKSUM, None) != _checksum_of(content, _IN_HEADER):
            raise ValueError("its bytes do not match its checksum")
        return about, require(f"safetensors.{framework}").load(content)
    except OSError as error:
        raise DamagedFile(f"{path} cannot be read ({error.strerror or one_line(error)}). {remedy}") from error
    except (require("safetensors").SafetensorError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DamagedFile(f"{path} is not {of}, or is damaged ({one_line(error)}). {remedy}") from error


def _about(content: bytes) -> dict[str, Any]:
    """The values in the header of a safetensors file: eight bytes hold the length of the JSON that follows."""
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    return dict(json.loads(header["__metadata__"][_ABOUT]))


def onnx_with_checksum(model: Any) -> bytes:
    """The bytes of an ONNX model that carry their checksum, as an entry of its metadata."""
    model.metadata_props.add(key=CHECKSUM, value=_ZEROS)
    content: bytes = model.SerializeToString()
    start, stop = _place_of_checksum(memoryview(content), _IN_ONNX)
    return content[:start] + _checksum_of(content, _IN_ONNX).encode() + content[stop:]


def onnx_intact(content: bytes) -> bool:
    """Whether these are bytes that `onnx_with_checksum` returned."""
    stated = _IN_ONNX.search(content)
    return stated is not None and stated[1].decode() == _checksum_of(content, _IN_ONNX)


def _checksum_of(content: bytes | memoryview, pattern: re.Pattern[bytes]) -> str:
    """SHA-256 (hex) of a file with zeros in the place of its checksum, which a pattern finds."""
    view = memoryview(content)
    start, stop = _place_of_checksum(view, pattern)
    digest = hashlib.sha256()
    for part in (view[:start], _ZEROS.encode(), view[stop:]):
        digest.update(part)
    return digest.hexdigest()


def _place_of_checksum(content: memoryview, pattern: re.Pattern[bytes]) -> tuple[int, int]:
    place = pattern.search(content)
    if place is None:
        raise ValueError("it carries no checksum")
    return place.span(1)
