import numpy as np
import pytest
import torch
from torch import nn

from tutelage import engine
from tutelage.core.errors import SelfCheckFailed, ShapeError
from tutelage.objectives.losses import soft_cross_entropy
from tutelage.students.networks import MLPStack, mlp
from tutelage.students.torch_student import TorchStudent, Validation, fit, steps_of

INPUTS = torch.from_numpy(np.random.default_rng(0).normal(size=(70, 4)).astype(np.float32))
LABELS = (INPUTS[:, 0] > 0).long()
TARGETS = nn.functional.one_hot(LABELS, 2).float()


def trained(network, **options):
    given = {"inputs": INPUTS, "targets": TARGETS, "epochs": 20, "batch_size": 16, **options}
    given.setdefault("optimizer", torch.optim.Adam(network.parameters(), lr=0.02))
    return fit(network, soft_cross_entropy, **given)


def test_a_network_learns_and_the_same_seed_gives_the_same_weights():
    networks = []
    for _ in range(2):
        with engine.seeded(3):
            network = mlp((4, 8, 2))
            trained(network)
        networks.append(network)
    assert (networks[0](INPUTS).argmax(1) == LABELS).float().mean() > 0.95
    assert torch.equal(networks[0][0].weight, networks[1][0].weight)


def test_the_best_epoch_of_each_copy_is_kept():
    with engine.seeded(0):
        stack = MLPStack((4, 8, 2), 2)
        validation = Validation(INPUTS, LABELS)
        # The second copy is taught the opposite: its first epochs are its best.
        targets = torch.stack([TARGETS, 1 - TARGETS], dim=1)
        report = fit(
            stack,
            lambda logits, wanted: soft_cross_entropy(logits, wanted.transpose(0, 1)),
            inputs=INPUTS,
            targets=targets,
            epochs=8,
            batch_size=16,
            optimizer=torch.optim.Adam(stack.parameters(), lr=0.02),
            validation=validation,
        )
    assert report.scores.shape == (8, 2)
    np.testing.assert_array_equal(report.best_epoch, report.scores.argmin(axis=0) + 1)
    assert validation.score(stack).tolist() == report.scores.min(axis=0).tolist()
    assert report.best_epoch[1] < report.best_epoch[0]


def test_a_plain_network_with_norm_layers_comes_back_at_its_best_epoch():
    with engine.seeded(1):
        network = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 2))
        validation = Validation(INPUTS, LABELS)
        report = trained(network, epochs=6, batch_size=35, validation=validation, optimizer=torch.optim.SGD(network.parameters(), lr=3.0))
    assert validation.score(network).item() == report.scores.min()


def test_every_row_is_seen_once_an_epoch_and_the_steps_are_counted():
    seen, steps = [], []

    def noted(logits, wanted):
        seen.append(wanted[:, 0])
        return soft_cross_entropy(logits, TARGETS[: len(wanted)])

    network = mlp((4, 2))
    fit(
        network,
        noted,
        inputs=INPUTS,
        targets=torch.arange(70.0)[:, None],
        epochs=2,
        batch_size=16,
        optimizer=torch.optim.SGD(network.parameters(), lr=0.0),
        advance=lambda: steps.append(1),
    )
    first, second = torch.cat(seen[:5]), torch.cat(seen[5:])
    assert sorted(first.tolist()) == sorted(second.tolist()) == list(range(70))
    assert not torch.equal(first, second)
    assert len(steps) == steps_of(70, batch_size=16, epochs=2) == 10


def test_training_leaves_eval_mode_after_each_validation():
    modes = []

    class Noted(nn.Linear):
        def forward(self, inputs):
            modes.append(self.training)
            return super().forward(inputs)

    network = Noted(4, 2)
    trained(network, epochs=3, batch_size=70, validation=Validation(INPUTS, LABELS))
    assert modes == [True, False] * 3


def test_a_loss_that_is_not_finite_stops_the_training():
    with pytest.raises(SelfCheckFailed, match="loss of epoch 1 is nan; lower the learning rate"):
        trained(mlp((4, 2)), targets=TARGETS * float("nan"))


def test_inputs_and_targets_of_other_lengths_are_refused():
    with pytest.raises(ShapeError, match="70 and 69 rows"):
        trained(mlp((4, 2)), targets=TARGETS[:69])


def test_a_student_predicts_its_labels_from_probabilities_at_temperature_one():
    network = nn.Linear(4, 3)
    student = TorchStudent(network, ("a", "b", "c"))
    p = student.predict_proba(INPUTS.numpy())
    np.testing.assert_allclose(p, torch.softmax(network(INPUTS), 1).detach().numpy(), rtol=1e-5)
    assert student.predict(INPUTS.numpy()).tolist() == [("a", "b", "c")[i] for i in p.argmax(axis=1)]


def test_rows_or_classes_that_do_not_fit_the_network_are_refused():
    with pytest.raises(ShapeError, match=r"cannot take rows of shape \(5,\)"):
        TorchStudent(nn.Linear(4, 2), (0, 1)).predict(np.zeros((1, 5)))
    with pytest.raises(ShapeError, match="one for each of 3 classes"):
        TorchStudent(nn.Linear(4, 2), (0, 1, 2)).predict(np.zeros((1, 4)))


def test_validation_counts_errors_or_averages_the_loss():
    logits = torch.tensor([[[2.0, 0.0], [0.0, 1.0]], [[0.0, 3.0], [0.0, 1.0]]])

    class Stack(nn.Module):
        copies = 2

        def forward(self, inputs):
            return logits

    labels = torch.tensor([0, 1])
    assert Validation(torch.zeros(2, 1), labels).score(Stack()).tolist() == [0.0, 1.0]
    loss = Validation(torch.zeros(2, 1), labels, by="loss").score(Stack())
    expected = [nn.functional.cross_entropy(copy, labels).item() for copy in logits]
    torch.testing.assert_close(loss, torch.tensor(expected).double(), rtol=1e-6, atol=1e-6)
    soft = Validation(torch.zeros(2, 1), nn.functional.one_hot(labels, 2).float(), by="loss").score(Stack())
    torch.testing.assert_close(soft, loss)
