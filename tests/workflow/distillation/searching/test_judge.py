import numpy as np
import pytest

from tutelage.core.answers import AnswerForm
from tutelage.search.limits import Limits
from tutelage.workflow.distillation.given.part import Part
from tutelage.workflow.distillation.searching.judge import Judge
from tutelage.workflow.distillation.searching.training import Prepared

FORM = AnswerForm("values", "regression")


def drop(answers, weights=None):
    part = Part(np.zeros((len(answers), 1)), answers, weights=weights)
    return Judge("mse", "teacher", Limits(drop=5), ".py").drop({"mse": 0.5}, Prepared(FORM, part, part, None, None, False))


def test_without_truth_the_drop_is_of_the_variance_within_each_column():
    answers = np.random.default_rng(0).normal(size=(1000, 2))
    assert drop(answers + np.array([0.0, 1000.0])) == pytest.approx(drop(answers))  # columns that lie far apart are no easier to learn
    assert drop(answers) == pytest.approx(50, abs=4)
    assert drop(np.ones((5, 2))) == float("inf")


def test_without_truth_rows_of_no_weight_do_not_count_in_the_drop():
    answers = np.random.default_rng(0).normal(size=(100, 1))
    both, weights = np.r_[answers, answers + 50], np.r_[np.ones(100), np.zeros(100)]
    assert drop(both, weights) == pytest.approx(drop(answers))
