"""The loss of a batch: the objective, applied to the student's answers, the teacher's answers and the ground truth."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from tutelage.core import torch_runtime
from tutelage.core.answer_values.class_names import list_classes
from tutelage.core.answers import AnswerForm
from tutelage.core.contracts import Teacher
from tutelage.core.errors import FOREIGN, BadInput, ShapeError, TutelageError, one_line
from tutelage.data.structures.network_answers import remedy_of_ids, tensors_of
from tutelage.data.structures.structured import MASK, StructuredRows
from tutelage.losses.hooks import capturing
from tutelage.losses.objective import Objective
from tutelage.losses.signals import Signals
from tutelage.training.feeding.feeds import Batch
from tutelage.training.feeding.positions import LearntPositions
from tutelage.training.feeding.teacher_answers import TeacherSignals

if TYPE_CHECKING:
    from tutelage.core.torch_runtime import Inputs

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
        weights: (rows,) how much the loss of each row counts, in all its views, or (answers,) in each of them, of mean 1, on the device;
            None if all count alike.
        weighs_positions: whether there is a weight for each position instead.
        learnt: takes out the answers to the positions that are learnt; None if an answer belongs to a row.
        current: the objective with the weights and temperatures of the current step; None if they do not change.
    """

    network: Callable[..., Any]
    objective: Objective
    output: Output
    teacher: TeacherSignals | None = None
    labels: Tensor | None = None
    modules: nn.ModuleDict | None = None
    student_hidden: Mapping[str, Tensor] = field(default_factory=dict)
    teacher_hidden: Callable[[Batch], Mapping[str, Tensor]] | None = None
    precision: str = "float32"
    weights: Tensor | None = None
    weighs_positions: bool = False
    learnt: LearntPositions | None = None
    current: Objective | None = None

    def terms_at(self, share: float) -> dict[str, float]:
        """Set the weights and temperatures for when this share of the training is done; returns those that are numbers, by name."""
        if not self.objective.scheduled:
            return {}
        self.current = self.objective.at(share)
        values = {name: schedule(share) for name, schedule in self.objective.scheduled.items()}
        return {name: value for name, value in values.items() if isinstance(value, float)}

    def __call__(self, batch: Batch) -> dict[str, Tensor]:
        """The weighted losses of the batch, by term: one for each row, or for each position that is learnt.

        Raises:
            BadInput: rows of different lengths without a mask, which a Dataset, a DataLoader or parts put together. Others as `signals`.
        """
        _check_lengths(batch.originals)
        signals, rows = self._signals(batch)
        losses = (self.current or self.objective).weighted(signals)
        if self.weights is None:
            return losses
        places = signals.index if self.weighs_positions and signals.index is not None else rows % len(self.weights)
        weights = self.weights.index_select(0, places.to(self.weights.device))
        return {name: loss * weights for name, loss in losses.items()}

    def signals(self, batch: Batch) -> Signals:
        """The signals of a batch, which the objective reads.

        Raises:
            BadInput: the network cannot process the batch, or a hidden layer that the objective reads does not run.
        """
        return self._signals(batch)[0]

    def _signals(self, batch: Batch) -> tuple[Signals, Tensor]:
        """The signals of a batch, and for each of its losses the number of the teacher's answer to its row."""
        # No cache: inside another autocast block it would outlive the step, with weights that the step has changed.
        device = batch.device.type
        from_layers = {} if self.teacher_hidden is None else self.teacher_hidden(batch)  # first: the student may modify its inputs in place
        given = batch.copied() if isinstance(batch.inputs, dict) else batch  # the mask among them is read again
        with torch.autocast(device, torch.bfloat16, cache_enabled=False) if self.precision == "bfloat16" else nullcontext():
            answers = called(self.network, self.output, given)
        rows, places = batch.answer_rows, None
        student = _complete(self.student_hidden, self.objective.paths("student"), "student")
        if self.learnt is not None:
            batch, answers, places = self.learnt.of(batch, answers)
            rows, places = rows[places.nonzero()[:, 0]], places.to(answers.device)
        from_teacher = {} if self.teacher is None else self.teacher(batch)
        index = batch.rows if batch.places is None else batch.places  # of views, all answers have the truth of their row
        labels = batch.labels if self.labels is None else self.labels.index_select(0, index.to(self.labels.device))
        signals = Signals(
            answers,
            labels=labels,
            student_hidden=student,
            teacher_hidden=from_layers,
            index=index,
            modules=self.modules,
            tokens=_tokens_of(batch.inputs) if student else None,
            places=places,
            **from_teacher,
        )
        return signals, rows

    def with_modules(self, first: Batch, network: nn.Module, *, rows: int) -> nn.ModuleDict:
        """Build the projectors that the objective needs, from a first batch; their weights are drawn from torch's random state."""
        if any(term.build is not None for term in self.objective.terms):
            with torch_runtime.evaluating(network):
                self.modules = self.objective.modules(self.signals(first), rows=rows)
        return self.modules or nn.ModuleDict()


def _check_lengths(rows: Tensor | StructuredRows | None) -> None:
    """Refuse rows of different lengths in one batch, of which no mask says what is padding: it would be learnt."""
    if isinstance(rows, StructuredRows) and not rows.may_be_padded:
        raise BadInput(
            f"the rows of a batch differ in length ({', '.join(rows.unmasked)}), and no attention_mask of these lengths tells them from "
            "padding; pass one, batches of one length each (a DataLoader with a batch_sampler, or batch_size=1), or the rows in memory, as "
            "a mapping of lists: they are put together by their length."
        )


def _tokens_of(inputs: Inputs) -> Tensor | None:
    """(batch, tokens) which tokens the attention mask says count; None without one."""
    mask = inputs.get(MASK) if isinstance(inputs, dict) else None
    return None if mask is None or mask.ndim != 2 else mask != 0


def called(network: Callable[..., Any], output: Output, batch: Batch) -> Tensor:
    """The network's answers to a batch.

    Raises:
        ShapeError: the network, or the output function, raises an error, which is quoted.
    """
    try:
        return output(torch_runtime.called(network, batch.inputs))
    except TutelageError:
        raise
    except FOREIGN as error:  # whatever the code of the network raises
        raise ShapeError(
            f"the student cannot process a batch of {len(batch.rows)} rows of {_described(batch.inputs)} "
            f"({one_line(error)}). Pass rows that the network takes; if it cannot train on a batch of this size, another batch_size."
            f"{remedy_of_ids(batch.inputs)}"
        ) from error


def _described(inputs: Inputs) -> str:
    if isinstance(inputs, Tensor):
        return f"shape {tuple(inputs.shape[1:])}, {inputs.dtype}"
    items = inputs.items() if isinstance(inputs, dict) else enumerate(inputs)
    return "several inputs, " + ", ".join(f"{name}: {tuple(value.shape[1:])} {value.dtype}" for name, value in items)


def _complete(hidden: Mapping[str, Tensor], paths: tuple[str, ...], side: str) -> dict[str, Tensor]:
    """The outputs of these layers.

    Raises:
        BadInput: a layer did not run.
    """
    missing = [path for path in paths if path not in hidden]
    if missing:
        raise BadInput(
            f"the {side}'s layer {missing[0]!r} did not run in the forward pass, so it has no output to match; name a layer that "
            "every pass calls."
        )
    return dict(hidden)


@dataclass
class _TeacherLayers:
    """Calls the teacher's network on a batch and returns the outputs of its layers, on the student's device."""

    network: nn.Module
    captured: Mapping[str, Tensor]
    paths: tuple[str, ...]
    dtype: torch.dtype | None = None

    def __call__(self, batch: Batch) -> dict[str, Tensor]:
        with torch_runtime.evaluating(self.network):
            torch_runtime.called(self.network, self._inputs(batch.as_in_data))
        layers = _complete(self.captured, self.paths, "teacher")
        return {path: layer.to(batch.device) for path, layer in layers.items()}

    def _inputs(self, rows: Tensor | StructuredRows) -> Inputs:
        if isinstance(rows, StructuredRows):
            return tensors_of(rows, self.network)
        if self.dtype is None:
            self.dtype = torch_runtime.input_dtype(self.network, rows[:2])
        return rows.to(torch_runtime.device_of(self.network), self.dtype, copy=True)


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
            batch_loss.teacher_hidden = _TeacherLayers(teacher_network, captured, teacher_paths)
        yield


def check_answers(answers: Any, form: AnswerForm, output: Output | None, *, rows: int, copies: int | None = None) -> None:
    """Check on a first batch that a network returns what the losses take: one logit per class, or one value per output.

    Args:
        answers: what the network returned, after `output`.
        form: the form of the student's answers.
        output: the student's output function, if it has one.
        rows: the number of rows of the batch.
        copies: the number of copies of a stack; None for a single network.

    Raises:
        BadInput: not a tensor, or probabilities where logits are expected. ShapeError: another number of rows or columns.
    """
    if not isinstance(answers, Tensor):
        remedy = "the output= function must return a tensor" if output else "pass output=, such as output=lambda returned: returned[0]"
        raise BadInput(f"the student returns a {type(answers).__name__}, not a tensor of answers; {remedy}.")
    columns = len(form.classes)
    if form.positions is not None:
        _check_positions(answers, form, rows)
        return
    expected = [*([] if copies is None else [copies]), rows, columns or answers.shape[-1]] if answers.ndim else [rows, columns]
    if list(answers.shape) != expected:
        shape = f"({rows}, {columns}), one logit for each of the classes {list_classes(form.classes)}" if columns else f"({rows}, outputs)"
        remedy = "If the network answers every token or pixel, pass positions='tokens' or 'pixels'; or output=, with one answer per row."
        remedy = remedy if answers.ndim > 2 else "Change the last layer of the network, or pass output=, which gives answers of this shape."
        raise ShapeError(f"the student's answers to a batch of {rows} rows have shape {tuple(answers.shape)}; expected {shape}. {remedy}")
    single_label = form.task in ("binary", "multiclass")
    if single_label and len(answers) > 1 and bool(((answers >= 0).all(-1) & ((answers.sum(-1) - 1).abs() < 1e-4)).all()):
        raise BadInput(
            "the student's answers are probabilities already (no number is negative and every row sums to one); the losses take logits. "
            "Remove the softmax from the network."
        )


def _check_positions(answers: Tensor, form: AnswerForm, rows: int) -> None:
    """Check that a network answers every token, or every pixel, with one number for each class.

    Raises:
        ShapeError: answers of another shape.
    """
    columns = len(form.classes)
    tokens = form.positions == "tokens"
    axes, column = (3, -1) if tokens else (4, 1)
    shape = f"(batch, tokens, {columns})" if tokens else f"(batch, {columns}, height, width)"
    if answers.ndim != axes or len(answers) != rows or (columns and answers.shape[column] != columns):
        raise ShapeError(
            f"the student's answers to a batch of {rows} rows have shape {tuple(answers.shape)}; expected {shape}, "
            f"one logit for each of the classes {list_classes(form.classes)}."
        )
