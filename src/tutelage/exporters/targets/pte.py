"""A torch student as a program of ExecuTorch, torch's runtime for phones, with XNNPACK's kernels; run with ExecuTorch's own bindings."""

from __future__ import annotations

import io
import subprocess
import sys
import weakref
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tutelage.core.errors import FOREIGN, BadInput, MissingExtra, ParityError
from tutelage.exporters.program.program import Program
from tutelage.exporters.proof.compare import Runtime, decisions
from tutelage.exporters.subject.check_rows import CheckRows
from tutelage.exporters.subject.student_answers import Answers
from tutelage.exporters.targets.job import NOT_FINITE, Job
from tutelage.exporters.targets.timed_process import PYTHON_LOOP

MOST_ROWS = 256
"""Rows that one call of a file takes at most; its memory is planned for them."""
CALIBRATION_ROWS = 256
"""Rows from which the ranges of int8 are read."""
_NEEDED = ("executorch", "torchao", "ruamel", "tabulate", "flatbuffers")


def write(job: Job, header: Sequence[str]) -> dict[str, bytes]:
    """The file, by name: from rows (1 to `MOST_ROWS`) to probabilities, or to values.

    Raises:
        BadInput: the student is no torch network, or ExecuTorch cannot follow its code. MissingExtra: ExecuTorch is not installed.
    """
    job.settings.check("ExecuTorch", ("single", "int8"))
    if job.program.threshold is not None:
        raise BadInput(
            "a file for ExecuTorch has no place for a threshold; export the cascade to ONNX or C, or its student alone, and compare the "
            "probabilities with the threshold where the file runs."
        )
    if not hasattr(job.subject.student, "network"):
        raise BadInput(
            f"a {type(job.subject.student).__name__} cannot be written for ExecuTorch, which runs torch networks; export it to ONNX or C."
        )
    _check_installed()
    import torch

    from tutelage.core import torch_runtime
    from tutelage.exporters.program.foreign import answering_network, quiet_exporter

    student = job.subject.student
    rows = job.drawn(CALIBRATION_ROWS).numbers
    several = rows if len(rows) > 1 else np.concatenate([rows, rows])  # torch takes a single row for a number that never changes
    sample = torch_runtime.network_input(student.network, torch_runtime.tensor_of(several)).cpu()
    network = answering_network(student.network, student.output, job.subject.form.task)
    shapes = ({0: torch.export.Dim("rows", min=1, max=MOST_ROWS)},)
    try:
        with torch_runtime.evaluating(network), quiet_exporter():
            if job.settings.precision == "int8":
                network = _without_numbers(_in_int8(network, sample, shapes), job)
            content = _lowered(torch.export.export(network, (sample,), dynamic_shapes=shapes))
    except FOREIGN as error:  # whatever the code of the network, or torch's exporter, raises
        raise BadInput(
            f"the network cannot be written for ExecuTorch, which cannot follow its code for any number of rows ({type(error).__name__}). "
            "Use torch operations on whole batches, without conditions on values; or export it to ONNX."
        ) from error
    return {f"{job.stem}.pte": content}


def _check_installed() -> None:
    absent = [module for module in _NEEDED if find_spec(module) is None]
    if absent:
        raise MissingExtra(
            f"a file for ExecuTorch needs {', '.join(absent)}, which {'is' if len(absent) == 1 else 'are'} not installed. Install both: "
            'pip install "tutelage[executorch]" and pip install --no-deps "executorch>=1.5,<1.6" (which would bring coremltools otherwise).'
        )


def _in_int8(network: Any, sample: Any, shapes: Any) -> Any:
    """The network with weights and results in int8, whose ranges are those of the sample."""
    import torch
    from executorch.backends.xnnpack.quantizer.xnnpack_quantizer import XNNPACKQuantizer, get_symmetric_quantization_config
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

    quantizer = XNNPACKQuantizer().set_global(get_symmetric_quantization_config(is_per_channel=True))
    prepared = prepare_pt2e(torch.export.export(network, (sample,), dynamic_shapes=shapes).module(), quantizer)
    with torch.no_grad():
        prepared(sample)
    return convert_pt2e(prepared)


def _without_numbers(network: Any, job: Job) -> Any:
    """The network with NaN for answers to rows that have numbers which the student refuses: int8 would make ordinary ones of them."""
    import torch

    refused = [(value, torch.from_numpy(job.refused_cells(value))[None]) for value in NOT_FINITE]
    if not any(bool(where.any()) for _, where in refused):
        return network
    everywhere = all(bool(where.all()) for _, where in refused)

    class Marked(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network
            for place, (_, where) in enumerate(() if everywhere else refused):
                self.register_buffer(f"where_{place}", where)

        def forward(self, rows: Any) -> Any:
            marks = rows - rows  # NaN where a number is not finite, otherwise zero
            if not everywhere:
                found = torch.zeros_like(rows, dtype=torch.bool)
                for place, (value, _) in enumerate(refused):
                    hits = torch.isnan(rows) if np.isnan(value) else rows == value
                    found = found | (hits & getattr(self, f"where_{place}"))
                marks = torch.where(found, marks, torch.zeros_like(rows))
            return self.network(rows) + marks.flatten(1).sum(1, keepdim=True)

    return Marked()


def _lowered(program: Any) -> bytes:
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.exir import to_edge_transform_and_lower

    return bytes(to_edge_transform_and_lower(program, partitioner=[XnnpackPartitioner()]).to_executorch().buffer)


_RUN = """
import io, os, sys
out = os.fdopen(os.dup(1), "wb")
os.dup2(2, 1)  # whatever a library prints stays out of the answers
import numpy as np, torch
from executorch.runtime import Runtime
torch.set_num_threads(1)
method = Runtime.get().load_program(sys.argv[1]).load_method("forward")
while size := sys.stdin.buffer.read(8):
    rows = np.load(io.BytesIO(sys.stdin.buffer.read(int.from_bytes(size, "little"))), allow_pickle=False)
    answers = method.execute([torch.from_numpy(rows)])[0].numpy()
    packed = io.BytesIO()
    np.save(packed, answers)
    out.write(len(packed.getvalue()).to_bytes(8, "little") + packed.getvalue())
    out.flush()
"""


@dataclass
class ExecuTorchRuntime:
    """ExecuTorch's bindings in a process of their own, which lives as long as this object."""

    name: str
    _processes: dict[Path, subprocess.Popen[bytes]] = field(default_factory=dict)

    def answers(self, path: Path, program: Program, rows: CheckRows) -> Answers:
        """As `Runtime.answers`."""
        parts = range(0, len(rows), MOST_ROWS)
        values = np.concatenate([self._part(path, program, rows.numbers[start : start + MOST_ROWS]) for start in parts])
        return Answers(values, decisions(program.form, values))

    def _part(self, path: Path, program: Program, rows: NDArray[Any]) -> NDArray[np.float64]:
        process = self._process(path)
        packed = io.BytesIO()
        np.save(packed, np.ascontiguousarray(rows, dtype=program.dtype))
        assert process.stdin is not None and process.stdout is not None  # noqa: S101, PT018 - both are pipes
        try:
            process.stdin.write(len(packed.getvalue()).to_bytes(8, "little") + packed.getvalue())
            process.stdin.flush()
        except BrokenPipeError:
            pass
        size = process.stdout.read(8)
        if len(size) < 8:
            raise ParityError(f"the exported file fails in {self.name} (exit status {process.wait()}); nothing was written.")
        answers = np.load(io.BytesIO(process.stdout.read(int.from_bytes(size, "little"))), allow_pickle=False)
        return np.asarray(answers, dtype=np.float64)

    def _process(self, path: Path) -> subprocess.Popen[bytes]:
        if path not in self._processes:
            pipe = subprocess.PIPE
            command = [sys.executable, "-W", "ignore", "-c", _RUN, str(path)]
            process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL)  # noqa: S603 - our own program
            weakref.finalize(self, _end, process)
            self._processes[path] = process
        return self._processes[path]


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.communicate()


def runtimes(job: Job) -> list[Runtime]:
    """Where such a file is proven: ExecuTorch's bindings for Python.

    Raises:
        MissingExtra: they are not installed.
    """
    _check_installed()
    return [ExecuTorchRuntime(f"ExecuTorch {version('executorch')}")]


def rounding(job: Job) -> float:
    """Relative error of weighted sums in the file: none beyond that of the student."""
    return 0.0


_TIMED = (
    PYTHON_LOOP
    + """
import numpy as np, torch
from executorch.runtime import Runtime
torch.set_num_threads(1)
method = Runtime.get().load_program(sys.argv[1]).load_method("forward")
rows = torch.from_numpy(np.load(sys.argv[2]))
most = int(sys.argv[3])
def answer(start, count):
    for first in range(start, start + count, most):
        method.execute([rows[first : min(first + most, start + count)]])
serve(answer, len(rows))
"""
)


def timed(path: Path, job: Job, folder: Path) -> list[str]:
    """The command of a process that times calls, as `Child` runs it."""
    rows = folder / "rows.npy"
    np.save(rows, np.ascontiguousarray(job.rows.numbers, dtype=job.program.dtype))
    return [sys.executable, "-W", "ignore", "-c", _TIMED, str(path), str(rows), str(MOST_ROWS)]
