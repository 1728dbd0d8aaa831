"""From what a user has - rows, soft labels or a live teacher, the truth - to what the training loop takes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tutelage.core.answers import AnswerForm, form_of_truth
from tutelage.core.arrays import Floats
from tutelage.core.contracts import Teacher
from tutelage.core.errors import BadInput, LabelMismatch, ShapeError
from tutelage.data.row_names import Names, RunningName, row_names
from tutelage.data.rows import Rows, as_rows
from tutelage.data.views import Views
from tutelage.losses.objective import Objective
from tutelage.softlabels.folder import LabelFolder
from tutelage.softlabels.labels import SoftLabels
from tutelage.softlabels.options import SHARD_ROWS
from tutelage.teachers.adapt import as_teacher
from tutelage.training.feeds import Batch, Feed, LoaderFeed, TensorFeed, ViewFeed
from tutelage.training.teacher_answers import Answering, live, recorded
from tutelage.training.validation import Validation


@dataclass(frozen=True)
class TrainingData:
    """Rows and what is known of them.

    Attributes:
        rows: an array (rows, ...) of float32 or int64, `Views`, or a Dataset.
        answers: (answers, columns) of the teacher; None if there is none, or if it is asked batch by batch.
        truth: (rows, ...) as the losses take it; None where it is not known, or where the Dataset tells it.
        unproven: (answers,) names that are still to be compared with what is shown.
    """

    rows: Any
    answers: Floats | None
    truth: Tensor | None
    unproven: Names | None = None

    def part(self, rows: NDArray[np.intp]) -> TrainingData:
        """Some of the rows."""
        from torch.utils.data import Subset

        picked = self.rows[rows] if isinstance(self.rows, np.ndarray) else Subset(self.rows, rows.tolist())
        return TrainingData(picked, None if self.answers is None else self.answers[rows], None if self.truth is None else self.truth[rows])

    def feed(self, device: torch.device) -> Feed:
        """Its batches."""
        if isinstance(self.rows, Views):
            return ViewFeed(self.rows, device)
        if isinstance(self.rows, np.ndarray):
            return TensorFeed(torch.from_numpy(self.rows).to(device))
        return LoaderFeed.of(self.rows, device)

    def answering(self, teacher: Teacher | None, objective: Objective, device: torch.device) -> Answering | None:
        """What the teacher says of a batch."""
        if teacher is None:
            return None
        if self.answers is None:
            return live(teacher, device)
        return recorded(self.answers, teacher.form, objective, device, unproven=self.unproven)

    def given(self, first: Batch, teacher: Teacher | None) -> set[str]:
        """What every batch holds, as an objective asks for it."""
        labelled = self.truth is not None or first.labels is not None
        return {"index", *(["teacher"] if teacher is not None else []), *(["labels"] if labelled else [])}

    def validation(self, form: AnswerForm, device: torch.device) -> Validation:
        """As rows that choose the epoch.

        Raises:
            BadInput: neither truth nor answers, or a Dataset.
        """
        if not isinstance(self.rows, np.ndarray):
            raise BadInput("validation rows are an array or a tensor, as they are: no Views (augmented rows choose badly) and no Dataset.")
        inputs = torch.from_numpy(self.rows).to(device)
        one_a_row = form.task in ("binary", "multiclass")
        if self.truth is not None:
            return Validation(inputs, self.truth.to(device), by="errors" if one_a_row else _BY[form.task])
        if self.answers is None:
            raise BadInput("validation rows need their truth or the teacher's answers, to be scored by; pass validation=(X, y).")
        if form.task == "regression":
            return Validation(inputs, torch.from_numpy(self.answers.astype(np.float32)).to(device), by="squares")
        p = torch.from_numpy(form.probabilities(self.answers).astype(np.float32)).to(device)
        return Validation(inputs, p, by="loss" if one_a_row else "label losses")


_BY: dict[str, Any] = {"regression": "squares", "multilabel": "label losses"}


def known_as(teacher: Teacher | None, y: Any, form: AnswerForm | None, objective: Objective) -> AnswerForm:
    """What the student learns to say: what the teacher says, or what it was told, or what y holds.

    Raises:
        LabelMismatch: the student was told other classes than the teacher has. BadInput: nothing tells.
    """
    if teacher is not None:
        if form is not None and form.classes != teacher.form.classes:
            raise LabelMismatch(
                f"the student's classes are {form.classes}, the teacher's {teacher.form.classes}; give the student the teacher's, "
                "or put the teacher's in order with relabelled()."
            )
        return teacher.form if teacher.form.kind == "values" else teacher.form.as_kind("logits")
    if form is not None:
        return form
    if all(term.tasks == ("regression",) for term in objective.terms):
        return AnswerForm("values", "regression")
    if y is None:
        raise BadInput("there is no teacher and no y, so nothing to learn; pass soft labels, a teacher, or y.")
    return form_of_truth(y)


def truth_tensor(y: Any, form: AnswerForm) -> Tensor | None:
    """The ground truth as the losses take it: int64 codes of classes, or float32; None stays None.

    Raises:
        LabelMismatch, ShapeError, BadInput: as `AnswerForm.truth`.
    """
    if y is None:
        return None
    truth = form.truth(y)
    return torch.from_numpy(truth if truth.ndim == 1 else truth.astype(np.float32))


def training_data(X: Any, teacher: Teacher | None, truth: Tensor | None) -> TrainingData:
    """Rows with their answers and truth, proven to belong together.

    Args:
        X: rows, as `TorchStudent.fit` takes them.
        teacher: recorded answers, or a live teacher; None if there is none.
        truth: as `truth_tensor` gives it.

    Raises:
        LabelMismatch: recorded answers to other rows. ShapeError, BadInput: rows that a network cannot take, other rows than truth.
    """
    from torch.utils.data import DataLoader, Dataset

    if isinstance(X, Views):
        answers, unproven = _answers_to_views(teacher, X)
        return TrainingData(X, answers, _of_these_rows(truth, X.rows), unproven)
    if isinstance(X, Dataset | DataLoader):
        dataset = X.dataset if isinstance(X, DataLoader) else X
        saved = isinstance(teacher, SoftLabels | LabelFolder)
        answers = answers_to(teacher, dataset) if saved and teacher is not None else None
        return TrainingData(X, answers, _of_these_rows(truth, len(dataset)))  # type: ignore[arg-type]
    rows = _array(X)
    answers = None if teacher is None else answers_to(teacher, X)
    return TrainingData(rows, answers, _of_these_rows(truth, len(rows)))


def _of_these_rows(truth: Tensor | None, rows: int) -> Tensor | None:
    if truth is not None and len(truth) != rows:
        raise ShapeError(f"y has {len(truth)} rows and X has {rows}; expected the same rows in the same order.")
    return truth


def answers_to(teacher: Teacher, data: Any) -> Floats:
    """(rows, columns) answers to every row of the data: kept ones by content, a live teacher's in the parts that `record` asks.

    So live and recorded answers are the same bits.

    Raises:
        LabelMismatch: kept answers to other rows.
    """
    rows = as_rows(data)
    if isinstance(teacher, SoftLabels | LabelFolder):
        names = _names_of(rows)
        labels = _in_memory(teacher)
        return labels.answers if np.array_equal(names, labels.names) else labels.of_names(names)
    return np.concatenate([teacher.form.check(teacher.answer(part), stop - start) for start, stop, part in rows.parts(SHARD_ROWS)])


def soft_labels_of(X: Any, answers: Any, form: AnswerForm) -> SoftLabels:
    """An array of answers as soft labels of these rows.

    Args:
        X: rows, as `as_rows` takes them.
        answers: (rows, columns) array or tensor, in the order of the rows.
        form: what they are.

    Raises:
        NotProbabilities, ShapeError, LabelMismatch, BadInput: answers that are not of this form, or of other rows.
    """
    rows = as_rows(X)
    given = answers.detach().cpu().numpy() if hasattr(answers, "detach") else answers
    return SoftLabels(form.check(given, rows.count, "labels"), form, _names_of(rows))


def _names_of(rows: Rows) -> Names:
    return np.concatenate([row_names(part) for *_, part in rows.parts(SHARD_ROWS)])


def _answers_to_views(teacher: Teacher | None, views: Views) -> tuple[Floats | None, Names | None]:
    """Kept answers to all views in their order are proven as the views are shown, so that none is made twice."""
    if teacher is None:
        return None, None
    if isinstance(teacher, SoftLabels | LabelFolder) and len(teacher) == len(views):
        labels = _in_memory(teacher)
        return labels.answers, labels.names.copy()
    return answers_to(teacher, views), None


def _in_memory(saved: SoftLabels | LabelFolder) -> SoftLabels:
    return saved.labels if isinstance(saved, LabelFolder) else saved


def _array(X: Any) -> NDArray[Any]:
    """(rows, ...) float32, or int64 for whole numbers, such as token ids.

    Raises:
        ShapeError, BadInput: no rows of numbers.
    """
    rows = as_rows(X)
    array = np.asarray(X.detach().cpu().numpy() if hasattr(X, "detach") else rows.part(0, rows.count))
    if array.dtype.kind not in "biuf":
        raise BadInput(f"a network takes numbers; the rows hold {array.dtype}. Turn texts and categories into numbers first.")
    if array.ndim < 2:
        raise ShapeError(f"X has shape {array.shape}; expected (rows, ...).")
    whole = array.dtype.kind in "iu" and array.dtype.itemsize == 8
    return np.ascontiguousarray(array, dtype=np.int64 if whole else np.float32)


def apart(data: TrainingData, validation: Any, form: AnswerForm, *, seed: int) -> tuple[TrainingData, TrainingData | None]:
    """Rows to learn from and rows that choose the epoch, if any.

    Args:
        data: all rows.
        validation: None, the share of the rows, (X, y), or (X, y, labels).
        form: of the answers.
        seed: of the share.

    Raises:
        BadInput: validation that is none of these.
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
    """Rows to train on, and rows that choose the epoch, drawn by the seed.

    Raises:
        BadInput: a share that leaves nothing, or views.
    """
    if isinstance(data.rows, Views):
        raise BadInput("validation rows must not be augmented: with Views pass validation=(X, y), rows as they are.")
    rows = len(data.rows.dataset if hasattr(data.rows, "dataset") and hasattr(data.rows, "collate_fn") else data.rows)
    held = round(share * rows)
    if not 0 < held < rows:
        raise BadInput(
            f"validation={share} of {rows} rows leaves {held} to choose with and {rows - held} to learn from; expected some of each."
        )
    order = np.random.default_rng(seed).permutation(rows)
    return data.part(np.sort(order[held:])), data.part(np.sort(order[:held]))


def name_of(data: TrainingData) -> str:
    """One name for the rows that are trained on, their answers and their truth, for a checkpoint."""
    running = RunningName()
    for values in (data.rows if isinstance(data.rows, np.ndarray) else None, data.answers, data.truth):
        if values is not None:
            running.add(row_names(np.asarray(values).reshape(len(values), -1)))
    if isinstance(data.rows, Views):
        running.add(row_names(data.rows.data))
        return f"{running.value} {replace(data.rows, data=np.zeros((1, 1)))}"
    return running.value
