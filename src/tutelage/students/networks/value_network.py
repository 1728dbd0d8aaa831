"""What networks for one or several values have in common, whatever trains them: how rows and values come in, and how values go out."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import RegressorMixin
from sklearn.utils.validation import validate_data

from tutelage.core.arrays import Floats
from tutelage.core.errors import BadInput, reported_as_ours
from tutelage.data.row_arrays import without_masks
from tutelage.students.checked import check_fitted


class ValueNetwork(RegressorMixin):  # type: ignore[misc]
    """A regressor that answers (rows,) values where it was given (rows,) values.

    A family states how scikit-learn's validation takes its rows, `_inputs`, and implements `_values`.
    """

    _inputs: ClassVar[dict[str, Any]]
    one_output_: bool

    def _checked_to_fit(self, X: Any, y: Any) -> tuple[Any, Floats]:
        """Rows, and (rows, outputs) values.

        Raises:
            BadInput: rows or values that scikit-learn's validation refuses, or values that a mask hides.
        """
        X, y = without_masks(X, y)
        with reported_as_ours():
            X, y = validate_data(self, X, y, multi_output=True, y_numeric=True, **self._inputs)
        if y.dtype.kind not in "biuf":
            raise BadInput(f"y holds values of type {y.dtype}; expected numbers. Use a classifier for classes.")
        self.one_output_ = y.ndim == 1
        return X, np.asarray(y, dtype=np.float64).reshape(len(y), -1)

    def predict(self, X: Any) -> NDArray[Any]:
        """(rows, ...) -> (rows,) or (rows, outputs) values.

        Raises:
            BadInput: rows that `fit` would refuse, or so far from those learnt from that numbers overflow. NotFitted: it was not fitted.
        """
        check_fitted(self)
        X, _ = without_masks(X)
        with reported_as_ours():
            X = validate_data(self, X, reset=False, **self._inputs)
        with np.errstate(over="ignore", invalid="ignore"):  # reported below
            values = self._values(X)
        if not np.isfinite(values).all():
            raise BadInput(
                "some rows have no values: their numbers are too large for this student. Scale the features, in fit and here alike."
            )
        return values[:, 0] if self.one_output_ else values

    @abstractmethod
    def _values(self, X: Any) -> Floats:
        """(rows, outputs) values."""

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
