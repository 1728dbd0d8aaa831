"""Weights and temperatures of an objective that change during a training."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from numbers import Real
from typing import Any

from tutelage.core.arguments import number
from tutelage.core.errors import FOREIGN, BadInput, TutelageError, one_line, shown

SHARES = tuple(step / 100 for step in range(101))
"""Shares of a training at which the values of a schedule are checked before it."""


@dataclass(frozen=True)
class Schedule:
    """A weight or a temperature as a function of the share of the training that is done.

    It is multiplied by an objective like a number, or passed as a temperature. Products of schedules and numbers are schedules, and so
    is 1 - schedule.

    Attributes:
        function: (share) -> number; the share is 0 in the first step and 1 in the last. Its values are checked before a training.
        text: what it is called where it is shown.

    Raises:
        BadInput: not a function.

    Example:
        >>> import tutelage as tl
        >>> weight = tl.losses.Schedule(lambda share: 0.9 if share < 0.5 else 0.1, "halved")
        >>> objective = weight * tl.losses.soft_cross_entropy() + (1 - weight) * tl.losses.hard_cross_entropy()
        >>> [[round(term.weight, 1) for term in objective.at(share).terms] for share in (0.0, 1.0)]
        [[0.9, 0.1], [0.1, 0.9]]
    """

    function: Callable[[float], Any] = field(repr=False)
    text: str = "schedule"

    def __post_init__(self) -> None:
        if not callable(self.function):
            raise BadInput(
                f"a schedule is made from {shown(self.function)}; expected a function of the share of the training that is done."
            )

    def __call__(self, share: float) -> Any:
        """The value when this share of the training is done; in the training of a stack it may be a tensor, (copies, 1, 1).

        Raises:
            BadInput: the function fails.
        """
        try:
            return self.function(share)
        except TutelageError:
            raise
        except FOREIGN as error:  # the code of the user
            raise BadInput(f"the {self.text} of a weight or temperature failed at the share {share:g} ({one_line(error)}).") from error

    def checked(self, check: Callable[[Any], Any]) -> Schedule:
        """The same, with every value checked when it is used, and values of many shares now."""
        if isinstance(self.function, partial) and self.function.func is _checked and self.function.args[0] is check:
            return self
        for share in SHARES:
            check(self(share))
        return replace(self, function=partial(_checked, check, self))

    def __mul__(self, factor: Any) -> Schedule:
        if isinstance(factor, Schedule):
            return Schedule(partial(_product_of, self, factor), f"{self.text} * {factor.text}")
        if not isinstance(factor, Real) and not hasattr(factor, "detach"):
            return NotImplemented
        if isinstance(factor, Real) and factor == 1:
            return self
        shown_factor = f"{factor:g}" if isinstance(factor, Real) else "weights of copies"
        return Schedule(partial(_product, self, factor), f"{shown_factor} * {self.text}")

    __rmul__ = __mul__

    def __rsub__(self, whole: float) -> Schedule:
        return Schedule(partial(_difference, whole, self), f"{whole:g} - {self.text}")


def linear(start: float, end: float, *, since: float = 0.0, until: float = 1.0) -> Schedule:
    """A weight or temperature that moves from one value to another in equal steps.

    Args:
        start: the value at the beginning.
        end: the value at the end.
        since: the share of the training up to which it is `start`.
        until: the share from which on it is `end`.

    Returns:
        A schedule, for `linear(0.9, 0.1) * objective`, or `soft_cross_entropy(temperature=linear(8.0, 1.0))`.

    Raises:
        BadInput: numbers that are not finite, or shares that are not ordered from 0 to 1.

    Source: a falling temperature: Jafari et al. 2021 (Annealing-KD), arXiv 2104.07163; a rising weight: Zhao et al. 2022 (DKD), arXiv
        2203.08679, whose code lets it rise during the first epochs.

    Example:
        >>> import tutelage as tl
        >>> warm_up = tl.losses.linear(0.0, 1.0, until=0.25)
        >>> [warm_up(share) for share in (0.0, 0.125, 0.25, 1.0)]
        [0.0, 0.5, 1.0, 1.0]
        >>> annealed = tl.losses.soft_cross_entropy(temperature=tl.losses.linear(8.0, 1.0))
        >>> annealed.at(0.5).terms[0].settings
        {'temperature': 4.5}
    """
    start, end = number("start", start), number("end", end)
    since, until = number("since", since, least=0, most=1), number("until", until, least=0, most=1)
    if since >= until:
        raise BadInput(f"since is {since:g} and until is {until:g}; expected shares of the training, since below until.")
    shares = "" if (since, until) == (0, 1) else f", since={since:g}, until={until:g}"
    return Schedule(partial(_linear, start, end, since, until), f"linear({start:g}, {end:g}{shares})")


def _linear(start: float, end: float, since: float, until: float, share: float) -> float:
    moved = min(max((share - since) / (until - since), 0.0), 1.0)
    return end if moved == 1.0 else start + (end - start) * moved


def _checked(check: Callable[[Any], Any], schedule: Schedule, share: float) -> Any:
    return check(schedule(share))


def _product(schedule: Schedule, factor: Any, share: float) -> Any:
    return schedule(share) * factor


def _product_of(first: Schedule, second: Schedule, share: float) -> Any:
    return first(share) * second(share)


def _difference(whole: float, schedule: Schedule, share: float) -> Any:
    return whole - schedule(share)


def at_share(value: Any, share: float) -> Any:
    """A value when this share of the training is done: that of a schedule, and of the arguments of a partial; any other as it is."""
    if isinstance(value, Schedule):
        return value(share)
    if isinstance(value, partial) and changes(value):
        arguments = [at_share(argument, share) for argument in value.args]
        return partial(value.func, *arguments, **{name: at_share(argument, share) for name, argument in value.keywords.items()})
    return value


def changes(value: Any) -> bool:
    """Whether a value is a schedule, or a partial that has one."""
    if isinstance(value, partial):
        return any(map(changes, (*value.args, *value.keywords.values())))
    return isinstance(value, Schedule)
