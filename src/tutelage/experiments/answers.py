"""Teacher answers, computed once and stored in a recipe's cache."""

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
    store: Store, teacher_from: Mapping[str, Any], inputs: NDArray[Any], form: AnswerForm, teacher: Callable[[], Teacher]
) -> SoftLabels:
    """A teacher's answers to these rows, computed only if they are not in the cache.

    Args:
        store: the cache.
        teacher_from: JSON values that determine the teacher; the answers are cached under these and the names of the rows.
        inputs: (rows, features) in the form that the teacher takes.
        form: the form that the teacher declares.
        teacher: creates the teacher; called only if the answers must be computed.
    """
    names = row_names(inputs)
    rows = RunningName()
    rows.add(names)
    made_from = {**teacher_from, "data": rows.value}
    arrays = store.cached(made_from, lambda: {"answers": form.check(teacher().answer(inputs), len(names))})
    return SoftLabels(arrays["answers"], form, names, key_of(teacher_from))
