import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from sklearn.tree import DecisionTreeClassifier

import tutelage as tl
from tutelage.exporters.export import export
from tutelage.exporters.proof.refusals import BEYOND, FAR_DATES, in_columns
from tutelage.students.columns import with_columns

RNG = np.random.default_rng(0)
N = 120
FRAME = pd.DataFrame({"a": np.where(RNG.random(N) < 0.2, np.nan, RNG.normal(size=N)), "b": RNG.normal(size=N)})
FILLED = make_column_transformer((SimpleImputer(), ["a"]), remainder="passthrough")


def refused(student, rows, path):
    return export(student, path, check_on=rows, compared_rows=N).proofs[0].refused


@pytest.mark.parametrize("end", ["py", "onnx"])
def test_gaps_that_are_refused_in_one_column_alone_are_named_with_it(end, tmp_path):
    student = make_pipeline(FILLED, GradientBoostingClassifier(n_estimators=3)).fit(FRAME, FRAME["b"] > 0)
    found = refused(student, FRAME, tmp_path / f"trees.{end}")
    assert found == ("missing values in column 'b'", "infinite values", BEYOND)


def test_unseen_categories_that_one_of_two_columns_refuses_are_named_with_it(tmp_path):
    frame = pd.DataFrame({"known": ["x", "y", "z"] * 40, "any": ["u", "v", "w"] * 40})
    steps = make_column_transformer((OneHotEncoder(), ["known"]), (OneHotEncoder(handle_unknown="ignore"), ["any"]))
    student = make_pipeline(steps, DecisionTreeClassifier()).fit(frame, [0, 1, 0] * 40)
    found = refused(student, frame, tmp_path / "tree.py")
    assert "unseen categories in column 'known'" in found
    assert "missing texts in column 'known'" in found


def test_two_of_many_columns_are_named():
    assert in_columns("gaps", ["a"]) == "gaps in column 'a'"
    assert in_columns("gaps", ["a", 3]) == "gaps in columns 'a', 3"
    assert in_columns("gaps", list("abcde")) == "gaps in columns 'a', 'b' and 3 more"


def test_columns_of_a_matrix_have_positions(tmp_path):
    steps = make_column_transformer((SimpleImputer(), [0]), remainder="passthrough")
    student = make_pipeline(steps, GradientBoostingClassifier(n_estimators=3)).fit(FRAME.to_numpy(), FRAME["b"] > 0)
    assert "missing values in column 1" in refused(student, FRAME.to_numpy(), tmp_path / "trees.py")


def test_infinite_numbers_and_far_dates_of_a_student_with_dates_are_named(tmp_path):
    frame = pd.DataFrame({"on": pd.date_range("1990-01-01", periods=N), "v": np.arange(float(N))})
    student = with_columns(tl.SoftTree(max_leaf_nodes=8), frame, scaled=False).fit(frame, [0, 1, 0] * 40)
    assert refused(student, frame, tmp_path / "tree.py") == ("infinite values in column 'v'", BEYOND, FAR_DATES)


def test_what_a_student_takes_in_every_column_is_not_named(tmp_path):
    student = tl.SoftTree(max_leaf_nodes=4).fit(FRAME, RNG.dirichlet(np.ones(2), N))
    assert not any("missing" in name for name in refused(student, FRAME, tmp_path / "tree.py"))


@pytest.mark.exhaustive
def test_a_column_whose_name_ends_a_comment_does_no_harm(tmp_path):
    frame = FRAME.rename(columns={"b": '*/ """ \n\\ \''})
    student = make_pipeline(FILLED, GradientBoostingClassifier(n_estimators=3)).fit(frame, FRAME["b"] > 0)
    for end in ("py", "js", "sql"):
        assert any(name.startswith("missing values in column") for name in refused(student, frame, tmp_path / f"trees.{end}"))
