"""The teacher's answers to all rows of the data, found by the content of the rows or computed."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch.utils.data import DataLoader, default_collate

from tutelage.core.answers import AnswerForm
from tutelage.core.contracts import Teacher
from tutelage.core.errors import TutelageError
from tutelage.core.position_answers import Answers, joined
from tutelage.data.row_names import Names, row_names
from tutelage.data.rows import Rows, as_rows
from tutelage.data.structures.given_answers import checked_answers
from tutelage.data.torch_data.loader_rows import numbered_parts
from tutelage.data.truth.given_truth import by_position
from tutelage.data.views import Views
from tutelage.softlabels.folder import LabelFolder
from tutelage.softlabels.labels import SoftLabels
from tutelage.softlabels.options import SHARD_ROWS
from tutelage.softlabels.querying import answers_of_part, query_parts


def answers_to(teacher: Teacher, data: Any) -> Answers:
    """(rows, columns) answers to every row of the data, or the most probable classes of each.

    Recorded answers are looked up by the content of the rows. A live teacher is called on the same parts as by `record`, so that live
    and recorded answers are equal to the last bit.

    Raises:
        LabelMismatch: recorded answers to other rows.
    """
    rows = as_rows(data, by_position=by_position(teacher.form))
    if isinstance(teacher, SoftLabels | LabelFolder):
        return _answers_of_names(teacher, _names_of(rows, teacher))
    parts = query_parts(rows, teacher.form)
    return joined(answers_of_part(teacher, part, start, stop) for start, stop, part in parts)


def recorded_of_items(X: Any, dataset: Any, recorded: Any) -> tuple[Names, Answers]:
    """The names of the rows of a Dataset and their recorded answers: by its items, or by what a collate function makes of them.

    Raises:
        LabelMismatch: recorded answers to other rows. BadInput, ShapeError: items that are no rows.
    """
    positions = by_position(recorded.form)
    try:
        names = _names_of(as_rows(dataset, by_position=positions), recorded)
        return names, _answers_of_names(recorded, names)
    except TutelageError:
        if not isinstance(X, DataLoader) or X.collate_fn is default_collate or X.batch_sampler is None:
            raise
        names = _names_of(Rows.of_pairs(*numbered_parts(X, by_position=positions), "DataLoader"), recorded)
        return names, _answers_of_names(recorded, names)


def _answers_of_names(recorded: Any, names: Names) -> Answers:
    labels = _in_memory(recorded)
    found: Answers = labels.answers if np.array_equal(names, labels.names) else labels.of_names(names)
    return found


def soft_labels_of(X: Any, answers: Any, form: AnswerForm) -> SoftLabels:
    """Soft labels from an array of answers to these rows.

    Args:
        X: rows, as in `as_rows`.
        answers: (rows, columns) array or tensor, in the order of the rows.
        form: the form of the answers.

    Raises:
        NotProbabilities, ShapeError, LabelMismatch, BadInput: answers that do not have this form, or another number of rows.
    """
    rows = as_rows(X, by_position=by_position(form))
    array = answers.detach().cpu().numpy() if hasattr(answers, "detach") else answers
    names = np.concatenate([row_names(part) for *_, part in rows.parts(SHARD_ROWS)])
    whole = rows.part(0, rows.count) if form.positions is not None else None
    return SoftLabels(checked_answers(form, array, whole, rows.count, "labels"), form, names, schema=rows.schema)


def _names_of(rows: Rows, recorded: Any) -> Names:
    """Names of the rows, in the columns that were recorded."""
    labels = _in_memory(recorded)
    return np.concatenate([labels.names_of(part) for *_, part in rows.parts(SHARD_ROWS)])


def answers_to_views(teacher: Teacher | None, views: Views) -> tuple[Answers | None, Names | None]:
    """Answers to all views. Recorded answers to as many views are verified batch by batch, so that no view is computed twice."""
    if teacher is None:
        return None, None
    if isinstance(teacher, SoftLabels | LabelFolder) and len(teacher) == len(views):
        labels = _in_memory(teacher)
        return labels.answers, labels.names.copy()
    return answers_to(teacher, views), None


def _in_memory(recorded: SoftLabels | LabelFolder) -> SoftLabels:
    return recorded.labels if isinstance(recorded, LabelFolder) else recorded
