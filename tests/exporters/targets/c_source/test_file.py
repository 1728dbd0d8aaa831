import shutil
import subprocess

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestRegressor

import tutelage as tl
from tutelage.core.errors import BadInput
from tutelage.exporters.export import export
from tutelage.exporters.program.build import program_of
from tutelage.exporters.subject.subject import subject_of
from tutelage.exporters.targets.c_source.file import Face, c_file
from tutelage.exporters.targets.job import Job, Settings
from tutelage.students.columns import with_columns

RNG = np.random.default_rng(0)
X = RNG.normal(size=(200, 3))
SOFT = RNG.dirichlet(np.ones(3), 200)
STRICT = ["-Wall", "-Wextra", "-Werror", "-pedantic", "-Wconversion", "-Wshadow", "-Wdouble-promotion"]
HOSTILE = ['a"b\\', "??/", "*/ int x; /*", "%s\n", "Grüße 日本", "", "<STEPS>@number$1.0"]


def needs(*programs):
    missing = [name for name in programs if shutil.which(name) is None]
    if missing:
        pytest.skip(f"{' and '.join(missing)}: not installed (scripts/tools)")


def job_of(student, rows, *, stem="student", **settings):
    subject, checked = subject_of(student, rows)
    return Job(subject, checked, program_of(subject, checked), stem, Settings(**settings))


def hostile_student():
    cities = RNG.choice(HOSTILE, 200)
    frame = pd.DataFrame({'a" */ b': X[:, 0], "city ??/": pd.Categorical(cities)})
    classes = RNG.choice(HOSTILE, 200)
    return with_columns(tl.SoftLogistic(), frame, scaled=False).fit(frame, classes), frame


def compile_strictly(path, command):
    ran = subprocess.run([*command, *STRICT, "-c", str(path), "-o", "/dev/null"], capture_output=True, text=True, check=False)
    assert not ran.returncode, ran.stderr


@pytest.mark.parametrize(
    "compiler", [("gcc", "-std=c99"), ("clang", "-std=c99"), ("g++", "-xc++", "-std=c++11"), ("clang++", "-xc++", "-std=c++11")]
)
def test_hostile_names_compile_without_warnings(compiler, tmp_path):
    needs(compiler[0])
    student, frame = hostile_student()
    path = tmp_path / "2 int??.c"
    path.write_text(c_file(job_of(student, frame, stem=path.stem), ["*/ ??/", "é\\"]))
    compile_strictly(path, compiler)


@pytest.mark.exhaustive
@pytest.mark.slow
def test_hostile_names_are_answered_as_by_the_student(tmp_path):
    needs("gcc")
    student, frame = hostile_student()
    record = export(student, tmp_path / "student.c", check_on=frame)
    assert record.proofs[0].decisions_changed == 0
    assert " *   0: city ? ?/" in (tmp_path / "student.c").read_text()


def test_class_names_and_labels_reach_a_caller_that_includes_the_declarations(tmp_path):
    needs("gcc")
    student = tl.SoftTree(max_leaf_nodes=3, random_state=0).fit(X, np.array(["no", "yes"])[(X[:, 0] > 0).astype(int)])
    (tmp_path / "student.c").write_text(c_file(job_of(student, X), ["A test."]))
    (tmp_path / "main.c").write_text("""
#include <stdio.h>
#define STUDENT_DECLARATIONS_ONLY
#include "student.c"
int main(void) {
    const float row[STUDENT_COLUMNS] = {1.0f, 0.0f, 0.0f};
    float probabilities[STUDENT_CLASSES];
    student_predict_proba(row, probabilities);
    printf("%s %.1f", student_class_names[student_predict(row)], (double)probabilities[1]);
    return 0;
}
""")
    command = ["gcc", "-std=c99", *STRICT, "student.c", "main.c", "-o", "main", "-lm"]
    subprocess.run(command, cwd=tmp_path, check=True)
    assert subprocess.run([tmp_path / "main"], capture_output=True, text=True, check=True).stdout == "yes 1.0"


@pytest.mark.exhaustive
def test_two_students_of_one_file_name_are_linked_into_one_program_by_their_prefixes(tmp_path):
    needs("gcc")
    for place, prefix in enumerate(("first", "int_2")):
        student = tl.SoftTree(max_leaf_nodes=3, random_state=0).fit(X, np.array(["no", f"yes {place}"])[(X[:, place] > 0).astype(int)])
        (tmp_path / prefix).mkdir()
        export(student, tmp_path / prefix / "student.c", check_on=X, prefix=prefix, compared_rows=50)
    (tmp_path / "main.c").write_text("""
#include <stdio.h>
#define FIRST_DECLARATIONS_ONLY
#define INT_2_DECLARATIONS_ONLY
#include "first/student.c"
#include "int_2/student.c"
int main(void) {
    const float row[FIRST_COLUMNS] = {1.0f, 1.0f, 0.0f};
    printf("%s, %s", first_class_names[first_predict(row)], int_2_class_names[int_2_predict(row)]);
    return 0;
}
""")
    command = ["gcc", "-std=c99", *STRICT, "first/student.c", "int_2/student.c", "main.c", "-o", "main", "-lm"]
    subprocess.run(command, cwd=tmp_path, check=True)
    assert subprocess.run([tmp_path / "main"], capture_output=True, text=True, check=True).stdout == "yes 0, yes 1"


def test_the_type_of_numbers_is_that_of_the_student():
    tree, forest = tl.SoftTree(max_leaf_nodes=3).fit(X, SOFT), tl.SoftForest(n_estimators=2, max_leaf_nodes=3).fit(X, SOFT)
    linear = tl.SoftLogistic().fit(X, SOFT)
    found = [(face.number, face.cell) for face in (Face.of(job_of(each, X)) for each in (tree, forest, linear))]
    assert found == [("float", "float"), ("float", "float"), ("double", "double")]
    single = Face.of(job_of(linear, X, precision="single"))
    assert (single.number, single.cell, single.largest) == ("float", "double", 1e30)
    assert Face.of(job_of(tree, X, precision="double")).cell == "double"
    assert "with numbers up to 1e+30" in c_file(job_of(linear, X, precision="single"), [])


def test_fast_math_is_refused_by_the_file_itself(tmp_path):
    needs("gcc")
    (tmp_path / "student.c").write_text(c_file(job_of(tl.SoftTree(max_leaf_nodes=3).fit(X, SOFT), X), []))
    ran = subprocess.run(
        ["gcc", "-ffast-math", "-c", tmp_path / "student.c", "-o", "/dev/null"], capture_output=True, text=True, check=False
    )
    assert ran.returncode
    assert "without -ffast-math" in ran.stderr


def test_the_comment_at_the_top_has_lines_of_100_characters():
    proof = "Compared with the student on 10,000 rows: " + "0 decisions changed. " * 20
    written = c_file(job_of(tl.SoftTree(max_leaf_nodes=3).fit(X, SOFT), X), ["C, written by tutelage.", "", proof.strip()])
    comment = written[: written.index("*/")]
    assert max(map(len, comment.splitlines())) <= 100
    assert proof.strip() in comment.replace("\n * ", " ")


def test_a_class_that_c_cannot_name_is_refused():
    student = tl.SoftTree(max_leaf_nodes=3).fit(X, np.array(["a\0b", "c"], dtype=object)[(X[:, 0] > 0).astype(int)])
    with pytest.raises(BadInput, match=r"the class .* holds the character zero"):
        c_file(job_of(student, X), [])


@pytest.mark.exhaustive(every=2)
@pytest.mark.slow
@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_students_of_each_family_compile_without_warnings(compiler, tmp_path):
    needs(compiler)
    pytest.importorskip("lightgbm")
    from torch import nn

    students = [
        tl.SoftTree(max_leaf_nodes=300, random_state=0).fit(X, SOFT),
        tl.SoftTree(max_leaf_nodes=2, targets="logits").fit(X, SOFT),
        tl.SoftForest(n_estimators=30, random_state=0).fit(X, SOFT),
        RandomForestRegressor(3, random_state=0).fit(X, SOFT),
        tl.SoftLogistic().fit(X, SOFT),
        tl.SoftMLP().fit(X, SOFT),
        tl.SoftBoosting(n_estimators=5).fit(X, SOFT),
        tl.PerLabel(tl.SoftTree(max_leaf_nodes=3)).fit(X, (X > 0).astype(float)),
        tl.TorchStudent(nn.Sequential(nn.Linear(3, 3)), classes=range(3)).fit(X.astype(np.float32), SOFT, epochs=1, seed=0),
    ]
    for student in students:
        for precision in ("single", "double"):
            rows = X.astype(np.float32) if isinstance(student, tl.TorchStudent) else X
            path = tmp_path / "student.c"
            path.write_text(c_file(job_of(student, rows, precision=precision), []))
            compile_strictly(path, (compiler, "-std=c99"))
