import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import FixedThresholdClassifier, GridSearchCV, TunedThresholdClassifierCV
from sklearn.multioutput import MultiOutputClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from tutelage.core.answers import of_classes
from tutelage.evaluation.aligning.own_decisions import own_decisions
from tutelage.evaluation.evaluate import evaluate
from tutelage.evaluation.evaluation import Evaluation
from tutelage.teachers.adapt import as_teacher
from tutelage.teachers.decisions import decided_by
from tutelage.teachers.relabel import relabelled
from tutelage.workflow.open_answers import ColumnTeacher, NamedTeacher

RNG = np.random.default_rng(0)
X = RNG.normal(size=(400, 3))
CODES = (X[:, 0] + RNG.normal(size=400) > 0.8).astype(int)
Y = np.array(["no", "yes"])[CODES]
EAGER = FixedThresholdClassifier(LogisticRegression(), threshold=0.2, pos_label="yes")


def accuracy(student, y=Y, rows=X, teacher=None, group="against_truth"):
    found = evaluate(student, teacher, rows, y, resamples=100, budget_seconds=None)
    return getattr(found, group)["accuracy"].value, found


@pytest.mark.parametrize(
    "model",
    [
        EAGER,
        TunedThresholdClassifierCV(LogisticRegression(), scoring="balanced_accuracy"),
        make_pipeline(StandardScaler(), EAGER),
        GridSearchCV(EAGER, {"threshold": [0.1, 0.2]}, cv=2),
        SVC(probability=True, random_state=0),
    ],
    ids=lambda model: type(model).__name__,
)
@pytest.mark.filterwarnings("ignore:The `probability` parameter:FutureWarning")
def test_decisions_are_those_of_predict(model):
    student = model.fit(X, Y)
    differ = int((student.classes_[student.predict_proba(X).argmax(axis=1)] != student.predict(X)).sum())
    assert differ > 0
    found, evaluation = accuracy(student)
    assert found == pytest.approx(student.score(X, Y))
    assert evaluation.notes == (
        f"The decisions of the student are those of its predict; in {differ} of 400 rows its most probable class is another.",
    )
    assert evaluation.notes[0][:60] in str(evaluation)
    assert evaluation.notes[0] in evaluation._repr_html_()
    assert Evaluation.from_json(evaluation.to_json()) == evaluation


@pytest.mark.parametrize(
    "model", [LogisticRegression(), CalibratedClassifierCV(LogisticRegression(), cv=2), DecisionTreeClassifier(max_depth=3)]
)
def test_a_student_whose_predict_is_its_most_probable_class_has_no_note(model):
    found, evaluation = accuracy(model.fit(X, Y))
    assert found == pytest.approx(model.score(X, Y))
    assert evaluation.notes == ()


def test_fidelity_and_the_table_of_decisions_use_the_rule_too():
    teacher, student = LogisticRegression().fit(X, Y), EAGER.fit(X, Y)
    evaluation = evaluate(student, teacher, X, Y, resamples=100, budget_seconds=None)
    agree = (student.predict(X) == teacher.predict(X)).mean()
    assert evaluation.against_teacher["agreement"].value == pytest.approx(agree)
    assert np.trace(np.array(evaluation.decisions)) == round(400 * agree)


def test_the_rule_of_a_teacher_counts_too():
    frame = pd.DataFrame(X, columns=list("abc"))
    teacher = FixedThresholdClassifier(LogisticRegression(), threshold=0.2, pos_label="yes").fit(frame, Y)
    student = LogisticRegression().fit(frame, Y)
    for given in (teacher, as_teacher(teacher)):
        evaluation = evaluate(student, given, frame, Y, resamples=100, budget_seconds=None)
        assert evaluation.teacher_against_truth["accuracy"].value == pytest.approx(teacher.score(frame, Y))
        assert evaluation.against_teacher["agreement"].value == pytest.approx((teacher.predict(frame) == student.predict(frame)).mean())
        assert evaluation.notes[0].startswith("The decisions of the teacher are those of its predict")
    on_numbers = evaluate(LogisticRegression().fit(X, Y), teacher, X, Y, resamples=100, budget_seconds=None)
    assert on_numbers.teacher_against_truth["accuracy"].value == pytest.approx(teacher.score(frame, Y))


def test_decisions_follow_the_classes_into_the_order_of_the_teacher():
    student = EAGER.fit(X, Y)
    teacher = as_teacher(
        lambda rows: LogisticRegression().fit(X, Y).predict_proba(rows)[:, ::-1], classes=("yes", "no"), kind="probabilities"
    )
    evaluation = evaluate(student, teacher, X, Y, resamples=100, budget_seconds=None)
    assert evaluation.classes == ("yes", "no")
    assert evaluation.against_truth["accuracy"].value == pytest.approx(student.score(X, Y))


def test_labels_with_a_rule_of_their_own():
    on = np.column_stack([CODES, X[:, 1] > 0.5]).astype(int)
    student = MultiOutputClassifier(FixedThresholdClassifier(LogisticRegression(), threshold=0.2)).fit(X, on)
    found, evaluation = accuracy(student, on)
    assert found == pytest.approx((student.predict(X) == on).mean())
    assert evaluation.against_truth["subset_accuracy"].value == pytest.approx(student.score(X, on))
    assert "those of its predict" in evaluation.notes[0]


class Answers:
    """A student whose predict does not return its classes."""

    classes_ = np.array(["no", "yes"])

    def __init__(self, predicted):
        self.predicted, self.model = predicted, LogisticRegression().fit(X, Y)

    def predict_proba(self, rows):
        return self.model.predict_proba(rows)

    def predict(self, rows):
        return self.predicted(self.model, rows)


def test_a_predict_that_returns_something_else_is_not_a_decision():
    expected = LogisticRegression().fit(X, Y).score(X, Y)
    with pytest.warns(UserWarning, match="predict of Answers returns '0', which is not among its classes_"):
        assert accuracy(Answers(lambda model, rows: model.predict_proba(rows).argmax(axis=1)))[0] == pytest.approx(expected)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert accuracy(Answers(lambda model, rows: model.predict_proba(rows)))[0] == pytest.approx(expected)
        assert accuracy(Answers(lambda model, rows: model.predict(rows)[:, None]))[0] == pytest.approx(expected)


def test_the_rule_of_a_teacher_is_asked_with_the_columns_that_it_learnt():
    lightgbm = pytest.importorskip("lightgbm")
    frame = pd.DataFrame({"a": X[:, 0], "colour": pd.Categorical(np.where(X[:, 1] > 0, "red", "blue"))})
    teacher = lightgbm.LGBMClassifier(n_estimators=5, verbose=-1).fit(frame, Y)
    texts = frame.assign(colour=frame["colour"].astype(str))[["colour", "a"]]
    student = make_pipeline(FunctionTransformer(lambda rows: rows[["a"]].to_numpy()), LogisticRegression()).fit(frame, Y)
    evaluation = evaluate(student, teacher, texts, Y, resamples=100, budget_seconds=None)
    assert evaluation.teacher_against_truth["accuracy"].value == pytest.approx(teacher.score(frame, Y))
    assert evaluation.notes == ()


def test_a_student_whose_predict_fails_is_judged_by_its_probabilities():
    class Broken(LogisticRegression):
        def predict(self, X):
            raise KeyError("threshold_")

    student = Broken().fit(ROWS_OF_TWO, LABELS_OF_TWO)
    form = of_classes("probabilities", student.classes_)
    with pytest.warns(UserWarning, match="predict of Broken fails on these rows .*threshold_.*; the most probable classes count"):
        assert own_decisions(student, ROWS_OF_TWO, student.predict_proba(ROWS_OF_TWO), form) is None


def test_what_a_method_decides_is_given_even_where_it_is_the_most_probable_class():
    student = LogisticRegression().fit(ROWS_OF_TWO, np.array(["b", "a"])[LABELS_OF_TWO])
    form = of_classes("probabilities", ["b", "a"])
    np.testing.assert_array_equal(decided_by(student, "predict", ROWS_OF_TWO, 8, form), LABELS_OF_TWO)
    assert own_decisions(student, ROWS_OF_TWO, student.predict_proba(ROWS_OF_TWO), of_classes("probabilities", student.classes_)) is None
    assert decided_by(student, "decide", ROWS_OF_TWO, 8, form) is None  # it has no such method
    assert decided_by(student, "predict", ROWS_OF_TWO, 7, form) is None  # another number of rows


ROWS_OF_TWO, LABELS_OF_TWO = np.arange(8.0).reshape(8, 1), np.arange(8) // 4


def test_a_teacher_around_another_decides_as_it_does():
    frame = pd.DataFrame(X, columns=list("abc"))
    teacher = as_teacher(FixedThresholdClassifier(LogisticRegression(), threshold=0.2, pos_label="yes").fit(frame, Y))
    expected = (teacher.estimator.predict(frame) == "yes").astype(int)
    named = NamedTeacher(teacher, "eager.pkl", teacher.form)
    others = {
        "named": named,
        "columns": ColumnTeacher(named, ("a", "b", "c"), False, teacher.form, teacher.fingerprint),
        "renamed": relabelled(teacher, ["maybe", "yes", "no"], missing="zero"),
    }
    for kind, other in others.items():
        found = decided_by(other, "decide", frame.assign(more=1), 400, other.form)
        classes = np.array(other.form.classes)
        np.testing.assert_array_equal(classes[found] == "yes", expected, err_msg=kind)
        assert own_decisions(other, frame, other.answer(frame), other.form) is not None
    plain = as_teacher(lambda rows: np.full((len(rows), 2), 0.5), classes=["no", "yes"], kind="probabilities")
    without = NamedTeacher(plain, "plain", plain.form), relabelled(plain, ["yes", "no"])
    assert [decided_by(other, "decide", frame, 400, other.form) for other in without] == [None, None]


def test_labels_of_a_relabelled_teacher_are_decided_in_their_new_order():
    on = np.column_stack([CODES, X[:, 1] > 0.5]).astype(int)
    model = MultiOutputClassifier(FixedThresholdClassifier(LogisticRegression(), threshold=0.2)).fit(X, on)
    turned = relabelled(as_teacher(model, classes=["a", "b"]), ["b", "a"])
    np.testing.assert_array_equal(turned.decide(X), model.predict(X)[:, ::-1])


def test_a_rule_ends_where_classes_are_dropped():
    codes = CODES + (X[:, 1] > 1)
    fewer = relabelled(as_teacher(DecisionTreeClassifier(max_depth=3).fit(X, codes)), [0, 1], extra="drop")
    assert fewer.decide(X) is None
