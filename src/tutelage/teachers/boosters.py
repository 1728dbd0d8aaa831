"""Bare boosters as teachers: LightGBM, XGBoost and CatBoost models without their scikit-learn classes."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tutelage.core.answers import AnswerForm, of_classes, two_columns
from tutelage.core.arrays import Floats
from tutelage.core.errors import BadInput, require
from tutelage.teachers.inputs import for_model, is_frame

if TYPE_CHECKING:
    from tutelage.teachers.adapt import Declared

_VALUES = ("regression", "huber", "fair", "poisson", "quantile", "mape", "gamma", "tweedie")  # LightGBM's objectives for values
_CATBOOST_VALUES = ("RMSE", "MAE", "Quantile", "LogLinQuantile", "Poisson", "MAPE", "Lq", "Huber", "Expectile", "Tweedie", "LogCosh")


@dataclass(frozen=True, eq=False)
class BoosterTeacher:
    """Asks a booster.

    Attributes:
        ask: rows -> what the booster says, (rows,) or (rows, columns).
        form: what the numbers are.
        fingerprint: SHA-256 of the booster's own file.
    """

    ask: Callable[[Any], Any]
    form: AnswerForm
    fingerprint: str

    def answer(self, inputs: Any) -> Floats:
        """(rows, classes) or (rows, outputs), of the best iteration where early stopping found one.

        Raises:
            BadInput: the rows lack columns that the booster learnt from.
        """
        said = np.asarray(self.ask(inputs))
        if self.form.task == "binary" and said.ndim == 1:
            said = two_columns(said, self.form.kind)
        return self.form.check(said if said.ndim == 2 else said.reshape(len(said), -1), len(said))


def _classes(declared: Declared, count: int) -> tuple[Any, ...]:
    if declared.classes is None:
        return tuple(range(count))
    if len(declared.classes) != count:
        raise BadInput(f"{len(declared.classes)} classes for a booster of {count}; pass classes= with one label for each.")
    return declared.classes


def _unknown(objective: str) -> BadInput:
    return BadInput(
        f"a booster of objective {objective!r} does not say what its numbers are; wrap its predict in a function and declare them."
    )


def _sha256(text: str | bytes | bytearray) -> str:
    return hashlib.sha256(text.encode() if isinstance(text, str) else text).hexdigest()


def lightgbm_teacher(booster: Any, declared: Declared) -> BoosterTeacher:
    """A teacher from a lightgbm.Booster.

    Raises:
        BadInput: an objective whose numbers are no probabilities or values, unless `kind` and `classes` say what they are.
    """
    objective = str(booster.dump_model(num_iteration=1).get("objective", "")).split(" ")[0]
    form = _lightgbm_form(booster, objective, declared)
    named = not all(name == f"Column_{index}" for index, name in enumerate(booster.feature_name()))

    def ask(inputs: Any) -> Any:
        rows = for_model(inputs, booster.feature_name() if named else None)
        return booster.predict(rows.to_pandas() if hasattr(rows, "to_pandas") else rows)

    return BoosterTeacher(ask, form, f"lightgbm:{_sha256(booster.model_to_string())}")


def _lightgbm_form(booster: Any, objective: str, declared: Declared) -> AnswerForm:
    columns = booster.num_model_per_iteration()
    if objective.startswith(_VALUES):
        return AnswerForm("values", "regression")
    if objective in ("binary", "cross_entropy", "multiclass"):
        if declared.kind not in (None, "probabilities"):
            raise BadInput(f"a booster of objective {objective!r} answers probabilities: leave kind= out.")
        return of_classes("probabilities", _classes(declared, max(columns, 2)))
    if declared.kind is None or (declared.kind != "values" and declared.classes is None):
        raise _unknown(objective or "custom")
    return (
        AnswerForm("values", "regression") if declared.kind == "values" else of_classes(declared.kind, _classes(declared, max(columns, 2)))
    )


def xgboost_teacher(booster: Any, declared: Declared) -> BoosterTeacher:
    """A teacher from an xgboost.Booster: margins of a classifier, values of a regressor.

    Raises:
        BadInput: an objective whose numbers are neither.
    """
    learner = json.loads(booster.save_config())["learner"]
    objective, model = learner["objective"]["name"], learner["learner_model_param"]
    form = _xgboost_form(objective, int(model["num_class"]), int(model.get("num_target", 1)), declared)
    best = booster.attr("best_iteration")
    trees = (0, 0) if best is None else (0, int(best) + 1)

    def ask(inputs: Any) -> Any:
        names = booster.feature_names
        rows = for_model(inputs, names) if names is None or is_frame(inputs) else inputs
        matrix = require("xgboost").DMatrix(rows, feature_names=names, enable_categorical=is_frame(rows))
        return booster.predict(matrix, output_margin=form.kind == "logits", iteration_range=trees)

    return BoosterTeacher(ask, form, f"xgboost:{_sha256(booster.save_raw('ubj'))}")


def _xgboost_form(objective: str, num_class: int, num_target: int, declared: Declared) -> AnswerForm:
    if objective.startswith(("reg:", "count:")) and objective != "reg:logistic":
        return AnswerForm("values", "regression")
    if objective in ("binary:logistic", "binary:logitraw", "reg:logistic"):
        return (
            AnswerForm("logits", "multilabel", _classes(declared, num_target))
            if num_target > 1
            else of_classes("logits", _classes(declared, 2))
        )
    if objective in ("multi:softprob", "multi:softmax"):
        return of_classes("logits", _classes(declared, num_class))
    raise _unknown(objective)


def catboost_teacher(model: Any, declared: Declared) -> BoosterTeacher:
    """A teacher from a bare catboost.CatBoost.

    Raises:
        BadInput: a loss whose numbers are neither probabilities nor values.
    """
    loss = str(model.get_all_params().get("loss_function", "")).split(":")[0]
    known = tuple(getattr(model, "classes_", ()))
    if loss in _CATBOOST_VALUES:
        form, kind = AnswerForm("values", "regression"), "RawFormulaVal"
    elif loss in ("Logloss", "CrossEntropy", "MultiClass"):
        labels = known if declared.classes is None and len(known) > 1 else _classes(declared, max(len(known), 2))
        form, kind = of_classes("probabilities", labels), "Probability"
    else:
        raise _unknown(loss)
    return BoosterTeacher(lambda rows: model.predict(rows, prediction_type=kind), form, f"catboost:{_catboost_sha256(model)}")


def _catboost_sha256(model: Any) -> str:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.cbm"
        model.save_model(str(path))
        return _sha256(path.read_bytes())
