import warnings

import numpy as np
import pytest
import torch
from torch import nn

from tutelage.core.answer_values.top_answers import TopAnswers
from tutelage.core.answers import of_classes
from tutelage.core.errors import BadInput, LabelMismatch
from tutelage.data.row_names import row_names
from tutelage.losses.class_terms import kl_divergence, logit_matching, soft_cross_entropy
from tutelage.losses.top_targets import TopTargets
from tutelage.teachers.adapt import as_teacher
from tutelage.training.batch_loss import BatchLoss
from tutelage.training.feeding import teacher_answers
from tutelage.training.feeding.feeds import Batch
from tutelage.training.feeding.teacher_answers import BatchAnswers, PreparedAnswers, live_answers, recorded_answers

ROWS = np.random.default_rng(0).normal(size=(8, 3)).astype(np.float32)
INPUTS = torch.from_numpy(ROWS)
FORM = of_classes("logits", ("a", "b"))
CPU = torch.device("cpu")
BATCH = Batch(INPUTS[[5, 2]], torch.tensor([5, 2]))
LOGITS = np.random.default_rng(1).normal(size=(8, 2))


def test_raw_answers_are_dropped_unless_a_term_reads_them():
    objective = soft_cross_entropy(temperature=2.0)
    prepared = recorded_answers(LOGITS, FORM, objective, CPU)
    assert prepared.answers is None
    answers = prepared(BATCH)
    everything = objective.prepare(torch.from_numpy(LOGITS).float())
    assert torch.equal(answers["prepared"]["soft_cross_entropy"], everything["soft_cross_entropy"][[5, 2]])
    assert answers["teacher_answers"] is None
    both = recorded_answers(LOGITS, FORM, soft_cross_entropy() + logit_matching(), CPU)
    from_recorded = both(BATCH)["teacher_answers"] is not None or "logit_matching" in both(BATCH)["prepared"]
    assert from_recorded


@pytest.mark.parametrize("temperature", [2.0, torch.tensor([1.0, 4.0])[:, None, None]])
def test_targets_prepared_in_parts_equal_those_prepared_at_once(temperature, monkeypatch):
    objective = soft_cross_entropy(temperature=temperature) + logit_matching()
    whole = objective.prepare(torch.from_numpy(LOGITS).float())
    monkeypatch.setattr(teacher_answers, "PREPARED_CELLS", 7)
    parts = recorded_answers(LOGITS, FORM, objective, CPU).prepared
    assert parts.keys() == whole.keys()
    assert all(torch.equal(parts[name], whole[name]) for name in whole)


def test_live_and_recorded_answers_give_the_same_loss():
    teacher = as_teacher(nn.Linear(3, 2), classes=("a", "b"))
    objective = soft_cross_entropy(temperature=3.0)
    network = nn.Linear(3, 2)
    from_live = BatchLoss(network, objective, lambda returned: returned, live_answers(teacher, CPU))
    from_recorded = BatchLoss(
        network, objective, lambda returned: returned, recorded_answers(teacher.answer(ROWS), teacher.form, objective, CPU)
    )
    torch.testing.assert_close(from_live(BATCH), from_recorded(BATCH))


def test_views_that_were_not_recorded_are_refused_when_they_are_first_shown():
    names = row_names(ROWS)
    answers = recorded_answers(LOGITS, FORM, soft_cross_entropy(), CPU, unverified=names)
    answers(BATCH)
    assert (names == 0).sum() == 2
    with pytest.raises(LabelMismatch, match=r"1 of 2 views in a batch are not those that were recorded \(first: row 3\)"):
        answers(Batch(INPUTS[[4, 7]], torch.tensor([4, 3])))


@pytest.mark.parametrize("form", [FORM, of_classes("probabilities", ("a", "b"))])
def test_answers_above_the_limit_are_not_copied_and_give_the_same_bits(form, monkeypatch):
    answers = LOGITS if form.kind == "logits" else FORM.probabilities(LOGITS)
    objective = soft_cross_entropy(temperature=3.0) + logit_matching()
    network = nn.Linear(3, 2)
    small = recorded_answers(answers, form, objective, CPU)
    monkeypatch.setattr(teacher_answers, "PREPARED_BYTES", answers.nbytes - 1)
    large = recorded_answers(answers, form, objective, CPU, unverified=row_names(ROWS))
    assert isinstance(small, PreparedAnswers)
    assert isinstance(large, BatchAnswers)
    losses = [BatchLoss(network, objective, lambda returned: returned, from_recorded)(BATCH) for from_recorded in (small, large)]
    assert list(losses[0]) == list(losses[1]) == ["soft_cross_entropy", "logit_matching"]
    assert all(torch.equal(losses[0][term], losses[1][term]) for term in losses[0])
    with pytest.raises(LabelMismatch, match="1 of 2 views"):
        large(Batch(INPUTS[[4, 7]], torch.tensor([4, 3])))


def test_answers_above_the_limit_that_an_objective_cannot_use_are_refused_before_training(monkeypatch):
    impossible_class = np.array([[0.0, 1.0], [0.5, 0.5]])
    monkeypatch.setattr(teacher_answers, "PREPARED_BYTES", 0)
    with pytest.raises(BadInput, match="logit_matching"):
        recorded_answers(impossible_class, of_classes("probabilities", ("a", "b")), logit_matching(), CPU)


def test_read_only_answers_cause_no_warning():
    answers = LOGITS.astype(np.float32)
    answers.flags.writeable = False
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        from_recorded = recorded_answers(answers, FORM, soft_cross_entropy(), CPU)
    assert from_recorded(BATCH)["prepared"]["soft_cross_entropy"].shape == (2, 2)


WIDE = of_classes("logits", range(40))
WIDE_LOGITS = np.random.default_rng(2).normal(size=(8, 40)) * 2
TOP = TopAnswers.of(WIDE_LOGITS, "logits", 6)


def test_the_most_probable_classes_reach_the_losses_as_they_are():
    answers = recorded_answers(TOP.in_precision("float16"), WIDE, kl_divergence(temperature=2.0), CPU)
    top = answers(BATCH)["teacher_answers"]
    assert isinstance(top, TopTargets)
    assert (top.ids.dtype, top.log_probs.dtype, top.columns) == (torch.int64, torch.float32, 40)
    assert top.ids.tolist() == TOP.ids[[5, 2]].tolist()
    torch.testing.assert_close(top.rest, torch.from_numpy(TOP.rest[[5, 2]]))


def test_a_live_teacher_may_name_the_most_probable_classes():
    weights = np.random.default_rng(3).normal(size=(3, 40)).astype(np.float32)
    teacher = as_teacher(lambda rows: TopAnswers.of(np.asarray(rows) @ weights, "logits", 6), kind="logits", classes=range(40))
    objective, network = kl_divergence(temperature=2.0), nn.Linear(3, 40)
    live = BatchLoss(network, objective, lambda returned: returned, live_answers(teacher, CPU))
    recorded = BatchLoss(network, objective, lambda returned: returned, recorded_answers(teacher.answer(ROWS), WIDE, objective, CPU))
    torch.testing.assert_close(live(BATCH), recorded(BATCH))


def test_an_objective_that_needs_all_numbers_is_refused_before_training():
    with pytest.raises(BadInput, match=r"logit_matching needs the teacher's number for each of 40 classes, and only the 6 most probable"):
        recorded_answers(TOP, WIDE, soft_cross_entropy() + logit_matching(), CPU)
