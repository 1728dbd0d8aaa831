"""A program as Python, which is the shortest way to run it."""

from importlib import import_module

import numpy as np

from tutelage.exporters.export import TARGETS
from tutelage.exporters.program.build import program_of
from tutelage.exporters.subject.subject import subject_of
from tutelage.exporters.targets.job import Job, Settings


def largest_difference(student, check_on, odd=None):
    """Between a student and its program, on rows and on odd rows."""
    subject, rows = subject_of(student, check_on)
    job = Job(subject, rows, program_of(subject, rows), "student", Settings())
    module: dict = {}
    exec(import_module(TARGETS[".py"][1]).write(job, ["A student."])["student.py"].decode(), module)  # noqa: S102
    answer = module.get("predict_proba", module["predict"])
    given = rows if odd is None else rows.followed_by(subject_of(student, odd)[1])
    ours = subject.answers(given).values
    theirs = np.array([answer(row) for row in given.cells(subject.inputs)])
    assert np.ptp(ours, axis=0).max() > 0.01  # the rows differ
    return float(np.abs(ours - theirs).max())
