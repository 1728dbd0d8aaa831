import shutil

import numpy as np
import pytest

from tutelage.core.answers import AnswerForm
from tutelage.exporters.program import operations as op
from tutelage.exporters.program.program import Program, Step
from tutelage.exporters.proof import edge_cases
from tutelage.exporters.subject.check_rows import CheckRows
from tutelage.exporters.targets.c_source.compilers import Compiled
from tutelage.exporters.targets.c_source.file import Face, c_file
from tutelage.exporters.targets.job import Job, Settings

STRICT = (
    "-std=c99",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-pedantic",
    "-Wconversion",
    "-Wshadow",
    "-Wdouble-promotion",
    "-O1",
    "-ffp-contract=off",
)


@pytest.fixture(autouse=True)
def few_rows(monkeypatch):
    monkeypatch.setattr(edge_cases, "ROWS", 300)


def needs(*programs):
    missing = [name for name in programs if shutil.which(name) is None]
    if missing:
        pytest.skip(f"{' and '.join(missing)}: not installed (scripts/tools)")


@pytest.fixture
def program_of_steps():
    """A program of operations one after another, on numbers of a shape."""

    def make(operations, shape, *, dtype=np.float64, inputs=(), form=None):
        steps = [Step(op.Numbers(None, shape), (), shape)]
        for operation in operations:
            steps.append(Step(operation, (len(steps) - 1,), operation.shape(steps[-1].shape)))
        if len(steps[-1].shape) != 1:
            flat = op.Reshape((int(np.prod(steps[-1].shape)),))
            steps.append(Step(flat, (len(steps) - 1,), flat.to))
        form = form or AnswerForm("values", "regression")
        return Program(inputs, shape, tuple(steps), form, dtype, single=dtype == np.float32)

    return make


@pytest.fixture
def compiled(tmp_path):
    """What a program answers in C, without a warning."""

    def answers(program, rows, *, compiler="gcc", flags=STRICT, stem="student", texts=None, runner=()):
        needs(compiler, *runner)
        job = Job(None, None, program, stem, Settings())
        path = tmp_path / f"{stem}.c"
        path.write_text(c_file(job, ["A test."]))
        texts = np.empty((len(rows), 0), dtype=object) if texts is None else texts
        return Compiled(compiler, Face.of(job), flags, runner).answers(path, program, CheckRows(rows, texts))

    return answers
