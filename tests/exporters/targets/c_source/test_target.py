import re
import subprocess

import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeRegressor

import tutelage as tl
from tutelage.core.errors import BadInput, ParityError
from tutelage.exporters.export import export
from tutelage.exporters.program.build import program_of
from tutelage.exporters.proof.compare import compare
from tutelage.exporters.subject.subject import subject_of
from tutelage.exporters.targets.c_source import compilers, target
from tutelage.exporters.targets.c_source.compilers import FLAGS, Compiled, installed
from tutelage.exporters.targets.c_source.file import Face
from tutelage.exporters.targets.job import Job, Settings
from tutelage.exporters.targets.timed_process import Child
from tutelage.students.columns import with_columns

RNG = np.random.default_rng(0)
X = RNG.normal(size=(200, 3))
GAPS = np.where(RNG.random(X.shape) < 0.2, np.nan, X)
SOFT = RNG.dirichlet(np.ones(3), 200)
FRAME = pd.DataFrame(
    {"n": GAPS[:, 0], "day": pd.Timestamp("2020-01-01") + pd.to_timedelta(np.arange(200), "D"), "t": RNG.choice(list("abc"), 200)}
)
needs_gcc = pytest.mark.skipif(not installed(["gcc"]), reason="gcc: not installed (scripts/tools)")
slow = pytest.mark.slow


def network():
    from torch import nn

    layers = nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(16, 3)
    return tl.TorchStudent(nn.Sequential(*layers), classes=range(3)).fit(PICTURES, SOFT, epochs=1, seed=0)


PICTURES = RNG.normal(size=(200, 1, 4, 4)).astype(np.float32)
FAMILIES = {
    "tree with gaps": (lambda: tl.SoftTree(max_leaf_nodes=9, random_state=0).fit(GAPS, SOFT), GAPS),
    "columns": (lambda: with_columns(tl.SoftLogistic(), FRAME, scaled=True).fit(FRAME, RNG.integers(3, size=200)), FRAME),
    "network": (network, PICTURES),
    "labels": (lambda: tl.PerLabel(tl.SoftTree(max_leaf_nodes=3)).fit(X, (X[:, :2] > 0).astype(float)), X),
    "boosting": (lambda: tl.SoftBoosting(n_estimators=3).fit(GAPS, SOFT), GAPS),
    "distilled": (
        lambda: tl.DistilledClassifier(
            tl.SoftForest(n_estimators=9, max_leaf_nodes=5).fit(X, SOFT), tl.SoftTree(max_leaf_nodes=5), temperature=3.0
        ).fit(X),
        X,
    ),
}


@needs_gcc
@pytest.mark.exhaustive(every=3)
@pytest.mark.parametrize("name", ["tree with gaps", *(pytest.param(name, marks=slow) for name in list(FAMILIES)[1:])])
def test_students_are_proven_by_every_compiler(name, tmp_path):
    make, rows = FAMILIES[name]
    record = export(make(), tmp_path / "student.c", check_on=rows)
    assert record.target == "C"
    assert [proof.runtime.split()[0] for proof in record.proofs] == installed(["gcc", "clang"])
    assert all(proof.decisions_changed == 0 and proof.worst_difference < 1e-6 for proof in record.proofs)


BUGS = {
    "<= becomes <": ("tree with gaps", r"cell <= node\.threshold", "cell < node.threshold", r"in edge row \(splits\)"),
    "gaps go right": ("tree with gaps", r" \| \(\(cell != cell\) & \(node.feature & 1\)\)", "", "differ"),
    "classes are swapped": ("tree with gaps", r"y\[tree\.first \+ \(uint32_t\)i\]", "y[2 - i]", "differ"),
    "the last of equal classes": ("tree with gaps", r"> probabilities\[best\]", "< probabilities[best]", "labels are not those"),
    "an intercept is left out": ("columns", r"rest \+ intercepts\[output\]", "rest", "differ"),
    "an unseen category is the first": (
        "columns",
        r"code < 0 \? -1\.0",
        "code < 0 ? 0.0",
        r"in edge row \((unseen categories|empty texts)\)",
    ),
    "a border is not padded": ("network", r"left >= 0 && ", "", "differ|fails"),
    "no relu": ("network", r"x < 0\.0f \? 0\.0f : x", "x", "differ"),
}


@needs_gcc
@pytest.mark.exhaustive(every=3)
@pytest.mark.parametrize("bug", [name if BUGS[name][0] == "tree with gaps" else pytest.param(name, marks=slow) for name in BUGS])
def test_a_planted_bug_is_caught(bug, tmp_path, monkeypatch):
    family, right, wrong, words = BUGS[bug]
    written = target.c_file

    def with_a_bug(job, header):
        text, count = re.subn(right, wrong, written(job, header))
        assert count
        return text

    monkeypatch.setattr(target, "c_file", with_a_bug)
    make, rows = FAMILIES[family]
    with pytest.raises(ParityError, match=words):
        export(make(), tmp_path / "student.c", check_on=rows)
    assert not list(tmp_path.iterdir())


def job_of(student, rows, **settings):
    subject, checked = subject_of(student, rows)
    return Job(subject, checked, program_of(subject, checked), "student", Settings(**settings))


def test_no_compiler_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(compilers.shutil, "which", lambda name: None)
    student = tl.SoftTree(max_leaf_nodes=3).fit(X, SOFT)
    with pytest.raises(BadInput, match=r"gcc or clang is not installed, .*; install one, or pass unproven=True\."):
        export(student, tmp_path / "student.c", check_on=X)
    record = export(student, tmp_path / "student.c", check_on=X, unproven=True)
    assert not record.proven
    assert "Not proven" in (tmp_path / "student.c").read_text()
    assert target.cross_runtimes(job_of(student, X)) == []


def test_a_precision_that_c_does_not_have_is_refused(tmp_path):
    with pytest.raises(BadInput, match="a file of C has 'double' or 'single'"):
        target.write(job_of(tl.SoftTree(max_leaf_nodes=3).fit(X, SOFT), X, precision="half"), [])


def test_sums_in_single_precision_of_a_double_student_are_rounded():
    linear, tree = tl.SoftLogistic().fit(X, SOFT), tl.SoftTree(max_leaf_nodes=3).fit(X, SOFT)
    found = [target.rounding(job_of(student, X, precision=each)) for student in (linear, tree) for each in ("single", "double", None)]
    assert found == [np.finfo(np.float32).eps, 0, 0, 0, 0, 0]


def test_two_files_of_one_student_are_the_same_bytes():
    job = job_of(tl.SoftTree(max_leaf_nodes=5).fit(X, SOFT), X)
    assert target.write(job, ["a"]) == target.write(job, ["a"])
    assert list(target.write(job, ["a"])) == ["student.c"]


@needs_gcc
@slow
def test_a_double_student_in_single_precision_is_proven_on_rows_that_it_holds(tmp_path):
    record = export(tl.SoftMLP().fit(X, SOFT), tmp_path / "student.c", check_on=X, precision="single")
    assert 0 < record.proofs[0].worst_difference < 1e-5


@needs_gcc
@pytest.mark.parametrize("scale", [1e-300, 1e-100, 1e160, 1e300])
def test_values_that_single_precision_does_not_hold_are_written_in_double(scale, tmp_path):
    student = DecisionTreeRegressor(max_leaf_nodes=4, random_state=0).fit(X, np.column_stack([X[:, 0] * scale, X[:, 1]]))
    record = export(student, tmp_path / "student.c", check_on=X, compared_rows=200)
    assert record.proofs[0].worst_difference < 1e-12
    assert Face.of(job_of(student, X)).number == "double"
    with pytest.raises(
        BadInput, match="precision is 'single', which does not hold the values of this student's leaves; leave precision out"
    ):
        export(student, tmp_path / "student.c", check_on=X, precision="single")


@needs_gcc
@pytest.mark.parametrize("prefix", ["read", "one", "answer", "time", "seen", "main", "row", "rows"])
def test_a_prefix_is_no_name_of_the_program_that_proves(prefix, tmp_path):
    student, rows = FAMILIES["columns"][0](), FAMILIES["columns"][1]
    assert export(student, tmp_path / "student.c", check_on=rows, compared_rows=10, prefix=prefix).proven


@needs_gcc
def test_a_student_that_single_precision_changes_is_refused_with_a_remedy(tmp_path):
    rows = 1e6 + np.arange(200.0)[:, None] / 1000  # equal in single precision
    student = make_pipeline(StandardScaler(), tl.SoftTree(max_leaf_nodes=2)).fit(rows, (rows[:, 0] > 1e6 + 0.1).astype(int))
    with pytest.raises(ParityError, match=r"It computes in single precision, and its student in double: leave out precision\."):
        export(student, tmp_path / "student.c", check_on=rows, precision="single")


@needs_gcc
def test_a_compiled_student_times_its_calls(tmp_path):
    job = job_of(tl.SoftTree(max_leaf_nodes=5).fit(X, SOFT), X)
    ((name, content),) = target.write(job, []).items()
    (tmp_path / name).write_bytes(content)
    child = Child(target.timed(tmp_path / name, job, tmp_path), "C")
    assert child.times(100, 7).shape == (7,)
    child.end()


@slow
@pytest.mark.exhaustive(every=3)
@pytest.mark.parametrize("name", ["tree with gaps", "columns", "network", "boosting"])
def test_other_processors_answer_alike(name, tmp_path):
    make, rows = FAMILIES[name]
    job = job_of(make(), rows)
    runtimes = target.cross_runtimes(job)
    if not runtimes:
        pytest.skip("a compiler for ARM or its emulator: not installed (scripts/tools)")
    path = tmp_path / "student.c"
    path.write_bytes(target.write(job, [])["student.c"])
    for runtime in runtimes:
        proof = compare(path, job.program, job.subject, job.rows, runtime, rounding=target.rounding(job))
        assert proof.decisions_changed == 0
        assert "under qemu" in proof.runtime
    sizes = {compiler: object_bytes(compiler, path) for compiler in installed(["gcc", *target.CROSS])}
    print(f"{name}: {path.stat().st_size} bytes of C; objects of {sizes}")
    assert max(sizes.values()) < 4 * min(sizes.values())


def object_bytes(compiler, path):
    made = path.with_suffix(".o")
    subprocess.run([compiler, *FLAGS, "-c", path, "-o", made], check=True)
    return made.stat().st_size


@slow
@needs_gcc
@pytest.mark.exhaustive(every=3)
@pytest.mark.parametrize("name", ["tree with gaps", "columns", "network", "labels", "boosting"])
def test_sanitizers_find_nothing(name, tmp_path):
    make, rows = FAMILIES[name]
    job = job_of(make(), rows)
    path = tmp_path / "student.c"
    path.write_bytes(target.write(job, [])["student.c"])
    flags = "-std=c99", "-g", "-ffp-contract=off", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-static-libasan"
    runtime = Compiled("gcc", Face.of(job), flags)
    assert compare(path, job.program, job.subject, job.rows, runtime).decisions_changed == 0
