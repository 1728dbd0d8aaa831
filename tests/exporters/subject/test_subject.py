import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from scipy.sparse import csr_matrix
from sklearn.compose import make_column_transformer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeRegressor

from tutelage.core.errors import BadInput, ShapeError
from tutelage.exporters.program.build import program_of
from tutelage.exporters.subject.check_rows import CheckRows
from tutelage.exporters.subject.inputs import Input
from tutelage.exporters.subject.subject import subject_of
from tutelage.students.columns import with_columns
from tutelage.students.saved.trained import TrainedStudent
from tutelage.students.trees import SoftTree

RNG = np.random.default_rng(0)
FRAME = pd.DataFrame(
    {
        "size": RNG.normal(size=60),
        "town": RNG.choice(["a", "b"], 60),
        "on": pd.date_range("2020-01-01 06:00", periods=60),
        "new": RNG.random(60) > 0.5,
        "took": pd.to_timedelta(np.arange(60), unit="h"),
    }
)
FRAME.loc[::7, ["size", "town", "on", "took"]] = None
TARGETS = np.eye(2)[RNG.integers(2, size=60)]


@pytest.fixture(scope="module")
def student():
    return with_columns(SoftTree(max_leaf_nodes=4), FRAME, scaled=False).fit(FRAME, TARGETS, student__classes=["no", "yes"])


def test_columns_become_numbers_and_texts_by_their_types(student):
    subject, rows = subject_of(student, FRAME)
    assert subject.inputs == (
        Input("size"), Input("town", "text", "text"), Input("on", "number", "date"), Input("new", "number", "boolean"),
        Input("took", "number", "duration"),
    )  # fmt: skip
    assert (subject.container, subject.row_shape, subject.form.classes) == ("frame", (4,), ("no", "yes"))
    assert rows.numbers[1].tolist() == [FRAME["size"][1], 18263.25, float(FRAME["new"][1]), 1 / 24]
    assert rows.texts[1, 0] == FRAME["town"][1]
    assert np.isnan(rows.numbers[0, [0, 1, 3]]).all()
    assert rows.texts[0, 0] is None
    assert rows[2:4].cells(subject.inputs)[0][:2] == [FRAME["size"][2], FRAME["town"][2]]


@pytest.mark.parametrize("convert", [lambda frame: frame, pl.from_pandas, lambda frame: frame.iloc[:, ::-1].assign(id=range(60))])
def test_the_student_is_given_what_it_learnt_from_whatever_came(student, convert):
    subject, rows = subject_of(student, convert(FRAME))
    np.testing.assert_array_equal(subject.answers(rows).values, student.predict_proba(FRAME))


def test_dates_are_compared_as_the_student_can_be_given_them(student):
    subject, _ = subject_of(student, FRAME)
    numbers = np.array([[0.0, 18263.25 + 1e-13, 1.0, 0.1], [0.0, 1e300, 1.0, np.inf]])
    exact = subject.exact(CheckRows(numbers, np.array([["a"], ["a"]], dtype=object)))
    assert exact.numbers[0, 1] == 18263.25
    assert np.isnan(exact.numbers[1, [1, 3]]).all()
    np.testing.assert_array_equal(subject.given(exact)["on"], [np.datetime64("2020-01-02T06:00"), np.datetime64("NaT")])


def test_matrices_of_any_kind_are_numbers():
    X = RNG.normal(size=(20, 3))
    student = DecisionTreeRegressor(max_depth=2).fit(X, X[:, 0])
    for given in (X, X.tolist(), csr_matrix(X), pd.DataFrame(X)):
        subject, rows = subject_of(student, given)
        assert subject.inputs == (Input(None),) * 3
        assert subject.container == "array"
        np.testing.assert_array_equal(rows.numbers, X)


@pytest.mark.parametrize(
    "container", [list, pd.Series, lambda texts: pd.DataFrame({"letter": texts}), lambda texts: pl.DataFrame({"l": texts})]
)
def test_a_student_of_texts_takes_them_from_one_column_of_a_frame(container):
    texts = ["red wine", "blue sea", "red sea", "blue wine"] * 5
    student = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(pd.Series(texts), np.arange(20) % 2)
    subject, rows = subject_of(student, container(texts))
    assert (subject.container, subject.inputs) == ("list", (Input(None, "text", "text"),))
    np.testing.assert_array_equal(subject.answers(rows).values, student.predict_proba(texts))


@pytest.mark.parametrize(
    "convert", [pl.from_pandas, pa.Table.from_pandas, lambda frame: pl.from_pandas(frame).cast({"town": pl.Categorical})]
)
def test_mixed_tables_of_polars_and_arrow_are_those_of_pandas(convert):
    frame = FRAME[["size", "town"]].assign(town=FRAME["town"].fillna("c"))
    columns = make_column_transformer((OneHotEncoder(handle_unknown="ignore"), ["town"]), remainder="passthrough")
    student = make_pipeline(columns, DecisionTreeRegressor(max_depth=3)).fit(frame, RNG.normal(size=60))
    subject, rows = subject_of(student, convert(frame))
    assert [one.kind for one in subject.inputs] == ["number", "text"]
    np.testing.assert_array_equal(subject.answers(rows).values[:, 0], student.predict(frame))


@pytest.mark.parametrize(
    ("rows", "error", "sentence"),
    [
        (FRAME.drop(columns="town"), BadInput, "check_on has 0 columns named 'town'"),
        (FRAME.assign(size="large"), BadInput, "column 'size' holds texts, where this student reads a number"),
        (FRAME[:0], ShapeError, "the pandas frame has no rows"),
    ],
)
def test_wrong_rows_are_one_sentence(student, rows, error, sentence):
    with pytest.raises(error, match=sentence):
        program_of(*subject_of(student, rows))


MATRIX = RNG.normal(size=(60, 4))
SHARES = RNG.dirichlet(np.ones(2), 60)


@pytest.mark.parametrize("width", [1, 3, 5])
@pytest.mark.parametrize("container", [np.asarray, pd.DataFrame, pl.DataFrame, csr_matrix])
def test_another_number_of_columns_than_the_student_learnt_is_refused_with_both(container, width):
    given = container(np.resize(MATRIX, (60, width)))
    students = (
        LogisticRegression().fit(MATRIX, SHARES[:, 0] > 0.5),
        make_pipeline(StandardScaler(), SoftTree(max_leaf_nodes=3)).fit(MATRIX, SHARES),
        TrainedStudent(SoftTree(max_leaf_nodes=3).fit(MATRIX, SHARES), "multiclass", ("a", "b")),
    )
    for student in students:
        with pytest.raises(ShapeError, match=rf"check_on has {width} columns?, and the student was fitted on 4; pass rows like those"):
            subject_of(student, given)
