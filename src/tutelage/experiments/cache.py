"""A content-addressed cache of arrays: identified by what they were made from, and written whole or not at all.

Layout: ROOT/<key>/manifest.json and ROOT/<key>/arrays.safetensors, where <key> is the SHA-256 of the canonical
JSON of what the arrays were made from. safetensors holds numbers only, so nothing in the cache is executed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from tutelage.core.errors import CannotWrite, DamagedFile, StaleCache
from tutelage.core.files import check_place, whole_folder

CACHE_SCHEMA = 5
"""Increased when the layout changes, or when the same `made_from` would now give different arrays."""

Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Store:
    """A cache of arrays, looked up by what they were made from.

    Attributes:
        root: the folder of the entries; created when first needed.
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
        entry = self.root / key_of(made_from)
        if entry.exists() and not self.fresh:
            return _read(entry)
        arrays = make()
        if self.fresh or not entry.exists():  # another run may have written the same entry in the meantime
            _write(entry, made_from, arrays)
        return arrays


def key_of(made_from: Mapping[str, Any]) -> str:
    """SHA-256 (hexadecimal) of the canonical JSON of these values."""
    canonical = json.dumps(made_from, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def _write(entry: Path, made_from: Mapping[str, Any], arrays: Arrays) -> None:
    from safetensors.numpy import save_file

    with whole_folder(entry, may_replace=lambda _: True) as draft:
        save_file(arrays, draft / "arrays.safetensors")
        manifest = {"schema": CACHE_SCHEMA, "made_from": made_from, "sha256": _sha256(draft / "arrays.safetensors")}
        (draft / "manifest.json").write_text(json.dumps(manifest, indent=1), encoding="utf-8")


def _read(entry: Path) -> Arrays:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    remedy = "Run with --fresh to compute it again"
    try:
        manifest = json.loads((entry / "manifest.json").read_text(encoding="utf-8"))
        schema, expected = manifest["schema"], manifest["sha256"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DamagedFile(f"the cache entry {entry} has no readable manifest ({error}). {remedy}.") from error
    if schema != CACHE_SCHEMA:
        raise StaleCache(f"the cache entry {entry} has cache schema {schema}; this version of tutelage writes {CACHE_SCHEMA}. {remedy}.")
    try:
        found = _sha256(entry / "arrays.safetensors")
        if found != expected:
            raise DamagedFile(f"the cache entry {entry} is damaged: SHA-256 {found[:12]}..., expected {str(expected)[:12]}.... {remedy}.")
        return load_file(entry / "arrays.safetensors")
    except (OSError, SafetensorError) as error:
        raise DamagedFile(f"the cache entry {entry} cannot be read ({error}). {remedy}.") from error


def _sha256(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def check_store(root: Path) -> None:
    """Check, before any long computation, that entries can be written below `root`.

    Raises:
        CannotWrite: they cannot; the message says why.
    """
    try:
        check_place(root / key_of({}))
    except CannotWrite as error:
        raise CannotWrite(f"the cache folder {root} cannot be written; name another with --cache FOLDER ({error}).") from error
