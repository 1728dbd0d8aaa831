"""The nearest other row, for columns of numbers and categories together."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tutelage.data.coded_rows import CodedRows

CANDIDATES = 10_000
"""Rows among which a neighbour is looked for at most: the time grows with the rows, not with their square."""

WORKING_MEMORY_MIB = 64
"""What scikit-learn may hold of distances at a time."""

DENSE_AXES = 64
"""Up to so many axes a dense search is the quicker one; above, categories with many levels would fill the memory."""


def nearest_others(table: CodedRows, asked: NDArray[np.intp], rng: np.random.Generator) -> NDArray[np.intp]:
    """The nearest other row of each row asked about; the row itself if it is the only one.

    Numbers count in standard deviations, a missing one as the mean; two different categories count as one
    deviation, and missing is a category.

    Args:
        table: at least one row.
        asked: (any,) row numbers.
        rng: draws the candidates where there are more than `CANDIDATES` rows.

    Returns:
        (any,) row numbers.
    """
    from sklearn import config_context
    from sklearn.neighbors import NearestNeighbors

    count = len(table.cells)
    if count == 1:
        return asked
    among = np.arange(count) if count <= CANDIDATES else rng.choice(count, CANDIDATES, replace=False)
    places = _places(table)
    with config_context(working_memory=WORKING_MEMORY_MIB):
        found = among[NearestNeighbors(n_neighbors=2).fit(places[among]).kneighbors(places[asked], return_distance=False)]
    return np.asarray(np.where(found[:, 0] == asked, found[:, 1], found[:, 0]))  # a twin may come first


def _places(table: CodedRows) -> Any:
    """The rows as points: scaled numbers, and for each category an axis of its own."""
    numeric = ~table.categorical
    deviation = table.deviation[numeric]
    scaled = (table.cells[:, numeric] - table.mean[numeric]) / np.where(deviation > 0, deviation, 1.0)
    scaled = np.where(np.isnan(scaled), 0.0, scaled)
    if numeric.all():
        return scaled
    from scipy.sparse import csr_matrix, hstack
    from sklearn.preprocessing import OneHotEncoder

    axes = OneHotEncoder().fit_transform(table.cells[:, table.categorical]) * np.sqrt(0.5)  # a mismatch differs on two axes
    places = hstack([csr_matrix(scaled), axes], format="csr")
    return places.toarray() if places.shape[1] <= DENSE_AXES else places
