"""Estimators of other estimators, and the estimators of other libraries, as steps of a program."""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import (
    BaggingClassifier,
    BaggingRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.neural_network import MLPClassifier, MLPRegressor

from tutelage.core.arrays import Floats
from tutelage.core.errors import BadInput, one_line
from tutelage.exporters.program import operations as op
from tutelage.exporters.program import trees as tree_values
from tutelage.exporters.program.lowering import Lower, Lowering, Value
from tutelage.students.saved.booster_text import text_of


def _gradient_boosting(program: Lowering, model: GradientBoostingRegressor | GradientBoostingClassifier, rows: Value) -> Value:
    if model.init_ != "zero" and not isinstance(model.init_, DummyRegressor | DummyClassifier):
        raise BadInput(f"a {type(model).__name__} with init= cannot be exported; expected one that starts at a constant.")
    scores = program.trees(rows, tree_values.of_gradient_boosting(model))
    if isinstance(model, GradientBoostingRegressor):
        return scores
    return program.probabilities(program.arithmetic(scores, "multiply", 2.0) if model.loss == "exponential" else scores)


def _bagging(program: Lowering, model: BaggingClassifier | BaggingRegressor, rows: Value) -> Value:
    parts = []
    for each, features in zip(model.estimators_, model.estimators_features_, strict=True):
        answers = program.lower(each, program.chosen(rows, features))
        if isinstance(model, BaggingClassifier):
            _check_probabilities(model, each)
            found = np.asarray(each.classes_).tolist()  # codes of the classes that it has seen
            codes = range(len(model.classes_))
            answers = program.chosen(program.numbers(answers), [found.index(code) if code in found else -1 for code in codes])
        parts.append(answers)
    return program.averaged(parts)


def _voting(program: Lowering, model: VotingClassifier | VotingRegressor, rows: Value) -> Value:
    if isinstance(model, VotingClassifier):
        if model.voting != "soft":
            raise BadInput("a VotingClassifier that counts votes has no probabilities; expected voting='soft'.")
        for each in model.estimators_:
            _check_probabilities(model, each)
    return program.averaged([program.lower(each, rows) for each in model.estimators_], model._weights_not_none)


def _check_probabilities(model: Any, each: Any) -> None:
    if not hasattr(each, "predict_proba"):
        raise BadInput(f"a {type(model).__name__} of {type(each).__name__} cannot be exported, which has no predict_proba.")


_ACTIVATIONS: dict[str, op.Function] = {"logistic": "sigmoid", "tanh": "tanh", "relu": "relu"}


def _network(program: Lowering, model: MLPClassifier | MLPRegressor, rows: Value) -> Value:
    hidden = rows
    for place, (weights, intercepts) in enumerate(zip(model.coefs_, model.intercepts_, strict=True)):
        if place and model.activation != "identity":
            hidden = program.then(op.Apply(_ACTIVATIONS[model.activation]), program.numbers(hidden))
        hidden = program.dense(hidden, weights, intercepts)
    if isinstance(model, MLPClassifier):
        return program.probabilities(program.numbers(hidden))
    if model.out_activation_ != "identity":
        raise BadInput("a MLPRegressor of the loss poisson cannot be exported; expected squared errors.")
    return hidden


def _lightgbm(program: Lowering, model: Any, rows: Value) -> Value:
    """LightGBM's LGBMClassifier or LGBMRegressor."""
    booster = model.booster_
    objective, *settings = str(booster.dump_model(num_iteration=1).get("objective", "")).split()
    if hasattr(model, "classes_"):
        if objective not in ("binary", "multiclass"):
            raise _other_objective(model, objective)
        outputs = 1 if objective == "binary" else len(model.classes_)
    elif objective in ("regression", "regression_l1", "huber", "fair", "quantile", "mape") and "sqrt" not in settings:
        outputs = 1
    else:
        raise _other_objective(model, objective)
    try:
        scores = program.trees(rows, tree_values.of_lightgbm(booster, outputs))
    except ValueError as error:
        raise _odd_trees(model, error) from error
    if not hasattr(model, "classes_"):
        return scores
    slope = next((float(each.partition(":")[2]) for each in settings if each.startswith("sigmoid:")), 1.0)
    return program.probabilities(scores if slope == 1.0 else program.arithmetic(scores, "multiply", slope))


def _xgboost(program: Lowering, model: Any, rows: Value) -> Value:
    """XGBoost's XGBClassifier or XGBRegressor."""
    booster = model.get_booster()
    if getattr(model, "early_stopping_rounds", None):
        booster = booster[: model.best_iteration + 1]
    if model.missing is not None and not np.isnan(model.missing):
        raise BadInput(f"a {type(model).__name__} with missing={model.missing!r} cannot be exported; expected NaN.")
    stored = json.loads(text_of(booster, "xgboost"))
    objective = stored["learner"]["objective"]["name"]
    base = np.atleast_1d(json.loads(stored["learner"]["learner_model_param"]["base_score"])).astype(np.float64)
    try:
        if objective == "binary:logistic":
            return program.probabilities(program.trees(rows, tree_values.of_xgboost(stored, 1, np.log(base) - np.log1p(-base))))
        if objective == "multi:softprob":
            start: Floats = np.broadcast_to(base, len(model.classes_)).astype(np.float64)
            return program.probabilities(program.trees(rows, tree_values.of_xgboost(stored, len(start), start)))
        if objective in ("reg:squarederror", "reg:absoluteerror", "reg:pseudohubererror", "reg:quantileerror") and len(base) == 1:
            return program.trees(rows, tree_values.of_xgboost(stored, 1, base))
    except (ValueError, KeyError) as error:
        raise _odd_trees(model, error) from error
    raise _other_objective(model, objective)


def _other_objective(model: Any, objective: str) -> BadInput:
    return BadInput(f"a {type(model).__name__} of the objective {objective!r} cannot be exported; expected a usual one.")


def _odd_trees(model: Any, error: Exception) -> BadInput:
    return BadInput(f"a {type(model).__name__} cannot be exported: it has {'no ' if isinstance(error, KeyError) else ''}{one_line(error)}.")


ENSEMBLES: dict[type, Lower] = {
    **dict.fromkeys((GradientBoostingRegressor, GradientBoostingClassifier), _gradient_boosting),
    **dict.fromkeys((BaggingClassifier, BaggingRegressor), _bagging),
    **dict.fromkeys((VotingClassifier, VotingRegressor), _voting),
    **dict.fromkeys((MLPClassifier, MLPRegressor), _network),
}
_BOOSTERS: dict[str, tuple[str, Lower]] = {
    **dict.fromkeys(("LGBMClassifier", "LGBMRegressor"), ("lightgbm.sklearn", _lightgbm)),
    **dict.fromkeys(("XGBClassifier", "XGBRegressor"), ("xgboost.sklearn", _xgboost)),
}
"""By the name of the class, its module: the libraries are optional."""


def boosters() -> dict[type, Lower]:
    """How models of the boosting libraries are lowered, of those libraries that are in use."""
    return {getattr(sys.modules[module], name): lower for name, (module, lower) in _BOOSTERS.items() if module in sys.modules}
