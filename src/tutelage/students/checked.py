"""What the scikit-learn students check alike: their settings, in `fit` as scikit-learn asks, and whether they are fitted."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np
from sklearn.exceptions import NotFittedError
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from tutelage.core.arguments import choice, number, whole, whole_numbers
from tutelage.core.errors import BadInput, shown

Check = Callable[[str, Any], Any]
"""A function from the name of a setting and its value to the valid value; it raises BadInput."""

MOST_PARTS = 10**6
"""The largest number of trees, rounds, epochs or units of a layer: more would never end, or fill all memory."""


class NotFitted(BadInput, NotFittedError):  # type: ignore[misc]
    """An estimator is used before it is fitted (also scikit-learn's NotFittedError)."""


def check_fitted(estimator: Any) -> None:
    """Check that an estimator was fitted.

    Raises:
        NotFitted: it was not.
    """
    try:
        check_is_fitted(estimator)
    except NotFittedError as error:
        raise NotFitted(str(error)) from None


def check_settings(estimator: Any, checks: Mapping[str, Check]) -> None:
    """Check the settings of an estimator, which its constructor only stores.

    Args:
        estimator: the estimator.
        checks: a check for each setting, by name.

    Raises:
        BadInput: a setting of another kind, or outside its range.
    """
    for name, check in checks.items():
        check(name, getattr(estimator, name))


def a_whole(least: int, most: int = MOST_PARTS) -> Check:
    """A whole number in a range."""
    return partial(whole, least=least, most=most)


def a_number(**limits: Any) -> Check:
    """A number; the arguments are those of `number`."""
    return partial(number, **limits)


def one_of(*names: str) -> Check:
    """One of these names."""
    return partial(choice, expected=names)


def optional(check: Check) -> Check:
    """None, or a value that another check accepts."""
    return lambda name, value: None if value is None else check(name, value)


def count_or_share(least: int) -> Check:
    """A whole number of at least `least`, or as a float a share between 0 and 1."""

    def check(name: str, value: Any) -> Any:
        if isinstance(value, float | np.floating):
            return number(name, value, above=0, most=1, hint="(a float is a share; pass a whole number for a count)")
        return whole(name, value, least, MOST_PARTS)

    return check


def feature_count(name: str, value: Any) -> Any:
    """None, a name of scikit-learn's, a count or a share of the features.

    Raises:
        BadInput: anything else.
    """
    if value is None:
        return None
    return choice(name, value, ("sqrt", "log2")) if isinstance(value, str) else count_or_share(1)(name, value)


def thread_count(name: str, value: Any) -> Any:
    """None, or a number of threads; negative ones count from the number of processors.

    Raises:
        BadInput: anything else.
    """
    if value is not None and whole(name, value, -MOST_PARTS, MOST_PARTS) == 0:
        raise BadInput(f"{name} is 0; expected 1 or more, -1 for one for each processor, or None.")
    return value


def random_seed(name: str, value: Any) -> Any:
    """What scikit-learn draws from: None, a seed of 32 bits, a RandomState, or the module numpy.random.

    Raises:
        BadInput: anything else.
    """
    try:
        check_random_state(value)
    except (ValueError, TypeError) as error:  # a seed outside the range, or another kind of value
        raise BadInput(f"{name} is {shown(value)}; expected None, a seed from 0 to {2**32 - 1:,}, or a RandomState.") from error
    return value


def layer_sizes(name: str, value: Any) -> Any:
    """The units of each hidden layer, which can be read again in each fit.

    Raises:
        BadInput: no sequence of whole numbers, or a generator.
    """
    expected = "the units of each hidden layer, such as (64,)"
    if isinstance(value, Iterator):
        raise BadInput(f"{name} is {shown(value)}, which can be read once; expected {expected}.")
    return whole_numbers(name, value, expected, least=1, most=MOST_PARTS)
