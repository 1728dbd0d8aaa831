"""What tasks on other processes share: proven to arrive there, and read by each process once."""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import Any

from tutelage.core.errors import FOREIGN, BadInput, DamagedFile, one_line
from tutelage.core.file_systems.whole_files import whole_file


class _OfTheProgram(Exception):
    """Something is defined in the program itself, which other processes do not import."""


class _Elsewhere(pickle.Unpickler):
    """Reads a pickle as another process would, which has no such program."""

    def find_class(self, module: str, name: str) -> Any:
        if module == "__main__":
            raise _OfTheProgram(f"the program itself defines {name}")
        return super().find_class(module, name)


def sendable(value: Any, what: str) -> bytes:
    """A value as bytes from which another process makes it again, with `pickle.loads`.

    Args:
        value: any object.
        what: it is, for the message.

    Raises:
        BadInput: other processes cannot make it.
    """
    try:
        content = pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL)
        _Elsewhere(io.BytesIO(content)).load()
    except FOREIGN as error:  # whatever an object of the user's raises
        raise BadInput(
            f"{what} cannot be sent to other processes ({one_line(error)}). Define what it is made of in a module that they import, by "
            "names of its own, or leave on= out."
        ) from error
    return content


@dataclass(frozen=True)
class Stored:
    """A value in a file, which a process reads once for all its tasks.

    Attributes:
        path: of the file.
        sha256: of its content, which is read only if it is the one that was stored.
    """

    path: Path
    sha256: str

    @classmethod
    def of(cls, value: Any, path: Path) -> Stored:
        """Store a value for other processes; this one has it already.

        Raises:
            CannotWrite: the file cannot be written.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as draft, draft.open("wb") as file:
            hashed = _Hashed(file.write)
            pickle.dump(value, hashed, protocol=pickle.HIGHEST_PROTOCOL)
        stored = cls(path.absolute(), hashed.sha256.hexdigest())
        with _READS:
            _last[:] = [(stored, value)]
        return stored

    def value(self) -> Any:
        """The value, as this process read it first.

        Raises:
            BadInput: the file is not there. DamagedFile: it was changed.
        """
        with _READS:
            if not _last or _last[0][0] != self:
                _last[:] = [(self, self._read())]
            return _last[0][1]

    def remove(self) -> None:
        """Remove the file, and forget the value in this process."""
        with _READS:
            _last.clear()
        self.path.unlink(missing_ok=True)

    def _read(self) -> Any:
        try:
            content = self.path.read_bytes()
        except OSError as error:
            raise BadInput(f"{self.path} cannot be read by a worker; choose a folder that all workers see under the same path.") from error
        if sha256(content).hexdigest() != self.sha256:
            raise DamagedFile(f"{self.path} was changed since it was written for the workers. Call again.")
        return pickle.loads(content)  # noqa: S301 - what the process wrote that sent its hash


class _Hashed:
    """A file that is hashed as it is written."""

    def __init__(self, write: Callable[[bytes], Any]) -> None:
        self._write, self.sha256 = write, sha256()

    def write(self, content: Any) -> None:
        self.sha256.update(content)
        self._write(content)


_READS = Lock()
_last: list[tuple[Stored, Any]] = []
"""The value that the tasks of this process share at the moment."""
