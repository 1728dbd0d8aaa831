"""A student teaches in its turn: another one afterwards, or one that learns at the same time."""

from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

import tutelage as tl
from tutelage.core import torch_runtime
from tutelage.core.errors import BadInput
from tutelage.losses.functional.divergences import kl_divergence
from tutelage.training.stacks.networks import mlp

INPUTS = torch.from_numpy(np.random.default_rng(0).normal(size=(70, 4)).astype(np.float32))
ROWS = INPUTS.numpy()
NAMES = ("c", "a", "b")
CODES = (INPUTS @ torch.tensor([[1.0, 0, -1], [0, 1, 0], [1, -1, 0], [0, 0, 1]])).argmax(dim=1)
DECIDED = np.array(NAMES)[CODES]
QUICK = {"epochs": 30, "batch_size": 16, "optimizer": partial(torch.optim.Adam, lr=0.02)}


class Wordy(nn.Linear):
    def forward(self, inputs):
        return {"logits": super().forward(inputs)}


class Peers(tl.training.StackedNetwork, nn.ModuleList):
    copies = 2

    def forward(self, inputs):
        return torch.stack([peer(inputs) for peer in self])


def small(seed=0):
    with torch_runtime.seeded(seed):
        return mlp((4, 8, 3))


@pytest.mark.parametrize(
    ("student", "y", "kind", "task"),
    [
        (tl.TorchStudent(small(), classes=NAMES), DECIDED, "logits", "multiclass"),
        (tl.TorchStudent(nn.Linear(4, 2)), DECIDED == "a", "logits", "binary"),
        (tl.TorchStudent(nn.Linear(4, 2), tl.losses.hard_bernoulli()), ROWS[:, :2] > 0, "logits", "multilabel"),
        (tl.TorchStudent(nn.Linear(4, 1), tl.losses.squared_error(against="labels")), ROWS[:, 0], "values", "regression"),
        (tl.TorchStudent(Wordy(4, 3), output=lambda said: said["logits"]), DECIDED, "logits", "multiclass"),
    ],
)
def test_a_taught_student_answers_as_its_network_does(student, y, kind, task):
    teacher = tl.as_teacher(student.fit(ROWS, y=y, epochs=2))
    assert (teacher.form.kind, teacher.form.task) == (kind, task)
    with torch.no_grad():
        said = student.network(INPUTS)
    np.testing.assert_array_equal(tl.record(teacher, ROWS).answers, said["logits"] if isinstance(said, dict) else said)


def test_a_student_learns_from_a_student_and_from_its_hidden_layer():
    middling = tl.TorchStudent(small(), classes=NAMES).fit(ROWS, y=DECIDED, **QUICK)
    student = tl.TorchStudent(small(1), tl.losses.soft_cross_entropy() + 0.1 * tl.losses.hint("1")).fit(ROWS, middling, **QUICK)
    assert (student.predict(ROWS) == middling.predict(ROWS)).mean() > 0.9
    assert tl.as_teacher(middling).fingerprint == tl.as_teacher(tl.TorchStudent(middling.network, classes=NAMES)).fingerprint
    assert tl.as_teacher(middling).fingerprint != tl.as_teacher(student).fingerprint
    with pytest.raises(BadInput, match="classes= was passed for a TorchStudent, which does not need it"):
        tl.as_teacher(middling, classes=NAMES)


def test_a_student_that_was_never_taught_teaches_nobody():
    with pytest.raises(BadInput, match=r"TorchStudent has predict_proba but no classes_, .* fit it"):
        tl.as_teacher(tl.TorchStudent(small()))


def test_two_that_learn_from_each_other_end_where_a_bare_loop_ends():
    def from_peer(logits):
        return kl_divergence(logits, logits.detach().flip(0).softmax(dim=-1))

    peers, bare = Peers([small(0), small(1)]), [small(0), small(1)]
    objective = tl.losses.hard_cross_entropy() + tl.losses.Objective((tl.losses.Term("from peer", from_peer, ("student",)),))
    student = tl.TorchStudent(peers, objective, classes=NAMES)
    student.fit(ROWS, y=DECIDED, epochs=5, batch_size=70, optimizer=partial(torch.optim.SGD, lr=0.5))
    optimizer = torch.optim.SGD([parameter for peer in bare for parameter in peer.parameters()], lr=0.5)
    for _ in range(5):
        said = [peer(INPUTS).log_softmax(dim=1) for peer in bare]
        losses = [
            nn.functional.nll_loss(own, CODES) + nn.functional.kl_div(own, other.detach(), reduction="batchmean", log_target=True)
            for own, other in (said, said[::-1])
        ]
        optimizer.zero_grad()
        sum(losses).backward()
        optimizer.step()
    for own, expected in zip(peers.parameters(), nn.ModuleList(bare).parameters(), strict=True):
        torch.testing.assert_close(own, expected, rtol=1e-4, atol=1e-5)
