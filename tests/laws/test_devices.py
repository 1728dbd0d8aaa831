"""The laws of training on every device of this machine; `scripts/gpu` runs this file where there is a GPU."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import tutelage as tl
from tutelage.core import torch_runtime

GPU = pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here: scripts/gpu, where there is one"))
OTHER = {"cuda": "cpu", "cpu": "cuda" if torch.cuda.is_available() else "cpu"}

RNG = np.random.default_rng(0)
PICTURES = RNG.uniform(size=(203, 1, 12, 12)).astype(np.float32)
TRUTH = (PICTURES.mean(axis=(1, 2, 3)) > 0.5).astype(np.int64) + 2 * (PICTURES[:, 0, :6].mean(axis=(1, 2)) > 0.5)

LOSSES = tl.losses
OF_CLASSES = {
    "decoupled": LOSSES.decoupled(),
    "dist": LOSSES.dist(),
    "hard_cross_entropy": LOSSES.hard_cross_entropy(smoothing=0.1),
    "jensen_shannon": LOSSES.jensen_shannon(),
    "kl_divergence": LOSSES.kl_divergence(temperature=2.0),
    "logit_matching": LOSSES.logit_matching(),
    "reverse_kl": LOSSES.reverse_kl(),
    "soft_cross_entropy": LOSSES.soft_cross_entropy(temperature=4.0),
    "standardised_divergence": LOSSES.standardised_divergence(),
    "virtual_teacher": LOSSES.virtual_teacher(),
    "weighted_soft_labels": LOSSES.weighted_soft_labels(),
}
OF_LAYERS = {
    "attention_transfer": LOSSES.attention_transfer("0", "0"),
    "contrastive": LOSSES.contrastive("4", "5", negatives=8),
    "hint": LOSSES.hint("0", "0"),
    "probabilistic_transfer": LOSSES.probabilistic_transfer("4", "5"),
    "relational_angle": LOSSES.relational_angle("4", "5"),
    "relational_distance": LOSSES.relational_distance("4", "5"),
    "similarity_preserving": LOSSES.similarity_preserving("4", "5"),
}
OF_VALUES = {
    "gaussian": LOSSES.gaussian(),
    "huber": LOSSES.huber(),
    "squared_error": LOSSES.squared_error(),
    "teacher_bounded": LOSSES.teacher_bounded(),
}
OF_LABELS = {"hard_bernoulli": LOSSES.hard_bernoulli(), "soft_bernoulli": LOSSES.soft_bernoulli(temperature=2.0)}


@pytest.fixture(params=["cpu", GPU])
def device(request, monkeypatch):
    """A device, on which the same work gives the same bits."""
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True)
    yield request.param
    torch.use_deterministic_algorithms(before)


def student_network():
    with torch_runtime.seeded(0):
        return nn.Sequential(nn.Conv2d(1, 4, 3, 2), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.1), nn.Flatten(), nn.Linear(100, 4))


def teacher_network():
    with torch_runtime.seeded(1):
        return nn.Sequential(nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Dropout(), nn.Flatten(), nn.Linear(800, 4))


def teacher(device="cpu"):
    return tl.teachers.as_teacher(teacher_network().to(device), classes=range(4))


def recorded(function, rows, **form):
    return tl.record(tl.teachers.as_teacher(function, **form), rows)


BOTH = 0.8 * LOSSES.soft_cross_entropy(temperature=3.0) + 0.2 * LOSSES.hard_cross_entropy()


def taught(data, labels, device, objective=BOTH, **settings):
    student = tl.TorchStudent(student_network(), objective)
    return student.fit(data, labels, TRUTH, device=device, **{"epochs": 4, "batch_size": 32, **settings})


def assert_same_weights(first, second):
    for name, value in first.network.state_dict().items():
        torch.testing.assert_close(second.network.state_dict()[name], value, rtol=0, atol=0, msg=name)


@pytest.mark.parametrize("rows", ["array", "views"])
def test_recorded_is_live(device, rows):
    data = PICTURES if rows == "array" else tl.transfer.Views(PICTURES, tl.transfer.Affine(degrees=10, shift=1), count=3, seed=5)
    live = taught(data, teacher(device), device)
    assert_same_weights(live, taught(data, tl.record(teacher(device), data), device))
    assert next(live.network.parameters()).device.type == device


def test_an_interrupted_training_resumes_to_the_same_bits(device, tmp_path):
    def interrupted(report):
        if report.epoch == 2:
            raise KeyboardInterrupt

    settings = {"validation": (PICTURES[:50], TRUTH[:50]), "average": 0.9, "clip_norm": 1.0, "schedule": tl.training.one_cycle}
    alone = taught(PICTURES, teacher(device), device, **settings)
    with pytest.raises(KeyboardInterrupt):
        taught(PICTURES, teacher(device), device, **settings, checkpoints=tmp_path, callbacks=[interrupted])
    assert_same_weights(alone, taught(PICTURES, teacher(device), device, **settings, checkpoints=tmp_path))


def test_a_teacher_may_be_on_another_device(device):
    objective = BOTH + 0.1 * LOSSES.hint("0", "0") + 0.1 * LOSSES.similarity_preserving("4", "5")
    near, far = (taught(PICTURES, teacher(each), device, objective, epochs=2) for each in (device, OTHER[device]))
    np.testing.assert_allclose(far.predict_proba(PICTURES), near.predict_proba(PICTURES), atol=1e-3)


def test_bfloat16_leaves_float32_weights_that_learnt(device):
    student = taught(PICTURES, tl.record(teacher(device), PICTURES), device, precision="bfloat16")
    assert {value.dtype for value in student.network.parameters()} == {torch.float32}
    assert student.fit_.losses[-1] < student.fit_.losses[0]
    assert np.isfinite(student.predict_proba(PICTURES)).all()


def test_students_learn_in_a_stack_as_alone(device):
    with torch_runtime.seeded(0):
        network = tl.training.mlp((144, 8, 4))
    rows = PICTURES.reshape(203, -1)
    labels = recorded(lambda rows: np.eye(4)[TRUTH][: len(rows)] * 0.7 + 0.075, rows, kind="probabilities", classes=range(4))
    settings = {"temperature": [1.0, 4.0], "soft_weight": [0.5, 1.0], "seed": range(2), "epochs": 3, "validation": 0.25, "device": device}
    alone, together = (tl.sweep(network, rows, labels, TRUTH, **settings, stack_size=size) for size in (1, 64))
    assert "stack" in together.how
    np.testing.assert_allclose(together.scores, alone.scores, atol=2)


def test_a_loader_and_a_student_of_another_device_agree(device, tmp_path):
    loader = DataLoader(TensorDataset(torch.from_numpy(PICTURES), torch.from_numpy(TRUTH)), batch_size=32, shuffle=True)
    student = tl.TorchStudent(student_network(), BOTH).fit(loader, teacher(OTHER[device]), device=device, epochs=2)
    there = student.predict_proba(PICTURES)
    student.network.to("cpu")
    np.testing.assert_allclose(student.predict_proba(PICTURES), there, atol=1e-4)


def test_a_caller_keeps_its_random_state(device):
    torch.manual_seed(7)
    expected = torch.rand(3, device=device)
    torch.manual_seed(7)
    with torch_runtime.seeded(1):
        torch.rand(3, device=device)
    assert torch.equal(torch.rand(3, device=device), expected)


def test_accelerate_trains_on_its_device(device):
    accelerate = pytest.importorskip("accelerate")
    backend = tl.training.Accelerated(accelerate.Accelerator(cpu=device == "cpu"))
    student = taught(PICTURES, tl.record(teacher(device), PICTURES), None, backend=backend)
    assert next(student.network.parameters()).device.type == device
    assert student.fit_.losses[-1] < student.fit_.losses[0]


@pytest.mark.parametrize("name", [*OF_CLASSES, *OF_LAYERS])
def test_every_objective_trains_as_on_the_cpu(device, name):
    objective = {**OF_CLASSES, **OF_LAYERS}[name]
    if not objective.needs & {"teacher", "labels"}:
        objective = objective + 0.1 * LOSSES.soft_cross_entropy()
    try:
        found = taught(PICTURES, teacher(device), device, objective, epochs=1)
    except RuntimeError as error:  # a few backward passes have no deterministic form on a GPU
        if "deterministic" not in str(error):
            raise
        torch.use_deterministic_algorithms(False)
        found = taught(PICTURES, teacher(device), device, objective, epochs=1)
    expected = taught(PICTURES, teacher(), "cpu", objective, epochs=1)
    if name != "contrastive":  # its negatives are drawn on the device
        np.testing.assert_allclose(found.fit_.losses, expected.fit_.losses, rtol=0.02)
    assert np.isfinite(found.fit_.losses).all()


@pytest.mark.parametrize("name", OF_VALUES)
def test_objectives_of_values_train_as_on_the_cpu(device, name):
    rows, values = PICTURES.reshape(203, -1), PICTURES.reshape(203, -1)[:, :2]
    answers = np.hstack([values, np.full_like(values, 0.1)]) if name == "gaussian" else values
    losses = {}
    for where in (device, "cpu"):
        with torch_runtime.seeded(0):
            student = tl.TorchStudent(tl.training.mlp((144, 8, 2)), OF_VALUES[name])
        labels = recorded(lambda _: answers, rows, kind="values", task="regression")
        losses[where] = student.fit(rows, labels, values, device=where, epochs=2).fit_.losses
    np.testing.assert_allclose(losses[device], losses["cpu"], rtol=1e-3)


@pytest.mark.parametrize("name", OF_LABELS)
def test_objectives_of_labels_train_as_on_the_cpu(device, name):
    rows = PICTURES.reshape(203, -1)
    truth = (rows[:, :4] > 0.5).astype(np.int64)
    losses = {}
    for where in (device, "cpu"):
        with torch_runtime.seeded(0):
            student = tl.TorchStudent(tl.training.mlp((144, 8, 4)), OF_LABELS[name])
        labels = recorded(lambda rows: rows[:, :4], rows, kind="probabilities", task="multilabel", classes="abcd")
        losses[where] = student.fit(rows, labels, truth, device=where, epochs=2).fit_.losses
    np.testing.assert_allclose(losses[device], losses["cpu"], rtol=1e-3)
