"""C99: one file that needs nothing but the C library."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tutelage.core.errors import BadInput
from tutelage.exporters.proof.compare import Runtime
from tutelage.exporters.targets.c_source.compilers import FLAGS, Compiled, installed
from tutelage.exporters.targets.c_source.file import Face, c_file, sums_in_single
from tutelage.exporters.targets.c_source.harness import packed
from tutelage.exporters.targets.job import Job

COMPILERS = ("gcc", "clang")
CROSS = {"aarch64-linux-gnu-gcc": "qemu-aarch64", "arm-linux-gnueabihf-gcc": "qemu-arm"}
"""Compilers for other processors, and what runs their programs here."""


def write(job: Job, header: Sequence[str]) -> dict[str, bytes]:
    """The file, by its name.

    Args:
        job: what to write.
        header: lines that say what it is, and how it was proven.

    Raises:
        BadInput: the program has a step, its names a text, or the settings a precision that C does not have; or it needs more working
            memory than a stack has.
    """
    job.settings.check("C", ("double", "single"))
    if job.settings.precision == "single" and not sums_in_single(job.program):
        raise BadInput("precision is 'single', which does not hold the values of this student's leaves; leave precision out.")
    return {f"{job.stem}.c": c_file(job, header).encode()}


def runtimes(job: Job) -> list[Runtime]:
    """Where such a file is proven: as gcc and clang compile it, if both are installed.

    Raises:
        BadInput: neither is.
    """
    found = installed(COMPILERS)
    if not found:
        raise BadInput("gcc or clang is not installed, with which a C file is compared; install one, or pass unproven=True.")
    face = Face.of(job)
    return [Compiled(name, face, largest=face.largest) for name in found]


def cross_runtimes(job: Job) -> list[Runtime]:
    """Where such a file is proven for other processors: for 64-bit and 32-bit ARM, if their compilers and emulators are installed."""
    face = Face.of(job)
    return [
        Compiled(compiler, face, (*FLAGS, "-static"), (runner,), face.largest)
        for compiler, runner in CROSS.items()
        if len(installed([compiler, runner])) == 2
    ]


def rounding(job: Job) -> float:
    """Relative error of weighted sums in the file: that of single precision, if it computes a double student's in it."""
    single = Face.of(job).number == "float" and job.program.rounding > 0
    return float(np.finfo(np.float32).eps) if single else 0.0


def timed(path: Path, job: Job, folder: Path) -> list[str]:
    """The command of a process that times calls, as `Child` runs it.

    Raises:
        BadInput: no compiler is installed.
    """
    compiler = runtimes(job)[0]
    assert isinstance(compiler, Compiled)  # noqa: S101 - what `runtimes` gives
    rows = folder / "rows.bin"
    rows.write_bytes(packed(job.rows, job.program, compiler.face))
    made = folder / "timed"
    made.write_bytes(compiler.program(path, job.program).read_bytes())
    made.chmod(0o755)
    return [str(made), str(rows)]
