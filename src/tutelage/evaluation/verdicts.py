"""Statistical significance: intervals over seeds and test rows, and the verdicts drawn from them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from tutelage.core.errors import BadInput, ShapeError
from tutelage.core.records import Interval, Verdict

LEVEL = 0.95


def mean_interval(values: ArrayLike, *, over: str = "seeds") -> Interval:
    """Student's t interval of a mean over seeds or test rows.

    Args:
        values: (seeds,) or (rows,), at least two.
        over: the population from which the values are a sample.

    Raises:
        BadInput: fewer than two values, from which no spread can be estimated.
    """
    x = np.asarray(values, dtype=np.float64)
    if x.ndim != 1 or len(x) < 2:
        raise BadInput(f"an interval over {over} needs at least 2 {over}; got values of shape {x.shape}.")
    return _t_interval(x.mean(), x.var(ddof=1) / len(x), len(x) - 1, over)


def proportion_interval(right: int, rows: int) -> Interval:
    """Wilson interval of one model's accuracy over test rows.

    Source:
        Wilson 1927; Brown, Cai, DasGupta 2001, "Interval estimation for a binomial proportion".
    """
    interval = stats.binomtest(right, rows).proportion_ci(LEVEL, method="wilson")
    return Interval(float(interval.low), float(interval.high), "test rows")


def paired_difference(a: ArrayLike, b: ArrayLike, *, shared_rows: bool) -> tuple[float, Interval]:
    """The mean of a - b over seeds and test rows, with an interval that covers the variation of both.

    Args:
        a: (seeds, rows), one score per row, such as 1 for right and 0 for wrong. A model that was trained once has
            shape (1, rows); it is paired with every seed, and the interval is conditional on that one model.
        b: the same for the other student.
        shared_rows: True if all seeds are measured on the same test rows. Then both the seeds and the rows are samples,
            and the interval covers both: the variance of a crossed random-effects mean, by moments, with
            Satterthwaite's degrees of freedom. False if each seed has different test rows; then the spread over seeds
            already contains the spread over rows, and this is the paired t interval.

    Returns:
        The difference, and its 95 % interval.

    Raises:
        ShapeError: the numbers of rows or seeds differ. BadInput: fewer than two seeds.

    Source:
        Searle, Casella, McCulloch 1992, "Variance Components", chapter 4 (crossed classification by moments);
        Satterthwaite 1946.

    Example:
        >>> import numpy as np
        >>> import tutelage as tl
        >>> rng = np.random.default_rng(0)
        >>> a, b = rng.random((5, 200)) < 0.9, rng.random((5, 200)) < 0.8  # 5 seeds, 200 test rows: right or wrong
        >>> difference, interval = tl.paired_difference(a, b, shared_rows=True)
        >>> print(f"{difference:.3f} ({interval.low:.3f} to {interval.high:.3f}) over {interval.over}")
        0.104 (0.066 to 0.142) over seeds and test rows
    """
    x, y = np.atleast_2d(np.asarray(a, dtype=np.float64)), np.atleast_2d(np.asarray(b, dtype=np.float64))
    if x.shape[1] != y.shape[1] or (len(x) != len(y) and 1 not in (len(x), len(y))):
        raise ShapeError(f"scores of shape {x.shape} and {y.shape} cannot be paired; expected (seeds, rows) of the same test rows.")
    differences = x - y
    seeds, rows = differences.shape
    if seeds < 2:
        raise BadInput(f"scores of shape {x.shape} and {y.shape} have one seed; a paired difference needs at least 2 seeds of one student.")
    mean = float(differences.mean())
    of_seeds = float(differences.mean(axis=1).var(ddof=1) / seeds)
    if not shared_rows:
        return mean, _t_interval(mean, of_seeds, seeds - 1, "seeds")
    of_rows = float(differences.mean(axis=0).var(ddof=1) / rows)
    return mean, _t_interval(mean, *_crossed(differences, of_seeds, of_rows), "seeds and test rows")


def paired_rows(a: ArrayLike, b: ArrayLike) -> tuple[float, Interval]:
    """The mean of a - b over test rows for two models trained once each, with an interval over the rows.

    For booleans (right or wrong) the interval depends on the rows on which the two models differ, as McNemar's test does;
    for numbers it is the paired t interval. Neither covers another seed of either model.

    Args:
        a: (rows,) booleans, such as right or wrong, or one number per row.
        b: the same for the other model.

    Raises:
        ShapeError: the numbers of rows differ. BadInput: fewer than two rows.

    Source:
        Bonett, Price 2012, "Adjusted Wald confidence interval for a difference of binomial proportions based on
        paired data", Journal of Educational and Behavioral Statistics 37(4).
    """
    x, y = np.asarray(a), np.asarray(b)
    if x.shape != y.shape or x.ndim != 1:
        raise ShapeError(f"scores of shape {x.shape} and {y.shape} cannot be paired; expected (rows,) of the same test rows.")
    if x.dtype != np.bool_ or y.dtype != np.bool_:
        differences = x.astype(np.float64) - y
        return float(differences.mean()), mean_interval(differences, over="test rows")
    if len(x) < 2:
        raise BadInput("an interval over test rows needs at least 2 test rows.")
    only_a, only_b = int((x & ~y).sum()), int((~x & y).sum())
    p, q = (only_a + 1) / (len(x) + 2), (only_b + 1) / (len(x) + 2)
    half = float(stats.norm.ppf(0.5 + LEVEL / 2)) * math.sqrt((p + q - (p - q) ** 2) / (len(x) + 2))
    return (only_a - only_b) / len(x), Interval(max(p - q - half, -1.0), min(p - q + half, 1.0), "test rows")


def verdict(difference: float, interval: Interval, *, lower_is_better: bool = False) -> Verdict:
    """The verdict on a - b: "beats", "worse", or "no difference" if the interval contains zero."""
    if interval.low <= 0 <= interval.high:
        return "no difference"
    return "beats" if (difference > 0) != lower_is_better else "worse"


def _crossed(differences: NDArray[Any], of_seeds: float, of_rows: float) -> tuple[float, float]:
    """Variance of the grand mean and its degrees of freedom, with seeds and rows both random."""
    seeds, rows = differences.shape
    residual = differences - differences.mean(axis=0) - differences.mean(axis=1, keepdims=True) + differences.mean()
    # Both parts contain the interaction of seed and row; it is subtracted once, but the variance never falls below the larger part.
    interaction = float((residual**2).sum() / ((seeds - 1) * (rows - 1))) / (seeds * rows)
    variance = max(of_seeds + of_rows - interaction, of_seeds, of_rows)
    spread = of_seeds**2 / (seeds - 1) + of_rows**2 / (rows - 1)
    return variance, (of_seeds + of_rows) ** 2 / spread if spread > 0 else seeds - 1


def _t_interval(mean: float, variance: float, freedom: float, over: str) -> Interval:
    half = float(stats.t.ppf(0.5 + LEVEL / 2, freedom)) * math.sqrt(variance)
    return Interval(float(mean) - half, float(mean) + half, over)
