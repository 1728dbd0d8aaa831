"""What the scikit-learn students check alike: their settings, in `fit` as scikit-learn asks, and whether they are fitted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from tutelage.core.arguments import choice, flag, number, whole
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
    """None, a seed of 32 bits, or a RandomState.

    Raises:
        BadInput: anything else.
    """
    return value if value is None or isinstance(value, np.random.RandomState) else whole(name, value, 0, 2**32 - 1)


def layer_sizes(name: str, value: Any) -> Any:
    """The units of each hidden layer.

    Raises:
        BadInput: no sequence of whole numbers.
    """
    if isinstance(value, str | bytes) or not isinstance(value, list | tuple | np.ndarray):
        raise BadInput(f"{name} is {shown(value)}; expected the units of each hidden layer, such as (64,).")
    return [whole(f"a size in {name}", size, 1, MOST_PARTS) for size in value]


switch: Check = flag
"""True or False."""
