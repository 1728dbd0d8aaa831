"""A fitted scikit-learn estimator as a teacher."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from tutelage.core.answers import AnswerForm, of_classes
from tutelage.core.arrays import Floats
from tutelage.core.errors import BadInput


@dataclass(frozen=True, eq=False)
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

    @cached_property
    def form(self) -> AnswerForm:
        """Probabilities in the order of the estimator's `classes_`, or a regressor's values."""
        if not hasattr(self.estimator, "classes_"):
            return AnswerForm("values", "regression")
        return of_classes("probabilities", self.estimator.classes_)

    @cached_property
    def fingerprint(self) -> str:
        """Hash of everything that the fitted estimator holds."""
        import joblib

        return f"{type(self.estimator).__name__}:{joblib.hash(self.estimator)}"

    def answer(self, inputs: Any) -> Floats:
        """(rows, classes) probabilities, or (rows, outputs) values."""
        said = self.estimator.predict(inputs) if self.form.kind == "values" else self.estimator.predict_proba(inputs)
        return self.form.check(np.asarray(said), len(said))
