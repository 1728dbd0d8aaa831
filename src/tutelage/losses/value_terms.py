"""The public losses of independent labels and of values, as objectives of one term (see `terms.py`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

from tutelage.core.errors import BadInput
from tutelage.losses.functional import bernoulli, regression
from tutelage.losses.functional.numerics import check_scale
from tutelage.losses.objective import Objective, Term

if TYPE_CHECKING:
    from torch import Tensor

Against = Literal["teacher", "labels"]


def soft_bernoulli(*, temperature: float | Tensor = 1.0) -> Objective:
    """Match the teacher label by label: the sum of binary cross-entropies at a temperature, times t^2 (see `multilabel`).

    Args:
        temperature: above zero; (copies, 1, 1) for one a copy.
    """
    settings = {"temperature": check_scale(temperature)}
    return Objective((Term("soft_bernoulli", bernoulli.soft_bernoulli, ("student", "teacher"), settings, tasks=("multilabel",)),))


def hard_bernoulli() -> Objective:
    """Match labels that are each on or off: the sum of binary cross-entropies (see `bernoulli.hard_bernoulli`)."""
    return Objective((Term("hard_bernoulli", bernoulli.hard_bernoulli, ("student", "labels"), tasks=("multilabel",)),))


def squared_error(*, against: Against = "teacher") -> Objective:
    """Match values: sum_o (s_o - y_o)^2 (see `regression.squared_error`).

    Args:
        against: whose values, "teacher" or "labels".
    """
    return _of_values("squared_error", regression.squared_error, against)


def huber(*, delta: float = 1.0, against: Against = "teacher") -> Objective:
    """Match values, a line instead of a square where they are far off (see `regression.huber`).

    Args:
        delta: where the square becomes a line, in the units of the values.
        against: whose values, "teacher" or "labels".
    """
    if not delta > 0:
        raise BadInput(f"delta is {delta}; expected a number above 0.")
    return _of_values("huber", regression.huber, against, delta=delta)


def gaussian() -> Objective:
    """Match the teacher's means as closely as its variances ask (see `regression.gaussian`).

    The teacher answers with twice as many columns as the student: its means, then its variances.
    """
    prepare = regression.positive_variances
    return Objective((Term("gaussian", regression.gaussian, ("student", "teacher"), prepare=prepare, tasks=("regression",)),))


def teacher_bounded(*, margin: float = 0.0) -> Objective:
    """The squared error to the truth, until the student is better than the teacher (see `regression.teacher_bounded`).

    Args:
        margin: by how much better, in squared units of the values.
    """
    reads = ("student", "teacher", "labels")
    return Objective((Term("teacher_bounded", regression.teacher_bounded, reads, {"margin": margin}, tasks=("regression",)),))


def _of_values(name: str, loss: Callable[..., Tensor], against: Against, **settings: Any) -> Objective:
    if against not in ("teacher", "labels"):
        raise BadInput(f"against is {against!r}; expected 'teacher' or 'labels'.")
    return Objective((Term(f"{name} {against}", loss, ("student", against), settings, tasks=("regression",)),))
