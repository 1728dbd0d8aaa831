"""The published protocol: its mistakes are made as the origin makes them, and nowhere else."""

import numpy as np
import torch

from tutelage.core.answers import of_classes
from tutelage.experiments.demo import as_published as recipe
from tutelage.losses.functional.classification import soft_cross_entropy
from tutelage.softlabels.labels import SoftLabels
from tutelage.training.stacks.networks import mlp
from tutelage.training.stacks.stack import Stack

LOGITS = torch.tensor([[[2.0, -1.0, 0.5]], [[0.0, 1.0, 3.0]], [[1.0, 1.0, -2.0]]])
LABELS, TAUGHT = torch.tensor([[1.0, 0.0, 0.0]]), torch.tensor([[0.2, 0.3, 0.5]])


def test_the_three_losses_are_softmax_twice_soft_at_the_temperature_and_softmax_once():
    twice, soft, once = recipe._losses(LOGITS, torch.stack([LABELS, TAUGHT], dim=1))[:, 0]
    inner = torch.exp(LOGITS[0, 0]) / torch.exp(LOGITS[0, 0]).sum()
    assert torch.isclose(twice, -torch.log(torch.exp(inner[0]) / torch.exp(inner).sum()))
    z = LOGITS[1, 0] / 3.5
    assert torch.isclose(soft, -(TAUGHT[0] * (z - torch.logsumexp(z, 0))).sum())
    assert torch.isclose(once, soft_cross_entropy(LOGITS[2], LABELS)[0])


def test_softmax_twice_caps_how_sure_the_baseline_can_be():
    sure = torch.tensor([[[1000.0, 0.0, 0.0]]]).expand(3, 1, 3)
    twice = recipe._losses(sure, torch.stack([LABELS, TAUGHT], dim=1))[0, 0]
    assert torch.isclose(twice, -torch.log(torch.tensor(np.e / (np.e + 2)).float()))


def test_folds_go_on_with_the_weights_and_the_optimizer_of_the_fold_before(monkeypatch):
    seen = []

    def noted(network, losses, **options):
        seen.append((id(network), id(options["optimizer"]), options["epochs"], options["batch_size"], len(options["inputs"])))

    monkeypatch.setattr(recipe, "fit", noted)
    recipe._train_students(
        Stack([mlp((4, 3, 2))] * 3, wide=True), inputs=torch.zeros(90, 4), targets=torch.zeros(90, 2, 2), advance=lambda: None
    )
    assert len({(network, optimizer) for network, optimizer, *_ in seen}) == 1
    assert [call[2:] for call in seen] == [(3, 32, 60)] * 3 + [(3, 32, 90)]


def test_the_progress_bar_counts_the_steps_that_are_taken():
    assert recipe._student_steps() == 3 * 3 * 1250 + 3 * 1875


def test_the_explanation_speaks_of_this_runs_figures():
    rng = np.random.default_rng(0)
    labels = np.zeros(100, dtype=int)

    def wrong(*counts):
        return np.stack([np.r_[np.ones(count, dtype=int), np.zeros(100 - count, dtype=int)] for count in counts])

    published = {"teacher-as-published": wrong(3), "student-hard-as-published": wrong(20, 40), "student-soft-as-published": wrong(11, 13)}
    published["student-hard-one-softmax"] = wrong(7, 9)
    right = {"teacher": wrong(1), "student-hard-784-10-10": wrong(5, 6), "student-soft-784-10-10": wrong(4, 4)}
    answers = SoftLabels(rng.normal(size=(50, 10)) * 5, of_classes("logits", range(10)), np.arange(50, dtype=np.uint64))
    table = recipe._table(published, right, labels, soft=np.full((50, 10), 0.1), right_labels=answers)
    assert [(row.published, row.as_published, row.done_right) for row in table.rows] == [
        (248, (3,), (1,)),
        (1366, (20, 40), (5, 6)),
        (696, (11, 13), (4, 4)),
    ]
    for figure in (
        "30 errors here (20 to 40 over 2 seeds)",
        "it makes 8",
        "compared with 12",
        "entropy of 2.30",
        "6 errors on true classes",
        "4 on soft",
    ):
        assert figure in table.explanation
