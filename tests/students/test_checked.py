"""The settings of a scikit-learn student: stored by its constructor, checked by `fit`, each with the sentence of its own range."""

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError

from tutelage.core.errors import BadInput
from tutelage.students.boosting import SoftBoosting
from tutelage.students.checked import count_or_share, feature_count, layer_sizes, random_seed, thread_count
from tutelage.students.linear import SoftLogistic
from tutelage.students.networks.mlp import SoftMLP
from tutelage.students.trees import SoftForest, SoftTree

X, Y = np.arange(12.0).reshape(6, 2), np.array([0, 0, 0, 1, 1, 1])


@pytest.mark.parametrize(
    ("student", "message"),
    [
        (SoftTree(max_leaf_nodes=2.0), "max_leaf_nodes is 2.0; expected a whole number"),
        (SoftTree(max_depth="3"), "max_depth is '3'"),
        (SoftTree(targets="logit"), "targets is 'logit'; .* Did you mean logits"),
        (SoftForest(n_estimators=10**9), "n_estimators is 1000000000; expected a whole number, from 1 to 1,000,000"),
        (SoftForest(bootstrap="no"), "bootstrap is 'no'; expected True or False"),
        (SoftLogistic(C=True), "C is True"),
        (SoftLogistic(max_iter=1e3), "max_iter is 1000.0"),
        (SoftMLP(hidden_layer_sizes=(4, 0)), "a size in hidden_layer_sizes is 0"),
        (SoftMLP(epochs=1.5), "epochs is 1.5"),
        (SoftBoosting(subsample=0), "subsample is 0; expected a finite number above 0 and of 1 or less"),
        (SoftBoosting(max_bin=2**40), "max_bin is"),
    ],
)
def test_a_wrong_setting_is_refused_in_fit_by_name(student, message):
    with pytest.raises(BadInput, match=message):
        student.fit(X, Y)


@pytest.mark.parametrize(
    ("check", "right", "wrong"),
    [
        (count_or_share(1), [1, 0.5, np.float32(0.25), np.int64(2)], [0, 1.5, 0.0, "1", None, True]),
        (feature_count, [None, "sqrt", 2, 0.5], ["all", 0, 0.0]),
        (thread_count, [None, 1, -1], [0, 1.0, "2"]),
        (random_seed, [None, 0, np.int64(3), np.random.RandomState(0), np.random], [-1, 2**32, 0.5, "seed", np.array(3)]),
        (layer_sizes, [(4,), [], np.array([2, 3]), range(8, 9), pd.Series([2])], ["64", 64, (0,), (2.0,), {4}, iter([4])]),
    ],
)
def test_each_check_takes_its_range_and_nothing_else(check, right, wrong):
    for value in right:
        check("it", value)
    for value in wrong:
        with pytest.raises(BadInput, match="it"):
            check("it", value)


def test_a_student_that_is_not_fitted_says_so_in_an_error_of_both_libraries():
    with pytest.raises(BadInput, match="not fitted") as refused:
        SoftTree().predict(X)
    assert isinstance(refused.value, NotFittedError)


def test_dates_are_not_taken_for_numbers():
    with pytest.raises(BadInput, match="dates"):
        SoftTree().fit(X.astype("datetime64[s]"), Y)


@pytest.mark.parametrize("student", [SoftTree(), SoftForest(n_estimators=2), SoftMLP(epochs=1, hidden_layer_sizes=range(2, 3))])
def test_students_draw_from_numpys_global_state_if_given_it(student):
    assert student.set_params(random_state=np.random).fit(X, Y).predict(X).shape == (6,)
