"""The columns of ground truth of a file, matched to the classes of a teacher or a student."""

from __future__ import annotations

import numpy as np

from tutelage.checks.against_baselines import FEWEST_ROWS, order_by_fit, scale_by_output
from tutelage.core.answer_values.class_names import list_classes
from tutelage.core.answers import AnswerForm
from tutelage.core.arrays import Floats
from tutelage.core.errors import LabelMismatch
from tutelage.data.table_file import TableFile


def in_label_order(form: AnswerForm, data: TableFile) -> TableFile:
    """The data with several columns of ground truth in the order of the labels that they are named after.

    Raises, Warns:
        as `TableFile.with_truth_of`.
    """
    return data.with_truth_of(form.classes if form.task == "multilabel" else (), "labels")


def check_values(form: AnswerForm, answers: Floats, data: TableFile) -> list[str]:
    """What is odd about the true values, as sentences: columns that a teacher's values do not fit. They are in the order of its outputs.

    Args:
        form: of the answers; nothing is said of classes.
        answers: (rows, outputs) the teacher's values.
        data: the rows, with or without ground truth.

    Raises:
        LabelMismatch: the columns are in another order than the outputs.
    """
    given = data.truth_values() if form.task == "regression" else None
    if given is None or given.dtype.kind not in "biuf" or len(given) < FEWEST_ROWS:
        return []
    truth = given.astype(np.float64).reshape(len(given), -1)
    if truth.shape != answers.shape:
        return []
    names = data.truth if len(data.truth) == truth.shape[1] else tuple(range(truth.shape[1]))
    order = order_by_fit(answers, truth)
    if order is not None:
        raise LabelMismatch(
            f"the columns of the ground truth are {list_classes(tuple(names))}, and the teacher's outputs follow the order "
            f"{list_classes(tuple(names[place] for place in order))}: each fits that column, not its own. Name the columns in this order."
        )
    found = zip(names, scale_by_output(answers, truth), strict=True)
    return [f"column {name!r} of the ground truth: {each.sentence} {each.remedy}" for name, each in found if each.severity == "error"]


def check_labels(form: AnswerForm, data: TableFile) -> None:
    """Check that the labels of a table are not the names of the classes in another type: numbers where these are texts, or the reverse.

    Raises:
        LabelMismatch: they are.
    """
    if form.task not in ("binary", "multiclass") or data.source is None or len(data.truth) != 1:
        return
    (name,), expected = data.truth, {isinstance(label, str) for label in form.classes}
    are_texts = data.source.recorded_types([name])[name] == "text"
    if len(expected) > 1 or are_texts in expected:
        return
    found = {str(label).lower() for label in data.values(name, gaps=True).tolist() if label is not None}
    if found <= {str(label).lower() for label in form.classes}:
        of_truth = all(isinstance(label, bool) for label in form.classes)
        wanted, kind = ("texts", "text") if not are_texts else ("truth values", "boolean") if of_truth else ("numbers", "number")
        held = "texts" if are_texts else "numbers or truth values"
        raise LabelMismatch(
            f"column {name!r} of {data.path} holds {held} where the classes {list_classes(form.classes)} are {wanted}; read it as these, "
            f"with dtype={{{name!r}: {kind!r}}}."
        )
