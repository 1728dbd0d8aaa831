"""Exported modules of JavaScript as they run in Node.js."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tutelage.core.errors import BadInput, ParityError
from tutelage.exporters.program.program import Program
from tutelage.exporters.proof.compare import Runtime
from tutelage.exporters.subject.check_rows import CheckRows
from tutelage.exporters.subject.student_answers import Answers
from tutelage.exporters.targets.job import Job
from tutelage.exporters.targets.sources import answers_of

OLDEST = 18
_RUN = """
import * as student from "./student.mjs";
import rows from "./rows.mjs";
const answer = student.predictProba ?? student.predict;
const decide = (row) => {
  const label = student.predict(row);
  return Array.isArray(label) ? label : student.classes.indexOf(label);
};
const deferred = student.defers ? rows.map((row) => student.defers(row)) : null;
console.log(JSON.stringify([rows.map((row) => answer(row)), student.classes ? rows.map(decide) : null, deferred]));
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
            script = _script(_RUN, path, rows.cells(program.inputs), Path(folder))
            ran = subprocess.run([self.program, script], capture_output=True, text=True, check=False)  # noqa: S603
        if ran.returncode:
            errors = [line for line in ran.stderr.splitlines() if "Error" in line] or [f"exit status {ran.returncode}"]
            raise ParityError(f"the exported module fails in {self.name}: {errors[0].strip()}; nothing was written.")
        return answers_of(json.loads(ran.stdout))


def _script(text: str, path: Path, cells: list[Any], folder: Path) -> str:
    """Write a script beside a copy of the module, whose name says that it is one, and rows."""
    shutil.copy(path, folder / "student.mjs")
    (folder / "rows.mjs").write_text(f"export default {json.dumps(cells)};", encoding="ascii")  # NaN and Infinity included
    (folder / "run.mjs").write_text(text, encoding="ascii")
    return str(folder / "run.mjs")


def _node() -> NodeRuntime:
    """Node.js on this machine.

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
    return NodeRuntime(program, f"Node.js {version}")


def runtimes(job: Job) -> list[Runtime]:
    """Where such a file is proven: in Node.js.

    Raises:
        BadInput: it is not installed, or too old.
    """
    return [_node()]


def rounding(job: Job) -> float:
    """Relative error of weighted sums in the file: none beyond that of the student."""
    return 0.0


_TIMED = """
import * as student from "./student.mjs";
import given from "./rows.mjs";
import { createInterface } from "node:readline";
const answer = student.predictProba ?? student.predict;
console.log("ready");
for await (const line of createInterface({ input: process.stdin })) {
  const [rows, calls] = line.split(" ").map(Number);
  const taken = [];
  let start = 0;
  for (let call = 0; call < calls; call++) {
    start = start + rows <= given.length ? start : 0;
    const begun = process.hrtime.bigint();
    for (let row = start; row < start + rows; row++) answer(given[row]);
    taken.push(process.hrtime.bigint() - begun);
    start += rows;
  }
  console.log(taken.join(" "));
}
"""


def timed(path: Path, job: Job, folder: Path) -> list[str]:
    """The command of a process that times calls, as `Child` runs it."""
    place = folder / "javascript"
    place.mkdir()
    return [_node().program, _script(_TIMED, path, job.rows.cells(job.program.inputs), place)]
