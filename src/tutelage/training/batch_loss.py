"""The loss of a batch: the objective, applied to the student's answers, the teacher's answers and the ground truth."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from tutelage.core import torch_runtime
from tutelage.core.answers import AnswerForm, list_classes
from tutelage.core.contracts import Teacher
from tutelage.core.errors import BadInput, ShapeError
from tutelage.losses.hooks import capturing
from tutelage.losses.objective import Objective
from tutelage.losses.signals import Signals
from tutelage.training.feeding.feeds import Batch
from tutelage.training.feeding.teacher_answers import TeacherSignals

Output = Callable[[Any], Tensor]


@dataclass
class BatchLoss:
    """Calls the network on a batch and the objective on its answers; the training loop calls it for each step.

    Attributes:
        network: the student.
        objective: the objective to minimise.
        output: extracts the answers from what the network returns.
        teacher: gives the teacher's answers to a batch; None without a teacher.
        labels: (rows, ...) the ground truth, on the device; if None, that of the batch is used, which may be None too.
        modules: the projectors that train with the student.
        student_hidden: the outputs of the student's layers for the batch, as `capturing` records them.
        teacher_hidden: calls the teacher's network on a batch and returns the outputs of its layers; None if the objective reads none.
        precision: "bfloat16" runs the network under autocast.
    """

    network: Callable[[Tensor], Any]
    objective: Objective
    output: Output
    teacher: TeacherSignals | None = None
    labels: Tensor | None = None
    modules: nn.ModuleDict | None = None
    student_hidden: Mapping[str, Tensor] = field(default_factory=dict)
    teacher_hidden: Callable[[Tensor], Mapping[str, Tensor]] | None = None
    precision: str = "float32"

    def __call__(self, batch: Batch) -> dict[str, Tensor]:
        """The weighted losses of the batch, by term."""
        return self.objective.weighted(self.signals(batch))

    def signals(self, batch: Batch) -> Signals:
        """The signals of a batch, which the objective reads."""
        # No cache: inside another autocast block it would outlive the step, with weights that the step has changed.
        device = batch.inputs.device.type
        with torch.autocast(device, torch.bfloat16, cache_enabled=False) if self.precision == "bfloat16" else nullcontext():
            answers = self.output(self.network(batch.inputs))
        from_teacher = {} if self.teacher is None else self.teacher(batch)
        labels = batch.labels if self.labels is None else self.labels.index_select(0, batch.rows.to(self.labels.device))
        hidden = {} if self.teacher_hidden is None else self.teacher_hidden(batch.inputs)
        return Signals(
            answers,
            labels=labels,
            student_hidden=dict(self.student_hidden),
            teacher_hidden=hidden,
            index=batch.rows,
            modules=self.modules,
            **from_teacher,
        )

    def with_modules(self, first: Batch, network: nn.Module, *, rows: int) -> nn.ModuleDict:
        """Build the projectors that the objective needs, from a first batch; their weights are drawn from torch's random state."""
        if any(term.build is not None for term in self.objective.terms):
            with torch_runtime.evaluating(network):
                self.modules = self.objective.modules(self.signals(first), rows=rows)
        return self.modules or nn.ModuleDict()


@contextmanager
def hidden_layers(batch_loss: BatchLoss, network: nn.Module, teacher: Teacher | None) -> Iterator[None]:
    """Give a batch loss the hidden layers that its objective reads, of the student and of the teacher's network.

    Raises:
        BadInput: a layer that does not exist, or a teacher without a network, such as recorded answers.
    """
    objective, teacher_paths = batch_loss.objective, batch_loss.objective.paths("teacher")
    with ExitStack() as stack:
        if paths := objective.paths("student"):
            batch_loss.student_hidden = stack.enter_context(capturing(network, paths))
        if teacher_paths:
            teacher_network = getattr(teacher, "network", None)
            if not isinstance(teacher_network, nn.Module):
                raise BadInput(
                    f"the objective reads the teacher's layer {teacher_paths[0]!r}, and {type(teacher).__name__} has no layers; pass the "
                    "teacher's network itself, as as_teacher(network, classes=...)."
                )
            captured = stack.enter_context(capturing(teacher_network, teacher_paths))

            def teacher_hidden(inputs: Tensor) -> Mapping[str, Tensor]:
                with torch_runtime.evaluating(teacher_network):
                    teacher_network(inputs)
                return dict(captured)

            batch_loss.teacher_hidden = teacher_hidden
        yield


def check_answers(answers: Any, form: AnswerForm, output: Output | None) -> None:
    """Check on a first batch that a network returns what the losses take: one logit per class, or one value per output.

    Raises:
        BadInput: not a tensor, or probabilities where logits are expected. ShapeError: wrong number of columns.
    """
    if not isinstance(answers, Tensor):
        remedy = "the output= function must return a tensor" if output else "pass output=, such as output=lambda returned: returned[0]"
        raise BadInput(f"the student returns a {type(answers).__name__}, not a tensor of answers; {remedy}.")
    columns = len(form.classes)
    if answers.ndim < 2 or (columns and answers.shape[-1] != columns):
        expected = f"(batch, {columns}), one logit for each of the classes {list_classes(form.classes)}" if columns else "(batch, outputs)"
        raise ShapeError(f"the student's answers to a batch have shape {tuple(answers.shape)}; expected {expected}.")
    single_label = form.task in ("binary", "multiclass")
    if single_label and len(answers) > 1 and bool(((answers >= 0).all(-1) & ((answers.sum(-1) - 1).abs() < 1e-4)).all()):
        raise BadInput(
            "the student's answers are probabilities already (no number is negative and every row sums to one); the losses take logits. "
            "Remove the softmax from the network."
        )
