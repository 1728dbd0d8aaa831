import numpy as np
import pytest
import torch

import tutelage as tl
from tutelage.core.errors import BadInput, LabelMismatch, ShapeError
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


def test_embeddings_of_another_width_are_projected_and_the_student_answers_in_its_own():
    rng = np.random.default_rng(0)
    rows, embeddings = rng.normal(size=(40, 5)).astype(np.float32), rng.normal(size=(40, 7)).astype(np.float32)
    teacher = tl.as_teacher(lambda rows: np.tanh(rows @ embeddings[:5]), task="regression", kind="values")
    for objective in (tl.losses.embedding(), tl.losses.embedding(distance="squares")):
        torch.manual_seed(0)
        for labels in (teacher, tl.record(teacher, rows)):
            student = tl.TorchStudent(torch.nn.Linear(5, 3), objective).fit(rows, labels, epochs=30, batch_size=8, lr=0.01)
            assert student.fit_.losses[-1] < 0.7 * student.fit_.losses[0]
        assert student.predict(rows).shape == (40, 3)
        (projector,) = student.projectors_.values()
        assert projector.weight.shape == (7, 3)
    same = torch.nn.Linear(5, 7)
    assert len(tl.TorchStudent(same, tl.losses.embedding()).fit(rows, teacher, epochs=1).projectors_.state_dict()) == 0
    with pytest.raises(ShapeError, match="with 3 values, and what they are compared with has 7"):
        tl.TorchStudent(torch.nn.Linear(5, 3), tl.losses.embedding()).fit(rows, teacher, epochs=1, validation=0.2)


@pytest.mark.parametrize("objective", [tl.losses.squared_error(), tl.losses.soft_bernoulli()])
def test_a_classifier_is_rejected(objective):
    with pytest.raises(LabelMismatch, match="this student's are multiclass"):
        objective.check(task="multiclass", columns=3, given={"teacher", "labels"})


@pytest.mark.parametrize(
    "construct",
    [lambda: tl.losses.squared_error(against="truth"), lambda: tl.losses.huber(delta=0.0), lambda: tl.losses.embedding(distance="l1")],
)
def test_invalid_parameters_are_rejected_immediately(construct):
    with pytest.raises(BadInput, match="expected"):
        construct()
