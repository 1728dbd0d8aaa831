"""A content-addressed cache of arrays: identified by what they were made from, and written whole or not at all.

Layout: ROOT/<key>.safetensors, where <key> is the SHA-256 of the canonical JSON of what the arrays were made from. Each file carries its
checksum, and is renamed into place when it is complete. safetensors holds numbers only, so nothing in the cache is executed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from tutelage.core.errors import CannotWrite, StaleCache
from tutelage.core.file_systems.places import check_file_place
from tutelage.core.stored.checksums import read_tensors, write_tensors

CACHE_SCHEMA = 6
"""Increased when the layout changes, or when the same `made_from` would now give different arrays."""

Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Store:
    """A cache of arrays, looked up by what they were made from.

    Attributes:
        root: the folder of the entries; created when first needed. Several processes may use it.
        fresh: compute everything again and replace existing entries.
    """

    root: Path
    fresh: bool = False

    def cached(self, made_from: Mapping[str, Any], make: Callable[[], Arrays]) -> Arrays:
        """The arrays made from these values, computed only if they are not in the cache.

        Args:
            made_from: JSON values that determine the result: data fingerprint, settings, seed.
            make: computes the arrays; called at most once, and its result is cached before it is returned.

        Raises:
            StaleCache: the entry was written by another version. DamagedFile: the bytes of the entry have changed.
            CannotWrite: the cache cannot be written.
        """
        entry = self.root / f"{key_of(made_from)}.safetensors"
        if entry.exists() and not self.fresh:
            return _read(entry)
        arrays = make()
        if entry.exists() and not self.fresh:  # another run has written the same entry in the meantime
            return _read(entry)
        write_tensors(entry, arrays, {"schema": CACHE_SCHEMA, "made_from": made_from}, framework="numpy")
        return arrays


def key_of(made_from: Mapping[str, Any]) -> str:
    """SHA-256 (hexadecimal) of the canonical JSON of these values."""
    canonical = json.dumps(made_from, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def _read(entry: Path) -> Arrays:
    remedy = "Run with --fresh to compute it again."
    about, arrays = read_tensors(entry, framework="numpy", of="a cache entry", remedy=remedy)
    if about.get("schema") != CACHE_SCHEMA:
        raise StaleCache(
            f"the cache entry {entry} has cache schema {about.get('schema')}; this version of tutelage writes {CACHE_SCHEMA}. {remedy}"
        )
    return arrays


def check_store(root: Path) -> None:
    """Check, before any long computation, that entries can be written below `root`.

    Raises:
        CannotWrite: they cannot; the message says why.
    """
    try:
        check_file_place(root / key_of({}))
    except CannotWrite as error:
        raise CannotWrite(f"the cache folder {root} cannot be written; name another with --cache FOLDER ({error}).") from error
