import math

import pytest
import torch

import tutelage as tl
from tutelage.core.errors import BadInput, ShapeError
from tutelage.losses.functional import classification, correlation, decoupling, divergences, reweighted
from tutelage.losses.signals import Signals

RNG = torch.Generator().manual_seed(0)
Z, V = (torch.randn(7, 4, generator=RNG) for _ in range(2))
Y = torch.tensor([0, 1, 2, 3, 0, 1, 2])
P, LOG_P = torch.softmax(V / 3, 1), torch.log_softmax(V / 3, 1)
STANDARD = torch.softmax(correlation.standardise(V) / 3, 1)

TERMS = {
    "hard_cross_entropy": (tl.losses.hard_cross_entropy(smoothing=0.2), classification.hard_cross_entropy(Z, Y, smoothing=0.2)),
    "soft_cross_entropy": (tl.losses.soft_cross_entropy(temperature=3.0), classification.soft_cross_entropy(Z, P, temperature=3.0)),
    "kl_divergence": (tl.losses.kl_divergence(temperature=3.0), divergences.kl_divergence(Z, P, temperature=3.0)),
    "reverse_kl": (tl.losses.reverse_kl(temperature=3.0), divergences.reverse_kl(Z, LOG_P, temperature=3.0)),
    "jensen_shannon": (
        tl.losses.jensen_shannon(temperature=3.0, teacher_share=0.2),
        divergences.jensen_shannon(Z, LOG_P, temperature=3.0, teacher_share=0.2),
    ),
    "logit_matching": (tl.losses.logit_matching(centred=True), classification.logit_matching(Z, V, centred=True)),
    "decoupled": (
        tl.losses.decoupled(temperature=3.0, target_weight=2.0, other_weight=4.0),
        decoupling.decoupled(Z, V, Y, temperature=3.0, target_weight=2.0, other_weight=4.0),
    ),
    "dist": (
        tl.losses.dist(temperature=3.0, inter_weight=2.0, intra_weight=3.0),
        correlation.dist(Z, P, temperature=3.0, inter_weight=2.0, intra_weight=3.0),
    ),
    "standardised_divergence": (
        tl.losses.standardised_divergence(temperature=3.0),
        correlation.standardised_divergence(Z, STANDARD, temperature=3.0),
    ),
    "weighted_soft_labels": (tl.losses.weighted_soft_labels(temperature=3.0), reweighted.weighted_soft_labels(Z, V, Y, temperature=3.0)),
    "virtual_teacher": (
        tl.losses.virtual_teacher(temperature=10.0, correct=0.9),
        reweighted.virtual_teacher(Z, Y, temperature=10.0, correct=0.9),
    ),
}


@pytest.mark.parametrize("name", TERMS)
def test_each_term_equals_its_pure_function(name):
    objective, expected = TERMS[name]
    total, terms = objective(Signals(Z, teacher_answers=V, labels=Y))
    torch.testing.assert_close(total, expected)
    assert list(terms) == [name]


@pytest.mark.parametrize("name", TERMS)
def test_prepared_targets_give_bitwise_equal_losses(name):
    objective, _ = TERMS[name]
    rows = torch.tensor([6, 2, 3])
    prepared = {key: targets.index_select(-2, rows) for key, targets in objective.prepare(V).items()}
    once = objective(Signals(Z[rows], teacher_answers=V[rows], labels=Y[rows], prepared=prepared)).total
    assert torch.equal(once, objective(Signals(Z[rows], teacher_answers=V[rows], labels=Y[rows])).total)


@pytest.mark.parametrize("name", TERMS)
def test_the_copies_of_a_stack_share_the_teacher_and_the_labels(name):
    objective, expected = TERMS[name]
    stack = Signals(torch.stack([Z, -Z]), teacher_answers=V, labels=Y)
    torch.testing.assert_close(objective(stack).total[0], expected)
    torch.testing.assert_close(objective(stack).total[1], objective(Signals(-Z, teacher_answers=V, labels=Y)).total)


@pytest.mark.parametrize(
    "factory",
    [
        tl.losses.soft_cross_entropy,
        tl.losses.kl_divergence,
        tl.losses.reverse_kl,
        tl.losses.jensen_shannon,
        tl.losses.decoupled,
        tl.losses.dist,
        tl.losses.standardised_divergence,
        tl.losses.weighted_soft_labels,
    ],
)
def test_each_copy_may_have_its_own_temperature(factory):
    stack = torch.stack([Z, -Z])
    objective = factory(temperature=torch.tensor([1.0, 3.0])[:, None, None])
    together = objective(Signals(stack, teacher_answers=V, labels=Y)).total
    prepared = objective.prepare(V)
    torch.testing.assert_close(objective(Signals(stack, teacher_answers=V, labels=Y, prepared=prepared)).total, together)
    for index, temperature in enumerate((1.0, 3.0)):
        alone = factory(temperature=temperature)(Signals(stack[index], teacher_answers=V, labels=Y)).total
        torch.testing.assert_close(together[index], alone, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["reverse_kl", "logit_matching", "standardised_divergence"])
def test_terms_that_need_finite_logits_reject_impossible_classes(name):
    impossible = V.index_fill(1, torch.tensor([2]), -torch.inf)
    with pytest.raises(BadInput, match=f"{name} needs finite teacher logits"):
        TERMS[name][0].prepare(impossible)
    with pytest.raises(BadInput, match=f"{name} needs finite teacher logits"):
        TERMS[name][0](Signals(Z, teacher_answers=impossible))


@pytest.mark.parametrize("name", sorted(set(TERMS) - {"reverse_kl", "logit_matching", "standardised_divergence"}))
def test_the_other_terms_treat_impossible_classes_as_probability_zero(name):
    z = Z.clone().requires_grad_()
    impossible = V.masked_fill(torch.nn.functional.one_hot((Y + 1) % 4, 4).bool(), -torch.inf)
    total = TERMS[name][0](Signals(z, teacher_answers=impossible, labels=Y)).total
    total.sum().backward()
    assert torch.isfinite(total).all()
    assert torch.isfinite(z.grad).all()


@pytest.mark.parametrize("name", ["decoupled", "dist", "standardised_divergence"])
def test_check_rejects_two_classes(name):
    with pytest.raises(ShapeError, match=f"{name} is undefined for 2 classes"):
        TERMS[name][0].check(task="binary", columns=2, given={"teacher", "labels"})


@pytest.mark.parametrize(
    "construct",
    [
        lambda: tl.losses.hard_cross_entropy(smoothing=1.5),
        lambda: tl.losses.soft_cross_entropy(temperature=0),
        lambda: tl.losses.dist(temperature=math.nan),
        lambda: tl.losses.jensen_shannon(teacher_share=1.0),
        lambda: tl.losses.virtual_teacher(correct=1.0),
    ],
)
def test_invalid_parameters_are_rejected_immediately(construct):
    with pytest.raises(BadInput, match=r"expected|takes"):
        construct()
