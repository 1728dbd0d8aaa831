import numpy as np
import pandas as pd
import pytest

from tutelage.core.answers import AnswerForm
from tutelage.core.errors import BadInput
from tutelage.workflow.feature_guards import check_features, check_leaves, refuse_named_classes

RNG = np.random.default_rng(0)
X = RNG.normal(size=200)
P = np.column_stack([1 - (p := 1 / (1 + np.exp(-3 * X))), p])
TRUTH = RNG.random(200) < P[:, 1]


def form(*classes):
    return AnswerForm("probabilities", "binary", classes)


@pytest.mark.parametrize(
    ("classes", "cells"),
    [
        (("no", "yes"), np.where(TRUTH, "yes", "no")),
        ((0, 1), TRUTH.astype(int)),
        ((0, 1), TRUTH.astype(float)),
        (("0", "1"), TRUTH.astype(int)),
        (("no", "yes"), pd.Categorical(np.where(TRUTH, "yes", "no"))),
        (("no", "yes"), np.where(X < -2, None, np.where(TRUTH, "yes", "no"))),
    ],
)
def test_the_truth_as_a_feature_is_refused_if_the_teacher_was_not_given_it(classes, cells):
    rows = pd.DataFrame({"x": X, "label": cells})
    with pytest.raises(BadInput, match=r"column 'label' holds the classes .* ground truth, left in as a feature. Pass truth='label'"):
        check_features(rows, P, form(*classes), read=["x"])
    assert "'label' holds the teacher's classes" in check_features(rows, P, form(*classes))[0]


def test_a_column_of_class_names_is_refused_before_the_teacher_is_asked():
    rows, of = pd.DataFrame({"x": X, "label": np.where(TRUTH, "yes", "no")}), form("no", "yes")
    with pytest.raises(BadInput, match=r"column 'label' holds the classes .* left in as a feature"):
        refuse_named_classes(rows, of, ["x"])
    refuse_named_classes(rows, of, ["x", "label"])
    refuse_named_classes(rows, of, [])
    refuse_named_classes(rows.assign(label="no"), of, ["x"])
    refuse_named_classes(rows.assign(label=TRUTH.astype(int)), form(0, 1), ["x"])  # numbers may be anything: the answers decide
    refuse_named_classes(rows.to_numpy(), of, ["x"])


@pytest.mark.parametrize("cells", [RNG.integers(0, 2, 200), np.zeros(200), RNG.integers(0, 3, 200)])
def test_another_column_of_few_numbers_is_not_the_truth(cells):
    rows = pd.DataFrame({"x": X, "flag": cells})
    assert not any("classes" in warning for warning in check_features(rows, P, form(0, 1)))
    (*_, unread) = [warning for warning in check_features(rows, P, form(0, 1), read=["x"]) if "was not given" in warning]
    assert unread == "the teacher was not given the columns ['flag'], and the student learns from them; drop them with drop=."


def test_awkward_columns_are_warned_of_by_name():
    rows = pd.DataFrame({"x": X, "id": [f"c{row}" for row in range(200)]})
    assert check_features(rows, P, form(0, 1)) == ["column 'id' is an identifier (200 different texts); drop it with drop=."]
    assert check_features(rows.to_numpy(), P, form(0, 1)) == check_features(["a", "b"], P[:2], form(0, 1)) == []


def test_a_leaf_for_each_row_is_warned_of():
    assert "900 leaves for 1,000 rows" in check_leaves((900, "leaves"), 1000)[0]
    assert check_leaves((100, "leaves"), 1000) == check_leaves((900, "weights"), 1000) == check_leaves(None, 1000) == []
