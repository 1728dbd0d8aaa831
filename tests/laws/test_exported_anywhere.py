"""A student answers alike in every language: each family on edge rows, random students, and the same bytes twice."""

import ast
import hashlib
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import exported_students
import numpy as np
import postgresql
import pytest
from exported_runners import RUNNERS, Written, lacking

from tutelage.core.errors import BadInput
from tutelage.exporters.export import TARGETS
from tutelage.exporters.program.build import program_of
from tutelage.exporters.proof.edge_cases import edge_cases
from tutelage.exporters.subject.student_answers import Answers
from tutelage.exporters.subject.subject import Subject, subject_of
from tutelage.exporters.targets.job import Job, Settings

PLAIN = {
    *("tree", "forest", "forest of values", "linear", "logistic", "logistic of two", "mlp", "network", "network of values"),
    *("boosting by lightgbm", "boosting by xgboost", "targets", "labels", "distilled", "distilled values", "matched", "matched labels"),
    *("gates", "mixed gates"),
    *("one-hot columns", "coded columns", "scaled network", "network of labels", "scaled network of values"),
}
MUST = {
    ".onnx": {*PLAIN, "convolution", "words"},
    ".c": {*PLAIN, "convolution"},
    ".js": {*PLAIN, "convolution", "words"},
    ".py": {*PLAIN, "words"},
    ".sql": PLAIN,
    ".pte": {"network", "network of values", "convolution"},
}
OF_ANY_STUDENT = sorted(set(RUNNERS) - {".pte"})
"""Languages that are not for networks alone."""
TOLERANCE = 1e-5
DRAWN = int(os.environ.get("TUTELAGE_EXPORTED_STUDENTS", "40"))
"""How many random students; 2000 for the full form."""


def job_of(student, check_on, stem):
    subject, rows = subject_of(student, check_on)
    return Job(subject, rows, program_of(subject, rows), stem, Settings())


def written(job: Job, end: str, folder: Path, rows) -> Written:
    files = import_module(TARGETS[end][1]).write(job, ["A student."])
    for name, content in files.items():
        (folder / name).write_bytes(content)
    inputs = job.program.inputs
    columns = tuple((f"x{place}" if one.name is None else one.name, one.kind) for place, one in enumerate(inputs))
    return Written(folder / next(iter(files)), columns, rows.cells(inputs), job.program.outputs)


def answered(subject: Subject, rows) -> tuple:
    """The rows that a student answers with numbers, and its answers; none of a group that it refuses."""
    try:
        answers: Answers = subject.answers(rows)
    except BadInput:
        return rows[:0], np.empty((0, 1))
    finite = np.isfinite(answers.values).all(axis=1)
    return rows[finite], answers.values[finite]


def edge_rows(job: Job):
    """Some rows of each group of edge cases, as far as the student answers them."""
    found = job.rows[:20]
    for name, group in edge_cases(job.rows[:60], job.program).items():
        if name in ("extreme values", "rows a thousand times as large") and (job.program.single or job.program.partly_single):
            continue  # single precision overflows in another order
        some = job.subject.exact(group[np.unique(np.linspace(0, len(group) - 1, min(len(group), 60), dtype=int))]) if len(group) else group
        if len(some):
            found = found.followed_by(answered(job.subject, some)[0])
    return found


def differences(jobs, rows, end, folder, runner=None) -> np.ndarray:
    """The largest difference of each student in a language, relative to the larger of 1 and the answer."""
    files, ours = [], []
    for job, given in zip(jobs, rows, strict=True):
        taken, answers = answered(job.subject, given[~(given.texts == "").any(axis=1)] if end == ".onnx" else given)
        try:
            files.append(written(job, end, folder, taken))
        except BadInput as error:  # ONNX has no missing texts
            if end != ".onnx" or "tells the empty text from a missing one" not in str(error):
                raise
            continue
        ours.append(answers)
    theirs = (runner or RUNNERS[end])(files)
    found = []
    for answers, others in zip(ours, theirs, strict=True):
        assert answers.shape == others.shape
        gaps = np.abs(answers - others) / np.maximum(1, np.abs(answers))
        found.append(float(np.where(np.isnan(gaps), np.inf, gaps).max(initial=0)))
    return np.array(found)


@pytest.fixture(scope="module")
def of_families():
    cases = exported_students.families()
    jobs = {name: job_of(student, rows, f"s{place}") for place, (name, (student, rows)) in enumerate(cases.items())}
    return {name: (job, edge_rows(job)) for name, job in jobs.items()}


@pytest.mark.parametrize(
    "end", [pytest.param(end, marks=[pytest.mark.slow, pytest.mark.exhaustive]) if end == ".pte" else end for end in MUST]
)
def test_every_family_answers_alike_on_edge_rows(end, of_families, tmp_path):
    if lacking(end):
        pytest.skip(lacking(end))
    names = sorted(MUST[end])
    jobs, rows = zip(*(of_families[name] for name in names), strict=True)
    assert min(map(len, rows)) > 20
    found = differences(jobs, rows, end, tmp_path)
    assert {name: gap for name, gap in zip(names, found, strict=True) if gap > TOLERANCE} == {}


def moderate(rows):
    """Rows whose products with weights stay in the range of double precision, which PostgreSQL does not leave."""
    sizes = np.abs(rows.numbers.astype(np.float64))
    return rows[((sizes == 0) | ~np.isfinite(sizes) | ((sizes > 1e-100) & (sizes < 1e100))).all(axis=1)]


@pytest.mark.exhaustive
@pytest.mark.slow
def test_every_family_answers_alike_in_postgresql(of_families, tmp_path):
    if not postgresql.PROGRAMS:
        pytest.skip("PostgreSQL: not installed (scripts/tools)")
    names = sorted(MUST[".sql"])
    jobs, rows = zip(*((job, moderate(rows)) for job, rows in (of_families[name] for name in names)), strict=True)
    assert min(map(len, rows)) > 20
    with postgresql.server() as socket:
        found = differences(jobs, rows, ".sql", tmp_path, lambda files: postgresql.answers(files, socket))
    assert {name: gap for name, gap in zip(names, found, strict=True) if gap > TOLERANCE} == {}


@pytest.fixture(scope="module")
def of_random_students():
    jobs = []
    for seed in range(DRAWN):
        student, rows = exported_students.drawn(seed)
        jobs.append(job_of(student, rows, f"s{seed}"))
    return jobs


@pytest.mark.exhaustive(every=5)
@pytest.mark.parametrize("end", OF_ANY_STUDENT)
def test_random_students_answer_alike(end, of_random_students, tmp_path):
    if lacking(end):
        pytest.skip(lacking(end))
    found = np.concatenate(
        [
            differences(part, [job.rows for job in part], end, tmp_path)
            for part in (of_random_students[start : start + 200] for start in range(0, DRAWN, 200))
        ]
    )
    print(f"{end}: {len(found)} students, worst difference {found.max():.1e}")
    assert {seed: gap for seed, gap in enumerate(found) if gap > TOLERANCE} == {}


WRITES = """
import sys, warnings
warnings.simplefilter("ignore")
sys.path.insert(0, sys.argv[1])
import test_exported_anywhere as law
print(law.written_bytes())
"""


def written_bytes() -> dict[str, str]:
    """Names and checksums of the files of some students in every language."""
    found = {}
    for seed in (1, 2, 5, 11):
        job = job_of(*exported_students.drawn(seed), "student")
        for end in OF_ANY_STUDENT:
            files = import_module(TARGETS[end][1]).write(job, ["A student."])
            found |= {f"{seed} {name}": hashlib.sha256(content).hexdigest() for name, content in files.items()}
    return found


@pytest.mark.exhaustive
@pytest.mark.slow
def test_another_process_writes_the_same_bytes():
    command = [sys.executable, "-c", WRITES, str(Path(__file__).parent)]
    ran = subprocess.run(command, env={**os.environ, "PYTHONHASHSEED": "1"}, capture_output=True, text=True, check=True)
    found = written_bytes()
    assert ast.literal_eval(ran.stdout) == found == written_bytes()
    assert len(found) >= 4 * len(OF_ANY_STUDENT)
