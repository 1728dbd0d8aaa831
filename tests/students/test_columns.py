from datetime import date
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

import tutelage as tl
from tutelage.core.errors import BadInput, ShapeError
from tutelage.students.columns import Numbers, check_scale, with_columns

FRAME = pd.DataFrame(
    {
        "size": [1.0, 2.0, np.nan, 4.0] * 10,
        "many": np.arange(40) % 2 == 0,
        "colour": pd.Categorical(["red", "blue", "red", None] * 10),
        "shape": ["round"] * 39 + ["odd"],
    }
)
Y = np.array([0, 1, 0, 1] * 10)


@pytest.mark.parametrize("frame", [FRAME, pl.from_pandas(FRAME)])
def test_a_frame_with_categories_and_missing_values_works_for_both_kinds_of_student(frame):
    tree = with_columns(DecisionTreeClassifier(), frame, scaled=False).fit(frame, Y)
    line = with_columns(LogisticRegression(), frame, scaled=True).fit(frame, Y)
    assert tree.score(frame, Y) == line.score(frame, Y) == 1.0
    assert tree["student"].n_features_in_ == 4
    # size, many; blue, red and missing for colour; round and infrequent for shape
    assert line["student"].n_features_in_ == 2 + 3 + 2


@pytest.mark.parametrize("kind", ["pandas", "polars"])
def test_columns_of_numbers_are_read_at_once_as_each_alone(kind):
    numbers = pd.DataFrame({"a": [1, -3], "b": [0.1, np.nan], "c": [True, False], "d": np.array([2, 2**31], dtype="uint32")})
    numbers = numbers if kind == "pandas" else pl.from_pandas(numbers)
    expected = [[1, 0.1, 1, 2], [-3, np.nan, 0, 2**31]]
    found = Numbers().transform(numbers)
    assert np.array_equal(found, expected, equal_nan=True)
    assert found.flags.c_contiguous
    held = np.ones((3, 2))
    frame = pd.DataFrame(held, columns=["a", "b"], copy=False)
    copied = Numbers().transform(frame if kind == "pandas" else pl.from_pandas(frame))
    assert copied.flags.writeable
    assert not np.shares_memory(copied, held)
    mixed = numbers.assign(e=["1970-01-02", None]) if kind == "pandas" else numbers.with_columns(e=pl.Series(["1970-01-02", None]))
    mixed = mixed.assign(e=pd.to_datetime(mixed["e"])) if kind == "pandas" else mixed.with_columns(pl.col("e").str.to_date())
    assert np.array_equal(Numbers().transform(mixed), np.c_[expected, [1, np.nan]], equal_nan=True)
    large = [[1.0, 1.0], [2.0, 1e39]]
    frame = pd.DataFrame(large, columns=["a", "b"])
    with pytest.raises(BadInput, match=r"column 'b' holds 1e\+39 in row 1"):
        Numbers().transform(frame if kind == "pandas" else pl.from_pandas(frame))


def test_unseen_categories_are_accepted():
    other = FRAME.assign(colour="green", shape="flat")
    for student, scaled in ((DecisionTreeClassifier(), False), (LogisticRegression(), True)):
        assert with_columns(student, FRAME, scaled=scaled).fit(FRAME, Y).predict(other).shape == (40,)


@pytest.mark.parametrize("texts", [["good", "bad", "so good", "bad bad"], pd.Series(["good", "bad", "so good", "bad bad"])])
def test_texts_become_words_and_word_pairs(texts):
    student = with_columns(LogisticRegression(), texts, scaled=True).fit(texts, [1, 0, 1, 0])
    assert set(student["columns"].vocabulary_) == {"good", "bad", "so", "so good", "bad bad"}
    assert student.predict(["so good"]) == [1]
    small = with_columns(LogisticRegression(), texts, scaled=True, max_words=2).fit(texts, [1, 0, 1, 0])
    assert small["student"].n_features_in_ == 2


@pytest.mark.parametrize("hold", [np.asarray, sparse.csr_array])
def test_numbers_are_scaled_only_if_requested(hold):
    rows = hold(np.array([[0.0, 100.0], [2.0, 300.0]] * 2))
    seen = with_columns(LogisticRegression(), rows, scaled=True).fit(rows, [0, 1, 0, 1])[:-1].transform(rows)
    assert np.ptp(np.asarray(seen.todense() if sparse.issparse(seen) else seen), axis=0) == pytest.approx([2.0, 2.0])
    assert with_columns(DecisionTreeClassifier(), rows, scaled=False).fit(rows, [0, 1, 0, 1])["columns"] == "passthrough"


DAYS = pd.to_datetime(["1970-01-02", "1970-01-03 12:00", None, "1969-12-31"], format="mixed")


@pytest.mark.parametrize(
    ("column", "days"),
    [
        (DAYS, [1, 2.5, np.nan, -1]),
        (DAYS.tz_localize("UTC").tz_convert("Asia/Tokyo"), [1, 2.5, np.nan, -1]),
        (pd.Series([date(1970, 1, 2), date(1970, 1, 3), None, date(1969, 12, 31)], dtype=object), [1, 2, np.nan, -1]),
        (pd.to_timedelta(["1 days", "60h", None, "-24h"]), [1, 2.5, np.nan, -1]),
    ],
)
@pytest.mark.parametrize("holder", [lambda frame: frame, pl.from_pandas], ids=["pandas", "polars"])
def test_dates_and_durations_become_days(holder, column, days):
    rows = holder(pd.DataFrame({"a": [1.0, 2.0, 3.0, 4.0], "when": column}))
    prepared = with_columns("passthrough", rows, scaled=False).fit(rows).transform(rows)
    np.testing.assert_array_equal(np.asarray(prepared, dtype=float)[:, -1], days)
    scaled = with_columns(LogisticRegression(), rows, scaled=True).fit(rows, [0, 1, 0, 1])[:-1].transform(rows)
    filled = np.nan_to_num(days, nan=1.0)
    np.testing.assert_allclose(scaled[:, -1], (filled - filled.mean()) / filled.std())


@pytest.mark.parametrize(("cell", "kind"), [(b"a", "bytes"), ([1], "list"), ({}, "dict"), (1.5, "float and str")])
def test_columns_of_other_objects_are_refused_by_name(cell, kind):
    rows = FRAME.assign(odd=pd.Series([cell, "a" if kind == "float and str" else cell] * (len(FRAME) // 2), dtype=object))
    with pytest.raises(BadInput, match=rf"column 'odd' holds values of type {kind}.*Leave the column out"):
        with_columns(LogisticRegression(), rows, scaled=True)


@pytest.mark.parametrize("rows", [FRAME, ["good", "bad"] * 20])
def test_passthrough_prepares_the_columns_without_a_student(rows):
    passthrough = with_columns("passthrough", rows, scaled=True).fit(rows)
    fitted = with_columns(LogisticRegression(), rows, scaled=True).fit(rows, Y)
    ours, theirs = (sparse.csr_array(prepared.transform(rows)).toarray() for prepared in (passthrough, fitted["columns"]))
    np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("gap", [None, float("nan"), pd.NA, pd.NaT, Decimal("nan")], ids=repr)
def test_every_kind_of_gap_is_missing_among_objects(gap):
    cells = {"number": [1, gap, 3], "colour": ["red", gap, "blue"], "day": [date(1970, 1, 2), gap, date(1970, 1, 3)]}
    frame = pd.DataFrame({name: pd.Series(column, dtype=object) for name, column in cells.items()})
    prepared = with_columns("passthrough", frame, scaled=False).fit_transform(frame)
    np.testing.assert_array_equal(prepared, [[1, 1, 1], [np.nan, -2, np.nan], [3, 0, 2]])


PICTURES = np.random.default_rng(0).integers(0, 256, size=(40, 1, 2, 3)).astype(np.uint8)


def taught(rows, *, scaled=True):
    return with_columns(LogisticRegression() if scaled else DecisionTreeClassifier(), rows, scaled=scaled).fit(rows, Y)


@pytest.mark.parametrize("scaled", [True, False])
def test_pictures_become_their_numbers_in_a_line_and_any_type_of_the_same_numbers_is_the_same(scaled):
    torch = pytest.importorskip("torch")
    student = taught(PICTURES, scaled=scaled)
    flat = with_columns(LogisticRegression() if scaled else DecisionTreeClassifier(), PICTURES.reshape(40, -1), scaled=scaled)
    expected = flat.fit(PICTURES.reshape(40, -1), Y).predict_proba(PICTURES.reshape(40, -1))
    assert student["student"].n_features_in_ == 6
    tensor = torch.tensor(PICTURES.astype(np.float32), requires_grad=True)
    for rows in (PICTURES, PICTURES.astype(np.float32), PICTURES.astype(np.float64), PICTURES.tolist(), tensor):
        np.testing.assert_allclose(student.predict_proba(rows), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("rows", "remedy"),
    [
        (PICTURES.reshape(40, -1), r"Pass X.reshape\(-1, 1, 2, 3\)"),
        (PICTURES[:, 0], r"Pass X.reshape\(-1, 1, 2, 3\)"),
        (PICTURES.transpose(0, 1, 3, 2), "Pass rows like those of training"),  # not reshaped: the axes would be mixed up
        (PICTURES[:, :, :, :2], "Pass rows like those of training"),
        (PICTURES[0, 0, 0, 0], "Pass rows like those of training"),
    ],
)
def test_rows_of_another_shape_are_refused(rows, remedy):
    with pytest.raises(ShapeError, match=rf"expects \(rows, 1, 2, 3\)\. {remedy}"):
        taught(PICTURES).predict(rows)


@pytest.mark.parametrize("scaled", [True, False])
def test_rows_of_another_scale_are_refused_by_their_type(scaled):
    with pytest.raises(BadInput, match=r"whole numbers \(uint8\), and this student was trained on fractions up to 1\. "):
        taught(PICTURES / 255, scaled=scaled).predict(PICTURES)
    with pytest.raises(BadInput, match="array of <U1; expected numbers"):
        taught(PICTURES, scaled=scaled).predict(np.full(PICTURES.shape, "a"))


@pytest.mark.parametrize("trained", [PICTURES, PICTURES / 255, PICTURES // 26])
def test_a_row_is_answered_alone_as_among_others(trained):
    student = taught(trained)
    for rows in (trained.astype(float), trained * 0.5, np.concatenate([trained * 0.05, trained * 2.0])):
        expected = student.predict_proba(rows)
        alone = np.concatenate([student.predict_proba(rows[place : place + 1]) for place in range(len(rows))])
        np.testing.assert_allclose(alone, expected, atol=1e-12)


@pytest.mark.parametrize(
    ("trained", "rows", "seen"),
    [
        (PICTURES / 255, PICTURES, "whole numbers up to 255, and the student was trained on fractions up to 1"),
        (PICTURES / 255, PICTURES.astype(np.float32), "whole numbers up to 255, and the student was trained on fractions up to 1"),
        (PICTURES, PICTURES / 255, "fractions up to 1, and the student was trained on whole numbers up to 255"),
        (PICTURES.astype(float), PICTURES / 255, "fractions up to 1, and the student was trained on whole numbers up to 255"),
        (PICTURES / 255, PICTURES / 1.0 / 128 // 1, None),  # black and white
        (PICTURES / 255, PICTURES[:1] * 0.0, None),
        (PICTURES, PICTURES + 0.25, None),
        (PICTURES // 128, PICTURES / 255, None),  # 0 and 1 are of that scale too
        (PICTURES, PICTURES.reshape(40, -1) / 255, None),  # another shape, which the student refuses
    ],
)
@pytest.mark.parametrize("scaled", [True, False])
def test_a_set_of_another_scale_is_refused_by_its_values(trained, rows, seen, scaled):
    student = taught(trained, scaled=scaled)
    if seen is None:
        check_scale(student, rows, "new.npy")
    else:
        with pytest.raises(BadInput, match=f"new.npy holds {seen}. Scale them as in training"):
            check_scale(student, rows, "new.npy")


def test_students_of_other_rows_take_any_scale():
    check_scale(with_columns(LogisticRegression(), FRAME, scaled=True).fit(FRAME, Y), FRAME, "rows.csv")
    check_scale(LogisticRegression(), np.ones((3, 2)), "rows.npy")


def test_torch_networks_take_pictures_in_their_shape_and_so_do_their_files(tmp_path):
    nn = pytest.importorskip("torch").nn
    network = nn.Sequential(nn.Conv2d(1, 2, 2), nn.ReLU(), nn.Flatten(), nn.Linear(4, 2))
    student = with_columns(tl.TorchClassifier(network, epochs=2), PICTURES, scaled=True).fit(PICTURES, Y)
    assert student["columns"].transform(PICTURES).shape == PICTURES.shape
    with pytest.raises(ShapeError, match=r"expects \(rows, 1, 2, 3\)"):
        student.predict(PICTURES.reshape(40, -1))
    with pytest.raises(BadInput, match="fractions up to 1, and the student was trained on whole numbers up to 255"):
        check_scale(student, PICTURES / 255, "new.npy")
    proven = tl.export(student, tmp_path / "student.py", check_on=PICTURES)
    assert proven.proofs[0].decisions_changed == 0


@pytest.mark.parametrize("rows", [1, 6, 7])
def test_gaps_are_filled_as_the_median_of_scikit_learn_fills_them(rows):
    numbers = np.random.default_rng(0).normal(size=(rows, 3)) ** 3
    numbers[::3, 0], numbers[:, 1] = np.nan, np.nan
    frame = pd.DataFrame(numbers, columns=["some", "none", "all"])
    ours = with_columns("passthrough", frame, scaled=True).fit(frame)
    reference = make_pipeline(SimpleImputer(strategy="median", keep_empty_features=True), StandardScaler()).fit(numbers)
    gaps = np.where(np.eye(3), np.nan, 1.0)
    np.testing.assert_allclose(ours.transform(pd.DataFrame(gaps, columns=frame.columns)), reference.transform(gaps), atol=1e-12)
