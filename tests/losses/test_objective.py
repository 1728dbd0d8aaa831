import copy
import math
import pickle
import re
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch

import tutelage as tl
from tutelage.core.errors import BadInput, LabelMismatch, ShapeError
from tutelage.losses.functional import classification as losses
from tutelage.losses.objective import Objective, Term
from tutelage.losses.signals import Signals
from tutelage.training.backend import Backend

torch.manual_seed(0)
Z, V, Y = torch.randn(5, 3), torch.randn(5, 3), torch.tensor([0, 1, 2, 0, 1])
BATCH = Signals(Z, teacher_answers=V, labels=Y)
MIXED = 0.9 * tl.losses.soft_cross_entropy(temperature=4.0) + 0.1 * tl.losses.hard_cross_entropy()


def test_terms_are_weighted_named_and_summed():
    total, terms = MIXED(BATCH)
    torch.testing.assert_close(terms["soft_cross_entropy"], 0.9 * losses.soft_cross_entropy(Z, torch.softmax(V / 4, 1), temperature=4.0))
    torch.testing.assert_close(terms["hard_cross_entropy"], 0.1 * torch.nn.functional.cross_entropy(Z, Y, reduction="none"))
    torch.testing.assert_close(total, terms["soft_cross_entropy"] + terms["hard_cross_entropy"])
    assert list(terms) == ["soft_cross_entropy", "hard_cross_entropy"]


def test_a_sum_is_weighted_term_by_term():
    torch.testing.assert_close((2 * MIXED * 3)(BATCH).total, 6 * MIXED(BATCH).total)
    torch.testing.assert_close(sum([MIXED, 2 * MIXED])(BATCH).total, 3 * MIXED(BATCH).total)
    with pytest.raises(TypeError, match="unsupported operand"):
        1 + MIXED


def test_terms_with_the_same_name_are_numbered():
    objective = (
        tl.losses.soft_cross_entropy() + tl.losses.soft_cross_entropy(temperature=2.0) + tl.losses.soft_cross_entropy(temperature=3.0)
    )
    assert list(objective(BATCH).terms) == ["soft_cross_entropy", "soft_cross_entropy 2", "soft_cross_entropy 3"]


def test_prepared_targets_give_bitwise_the_same_loss_as_the_teachers_answers():
    rows = torch.tensor([4, 0, 2])
    objective = tl.losses.soft_cross_entropy(temperature=3.0) + tl.losses.kl_divergence(temperature=2.0)
    prepared = {name: targets.index_select(-2, rows) for name, targets in objective.prepare(V).items()}
    live = objective(Signals(Z[rows], teacher_answers=V[rows]))
    assert torch.equal(objective(Signals(Z[rows], prepared=prepared)).total, live.total)


def test_each_copy_may_have_its_own_weight_and_temperature():
    temperature, weight = torch.tensor([1.0, 4.0])[:, None, None], torch.tensor([0.25, 0.5])[:, None, None]
    objective = weight * tl.losses.soft_cross_entropy(temperature=temperature) + tl.losses.hard_cross_entropy() * (1 - weight)
    stack = torch.stack([Z, 2 * Z])
    for batch in (Signals(stack, V, Y), Signals(stack, labels=Y, prepared=objective.prepare(V))):
        together = objective(batch).total
        for which, (t, w) in enumerate([(1.0, 0.25), (4.0, 0.5)]):
            alone = w * tl.losses.soft_cross_entropy(temperature=t) + (1 - w) * tl.losses.hard_cross_entropy()
            torch.testing.assert_close(together[which], alone(Signals(stack[which], V, Y)).total)


def test_needs_lists_the_signals_that_the_terms_read():
    assert MIXED.needs == {"teacher", "labels"}
    at_a_layer = Objective((Term("mine", lambda s, t: s - t, ("student:body.0", "teacher:stem")),))
    assert (MIXED + at_a_layer).needs == {"teacher", "labels", "student:body.0", "teacher:stem"}
    assert (at_a_layer.paths("student"), at_a_layer.paths("teacher")) == (("body.0",), ("stem",))


def test_a_custom_term_reads_the_signals_that_it_names():
    mine = Objective((Term("distance", lambda s, t, *, power: (s - t).abs().pow(power).sum(-1), ("student", "teacher"), {"power": 3}),))
    torch.testing.assert_close((2 * mine)(BATCH).total, 2 * (Z - V).abs().pow(3).sum(1))


def test_a_term_with_a_module_receives_it_as_the_first_argument():
    term = Term(
        "projected",
        lambda m, z: m(z).sum(-1),
        ("student",),
        build=lambda batch, rows: torch.nn.Linear(batch.student_answers.shape[1], rows),
    )
    objective = Objective((term,)) + tl.losses.hard_cross_entropy()
    modules = objective.modules(BATCH, rows=7)
    assert [tuple(p.shape) for p in modules.parameters()] == [(7, 3), (7,)]
    torch.testing.assert_close(
        objective(Signals(Z, labels=Y, modules=modules)).terms["projected"], modules["projected"](Z).sum(1), rtol=0, atol=0
    )
    with pytest.raises(BadInput, match=r"projected trains a module, and this batch has none; create it with objective\.modules"):
        objective(BATCH)


def test_the_error_names_a_missing_signal():
    with pytest.raises(BadInput, match="soft_cross_entropy reads the teacher's answers, and this batch has none"):
        MIXED(Signals(Z, labels=Y))
    with pytest.raises(BadInput, match=r"mine reads the student's layer 'body.0'"):
        Objective((Term("mine", lambda s: s, ("student:body.0",)),))(BATCH)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"task": "regression"}, LabelMismatch, "soft_cross_entropy is for binary or multiclass answers; this student's are regression"),
        ({"given": {"teacher"}}, BadInput, "hard_cross_entropy reads labels, and there are none"),
        ({"columns": 2}, ShapeError, "mine is undefined for 2 classes; it needs 3 or more"),
        ({"stacked": True}, ShapeError, "mine takes no stack"),
    ],
)
def test_check_rejects_unsuitable_tasks_signals_and_columns(changes, error, message):
    objective = MIXED + Objective((Term("mine", lambda z: z, ("student",), least_columns=3, stacks=False),))
    valid = {"task": "multiclass", "columns": 3, "given": {"teacher", "labels"}}
    objective.check(**valid)
    with pytest.raises(error, match=message):
        objective.check(**valid | changes)


@pytest.mark.parametrize("weight", [-0.1, math.nan, math.inf, torch.tensor([0.5, -1.0])[:, None, None], "0.5"])
def test_invalid_weights_are_rejected(weight):
    with pytest.raises(BadInput, match="weight"):
        weight * MIXED


def test_the_description_is_complete_and_has_plain_values():
    temperature = torch.tensor([1.0, 2.0])[:, None, None]
    assert (0.5 * tl.losses.soft_cross_entropy(temperature=temperature) + tl.losses.hard_cross_entropy()).described() == [
        {"name": "soft_cross_entropy", "weight": 0.5, "reads": ["student", "teacher"], "settings": {"temperature": [1.0, 2.0]}},
        {"name": "hard_cross_entropy", "weight": 1.0, "reads": ["student", "labels"], "settings": {"smoothing": 0.0}},
    ]


def test_objectives_with_equal_settings_are_equal():
    assert 0.5 * tl.losses.hard_cross_entropy() == tl.losses.hard_cross_entropy() * 0.5
    assert tl.losses.hard_cross_entropy() != tl.losses.hard_cross_entropy(smoothing=0.1)


def test_an_objective_can_be_copied_and_pickled():
    objective = MIXED + tl.losses.hint("body.0") + tl.losses.contrastive("body.0", "stem")
    MIXED(BATCH)
    for again in (copy.deepcopy(objective), pickle.loads(pickle.dumps(objective))):  # noqa: S301 - the bytes pickled here
        assert again.described() == objective.described()
        head = Objective(again.terms[:2])
        assert torch.equal(head(BATCH).total, MIXED(BATCH).total)


@pytest.mark.parametrize(
    ("copies", "weight", "temperature"),
    [
        (None, 0.3, 2.0),
        (None, 1.0, 1.0),
        (None, 0.0, 2.0),
        (2, 0.3, 2.0),
        (2, torch.tensor([0.2, 0.7])[:, None, None], 2.0),
        (2, torch.tensor([0.2, 0.7])[:, None, None], torch.tensor([1.0, 4.0])[:, None, None]),
    ],
)
def test_the_gradient_of_a_step_is_that_of_the_mean_weighted_sum(copies, weight, temperature):
    answers = (Z if copies is None else torch.stack([Z, 3 * Z])).clone().requires_grad_()
    batch = replace(BATCH, student_answers=answers)
    objective = weight * (tl.losses.soft_cross_entropy(temperature=temperature) + 0.5 * tl.losses.hard_cross_entropy(smoothing=0.1))
    losses = objective.weighted(batch)
    by_term = {term.name: term.weight * term(batch) for term in objective.terms}
    for name, loss in losses.items():
        torch.testing.assert_close(loss, by_term[name])
    total = sum(by_term.values())
    torch.testing.assert_close(objective(batch).total, total)
    (expected,) = torch.autograd.grad(total.mean(-1).sum(), answers, retain_graph=True)
    Backend().backward(losses.values(), 0)
    torch.testing.assert_close(answers.grad, expected)


def test_a_term_that_does_not_depend_on_the_student_adds_no_gradient():
    answers = Z.clone().requires_grad_()
    fixed = Objective((Term("fixed", lambda labels: labels.float(), ("labels",)),))
    for objective in (tl.losses.hard_cross_entropy(), tl.losses.hard_cross_entropy() + fixed):
        answers.grad = None
        Backend().backward(objective.weighted(replace(BATCH, student_answers=answers)).values(), 0)
        torch.testing.assert_close(answers.grad, (torch.softmax(Z, 1) - torch.nn.functional.one_hot(Y, 3)) / 5)


@pytest.mark.parametrize(("shape", "loss"), [((), lambda z: z.square().mean()), ((5, 1), lambda z: z.square().sum(-1, keepdim=True))])
def test_a_loss_that_is_not_one_value_per_example_is_rejected(shape, loss):
    mine = Objective((Term("mine", loss, ("student",)),))
    sentence = f"mine gives losses of shape {shape}; expected one value per example, (5,)"
    for call in (mine, mine.weighted):
        with pytest.raises(ShapeError, match=re.escape(sentence)):
            call(BATCH)


def test_a_weight_per_copy_requires_a_stack():
    weighted = torch.tensor([0.2, 0.7])[:, None, None] * tl.losses.hard_cross_entropy()
    weighted.check(task="multiclass", columns=3, given={"labels"}, stacked=True)
    with pytest.raises(ShapeError, match="use a number, since this student is a single network"):
        weighted.check(task="multiclass", columns=3, given={"labels"})


def test_a_batch_without_gradient_is_refused():
    with pytest.raises(BadInput, match="the loss has no gradient"):
        Backend().backward([torch.zeros(5)], 0)


@pytest.mark.parametrize("weight", [np.float32(0.5), np.float64(0.5), Fraction(1, 2)])
def test_a_weight_may_be_any_real_number(weight):
    assert [type(term.weight) for term in (weight * tl.losses.soft_cross_entropy()).terms] == [float]
    assert (tl.losses.soft_cross_entropy() * weight).terms[0].weight == 0.5
