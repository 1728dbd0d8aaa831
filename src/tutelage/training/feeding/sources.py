"""Converts a user's data (rows, soft labels or a live teacher, ground truth) to what the training loop takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tutelage.core.answers import AnswerForm, form_of_truth, list_classes
from tutelage.core.arrays import Floats
from tutelage.core.contracts import Teacher
from tutelage.core.errors import BadInput, LabelMismatch, ShapeError
from tutelage.data.row_names import Names, row_names
from tutelage.data.rows import Rows, as_rows
from tutelage.data.views import Views
from tutelage.losses.objective import Objective
from tutelage.softlabels.folder import LabelFolder
from tutelage.softlabels.labels import SoftLabels
from tutelage.softlabels.options import SHARD_ROWS
from tutelage.teachers.adapt import as_teacher
from tutelage.training.feeding.feeds import Batch, Feed, LoaderFeed, TensorFeed, ViewFeed
from tutelage.training.feeding.teacher_answers import TeacherSignals, live_answers, recorded_answers
from tutelage.training.validation import Validation


@dataclass(frozen=True)
class TrainingData:
    """Rows with their answers and ground truth.

    Attributes:
        rows: an array (rows, ...) of float32 or int64, `Views`, or a Dataset.
        answers: (answers, columns) of the teacher; None if there is no teacher, or if it is called batch by batch.
        truth: (rows, ...) the ground truth as the losses take it; None if it is unknown, or if the Dataset contains it.
        unverified: (answers,) names of recorded rows that are to be compared with the batches.
        answer_form: form of the teacher's answers; None if there is no teacher.
    """

    rows: Any
    answers: Floats | None
    truth: Tensor | None
    unverified: Names | None = None
    answer_form: AnswerForm | None = None

    def part(self, rows: NDArray[np.intp]) -> TrainingData:
        """A subset of the rows."""
        from torch.utils.data import Subset

        subset = self.rows[rows] if isinstance(self.rows, np.ndarray) else Subset(self.rows, rows.tolist())
        answers = None if self.answers is None else self.answers[rows]
        truth = None if self.truth is None else self.truth[rows]
        return TrainingData(subset, answers, truth, answer_form=self.answer_form)

    def feed(self, device: torch.device) -> Feed:
        """The feed that gives batches of these rows."""
        if isinstance(self.rows, Views):
            return ViewFeed(self.rows, device)
        if isinstance(self.rows, np.ndarray):
            return TensorFeed(torch.from_numpy(self.rows).to(device))
        return LoaderFeed.of(self.rows, device)

    def teacher_answers(self, teacher: Teacher | None, objective: Objective, device: torch.device) -> TeacherSignals | None:
        """Gives the teacher's answers to a batch; None without a teacher."""
        if teacher is None:
            return None
        if self.answers is None:
            return live_answers(teacher, device)
        return recorded_answers(self.answers, teacher.form, objective, device, unverified=self.unverified)

    def given(self, first: Batch, teacher: Teacher | None) -> set[str]:
        """The signals that every batch will have, as `Objective.check` takes them."""
        labelled = self.truth is not None or first.labels is not None
        return {"index", *(["teacher"] if teacher is not None else []), *(["labels"] if labelled else [])}

    def validation(self, form: AnswerForm, device: torch.device) -> Validation:
        """These rows as validation rows.

        Raises:
            BadInput: neither ground truth nor answers; or `Views` or a Dataset. LabelMismatch: answers for other classes.
        """
        if not isinstance(self.rows, np.ndarray):
            raise BadInput(
                f"the validation rows are a {type(self.rows).__name__}; "
                "expected an array or a tensor, not augmented: no Views and no Dataset."
            )
        inputs = torch.from_numpy(self.rows).to(device)
        single_label = form.task in ("binary", "multiclass")
        if self.truth is not None:
            return Validation(inputs, self.truth.to(device), by="errors" if single_label else _BY[form.task])
        if self.answers is None or self.answer_form is None:
            raise BadInput("validation rows need ground truth or the teacher's answers, and have neither; pass validation=(X, y).")
        if (self.answer_form.task, self.answer_form.classes) != (form.task, form.classes):
            raise LabelMismatch(
                f"the soft labels of the validation rows are {self.answer_form.task} answers for {list_classes(self.answer_form.classes)}; "
                f"expected those that the student learns, {form.task} {list_classes(form.classes)}. Put them in order with relabelled()."
            )
        if form.task == "regression":
            return Validation(inputs, torch.from_numpy(self.answers.astype(np.float32)).to(device), by="squares")
        p = torch.from_numpy(self.answer_form.probabilities(self.answers).astype(np.float32)).to(device)
        return Validation(inputs, p, by="loss" if single_label else "label losses")


_BY: dict[str, Any] = {"regression": "squares", "multilabel": "label losses"}


def form_to_learn(teacher: Teacher | None, y: Any, form: AnswerForm | None, objective: Objective) -> AnswerForm:
    """The form of the student's answers: that of the teacher, or that given to the student, or that of y.

    Raises:
        LabelMismatch: the student was given other classes than the teacher has. BadInput: neither teacher nor form nor y.
    """
    if teacher is not None:
        if form is not None and form.classes != teacher.form.classes:
            raise LabelMismatch(
                f"the student's classes are {form.classes}, the teacher's are {teacher.form.classes}; expected the same in the same order. "
                "Leave classes= out, or reorder the teacher's with relabelled()."
            )
        return teacher.form if teacher.form.kind == "values" else teacher.form.as_kind("logits")
    if form is not None:
        return form
    if all(term.tasks == ("regression",) for term in objective.terms):
        return AnswerForm("values", "regression")
    if y is None:
        raise BadInput("there is no teacher and no y, so there is nothing to learn; pass soft labels, a teacher, or y.")
    return form_of_truth(y)


def truth_tensor(y: Any, form: AnswerForm) -> Tensor | None:
    """The ground truth as the losses take it: int64 class codes, or float32; None stays None.

    Raises:
        LabelMismatch, ShapeError, BadInput: as `AnswerForm.truth`.
    """
    if y is None:
        return None
    truth = form.truth(y)
    return torch.from_numpy(truth if truth.ndim == 1 else truth.astype(np.float32))


def training_data(X: Any, teacher: Teacher | None, truth: Tensor | None) -> TrainingData:
    """Rows with their answers and ground truth, after checking that they belong together.

    Args:
        X: rows, as in `TorchStudent.fit`.
        teacher: recorded answers or a live teacher; None without a teacher.
        truth: as `truth_tensor` returns it.

    Raises:
        LabelMismatch: recorded answers to other rows. ShapeError, BadInput: rows that a network cannot take, or a ground truth of
            another number of rows.
    """
    from torch.utils.data import DataLoader, Dataset

    answer_form = None if teacher is None else teacher.form

    if isinstance(X, Views):
        answers, unverified = _answers_to_views(teacher, X)
        return TrainingData(X, answers, _same_rows(truth, X.rows), unverified, answer_form=answer_form)
    if isinstance(X, Dataset | DataLoader):
        dataset = X.dataset if isinstance(X, DataLoader) else X
        recorded = isinstance(teacher, SoftLabels | LabelFolder)
        answers = answers_to(teacher, dataset) if recorded and teacher is not None else None
        return TrainingData(X, answers, _same_rows(truth, len(dataset)), answer_form=answer_form)  # type: ignore[arg-type]
    rows = _array(X)
    answers = None if teacher is None else answers_to(teacher, X)
    return TrainingData(rows, answers, _same_rows(truth, len(rows)), answer_form=answer_form)


def _same_rows(truth: Tensor | None, rows: int) -> Tensor | None:
    if truth is not None and len(truth) != rows:
        raise ShapeError(f"y has {len(truth)} rows and X has {rows}; expected the same rows in the same order.")
    return truth


def answers_to(teacher: Teacher, data: Any) -> Floats:
    """(rows, columns) answers to every row of the data.

    Recorded answers are looked up by the content of the rows. A live teacher is called on the same parts as by `record`, so that live
    and recorded answers are equal to the last bit.

    Raises:
        LabelMismatch: recorded answers to other rows.
    """
    rows = as_rows(data)
    if isinstance(teacher, SoftLabels | LabelFolder):
        names = _names_of(rows)
        labels = _in_memory(teacher)
        return labels.answers if np.array_equal(names, labels.names) else labels.of_names(names)
    return np.concatenate([teacher.form.check(teacher.answer(part), stop - start) for start, stop, part in rows.parts(SHARD_ROWS)])


def soft_labels_of(X: Any, answers: Any, form: AnswerForm) -> SoftLabels:
    """Soft labels from an array of answers to these rows.

    Args:
        X: rows, as in `as_rows`.
        answers: (rows, columns) array or tensor, in the order of the rows.
        form: the form of the answers.

    Raises:
        NotProbabilities, ShapeError, LabelMismatch, BadInput: answers that do not have this form, or another number of rows.
    """
    rows = as_rows(X)
    array = answers.detach().cpu().numpy() if hasattr(answers, "detach") else answers
    return SoftLabels(form.check(array, rows.count, "labels"), form, _names_of(rows))


def _names_of(rows: Rows) -> Names:
    return np.concatenate([row_names(part) for *_, part in rows.parts(SHARD_ROWS)])


def _answers_to_views(teacher: Teacher | None, views: Views) -> tuple[Floats | None, Names | None]:
    """Answers to all views. Recorded answers to as many views are verified batch by batch, so that no view is computed twice."""
    if teacher is None:
        return None, None
    if isinstance(teacher, SoftLabels | LabelFolder) and len(teacher) == len(views):
        labels = _in_memory(teacher)
        return labels.answers, labels.names.copy()
    return answers_to(teacher, views), None


def _in_memory(recorded: SoftLabels | LabelFolder) -> SoftLabels:
    return recorded.labels if isinstance(recorded, LabelFolder) else recorded


def _array(X: Any) -> NDArray[Any]:
    """(rows, ...) float32, or int64 for 64-bit integers, such as token ids.

    Raises:
        ShapeError: fewer than two axes. BadInput: rows that are not numbers.
    """
    rows = as_rows(X)
    array = np.asarray(X.detach().cpu().numpy() if hasattr(X, "detach") else rows.part(0, rows.count))
    if array.dtype.kind not in "biuf":
        raise BadInput(f"a network takes numbers; the rows have dtype {array.dtype}. Encode texts and categories as numbers first.")
    if array.ndim < 2:
        raise ShapeError(f"X has shape {array.shape}; expected (rows, ...), with two or more axes.")
    whole = array.dtype.kind in "iu" and array.dtype.itemsize == 8
    return np.ascontiguousarray(array, dtype=np.int64 if whole else np.float32)


def split_validation(data: TrainingData, validation: Any, form: AnswerForm, *, seed: int) -> tuple[TrainingData, TrainingData | None]:
    """The training rows and the validation rows, if any.

    Args:
        data: all rows.
        validation: None, a share of the rows, (X, y), or (X, y, labels).
        form: the form of the student's answers.
        seed: the seed that draws the share.

    Raises:
        BadInput: validation of another type.
    """
    if validation is None:
        return data, None
    if isinstance(validation, float):
        return split(data, validation, seed=seed)
    if not isinstance(validation, tuple) or len(validation) not in (2, 3):
        raise BadInput(f"validation is a {type(validation).__name__}; expected a share of the rows, (X, y), or (X, None, labels).")
    X, y, *labels = validation
    return data, training_data(X, as_teacher(labels[0]) if labels else None, truth_tensor(y, form))


def split(data: TrainingData, share: float, *, seed: int) -> tuple[TrainingData, TrainingData]:
    """Split rows into training rows and validation rows, drawn at random by the seed.

    Raises:
        BadInput: a share that leaves no row in one of the parts, or `Views`.
    """
    if isinstance(data.rows, Views):
        raise BadInput(
            f"validation={share} of augmented rows; validation rows must not be augmented: with Views pass validation=(X, y), "
            "unchanged rows."
        )
    rows = len(data.rows.dataset if hasattr(data.rows, "dataset") and hasattr(data.rows, "collate_fn") else data.rows)
    held_out = round(share * rows)
    if not 0 < held_out < rows:
        raise BadInput(
            f"validation={share} of {rows} rows gives {held_out} validation rows and {rows - held_out} training rows; "
            "expected some of each. Pass a larger or smaller share."
        )
    order = np.random.default_rng(seed).permutation(rows)
    return data.part(np.sort(order[held_out:])), data.part(np.sort(order[:held_out]))
