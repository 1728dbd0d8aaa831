"""Boosters as teachers: bare LightGBM and XGBoost models, and every CatBoost model."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tutelage.core.answers import AnswerForm, of_classes
from tutelage.core.arrays import Floats
from tutelage.core.errors import BadInput, require
from tutelage.teachers.inputs import for_booster, for_model, is_frame, refusing, row_count

if TYPE_CHECKING:
    from tutelage.teachers.adapters.declared import Declared

_VALUES = AnswerForm("values", "regression")
_LIGHTGBM_VALUES = ("regression", "huber", "fair", "poisson", "quantile", "mape", "gamma", "tweedie")
_XGBOOST_VALUES = ("reg:", "count:")
_CATBOOST_VALUES = (
    *("RMSE", "MAE", "Quantile", "LogLinQuantile", "MAPE", "Lq", "Huber", "Expectile", "LogCosh"),
    *("MultiRMSE", "MultiQuantile", "Poisson", "Tweedie"),
)
_CATBOOST_LOGARITHMS = ("Poisson", "Tweedie")  # their raw scores are logarithms of the values


@dataclass(frozen=True, eq=False)
class BoosterTeacher:
    """Asks a booster.

    Attributes:
        engine: "lightgbm", "xgboost" or "catboost".
        ask: rows -> what the booster says, (rows,) or (rows, columns).
        form: what the numbers are.
        content: gives the booster as the bytes of its own file.
    """

    engine: str
    ask: Callable[[Any], Any]
    form: AnswerForm
    content: Callable[[], bytes]

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the booster's own file, as it would be written now."""
        return f"{self.engine}:{hashlib.sha256(self.content()).hexdigest()}"

    def answer(self, inputs: Any) -> Floats:
        """(rows, classes) or (rows, outputs), of the best iteration where early stopping found one.

        Raises:
            BadInput: the rows lack columns that the booster learnt from, or hold what it cannot take.
        """
        rows = row_count(inputs)
        with refusing(f"the {self.engine} model"):
            said = self.ask(inputs)
        return self.form.take(said, rows)


def lightgbm_teacher(booster: Any, declared: Declared) -> BoosterTeacher:
    """A teacher from a lightgbm.Booster: probabilities of a classifier, values of a regressor.

    Raises:
        BadInput: an objective whose numbers are neither, unless `kind` and `classes` say what they are.
    """
    objective = str(booster.dump_model(num_iteration=1).get("objective", "")).partition(" ")[0]
    columns = booster.num_model_per_iteration()
    if objective.startswith(_LIGHTGBM_VALUES):
        form = _undeclared(_VALUES, objective, declared)
    elif objective in ("binary", "cross_entropy", "multiclass"):
        form = _classifier("probabilities", objective, max(columns, 2), declared)
    else:
        form = _as_declared(objective or "custom", columns, declared)
    names = _real_names(booster.feature_name(), "Column_{}")

    def ask(inputs: Any) -> Any:
        return booster.predict(for_booster(for_model(inputs, names, width=booster.num_feature())))

    return BoosterTeacher("lightgbm", ask, form, lambda: booster.model_to_string().encode())


def xgboost_teacher(booster: Any, declared: Declared) -> BoosterTeacher:
    """A teacher from an xgboost.Booster: margins of a classifier, which are logits, or values of a regressor.

    A Booster with an objective of the caller's own says that it is for values; `kind` and `classes` say otherwise.

    Raises:
        BadInput: an objective whose numbers are neither, unless `kind` and `classes` say what they are.
    """
    learner = json.loads(booster.save_config())["learner"]
    model = learner["learner_model_param"]
    form = _xgboost_form(learner["objective"]["name"], int(model["num_class"]), int(model.get("num_target", 1)), declared)
    names = booster.feature_names

    def ask(inputs: Any) -> Any:
        rows = for_booster(for_model(inputs, names, width=booster.num_features()))
        matrix = require("xgboost").DMatrix(rows, feature_names=names, enable_categorical=is_frame(rows))
        best = booster.attr("best_iteration")
        trees = (0, 0) if best is None else (0, int(best) + 1)
        return booster.predict(matrix, output_margin=form.kind == "logits", iteration_range=trees)

    return BoosterTeacher("xgboost", ask, form, lambda: bytes(booster.save_raw("ubj")))


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
        BadInput: a model that is not fitted, or a loss whose numbers are neither.
    """
    if not model.is_fitted():
        raise BadInput(f"this {type(model).__name__} is not fitted; a teacher must know something: fit it first.")
    loss = str(model.get_all_params().get("loss_function", "")).partition(":")[0]
    known = tuple(model.classes_)
    told = "Probability"
    if loss in _CATBOOST_VALUES:
        form = _undeclared(_VALUES, loss, declared)
        told = "Exponent" if loss in _CATBOOST_LOGARITHMS else "RawFormulaVal"
    elif loss in ("MultiLogloss", "MultiCrossEntropy"):
        form = AnswerForm("probabilities", "multilabel", _labels(declared, len(known)))
    elif loss in ("Logloss", "CrossEntropy", "MultiClass"):
        form = _undeclared(of_classes("probabilities", known), loss, declared)
    else:
        raise _unknown(loss)
    names = _real_names(model.feature_names_, "{}")

    def ask(inputs: Any) -> Any:
        rows = for_model(inputs, names)
        return model.predict(rows.to_pandas() if hasattr(rows, "to_pandas") else rows, prediction_type=told)

    return BoosterTeacher("catboost", ask, form, lambda: _catboost_file(model))


def _catboost_file(model: Any) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.cbm"
        model.save_model(str(path))
        return path.read_bytes()


def _real_names(names: list[str], default: str) -> list[str] | None:
    """Names of columns; None if they are only the engine's own numbering of a matrix."""
    return None if names == [default.format(index) for index in range(len(names))] else names


def _classifier(kind: Any, objective: str, count: int, declared: Declared) -> AnswerForm:
    _check_kind(kind, objective, declared)
    return of_classes(kind, _labels(declared, count))


def _labels(declared: Declared, count: int) -> tuple[Any, ...]:
    if declared.classes is None:
        return tuple(range(count))
    if len(declared.classes) != count:
        raise BadInput(f"{len(declared.classes)} classes for a booster of {count}; pass classes= with one label for each.")
    return declared.classes


def _check_kind(kind: str, objective: str, declared: Declared) -> None:
    if declared.kind not in (None, kind):
        raise BadInput(f"a booster of objective {objective!r} answers {kind}, not {declared.kind}: leave kind= out.")


def _undeclared(form: AnswerForm, objective: str, declared: Declared) -> AnswerForm:
    """The form that the booster knows itself."""
    _check_kind(form.kind, objective, declared)
    if declared.classes is not None:
        knows = "knows its classes" if form.classes else "answers values"
        raise BadInput(f"a booster of objective {objective!r} {knows}: leave classes= out.")
    return form


def _as_declared(objective: str, columns: int, declared: Declared) -> AnswerForm:
    """The form of a booster whose objective does not say what its numbers are."""
    if declared.kind is None or (declared.kind != "values" and declared.classes is None):
        raise _unknown(objective, " Pass kind= and classes=.")
    if declared.kind == "values":
        return _undeclared(_VALUES, objective, declared)
    return of_classes(declared.kind, _labels(declared, max(columns, 2)))


def _unknown(objective: str, remedy: str = " Wrap its predict in a function and declare them.") -> BadInput:
    return BadInput(f"a booster of objective {objective!r} does not say what its numbers are.{remedy}")
