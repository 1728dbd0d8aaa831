"""A fitted scikit-learn estimator as a teacher."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tutelage.core.arrays import Floats, check_finite, check_probabilities
from tutelage.core.contracts import AnswerKind
from tutelage.core.errors import BadInput


@dataclass(frozen=True)
class EstimatorTeacher:
    """Asks a classifier for probabilities (in the order of its `classes_`) or a regressor for values."""

    estimator: Any

    def __post_init__(self) -> None:
        from sklearn.exceptions import NotFittedError
        from sklearn.utils.validation import check_is_fitted

        try:
            check_is_fitted(self.estimator)
        except NotFittedError as error:
            raise BadInput(f"this {type(self.estimator).__name__} is not fitted; a teacher must know something: fit it first.") from error
        if hasattr(self.estimator, "classes_") and not hasattr(self.estimator, "predict_proba"):
            raise BadInput(f"{type(self.estimator).__name__} has classes but no predict_proba; wrap it in CalibratedClassifierCV.")

    @property
    def kind(self) -> AnswerKind:
        """What it answers: "probabilities" for a classifier, "values" for a regressor."""
        return "probabilities" if hasattr(self.estimator, "classes_") else "values"

    @property
    def classes(self) -> tuple[Any, ...]:
        """The estimator's `classes_`; empty for a regressor."""
        return tuple(getattr(self.estimator, "classes_", ()))

    def answer(self, inputs: NDArray[Any]) -> Floats:
        """(rows, classes) probabilities, or (rows, outputs) values."""
        if self.kind == "probabilities":
            return check_probabilities(self.estimator.predict_proba(inputs), "the teacher's answers")
        values = np.asarray(self.estimator.predict(inputs))
        return check_finite(values.reshape(len(values), -1), "the teacher's answers")
