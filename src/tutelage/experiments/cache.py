"""A content-addressed store of arrays: named by what they were made from, written whole or not at all.

Layout: ROOT/<key>/manifest.json and ROOT/<key>/arrays.safetensors, where <key> is the SHA-256 of the canonical
JSON of what the arrays were made from. safetensors holds numbers only: nothing in a store is executed.
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

CACHE_SCHEMA = 4
"""Grows when the layout changes, or when the same `made_from` would now give other arrays."""

Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Store:
    """Arrays by what they were made from.

    Attributes:
        root: the folder that holds the entries; made when first needed.
        fresh: make everything again, replacing what is kept.
    """

    root: Path
    fresh: bool = False

    def cached(self, made_from: Mapping[str, Any], make: Callable[[], Arrays]) -> Arrays:
        """The arrays made from this, made now only if they are not kept already.

        Args:
            made_from: JSON values that settle the result: data fingerprint, settings, seed.
            make: called at most once; its arrays are kept before they are returned.

        Raises:
            StaleCache: kept by another version. DamagedFile: kept, but its bytes have changed.
            CannotWrite: the store cannot be written.
        """
        entry = self.root / key_of(made_from)
        if entry.exists() and not self.fresh:
            return _read(entry)
        arrays = make()
        if self.fresh or not entry.exists():  # another run may have kept the same thing meanwhile
            _write(entry, made_from, arrays)
        return arrays


def key_of(made_from: Mapping[str, Any]) -> str:
    """SHA-256 (hex) of the canonical JSON of what something was made from."""
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

    remedy = "Run with --fresh to make it again"
    try:
        manifest = json.loads((entry / "manifest.json").read_text(encoding="utf-8"))
        schema, expected = manifest["schema"], manifest["sha256"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DamagedFile(f"the kept entry {entry} has no readable manifest ({error}). {remedy}.") from error
    if schema != CACHE_SCHEMA:
        raise StaleCache(f"the kept entry {entry} has cache schema {schema}; this version of tutelage writes {CACHE_SCHEMA}. {remedy}.")
    try:
        found = _sha256(entry / "arrays.safetensors")
        if found != expected:
            raise DamagedFile(f"the kept entry {entry} is damaged: SHA-256 {found[:12]}..., expected {str(expected)[:12]}.... {remedy}.")
        return load_file(entry / "arrays.safetensors")
    except (OSError, SafetensorError) as error:
        raise DamagedFile(f"the kept entry {entry} cannot be read ({error}). {remedy}.") from error


def _sha256(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def check_store(root: Path) -> None:
    """Prove, before any long work, that entries can be written below `root`.

    Raises:
        CannotWrite: says why not.
    """
    try:
        check_place(root / key_of({}))
    except CannotWrite as error:
        raise CannotWrite(f"the cache folder {root} cannot be written; name another with --cache FOLDER. ({error})") from error
