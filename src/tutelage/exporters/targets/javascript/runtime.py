"""Exported modules of JavaScript as they run in Node.js."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tutelage.core.errors import BadInput, ParityError
from tutelage.exporters.program.program import Program
from tutelage.exporters.proof.compare import Runtime
from tutelage.exporters.subject.check_rows import CheckRows
from tutelage.exporters.subject.student_answers import Answers
from tutelage.exporters.targets.job import Job

OLDEST = 18
_RUN = """
import * as student from "./student.mjs";
import rows from "./rows.mjs";
const answer = student.predictProba ?? student.predict;
const decide = (row) => {
  const label = student.predict(row);
  return Array.isArray(label) ? label : student.classes.indexOf(label);
};
console.log(JSON.stringify([rows.map((row) => answer(row)), student.classes ? rows.map(decide) : null]));
"""


@dataclass(frozen=True)
class NodeRuntime:
    """A process of Node.js.

    Attributes:
        program: path of node.
        name: "Node.js" and its version.
    """

    program: str
    name: str

    def answers(self, path: Path, program: Program, rows: CheckRows) -> Answers:
        """As `Runtime.answers`."""
        with tempfile.TemporaryDirectory() as folder:
            shutil.copy(path, Path(folder, "student.mjs"))
            Path(folder, "rows.mjs").write_text(f"export default {json.dumps(rows.cells(program.inputs))};", encoding="ascii")
            Path(folder, "run.mjs").write_text(_RUN, encoding="ascii")
            ran = subprocess.run([self.program, "run.mjs"], cwd=folder, capture_output=True, text=True, check=False)  # noqa: S603
        if ran.returncode:
            errors = [line for line in ran.stderr.splitlines() if "Error" in line] or [f"exit status {ran.returncode}"]
            raise ParityError(f"the exported module fails in {self.name}: {errors[0].strip()}; nothing was written.")
        values, decided = json.loads(ran.stdout)
        return Answers(np.array(values, dtype=np.float64), None if decided is None else np.array(decided, dtype=np.int64))


def runtimes(job: Job) -> list[Runtime]:
    """Where such a file is proven: in Node.js.

    Raises:
        BadInput: it is not installed, or too old.
    """
    program = shutil.which("node")
    advice = f"install Node.js {OLDEST} or newer (nodejs.org, or the package nodejs), or pass unproven=True."
    if program is None:
        raise BadInput(f"node is not installed, in which a file of JavaScript is compared with its student; {advice}")
    ran = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)  # noqa: S603
    version = ran.stdout.strip().lstrip("v")
    if not version.partition(".")[0].isdigit() or int(version.partition(".")[0]) < OLDEST:
        raise BadInput(f"node is of version {version or 'unknown'}, in which a file of JavaScript cannot be compared; {advice}")
    return [NodeRuntime(program, f"Node.js {version}")]


def rounding(job: Job) -> float:
    """Relative error of weighted sums in the file: none beyond that of the student."""
    return 0.0
