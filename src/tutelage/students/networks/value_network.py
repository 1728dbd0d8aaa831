"""What networks for one or several values have in common, whatever trains them: how rows and values come in, and how values go out."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import RegressorMixin
from sklearn.utils.validation import validate_data

from tutelage.core.arrays import Floats
from tutelage.core.errors import BadInput, ShapeError, reported_as_ours
from tutelage.data.row_arrays import without_masks
from tutelage.data.structures.structured import StructuredRows
from tutelage.students.checked import check_fitted
from tutelage.students.soft_classifier import not_finite


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
        return X, self._checked_values(y, len(y))

    def _checked_values(self, y: Any, rows: int) -> Floats:
        """(rows, outputs) values.

        Raises:
            BadInput: they are no finite numbers. ShapeError: they are not (rows,) or (rows, outputs).
        """
        values = np.asarray(y)
        if values.dtype.kind not in "biuf":
            raise BadInput(f"y holds values of type {values.dtype}; expected numbers. Use a classifier for classes.")
        if values.ndim not in (1, 2) or len(values) != rows:
            raise ShapeError(f"y has shape {values.shape}; expected ({rows},) or ({rows}, outputs), a value for each row.")
        if not np.isfinite(values).all():
            raise BadInput("y holds values that are missing or infinite; expected finite numbers.")
        self.one_output_ = values.ndim == 1
        return np.asarray(values, dtype=np.float64).reshape(rows, -1)

    def predict(self, X: Any) -> NDArray[Any]:
        """(rows, ...) -> (rows,) or (rows, outputs) values.

        Raises:
            BadInput: rows that `fit` would refuse, or so far from those learnt from that numbers overflow. NotFitted: it was not fitted.
        """
        check_fitted(self)
        X = self._checked(X)
        with np.errstate(over="ignore", invalid="ignore"):  # reported below
            values = self._values(X)
        lost = ~np.isfinite(values).all(axis=1)
        if lost.any():
            if isinstance(X, StructuredRows):
                raise BadInput(not_finite(int(np.flatnonzero(lost)[0])))
            raise BadInput(
                "some rows have no values: their numbers are too large for this student. Scale the features, in fit and here alike."
            )
        return values[:, 0] if self.one_output_ else values

    def _checked(self, X: Any) -> Any:
        """Rows as `_values` takes them."""
        X, _ = without_masks(X)
        with reported_as_ours():
            return validate_data(self, X, reset=False, **self._inputs)

    @abstractmethod
    def _values(self, X: Any) -> Floats:
        """(rows, outputs) values."""

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
