"""A file system in memory that goes wrong: it loses, halves, delays and repeats writes, lists late, fills up, and fails in the middle."""

import errno
import io
import random
import threading
import time

import fsspec
from fsspec.implementations.memory import MemoryFileSystem

KINDS = ("lost", "halved", "delayed", "repeated", "full", "broken", "late", "slow")


class Faults:
    """What goes wrong, and how often; drawn from a seed."""

    def __init__(self, seed, *, rate, kinds=KINDS):
        self.draws, self.rate, self.kinds = random.Random(seed), rate, kinds  # noqa: S311
        self.waiting = []  # writes that happen later: (operations until then, path, content)
        self.young = {}  # operations until a file is listed

    def of(self, *kinds):
        """The fault of an operation that may have these; None for none."""
        kinds = [kind for kind in kinds if kind in self.kinds]
        return self.draws.choice(kinds) if kinds and self.draws.random() < self.rate else None


class FaultyFiles(MemoryFileSystem):
    """A file system with folders, where a file is renamed when it is whole."""

    protocol = "faulty"
    store, pseudo_dirs = {}, [""]
    faults = None
    lock = threading.RLock()

    def _count(self, fault=None):
        """Count an operation: what was delayed happens when its time has come."""
        faults = self.faults
        if faults is None:
            return
        if fault == "slow":
            time.sleep(0.001)
        faults.young = {path: left - 1 for path, left in faults.young.items() if left > 1}
        due = [(path, content) for left, path, content in faults.waiting if left <= 1]
        faults.waiting = [(left - 1, path, content) for left, path, content in faults.waiting if left > 1]
        for path, content in due:
            self._put(path, content)

    def flush(self):
        """Let happen what was delayed, and nothing go wrong from now on."""
        for _, path, content in self.faults.waiting if self.faults else ():
            self._put(path, content)
        type(self).faults = None

    def _put(self, path, content):
        with super()._open(path, "wb") as file:
            file.write(content)

    def _asked(self, *kinds):
        fault = None if self.faults is None else self.faults.of("slow", "broken", *kinds)
        self._count(fault)
        if fault == "broken":
            raise OSError(errno.EIO, "Input/output error")
        return fault

    def _open(self, path, mode="rb", **given):
        with self.lock:
            if "r" in mode:
                self._asked()
                return io.BytesIO(super()._open(path, mode, **given).getvalue())
            return _Written(self, self._strip_protocol(path))

    def written(self, path, content):
        with self.lock:
            fault = self._asked("lost", "halved", "delayed", "repeated", "full", "late")
            if fault == "full":
                raise OSError(errno.ENOSPC, "No space left on device")
            if fault in ("delayed", "repeated"):
                self.faults.waiting.append((self.faults.draws.randrange(1, 60), path, content))
            if fault == "late":
                self.faults.young[path] = self.faults.draws.randrange(1, 60)
            if fault not in ("lost", "delayed"):
                self._put(path, content[: len(content) // 2] if fault == "halved" else content)

    def rm_file(self, path):
        with self.lock:
            self._asked()
            super().rm_file(path)

    def cp_file(self, path1, path2, **given):
        with self.lock:
            self._asked()
            super().cp_file(path1, path2, **given)

    def find(self, path, **given):
        with self.lock:
            self._asked()
            found = super().find(path, **given)
            young = self.faults.young if self.faults else {}
            return {name: info for name, info in found.items() if name not in young} if isinstance(found, dict) else found


class FaultyObjects(FaultyFiles):
    """An object store, where a file is written under its name."""

    protocol = "oss"
    store, pseudo_dirs = {}, [""]


class NamedTwice(FaultyObjects):
    """An object store with two names, as s3fs has them."""

    protocol = ("s3", "s3a")
    store, pseudo_dirs = {}, [""]


class _Written(io.BytesIO):
    def __init__(self, system, path):
        super().__init__()
        self.system, self.path = system, path

    def close(self):
        if not self.closed:
            content = self.getvalue()
            super().close()
            self.system.written(self.path, content)


for kind in (FaultyFiles, FaultyObjects):
    fsspec.register_implementation(kind.protocol, kind, clobber=True)
fsspec.register_implementation("s3a", NamedTwice, clobber=True)
