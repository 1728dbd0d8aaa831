import numpy as np
import onnx
import pandas as pd
import polars as pl
import pytest
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder

import tutelage as tl
from tutelage.core.answers import AnswerForm
from tutelage.core.errors import BadInput
from tutelage.exporters.export import export
from tutelage.exporters.program import operations as op
from tutelage.exporters.program.program import Program, Step
from tutelage.exporters.proof import edge_cases
from tutelage.exporters.subject.check_rows import CheckRows
from tutelage.exporters.subject.inputs import Input
from tutelage.exporters.targets.onnx.runtime import OnnxStudent
from tutelage.exporters.targets.onnx.target import model_of
from tutelage.students.columns import with_columns

RNG = np.random.default_rng(0)
ROWS = 150
FRAME = pd.DataFrame(
    {
        "size": RNG.normal(size=ROWS),
        "town": RNG.choice(["a", "b", "ö"], ROWS),
        "on": pd.date_range("2020-01-01", periods=ROWS, tz="Europe/Berlin"),
        "wet": RNG.random(ROWS) > 0.5,
        "kind": pd.Categorical(RNG.choice(["x", "y z"], ROWS)),
        "took": pd.to_timedelta(RNG.integers(0, 9999, ROWS), unit="s"),
    }
)
FRAME.loc[::9, ["size", "town", "on"]] = None
TARGETS = np.eye(2)[(FRAME["town"] == "a").astype(int)] * 0.8 + 0.1


@pytest.fixture(autouse=True)
def few_rows(monkeypatch):
    monkeypatch.setattr(edge_cases, "ROWS", 100)


@pytest.mark.exhaustive(every=3)
@pytest.mark.parametrize(
    ("student", "scaled"),
    [(tl.SoftLogistic(), True), (tl.SoftTree(max_leaf_nodes=8), False), (tl.SoftBoosting(n_estimators=3, n_jobs=1), False)],
    ids=["logistic", "tree", "boosting"],
)
def test_a_mixed_table_has_an_input_for_each_column_and_is_opened_as_a_teacher(student, scaled, tmp_path):
    fitted = with_columns(student, FRAME, scaled=scaled).fit(FRAME, TARGETS, student__classes=["no", "yes"])
    record = export(fitted, tmp_path / "student.onnx", check_on=FRAME)
    assert record.columns == tuple(FRAME.columns)
    teacher = tl.open_teacher(tmp_path / "student.onnx")
    number, text = "tensor(double)", "tensor(string)"
    inputs = [(one.name, one.type, one.shape) for one in teacher.session.get_inputs()]
    types = [number, text, number, number, text, number]
    assert inputs == [(name, kind, ["rows", 1]) for name, kind in zip(FRAME.columns, types, strict=True)]
    assert teacher.schema.names == tuple(FRAME.columns)
    others = (FRAME[FRAME.columns[::-1]].assign(more=1), pl.from_pandas(FRAME), FRAME.astype(object), FRAME.astype({"kind": "str"}))
    for rows in (FRAME, *others):
        np.testing.assert_allclose(teacher.answer(rows), fitted.predict_proba(FRAME), atol=1e-6)
    with pytest.raises(BadInput, match="the rows lack the columns 'town'"):
        teacher.answer(FRAME.drop(columns="town"))
    with pytest.raises(BadInput, match="column 'town'"):
        teacher.answer(FRAME.assign(town=3))
    with pytest.raises(BadInput, match="column 'on'"):
        teacher.answer(FRAME.assign(on="yesterday"))


def test_a_table_of_numbers_and_dates_has_one_input_that_frames_are_converted_to(tmp_path):
    frame = FRAME[["size", "on", "wet", "took"]]
    student = with_columns(tl.SoftTree(max_leaf_nodes=8), frame, scaled=False).fit(frame, TARGETS)
    export(student, tmp_path / "student.onnx", check_on=frame)
    teacher = tl.open_teacher(tmp_path / "student.onnx")
    assert [(one.name, one.shape) for one in teacher.session.get_inputs()] == [("inputs", ["rows", 4])]
    np.testing.assert_allclose(teacher.answer(frame), student.predict_proba(frame), atol=1e-6)


def program(*steps, inputs, numbers=0):
    return Program(inputs, (numbers,), steps, AnswerForm("values", "regression"), np.float64, single=False)


def answers(made, numbers, texts):
    rows = CheckRows(np.array(numbers, dtype=float).reshape(len(texts), -1), np.array(texts, dtype=object).reshape(len(texts), -1))
    return OnnxStudent.load(model_of(made).SerializeToString()).answers(made, rows).values


@pytest.mark.parametrize("unseen", [-1.0, np.nan])
@pytest.mark.parametrize("missing", [-2.0, np.nan, 1.0])
def test_categories_of_texts_and_numbers_have_their_codes(unseen, missing):
    towns = op.Category(True, 0, ("a", "ü", "b c"), (0.0, 1.0, 7.0), unseen, missing)
    sizes = op.Category(False, 1, (3.0, -np.inf, 0.5), (0.0, 1.0, 7.0), unseen, missing)
    inputs = (Input("n"), Input("town", "text", "text"), Input("size"))
    made = program(Step(towns, (), (1,)), Step(sizes, (), (1,)), Step(op.Join(), (0, 1), (2,)), inputs=inputs, numbers=2)
    texts = [["a"], ["ü"], ["b c"], ["B C"], [" a"], [None], [""]]
    numbers = [[0, 3], [0, -np.inf], [0, 0.5], [0, np.inf], [0, np.nextafter(3, 4)], [0, np.nan], [np.nan, 3]]
    expected = [[0, 0], [1, 1], [7, 7], [unseen, unseen], [unseen, unseen], [missing, missing], [missing, 0]]
    np.testing.assert_array_equal(answers(made, numbers, texts), np.array(expected, dtype=float))
    alone = program(Step(op.Category(False, 0, (3.0,), (5.0,), -1.0, -2.0), (), (1,)), inputs=(Input(None),), numbers=1)
    np.testing.assert_array_equal(answers(alone, [[3], [4], [np.nan]], [[], [], []])[:, 0], [5, -1, -2])


@pytest.mark.exhaustive
def test_a_student_that_tells_an_empty_text_from_a_missing_one_is_refused(tmp_path):
    frame = pd.DataFrame({"town": ["", "a", None, "b"] * 30, "size": RNG.normal(size=120)})
    columns = make_column_transformer((OneHotEncoder(handle_unknown="ignore"), ["town"]), remainder="passthrough")
    told_apart = make_pipeline(columns, LogisticRegression()).fit(frame, np.arange(120) % 4 == 0)
    with pytest.raises(BadInput, match="tells the empty text from a missing one in column 'town', and an ONNX file has no missing texts"):
        export(told_apart, tmp_path / "student.onnx", check_on=frame)
    unseen = frame[frame["town"] != ""]
    student = make_pipeline(columns, LogisticRegression()).fit(unseen, np.arange(90) % 3 == 0)
    (proof,) = export(student, tmp_path / "student.onnx", check_on=unseen).proofs
    assert "empty texts (the format reads them as missing)" in proof.refused
    assert "empty texts (the format reads them as missing); do not give them to the file." in str(proof)
    assert onnx.load(tmp_path / "student.onnx").doc_string.endswith("unlike by the student: give it none in 'town'.")
    with pytest.raises(BadInput, match="column 'town' of check_on has empty texts, which an ONNX file reads as missing"):
        export(student, tmp_path / "student.onnx", check_on=frame, unproven=True)
    assert "empty texts" not in str(export(student, tmp_path / "student.py", check_on=frame).proofs[0].refused)


def test_nothing_is_said_of_empty_texts_where_missing_ones_are_answered_alike(tmp_path):
    frame = pd.DataFrame({"town": ["a", "b"] * 60, "size": RNG.normal(size=120)})
    columns = make_column_transformer((OneHotEncoder(handle_unknown="ignore"), ["town"]), remainder="passthrough")
    student = make_pipeline(columns, LogisticRegression()).fit(frame, np.arange(120) % 2)
    frame.loc[0, "town"] = ""
    (proof,) = export(student, tmp_path / "student.onnx", check_on=frame).proofs
    assert "empty" not in str(proof)
    assert "Empty" not in onnx.load(tmp_path / "student.onnx").doc_string


@pytest.mark.parametrize("name", ["label", "probabilities", ""])
def test_a_column_that_no_input_can_be_called_is_one_sentence(name, tmp_path):
    frame = FRAME[["size", "kind"]].rename(columns={"kind": name})
    student = with_columns(tl.SoftLogistic(), frame, scaled=True).fit(frame, TARGETS)
    with pytest.raises(BadInput, match="which no input of an ONNX file can be called beside its outputs"):
        export(student, tmp_path / "student.onnx", check_on=frame)


def test_gaps_selections_and_codes_are_exact():
    inputs = (Input(None), Input(None), Input(None))
    made = program(
        Step(op.Numbers(None, (3,)), (), (3,)),
        Step(op.FillGaps(np.array([1.0, 2.0, 3.0])), (0,), (3,)),
        Step(op.Clip(-1.0, 2.5), (0,), (3,)),
        Step(op.Select((2, -1, 0)), (1,), (3,)),
        Step(op.OneHot((2, 3)), (4 - 4,), (5,)),
        Step(op.Constant(np.array([7.0])), (), (1,)),
        Step(op.Join(), (2, 3, 5), (7,)),
        inputs=inputs,
        numbers=3,
    )
    found = answers(made, [[0, np.nan, 1e300], [-5, 1, np.nan]], [[], []])
    np.testing.assert_array_equal(found, [[0, np.nan, 2.5, 1e300, 0, 0, 7], [-1, 1, np.nan, 3, 0, -5, 7]])
    codes = program(
        Step(op.Numbers(None, (2,)), (), (2,)), Step(op.OneHot((2, 3)), (0,), (5,)), inputs=(Input(None), Input(None)), numbers=2
    )
    np.testing.assert_array_equal(answers(codes, [[1, 0], [-1, 2]], [[], []]), [[0, 1, 1, 0, 0], [0, 0, 0, 0, 1]])


def test_ordinal_codes_of_numbers_and_texts_are_exported(tmp_path):
    frame = pd.DataFrame({"town": ["a", "b", None] * 40, "floor": [1.0, 3.0, np.nan, 2.0] * 30})
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2)
    student = make_pipeline(encoder, LinearRegression()).fit(frame, np.arange(120) % 3)
    export(student, tmp_path / "student.onnx", check_on=frame)
    assert [one.name for one in onnx.load(tmp_path / "student.onnx").graph.input] == ["town", "floor"]


@pytest.mark.parametrize("name", ["step_1", "step_2", "constant_1", "constant_3", "part_1"])
def test_columns_may_be_called_as_results_inside_of_a_file(name, tmp_path):
    frame = pd.DataFrame({"town": ["a", "b", "c"] * 40, name: np.arange(120.0)})
    step = make_column_transformer((OneHotEncoder(handle_unknown="ignore"), ["town"]), remainder="passthrough")
    student = make_pipeline(step, LogisticRegression()).fit(frame, [0, 1, 0] * 40)
    assert export(student, tmp_path / "student.onnx", check_on=frame).proven
    np.testing.assert_allclose(tl.open_teacher(tmp_path / "student.onnx").answer(frame), student.predict_proba(frame), atol=1e-6)


@pytest.mark.parametrize("town", ["a", "\ud83d"])
def test_half_characters_are_one_sentence(town, tmp_path):
    frame = pd.DataFrame({"town": pd.Series([town, "b", "c"] * 40, dtype=object)})
    classes = np.array(["no", "yes" if town == "\ud83d" else "half \ud83d"], dtype=object)
    student = make_pipeline(OneHotEncoder(handle_unknown="ignore"), LogisticRegression()).fit(frame, classes[[0, 1, 0] * 40])
    with pytest.raises(BadInput, match=r"ud83d' is no valid Unicode text, and cannot be written in ONNX"):
        export(student, tmp_path / "student.onnx", check_on=frame)
