import numpy as np
import pandas as pd
import polars as pl
import pytest

from tutelage.core.answers import AnswerForm
from tutelage.core.contracts import Teacher
from tutelage.core.errors import BadInput, ShapeError
from tutelage.data.schema import Column, Schema
from tutelage.students.by_name import NEED_SCALING, student_named
from tutelage.students.columns import with_columns
from tutelage.students.saved.save_load import load_student, save_student
from tutelage.students.saved.trained import TrainedStudent
from tutelage.students.teaching import fit_student
from tutelage.students.temperature import Targets, fit_at_temperature
from tutelage.students.trees import SoftTree

RNG = np.random.default_rng(0)
FRAME = pd.DataFrame({"a": RNG.normal(size=60), "b": RNG.normal(size=60), "c": RNG.choice(["x", "y"], 60)})
P = RNG.dirichlet(np.ones(3), 60)
FORM = AnswerForm("probabilities", "multiclass", ("u", "v", "w"))


def trained(name="tree", form=FORM, targets=P, temperature=1.0, rows=FRAME, **settings):
    student = with_columns(student_named(name, form.task, **settings), rows, scaled=name in NEED_SCALING)
    taught = fit_at_temperature(student, form, rows, Targets.of(targets, form, temperature=temperature))
    return TrainedStudent(taught.student, form.task, form.classes, taught.answer_temperature, Schema.of(rows))


def test_the_temperature_is_reversed():
    np.testing.assert_allclose(trained(temperature=3.0).predict_proba(FRAME), P, atol=1e-6)


def test_it_is_a_teacher_with_a_form_and_a_fingerprint():
    student = trained()
    assert isinstance(student, Teacher)
    assert student.form == FORM
    assert student.classes_.tolist() == ["u", "v", "w"]
    assert student.predict(FRAME).tolist() == [FORM.classes[place] for place in P.argmax(axis=1)]
    assert trained(random_state=0).fingerprint == trained(random_state=0).fingerprint != student.fingerprint


def test_a_regressor_has_no_classes_and_no_probabilities():
    student = trained(form=AnswerForm("values", "regression"), targets=P[:, :1])
    assert not hasattr(student, "classes_")
    assert not hasattr(student, "predict_proba")
    np.testing.assert_allclose(student.predict(FRAME), P[:, 0])
    assert student.answer(FRAME).shape == (60, 1)


def test_multilabel_predictions_threshold_each_label_at_one_half():
    form = AnswerForm("probabilities", "multilabel", ("u", "v"))
    student = trained(form=form, targets=P[:, :2], temperature=2.0)
    np.testing.assert_allclose(student.answer(FRAME), P[:, :2], atol=1e-6)
    assert student.predict(FRAME).tolist() == (P[:, :2] > 0.5).astype(int).tolist()


def test_columns_of_a_frame_are_selected_by_name():
    wider = FRAME.assign(y=1)[["y", "c", "b", "a"]]
    np.testing.assert_array_equal(trained().answer(wider), trained().answer(FRAME))
    np.testing.assert_array_equal(trained().answer(FRAME.to_numpy(dtype=object)), trained().answer(FRAME))
    with pytest.raises(BadInput, match=r"the rows lack the columns 'b', which are expected"):
        trained().answer(FRAME.drop(columns="b"))
    with pytest.raises(ShapeError, match="expects 3 columns"):
        trained().answer(np.zeros((4, 2)))


MIXED = FRAME.assign(c=RNG.choice(["007", "12", "99"], 60), on=RNG.choice([True, False], 60), day=pd.Timestamp("2026-01-01"))
MIXED["day"] += pd.to_timedelta(RNG.integers(0, 500, 60), "D")
MIXED["kind"] = pd.Categorical(RNG.choice(["3", "7"], 60))


@pytest.mark.parametrize(
    "given",
    [
        MIXED.astype(object).map(str)[MIXED.columns[::-1]],
        pl.from_pandas(MIXED),
        MIXED.assign(kind=MIXED["kind"].astype(int), c=MIXED["c"].astype("category"), on=MIXED["on"].astype(int)),
        MIXED.to_numpy(dtype=object),
    ],
    ids=["texts", "polars", "other types", "a matrix of objects"],
)
def test_rows_of_other_types_are_those_of_training(given, tmp_path):
    student = load_student(save_student(trained(rows=MIXED), tmp_path / "student"))
    assert student.schema == Schema.of(MIXED)
    np.testing.assert_array_equal(student.answer(given), student.answer(MIXED))


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (MIXED.assign(c=MIXED["c"].astype(int)), r"column 'c' holds \d+ in row 0; expected texts"),
        (MIXED.assign(a="large"), "column 'a' holds 'large' in row 0; expected numbers"),
        (MIXED.assign(day=7), "column 'day' holds 7 in row 0; expected dates"),
        (pd.concat([MIXED, MIXED[["c"]]], axis=1), "the rows have more than one column for one that is expected: 'c', 'c'"),
    ],
)
def test_cells_of_another_type_are_refused(rows, message):
    with pytest.raises(BadInput, match=message):
        trained(rows=MIXED).answer(rows)


def test_texts_are_read_from_a_list_or_from_their_column():
    texts = [f"word{number % 5} end" for number in range(60)]
    fitted = fit_student(with_columns(student_named("logistic"), texts, scaled=True), FORM, texts, P)
    student = TrainedStudent(fitted, "multiclass", FORM.classes, schema=Schema((Column("text", "text"),)), text=True)
    np.testing.assert_array_equal(student.answer(texts), student.answer(pd.DataFrame({"y": 1, "text": texts})))
    with pytest.raises(BadInput, match="this student expects texts"):
        student.answer(np.zeros((3, 1)))


@pytest.mark.parametrize("name", ["tree", "forest", "logistic", "mlp", "boosting"])
def test_it_round_trips(name, tmp_path):
    if name == "boosting":
        pytest.importorskip("lightgbm")
    quick = {"forest": {"n_estimators": 2}, "mlp": {"epochs": 1}, "boosting": {"n_estimators": 2, "n_jobs": 1}}
    student = trained(name, temperature=2.0, **quick.get(name, {}))
    again = load_student(save_student(student, tmp_path / "student"))
    np.testing.assert_array_equal(again.answer(FRAME), student.answer(FRAME))
    assert (again.form, again.answer_temperature, again.columns) == (student.form, student.answer_temperature, ("a", "b", "c"))


def test_a_student_that_has_answered_is_saved_like_a_new_one(tmp_path):
    rows = np.arange(6.0)[:, None]
    student = TrainedStudent(SoftTree().fit(rows, np.repeat([[1.0, 0.0], [0.0, 1.0]], 3, axis=0)), "binary", ("a", "b"))
    before = save_student(student, tmp_path / "before").read_bytes()
    assert (student.answer(rows).shape, student.fingerprint[:8]) == ((6, 2), "student:")
    after = save_student(student, tmp_path / "after")
    assert after.read_bytes() == before
    np.testing.assert_array_equal(load_student(after).answer(rows), student.answer(rows))
