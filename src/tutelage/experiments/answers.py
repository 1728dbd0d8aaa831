"""A teacher's answers, asked once and kept in a recipe's cache."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from numpy.typing import NDArray

from tutelage.core.answers import AnswerForm
from tutelage.core.contracts import Teacher
from tutelage.data.row_names import RunningName, row_names
from tutelage.experiments.cache import Store, key_of
from tutelage.softlabels.labels import SoftLabels


def cached_answers(
    store: Store, told_by: Mapping[str, Any], inputs: NDArray[Any], form: AnswerForm, teacher: Callable[[], Teacher]
) -> SoftLabels:
    """A teacher's answers to these rows, asked now only if they are not kept already.

    Args:
        store: where they are kept.
        told_by: what the teacher was made from; the answers are kept under it and the rows' names.
        inputs: (rows, features) as the teacher takes them.
        form: what the teacher declares.
        teacher: called, and so made, only if it must be asked.
    """
    names = row_names(inputs)
    rows = RunningName()
    rows.add(names)
    made_from = {**told_by, "data": rows.value}
    arrays = store.cached(made_from, lambda: {"answers": teacher().answer(inputs)})
    return SoftLabels(arrays["answers"], form, names, key_of(told_by))
