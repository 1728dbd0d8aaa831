"""A content-addressed cache of arrays: identified by what they were made from, and written whole or not at all.

Layout: ROOT/<key>.safetensors, where <key> is the SHA-256 of the canonical JSON of what the arrays were made from. Each file carries its
checksum, and is renamed into place when it is complete. safetensors holds numbers only, so nothing in the cache is executed.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
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
        fresh: compute everything again and replace existing entries, once in a run.
        started: when the run started, in seconds since 1970: what a fresh run has computed, it finds.
        log: a file to which each entry that was there before is added, with the seconds that it took; None for none.
    """

    root: Path
    fresh: bool = False
    started: float = field(default_factory=time.time)
    log: Path | None = None

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
        if self._has(entry):
            return self._found(entry)
        started = time.perf_counter()
        arrays = make()
        if self._has(entry):  # another process has written the same entry in the meantime
            return self._found(entry)
        about = {"schema": CACHE_SCHEMA, "made_from": made_from, "seconds": round(time.perf_counter() - started, 3)}
        write_tensors(entry, arrays, about, framework="numpy")
        return arrays

    def seconds_before(self) -> float:
        """The seconds that the entries of the log took when they were made, each once."""
        lines = [] if self.log is None or not self.log.exists() else self.log.read_text(encoding="utf-8").splitlines()
        return sum({name: float(seconds) for name, seconds in map(str.split, lines)}.values())

    def _has(self, entry: Path) -> bool:
        """Whether there is an entry to be used: in a fresh run, one of this run."""
        try:
            return entry.exists() and (not self.fresh or entry.stat().st_mtime >= self.started)
        except OSError:  # removed in between
            return False

    def _found(self, entry: Path) -> Arrays:
        about, arrays = _read(entry)
        if self.log is not None and entry.stat().st_mtime < self.started:
            with self.log.open("a", encoding="utf-8") as file:  # one short line, which no other process divides
                file.write(f"{entry.stem} {about.get('seconds', 0.0)}\n")
        return arrays


def key_of(made_from: Mapping[str, Any]) -> str:
    """SHA-256 (hexadecimal) of the canonical JSON of these values."""
    canonical = json.dumps(made_from, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def _read(entry: Path) -> tuple[dict[str, Any], Arrays]:
    remedy = "Run with --fresh to compute it again."
    about, arrays = read_tensors(entry, framework="numpy", of="a cache entry", remedy=remedy)
    if about.get("schema") != CACHE_SCHEMA:
        raise StaleCache(
            f"the cache entry {entry} has cache schema {about.get('schema')}; this version of tutelage writes {CACHE_SCHEMA}. {remedy}"
        )
    return about, arrays


def check_store(root: Path) -> None:
    """Check, before any long computation, that entries can be written below `root`.

    Raises:
        CannotWrite: they cannot; the message says why.
    """
    try:
        check_file_place(root / key_of({}))
    except CannotWrite as error:
        raise CannotWrite(f"the cache folder {root} cannot be written; name another with --cache FOLDER ({error}).") from error
