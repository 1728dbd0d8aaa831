import warnings

import numpy as np
import pytest
import torch
from torch import nn

from tutelage.core.answers import of_classes
from tutelage.core.errors import BadInput, LabelMismatch
from tutelage.data.row_names import row_names
from tutelage.losses.class_terms import logit_matching, soft_cross_entropy
from tutelage.teachers.adapt import as_teacher
from tutelage.training import teacher_answers
from tutelage.training.batch_loss import BatchLoss
from tutelage.training.feeds import Batch
from tutelage.training.teacher_answers import BatchAnswers, PreparedAnswers, live, recorded

ROWS = np.random.default_rng(0).normal(size=(8, 3)).astype(np.float32)
INPUTS = torch.from_numpy(ROWS)
FORM = of_classes("logits", ("a", "b"))
CPU = torch.device("cpu")
BATCH = Batch(INPUTS[[5, 2]], torch.tensor([5, 2]))
LOGITS = np.random.default_rng(1).normal(size=(8, 2))


def test_what_is_prepared_is_not_kept_raw_unless_a_term_reads_it():
    objective = soft_cross_entropy(temperature=2.0)
    prepared = recorded(LOGITS, FORM, objective, CPU)
    assert prepared.answers is None
    said = prepared(BATCH)
    everything = objective.prepare(torch.from_numpy(LOGITS).float())
    assert torch.equal(said["prepared"]["soft_cross_entropy"], everything["soft_cross_entropy"][[5, 2]])
    assert said["teacher_answers"] is None
    both = recorded(LOGITS, FORM, soft_cross_entropy() + logit_matching(), CPU)
    saved = both(BATCH)["teacher_answers"] is not None or "logit_matching" in both(BATCH)["prepared"]
    assert saved


@pytest.mark.parametrize("temperature", [2.0, torch.tensor([1.0, 4.0])[:, None, None]])
def test_what_is_prepared_part_by_part_is_what_is_prepared_at_once(temperature, monkeypatch):
    objective = soft_cross_entropy(temperature=temperature) + logit_matching()
    whole = objective.prepare(torch.from_numpy(LOGITS).float())
    monkeypatch.setattr(teacher_answers, "PREPARED_CELLS", 7)
    parts = recorded(LOGITS, FORM, objective, CPU).prepared
    assert parts.keys() == whole.keys()
    assert all(torch.equal(parts[name], whole[name]) for name in whole)


def test_live_and_recorded_answers_say_the_same():
    teacher = as_teacher(nn.Linear(3, 2), classes=("a", "b"))
    objective = soft_cross_entropy(temperature=3.0)
    network = nn.Linear(3, 2)
    asked = BatchLoss(network, objective, lambda said: said, live(teacher, CPU))
    saved = BatchLoss(network, objective, lambda said: said, recorded(teacher.answer(ROWS), teacher.form, objective, CPU))
    torch.testing.assert_close(asked(BATCH), saved(BATCH))


def test_views_that_are_not_those_recorded_are_found_when_they_are_first_shown():
    names = row_names(ROWS)
    answers = recorded(LOGITS, FORM, soft_cross_entropy(), CPU, unproven=names)
    answers(BATCH)
    assert (names == 0).sum() == 2
    with pytest.raises(LabelMismatch, match=r"1 of 2 views in a batch are not those that were recorded \(first: row 3\)"):
        answers(Batch(INPUTS[[4, 7]], torch.tensor([4, 3])))


@pytest.mark.parametrize("form", [FORM, of_classes("probabilities", ("a", "b"))])
def test_very_many_answers_are_kept_once_and_give_the_same_bits(form, monkeypatch):
    answers = LOGITS if form.kind == "logits" else FORM.probabilities(LOGITS)
    objective = soft_cross_entropy(temperature=3.0) + logit_matching()
    network = nn.Linear(3, 2)
    few = recorded(answers, form, objective, CPU)
    monkeypatch.setattr(teacher_answers, "PREPARED_BYTES", answers.nbytes - 1)
    many = recorded(answers, form, objective, CPU, unproven=row_names(ROWS))
    assert isinstance(few, PreparedAnswers)
    assert isinstance(many, BatchAnswers)
    costs = [BatchLoss(network, objective, lambda said: said, saved)(BATCH) for saved in (few, many)]
    assert list(costs[0]) == list(costs[1]) == ["soft_cross_entropy", "logit_matching"]
    assert all(torch.equal(costs[0][term].losses(), costs[1][term].losses()) for term in costs[0])
    with pytest.raises(LabelMismatch, match="1 of 2 views"):
        many(Batch(INPUTS[[4, 7]], torch.tensor([4, 3])))


def test_very_many_answers_that_an_objective_cannot_take_are_refused_beforehand(monkeypatch):
    never = np.array([[0.0, 1.0], [0.5, 0.5]])
    monkeypatch.setattr(teacher_answers, "PREPARED_BYTES", 0)
    with pytest.raises(BadInput, match="logit_matching"):
        recorded(never, of_classes("probabilities", ("a", "b")), logit_matching(), CPU)


def test_answers_that_must_not_be_written_are_taken_without_a_warning():
    answers = LOGITS.astype(np.float32)
    answers.flags.writeable = False
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        saved = recorded(answers, FORM, soft_cross_entropy(), CPU)
    assert saved(BATCH)["prepared"]["soft_cross_entropy"].shape == (2, 2)
