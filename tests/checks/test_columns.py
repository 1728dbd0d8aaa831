import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression
from sound_teachers import severity

from tutelage.checks.columns import MOST_COLUMNS, check_columns, check_unread
from tutelage.checks.preflight import preflight
from tutelage.checks.sampling import draw, query_sample
from tutelage.core.errors import BadInput
from tutelage.softlabels.recording import record
from tutelage.teachers.adapt import as_teacher

pytestmark = pytest.mark.slow

RNG = np.random.default_rng(0)
COUNT = 600
NAMES = ["x", "z"]


def table(first=0):
    frame = pd.DataFrame(
        {"id": [f"c{first + index:05d}" for index in range(COUNT)], "x": RNG.normal(size=COUNT), "z": RNG.normal(size=COUNT)}
    )
    frame["day"] = pd.date_range("2020-01-01", periods=COUNT).strftime("%Y-%m-%d")
    frame["zero"] = 0.0
    return frame, np.where(frame.x + frame.z + 0.5 * RNG.normal(size=COUNT) > 0, "yes", "no")


FRAME, Y = table()
FOREST = RandomForestClassifier(20, random_state=0).fit(FRAME[NAMES], Y)


def one(found, check):
    (finding,) = [finding for finding in found if finding.check == check]
    return finding


def sample(rows, labels=Y, teacher=FOREST):
    return draw(rows, labels, as_teacher(teacher).form, rows=COUNT, seed=0)


def unread(teacher, rows):
    teacher = as_teacher(teacher)
    return list(check_unread(teacher, query_sample(teacher, sample(rows, teacher=teacher)), 0))


def test_identifiers_dates_and_constants_are_named():
    finding = one(check_columns(sample(FRAME)), "columns")
    assert (finding.severity, finding.figure["columns"]) == ("warning", ["id", "day", "zero"])
    assert "column 'id' is an identifier (600 different texts)" in finding.sentence
    assert one(check_columns(sample(FRAME[["x", "zero"]])), "columns").severity == "note"
    assert one(check_columns(sample(FRAME[NAMES])), "columns").severity == "ok"


@pytest.mark.parametrize(("column", "graded"), [(Y == "yes", "error"), ((Y == "yes") + 0.5 * RNG.random(COUNT), "warning")])
def test_the_truth_as_a_feature_is_found(column, graded):
    finding = one(check_columns(sample(FRAME.assign(outcome=column))), "truth-as-feature")
    assert (finding.severity, finding.figure["columns"]) == (graded, ["outcome"])
    assert not any(finding.check == "truth-as-feature" for finding in check_columns(sample(FRAME.assign(outcome=column), None)))


@pytest.mark.exhaustive
def test_a_test_row_under_another_identifier_is_a_leak():
    test = FRAME.iloc[:100].assign(id=[f"t{index}" for index in range(100)])
    found = preflight(FOREST, FRAME, Y, test=test)
    assert severity(found, "leak") == "error"
    fresh, _ = table(first=COUNT)
    assert severity(preflight(FOREST, FRAME, Y, test=fresh), "leak") == "ok"


@pytest.mark.exhaustive(every=3)
@pytest.mark.parametrize(
    "test", [FRAME[FRAME.columns[::-1]], FRAME.assign(more=1), FRAME.astype({"x": str})], ids=["order", "more", "texts"]
)
def test_a_leak_is_found_in_any_order_and_type_of_columns(test):
    found = preflight(FOREST, FRAME, Y, test=test[:100], train=test)
    assert severity(found, "leak") == "error"
    assert severity(found, "own-rows") == severity(preflight(FOREST, FRAME, Y, test=FRAME[:100], train=FRAME), "own-rows")


def test_test_rows_without_a_column_of_the_data_are_refused():
    with pytest.raises(BadInput, match="the rows lack the columns 'z', which are expected"):
        preflight(FOREST, FRAME, Y, test=FRAME.drop(columns="z"))
    assert severity(preflight(FOREST, FRAME, Y, test=FRAME.drop(columns="day"), drop=["day"]), "leak") == "error"


def test_the_same_rows_in_arrays_are_a_leak():
    rows = np.column_stack([np.arange(COUNT), FRAME[NAMES]])
    again = rows[:100] + np.array([COUNT, 0, 0])
    teacher = as_teacher(lambda x: x[:, 1], kind="logits", classes=["no", "yes"])
    assert severity(preflight(teacher, rows, test=again), "leak") == "error"


@pytest.mark.exhaustive
def test_columns_that_the_student_is_not_given_are_left_out():
    rows = FRAME.assign(outcome=Y)
    found = preflight(FOREST, rows, Y, test=rows.assign(day="x", outcome="unknown"), drop=["id", "day", "outcome"])
    assert severity(found, "truth-as-feature") is None
    assert one(found.findings, "columns").figure["columns"] == ["zero"]
    assert severity(found, "unread-columns") == "ok"
    assert severity(found, "leak") == "error"


@pytest.mark.parametrize("kind", ["pandas", "polars", "array"])
def test_columns_that_the_teacher_does_not_read_are_named(kind):
    rows = FRAME[["z", "x"]].assign(other=RNG.normal(size=COUNT))
    if kind == "array":
        teacher = as_teacher(lambda cells: cells[:, 0] + cells[:, 1], kind="logits", classes=["no", "yes"])
        (finding,) = unread(teacher, rows.to_numpy())
        assert finding.figure["not read"] == ["2"]
        return
    if kind == "polars":
        rows = pytest.importorskip("polars").from_pandas(rows)
    (finding,) = unread(FOREST, rows)
    assert (finding.severity, finding.figure["not read"]) == ("note", ["other"])


def test_a_column_that_is_rarely_read_counts_as_read():
    rare = FRAME[NAMES].assign(flag=(np.arange(COUNT) % 25 == 24).astype(float))
    teacher = as_teacher(lambda rows: 3 * rows["flag"].to_numpy() + rows["x"].to_numpy(), kind="logits", classes=["no", "yes"])
    (finding,) = unread(teacher, rare)
    assert finding.figure["not read"] == ["z"]
    ignored = as_teacher(lambda rows: rows["x"].to_numpy(), kind="logits", classes=["no", "yes"])
    (finding,) = unread(ignored, rare.assign(flag=np.arange(COUNT) == 3))
    assert finding.figure["not read"] == ["z"]  # one cell that differs proves nothing about "flag"


def test_the_columns_of_a_regressor_are_compared_by_their_spread():
    model = LinearRegression().fit(FRAME[NAMES], 1e-6 * FRAME.x)
    teacher = as_teacher(model)
    answered = query_sample(teacher, draw(FRAME[NAMES], None, teacher.form, rows=COUNT, seed=0))
    (finding,) = check_unread(teacher, answered, 0)
    assert finding.figure["not read"] == ["z"]


def test_recorded_answers_texts_and_wide_tables_are_not_queried_by_column():
    assert unread(record(FOREST, FRAME[NAMES]), FRAME[NAMES]) == []
    wide = np.zeros((COUNT, MOST_COLUMNS + 1))
    teacher = as_teacher(lambda rows: rows[:, 0], kind="logits", classes=["no", "yes"])
    assert unread(teacher, wide) == []
    texts = as_teacher(lambda rows: [len(row) for row in rows], kind="logits", classes=["no", "yes"])
    assert unread(texts, ["a", "bb"] * 300) == []
    assert list(check_columns(sample(["a", "bb"] * 300))) == []
