"""The rows that select an epoch: a share of the training rows, or others."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from torch.utils.data import Dataset

from tutelage.core.answers import AnswerForm
from tutelage.core.errors import BadInput
from tutelage.core.torch_runtime import seeded
from tutelage.data.rows import is_hugging_face
from tutelage.data.structures.structured import StructuredRows
from tutelage.data.torch_data.loader_rows import is_loader, is_read_by_items
from tutelage.data.truth.given_truth import rows_and_truth
from tutelage.data.views import Views
from tutelage.losses.class_weights import BALANCED
from tutelage.softlabels.streaming.order import Places
from tutelage.softlabels.streaming.parts import Parts
from tutelage.softlabels.streaming.sample import drawn_rows, rows_numbered
from tutelage.teachers.adapt import as_teacher
from tutelage.training.feeding.loss_weights import of_mean_one
from tutelage.training.feeding.sources import TrainingData, network_inputs, row_count, training_data
from tutelage.training.feeding.truth import truth_of, truth_tensor


def split_validation(
    data: TrainingData, validation: Any, form: AnswerForm, *, seed: int, class_weight: Any = None
) -> tuple[TrainingData, TrainingData | None]:
    """The training rows and the validation rows, if any.

    Args:
        data: all rows.
        validation: None, a share of the rows, (X, y), or (X, y, labels); or a Dataset or DataLoader that has the ground truth.
        form: the form of the student's answers.
        seed: the seed that draws the share, and what the items of a Dataset draw.
        class_weight: "balanced", a dict from classes to weights, or None: by which given rows are weighed, as a share is with `data`.

    Raises:
        BadInput: validation of another type; balanced weights of rows without ground truth.
    """
    if validation is None:
        return data, None
    if isinstance(validation, float | np.floating):
        return split(data, float(validation), form, seed=seed)
    if is_loader(validation) or isinstance(validation, Dataset) or is_hugging_face(validation):
        validation = (validation, None)
    if not isinstance(validation, tuple) or len(validation) not in (2, 3):
        seen = f"is {validation}" if isinstance(validation, bool | str) else f"is a {type(validation).__name__}"
        raise BadInput(f"validation {seen}; expected a share of the rows, such as 0.2, (X, y), (X, None, labels), or a Dataset.")
    X, y, *labels = validation
    if is_loader(X) or isinstance(X, Dataset) or is_read_by_items(X):
        with seeded(seed):  # what its items draw
            rows, y = rows_and_truth(X, y, form)
        X = rows.part(0, rows.count)
    found = training_data(X, as_teacher(labels[0]) if labels else None, truth_of(X, y, form))
    if class_weight is None or (found.truth is None and found.answers is None):  # without both they are refused later
        return data, found
    if found.truth is None and class_weight == BALANCED:
        raise BadInput(
            f"class_weight is {BALANCED!r}, and the validation rows have no ground truth whose classes could be counted; pass weights by "
            "class, or validation=(X, y)."
        )
    return data, found.weighted(None, class_weight, form)


def split(data: TrainingData, share: float, form: AnswerForm, *, seed: int) -> tuple[TrainingData, TrainingData]:
    """Split rows into training rows and validation rows, drawn at random by the seed: the same, in memory or read in parts.

    Raises:
        BadInput: a share that leaves no row in one of the parts, or `Views`; of parts, more validation rows than their window holds.
    """
    if isinstance(data.rows, Views):
        raise BadInput(
            f"validation={share} of augmented rows; validation rows must not be augmented: with Views pass validation=(X, y), "
            "unchanged rows."
        )
    if not isinstance(data.rows, np.ndarray | StructuredRows | Parts):
        raise BadInput(
            f"validation={share} of a {type(data.rows).__name__}; a share is drawn of rows in memory. Split the Dataset, "
            f"torch.utils.data.random_split(dataset, [{1 - share:g}, {share:g}]), and pass the second part as validation: a Dataset or "
            "DataLoader of pairs, or (X, y)."
        )
    rows = row_count(data.rows)
    held_out = round(share * rows) if 0 < share < 1 else 0
    if not 0 < held_out < rows:
        raise BadInput(
            f"validation={share} of {rows} rows gives {held_out} validation rows and {rows - held_out} training rows; "
            "expected some of each. Pass a larger or smaller share."
        )
    drawn = drawn_rows(rows, held_out, seed)
    if isinstance(data.rows, Parts):
        return _split_parts(data, data.rows, drawn, form)
    return data.part(_others(drawn, rows)), data.part(drawn)


def _others(drawn: Places, rows: int) -> Places:
    return np.flatnonzero(~np.isin(np.arange(rows), drawn, assume_unique=True))


def _split_parts(data: TrainingData, parts: Parts, drawn: Places, form: AnswerForm) -> tuple[TrainingData, TrainingData]:
    """Parts whose epochs leave some rows out, and these rows, which are read once, into memory."""
    if len(drawn) > parts.window:
        raise BadInput(
            f"a share of {len(drawn)} validation rows is more than the window of {parts.window} rows; validation rows stay in memory. "
            "Pass a smaller share, or a larger window to parts()."
        )
    learnt, held = replace(data, rows=parts.without(drawn)), rows_numbered(parts, drawn, network_inputs)
    truth = None if held.y is None else truth_tensor(held.y, form, held.rows)
    validation = TrainingData(held.rows, held.answers, truth, answer_form=data.answer_form)
    if data.weights is None:
        return learnt, validation
    counts = None if data.read is None else data.read.counts
    learnt = replace(learnt, weights=of_mean_one(data.weights, _others(drawn, len(parts)), counts))
    return learnt, validation.weighted(of_mean_one(data.weights[drawn]), None, form)
