import pytest
import torch

import tutelage as tl
from tutelage.core.errors import BadInput, LabelMismatch
from tutelage.losses.functional import bernoulli, regression
from tutelage.losses.signals import Signals

RNG = torch.Generator().manual_seed(0)
S, T, Y = (torch.randn(4, 2, generator=RNG) for _ in range(3))
ON = (Y > 0).long()
BATCH = Signals(S, teacher_answers=T, labels=Y)


def test_bernoulli_terms_equal_their_pure_functions():
    soft = tl.losses.soft_bernoulli(temperature=2.0)(BATCH).total
    torch.testing.assert_close(soft, bernoulli.soft_bernoulli(S, T, temperature=2.0))
    torch.testing.assert_close(tl.losses.hard_bernoulli()(Signals(S, labels=ON)).total, bernoulli.hard_bernoulli(S, ON))


def test_values_are_matched_against_the_teacher_or_the_labels():
    both = 0.5 * tl.losses.squared_error() + 0.5 * tl.losses.squared_error(against="labels") + tl.losses.huber(delta=0.1, against="labels")
    terms = both(BATCH).terms
    torch.testing.assert_close(terms["squared_error teacher"], 0.5 * regression.squared_error(S, T))
    torch.testing.assert_close(terms["squared_error labels"], 0.5 * regression.squared_error(S, Y))
    torch.testing.assert_close(terms["huber labels"], regression.huber(S, Y, delta=0.1))
    torch.testing.assert_close(tl.losses.teacher_bounded(margin=0.1)(BATCH).total, regression.teacher_bounded(S, T, Y, margin=0.1))


def test_gaussian_takes_means_and_then_variances():
    moments = torch.cat([T, Y.square() + 0.1], dim=1)
    torch.testing.assert_close(tl.losses.gaussian()(Signals(S, teacher_answers=moments)).total, regression.gaussian(S, moments))
    with pytest.raises(BadInput, match="variance"):
        tl.losses.gaussian().prepare(-moments.abs())


@pytest.mark.parametrize("objective", [tl.losses.squared_error(), tl.losses.soft_bernoulli()])
def test_a_classifier_is_rejected(objective):
    with pytest.raises(LabelMismatch, match="this student's are multiclass"):
        objective.check(task="multiclass", columns=3, given={"teacher", "labels"})


@pytest.mark.parametrize("construct", [lambda: tl.losses.squared_error(against="truth"), lambda: tl.losses.huber(delta=0.0)])
def test_invalid_parameters_are_rejected_immediately(construct):
    with pytest.raises(BadInput, match="expected"):
        construct()
