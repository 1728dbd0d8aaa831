"""The answers of an endpoint by the hash of their prompts, and what they cost: in memory, or in a folder that outlives the process.

The folder holds one file of lines. A line is written before a request is sent, with the most that it may cost, and another when its answer
is there. A process may be killed at any moment: an answer is in the file or it is not, and a request without an answer counts as what it
may have cost.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import astuple, dataclass, field
from io import RawIOBase
from pathlib import Path
from threading import Lock
from typing import Any

from tutelage.core.errors import CannotWrite, DamagedFile
from tutelage.core.file_systems.locks import locked
from tutelage.core.file_systems.places import check_place
from tutelage.teachers.endpoints.completions import Choice
from tutelage.teachers.endpoints.spending import Spending

FILE = "answers.jsonl"


@dataclass
class AnswerStore:
    """Answers and what they cost.

    Attributes:
        folder: where they are stored; None for memory alone.
        choices: the answers to each prompt, by its key.
        served: the name of the model that answered, by the model at an endpoint that was asked (`Connection.named`).
        seconds: how long each request took that was answered, likewise.
    """

    folder: Path | None = None
    choices: dict[str, list[Choice]] = field(default_factory=dict, repr=False)
    served: dict[str, str] = field(default_factory=dict, repr=False)
    seconds: dict[str, list[float]] = field(default_factory=dict, repr=False)
    _answered: Counter[str] = field(default_factory=Counter, repr=False)
    _settings: set[str] = field(default_factory=set, repr=False)
    _settled: dict[str, Spending] = field(default_factory=dict, repr=False)
    _open: dict[int, tuple[str, Spending]] = field(default_factory=dict, repr=False)
    _sent: int = field(default=0, repr=False)
    _read: int = field(default=0, repr=False)
    _file: RawIOBase | None = field(default=None, repr=False)
    _turn: Lock = field(default_factory=Lock, repr=False, compare=False)

    def __getstate__(self) -> dict[str, Any]:
        """Of a folder only its path: the answers are read again."""
        kept = self.__dict__ if self.folder is None else AnswerStore(self.folder).__dict__
        return {name: value for name, value in kept.items() if name not in ("_file", "_turn")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _file=None, _turn=Lock())

    def count(self, key: str) -> int:
        """The number of answers to a prompt."""
        return len(self.choices.get(key, ()))

    def spent(self, asked: str) -> Spending:
        """What was spent on a model at an endpoint, requests included whose answers never came."""
        of_open = [worst for one, worst in self._open.values() if one == asked]
        return sum(of_open, self._settled.get(asked, Spending()))

    def failed(self, asked: str) -> int:
        """The number of requests to a model at an endpoint that brought no answer."""
        return self.spent(asked).requests - self._answered[asked]

    def fits(self, settings: str) -> bool:
        """Whether a request with these settings was answered: they leave room for some texts."""
        return settings in self._settings

    def check(self) -> None:
        """Check, before anything is asked, that answers can be stored.

        Raises:
            CannotWrite: the folder cannot be written, or holds other files.
        """
        if self.folder is not None:
            check_place(self.folder, may_replace=lambda folder: all(path.name == FILE for path in folder.iterdir()))

    def refresh(self) -> None:
        """Read what was written since, by this process or another.

        Raises:
            DamagedFile: a line does not match its checksum.
        """
        if self.folder is None:
            return
        path = self.folder / FILE
        size = path.stat().st_size if path.is_file() else 0
        if size < self._read:  # it was deleted since
            self.__dict__.update(AnswerStore(self.folder).__dict__)
        if size == self._read:
            return
        with path.open("rb") as file:
            file.seek(self._read)
            for line in file:
                if not line.endswith(b"\n"):  # being written, or left by a process that was killed
                    break
                self._take(_parsed(line, path))
                self._read += len(line)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the store while answers are added; in memory, calls of other threads wait.

        Raises:
            CannotWrite: the folder cannot be written, or another call is asking into it. DamagedFile: as `refresh`.
        """
        if self.folder is None:
            with self._turn:
                yield
            return
        self.check()
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with locked(self.folder):
                self.refresh()
                with (self.folder / FILE).open("ab", buffering=0) as file:
                    file.truncate(self._read)  # half a line, left by a process that was killed
                    self._file = file
                    try:
                        yield
                    finally:
                        self._file = None
                        self._remove_unused()
        except BlockingIOError as error:
            raise CannotWrite(
                f"another call is asking into {self.folder}; wait until it has finished, or choose another folder."
            ) from error
        except OSError as error:
            raise CannotWrite(f"{self.folder} cannot be written ({error.strerror or error}); choose another folder.") from error

    def _remove_unused(self) -> None:
        """Leave no folder behind where nothing was sent, such as for want of a key."""
        if self.folder is not None and not self._read:
            with suppress(OSError):
                (self.folder / FILE).unlink()
                self.folder.rmdir()

    @property
    def next(self) -> int:
        """The number that the next request will have."""
        return self._sent

    def sent(self, asked: str, worst: Spending) -> int:
        """Note, before it is sent, that a request may cost so much; returns its number."""
        number = self._sent
        self._add({"sent": number, "asked": asked, "worst": astuple(worst)})
        return number

    def settled(
        self,
        number: int,
        cost: Spending,
        *,
        key: str = "",
        choices: Sequence[Choice] = (),
        model: str = "",
        seconds: float = 0.0,
        settings: str = "",
    ) -> None:
        """Note what a request did cost, and the answers to it if there are any.

        Args:
            number: that `sent` returned.
            cost: its request, and the tokens that are paid.
            key: of the prompt.
            choices: the answers.
            model: the name of the model that answered.
            seconds: how long the request took.
            settings: hash of all of the request but the text; "" if it is not known.
        """
        said = [one.to_json() for one in choices]
        answered = {"key": key, "choices": said, "model": model, "seconds": round(seconds, 6), "settings": settings}
        self._add({"settled": number, "cost": astuple(cost), **(answered if choices else {})}, durable=bool(choices))

    def rejected(self, key: str, why: str, choices: int) -> None:
        """Note that a prompt has no answer, as the endpoint rejects it: these choices are not asked again.

        Args:
            key: of the prompt.
            why: in a few words without the text.
            choices: how many answers were asked for.
        """
        self._add({"rejected": key, "choices": [Choice(why, "content_filter", refused=True).to_json()] * choices}, durable=True)

    def _add(self, plain: dict[str, Any], *, durable: bool = False) -> None:
        self._take(plain)
        if self._file is None:
            return
        line = _line(plain)
        written = 0
        try:
            while written < len(line):
                written += self._file.write(line[written:]) or 0
            if durable:
                os.fsync(self._file.fileno())
        except OSError:  # such as a full disk: what others write from now on must not follow half a line
            with suppress(OSError):
                self._file.truncate(self._read)
            raise
        self._read += len(line)

    def _take(self, plain: dict[str, Any]) -> None:
        """Add what a line says; of two, the first of a request comes first, as lines are only appended."""
        if "sent" in plain:
            self._open[plain["sent"]] = (plain["asked"], Spending(*plain["worst"]))
            self._sent = plain["sent"] + 1
            return
        if "rejected" in plain:
            self.choices.setdefault(plain["rejected"], []).extend(map(Choice.from_json, plain["choices"]))
            return
        asked, _ = self._open.pop(plain["settled"], ("", Spending()))
        self._settled[asked] = self._settled.get(asked, Spending()) + Spending(*plain["cost"])
        if "key" in plain:
            self.choices.setdefault(plain["key"], []).extend(map(Choice.from_json, plain["choices"]))
            self._answered[asked] += 1
            self.served.setdefault(asked, plain["model"])
            self.seconds.setdefault(asked, []).append(plain["seconds"])
            if settings := plain.get("settings"):  # none in a store of an earlier version
                self._settings.add(settings)


def _line(plain: dict[str, Any]) -> bytes:
    text = json.dumps(plain, allow_nan=False)
    return f'{{"sha256": "{_checksum(text)}", "line": {text}}}\n'.encode()


def _parsed(line: bytes, path: Path) -> dict[str, Any]:
    damaged = DamagedFile(f"{path} was changed, or damaged: a line does not match its checksum. Delete it; its answers are asked again.")
    try:
        parsed = json.loads(line)
        plain: dict[str, Any] = parsed["line"]
    except (ValueError, KeyError, TypeError) as error:
        raise damaged from error
    if _line(plain) != line:
        raise damaged
    return plain


def _checksum(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
