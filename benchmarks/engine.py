"""The torch engine compared with loops as in tutorials: time of an epoch, time of a step with a teacher, and peak memory.

Student (784-10-10-10) and teacher (27 million weights) are those of the original demo on MNIST,
tsitsimis/neural-network-distillation on GitHub (https://github.com/tsitsimis/neural-network-distillation). The teacher is
untrained, because its answers do not affect the time.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from measure import Ratio, ratio
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

import tutelage as tl
from tutelage.core.answers import of_classes
from tutelage.experiments.demo.mnist_setting import pixels, teacher_network
from tutelage.training.batch_loss import BatchLoss
from tutelage.training.feeding.feeds import TensorFeed
from tutelage.training.feeding.teacher_answers import recorded_answers
from tutelage.training.loop import train
from tutelage.training.stacks.networks import mlp
from tutelage.training.state import LoopSettings

BATCH, EPOCHS, TEMPERATURE = 128, 20, 4.0
SIZES = (784, 10, 10, 10)


class Job:
    """Rows of MNIST, and the teacher's answers to them."""

    def __init__(self, rows: int = 60_000) -> None:
        mnist = tl.load_mnist()
        self.inputs = torch.from_numpy(pixels(mnist.train_images[:rows]))
        self.labels = torch.from_numpy(mnist.train_labels[:rows])
        torch.manual_seed(0)
        self.teacher = teacher_network().eval()

    @cached_property
    def recorded(self) -> tl.SoftLabels:
        """The teacher's answers to all rows."""
        return tl.record(tl.as_teacher(self.teacher, classes=range(10)), self.inputs.numpy())

    def tutorial(self, network: nn.Module, batches: int | None = None) -> None:
        """An epoch as in tutorials, with a DataLoader and a query of the teacher in every step; or its first `batches`."""
        optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
        for number, (inputs, labels) in enumerate(DataLoader(TensorDataset(self.inputs, self.labels), batch_size=BATCH, shuffle=True)):
            if number == batches:
                return
            with torch.no_grad():
                teacher_logits = self.teacher(inputs)
            logits = network(inputs)
            softened, targets = logits / TEMPERATURE, teacher_logits / TEMPERATURE
            soft = functional.kl_div(functional.log_softmax(softened, dim=1), functional.softmax(targets, dim=1), reduction="batchmean")
            loss = 0.9 * TEMPERATURE**2 * soft + 0.1 * functional.cross_entropy(logits, labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    def train(self, network: nn.Module, labels: tl.SoftLabels, epochs: int) -> None:
        """The same epochs with `TorchStudent.fit`, including all that it does before and after the training."""
        objective = 0.9 * tl.losses.soft_cross_entropy(temperature=TEMPERATURE) + 0.1 * tl.losses.hard_cross_entropy()
        tl.TorchStudent(network, objective).fit(self.inputs.numpy(), labels, self.labels, epochs=epochs, batch_size=BATCH, threads=1)


def epochs(quick: bool) -> None:
    """Time of one epoch and of twenty with the recording, against a tutorial's loop, in which every epoch takes the same time."""
    job = Job()
    share = 10 if quick else 1
    labels = job.recorded  # also the warm-up of the teacher
    tutorial = seconds(lambda: job.tutorial(mlp(SIZES), 469 // share)) * share
    once = min(seconds(lambda: job.train(mlp(SIZES), labels, 1)) for _ in range(5))
    _report("a training of one epoch, tutorial's / ours", tutorial / once, f"at least 60; {tutorial:.1f} s and {once:.3f} s")
    each = seconds(lambda: job.train(mlp(SIZES), labels, EPOCHS)) / EPOCHS
    _report(f"an epoch of a training of {EPOCHS}, tutorial's / ours", tutorial / each, f"at least 60; {tutorial:.1f} s and {each:.3f} s")

    def with_recording() -> None:
        recorded_labels = tl.record(tl.as_teacher(job.teacher, classes=range(10)), job.inputs.numpy())
        job.train(mlp(SIZES), recorded_labels, EPOCHS)

    ours, repeated = seconds(with_recording), seconds(lambda: job.tutorial(mlp(SIZES), 469 // share)) * share
    of_all = EPOCHS * (tutorial + repeated) / 2
    _report(f"{EPOCHS} epochs, tutorial's / ours with its recording", of_all / ours, f"at least 15; {of_all:.0f} s and {ours:.1f} s")


def small_cnn() -> nn.Sequential:
    """Two convolutions; 20 490 weights."""
    return nn.Sequential(
        nn.Unflatten(1, (1, 28, 28)),
        *(nn.Conv2d(1, 16, 3, 2, 1), nn.ReLU(), nn.Conv2d(16, 32, 3, 2, 1), nn.ReLU()),
        *(nn.Flatten(), nn.Linear(1568, 10)),
    )


STEPS: dict[str, tuple[Callable[[], nn.Module], int, float]] = {
    "784-10-10-10": (lambda: mlp(SIZES), 400, 1.05),
    "784-800-800-10": (lambda: mlp((784, 800, 800, 10)), 40, 1.02),
    "small CNN": (small_cnn, 80, 1.02),
}
"""Students, the number of steps in a round, and the target for the time of a step on recorded answers relative to hard labels."""


def steps_of_training(rounds: int) -> None:
    """A step of the engine on hard labels and on recorded answers, each against a step on hard labels in a loop written by hand."""
    for name, (build, steps, target) in STEPS.items():
        job = Job(BATCH * steps)
        answers = np.random.default_rng(0).normal(size=(len(job.labels), 10)).astype(np.float32)
        for targets, objective in (
            ("hard labels", tl.losses.hard_cross_entropy()),
            ("recorded answers", tl.losses.soft_cross_entropy(temperature=TEMPERATURE)),
        ):
            found = _step_ratio(job, build, objective, answers, rounds)
            limit = 1.05 if targets == "hard labels" else target
            _report(f"a step of {name} on {targets}, ours / by hand on hard labels", found, f"at most {limit}")


def _step_ratio(job: Job, build: Callable[[], nn.Module], objective: tl.losses.Objective, answers: np.ndarray, rounds: int) -> Ratio:
    ours, theirs = build(), build()
    by_us, by_hand = (torch.optim.Adam(network.parameters(), lr=1e-3, fused=True) for network in (ours, theirs))
    answering = recorded_answers(answers, of_classes("logits", range(10)), objective, torch.device("cpu"))
    batch_loss = BatchLoss(ours, objective, lambda outputs: outputs, answering, job.labels)

    def bare() -> None:
        theirs.train()
        for rows in torch.randperm(len(job.inputs)).split(BATCH):
            loss = functional.cross_entropy(theirs(job.inputs.index_select(0, rows)), job.labels.index_select(0, rows))
            by_hand.zero_grad()
            loss.backward()
            by_hand.step()

    return ratio(lambda: train(ours, batch_loss, TensorFeed(job.inputs), LoopSettings(by_us, 1, BATCH)), bare, rounds=rounds)


_CHILD = """
import sys
import numpy as np, pandas, pyarrow.parquet, torch  # modules that reading a recording loads for any size
from torch import nn
import tutelage as tl
torch.set_num_threads(1)
rows, classes = 60_000, int(sys.argv[2])
rng = np.random.default_rng(0)
inputs, labels = rng.normal(size=(rows, 64)).astype("float32"), rng.integers(classes, size=rows)
network = nn.Linear(64, classes)
folder = None if sys.argv[1] == "labels" else sys.argv[1]
objective = tl.losses.hard_cross_entropy() if folder is None else tl.losses.soft_cross_entropy(temperature=4.0)
student = tl.TorchStudent(network, objective, classes=range(classes))
student.fit(inputs, None if folder is None else tl.open_labels(folder), labels, epochs=1)
print(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))
"""


def memory(classes: int = 1000) -> None:
    """Peak memory of a process that trains on 60 000 recorded answers of many classes, minus that of one that trains on hard labels."""
    rows = np.random.default_rng(0).normal(size=(60_000, 64)).astype(np.float32)  # the same rows as in the child process
    torch.manual_seed(0)
    folder = Path(tempfile.mkdtemp()) / "labels"
    tl.record(tl.as_teacher(nn.Linear(64, classes), classes=range(classes)), rows, folder)

    def peak(labels: str) -> float:
        child = subprocess.run([sys.executable, "-c", _CHILD, labels, str(classes)], check=True, capture_output=True, text=True)
        return int(child.stdout) / 1024

    plain, with_answers = peak("labels"), peak(str(folder))
    own = 60_000 * classes * 4 / 2**20
    print(f"peak memory: {plain:.0f} MB on hard labels, {with_answers:.0f} MB on recorded answers; the answers are {own:.0f} MB")
    print(f"additional memory as a share of the answers: {(with_answers - plain) / own:.2f}; target at most 1")


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _report(title: str, found: object, target: str) -> None:
    text = f"{found:.1f}" if isinstance(found, float) else str(found)
    print(f"{title}: {text}; target {target}", flush=True)


if __name__ == "__main__":
    quick = "--quick" in sys.argv
    steps_of_training(rounds=5 if quick else 15)
    memory(classes=100 if quick else 1000)
    epochs(quick)
