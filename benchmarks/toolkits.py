"""Comparison with torchdistill and KD_Lib: an epoch of the job in engine.py with their losses and their trainers.

The requirements of neither are compatible with the current torch. Modules that they import but do not use in this job
(torchvision, torchtext, transformers, TensorBoard) are replaced by empty modules; all code that runs is theirs.
"""

from __future__ import annotations

import sys
import tempfile
import types
from collections.abc import Callable
from contextlib import redirect_stdout
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from io import StringIO
from pathlib import Path
from typing import Any

import torch
from engine import BATCH, EPOCHS, SIZES, TEMPERATURE, Job, seconds
from torch import nn
from torch.utils.data import DataLoader, RandomSampler, TensorDataset

import tutelage as tl
from tutelage.training.stacks.networks import mlp


class EmptyModule(types.ModuleType):
    """A module whose attributes are all empty classes."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {})


REPLACED = ("torchvision", "torchtext", "transformers", "torch.utils.tensorboard")


class EmptyModules(MetaPathFinder, Loader):
    """Imports an empty module in place of each of the replaced packages and their submodules."""

    def find_spec(self, name: str, path: Any, target: Any = None) -> ModuleSpec | None:
        """See `MetaPathFinder`."""
        return ModuleSpec(name, self, is_package=True) if any(name == one or name.startswith(f"{one}.") for one in REPLACED) else None

    def create_module(self, spec: ModuleSpec) -> types.ModuleType:
        """See `Loader`."""
        return EmptyModule(spec.name)

    def exec_module(self, module: types.ModuleType) -> None:
        """See `Loader`."""


def by_torchdistill(job: Job, network: nn.Module, batches: int) -> None:
    """Train with torchdistill's distillation box and its KDLoss."""
    from torchdistill.core.distillation import get_distillation_box

    loss = {"student_module_path": ".", "student_module_io": "output", "teacher_module_path": ".", "teacher_module_io": "output"}
    settings = {
        "num_epochs": 1,
        "train_data_loader": {"dataset_id": "train", "sampler": {"class_or_func": RandomSampler}, "kwargs": {"batch_size": BATCH}},
        "teacher": {"forward_proc": "forward_batch_only", "requires_grad": False},
        "student": {"forward_proc": "forward_batch_only", "requires_grad": True},
        "optimizer": {"key": "Adam", "kwargs": {"lr": 1e-3}},
        "criterion": {"key": "WeightedSumLoss", "kwargs": {"sub_terms": {"kd": {"weight": 1.0, "criterion": _kd_loss(loss)}}}},
    }
    rows = {"train": TensorDataset(job.inputs[: batches * BATCH], job.labels[: batches * BATCH])}
    box = get_distillation_box(job.teacher, network, rows, settings, torch.device("cpu"), None, False, 1)
    box.pre_epoch_process(epoch=0)
    for sample_batch, targets, supplement in box.train_data_loader:
        box.pre_forward_process()
        box.post_forward_process(loss=box.forward_process(sample_batch, targets, supplement))
    box.post_epoch_process()


def _kd_loss(where: dict[str, str]) -> dict[str, Any]:
    return {"key": "KDLoss", "kwargs": {**where, "temperature": TEMPERATURE, "alpha": 0.1, "reduction": "batchmean"}}


def by_kd_lib(job: Job, network: nn.Module, batches: int) -> None:
    """Train with KD_Lib's VanillaKD and its loss, the mean square of softened probabilities; it also computes the teacher's gradient."""
    from KD_Lib.KD import VanillaKD

    rows = TensorDataset(job.inputs[: batches * BATCH], job.labels[: batches * BATCH])
    of_teacher, of_student = torch.optim.SGD(job.teacher.parameters(), lr=0.0), torch.optim.Adam(network.parameters(), lr=1e-3)
    validation = DataLoader(TensorDataset(job.inputs[:BATCH], job.labels[:BATCH]), batch_size=BATCH)
    loader = DataLoader(rows, batch_size=BATCH, shuffle=True)
    distiller = VanillaKD(job.teacher, network, loader, validation, of_teacher, of_student, temp=TEMPERATURE, distil_weight=0.9)
    with tempfile.TemporaryDirectory() as folder, redirect_stdout(StringIO()):
        distiller.train_student(epochs=1, plot_losses=False, save_model=False, save_model_pth=str(Path(folder) / "student.pt"))


def table(quick: bool) -> None:
    """Print the seconds of an epoch, and of twenty including the recording; for the toolkits a part of an epoch is timed and scaled."""
    sys.meta_path.insert(0, EmptyModules())
    import_module("torchvision.datasets")  # torchdistill expects that torchvision has loaded it
    job = Job()
    batches = -(-len(job.labels) // BATCH)
    timed = 10 if quick else 120
    toolkits: dict[str, Callable[[Job, nn.Module, int], None]] = {
        "a tutorial's loop": lambda job, network, batches: job.tutorial(network, batches),
        "torchdistill 1.1.5": by_torchdistill,
        "KD_Lib 0.0.32": by_kd_lib,
    }
    recording = seconds(lambda: tl.record(tl.as_teacher(job.teacher, classes=range(10)), job.inputs.numpy()))
    labels = job.recorded
    once = min(seconds(lambda: job.train(mlp(SIZES), labels, 1)) for _ in range(3))
    twenty = recording + seconds(lambda: job.train(mlp(SIZES), labels, EPOCHS))
    print(f"tutelage: {once:.2f} s per epoch; {twenty:.1f} s for {EPOCHS} epochs, including {recording:.1f} s for the recording")
    for name, train in toolkits.items():
        job.teacher.requires_grad_(True)  # torchdistill freezes it if configured; KD_Lib does not change it
        train(job, mlp(SIZES), 3)
        theirs = seconds(lambda train=train: train(job, mlp(SIZES), timed)) * batches / timed  # type: ignore[misc]
        print(
            f"{name}: {theirs:.1f} s per epoch, {theirs / once:.0f} x ours; {EPOCHS} epochs {EPOCHS * theirs / twenty:.1f} x ours",
            flush=True,
        )


if __name__ == "__main__":
    table("--quick" in sys.argv)
