import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from tutelage.evaluation.metrics.ranking import mean_auc

RNG = np.random.default_rng(0)


def test_the_area_equals_scikit_learns_with_ties_and_weights():
    on, weights = RNG.random((200, 1)) < 0.3, RNG.exponential(size=200)
    scores = np.round(on + RNG.normal(size=(200, 1)), 1)
    assert mean_auc(on, scores).value == pytest.approx(roc_auc_score(on[:, 0], scores[:, 0]))
    assert mean_auc(on, scores, weights).value == pytest.approx(roc_auc_score(on[:, 0], scores[:, 0], sample_weight=weights))


def test_the_mean_over_classes_is_one_against_the_rest():
    codes = RNG.integers(4, size=300)
    scores = RNG.dirichlet(np.ones(4), size=300) + 0.2 * np.eye(4)[codes]
    scores /= scores.sum(axis=1, keepdims=True)
    found = mean_auc(np.eye(4)[codes] == 1, scores)
    assert found.value == pytest.approx(roc_auc_score(codes, scores, multi_class="ovr"))
    assert found.interval.low < found.value < found.interval.high
    assert found.left_out == ()


def test_the_interval_covers():
    rng = np.random.default_rng(1)
    true = 0.8553  # of two normals 1.5 apart: Phi(1.5 / sqrt 2)
    covered = []
    for _ in range(500):
        on = rng.random((80, 1)) < 0.3
        found = mean_auc(on, 1.5 * on + rng.normal(size=(80, 1)))
        covered.append(found.interval.low <= true <= found.interval.high)
    assert 0.92 <= np.mean(covered) <= 0.985


@pytest.mark.parametrize("sign", [1, -1])
def test_a_perfect_ranking_has_an_interval_with_a_width(sign):
    on = np.arange(50)[:, None] < 4
    found = mean_auc(on, sign * on.astype(float))
    assert found.value == (1 if sign == 1 else 0)
    assert found.interval.high - found.interval.low > 0.3  # four rows of one class


def test_equal_scores_rank_nothing():
    on = np.arange(50)[:, None] < 10
    found = mean_auc(on, np.zeros((50, 1)))
    assert found.value == pytest.approx(0.5)
    assert found.interval.low < 0.5 < found.interval.high


def test_a_class_that_all_rows_have_or_none_is_left_out():
    on = np.column_stack([np.arange(30) < 9, np.zeros(30, bool), np.ones(30, bool)])
    scores = RNG.random((30, 3))
    found = mean_auc(on, scores)
    assert found.left_out == (1, 2)
    assert found.value == pytest.approx(roc_auc_score(on[:, 0], scores[:, 0]))
    assert mean_auc(on[:, 1:], scores[:, 1:]) is None
    assert mean_auc(on[:, :1], scores[:, :1], np.where(on[:, 0], 0.0, 1.0)) is None
