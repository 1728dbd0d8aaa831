"""The file systems that pyarrow or fsspec open by a URI, and what they say of their errors."""

from __future__ import annotations

import re
from contextlib import suppress
from functools import lru_cache
from typing import Any

from tutelage.core.errors import BadInput, one_line, shown

SECRETS = re.compile(r"(\w*(?:key|secret|token|password|sas|sig|signature|credential)\w*=)[^&\s]+", re.IGNORECASE)
_REQUEST_ID = re.compile(r" \(Request ID: [^)]*\)")
_APPEAR_WHOLE = {"s3", "s3a", "gcs", "gs", "abfs", "abfss", "az", "oss", "hf"}
"""File systems, as pyarrow and fsspec name them, where nobody sees an object before all of it was written."""


@lru_cache(maxsize=64)
def file_system(root: str, query: str) -> tuple[Any, str]:
    """A file system, and the path of its root there.

    Raises:
        BadInput: no file system is known by this URI.
    """
    import pyarrow as pa
    from pyarrow.fs import FileSystem, FSSpecHandler, PyFileSystem

    if root.startswith("s3://") and "allow_delayed_open" not in query:  # so that a small file is written by one request, not by three
        with suppress(pa.ArrowInvalid, OSError):  # pyarrow before 19
            return FileSystem.from_uri(f"{root}/{query}{'&' if query else '?'}allow_delayed_open=true")
    try:
        return FileSystem.from_uri(f"{root}/{query}")
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, ValueError) as error:
        why = reason(error)
    except Exception as error:  # a driver is missing, or the host
        raise BadInput(f"{root} cannot be opened ({reason(error)}).") from error
    try:
        import fsspec  # type: ignore[import-untyped]

        if not query:
            system, path = fsspec.core.url_to_fs(f"{root}/")
            handler: Any = FSSpecHandler
            return PyFileSystem(handler(system)), path
    except (ImportError, ValueError) as error:  # no package for it
        why = f"{why}; {reason(error)}"
    except Exception as error:  # one that connects at once
        raise BadInput(f"{root} cannot be opened ({reason(error)}).") from error
    raise BadInput(f"{shown(root)} is on no file system that can be opened ({why}). Name a path of this machine, or a URI such as s3://.")


def appears_whole(system: Any) -> bool:
    """Whether nobody sees a file of it before all of it was written."""
    return not _APPEAR_WHOLE.isdisjoint(re.findall(r"\w+", system.type_name))  # of fsspec several names, as "fsspec+('s3', 's3a')"


def reason(error: BaseException) -> str:
    """What a file system says, in one line and without what may be secret."""
    said = _REQUEST_ID.sub("", one_line(error)).rstrip(". ")
    return SECRETS.sub(r"\1...", said) or type(error).__name__
