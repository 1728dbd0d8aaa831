import json
import zipfile

import numpy as np
import pytest
from sklearn.datasets import make_classification, make_multilabel_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import FixedThresholdClassifier

import tutelage as tl
from tutelage.core.errors import BadInput, DamagedFile, LabelMismatch
from tutelage.core.stored.skops_files import dump_skops
from tutelage.students.multilabel import PerLabel
from tutelage.students.saved.version import STUDENT_SCHEMA
from tutelage.students.trees import SoftTree

X, Y = make_classification(3000, 10, n_informative=6, random_state=0)
TEACHER = RandomForestClassifier(20, random_state=0).fit(X[:1000], Y[:1000])
STUDENT = SoftTree(max_leaf_nodes=32).fit(X[:1000], tl.as_teacher(TEACHER))
ROWS = X[2000:]


@pytest.fixture(scope="module")
def cascade():
    return tl.Cascade(STUDENT, TEACHER, target=0.9, delta=0.1, over="student").fit(X[1000:2000])


@pytest.fixture
def path(cascade, tmp_path):
    return tl.save_student(cascade, tmp_path / "cascade")


def test_with_its_teacher_it_is_the_cascade_that_was_saved(cascade, path):
    assert path.name == "cascade.skops"
    again = tl.load_student(path, teacher=TEACHER)
    assert again.guarantee_ == cascade.guarantee_
    assert again.fingerprint == cascade.fingerprint
    assert {k: v for k, v in again.get_params(deep=False).items() if k not in ("student", "teacher")} == {
        "target": 0.9,
        "delta": 0.1,
        "against": "teacher",
        "over": "student",
    }
    np.testing.assert_array_equal(again.predict(ROWS), cascade.predict(ROWS))
    np.testing.assert_array_equal(again.predict_proba(ROWS), cascade.predict_proba(ROWS))
    assert again.bill(ROWS, seconds=0).answered == cascade.bill(ROWS, seconds=0).answered


def test_without_its_teacher_it_answers_what_the_student_is_sure_of(cascade, path):
    again = tl.load_student(path)
    left = again.defers(ROWS)
    np.testing.assert_array_equal(left, cascade.defers(ROWS))
    assert 0 < left.mean() < 1
    np.testing.assert_array_equal(again.predict(ROWS[~left]), cascade.predict(ROWS[~left]))
    assert again.classes_.tolist() == [0, 1]
    with pytest.raises(
        BadInput, match=rf"{left.sum()} rows of these the student leaves to the teacher, which was not loaded. Pass load_student"
    ):
        again.predict(ROWS)
    with pytest.raises(BadInput, match="1 row of these"):
        again.predict_proba(ROWS[left][:1])


def test_the_file_holds_no_teacher(cascade, path):
    alone = tl.save_student(STUDENT, path.with_name("student"))
    assert path.stat().st_size < alone.stat().st_size + 2000
    assert tl.save_student(cascade, path.with_name("again")).read_bytes() == path.read_bytes()


@pytest.mark.parametrize("own", [True, False])
def test_the_teacher_decides_as_it_was_calibrated(own, tmp_path):
    """By its own rule, which says yes from 0.35 on, or by its most probable classes if its answers were recorded."""
    tuned = FixedThresholdClassifier(TEACHER, threshold=0.35).fit(X[:1000], Y[:1000])
    labels = None if own else tl.record(tuned, X[1000:2000])
    made = tl.Cascade(STUDENT, tuned, target=0.95).fit(X[1000:2000], labels=labels)
    again = tl.load_student(tl.save_student(made, tmp_path / "tuned"), teacher=tuned)
    assert again.guarantee_ == made.guarantee_
    assert again.guarantee_.own_decisions == own
    left = again.defers(ROWS)
    expected = tuned.predict(ROWS) if own else tuned.predict_proba(ROWS).argmax(axis=1)
    np.testing.assert_array_equal(again.predict(ROWS)[left], expected[left])


def test_another_teacher_is_refused(path):
    with pytest.raises(LabelMismatch, match=r"cascade.skops was calibrated with the teacher RandomForest.*; this one is RandomForest"):
        tl.load_student(path, teacher=RandomForestClassifier(3, random_state=1).fit(X[:100], Y[:100]))
    with pytest.raises(BadInput, match="the teacher of the cascade: cannot use a int"):
        tl.load_student(path, teacher=3)


def test_a_student_alone_has_no_teacher(tmp_path):
    path = tl.save_student(STUDENT, tmp_path / "student")
    with pytest.raises(BadInput, match=r"student.skops holds a student and no cascade; leave teacher= out"):
        tl.load_student(path, teacher=TEACHER)


def test_a_cascade_that_answers_nothing_of_the_student(tmp_path):
    with pytest.warns(UserWarning, match="The student answers nothing"):
        made = tl.Cascade(STUDENT, TEACHER, target=0.9999).fit(X[1000:2000])
    again = tl.load_student(tl.save_student(made, tmp_path / "none"), teacher=TEACHER)
    assert again.guarantee_.threshold is None
    assert again.defers(ROWS).all()


def test_several_labels_named_by_the_teacher(tmp_path):
    rows, labels = make_multilabel_classification(2000, 8, n_classes=3, random_state=0)
    teacher = tl.as_teacher(RandomForestClassifier(20, random_state=0).fit(rows[:1000], labels[:1000]), classes=["a", "b", "c"])
    student = PerLabel(SoftTree(max_leaf_nodes=64)).fit(rows[:1000], teacher)
    made = tl.Cascade(student, teacher, target=0.85).fit(rows[1000:])
    again = tl.load_student(tl.save_student(made, tmp_path / "labels"), teacher=teacher)
    assert again.form == made.form
    np.testing.assert_array_equal(again.predict(rows[:100]), made.predict(rows[:100]))


def test_what_is_not_calibrated_or_no_estimator_is_refused(tmp_path):
    with pytest.raises(BadInput, match="not fitted"):
        tl.save_student(tl.Cascade(STUDENT, TEACHER), tmp_path / "unfitted")
    student = tl.as_teacher(TEACHER.predict_proba, kind="probabilities", classes=[0, 1], version=1)
    made = tl.Cascade(student, TEACHER, target=0.9).fit(X[1000:2000])
    with pytest.raises(BadInput, match=r"the student of this cascade is a \w+; .* tl.export\(cascade, 'student.onnx', check_on=X\)"):
        tl.save_student(made, tmp_path / "function")


def test_a_network_is_exported_in_its_place(tmp_path):
    torch = pytest.importorskip("torch")
    network = tl.as_teacher(torch.nn.Sequential(torch.nn.Linear(10, 2)), classes=[0, 1])
    made = tl.Cascade(network, TEACHER, target=0.9).fit(X[1000:2000].astype(np.float32))
    with pytest.raises(BadInput, match="the student of this cascade is a TorchTeacher"):
        tl.save_student(made, tmp_path / "network")


def test_a_guarantee_that_cannot_be_read_is_a_damaged_file(path):
    with zipfile.ZipFile(path) as archive:
        about = json.loads(archive.read("tutelage.json"))
    proved = about["cascade"]["guarantee"]
    for broken in (
        {},
        {**about["cascade"], "task": "none"},
        {**about["cascade"], "guarantee": {"threshold": 0.5}},
        {**about["cascade"], "guarantee": {**proved, "threshold": "high"}},
        {**about["cascade"], "guarantee": {**proved, "own_decisions": "no"}},
        {**about["cascade"], "guarantee": {name: value for name, value in proved.items() if name != "own_decisions"}},
    ):
        path.write_bytes(dump_skops(STUDENT, {"schema": STUDENT_SCHEMA, "cascade": broken}))
        with pytest.raises(DamagedFile, match="what it says of a cascade cannot be read"):
            tl.load_student(path)
