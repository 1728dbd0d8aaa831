"""The threshold of a cascade in every language: the file says which rows it leaves to the teacher, and the comparison looks at it."""

import json
import shutil
from importlib import import_module

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestClassifier

import tutelage as tl
from tutelage.core.arrays import confidence_of
from tutelage.core.errors import BadInput, ParityError
from tutelage.exporters.bench.shipped import shipped_file
from tutelage.exporters.export import TARGETS, export
from tutelage.exporters.proof import edge_cases
from tutelage.exporters.subject.threshold import with_any_threshold, with_threshold
from tutelage.students.cascade import Cascade, Guarantee
from tutelage.students.columns import with_columns

RNG = np.random.default_rng(0)
X = RNG.normal(size=(240, 4))
THREE = (X[:, 0] > 0).astype(int) + (X[:, 1] > 0.3)
LABELS = np.column_stack([X[:, 0] > 0, X[:, 1] > 0.2]).astype(int)
FRAME = pd.DataFrame(
    {"size": np.where(RNG.random(240) < 0.1, np.nan, X[:, 0]), "city": np.where(X[:, 1] > 0, "Oslo", RNG.choice(["Rome", "Bonn"], 240))}
)
NODE = pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
COMPILER = pytest.mark.skipif(not (shutil.which("gcc") or shutil.which("clang")), reason="no compiler is installed")
ENDS = (".py", ".onnx", ".sql", pytest.param(".js", marks=NODE), pytest.param(".c", marks=COMPILER))
STUDENTS = {
    "classes": lambda: (tl.SoftLogistic().fit(X, THREE), X),
    "leaves": lambda: (tl.SoftTree(max_leaf_nodes=9, random_state=0).fit(X, THREE), X),
    "two of a table": lambda: (with_columns(tl.SoftLogistic(), FRAME, scaled=True).fit(FRAME, THREE > 0), FRAME),
    "labels": lambda: (tl.PerLabel(tl.SoftTree(max_leaf_nodes=7, random_state=0)).fit(X, LABELS), X),
    "single precision": lambda: (RandomForestClassifier(3, max_depth=3, random_state=0).fit(X, THREE), X.astype(np.float32)),
}


def guarantee(threshold):
    return Guarantee(threshold, 0.99, 0.05, "teacher", "all", 400, 300, 1, 400, "RandomForestClassifier:ab")


def task_of(answers):
    return "multilabel" if not np.allclose(answers.sum(axis=1), 1) else "multiclass"


@pytest.fixture(autouse=True)
def _few_rows(monkeypatch):
    monkeypatch.setattr(edge_cases, "ROWS", 300)


@pytest.fixture(scope="module", params=list(STUDENTS))
def cascade(request):
    """A student with a threshold that about half of its rows reach."""
    student, rows = STUDENTS[request.param]()
    answers = np.asarray(student.predict_proba(rows), dtype=np.float64)
    threshold = float(np.quantile(confidence_of(answers, task_of(answers)), 0.5))
    return with_threshold(student, guarantee(threshold)), rows


@pytest.mark.exhaustive(every=7)
@pytest.mark.parametrize("end", ENDS)
def test_a_file_says_which_rows_it_defers_as_its_student_would(end, cascade, tmp_path):
    student, rows = cascade
    record = export(student, tmp_path / f"student{end}", check_on=rows)
    assert record.proofs
    assert all(proof.deferrals_changed is not None for proof in record.proofs)
    assert dict(record.cascade) == vars(guarantee(student.guarantee_.threshold))
    assert json.loads((tmp_path / f"student{end}.json").read_text())["cascade"]["threshold"] == student.guarantee_.threshold
    assert f"defers rows of a confidence below {student.guarantee_.threshold:.6g}" in str(record)


@pytest.mark.parametrize(
    ("end", "written", "bug"),
    [
        (".py", b"not max(predict_proba(row)) >= THRESHOLD", b"max(predict_proba(row)) >= THRESHOLD"),
        (".sql", b">= 0.", b"< 0."),
        pytest.param(".js", b"!(confidence >= threshold)", b"confidence >= threshold", marks=NODE),
        pytest.param(".c", b"!(confidence >= STUDENT_THRESHOLD)", b"(confidence >= STUDENT_THRESHOLD)", marks=COMPILER),
    ],
)
def test_a_file_that_defers_other_rows_is_not_written(end, written, bug, tmp_path, monkeypatch):
    student, rows = STUDENTS["classes"]()
    target = import_module(TARGETS[end][1])
    write = target.write

    def planted(job, header):
        files = write(job, header)
        assert written in files[f"student{end}"]
        return {name: content.replace(written, bug) for name, content in files.items()}

    monkeypatch.setattr(target, "write", planted)
    with pytest.raises(ParityError, match=r"deferred rows are not those below the threshold in \d+ of \d+ rows"):
        export(with_threshold(student, guarantee(0.7)), tmp_path / f"student{end}", check_on=rows)
    assert not list(tmp_path.iterdir())


def test_a_calibrated_cascade_is_exported_and_the_teacher_stays_outside(tmp_path):
    teacher = RandomForestClassifier(5, random_state=0).fit(X[:100], THREE[:100])
    student = tl.SoftLogistic().fit(X[:100], THREE[:100])
    fitted = Cascade(student, teacher, target=0.5).fit(X[100:])
    export(fitted, tmp_path / "student.onnx", check_on=X)
    opened = tl.as_teacher(str(tmp_path / "student.onnx"))
    np.testing.assert_allclose(opened.answer(X), student.predict_proba(X), atol=1e-6)
    assert [one.name for one in opened.session.get_outputs()] == ["probabilities", "label", "deferred"]
    (deferred,) = opened.session.run(["deferred"], {opened.session.get_inputs()[0].name: X})
    np.testing.assert_array_equal(deferred, ~fitted.decide_who(X).by_student)
    assert (deferred.dtype, deferred.shape) == (np.bool_, (240,))


@pytest.mark.parametrize("opset", [11, 13, 18])
def test_the_threshold_is_written_for_every_version_of_onnx(opset, tmp_path):
    for name in ("classes", "labels"):
        student, rows = STUDENTS[name]()
        export(with_threshold(student, guarantee(0.7)), tmp_path / "student.onnx", check_on=rows, target_opset=opset)


def test_confidences_next_to_one_are_told_apart_from_the_threshold(tmp_path):
    """In single precision they are all one."""
    student = tl.SoftLogistic(C=1e4).fit(X, X[:, 0] > 0)
    confidence = student.predict_proba(X).max(axis=1)
    threshold = 1 - 1e-9
    assert (confidence.astype(np.float32) >= threshold).sum() > (confidence >= threshold).sum() > 0
    (proof,) = export(with_threshold(student, guarantee(threshold)), tmp_path / "student.onnx", check_on=X).proofs
    assert proof.deferrals_changed == 0


def test_a_cascade_whose_student_may_answer_nothing_is_refused(tmp_path):
    student, rows = STUDENTS["classes"]()
    with pytest.raises(BadInput, match=r"leaves every row to its teacher: at a target of 99 % .* export the student itself"):
        export(with_threshold(student, guarantee(None)), tmp_path / "student.py", check_on=rows)


def test_rounded_weights_and_executorch_have_no_threshold(tmp_path):
    student, rows = STUDENTS["classes"]()
    with pytest.raises(BadInput, match=r"precision is 'int8', and a threshold holds for the student's own probabilities"):
        export(with_threshold(student, guarantee(0.7)), tmp_path / "student.onnx", check_on=rows, precision="int8")
    with pytest.raises(BadInput, match=r"no place for a threshold"):
        export(with_threshold(student, guarantee(0.7)), tmp_path / "student.pte", check_on=rows)


@pytest.mark.exhaustive
def test_a_column_of_the_table_cannot_be_called_as_the_answer(tmp_path):
    frame = FRAME.rename(columns={"size": "deferred"})
    student = with_columns(tl.SoftLogistic(), frame, scaled=True).fit(frame, THREE > 0)
    export(student, tmp_path / "student.sql", check_on=frame)
    export(student, tmp_path / "student.onnx", check_on=frame)
    for end in (".sql", ".onnx"):
        with pytest.raises(BadInput, match=r"a column is named 'deferred'"):
            export(with_threshold(student, guarantee(0.7)), tmp_path / f"cascade{end}", check_on=frame)


def test_a_threshold_that_is_not_known_yet_takes_as_many_bytes(tmp_path):
    student, rows = STUDENTS["classes"]()
    for end in (".py", ".onnx"):
        record = export(with_threshold(student, guarantee(0.7123456789012345)), tmp_path / f"student{end}", check_on=rows)
        assert record.size_bytes <= shipped_file(with_any_threshold(student, guarantee(0.7).teacher), end, check_on=rows).size_bytes
