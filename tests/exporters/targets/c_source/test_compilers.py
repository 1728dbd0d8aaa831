import numpy as np
import pytest

from tutelage.core.errors import ParityError
from tutelage.exporters.program import operations as op
from tutelage.exporters.subject.check_rows import CheckRows
from tutelage.exporters.targets.c_source import compilers
from tutelage.exporters.targets.c_source.compilers import Compiled, installed
from tutelage.exporters.targets.c_source.file import Face, c_file
from tutelage.exporters.targets.job import Job, Settings

pytestmark = pytest.mark.skipif(not installed(["gcc"]), reason="gcc: not installed (scripts/tools)")


@pytest.fixture
def job(program_of_steps):
    return Job(None, None, program_of_steps([op.Apply("relu")], (2,)), "student", Settings())


def test_a_file_is_compiled_once_and_again_when_it_changed(job, tmp_path, monkeypatch):
    runs, run = [], compilers.subprocess.run
    monkeypatch.setattr(compilers.subprocess, "run", lambda command, **options: (runs.append(command[0]), run(command, **options))[1])
    path, gcc = tmp_path / "student.c", Compiled("gcc", Face.of(job))
    rows = CheckRows.of_numbers(np.array([[-1.0, 2.0]]))
    path.write_text(c_file(job, ["One."]))
    for _ in range(3):
        np.testing.assert_array_equal(gcc.answers(path, job.program, rows).values, [[0, 2]])
    assert runs.count("gcc") == 1
    path.write_text(path.read_text().replace("x < 0.0 ? 0.0", "x < 0.0 ? 1.0"))
    np.testing.assert_array_equal(gcc.answers(path, job.program, rows).values, [[1, 2]])
    assert runs.count("gcc") == 2


def test_a_file_that_does_not_compile_is_one_sentence(job, tmp_path):
    path = tmp_path / "student.c"
    path.write_text(c_file(job, []).replace("answers[i] =", "answers[i] ="[:-1]))
    with pytest.raises(ParityError, match=r"^gcc [\d.]+ refuses the exported file: .*error.*; nothing was written\. Please report this\.$"):
        Compiled("gcc", Face.of(job)).answers(path, job.program, CheckRows.of_numbers(np.zeros((1, 2))))


def test_a_compiler_without_headers_is_not_taken_for_a_fault_of_the_file(job, tmp_path):
    path = tmp_path / "student.c"
    path.write_text(c_file(job, []))
    with pytest.raises(
        ParityError, match=r"^gcc [\d.]+ finds no \w+\.h, so .* compared; nothing was written\. Install the headers"
    ) as raised:
        Compiled("gcc", Face.of(job), ("-nostdinc", f"-I{tmp_path}")).answers(path, job.program, CheckRows.of_numbers(np.zeros((1, 2))))
    assert "report" not in str(raised.value)


def test_a_program_that_fails_is_one_sentence(job, tmp_path):
    path = tmp_path / "student.c"
    path.write_text(
        c_file(job, []).replace(
            "void student_predict_values(const double *row, double *values) {",
            "#include <stdlib.h>\n" + "void student_predict_values(const double *row, double *values) { if (row[0] > 1) exit(3);",
        )
    )
    with pytest.raises(ParityError, match=r"fails as gcc .* compiles it: it ended with status 3"):
        Compiled("gcc", Face.of(job)).answers(path, job.program, CheckRows.of_numbers(np.full((1, 2), 2.0)))


def test_compilers_are_named_with_their_versions_and_emulators(job):
    assert Compiled("gcc", Face.of(job)).name.startswith("gcc ")
    assert Compiled("gcc", Face.of(job), runner=("qemu-arm",)).name.endswith(" under qemu-arm")
