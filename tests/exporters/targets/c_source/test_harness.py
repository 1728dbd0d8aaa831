import struct

import numpy as np
import pandas as pd

import tutelage as tl
from tutelage.exporters.program.build import program_of
from tutelage.exporters.subject.check_rows import CheckRows
from tutelage.exporters.subject.subject import subject_of
from tutelage.exporters.targets.c_source.file import Face
from tutelage.exporters.targets.c_source.harness import harness, packed
from tutelage.exporters.targets.job import Job, Settings
from tutelage.students.columns import with_columns


def test_rows_are_packed_as_numbers_and_counted_texts():
    frame = pd.DataFrame({"n": [1.0, 2.0, 3.0], "t": ["a", "b", "a"]})
    student = with_columns(tl.SoftLogistic(), frame, scaled=False).fit(frame, [0, 1, 0])
    subject, rows = subject_of(student, frame)
    job = Job(subject, rows, program_of(subject, rows), "student", Settings())
    given = CheckRows(np.array([[1.5], [np.inf]]), np.array([["é"], [None]], dtype=object))
    expected = struct.pack("<q", 2) + struct.pack("<di", 1.5, 2) + "é".encode() + struct.pack("<di", np.inf, -1)
    assert packed(given, job.program, Face.of(job)) == expected
    assert "readtext(&row->texts[i], from)" in harness(job.program, Face.of(job), "student.c")


def test_numbers_beyond_single_precision_are_infinite(program_of_steps):
    program = program_of_steps([], (1,), dtype=np.float32)
    face = Face("student", "float", "float", "const float *row", "regression", 1)
    assert packed(CheckRows.of_numbers(np.array([[1e300]])), program, face)[8:] == struct.pack("<f", np.inf)
