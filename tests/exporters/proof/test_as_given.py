import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier

import tutelage as tl
from tutelage.core.errors import BadInput
from tutelage.exporters.export import export
from tutelage.students.columns import with_columns

N = 60
TOWN = pd.Series(["a", "b", None, "c", "b"] * 12, dtype=object)
FRAME = pd.DataFrame({"town": TOWN, "size": np.arange(60.0)})
Y = np.array([0, 1, 0, 0, 1] * 12)
ONE_HOT = OneHotEncoder(handle_unknown="ignore")


def fitted(step, frame, y=Y):
    return make_pipeline(make_column_transformer((step, [frame.columns[0]]), remainder="passthrough"), DecisionTreeClassifier()).fit(
        frame, y
    )


@pytest.mark.parametrize(
    ("step", "sentence"),
    [
        (make_pipeline(SimpleImputer(strategy="most_frequent"), ONE_HOT), "column 'town' had None in its gaps"),
        (make_pipeline(SimpleImputer(strategy="constant", fill_value="b"), ONE_HOT), "column 'town' had None in its gaps"),
        (ONE_HOT, "column 'town' had None in its gaps"),
    ],
)
def test_a_student_that_learnt_none_is_refused(step, sentence, tmp_path):
    with pytest.raises(BadInput, match=rf"{sentence}.* Fill the gaps, or put NaN there"):
        export(fitted(step, FRAME), tmp_path / "tree.py", check_on=FRAME, compared_rows=N)


@pytest.mark.parametrize("cells", [[True, True, False, None], [True, False, None, None], [1, 2, None, None]])
def test_none_among_truth_values_and_numbers_is_refused(cells, tmp_path):
    frame = pd.DataFrame({"ok": pd.Series(cells * 15, dtype=object)})
    student = fitted(make_pipeline(SimpleImputer(strategy="most_frequent"), ONE_HOT), frame, [1, 1, 0, 0] * 15)
    with pytest.raises(BadInput, match=r"None.*Fill the gaps, or put NaN there"):
        export(student, tmp_path / "tree.py", check_on=frame, compared_rows=N)


def test_none_that_the_student_tells_from_what_it_learnt_is_refused(tmp_path):
    gaps = FRAME.assign(town=TOWN.where(TOWN.notna(), np.nan))
    student = fitted(make_pipeline(SimpleImputer(strategy="constant", fill_value="b"), ONE_HOT), gaps, [0, 1, 1, 0, 1] * 12)
    assert export(student, tmp_path / "tree.py", check_on=gaps, compared_rows=N).proven
    with pytest.raises(BadInput, match=r"differently, by 1, .* column 'town' has None in gaps.* Convert them, in training and in check_on"):
        export(student, tmp_path / "other.py", check_on=FRAME, compared_rows=N)


def test_objects_that_the_student_does_not_take_as_numbers_are_named(tmp_path):
    frame = pd.DataFrame({"ok": pd.Series([True, True, False, np.nan] * 15, dtype=object)})
    with pytest.raises(
        BadInput, match="refuses rows of check_on as a file takes them, and not as they were given: column 'ok' has objects"
    ):
        export(fitted(ONE_HOT, frame, [1, 1, 0, 0] * 15), tmp_path / "tree.py", check_on=frame, compared_rows=N)


def test_none_is_a_gap_as_any_other_for_our_own_columns(tmp_path):
    student = with_columns(tl.SoftTree(max_leaf_nodes=4), FRAME, scaled=False).fit(FRAME, Y)
    assert export(student, tmp_path / "tree.py", check_on=FRAME, compared_rows=N).proven


RNG = np.random.default_rng(0)
TIMES = np.column_stack([1.7e9 + RNG.uniform(0, 3e4, 300), RNG.normal(size=300)])
LATE = (TIMES[:, 0] - 1.7e9) / 3e4 + 0.1 * TIMES[:, 1] > 0.5


@pytest.mark.parametrize("scaler", [StandardScaler(), MinMaxScaler()])
@pytest.mark.parametrize("container", [np.asarray, lambda rows: pd.DataFrame(rows, columns=["time", "value"])])
def test_rows_whose_single_precision_the_student_feels_are_refused(scaler, container, tmp_path):
    rows = container(TIMES.astype(np.float32))
    student = make_pipeline(scaler, LogisticRegression(C=1e3)).fit(rows, LATE)
    with pytest.raises(BadInput, match=r"answers rows of check_on differently, by 0\.\d+, .* a file computes with float64. Convert them"):
        export(student, tmp_path / "line.py", check_on=rows, compared_rows=300)
    exact = container(TIMES)
    student.fit(exact, LATE)
    assert export(student, tmp_path / "line.py", check_on=exact, compared_rows=300).proven


def test_rows_of_single_precision_that_make_no_difference_are_taken(tmp_path):
    rows = RNG.normal(size=(100, 2)).astype(np.float32)
    student = make_pipeline(StandardScaler(), LogisticRegression()).fit(rows, rows[:, 0] > 0)
    assert export(student, tmp_path / "line.py", check_on=rows, compared_rows=100).proven


IDS = np.tile(np.array([2**60, 2**61, 2**62, 2**60 + 512], dtype=np.int64), 15)


def by_id(ids):
    frame = pd.DataFrame({"account": ids, "size": np.arange(60.0) % 7})
    return frame, fitted(OneHotEncoder(handle_unknown="ignore"), frame, [0, 1, 1, 0] * 15)


@pytest.mark.parametrize("dtype", ["int64", "object"])
def test_ids_that_a_file_takes_for_others_are_refused(dtype, tmp_path):
    frame, student = by_id(IDS)
    assert export(student, tmp_path / "tree.py", check_on=frame, compared_rows=N).proven
    near = frame.assign(account=frame["account"] + 1)
    near["account"] = near["account"].astype(dtype)
    with pytest.raises(BadInput, match=r"differently, by 1, .* column 'account' has whole numbers beyond 2\*\*53, .*Convert them"):
        export(student, tmp_path / "other.py", check_on=near, compared_rows=N)


def test_an_array_of_ids_that_a_file_takes_for_others_is_refused(tmp_path):
    rows = np.column_stack([IDS, np.arange(60) % 7])
    student = make_pipeline(OneHotEncoder(handle_unknown="ignore"), DecisionTreeClassifier()).fit(rows, [0, 1, 1, 0] * 15)
    with pytest.raises(BadInput, match=r"differently, by 1, .* they are whole numbers beyond 2\*\*53"):
        export(student, tmp_path / "tree.py", check_on=rows + np.array([1, 0]), compared_rows=N)


def test_large_ids_that_a_student_takes_as_numbers_are_fine(tmp_path):
    frame = pd.DataFrame({"account": IDS + np.arange(60), "size": np.arange(60.0) % 7})
    student = DecisionTreeClassifier(max_leaf_nodes=4).fit(frame, [0, 1, 1, 0] * 15)
    assert export(student, tmp_path / "tree.py", check_on=frame, compared_rows=N).proven
