import torch

from tutelage.losses.class_terms import hard_cross_entropy, kl_divergence, soft_cross_entropy
from tutelage.losses.shared_targets import with_shared_targets
from tutelage.losses.signals import Signals

DISTINCT = torch.tensor([1.0, 4.0])[:, None, None]
WHICH = torch.tensor([0, 1, 1])
ANSWERS = torch.randn(9, 3, generator=torch.Generator().manual_seed(0))
SIGNALS = {"student_answers": torch.randn(3, 9, 3, generator=torch.Generator().manual_seed(1)), "labels": torch.arange(9) % 3}


def objective(temperature):
    return 0.5 * soft_cross_entropy(temperature=temperature) + 0.2 * kl_divergence(temperature=2.0) + 0.3 * hard_cross_entropy()


def test_targets_are_prepared_once_per_distinct_setting_and_give_the_same_loss():
    whole = objective(DISTINCT[WHICH])
    shared = with_shared_targets(whole, objective(DISTINCT), WHICH)
    prepared = shared.prepare(ANSWERS)
    assert prepared["soft_cross_entropy"].shape == (2, 9, 3)
    assert prepared["kl_divergence"].shape == (9, 3)
    expected = whole(Signals(teacher_answers=ANSWERS, **SIGNALS))
    for signals in (Signals(prepared=prepared, **SIGNALS), Signals(teacher_answers=ANSWERS, **SIGNALS)):
        torch.testing.assert_close(shared(signals).total, expected.total)
    answers = SIGNALS["student_answers"].clone().requires_grad_()
    shared(Signals(prepared=prepared, **SIGNALS | {"student_answers": answers})).total.mean(-1).sum().backward()
    gradient, answers.grad = answers.grad, None
    whole(Signals(teacher_answers=ANSWERS, **SIGNALS | {"student_answers": answers})).total.mean(-1).sum().backward()
    torch.testing.assert_close(gradient, answers.grad)


def test_shared_targets_do_not_change_the_weighted_loss():
    whole = soft_cross_entropy(temperature=DISTINCT[WHICH])
    shared = with_shared_targets(whole, soft_cross_entropy(temperature=DISTINCT), WHICH)
    loss = shared.weighted(Signals(prepared=shared.prepare(ANSWERS), **SIGNALS))["soft_cross_entropy"]
    torch.testing.assert_close(loss, whole(Signals(teacher_answers=ANSWERS, **SIGNALS)).total)


def test_distinct_settings_need_no_sharing():
    whole = objective(DISTINCT)
    assert with_shared_targets(whole, whole, torch.arange(2)) is whole
