"""Converts a user's data (rows, soft labels or a live teacher, ground truth) to what the training loop takes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from tutelage.core import torch_runtime
from tutelage.core.answer_values.class_names import list_classes
from tutelage.core.answer_values.top_answers import TopAnswers
from tutelage.core.answers import AnswerForm, form_of_truth
from tutelage.core.arrays import tensor_array
from tutelage.core.contracts import Teacher
from tutelage.core.errors import BadInput, LabelMismatch, ShapeError
from tutelage.core.position_answers import Answers, PositionAnswers
from tutelage.data.row_names import Names
from tutelage.data.rows import as_rows
from tutelage.data.structures.network_answers import pad_token_of
from tutelage.data.structures.ragged import Ragged
from tutelage.data.structures.structured import StructuredRows
from tutelage.data.truth.given_truth import by_position
from tutelage.data.views import Views
from tutelage.losses.objective import Objective
from tutelage.softlabels.folder import LabelFolder
from tutelage.softlabels.labels import SoftLabels
from tutelage.softlabels.streaming.parts import Parts
from tutelage.training.feeding.feeds import Batch, Feed, TensorFeed, ViewFeed
from tutelage.training.feeding.loader_feed import LoaderFeed, map_style
from tutelage.training.feeding.loss_weights import LossWeights, loss_weights, of_mean_one
from tutelage.training.feeding.parts_feed import PartsFeed
from tutelage.training.feeding.positions import Layout, LearntPositions, Weighed, layout_of
from tutelage.training.feeding.read_parts import answers_of, codes_of, learnt_counts
from tutelage.training.feeding.read_positions import ReadPositions, answered_positions, read_positions
from tutelage.training.feeding.row_answers import answers_to, answers_to_views, recorded_of_items
from tutelage.training.feeding.structured_feed import StructuredFeed
from tutelage.training.feeding.teacher_answers import TeacherSignals, live_answers, read_answers, recorded_answers, top_targets
from tutelage.training.feeding.truth import truth_of_items, truth_of_part, whole_structure
from tutelage.training.validation import Validation


@dataclass(frozen=True)
class TrainingData:
    """Rows with their answers and ground truth.

    Attributes:
        rows: an array (rows, ...) of numbers of any dtype, several inputs, `Views`, a Dataset, a DataLoader, or `Parts`.
        answers: (answers, columns) of the teacher, the most probable classes of each, or `PositionAnswers`; None if there is no
            teacher, or if it is called batch by batch.
        truth: (rows, ...) the ground truth as the losses take it; that of every position as `Ragged`; None if it is unknown, or if the
            Dataset contains it.
        unverified: (answers,) names of recorded rows that are to be compared with the batches: views once, items of a Dataset always.
        answer_form: form of the teacher's answers; None if there is no teacher.
        weights: how much the loss of each row, or of each position, counts, of mean 1; None if all count alike.
        read: the positions of a Dataset, read once before the training; None for other rows, or if an answer belongs to a row.
    """

    rows: Any
    answers: Answers | None
    truth: Tensor | Ragged | None
    unverified: Names | None = None
    answer_form: AnswerForm | None = None
    weights: LossWeights | None = None
    read: ReadPositions | None = None

    def part(self, rows: NDArray[np.intp]) -> TrainingData:
        """A subset of the rows."""
        answers = None if self.answers is None else self.answers[rows]
        truth = None if self.truth is None else self.truth[rows]
        weights = None if self.weights is None else of_mean_one(self.weights[rows])
        return TrainingData(self.rows[rows], answers, truth, answer_form=self.answer_form, weights=weights)

    def weighted(self, sample_weight: Any, class_weight: Any, form: AnswerForm) -> TrainingData:
        """The same with a weight for each loss, or as they are if there is none.

        Raises:
            ShapeError, BadInput: as `loss_weights`.
        """
        truth, layout = self._known_truth, self.layout
        answers: Iterable[Answers] | None = None if self.answers is None else [self.answers]
        if isinstance(self.rows, Parts):
            by_row = class_weight is not None and form.positions is None and form.task in ("binary", "multiclass")
            codes = codes_of(self.rows, form) if by_row else None
            truth, answers, layout = None if codes is None else torch.from_numpy(codes), answers_of(self.rows), None
        weights = loss_weights(
            sample_weight,
            class_weight,
            form,
            rows=row_count(self.rows),
            truth=truth,
            answers=answers,
            answer_form=self.answer_form,
            layout=layout,
        )
        if weights is not None and isinstance(self.rows, Parts) and self.read is not None:
            weights = of_mean_one(weights, losses=self.read.counts)
        return self if weights is None else replace(self, weights=weights)

    @property
    def flat_weights(self) -> Tensor | None:
        """The weight of each row, or of each position; None if all count alike."""
        return torch.from_numpy(self.weights.values) if isinstance(self.weights, Ragged) else self.weights

    @cached_property
    def layout(self) -> Layout | None:
        """The positions of all rows; None if an answer belongs to a row, or if the rows are not known before they are read."""
        answers = self.answers if isinstance(self.answers, PositionAnswers) else None
        truth = self._known_truth
        return layout_of(answers, truth if isinstance(truth, Ragged) else None, None if self.read is None else self.read.counts)

    @property
    def _known_truth(self) -> Tensor | Ragged | None:
        """The ground truth of all rows, also that of the positions of a Dataset, as it was when it was read."""
        return self.truth if self.truth is not None or self.read is None else self.read.truth

    def with_positions_read(self, form: AnswerForm, teacher: Teacher | None = None, *, seed: int, shared: bool = True) -> TrainingData:
        """The same with the positions of a Dataset or of parts, read once, if their answers have positions and their truth is not given.

        A live teacher is asked for a row of each size, where only its answers say how many positions that has, and the loss needs it.

        Args:
            form: of the student's answers.
            teacher: a live one.
            seed: of what the items draw.
            shared: whether batches of different numbers of positions share a step, or their rows have weights.

        Raises:
            as `read_positions`, `learnt_counts` and `LoaderFeed.of`.
        """
        if form.positions is not None and isinstance(self.rows, Parts):
            return replace(self, read=ReadPositions(learnt_counts(self.rows, form)))
        if form.positions is None or self.truth is not None or not isinstance(self.rows, Dataset | DataLoader):
            return self
        feed = LoaderFeed.of(self.rows, torch.device("cpu"), seed=seed, by_position=True)
        count = None if self.answers is not None or not shared else partial(answered_positions, teacher, form)
        read = read_positions(feed, form, count)
        alike = read.counts is not None and bool((read.counts == read.counts[0]).all())
        unanswered = teacher is None and read.truth is None  # where no answer says how many positions the inputs of a size have
        return replace(self, read=ReadPositions(None) if alike and unanswered else read)

    def learnt_positions(self, form: AnswerForm, *, shared: bool) -> LearntPositions | None:
        """Takes out the answers to the positions that are learnt; None if an answer belongs to a row.

        Args:
            form: the form of the student's answers.
            shared: whether a step has several batches, or several processes.

        Raises:
            BadInput: none is learnt. ShapeError: a row with other answers than labels.
        """
        if form.positions is None:
            return None
        if self.layout is not None:
            self.layout.check_learnt("the training rows")
        weighed: Weighed = "classes" if isinstance(self.weights, Ragged) else "counts" if shared else "alone"
        if self.read is None or isinstance(self.rows, Parts):
            return LearntPositions(form.positions, self.layout, weighed=weighed)
        held = None if self.answers is None else self.layout
        return LearntPositions(form.positions, held, self.layout, self.read.truth, weighed)

    @property
    def flat_truth(self) -> Tensor | None:
        """The ground truth of each row, or of each position, as the losses take it."""
        return torch.from_numpy(self.truth.values) if isinstance(self.truth, Ragged) else self.truth

    def feed(self, network: nn.Module, *, seed: int = 0, form: AnswerForm | None = None, reads_truth: bool = False) -> Feed:
        """The feed that gives batches of these rows, on the device of a network and in the dtype that it takes.

        Args:
            network: the network to train.
            seed: settles what a Dataset draws at random.
            form: the form of the student's answers, and so of the ground truth of a Dataset; None checks nothing.
            reads_truth: whether the ground truth of a Dataset is used.

        Raises:
            BadInput, ShapeError: as `LoaderFeed`; a ground truth in the Dataset that is none of this form.
        """
        device = torch_runtime.device_of(network)
        if isinstance(self.rows, Parts):
            converts = partial(truth_of_part, form=form) if form is not None and (reads_truth or by_position(form)) else None
            return PartsFeed(self.rows, network, network_rows, converts)
        if isinstance(self.rows, Views):
            return ViewFeed(self.rows, device, torch_runtime.input_dtype(network, torch.empty(0)))
        if isinstance(self.rows, np.ndarray):
            return _tensor_feed(network, torch_runtime.tensor_of(self.rows))
        if isinstance(self.rows, StructuredRows):
            return StructuredFeed(self.rows, network)
        loader = LoaderFeed.of(self.rows, device, seed=seed, by_position=by_position(form))
        inputs, truth = loader.first()
        if truth is not None and form is not None:
            self._check_pairs(truth, form, reads_truth)
        reads = self.truth is None and (reads_truth or by_position(form))
        of_items = partial(truth_of_items, form, self.rows) if form is not None and reads else None
        dtype = torch_runtime.input_dtype(network, inputs) if isinstance(inputs, Tensor) else torch_runtime.float_dtype(network)
        return replace(loader, dtype=dtype, truth=of_items, pad_token=pad_token_of(network))

    def _check_pairs(self, truth: Any, form: AnswerForm, reads_truth: bool) -> None:
        """Check what a Dataset pairs with its inputs, which is not looked at again if no loss reads the ground truth."""
        shape = tuple(getattr(truth, "shape", ()))[1:]
        if form.positions is not None:
            return
        if not reads_truth and form.task != "regression" and shape not in ((), (1,), (len(form.classes),)):
            raise ShapeError(
                f"the Dataset pairs each row of inputs with numbers of shape {shape}, which are no ground truth for the classes "
                f"{list_classes(form.classes)}; a network of several inputs can take them joined in one tensor."
            )

    def teacher_answers(self, teacher: Teacher | None, objective: Objective, device: torch.device) -> TeacherSignals | None:
        """Gives the teacher's answers to a batch; None without a teacher."""
        if teacher is None:
            return None
        if self.answers is None:
            return read_answers(teacher.form, device) if isinstance(self.rows, Parts) else live_answers(teacher, device)
        always = not isinstance(self.rows, Views)
        answers = self.answers.values if isinstance(self.answers, PositionAnswers) else self.answers
        form = teacher.form.of_each_position
        return recorded_answers(answers, form, objective, device, unverified=self.unverified, always=always)

    def given(self, first: Batch, teacher: Teacher | None) -> set[str]:
        """The signals that every batch will have, as `Objective.check` takes them."""
        labelled = self.truth is not None or first.labels is not None
        # the positions of a part, and those that come with the batches of a Dataset, have no number among all
        numbered = not isinstance(first.recorded, PositionAnswers) and (self.read is None or self.answers is not None)
        return {*(["index"] if numbered else []), *(["teacher"] if teacher is not None else []), *(["labels"] if labelled else [])}

    def validation(self, form: AnswerForm, network: nn.Module) -> Validation:
        """These rows as validation rows of a network, on its device.

        Raises:
            BadInput: neither ground truth nor answers; or `Views` or a Dataset. LabelMismatch: answers for other classes.
        """
        if isinstance(self.rows, StructuredRows) or (form.positions is not None and isinstance(self.rows, np.ndarray)):
            return self._validation_by_asking(form, network)
        if not isinstance(self.rows, np.ndarray):
            raise BadInput(
                f"the validation rows are a {type(self.rows).__name__}; "
                "expected an array or a tensor, not augmented: no Views and no Dataset."
            )
        return Validation(torch_runtime.network_input(network, torch_runtime.tensor_of(self.rows)), **self._targets(form, network))

    def _targets(self, form: AnswerForm, network: nn.Module, kept: NDArray[np.bool_] | None = None) -> dict[str, Any]:
        """What the answers to validation rows, or to the positions that are learnt, are measured against, and how."""
        device, single_label = torch_runtime.device_of(network), form.task in ("binary", "multiclass")
        if self.flat_truth is not None:
            truth = self.flat_truth if kept is None else self.flat_truth[torch.from_numpy(kept)]
            return {"targets": truth.to(device), "by": "errors" if single_label else _BY[form.task]}
        if self.answers is None or self.answer_form is None:
            raise BadInput("validation rows need ground truth or the teacher's answers, and have neither; pass validation=(X, y).")
        if (self.answer_form.task, self.answer_form.classes) != (form.task, form.classes):
            raise LabelMismatch(
                f"the soft labels of the validation rows are {self.answer_form.task} answers for {list_classes(self.answer_form.classes)}; "
                f"expected those that the student learns, {form.task} {list_classes(form.classes)}. Put them in order with relabelled()."
            )
        answers = self.answers.values if isinstance(self.answers, PositionAnswers) else self.answers
        answers = answers if kept is None else answers[kept]
        if isinstance(answers, TopAnswers):
            return {"targets": top_targets(answers, device), "by": "loss"}
        if form.task == "regression":
            return {"targets": torch.from_numpy(answers.astype(np.float32)).to(device), "by": "squares"}
        p = torch.from_numpy(self.answer_form.of_each_position.probabilities(answers).astype(np.float32)).to(device)
        return {"targets": p, "by": "loss" if single_label else "label losses"}

    def _validation_by_asking(self, form: AnswerForm, network: nn.Module) -> Validation:
        """Validation rows of several inputs, or whose answers have positions: those that are not learnt do not count."""
        layout = self.layout
        if layout is None:
            return Validation(self.rows, **self._targets(form, network), positions=form.positions)
        layout.check_learnt("the validation rows")
        kept = None if layout.kept is None else torch.from_numpy(layout.kept).to(torch_runtime.device_of(network))
        return Validation(
            self.rows, **self._targets(form, network, layout.kept), positions=form.positions, kept=kept, check=layout.check_all
        )


def _tensor_feed(network: nn.Module, rows: Tensor) -> TensorFeed:
    """Rows in memory: in the dtype of the network, or cast batch by batch where it has less precision than the teacher may want."""
    dtype, device = torch_runtime.input_dtype(network, rows[:2]), torch_runtime.device_of(network)
    if dtype.itemsize >= 4:
        return TensorFeed(rows.to(device, dtype))
    return TensorFeed(rows.to(device, torch.float32), dtype)


_BY: dict[str, Any] = {"regression": "squares", "multilabel": "label losses"}


def form_to_learn(teacher: Teacher | None, y: Any, form: AnswerForm | None, objective: Objective) -> AnswerForm:
    """The form of the student's answers: that of the teacher, or that given to the student, or that of y.

    A teacher of which the objective reads hidden layers only may have other classes; its form is used if nothing else is known.

    Raises:
        LabelMismatch: the student was given other classes than the teacher has. BadInput: neither teacher nor form nor y.
    """
    if teacher is not None and not objective.reads_layers_only:
        if form is not None and form.classes != teacher.form.classes:
            raise LabelMismatch(
                f"the student's classes are {list_classes(form.classes)}, {len(form.classes)} in all, the teacher's are "
                f"{list_classes(teacher.form.classes)}, {len(teacher.form.classes)} in all; expected the same in the same order. "
                "Leave classes= out, or reorder the teacher's with relabelled(); of two tokenizers, use a teacher with the student's."
            )
        if form is not None and form.positions not in (None, teacher.form.positions):
            raise LabelMismatch(
                f"the student answers {form.positions}, the teacher {teacher.form.positions or 'rows'}; expected the same. Leave "
                f"positions= out, or say what a network answers: as_teacher(network, classes=..., positions={form.positions!r})."
            )
        return _learnt(teacher)
    if form is not None:
        return form
    if any(term.tasks == ("regression",) for term in objective.terms):
        return AnswerForm("values", "regression")
    if y is not None and (teacher is None or teacher.form.positions is None or np.ndim(next(iter(y))) == 0):
        return form_of_truth(y)
    if teacher is None or ("labels" in objective.needs and not teacher.form.classes):
        raise BadInput(
            "there is no teacher and no y, so there is nothing to learn; pass soft labels, a teacher, or y; or, for a Dataset "
            "with ground truth, the classes: TorchStudent(network, classes=[...])."
            if teacher is None
            else "the student's classes are not known; pass y, or the classes: TorchStudent(network, classes=[...])."
        )
    return _learnt(teacher)


def _learnt(teacher: Teacher) -> AnswerForm:
    """The form of a student that answers as the teacher does."""
    return teacher.form if teacher.form.kind == "values" else teacher.form.as_kind("logits")


def training_data(X: Any, teacher: Teacher | None, truth: Tensor | Ragged | None) -> TrainingData:
    """Rows with their answers and ground truth, after checking that they belong together.

    Args:
        X: rows, as in `TorchStudent.fit`.
        teacher: recorded answers or a live teacher; None without a teacher.
        truth: as `truth_tensor` returns it.

    Raises:
        LabelMismatch: recorded answers to other rows. ShapeError, BadInput: rows that a network cannot take, or a ground truth of
            another number of rows.
    """
    answer_form = None if teacher is None else teacher.form
    if isinstance(X, Parts):
        return TrainingData(X, None, None, answer_form=answer_form)
    if isinstance(X, Views):
        answers, unverified = answers_to_views(teacher, X)
        return TrainingData(X, answers, _same_rows(truth, X.rows), unverified, answer_form=answer_form)
    if isinstance(X, Dataset | DataLoader):
        dataset = map_style(X)
        recorded = isinstance(teacher, SoftLabels | LabelFolder)
        if not recorded or teacher is None:
            return TrainingData(X, None, _same_rows(truth, len(dataset)), answer_form=answer_form)
        names, answers = recorded_of_items(X, dataset, teacher)
        return TrainingData(X, answers, _same_rows(truth, len(names)), names, answer_form=answer_form)
    rows = network_inputs(X)
    answers = None if teacher is None else answers_to(teacher, X)
    return TrainingData(rows, answers, _same_rows(truth, len(rows)), answer_form=answer_form)


def network_inputs(X: Any) -> Any:
    """Several inputs as one structure; any other rows as an array, as `network_rows`."""
    structure = whole_structure(X)
    return structure if isinstance(structure, StructuredRows) else network_rows(X)


def row_count(rows: Any) -> int:
    """The number of rows of an array, `Views`, a Dataset or a DataLoader; views of a row are one row."""
    return rows.rows if isinstance(rows, Views) else len(rows.dataset if hasattr(rows, "collate_fn") else rows)


def _same_rows(truth: Tensor | Ragged | None, rows: int) -> Tensor | Ragged | None:
    if truth is not None and len(truth) != rows:
        raise ShapeError(f"y has {len(truth)} rows and X has {rows}; expected the same rows in the same order.")
    return truth


def network_rows(X: Any) -> NDArray[Any]:
    """(rows, ...) numbers for a network, in the dtype that they have.

    Raises:
        ShapeError: fewer than two axes. BadInput: rows that are not numbers.
    """
    rows = as_rows(X)
    array = np.asarray(tensor_array(X) if hasattr(X, "detach") else rows.part(0, rows.count))
    if array.dtype.kind not in "biuf":
        raise BadInput(f"a network takes numbers; the rows have dtype {array.dtype}. Encode texts and categories as numbers first.")
    if array.ndim < 2:
        raise ShapeError(f"X has shape {array.shape}; expected (rows, ...), with two or more axes.")
    return np.ascontiguousarray(array)
