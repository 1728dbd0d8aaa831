import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neighbors import KNeighborsClassifier

import tutelage as tl
from tutelage.report.playground.records import Picture
from tutelage.students.columns import with_columns
from tutelage.workflow import playground as module
from tutelage.workflow.playground import playground_of

RANDOM = np.random.default_rng(0)
COUNT = 300
FRAME = pd.DataFrame(
    {
        "age": RANDOM.integers(18, 80, COUNT).astype(float),
        "income": np.where(RANDOM.random(COUNT) < 0.1, np.nan, RANDOM.lognormal(10, 1, COUNT)),
        "city": RANDOM.choice(["Oslo", "Rome", "Bonn"], COUNT, p=[0.6, 0.3, 0.1]),
        "since": pd.to_datetime("2020-01-01") + pd.to_timedelta(RANDOM.integers(0, 900, COUNT), unit="D"),
        "member": RANDOM.random(COUNT) < 0.4,
        "rarely": np.append(np.zeros(COUNT - 1), 5000.0),
        "constant": np.full(COUNT, 7.5),
    }
)
TRUTH = np.where((FRAME.age > 45) ^ (FRAME.city == "Rome"), "yes", "no")
TREE = with_columns(tl.SoftTree(max_leaf_nodes=16, random_state=0), FRAME, scaled=False).fit(FRAME, TRUTH)


def test_columns_have_ranges_levels_and_a_made_row():
    columns = {one.name: one for one in playground_of(TREE, FRAME).columns}
    age, income, city, since, member = (columns[name] for name in ("age", "income", "city", "since", "member"))
    assert (age.kind, age.low, age.high, age.whole, age.gaps) == ("number", 18.0, 79.0, True, False)
    assert age.start == round(FRAME.age.mean())
    assert income.gaps
    assert not income.whole
    assert income.low <= np.nanquantile(FRAME.income, 0.01)
    assert np.nanquantile(FRAME.income, 0.99) <= income.high < np.nanmax(FRAME.income)
    assert income.start == pytest.approx(FRAME.income.mean(), rel=0.01)
    assert (city.kind, city.levels, city.start) == ("levels", ("Bonn", "Oslo", "Rome"), "Oslo")
    assert (since.kind, since.low, since.high) == ("date", pytest.approx(18262, abs=15), pytest.approx(18262 + 899, abs=15))
    assert (member.levels, member.named, member.start) == ((0.0, 1.0), ("false", "true"), 0.0)
    assert columns["rarely"].high == 5000
    assert columns["constant"].low < columns["constant"].high


def test_no_cell_of_an_extreme_row_is_in_the_playground():
    stored = str(playground_of(TREE, FRAME).to_json())
    for column in ("income",):
        assert not [value for value in FRAME[column].dropna() if repr(float(value)) in stored]


def test_made_rows_come_with_the_answers_of_the_student():
    made = playground_of(TREE, FRAME)
    names = [one.name for one in made.columns]
    rows = pd.DataFrame([dict(zip(names, check.row, strict=True)) for check in made.checks])
    rows["since"] = pd.Timestamp("1970-01-01") + pd.to_timedelta(rows.since, unit="D")
    rows["member"] = rows.member.astype(bool)
    assert np.array([check.answers for check in made.checks]) == pytest.approx(TREE.predict_proba(rows))
    assert len(made.checks) == 20
    assert list(made.checks[0].row) == [one.start for one in made.columns]
    assert rows.income.isna().sum() == 2


@pytest.mark.parametrize("shape", [(8, 12), (1, 8, 12), (8, 12, 3), (3, 8, 12)])
def test_rows_of_pictures_are_pictures(shape):
    pictures = RANDOM.integers(0, 256, (60, *shape)).astype(np.uint8)
    kinds = (pictures.reshape(60, -1).mean(axis=1) > 127).astype(int)
    student = with_columns(tl.SoftTree(max_leaf_nodes=4, random_state=0), pictures, scaled=False).fit(pictures, kinds)
    made = playground_of(student, pictures)
    assert made.why_not == ""
    layout = "HW" if len(shape) == 2 else "CHW" if shape[0] in (1, 3) else "HWC"
    channels = {2: 1}.get(len(shape), min(shape))
    assert made.picture == Picture(8, 12, channels, layout, 0.0, 255.0, made.picture.bright_background, False)
    assert made.columns == ()


def test_tables_of_pixels_are_tables_unless_they_are_said_to_be_pictures():
    rows = RANDOM.random((60, 64))
    student = LogisticRegression().fit(rows, RANDOM.integers(0, 2, 60))
    assert playground_of(student, rows).picture is None
    assert len(playground_of(student, rows).columns) == 64
    assert playground_of(student, rows, picture=(8, 8)).picture.width == 8


@pytest.mark.parametrize("bright", [False, True])
def test_the_background_is_that_of_the_edges(bright):
    rows = np.zeros((40, 28, 28))
    rows[:, 8:20, 8:20] = RANDOM.random((40, 12, 12))
    rows = 1 - rows if bright else rows
    student = with_columns(tl.SoftTree(max_leaf_nodes=4), rows, scaled=False).fit(rows, RANDOM.integers(0, 2, 40))
    found = playground_of(student, rows).picture
    assert (found.bright_background, found.centred) == (bright, not bright)


def test_series_have_no_form():
    rows = RANDOM.random((40, 3, 50))
    student = with_columns(tl.SoftTree(max_leaf_nodes=4), rows, scaled=False).fit(rows, RANDOM.integers(0, 2, 40))
    made = playground_of(student, rows)
    assert made.module == ""
    assert "Rows of 3 x 50 numbers have no form" in made.why_not


def test_texts_are_made_of_the_words_of_the_student():
    texts = ["a good film", "a bad film", "good fun", "bad plot"] * 10
    student = with_columns(tl.SoftLogistic(), texts, scaled=True).fit(texts, np.array(["yes", "no"] * 20))
    made = playground_of(student, texts)
    assert made.words
    assert {word for one in made.words for word in one.split()} <= {"good", "bad", "film", "fun", "plot"}
    answers = student.predict_proba([check.row[0] for check in made.checks])
    assert np.array([check.answers for check in made.checks]) == pytest.approx(answers)


def test_what_javascript_does_not_have_is_said():
    rows = RANDOM.random((60, 3))
    made = playground_of(KNeighborsClassifier().fit(rows, RANDOM.integers(0, 2, 60)), rows)
    assert made.module == ""
    assert made.why_not.startswith("This student cannot be tried in the page: ")


def test_a_student_that_is_too_large_is_left_out_with_its_size(monkeypatch):
    rows = RANDOM.random((60, 3))
    student = RandomForestClassifier(20, random_state=0).fit(rows, RANDOM.integers(0, 2, 60))
    monkeypatch.setattr(module, "LARGEST_STUDENT", 1000)
    assert "kB of JavaScript, and a page holds at most 1 kB" in playground_of(student, rows).why_not


def test_too_many_columns_are_left_out():
    rows = RANDOM.random((20, 1001))
    made = playground_of(ExtraTreesClassifier(2, max_depth=2, random_state=0).fit(rows, RANDOM.integers(0, 2, 20)), rows)
    assert "reads 1,001 columns" in made.why_not


@pytest.mark.parametrize("scale", [1e-300, 1e-3, 1.0, 1e15, 1e300])
@pytest.mark.parametrize("whole", [False, True])
def test_ranges_of_any_size_have_ends_and_a_start_inside(scale, whole):
    rows = RANDOM.normal(size=(60, 1)) * scale
    rows = np.rint(rows) if whole else rows
    (column,) = playground_of(Ridge().fit(rows / scale, rows[:, 0] / scale), rows).columns
    assert column.low < column.high
    assert column.low <= column.start <= column.high
    assert np.isfinite([column.low, column.high]).all()


def test_examples_have_the_answers_of_the_teacher():
    teacher = np.array([[0.25, 0.75], [1.0, 0.0]])
    made = playground_of(TREE, FRAME, examples=FRAME[:2], teacher=teacher, truth=["yes", "no"], names=["row 0", "row 1"])
    first, second = made.examples
    assert (first.name, first.teacher, first.truth) == ("row 0", (0.25, 0.75), "yes")
    assert first.row[0] == FRAME.age[0]
    assert second.teacher == (1.0, 0.0)
    assert playground_of(TREE, FRAME).examples == ()


def test_rows_of_several_inputs_have_no_form():
    rows = tl.StructuredRows.of({"ids": [[1, 2], [3]]})
    assert playground_of(None, rows).why_not.startswith("Rows of several inputs have no form to be filled in")
