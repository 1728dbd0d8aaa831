"""Boosters as teachers: bare LightGBM and XGBoost models, and every CatBoost model."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from tutelage.core.answers import AnswerForm, of_classes
from tutelage.core.arrays import Floats
from tutelage.core.errors import BadInput, require
from tutelage.core.identity.contents import catboost_content
from tutelage.data.schema import Schema
from tutelage.teachers.adapters.declared import Declared
from tutelage.teachers.booster_columns import catboost_schema, lightgbm_schema, xgboost_schema
from tutelage.teachers.booster_rows import frame_rows, numeric_rows, refuse_unknown_codes, settled_lightgbm_schema
from tutelage.teachers.inputs import errors_as_bad_input, row_count

_VALUES = AnswerForm("values", "regression")
_LIGHTGBM_VALUES = ("regression", "huber", "fair", "poisson", "quantile", "mape", "gamma", "tweedie")
_XGBOOST_VALUES = ("reg:", "count:")
_CATBOOST_VALUES = (
    *("RMSE", "MAE", "Quantile", "LogLinQuantile", "MAPE", "Lq", "Huber", "Expectile", "LogCosh"),
    *("MultiRMSE", "MultiQuantile", "Poisson", "Tweedie"),
)
_CATBOOST_LOGARITHMS = ("Poisson", "Tweedie")  # objectives whose raw scores are logarithms of the values


@dataclass(frozen=True, eq=False)
class BoosterTeacher:
    """A Teacher that wraps a LightGBM or XGBoost Booster, or a CatBoost model. `as_teacher` builds it.

    Attributes:
        engine: "lightgbm", "xgboost" or "catboost".
        ask: rows -> the booster's predictions, (rows,) or (rows, columns).
        form: kind, task and classes of the predictions.
        content: returns the booster as bytes.
        schema: the columns that the booster learnt; None for a LightGBM model that does not store which of them are categories.
        declared: what the caller said that the booster does not store.
        save: writes the booster to a file, where that holds more than `content`.
        rule: rows -> (rows,) the classes that the booster decides for, by a threshold that it stores; None if it stores none.

    Example:
        >>> import lightgbm
        >>> import tutelage as tl
        >>> from sklearn.datasets import load_iris
        >>> X, y = load_iris(return_X_y=True)
        >>> settings = {"objective": "multiclass", "num_class": 3, "num_threads": 1, "verbose": -1}
        >>> teacher = tl.as_teacher(lightgbm.train(settings, lightgbm.Dataset(X, y), 3))
        >>> type(teacher) is tl.teachers.BoosterTeacher
        True
        >>> teacher.form.classes, teacher.answer(X[[0, 75, 149]]).argmax(axis=1)
        ((0, 1, 2), array([0, 1, 2]))
    """

    engine: str
    ask: Callable[[Any], Any]
    form: AnswerForm
    content: Callable[[], bytes]
    schema: Schema | None = None
    declared: Declared = field(default_factory=Declared)
    save: Callable[[Path], Any] | None = None
    rule: Callable[[Any], Any] | None = None

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the booster in its current state."""
        return f"{self.engine}:{hashlib.sha256(self.content()).hexdigest()}"

    def answer(self, inputs: Any) -> Floats:
        """(rows, classes) or (rows, outputs); of the best iteration, if early stopping found one.

        Raises:
            BadInput: the rows lack columns that the booster was trained on, or hold values that it cannot process.
        """
        rows = row_count(inputs)
        with errors_as_bad_input(f"the {self.engine} model"):
            predictions = self.ask(inputs)
        return self.form.take(predictions, rows)

    def decide(self, inputs: Any) -> Any:
        """(rows,) the classes that the booster decides for, which need not be its most probable ones; None if it has no rule of its own.

        Raises:
            BadInput: as `answer`.
        """
        if self.rule is None:
            return None
        with errors_as_bad_input(f"the {self.engine} model"):
            return self.rule(inputs)


def lightgbm_teacher(booster: Any, declared: Declared) -> BoosterTeacher:
    """A teacher from a lightgbm.Booster: probabilities of a classifier, values of a regressor.

    Raises:
        BadInput: an objective with other outputs, unless `kind` and `classes` declare them.
    """
    objective = str(booster.dump_model(num_iteration=1).get("objective", "")).partition(" ")[0]
    columns = booster.num_model_per_iteration()
    if objective.startswith(_LIGHTGBM_VALUES):
        form = _undeclared(_VALUES, objective, declared)
    elif objective in ("binary", "cross_entropy", "multiclass"):
        form = _classifier("probabilities", objective, max(columns, 2), declared)
    else:
        form = _as_declared(objective or "custom", columns, declared)
    schema = lightgbm_schema(booster)

    def ask(inputs: Any) -> Any:
        return booster.predict(numeric_rows("lightgbm", schema or settled_lightgbm_schema(booster, inputs), inputs))

    return BoosterTeacher("lightgbm", ask, form, lambda: booster.model_to_string().encode(), schema, declared)


def xgboost_teacher(booster: Any, declared: Declared) -> BoosterTeacher:
    """A teacher from an xgboost.Booster: margins of a classifier, which are logits, or values of a regressor.

    A Booster with a custom objective reports a regression objective; `kind` and `classes` override it.

    Raises:
        BadInput: an objective with other outputs, unless `kind` and `classes` declare them.
    """
    learner = json.loads(booster.save_config())["learner"]
    model = learner["learner_model_param"]
    form = _xgboost_form(learner["objective"]["name"], int(model["num_class"]), int(model.get("num_target", 1)), declared)
    schema = xgboost_schema(booster)

    def ask(inputs: Any) -> Any:
        refuse_unknown_codes(booster, schema, inputs)
        rows = numeric_rows("xgboost", schema, inputs)
        names, types = booster.feature_names, booster.feature_types
        matrix = require("xgboost").DMatrix(rows, feature_names=names, feature_types=types, enable_categorical=True)
        best = booster.attr("best_iteration")
        trees = (0, 0) if best is None else (0, int(best) + 1)
        return booster.predict(matrix, output_margin=form.kind == "logits", iteration_range=trees)

    return BoosterTeacher("xgboost", ask, form, lambda: bytes(booster.save_raw("ubj")), schema, declared)


def _xgboost_form(objective: str, num_class: int, num_target: int, declared: Declared) -> AnswerForm:
    columns = max(num_class, num_target)
    if objective in ("multi:softprob", "multi:softmax"):
        return _classifier("logits", objective, num_class, declared)
    if objective in ("binary:logistic", "binary:logitraw", "reg:logistic"):
        if num_target == 1:
            return _classifier("logits", objective, 2, declared)
        _check_kind("logits", objective, declared)
        return AnswerForm("logits", "multilabel", _labels(declared, num_target))
    if objective.startswith(_XGBOOST_VALUES) and declared.kind is None:
        return _undeclared(_VALUES, objective, declared)
    return _as_declared(objective, columns, declared)


def catboost_teacher(model: Any, declared: Declared) -> BoosterTeacher:
    """A teacher from a catboost.CatBoost, CatBoostClassifier or CatBoostRegressor: probabilities or values.

    Raises:
        BadInput: a model that is not fitted, or a loss with other outputs.
    """
    if not model.is_fitted():
        raise BadInput(f"this {type(model).__name__} is not fitted; a teacher must be a fitted model: call fit first.")
    loss = str(model.get_all_params().get("loss_function", "")).partition(":")[0]
    labels = tuple(model.classes_)
    prediction_type = "Probability"
    if loss in _CATBOOST_VALUES:
        form = _undeclared(_VALUES, loss, declared)
        prediction_type = "Exponent" if loss in _CATBOOST_LOGARITHMS else "RawFormulaVal"
    elif loss in ("MultiLogloss", "MultiCrossEntropy"):
        form = AnswerForm("probabilities", "multilabel", _labels(declared, len(labels)))
    elif loss in ("Logloss", "CrossEntropy", "MultiClass"):
        form = _undeclared(of_classes("probabilities", labels), loss, declared)
    else:
        raise _unknown_outputs(loss)
    schema = catboost_schema(model)

    def ask(inputs: Any, prediction_type: str = prediction_type) -> Any:
        return model.predict(frame_rows("catboost", schema, inputs), prediction_type=prediction_type)

    save, rule = (lambda path: model.save_model(str(path))), partial(ask, prediction_type="Class")
    return BoosterTeacher(
        "catboost", ask, form, lambda: catboost_content(model), schema, declared, save, rule if form.task == "binary" else None
    )


def _classifier(kind: Any, objective: str, count: int, declared: Declared) -> AnswerForm:
    _check_kind(kind, objective, declared)
    return of_classes(kind, _labels(declared, count))


def _labels(declared: Declared, count: int) -> tuple[Any, ...]:
    if declared.classes is None:
        return tuple(range(count))
    if len(declared.classes) != count:
        raise BadInput(f"classes= has {len(declared.classes)} labels for a booster of {count} classes; pass one label for each.")
    return declared.classes


def _check_kind(kind: str, objective: str, declared: Declared) -> None:
    if declared.kind not in (None, kind):
        raise BadInput(f"kind= is {declared.kind!r}, but a booster of objective {objective!r} answers {kind}: leave kind= out.")


def _undeclared(form: AnswerForm, objective: str, declared: Declared) -> AnswerForm:
    """The form that follows from the booster's objective, after checking that nothing else was declared."""
    _check_kind(form.kind, objective, declared)
    if declared.classes is not None:
        reason = "stores its classes" if form.classes else "answers values"
        raise BadInput(f"classes= was passed, but a booster of objective {objective!r} {reason}: leave classes= out.")
    return form


def _as_declared(objective: str, columns: int, declared: Declared) -> AnswerForm:
    """The form of a booster whose objective does not determine it, from the caller's declarations."""
    if declared.kind is None or (declared.kind != "values" and declared.classes is None):
        raise _unknown_outputs(objective, " Pass kind= and classes=.")
    if declared.kind == "values":
        return _undeclared(_VALUES, objective, declared)
    return of_classes(declared.kind, _labels(declared, max(columns, 2)))


def _unknown_outputs(objective: str, remedy: str = " Pass its predict as a function, with kind= and classes=.") -> BadInput:
    return BadInput(f"the objective {objective!r} of this booster does not determine the kind of its outputs.{remedy}")
