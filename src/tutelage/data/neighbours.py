"""Nearest neighbours among rows of numeric and categorical columns."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tutelage.data.coded_rows import CodedRows

CANDIDATES = 10_000
"""The largest number of rows that are searched for a neighbour, so that time grows linearly with the rows, not quadratically."""

WORKING_MEMORY_MIB = 64
"""Upper limit on the memory that scikit-learn uses for distances at a time."""

DENSE_AXES = 64
"""Up to this many axes a dense search is faster; above, categories with many levels would need too much memory."""


def nearest_others(table: CodedRows, queries: NDArray[np.intp], rng: np.random.Generator) -> NDArray[np.intp]:
    """The nearest other row of each queried row; the row itself if it is the only one.

    Numeric columns are measured in standard deviations, and a missing number counts as the mean. Two different categories
    are one standard deviation apart, and a missing value is a category.

    Args:
        table: at least one row.
        queries: (any,) row numbers.
        rng: draws the candidates if there are more than `CANDIDATES` rows.

    Returns:
        (any,) row numbers.
    """
    from sklearn import config_context
    from sklearn.neighbors import NearestNeighbors

    count = len(table.cells)
    if count == 1:
        return queries
    candidates = np.arange(count) if count <= CANDIDATES else rng.choice(count, CANDIDATES, replace=False)
    points = _points(table)
    with config_context(working_memory=WORKING_MEMORY_MIB):
        search = NearestNeighbors(n_neighbors=2).fit(points[candidates])
        nearest = candidates[search.kneighbors(points[queries], return_distance=False)]
    return np.asarray(np.where(nearest[:, 0] == queries, nearest[:, 1], nearest[:, 0]))  # a duplicate may precede the row itself


def _points(table: CodedRows) -> Any:
    """The rows as points: scaled numbers, and one axis for each category."""
    numeric = ~table.categorical
    deviation = table.deviation[numeric]
    scaled = (table.cells[:, numeric] - table.mean[numeric]) / np.where(deviation > 0, deviation, 1.0)
    scaled = np.where(np.isnan(scaled), 0.0, scaled)
    if numeric.all():
        return scaled
    from scipy.sparse import csr_matrix, hstack
    from sklearn.preprocessing import OneHotEncoder

    axes = OneHotEncoder().fit_transform(table.cells[:, table.categorical]) * np.sqrt(0.5)  # two different categories differ on two axes
    points = hstack([csr_matrix(scaled), axes], format="csr")
    return points.toarray() if points.shape[1] <= DENSE_AXES else points
