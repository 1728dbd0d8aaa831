"""C compilers, and the proof of a C file by what they make of it."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import tempfile
import weakref
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np

from tutelage.core.errors import ParityError
from tutelage.exporters.program.program import Program
from tutelage.exporters.subject.check_rows import CheckRows
from tutelage.exporters.subject.student_answers import Answers
from tutelage.exporters.targets.c_source.file import Face
from tutelage.exporters.targets.c_source.harness import harness, packed

FLAGS = ("-std=c99", "-O2", "-ffp-contract=off")
"""Of a proof: contracted sums would differ from compiler to compiler."""


@dataclass(frozen=True, eq=False)
class Compiled:
    """A C file as a compiler makes it into a program that answers rows.

    Attributes:
        compiler: its command, such as "gcc".
        face: of the file.
        flags: for the compiler.
        runner: what runs the program, for another processor.
        largest: the largest number of a row that the file computes with.
    """

    compiler: str
    face: Face
    flags: tuple[str, ...] = FLAGS
    runner: tuple[str, ...] = ()
    largest: float = np.inf
    _folder: str = field(default_factory=tempfile.mkdtemp)

    def __post_init__(self) -> None:
        weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)

    @property
    def name(self) -> str:
        """The compiler and its version, and what runs the program."""
        return " ".join([self.compiler, _version(self.compiler), *(f"under {one}" for one in self.runner)])

    def answers(self, path: Path, program: Program, rows: CheckRows) -> Answers:
        """As `Runtime.answers`."""
        command = [*self.runner, str(self.program(path, program))]
        ran = subprocess.run(command, input=packed(rows, program, self.face), capture_output=True, check=False)  # noqa: S603
        decided = {"regression": 0, "multilabel": self.face.outputs}.get(self.face.task, 1)
        deferred = [] if self.face.threshold is None else [("deferred", "<i4")]
        kind = np.dtype([("values", "<f8", (self.face.outputs,)), ("decisions", "<i4", (decided,)), *deferred])
        if ran.returncode or len(ran.stdout) != len(rows) * kind.itemsize:
            said = _first_line(ran.stderr.decode(errors="replace")) or f"it ended with status {ran.returncode}"
            raise ParityError(f"the exported file fails as {self.name} compiles it: {said}; nothing was written. Please report this.")
        found = np.frombuffer(ran.stdout, dtype=kind)
        decisions = None if self.face.task == "regression" else found["decisions"].astype(np.int64)
        decisions = decisions if decisions is None or self.face.task == "multilabel" else decisions[:, 0]
        return Answers(found["values"].copy(), decisions, found["deferred"] != 0 if deferred else None)

    def program(self, path: Path, program: Program) -> Path:
        """The compiled program; each file is compiled once.

        Raises:
            ParityError: the compiler refuses the file, or lacks the headers of the C library.
        """
        content = path.read_bytes()
        made = Path(self._folder) / hashlib.sha256(content).hexdigest()
        if not made.exists():
            file, around = made.with_suffix(".file.c"), made.with_suffix(".c")  # compilers do not take every name that a file may have
            file.write_bytes(content)
            around.write_text(harness(program, self.face, file.name))
            command = [self.compiler, *self.flags, str(file), str(around), "-o", str(made), "-lm"]
            ran = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
            if ran.returncode:
                said = _first_line(ran.stderr, holding="error")
                if absent := re.search(r"fatal error: '?([\w/.]+\.h)'?(?:: No such file| file not found)", ran.stderr):
                    raise ParityError(
                        f"{self.name} finds no {absent[1]}, so that the exported file cannot be compared; nothing was written. Install the "
                        "headers of the C library for it (on Debian libc6-dev, libc6-dev-arm64-cross or libc6-dev-armhf-cross)."
                    )
                raise ParityError(f"{self.name} refuses the exported file: {said}; nothing was written. Please report this.")
        return made


def _first_line(text: str, *, holding: str = "") -> str:
    return next((line.strip() for line in text.splitlines() if line.strip() and holding in line), "")


@cache
def _version(compiler: str) -> str:
    for flag in ("-dumpfullversion", "-dumpversion"):
        ran = subprocess.run([compiler, flag], capture_output=True, text=True, check=False)  # noqa: S603
        if not ran.returncode and ran.stdout.strip():
            return ran.stdout.strip()
    return "of an unknown version"


def installed(names: Sequence[str]) -> list[str]:
    """Those programs that are installed."""
    return [name for name in names if shutil.which(name)]
