"""The progress line: what it says of an epoch, on a terminal and off one."""

import io

import numpy as np
import pytest
from rich.console import Console

import tutelage as tl
from tutelage.training.stacks.networks import mlp
from tutelage.training.state import Report
from tutelage.training.watching.progress import epoch_line, progress_line

BOTH = Report(3, 0.4123, {"soft_cross_entropy": 0.3503, "hard_cross_entropy": 0.062}, np.array([0.0312]), 1e-3, np.array([2]))


def test_an_epoch_is_told_term_by_term():
    assert epoch_line(BOTH, 20) == (
        "epoch 3/20: soft_cross_entropy 0.35 + hard_cross_entropy 0.062 = 0.412; validation 0.0312 (best: epoch 2)"
    )
    assert epoch_line(Report(1, 0.5, {}, None, 1e-3, None), 2) == "epoch 1/2: loss 0.5"


def test_of_a_stack_the_best_copy_is_told():
    stack = Report(4, 1.0, {}, np.array([0.3, 0.1]), 1e-3, np.array([1, 4]))
    assert epoch_line(stack, 5).endswith("validation 0.1 (best: epoch 4)")


@pytest.mark.parametrize("terminal", [True, False])
def test_the_last_epoch_stays_on_the_screen_and_only_a_terminal_gets_a_bar(terminal):
    screen = io.StringIO()
    with progress_line(6, 20, Console(file=screen, force_terminal=terminal, width=160)) as (step_done, epoch_done):
        for _ in range(6):
            step_done()
        epoch_done(BOTH)
    assert epoch_line(BOTH, 20) in screen.getvalue()
    assert ("\N{BOX DRAWINGS HEAVY HORIZONTAL}" in screen.getvalue()) == terminal


def test_a_training_shows_its_terms_when_asked_to(capsys):
    X, y = np.random.default_rng(0).normal(size=(40, 3)), np.arange(40) % 2
    labels = tl.record(tl.as_teacher(lambda rows: rows[:, :2], kind="logits", classes=[0, 1]), X)
    objective = tl.losses.soft_cross_entropy() + tl.losses.hard_cross_entropy()
    tl.TorchStudent(mlp((3, 2)), objective).fit(X, labels, y, epochs=2, validation=0.25, progress=True)
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition(":")[0] for line in lines] == ["epoch 1/2", "epoch 2/2"]
    assert "soft_cross_entropy" in lines[0]
    assert "hard_cross_entropy" in lines[0]
