"""The columns of ground truth of a file, matched to the classes of a teacher or a student."""

from __future__ import annotations

from tutelage.core.answer_values.class_names import list_classes
from tutelage.core.answers import AnswerForm
from tutelage.core.errors import LabelMismatch
from tutelage.data.table_file import TableFile


def in_label_order(form: AnswerForm, data: TableFile) -> TableFile:
    """The data with several columns of ground truth in the order of the labels that they are named after.

    Raises, Warns:
        as `TableFile.with_truth_of`.
    """
    return data.with_truth_of(form.classes if form.task == "multilabel" else (), "labels")


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
