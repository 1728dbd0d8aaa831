"""Exported modules of Python as they run: in a process that sees the standard library only."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tutelage.core.errors import ParityError
from tutelage.exporters.program.program import Program
from tutelage.exporters.proof.compare import Runtime
from tutelage.exporters.subject.check_rows import CheckRows
from tutelage.exporters.subject.student_answers import Answers
from tutelage.exporters.targets.job import Job
from tutelage.exporters.targets.sources import answers_of
from tutelage.exporters.targets.timed_process import PYTHON_LOOP

_RUN = """
import json, runpy, sys
module = runpy.run_path(sys.argv[1])
rows = json.load(sys.stdin)
answers = [module.get("predict_proba", module["predict"])(row) for row in rows]
labels = [module["predict"](row) for row in rows] if "CLASSES" in module else None
decided = [label if isinstance(label, list) else module["CLASSES"].index(label) for label in labels] if labels else None
deferred = [module["defers"](row) for row in rows] if "defers" in module else None
json.dump([answers, decided, deferred], sys.stdout)
"""


@dataclass(frozen=True)
class PythonRuntime:
    """A process of this Python."""

    name: str = f"Python {platform.python_version()}"

    def answers(self, path: Path, program: Program, rows: CheckRows) -> Answers:
        """As `Runtime.answers`."""
        command = [sys.executable, "-I", "-S", "-c", _RUN, str(path)]
        ran = subprocess.run(command, input=json.dumps(rows.cells(program.inputs)), capture_output=True, text=True, check=False)  # noqa: S603
        if ran.returncode:
            last = ran.stderr.strip().splitlines()[-1:] or [f"exit status {ran.returncode}"]
            raise ParityError(f"the exported module fails in {self.name}: {last[0]}; nothing was written.")
        return answers_of(json.loads(ran.stdout))


def runtimes(job: Job) -> list[Runtime]:
    """Where such a file is proven: always this Python."""
    return [PythonRuntime()]


def rounding(job: Job) -> float:
    """Relative error of weighted sums in the file: none beyond that of the student."""
    return 0.0


_TIMED = (
    PYTHON_LOOP
    + """
import json, runpy
module = runpy.run_path(sys.argv[1])
answer = module.get("predict_proba", module["predict"])
with open(sys.argv[2]) as file:
    given = json.load(file)
serve(lambda start, rows: [answer(row) for row in given[start : start + rows]], len(given))
"""
)


def timed(path: Path, job: Job, folder: Path) -> list[str]:
    """The command of a process that times calls, as `Child` runs it."""
    rows = folder / "rows.json"
    rows.write_text(json.dumps(job.rows.cells(job.program.inputs)))
    return [sys.executable, "-I", "-S", "-c", _TIMED, str(path), str(rows)]
