import os
import socket
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from prepared_processes import assert_finishes, started
from safetensors.numpy import load_file
from safetensors.torch import save_file
from torch import nn

from tutelage.core import torch_runtime
from tutelage.core.errors import BadInput
from tutelage.losses import class_terms
from tutelage.losses.class_terms import dist, hard_cross_entropy, soft_cross_entropy
from tutelage.losses.hidden_terms import (
    contrastive,
    cosine_distance,
    hint,
    probabilistic_transfer,
    relational_angle,
    relational_distance,
    similarity_preserving,
    token_relations,
)
from tutelage.losses.schedules import linear
from tutelage.losses.signals import Signals
from tutelage.teachers.adapt import as_teacher
from tutelage.training.accelerated import Accelerated, tracked
from tutelage.training.feeding.feeds import in_batches
from tutelage.training.settings import one_cycle
from tutelage.training.state import Report
from tutelage.training.student import TorchStudent

RNG = np.random.default_rng(0)
ROWS, LABELS = RNG.normal(size=(98, 6)).astype(np.float32), RNG.integers(0, 3, 98)  # the last batch is one row for each process


def teach(path, environment=None):
    """Teach a student, in the process that the environment names if there is one, and save it with its losses."""
    with torch_runtime.seeded(1):
        teacher = as_teacher(nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 3)), classes=range(3))
    with torch_runtime.seeded(2):
        network = nn.Sequential(nn.Linear(6, 16), nn.LayerNorm(16), nn.Tanh(), nn.Linear(16, 3))
    backend, reports = backend_of(environment), []
    objective = 0.5 * soft_cross_entropy(temperature=2.0) + 0.5 * hard_cross_entropy() + hint("0")
    student = TorchStudent(network, objective).fit(
        ROWS,
        teacher,
        LABELS,
        validation=(ROWS[:30], LABELS[:30]),
        epochs=5,
        batch_size=16,
        schedule=one_cycle,
        optimizer=partial(torch.optim.SGD, lr=0.3, momentum=0.9),
        clip_norm=1.0,
        threads=1,
        backend=backend,
        callbacks=[reports.append],
    )
    save(student, backend, reports, path)


def backend_of(environment):
    if environment is None:
        return None
    from accelerate import Accelerator

    os.environ.update(environment)
    backend = Accelerated(Accelerator(cpu=True))
    assert backend.accelerator.num_processes == 2
    return backend


def save(student, backend, reports, path):
    if backend is None or backend.writes_checkpoints:
        projector = {f"projector {name}": value for name, value in student.projectors_.state_dict().items()}
        assert len(projector) == 2
        save_file({**student.network.state_dict(), **projector, "losses": torch.tensor([report.loss for report in reports])}, path)


class Tagger(nn.Module):
    """An answer for each token, from it and the mean of those that count."""

    def __init__(self, width):
        super().__init__()
        self.embed, self.mix, self.head = nn.Embedding(20, width), nn.Linear(2 * width, width), nn.Linear(width, 3)

    def forward(self, input_ids, attention_mask):
        hidden = self.embed(input_ids)
        mean = (hidden * attention_mask[..., None]).sum(1) / attention_mask.sum(1, keepdim=True)
        return self.head(torch.tanh(self.mix(torch.cat([hidden, mean[:, None].expand_as(hidden)], dim=-1))))


def teach_tokens(path, environment=None):
    """Teach a tagger of texts of different lengths, in steps of three batches; the truth of some texts is ignored everywhere."""
    rng = np.random.default_rng(3)
    lengths = rng.integers(1, 12, 41)
    texts = {"input_ids": [rng.integers(0, 20, length) for length in lengths], "attention_mask": [np.ones(n, int) for n in lengths]}
    tags = [np.where(rng.random(n) < (1.0 if n % 3 == 0 else 0.3), -100, rng.integers(0, 3, n)) for n in lengths]
    with torch_runtime.seeded(1):
        teacher = as_teacher(Tagger(6), classes=range(3), positions="tokens")
    with torch_runtime.seeded(2):
        network = Tagger(4)
    backend, reports = backend_of(environment), []
    objective = (
        linear(0.8, 0.2) * soft_cross_entropy(temperature=2.0) + hard_cross_entropy() + hint("mix") + token_relations("embed", heads=2)
    )
    student = TorchStudent(network, objective).fit(
        texts,
        teacher,
        tags,
        sample_weight=rng.uniform(0.2, 2, 41),
        class_weight="balanced",
        epochs=3,
        batch_size=5,
        accumulate=3,
        schedule=one_cycle,
        optimizer=partial(torch.optim.SGD, lr=0.3, momentum=0.9),
        threads=1,
        backend=backend,
        callbacks=[reports.append],
    )
    save(student, backend, reports, path)


@pytest.mark.exhaustive
@pytest.mark.slow
@pytest.mark.parametrize("teach", [teach, teach_tokens])
def test_two_processes_teach_the_same_student_as_one(tmp_path, teach):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    group = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}  # as a launcher would set it
    for process in [started(teach, tmp_path / "two", {**group, "RANK": rank, "LOCAL_RANK": rank}) for rank in "01"]:
        assert_finishes(process)
    teach(tmp_path / "one")
    one, two = load_file(tmp_path / "one"), load_file(tmp_path / "two")
    assert one.keys() == two.keys()
    for name, value in one.items():
        np.testing.assert_allclose(two[name], value, rtol=1e-4, atol=1e-5)


def public_losses():
    """An objective of every public loss of classes and hidden layers that takes three units."""
    layers = (hint, cosine_distance, relational_distance, relational_angle, similarity_preserving, probabilistic_transfer, contrastive)
    classes = (
        class_terms.hard_cross_entropy, class_terms.soft_cross_entropy, class_terms.kl_divergence, class_terms.reverse_kl, dist,
        class_terms.jensen_shannon, class_terms.decoupled, class_terms.logit_matching, class_terms.standardised_divergence,
        class_terms.weighted_soft_labels, class_terms.virtual_teacher,
    )  # fmt: skip
    return {loss.__name__: loss("") for loss in layers} | {loss.__name__: loss() for loss in classes}


class FakeAccelerator(SimpleNamespace):
    gradient_accumulation_steps, is_main_process, device, num_processes, process_index = 1, False, torch.device("cpu"), 1, 0


def test_every_row_belongs_to_one_process_and_counts_once():
    order = torch.randperm(35)
    backends = [Accelerated(FakeAccelerator(process_index=index, num_processes=3)) for index in range(3)]
    parts = [backend.parts(in_batches(order, 16)) for backend in backends]
    assert {len(steps) for steps in parts} == {3}
    seen = torch.zeros(35)
    for step in range(3):
        size = len(order[16 * step : 16 * (step + 1)])
        for backend, shares in zip(backends, parts, strict=True):
            # The gradient of a sum over rows, exchanged as a mean over three processes.
            batch_losses = backend.batch_losses(torch.ones(1, 1), slice(step, step + 1)).item()
            seen.index_add_(0, shares[step], torch.full((len(shares[step]),), batch_losses / len(shares[step]) / 3 * size))
    torch.testing.assert_close(seen, torch.ones(35))


def test_accumulated_gradients_are_refused():
    with pytest.raises(BadInput, match=r"over 4 steps; expected 1\. Pass accumulate="):
        Accelerated(SimpleNamespace(gradient_accumulation_steps=4))


def test_losses_that_relate_rows_are_refused_for_shares_of_a_batch():
    teacher = as_teacher(nn.Linear(6, 3), classes=range(3))
    for term in (dist(), *(loss("") for loss in (relational_distance, relational_angle, similarity_preserving, contrastive))):
        backend = Accelerated(FakeAccelerator(process_index=0, num_processes=2))
        with pytest.raises(BadInput, match=f"{term.terms[0].name} relates the rows of a batch, and each of 2 processes"):
            TorchStudent(nn.Linear(6, 3), soft_cross_entropy() + term).fit(ROWS, teacher, epochs=1, backend=backend)


def relates_rows(objective, student, teacher):
    """Whether the losses of the first two rows change with the third."""

    def losses(rows):
        hidden = {"student_hidden": {"": student[rows]}, "teacher_hidden": {"": teacher[rows]}, "index": torch.tensor(rows)}
        modules = objective.modules(Signals(student[rows], teacher[rows], **hidden), rows=6)
        with torch_runtime.seeded(0):
            return objective(Signals(student[rows], teacher[rows], torch.tensor([0, 1, 2]), modules=modules, **hidden)).total[:2]

    return not torch.allclose(losses([0, 1, 2]), losses([0, 1, 3]), atol=1e-6)


@pytest.mark.parametrize("name", [*public_losses()])
def test_every_loss_that_relates_rows_says_so(name):
    student, teacher = (torch.randn(6, 3, generator=torch.Generator().manual_seed(seed)) for seed in (0, 1))
    objective = public_losses()[name]
    if name != "contrastive":  # which draws other rows at random
        assert relates_rows(objective, student, teacher) == objective.terms[0].relates_rows


def test_mixed_precision_of_the_accelerator_is_refused_and_the_network_stays_as_it_was():
    from accelerate import Accelerator

    with pytest.raises(BadInput, match=r"mixed_precision is 'bf16'.* Pass precision='bfloat16' to fit"):
        Accelerated(FakeAccelerator(mixed_precision="bf16"))
    network = nn.Linear(6, 3)
    before = set(vars(network))
    TorchStudent(network).fit(ROWS, y=LABELS, epochs=1, backend=Accelerated(Accelerator(cpu=True)), precision="bfloat16")
    assert set(vars(network)) == before


def test_trackers_log_every_term():
    logged = []
    accelerator = SimpleNamespace(log=lambda values, step: logged.append((step, values)))
    tracked(accelerator)(Report(3, 0.5, {"soft": 0.4, "hard": 0.1}, np.array([7.0]), 0.01, np.array([2])))
    assert logged == [(3, {"loss": 0.5, "loss/soft": 0.4, "loss/hard": 0.1, "learning_rate": 0.01, "validation": 7.0})]
