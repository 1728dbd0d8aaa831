from dataclasses import replace

import numpy as np
import torch

from tutelage.core import torch_runtime
from tutelage.losses.class_terms import hard_cross_entropy, soft_cross_entropy
from tutelage.losses.objective import Objective
from tutelage.training.settings import TrainingSettings
from tutelage.training.stacks.networks import mlp
from tutelage.training.stacks.student_group import Copy, StudentGroup

RNG = np.random.default_rng(0)
X = RNG.normal(size=(80, 4)).astype(np.float32)
Y = RNG.integers(3, size=80)
with torch_runtime.seeded(0):
    NETWORK = mlp((4, 6, 3))
COPIES = [Copy(NETWORK, lr=0.01), Copy(NETWORK, lr=0.1), Copy(NETWORK, lr=0.3)]


def group(objective=lambda temperature, soft_weight: hard_cross_entropy(), **training):
    fit_arguments = {"X": X, "y": Y, "validation": (X[:20], Y[:20])}
    return StudentGroup(objective, fit_arguments, TrainingSettings(**{"epochs": 12, "batch_size": 16} | training))


def test_stacks_of_any_size_give_the_same_students_in_order():
    expected, why = group().train(COPIES, stack_size=1)
    assert why == "stack_size is 1"
    for size in (2, 3, 64):
        students, why = group().train(COPIES, stack_size=size)
        assert why == ""
        for student, other in zip(students, expected, strict=True):
            np.testing.assert_allclose(student.predict_proba(X), other.predict_proba(X), rtol=1e-3, atol=1e-5)
            assert student.fit_.best_epoch == other.fit_.best_epoch
    assert np.abs(expected[0].predict_proba(X) - expected[2].predict_proba(X)).max() > 0.05


def test_the_initial_networks_are_not_changed():
    before = NETWORK[0].weight.clone()
    for size in (1, 3):
        group(epochs=1).train(COPIES, stack_size=size)
    assert torch.equal(NETWORK[0].weight, before)


def test_each_copy_ends_when_its_patience_runs_out():
    for own, other in zip(*(group(patience=1).train(COPIES, stack_size=size)[0] for size in (3, 1)), strict=True):
        assert own.fit_.best_epoch == other.fit_.best_epoch
        assert own.fit_.scores.tolist() == other.fit_.scores.tolist()
    assert len({len(own.fit_.scores) for own in group(patience=1).train(COPIES, stack_size=3)[0]}) > 1


def test_the_weights_are_averaged_for_each_copy():
    for own, other in zip(*(group(average=0.9).train(COPIES, stack_size=size)[0] for size in (3, 1)), strict=True):
        np.testing.assert_allclose(own.predict_proba(X), other.predict_proba(X), rtol=1e-3, atol=1e-5)


def test_a_copy_that_diverges_gets_an_infinite_score_and_does_not_affect_the_others():
    def sgd(parameters):
        return torch.optim.SGD(parameters, lr=1.0)

    for size in (1, 2):
        diverged, other = group(optimizer=sgd).train([Copy(NETWORK, lr=1e30), Copy(NETWORK, lr=0.1)], stack_size=size)[0]
        assert diverged.fit_.scores[-1] == np.inf
        assert np.isfinite(diverged.predict_proba(X)).all()
        assert np.isfinite(other.fit_.scores).all()


def comparing_numbers(temperature, soft_weight):
    return soft_cross_entropy() if temperature > 1 else hard_cross_entropy()


def test_an_objective_that_takes_no_tensors_is_trained_one_by_one():
    copies = [Copy(NETWORK, temperature=0.5), Copy(NETWORK, temperature=1.0)]
    students, why = group(comparing_numbers).train(copies, stack_size=2)
    assert len(students) == 2
    assert "cannot take tensors with a temperature" in why


def test_a_term_that_takes_no_stack_is_trained_one_by_one():
    single = Objective((replace(hard_cross_entropy().terms[0], stacks=False),))
    _, why = group(lambda temperature, soft_weight: single).train(COPIES[:2], stack_size=2)
    assert why == "hard_cross_entropy takes no stack"
