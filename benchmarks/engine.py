"""The torch engine beside loops as tutorials write them: an epoch, what being taught costs a step, and peak memory.

The student is the origin's 784-10-10-10 on MNIST, its teacher the origin's network of 27 million weights, untrained:
what it says does not change the time.
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
from tutelage.training.feeds import TensorFeed
from tutelage.training.loop import train
from tutelage.training.stacks.networks import mlp
from tutelage.training.state import LoopSettings
from tutelage.training.teacher_answers import recorded_answers

BATCH, EPOCHS, TEMPERATURE = 128, 20, 4.0
ORIGIN = (784, 10, 10, 10)


class Job:
    """Rows of MNIST and the teacher's answers to them."""

    def __init__(self, rows: int = 60_000) -> None:
        mnist = tl.load_mnist()
        self.inputs = torch.from_numpy(pixels(mnist.train_images[:rows]))
        self.labels = torch.from_numpy(mnist.train_labels[:rows])
        torch.manual_seed(0)
        self.teacher = teacher_network().eval()

    @cached_property
    def recorded_answers(self) -> tl.SoftLabels:
        """What the teacher says of all rows."""
        return tl.record(tl.as_teacher(self.teacher, classes=range(10)), self.inputs.numpy())

    def tutorial(self, network: nn.Module, batches: int | None = None) -> None:
        """An epoch as tutorials write it: a DataLoader, and the teacher asked in every step; or so many batches of it."""
        optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
        for number, (inputs, labels) in enumerate(DataLoader(TensorDataset(self.inputs, self.labels), batch_size=BATCH, shuffle=True)):
            if number == batches:
                return
            with torch.no_grad():
                teacher_logits = self.teacher(inputs)
            logits = network(inputs)
            said, asked = logits / TEMPERATURE, teacher_logits / TEMPERATURE
            soft = functional.kl_div(functional.log_softmax(said, dim=1), functional.softmax(asked, dim=1), reduction="batchmean")
            loss = 0.9 * TEMPERATURE**2 * soft + 0.1 * functional.cross_entropy(logits, labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    def taught(self, network: nn.Module, labels: tl.SoftLabels, epochs: int) -> None:
        """Our epochs, with the same gradient, and with all that `TorchStudent.fit` does before and after."""
        objective = 0.9 * tl.losses.soft_cross_entropy(temperature=TEMPERATURE) + 0.1 * tl.losses.hard_cross_entropy()
        tl.TorchStudent(network, objective).fit(self.inputs.numpy(), labels, self.labels, epochs=epochs, batch_size=BATCH, threads=1)


def epochs(quick: bool) -> None:
    """An epoch against a tutorial's, and twenty with the recording; the teacher's part of a tutorial's epoch is always the same."""
    job = Job()
    share = 10 if quick else 1
    labels = job.recorded_answers  # warm; and the answers of the first comparison
    tutorial = seconds(lambda: job.tutorial(mlp(ORIGIN), 469 // share)) * share
    once = min(seconds(lambda: job.taught(mlp(ORIGIN), labels, 1)) for _ in range(5))
    _told("a training of one epoch, tutorial's / ours", tutorial / once, f"at least 60; {tutorial:.1f} s and {once:.3f} s")
    each = seconds(lambda: job.taught(mlp(ORIGIN), labels, EPOCHS)) / EPOCHS
    _told(f"an epoch of a training of {EPOCHS}, tutorial's / ours", tutorial / each, f"at least 60; {tutorial:.1f} s and {each:.3f} s")

    def from_nothing() -> None:
        fresh = tl.record(tl.as_teacher(job.teacher, classes=range(10)), job.inputs.numpy())
        job.taught(mlp(ORIGIN), fresh, EPOCHS)

    ours, again = seconds(from_nothing), seconds(lambda: job.tutorial(mlp(ORIGIN), 469 // share)) * share
    of_all = EPOCHS * (tutorial + again) / 2
    _told(f"{EPOCHS} epochs, tutorial's / ours with its recording", of_all / ours, f"at least 15; {of_all:.0f} s and {ours:.1f} s")


def small_cnn() -> nn.Sequential:
    """Two convolutions; 20 490 weights."""
    return nn.Sequential(
        nn.Unflatten(1, (1, 28, 28)),
        *(nn.Conv2d(1, 16, 3, 2, 1), nn.ReLU(), nn.Conv2d(16, 32, 3, 2, 1), nn.ReLU()),
        *(nn.Flatten(), nn.Linear(1568, 10)),
    )


STEPS: dict[str, tuple[Callable[[], nn.Module], int, float]] = {
    "784-10-10-10": (lambda: mlp(ORIGIN), 400, 1.05),
    "784-800-800-10": (lambda: mlp((784, 800, 800, 10)), 40, 1.02),
    "small CNN": (small_cnn, 80, 1.02),
}
"""Students, the steps of a round, and what a taught step may cost beside one on labels."""


def taught(rounds: int) -> None:
    """A step of the engine on labels, and on recorded answers, each against one on labels in a loop written by hand."""
    for name, (build, steps, wanted) in STEPS.items():
        job = Job(BATCH * steps)
        answers = np.random.default_rng(0).normal(size=(len(job.labels), 10)).astype(np.float32)
        for what, objective in (
            ("labels", tl.losses.hard_cross_entropy()),
            ("recorded answers", tl.losses.soft_cross_entropy(temperature=TEMPERATURE)),
        ):
            found = _step_ratio(job, build, objective, answers, rounds)
            _told(f"a step of {name} on {what}, ours / by hand on labels", found, f"at most {1.05 if what == 'labels' else wanted}")


def _step_ratio(job: Job, build: Callable[[], nn.Module], objective: tl.losses.Objective, answers: np.ndarray, rounds: int) -> Ratio:
    ours, theirs = build(), build()
    by_us, by_hand = (torch.optim.Adam(network.parameters(), lr=1e-3, fused=True) for network in (ours, theirs))
    answering = recorded_answers(answers, of_classes("logits", range(10)), objective, torch.device("cpu"))
    lesson = BatchLoss(ours, objective, lambda said: said, answering, job.labels)

    def bare() -> None:
        theirs.train()
        for rows in torch.randperm(len(job.inputs)).split(BATCH):
            loss = functional.cross_entropy(theirs(job.inputs.index_select(0, rows)), job.labels.index_select(0, rows))
            by_hand.zero_grad()
            loss.backward()
            by_hand.step()

    return ratio(lambda: train(ours, lesson, TensorFeed(job.inputs), LoopSettings(by_us, 1, BATCH)), bare, rounds=rounds)


_CHILD = """
import sys
import numpy as np, pandas, pyarrow.parquet, torch  # what reading a recording loads, whatever its size
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
    """Peak memory of a process that trains on 60 000 recorded answers of many classes, less that of one that trains on labels."""
    rows = np.random.default_rng(0).normal(size=(60_000, 64)).astype(np.float32)  # as the child draws them
    torch.manual_seed(0)
    folder = Path(tempfile.mkdtemp()) / "labels"
    tl.record(tl.as_teacher(nn.Linear(64, classes), classes=range(classes)), rows, folder)

    def peak(labels: str) -> float:
        told = subprocess.run([sys.executable, "-c", _CHILD, labels, str(classes)], check=True, capture_output=True, text=True)
        return int(told.stdout) / 1024

    plain, with_answers = peak("labels"), peak(str(folder))
    own = 60_000 * classes * 4 / 2**20
    print(f"peak memory: {plain:.0f} MB on labels, {with_answers:.0f} MB on recorded answers; the answers are {own:.0f} MB")
    print(f"what is needed beyond the labels' run, as a share of the answers: {(with_answers - plain) / own:.2f}; wanted at most 1")


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _told(what: str, found: object, wanted: str) -> None:
    shown = f"{found:.1f}" if isinstance(found, float) else str(found)
    print(f"{what}: {shown}; wanted {wanted}", flush=True)


if __name__ == "__main__":
    quick = "--quick" in sys.argv
    taught(rounds=5 if quick else 15)
    memory(classes=100 if quick else 1000)
    epochs(quick)
