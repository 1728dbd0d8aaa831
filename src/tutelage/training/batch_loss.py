"""What a batch costs: the student's answers beside the teacher's and the truth, and the objective between them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from tutelage.core import torch_runtime
from tutelage.core.answers import AnswerForm, shown
from tutelage.core.contracts import Teacher
from tutelage.core.errors import BadInput, ShapeError
from tutelage.losses.hooks import capturing
from tutelage.losses.objective import Objective
from tutelage.losses.signals import Signals
from tutelage.training.feeds import Batch
from tutelage.training.teacher_answers import Answering

Output = Callable[[Any], Tensor]


@dataclass
class BatchLoss:
    """Calls the network on a batch and the objective on what it said; called by the training loop.

    Attributes:
        network: the student.
        objective: what it is asked to match.
        output: takes the answers out of what the network returns.
        teacher: what the teacher says of a batch; None without a teacher.
        labels: (rows, ...) the truth, on the device; None leaves it to the feed, or to nobody.
        modules: the projectors that train beside the student.
        student_hidden: what the student's layers said of the batch, as `capturing` catches it.
        teacher_hidden: asks the teacher's network about a batch, for what its layers say of it; None if none is read.
        precision: "bfloat16" runs the network under autocast.
    """

    network: Callable[[Tensor], Any]
    objective: Objective
    output: Output
    teacher: Answering | None = None
    labels: Tensor | None = None
    modules: nn.ModuleDict | None = None
    student_hidden: Mapping[str, Tensor] = field(default_factory=dict)
    teacher_hidden: Callable[[Tensor], Mapping[str, Tensor]] | None = None
    precision: str = "float32"

    def __call__(self, batch: Batch) -> dict[str, Tensor]:
        """The weighted losses of the batch, by term."""
        return self.objective.weighted(self.signals(batch))

    def signals(self, batch: Batch) -> Signals:
        """All that is known about a batch."""
        # No cache: within another autocast it would live on after the step, with weights that the step has changed.
        device = batch.inputs.device.type
        with torch.autocast(device, torch.bfloat16, cache_enabled=False) if self.precision == "bfloat16" else nullcontext():
            answers = self.output(self.network(batch.inputs))
        said = {} if self.teacher is None else self.teacher(batch)
        labels = batch.labels if self.labels is None else self.labels.index_select(0, batch.rows.to(self.labels.device))
        hidden = {} if self.teacher_hidden is None else self.teacher_hidden(batch.inputs)
        return Signals(
            answers,
            labels=labels,
            student_hidden=dict(self.student_hidden),
            teacher_hidden=hidden,
            index=batch.rows,
            modules=self.modules,
            **said,
        )

    def with_modules(self, first: Batch, network: nn.Module, *, rows: int) -> nn.ModuleDict:
        """Build the projectors that the objective needs, from a first batch; they are drawn from torch's random state."""
        if any(term.build is not None for term in self.objective.terms):
            with torch_runtime.evaluating(network):
                self.modules = self.objective.modules(self.signals(first), rows=rows)
        return self.modules or nn.ModuleDict()


@contextmanager
def hidden_layers(batch_loss: BatchLoss, network: nn.Module, teacher: Teacher | None) -> Iterator[None]:
    """Let a lesson read the hidden layers that its objective reads, of the student and of the teacher's network.

    Raises:
        BadInput: a layer that is not there, or a teacher without a network, such as recorded answers.
    """
    objective, asked = batch_loss.objective, batch_loss.objective.paths("teacher")
    with ExitStack() as stack:
        if paths := objective.paths("student"):
            batch_loss.student_hidden = stack.enter_context(capturing(network, paths))
        if asked:
            held = getattr(teacher, "network", None)
            if not isinstance(held, nn.Module):
                raise BadInput(
                    f"the objective reads the teacher's layer {asked[0]!r}, and {type(teacher).__name__} has no layers; pass the "
                    "teacher's network itself, as as_teacher(network, classes=...)."
                )
            caught = stack.enter_context(capturing(held, asked))

            def ask(inputs: Tensor) -> Mapping[str, Tensor]:
                with torch_runtime.evaluating(held):
                    held(inputs)
                return dict(caught)

            batch_loss.teacher_hidden = ask
        yield


def check_answers(said: Any, form: AnswerForm, output: Output | None) -> None:
    """Prove on a first batch that a network gives what it is to be trained on: one logit a class, or one value an output.

    Raises:
        BadInput: not a tensor, or probabilities where logits are expected. ShapeError: another number of columns.
    """
    if not isinstance(said, Tensor):
        remedy = "the output= function must return a tensor" if output else "pass output=, such as output=lambda said: said[0]"
        raise BadInput(f"the student returns a {type(said).__name__}, not a tensor of answers; {remedy}.")
    wanted = len(form.classes)
    if said.ndim < 2 or (wanted and said.shape[-1] != wanted):
        expected = f"(batch, {wanted}), one logit for each of the classes {shown(form.classes)}" if wanted else "(batch, outputs)"
        raise ShapeError(f"the student answers a batch with shape {tuple(said.shape)}; expected {expected}.")
    one_a_row = form.task in ("binary", "multiclass")
    if one_a_row and len(said) > 1 and bool(((said >= 0).all(-1) & ((said.sum(-1) - 1).abs() < 1e-4)).all()):
        raise BadInput(
            "the student's answers are probabilities already (every row is positive and sums to one); the losses take logits. "
            "Leave softmax out of the network."
        )
