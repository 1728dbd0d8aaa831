import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from scipy import sparse

from tutelage.checks.baselines import features, predicted_labels, predicted_values, readable, second_set_probabilities
from tutelage.core.errors import BadInput

DRAW = np.random.default_rng(0)
X = DRAW.normal(size=(90, 4))
LABELS = (X[:, 0] > 0).astype(int)


@pytest.mark.parametrize(
    ("inputs", "shape"),
    [
        (X, (90, 4)),
        (X.reshape(90, 2, 2), (90, 4)),
        (torch.tensor(X, requires_grad=True), (90, 4)),
        (X > 0, (90, 4)),
        (X[:, 0], (90, 1)),
        (sparse.coo_matrix(X), (90, 4)),
        (pd.DataFrame(X), (90, 4)),
        (pd.Series(X[:, 0]), (90, 1)),
        (pl.DataFrame(X), (90, 4)),
    ],
)
def test_rows_are_converted_for_a_baseline_model(inputs, shape):
    rows = readable(inputs)
    assert rows.shape == shape
    assert features(rows).fit_transform(rows).shape == shape


def test_objects_are_refused():
    with pytest.raises(BadInput, match="the rows are a ndarray of object; a baseline model takes numbers, texts or a frame"):
        readable(np.array([{"a": 1}], dtype=object))


def test_gaps_infinities_and_empty_columns_are_filled():
    holes = X.copy()
    holes[0, 0], holes[1, 1], holes[:, 2] = np.nan, np.inf, np.nan
    assert np.isfinite(features(holes).fit_transform(readable(holes))).all()


def test_categories_of_every_kind_are_encoded():
    frame = pd.DataFrame(
        {
            "text": ["a", None, "b"] * 30,
            "category": pd.Categorical(["x", "y", None] * 30),
            "when": pd.date_range("2020-01-01", periods=90),
            "truth": [True, False, True] * 30,
            "number": X[:, 0],
        }
    )
    encoded = features(frame).fit_transform(frame)
    assert encoded.shape[0] == 90
    assert encoded.shape[1] > 10


def test_baseline_classifiers_learn_a_simple_rule_and_nothing_from_noise():
    for predictions in predicted_labels(X, LABELS, 0).values():
        assert (predictions == LABELS).mean() > 0.8
    noise = DRAW.integers(0, 2, 90)
    for predictions in predicted_labels(X, noise, 0).values():
        assert (predictions == noise).mean() < 0.7  # trained on other folds, so it cannot memorise


@pytest.mark.parametrize("outputs", [1, 2])
def test_baseline_regressors_predict_in_the_shape_of_the_true_values(outputs):
    values = X[:, :outputs] * 3 + 1
    for predictions in predicted_values(X, values, 0).values():
        assert predictions.shape == values.shape
        assert ((predictions - values) ** 2).mean() < 0.5 * values.var()


@pytest.mark.parametrize("form", ["matrix", "texts"])
def test_two_sets_are_distinguished_only_if_they_differ(form):
    second = np.arange(90) % 2 == 0
    differ = X + 3.0 * second[:, None] if form == "matrix" else [("winter " if s else "summer ") + f"w{i}" for i, s in enumerate(second)]
    same = X if form == "matrix" else [f"w{place}" for place in range(90)]
    of_differ, of_same = second_set_probabilities(differ, second, 0), second_set_probabilities(same, second, 0)
    assert of_differ[second].mean() - of_differ[~second].mean() > 0.5
    assert abs(of_same[second].mean() - of_same[~second].mean()) < 0.2
