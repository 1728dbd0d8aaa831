"""Paired differences between two students, over seeds and test rows, and the verdicts drawn from them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from tutelage.core.arguments import flag, number
from tutelage.core.arrays import Floats, check_weights
from tutelage.core.errors import BadInput, ShapeError
from tutelage.core.records import Interval, PairVerdict, Verdict
from tutelage.evaluation.intervals import (
    LEVEL,
    MANY_ROWS,
    NORMAL,
    WORSE_THAN_SEEN,
    effective_rows,
    finite_array,
    grand_mean_interval,
    half_widths,
    mean_interval,
    rare_rows_caution,
    weighted_mean_interval,
)

LEAST_P = 1e-9
"""The smallest p-value that is told from others."""
HALVINGS = 24
LEVEL_OF_POWER = 0.6
"""The measured mean exceeds the true one by half the width of an interval of this level in 20 % of runs: a power of 80 %."""


def paired_difference(
    a: ArrayLike, b: ArrayLike, *, shared_rows: bool, largest: float | None = None, weights: ArrayLike | None = None, level: float = LEVEL
) -> tuple[float, Interval]:
    """The mean of a - b over seeds and test rows, with an interval that covers the variation of both.

    The interval does not cover another teacher: students of all seeds that learned from one teacher share its mistakes. Nor
    does it cover other training rows, unless each seed drew its own.

    Args:
        a: (seeds, rows), one score per row, such as 1 for right and 0 for wrong. A model that was trained once has
            shape (1, rows); it is paired with every seed, and the interval is conditional on that one model. If the seeds
            have test rows of their own, (seeds, 1) holds one figure per seed.
        b: the same for the other student.
        shared_rows: True if all seeds are measured on the same test rows. Then both the seeds and the rows are samples, and
            with V the variance of the mean from each source, the interval's half width is the root of
            t(seeds - 1)^2 V_seeds + t(rows - 1)^2 max(V_rows - V_interaction, 0). False if each seed has different test
            rows; then the spread over seeds contains the spread over rows, and this is the paired t interval, or that of
            the rows if the seeds differ by less than their rows do.
        largest: the largest score that a row may have, such as 16.1 for the negative log-likelihood of probabilities of at
            least 1e-7. The interval says in its `caution` if rows too rare to be seen could change the verdict with such
            scores. By default it does so for fewer than 5 000 rows, with ten times the largest difference seen; scores of 0
            and 1 need no caution.
        weights: (rows,) weights of shared test rows, at least 0; their effective number replaces the number of rows.
        level: the confidence of the interval, between 0 and 1.

    Returns:
        The difference, and its interval. In simulations the 95 % interval excluded a true difference of zero in at most 5.5 %
        of runs from two seeds on; see "Reading a verdict" in the documentation.

    Raises:
        ShapeError: the numbers of rows, seeds or weights differ, no rows, or arrays that are not (seeds, rows).
        BadInput: fewer than two seeds, one shared row, values that are not finite, one figure per seed with all differences
            equal, weights of rows that are not shared, or a level that is not between 0 and 1.

    Source:
        Searle, Casella, McCulloch 1992, "Variance Components", chapter 4 (crossed classification by moments).

    Example:
        >>> import numpy as np
        >>> import tutelage as tl
        >>> rng = np.random.default_rng(0)
        >>> a, b = rng.random((5, 200)) < 0.9, rng.random((5, 200)) < 0.8  # 5 seeds, 200 test rows: right or wrong
        >>> difference, interval = tl.paired_difference(a, b, shared_rows=True)
        >>> print(f"{difference:.3f} ({interval.low:.3f} to {interval.high:.3f}) over {interval.over}")
        0.104 (0.055 to 0.153) over seeds and test rows
    """
    largest = None if largest is None else number("largest", largest, above=0, hint="(the largest score that a row may have)")
    level = number("level", level, above=0, below=1)
    x, y = _tables(a, b)
    differences, weighed, scale = _differences(x, y, shared_rows=flag("shared_rows", shared_rows), weights=weights)
    seeds, rows = differences.shape
    interval = grand_mean_interval(differences, shared_rows=shared_rows, scale=scale, weights=weighed, level=level)
    mean = float(np.average(differences.mean(axis=0), weights=weighed))
    if (largest is None or largest <= 1) and _is_binary(x) and _is_binary(y):
        return mean, replace(interval, low=max(interval.low, -1.0), high=min(interval.high, 1.0))
    if rows == 1:  # one figure per seed: what its rows are is not known
        return mean, interval
    units = rows if weighed is None else int(effective_rows(weighed))
    return mean, _with_caution(interval, differences, rows=units if shared_rows else seeds * rows, largest=largest)


def p_value(a: ArrayLike, b: ArrayLike, *, shared_rows: bool, weights: ArrayLike | None = None) -> float:
    """The p-value of a paired difference: one minus the highest level whose interval of `paired_difference` excludes zero.

    Args:
        a: (seeds, rows), as for `paired_difference`.
        b: the same for the other student.
        shared_rows: as there.
        weights: as there.

    Returns:
        Between 1e-9 and 1; at most 0.05 where the 95 % interval excludes zero.

    Raises:
        as `paired_difference`.

    Example:
        >>> import numpy as np
        >>> rng = np.random.default_rng(0)
        >>> a, b = rng.random((5, 200)) < 0.9, rng.random((5, 200)) < 0.8
        >>> p_value(a, b, shared_rows=True) < 0.01
        True
    """
    differences, weighed, scale = _differences(*_tables(a, b), shared_rows=flag("shared_rows", shared_rows), weights=weights)
    size = abs(float(np.average(differences.mean(axis=0), weights=weighed)))

    def includes_zero(p: float) -> bool:
        return size <= float(half_widths(differences, shared_rows=shared_rows, scale=scale, weights=weighed, level=1 - p))

    low, high = math.log(LEAST_P), 0.0  # the interval includes zero at a low p, and excludes it at a high one
    if size == 0 or includes_zero(1 - LEAST_P):
        return 1.0
    if not includes_zero(LEAST_P):
        return LEAST_P
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if includes_zero(math.exp(middle)) else (low, middle)
    return math.exp(high)


def detectable_difference(
    a: ArrayLike, b: ArrayLike, *, shared_rows: bool, weights: ArrayLike | None = None, level: float = LEVEL
) -> float:
    """The smallest true difference that a comparison with such seeds and rows would find in about 80 % of runs.

    It is half the width of the interval plus half that of the 60 % interval: to be found, the measured difference must exceed
    the first, and it falls short of the true one by more than the second in 20 % of runs. Both are estimated from the same
    scores. In simulations (benchmarks/verdicts.py) such differences were found in 79 to 82 % of runs at ten seeds, 69 to 82 % at
    five and 58 to 81 % at three, the fewest where seeds vary most.

    Args:
        a: (seeds, rows), as for `paired_difference`.
        b: the same for the other student.
        shared_rows: as there.
        weights: as there.
        level: the confidence with which a difference counts as found.

    Returns:
        In the unit of the scores, above zero.

    Raises:
        as `paired_difference`.

    Example:
        >>> import numpy as np
        >>> rng = np.random.default_rng(0)
        >>> a, b = rng.random((5, 200)) < 0.9, rng.random((5, 200)) < 0.8
        >>> print(f"{detectable_difference(a, b, shared_rows=True):.2f}")
        0.07
    """
    differences, weighed, scale = _differences(*_tables(a, b), shared_rows=flag("shared_rows", shared_rows), weights=weights)
    levels = (level, LEVEL_OF_POWER)
    return sum(float(half_widths(differences, shared_rows=shared_rows, scale=scale, weights=weighed, level=each)) for each in levels)


def holm(p_values: Sequence[float]) -> list[float]:
    """The p-values of several questions, corrected so that any false verdict among all is as rare as one of a single question.

    Args:
        p_values: one for each question.

    Returns:
        In the same order: the smallest level at which Holm's procedure rejects each.

    Source:
        Holm 1979, "A simple sequentially rejective multiple test procedure".

    Example:
        >>> [round(p, 3) for p in holm([0.02, 0.001, 0.03])]
        [0.04, 0.003, 0.04]
    """
    count, highest = len(p_values), 0.0
    found = [1.0] * count
    for rank, place in enumerate(sorted(range(count), key=lambda at: p_values[at])):
        highest = max(highest, min(1.0, (count - rank) * p_values[place]))
        found[place] = highest
    return found


def paired_rows(a: ArrayLike, b: ArrayLike, *, weights: Floats | None = None, largest: float | None = None) -> tuple[float, Interval]:
    """The mean of a - b over test rows for two models trained once each, with an interval over the rows.

    For booleans (right or wrong) the interval depends on the rows on which the two models differ, as McNemar's test does;
    for numbers it is the paired t interval. Neither covers another seed of either model, nor another teacher.

    Args:
        a: (rows,) booleans, such as right or wrong, or one number per row.
        b: the same for the other model.
        weights: (rows,) weights of the rows, at least 0; their effective number replaces the number of rows.
        largest: as for `paired_difference`.

    Raises:
        ShapeError: the numbers of rows differ. BadInput: fewer than two rows, or values that are not finite.

    Source:
        Bonett, Price 2012, "Adjusted Wald confidence interval for a difference of binomial proportions based on
        paired data", Journal of Educational and Behavioral Statistics 37(4).
    """
    x, y = np.asarray(a), np.asarray(b)
    if x.shape != y.shape or x.ndim != 1:
        raise ShapeError(f"scores of shape {x.shape} and {y.shape} cannot be paired; expected (rows,) of the same test rows.")
    if len(x) < 2:
        raise BadInput(f"an interval over test rows needs at least 2 test rows; got {len(x)}.")
    if x.dtype != np.bool_ or y.dtype != np.bool_:
        of_a, of_b = finite_array(x, "the scores"), finite_array(y, "the scores")
        differences = of_a - of_b
        scale = max(float(np.abs(of_a).max()), float(np.abs(of_b).max()))
        if weights is None:
            interval = mean_interval(differences, over="test rows", scale=scale)
        else:
            interval = weighted_mean_interval(differences, weights, scale=scale)
        units = len(x) if weights is None else int(effective_rows(weights))
        return float(np.average(differences, weights=weights)), _with_caution(interval, differences, rows=units, largest=largest)
    rows = float(len(x)) if weights is None else effective_rows(weights)
    only_a, only_b = (float(np.average(which, weights=weights)) * rows for which in (x & ~y, ~x & y))
    p, q = (only_a + 1) / (rows + 2), (only_b + 1) / (rows + 2)
    half = NORMAL * math.sqrt((p + q - (p - q) ** 2) / (rows + 2))
    return (only_a - only_b) / rows, Interval(max(p - q - half, -1.0), min(p - q + half, 1.0), "test rows")


def verdict(difference: float, interval: Interval, *, lower_is_better: bool = False) -> Verdict:
    """The verdict on a - b over seeds: "beats", "worse", or "no difference" if the interval contains zero.

    Raises:
        BadInput: a difference or an interval that is NaN.
    """
    if pair_verdict(difference, interval) == "no difference":
        return "no difference"
    return "beats" if (difference > 0) != lower_is_better else "worse"


def pair_verdict(difference: float, interval: Interval) -> PairVerdict:
    """The verdict on two models that were trained once each: "differ", or "no difference" if the interval contains zero.

    An interval over test rows is about these two models alone, so it cannot say that one way of training beats another.

    Raises:
        BadInput: a difference or an interval that is NaN.
    """
    if math.isnan(difference) or math.isnan(interval.low) or math.isnan(interval.high):
        raise BadInput(f"a difference of {difference} ({interval.low} to {interval.high}) is not a number and gives no verdict.")
    return "no difference" if interval.low <= 0 <= interval.high else "differ"


def _with_caution(interval: Interval, differences: Floats, *, rows: int, largest: float | None) -> Interval:
    """The interval with its caution about rare large losses."""
    if largest is None:
        if rows >= MANY_ROWS:
            return interval
        largest = WORSE_THAN_SEEN * float(np.abs(differences).max())
    return replace(interval, caution=rare_rows_caution(interval.low, interval.high, rows=rows, largest=largest))


def _differences(x: Floats, y: Floats, *, shared_rows: bool, weights: ArrayLike | None) -> tuple[Floats, Floats | None, float]:
    """(seeds, rows) differences, the weights of the rows, and the largest score."""
    differences = x - y
    seeds, rows = differences.shape
    if seeds < 2:
        raise BadInput(f"scores of shape {x.shape} and {y.shape} have one seed; a paired difference needs at least 2 seeds of one student.")
    if shared_rows and rows < 2:
        raise BadInput("the seeds share one test row; an interval over test rows needs at least 2 test rows.")
    if weights is not None and not shared_rows:
        raise BadInput("weights are of rows that all seeds share; leave them out with shared_rows=False.")
    return differences, check_weights(weights, rows), max(float(np.abs(x).max()), float(np.abs(y).max())) or 1.0


def _tables(a: ArrayLike, b: ArrayLike) -> tuple[Floats, Floats]:
    """Both scores as (seeds, rows) of finite numbers."""
    x, y = np.atleast_2d(finite_array(a, "the scores")), np.atleast_2d(finite_array(b, "the scores"))
    fit = x.ndim == y.ndim == 2 and x.shape[1] == y.shape[1] and (len(x) == len(y) or 1 in (len(x), len(y)))
    if not fit:
        raise ShapeError(f"scores of shape {x.shape} and {y.shape} cannot be paired; expected (seeds, rows) of the same test rows.")
    if not x.size or not y.size:
        raise ShapeError(f"scores of shape {x.shape} and {y.shape} have no rows; expected at least one score for each seed.")
    return x, y


def _is_binary(scores: Floats) -> bool:
    return bool(((scores == 0) | (scores == 1)).all())
