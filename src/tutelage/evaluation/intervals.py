"""Intervals of means over seeds and test rows, and of shares of rows: of 95 % unless another level is given."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from tutelage.core.arrays import Floats, real_numbers
from tutelage.core.errors import BadInput
from tutelage.core.records import Interval

LEVEL = 0.95
NORMAL = float(stats.norm.ppf(0.5 + LEVEL / 2))
RULE_OF_THREE = 3.0
"""An event that is absent from n rows occurs in at most 3 / n of all rows, at 95 % confidence."""
ROUNDING = 1e-12
"""Values that differ by less than this share of their size are equal."""
WORSE_THAN_SEEN = 10.0
"""How much larger than any seen a difference may be, where the largest score is not known."""
MANY_ROWS = 5000
"""With so many rows, losses of 10 nats on one row in 200 no longer mislead more often than others (benchmarks/verdicts.py)."""


def mean_interval(values: ArrayLike, *, over: str = "seeds", scale: float | None = None) -> Interval:
    """Student's t interval of a mean over seeds or test rows.

    Equal values over test rows get the interval of two more rows that differ, as Agresti and Coull add them to a share; one
    value per seed says nothing about its rows, so equal values are refused there.

    Args:
        values: (seeds,) or (rows,), at least two.
        over: the population from which the values are a sample.
        scale: how far apart two rows may be, used if all values are equal; by default the size of the values.

    Raises:
        BadInput: fewer than two values, values that are not finite, or equal values over seeds.
    """
    x = finite_array(values, f"the values over {over}")
    if x.ndim != 1 or len(x) < 2:
        raise BadInput(f"an interval over {over} needs at least 2 {over}; got values of shape {x.shape}.")
    if over == "seeds":
        refuse_equal_seeds(x)
    mean = float(x.mean())
    half = _t_quantile(len(x) - 1) * math.sqrt(float(x.var(ddof=1)) / len(x))
    if over != "seeds":
        half = max(half, float(_of_two_more(x, scale=scale or float(np.abs(x).max()))))
    return Interval(mean - half, mean + half, over)


def weighted_mean_interval(values: Floats, weights: Floats, *, scale: float | None = None) -> Interval:
    """The interval of a weighted mean over test rows: Student's t with the effective number of rows.

    Args:
        values: (rows,), finite.
        weights: (rows,), at least 0, with a positive sum.
        scale: as for `mean_interval`.

    Raises:
        BadInput: all weight is on one row.
    """
    rows = _two_effective_rows(weights)
    mean = float(np.average(values, weights=weights))
    shares = weights / weights.sum()
    variance = float((shares**2 * (values - mean) ** 2).sum()) * rows / (rows - 1)
    least = _of_two_more(values[weights > 0], scale=scale or float(np.abs(values).max()), rows=rows)
    half = max(_t_quantile(rows - 1) * math.sqrt(variance), float(least))
    return Interval(mean - half, mean + half, "test rows")


def interval_of_moments(mean: float, variance: float, rows: float, *, furthest: float, scale: float) -> Interval:
    """The interval of a mean over test rows, as `mean_interval` and `weighted_mean_interval` give it, from what was added up of the rows.

    Args:
        mean: over rows.
        variance: that of the mean.
        rows: their number, or the effective one; at least 2.
        furthest: how far a row is from the mean.
        scale: as for `mean_interval`.
    """
    apart = np.array([mean - furthest, mean + furthest])
    half = max(_t_quantile(rows - 1) * math.sqrt(variance), float(_of_two_more(apart, scale=scale, rows=rows)))
    return Interval(mean - half, mean + half, "test rows")


def effective_rows(weights: Floats) -> float:
    """Kish's effective number of rows, (sum of weights)^2 / sum of squared weights: the number of rows if all weigh the same."""
    shares = weights / weights.max()  # the squares of tiny weights would be 0
    return float(shares.sum() ** 2 / (shares**2).sum())


def proportion_interval(right: float, rows: float) -> Interval:
    """Wilson interval of a share of test rows.

    Args:
        right: number of rows that count; may be fractional for weighted rows.
        rows: number of rows, or their effective number, (sum of weights)^2 / sum of squared weights.

    Raises:
        BadInput: no rows, or a number of right rows outside [0, rows].

    Source:
        Wilson 1927; Brown, Cai, DasGupta 2001, "Interval estimation for a binomial proportion".
    """
    if not (rows > 0 and 0 <= right <= rows):
        raise BadInput(f"{right} of {rows} rows is not a share; expected at least one row and 0 <= right <= rows.")
    share, spread = right / rows, NORMAL**2 / rows
    centre = (share + spread / 2) / (1 + spread)
    half = math.sqrt(spread * (share * (1 - share) + spread / 4)) / (1 + spread)
    low, high = max(centre - half, 0.0) if right > 0 else 0.0, min(centre + half, 1.0) if right < rows else 1.0
    return Interval(low, high, "test rows")


def grand_mean_interval(
    scores: Floats, *, shared_rows: bool, scale: float = 1.0, weights: Floats | None = None, level: float = LEVEL
) -> Interval:
    """The interval of the mean of (seeds, rows) scores; see `half_widths` for the formula.

    Args:
        scores: (seeds, rows), at least two seeds, finite.
        shared_rows: whether all seeds have the same test rows.
        scale: how much two rows may differ; used if all scores are equal.
        weights: (rows,) weights of shared rows, at least 0.
        level: of confidence, such as 0.95.

    Raises:
        BadInput: one score per seed, all equal; scores too large to be squared; or all weight on one row.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        mean = float(np.average(scores.mean(axis=0), weights=weights))
        half = float(half_widths(scores, shared_rows=shared_rows, scale=scale, weights=weights, level=level))
        if scores.shape[1] == 1:
            refuse_equal_seeds(scores[:, 0])
    if not math.isfinite(mean + half):
        raise BadInput(f"scores as large as {np.abs(scores).max():.3g} cannot be squared; scale them down.")
    return Interval(mean - half, mean + half, "seeds and test rows" if shared_rows else "seeds")


def half_widths(scores: Floats, *, shared_rows: bool, scale: float = 1.0, weights: Floats | None = None, level: float = LEVEL) -> Floats:
    """Half the width of the interval of a mean over seeds and rows, for any number of tables at once.

    With S seeds and R rows, t(n) the quantile of Student's t at n degrees of freedom, and all variances those of the mean:

        shared rows:  half^2 = t(S-1)^2 V_seeds + t(R-1)^2 max(V_rows - V_interaction, 0)
        own rows:     half^2 = max(t(S-1)^2 V_seeds, t(S(R-1))^2 V_within)

    V_seeds is the variance of the seeds' means divided by S, V_rows that of the rows' means divided by R, V_interaction the
    residual mean square divided by S R, and V_within the variance within seeds divided by S R. Each part has its own degrees
    of freedom: those of Satterthwaite explode if the variance of few seeds comes out small by chance. Seeds with rows of
    their own vary at least as much as their rows do, so the second part of the maximum applies where they seem to vary less.
    No interval is narrower than that of two more rows that differ among otherwise equal ones, so none has a width of zero.
    Weights replace the shares 1 / R of the rows in every mean and variance, and R by Kish's effective number of rows.

    Args:
        scores: (..., seeds, rows), at least two seeds; at least two rows if they are shared.
        shared_rows: whether all seeds have the same rows.
        scale: how much two rows may differ; used if all scores are equal.
        weights: (rows,) weights of shared rows, at least 0; by default all weigh the same.
        level: of confidence, such as 0.95.

    Returns:
        (...,), above zero unless there is one row.

    Raises:
        BadInput: all weight is on one row.
    """
    if weights is not None:
        scores, weights = scores[..., weights > 0], weights[weights > 0]
    seeds, rows = scores.shape[-2:]
    shares = np.full(rows, 1 / rows) if weights is None else weights / weights.sum()
    means = scores.mean(axis=-1) if weights is None else scores @ shares
    of_seeds = _t_quantile(seeds - 1, level) ** 2 * means.var(axis=-1, ddof=1) / seeds
    if rows == 1:
        return np.asarray(np.sqrt(of_seeds))
    if not shared_rows:
        within = ((scores - means[..., None]) ** 2).sum(axis=(-2, -1))
        freedom = seeds * (rows - 1)
        half = np.sqrt(np.maximum(of_seeds, _t_quantile(freedom, level) ** 2 * within / freedom / (seeds * rows)))
        return np.asarray(np.maximum(half, _of_two_more(scores.reshape(*scores.shape[:-2], seeds * rows), scale=scale, level=level)))
    effective = float(rows) if weights is None else _two_effective_rows(weights)
    mean_rows = scores.mean(axis=-2)
    residuals = scores - means[..., None] - (mean_rows - means.mean(axis=-1, keepdims=True))[..., None, :]
    unbiased = shares**2 * effective / (effective - 1)
    of_rows = ((mean_rows - means.mean(axis=-1, keepdims=True)) ** 2) @ unbiased
    interaction = (residuals**2).sum(axis=-2) @ unbiased / ((seeds - 1) * seeds)
    half = np.sqrt(of_seeds + _t_quantile(effective - 1, level) ** 2 * np.maximum(of_rows - interaction, 0.0))
    return np.asarray(np.maximum(half, _of_two_more(mean_rows, scale=scale, rows=effective, level=level)))


def rare_rows_caution(low: float, high: float, *, rows: int, largest: float, is_difference: bool = True) -> str:
    """A sentence if rows that are too rare to have been seen could change what an interval says; else "".

    Rows that make up less than 3 / rows of all may be absent from the sample. The sentence appears if they could move an
    interval that excludes zero onto it, or another one by more than half its width.

    Args:
        low: the lower bound of the interval.
        high: the upper bound.
        rows: number of rows.
        largest: the largest score that a row may have.
        is_difference: whether the mean is a difference, for which excluding zero is a verdict.
    """
    reach = RULE_OF_THREE * largest / rows
    from_zero = max(low, -high, 0.0) if is_difference else 0.0
    if reach <= (from_zero or (high - low) / 2):
        return ""
    share = min(100 * RULE_OF_THREE / rows, 100)
    return (
        f"{rows:,} rows may miss up to {share:.2g} % of rows with rare large losses; at {largest:.3g} each they would move this "
        f"mean by {reach:.2g}, {'across zero' if from_zero else 'more than the interval allows'}. Measure on more rows."
    )


def finite_array(values: ArrayLike, what: str) -> Floats:
    """Numbers as float64.

    Raises:
        ShapeError: rows of unequal length, or not numbers. BadInput: NaN, infinite or masked numbers.
    """
    numbers = np.asarray(real_numbers(values, what), dtype=np.float64)
    if not np.isfinite(numbers).all():
        wrong = int((~np.isfinite(numbers)).sum())
        raise BadInput(
            f"{wrong} of {numbers.size} of {what} are NaN or infinite, which gives no verdict; find out which rows they are and why."
        )
    return numbers


def refuse_equal_seeds(values: NDArray[Any]) -> None:
    """Refuse one value per seed if all are equal, which would make an interval of width zero.

    Raises:
        BadInput: all values are equal.
    """
    if np.ptp(values) <= ROUNDING * np.abs(values).max():
        raise BadInput(
            f"all {len(values)} seeds have the same value, {float(values[0]):.6g}, so the spread over seeds cannot be estimated. Pass one "
            "score per row for each seed, and make sure that the seeds are different trainings."
        )


def _two_effective_rows(weights: Floats) -> float:
    """The effective number of rows, at least two."""
    rows = effective_rows(weights)
    if rows < 2:
        raise BadInput(f"the weights leave {rows:.3g} effective test rows; an interval over test rows needs at least 2.")
    return rows


def _t_quantile(freedom: float, level: float = LEVEL) -> float:
    return float(stats.t.ppf(0.5 + level / 2, freedom))


def _of_two_more(values: Floats, *, scale: float, rows: float | None = None, level: float = LEVEL) -> Floats:
    """Half the width of the interval of two more rows, as far above and below the mean as any row, among equal ones.

    Args:
        values: (..., rows).
        scale: how far those two are if all values are equal; 1 if it is zero.
        rows: the effective number of rows, if it is another.
        level: of confidence.
    """
    furthest = np.abs(values - values.mean(axis=-1, keepdims=True)).max(axis=-1)
    furthest = np.where(furthest <= ROUNDING * scale, scale or 1.0, furthest)
    quantile = NORMAL if level == LEVEL else float(stats.norm.ppf(0.5 + level / 2))
    return np.asarray(quantile * math.sqrt(2) * furthest / ((values.shape[-1] if rows is None else rows) + 2))
