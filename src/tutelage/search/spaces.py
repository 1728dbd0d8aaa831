"""Search spaces as users write them: Optuna distributions, lists of values, ranges, and distributions of scipy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tutelage.core.errors import BadInput, did_you_mean, require, shown

EXPECTED = "an Optuna distribution, a list of values, a range, or scipy's randint, uniform or loguniform"


@dataclass(frozen=True, eq=False)
class Space:
    """The settings that a search tries.

    Attributes:
        distributions: for each setting, an Optuna distribution.
        values: for settings whose values are neither texts nor numbers, what each text of the distribution stands for.
    """

    distributions: Mapping[str, Any]
    values: Mapping[str, Mapping[str, Any]]

    def decoded(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Settings of a trial as the student takes them."""
        return {name: self.values[name][value] if name in self.values else value for name, value in settings.items()}


def space_of(given: Mapping[str, Any], known: Any, *, of: str) -> Space:
    """A space from what the user wrote.

    Args:
        given: for each setting, an Optuna distribution, a list of values, a range, or a distribution of scipy.
        known: the names of the settings that the student has.
        of: the name of the student.

    Raises:
        BadInput: a setting that the student has not, or a distribution of another kind. MissingExtra: Optuna is not installed.

    Example:
        >>> space = space_of({"depth": range(2, 9), "layers": [(8,), (8, 8)]}, ["depth", "layers"], of="mine")
        >>> space.decoded({"depth": 3, "layers": "(8, 8)"})
        {'depth': 3, 'layers': (8, 8)}
    """
    if not isinstance(given, Mapping):
        raise BadInput(f"the space of the student {of!r} is {shown(given)}; expected a dict from settings to {EXPECTED}.")
    distributions, values = {}, {}
    for name, one in given.items():
        if name not in known:
            raise BadInput(
                f"the student {of!r} has no setting {shown(name)} to search; expected settings of it.{did_you_mean(name, known)}"
            )
        try:
            distributions[name], texts = _distribution(one)
        except (ValueError, TypeError, IndexError) as error:
            raise BadInput(f"the space of {name!r} of the student {of!r} is {shown(one)}; expected {EXPECTED}.") from error
        if texts:
            values[name] = texts
    return Space(distributions, values)


def _distribution(given: Any) -> tuple[Any, dict[str, Any]]:
    """An Optuna distribution, and what the texts among its categories stand for if they stand for other values."""
    optuna = require("optuna.distributions")
    if isinstance(given, optuna.BaseDistribution):
        return given, {}
    if isinstance(given, range):
        return optuna.IntDistribution(given[0], given[-1], step=given.step), {}
    if isinstance(given, list | tuple):
        if all(one is None or isinstance(one, bool | int | float | str) for one in given):
            return optuna.CategoricalDistribution(list(given)), {}
        texts = {str(one): one for one in given}
        if len(texts) < len(given):  # scikit-learn and NumPy elide what they print
            texts = {f"{place}: {one}": one for place, one in enumerate(given)}
        return optuna.CategoricalDistribution(list(texts)), texts
    if not hasattr(given, "support"):
        raise TypeError
    return _of_scipy(given, optuna), {}


def _of_scipy(given: Any, optuna: Any) -> Any:
    low, high = given.support()
    if given.dist.name == "randint":
        return optuna.IntDistribution(int(low), int(high))
    if given.dist.name in ("uniform", "loguniform", "reciprocal"):
        return optuna.FloatDistribution(float(low), float(high), log=given.dist.name != "uniform")
    raise TypeError
