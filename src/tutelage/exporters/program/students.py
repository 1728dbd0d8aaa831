"""What each kind of student and estimator computes, as steps of a program."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import (
    ElasticNet,
    HuberRegressor,
    Lasso,
    LinearRegression,
    LogisticRegression,
    Ridge,
    RidgeCV,
    SGDClassifier,
    SGDRegressor,
)
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.pipeline import Pipeline
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from tutelage.core.errors import BadInput, one_line
from tutelage.exporters.program import operations as op
from tutelage.exporters.program import trees as tree_values
from tutelage.exporters.program.lowering import Lower, Lowering, Value
from tutelage.exporters.subject.student_answers import several_labels
from tutelage.students.any_estimator import SoftTargets
from tutelage.students.boosting import SoftBoosting
from tutelage.students.distilled import DistilledClassifier, DistilledRegressor
from tutelage.students.linear import SoftLogistic
from tutelage.students.multilabel import PerLabel
from tutelage.students.networks.gates import LEAST_SHARE, path_places
from tutelage.students.networks.mlp import SoftMLP
from tutelage.students.networks.mlp_regressor import NetworkRegressor
from tutelage.students.networks.soft_decision_tree import SoftDecisionTree
from tutelage.students.networks.torch_estimator import embeds
from tutelage.students.networks.torch_network import TorchClassifier, TorchRegressor
from tutelage.students.saved.booster_text import text_of
from tutelage.students.saved.trained import TrainedStudent
from tutelage.students.trees import SoftForest, SoftTree


def _soft_trees(program: Lowering, model: SoftTree | SoftForest, rows: Value) -> Value:
    answers = program.lower(model.tree_ if isinstance(model, SoftTree) else model.forest_, rows)
    return program.then(op.Softmax(), program.numbers(answers)) if model.targets == "logits" else answers


def _averaged(program: Lowering, model: Any, rows: Value) -> Value:
    if model.n_outputs_ > 1 and hasattr(model, "classes_"):
        raise several_labels(model)
    outputs = len(model.classes_) if hasattr(model, "classes_") else model.n_outputs_
    return program.trees(rows, tree_values.of_averaged(getattr(model, "estimators_", [model]), outputs))


def _histograms(program: Lowering, model: HistGradientBoostingRegressor | HistGradientBoostingClassifier, rows: Value) -> Value:
    if model.is_categorical_ is not None or model.loss in ("poisson", "gamma"):
        raise BadInput(
            f"a {type(model).__name__} with categories, or of the loss poisson or gamma, cannot be exported; expected numeric columns and "
            "another loss."
        )
    scores = program.trees(rows, tree_values.of_histograms(model))
    return program.probabilities(scores) if isinstance(model, HistGradientBoostingClassifier) else scores


def _boosting(program: Lowering, model: SoftBoosting, rows: Value) -> Value:
    outputs = 1 if len(model.classes_) == 2 else len(model.classes_)
    try:
        if model.engine == "lightgbm":
            trees = tree_values.of_lightgbm(model.booster_, outputs)
        else:
            stored = json.loads(text_of(model.booster_, "xgboost"))
            share = np.atleast_1d(json.loads(stored["learner"]["learner_model_param"]["base_score"])).astype(np.float64)
            start = np.log(share) - np.log1p(-share) if outputs == 1 else np.zeros(outputs)
            trees = tree_values.of_xgboost(stored, outputs, start)
    except (ValueError, KeyError, TypeError) as error:
        found = f"{'no ' if isinstance(error, KeyError) else ''}{one_line(error)}"
        raise BadInput(f"the {model.engine} model of a SoftBoosting cannot be exported: it has {found}.") from error
    scores = program.trees(rows, trees)
    return program.probabilities(program.arithmetic(scores, "add", model.start_) if outputs > 1 else scores)


def _logistic(program: Lowering, model: SoftLogistic | LogisticRegression | SGDClassifier, rows: Value) -> Value:
    outputs = len(model.coef_)
    if outputs > 1 and getattr(model, "solver", "") == "liblinear":
        raise BadInput("a LogisticRegression of several classes with the solver liblinear cannot be exported; choose another solver.")
    return program.probabilities(program.dense(rows, np.asarray(model.coef_).T, model.intercept_))


def _one_against_rest(program: Lowering, model: SGDClassifier, rows: Value) -> Value:
    if model.loss != "log_loss" or len(model.coef_) > 1:
        raise BadInput("a SGDClassifier of several classes or of another loss than log_loss cannot be exported; use LogisticRegression.")
    return _logistic(program, model, rows)


def _mlp(program: Lowering, model: SoftMLP | NetworkRegressor, rows: Value) -> Value:
    layers = zip(model.coefs_, model.intercepts_, strict=True)
    hidden = program.arithmetic(program.arithmetic(rows, "subtract", model.mean_), "divide", model.scale_)
    for place, (weights, intercepts) in enumerate(layers):
        hidden = program.dense(program.then(op.Apply("relu"), hidden) if place else hidden, weights, intercepts)
    return program.then(op.Softmax(), hidden) if isinstance(model, SoftMLP) else hidden


def _soft_decision_tree(program: Lowering, model: SoftDecisionTree, rows: Value) -> Value:
    numbers = program.arithmetic(program.arithmetic(rows, "subtract", model.mean_), "divide", model.scale_)
    scores = program.arithmetic(program.dense(numbers, model.coef_, model.intercept_), "multiply", model.sharpness)
    both = program.then(op.Join(), scores, program.arithmetic(scores, "multiply", -1.0))
    shares = program.then(op.Clip(LEAST_SHARE, 1.0), program.then(op.Apply("sigmoid"), both))
    on_path = program.then(op.Select(tuple(path_places(model.depth).ravel().tolist())), program.then(op.Apply("log"), shares))
    by_leaf = program.then(op.Reshape((2**model.depth, model.depth)), on_path)
    paths = program.then(op.Reshape((2**model.depth,)), program.then(op.Dense(np.ones((model.depth, 1)), np.zeros(1)), by_leaf))
    return program.dense(program.then(op.Largest() if model.answer == "leaf" else op.Softmax(), paths), model.leaves_, 0.0)


def _torch_network(program: Lowering, model: TorchClassifier | TorchRegressor, rows: Value) -> Value:
    import torch

    from tutelage.core.torch_runtime import network_input
    from tutelage.exporters.program.networks import network_steps

    numbers = program.numbers(rows)
    kind = torch.int64 if embeds(model.network_) else torch.float64  # which becomes the type that the network takes
    sample = network_input(model.network_, torch.zeros(2, *program.steps[numbers].shape, dtype=kind))
    program.partly_single = program.partly_single or sample.dtype != torch.float64
    answers = network_steps(program, model.network_, sample, numbers)
    if isinstance(model, TorchRegressor):
        return program.arithmetic(program.arithmetic(answers, "multiply", model.scale_), "add", model.mean_)
    return program.then(op.Apply("sigmoid") if model.multilabel else op.Softmax(), answers)


def _linear_regressor(program: Lowering, model: Any, rows: Value) -> Value:
    return program.dense(rows, np.atleast_2d(model.coef_).T, model.intercept_)


def _soft_targets(program: Lowering, model: SoftTargets, rows: Value) -> Value:
    answers = program.lower(model.estimator_, rows)
    found, classes = np.asarray(model.estimator_.classes_).tolist(), len(model.classes_)
    if len(found) == classes:
        return answers
    places = tuple(found.index(code) if code in found else -1 for code in range(classes))  # a class without any row has no column
    return program.then(op.Select(places), program.numbers(answers))


def _per_label(program: Lowering, model: PerLabel, rows: Value) -> Value:
    if not model.per_label_:
        return program.lower(model.estimators_[0], rows)
    columns = []
    for each in model.estimators_:
        if isinstance(each, float):
            columns.append(program.then(op.Constant(np.array([each]))))
        else:
            columns.append(program.then(op.Select((1,)), program.numbers(program.lower(each, rows))))
    return program.then(op.Join(), *columns)


def _distilled(program: Lowering, model: DistilledClassifier, rows: Value) -> Value:
    answers = program.numbers(program.lower(model.student_, rows))
    return program.tempered(answers, model.answer_temperature_, multilabel=model.teacher_.form.task == "multilabel")


def _trained(program: Lowering, model: TrainedStudent, rows: Value) -> Value:
    answers = program.numbers(program.lower(model.student_, rows))
    if model.task == "regression":
        return answers
    return program.tempered(answers, model.answer_temperature, model.biases, multilabel=model.task == "multilabel")


def _pipeline(program: Lowering, model: Pipeline, rows: Value) -> Value:
    for _, step in model.steps:
        if step is not None and not isinstance(step, str):  # "passthrough"
            rows = program.lower(step, rows)
    return rows


STUDENTS: dict[type, Lower] = {
    SoftTree: _soft_trees,
    SoftForest: _soft_trees,
    SoftLogistic: _logistic,
    LogisticRegression: _logistic,
    SGDClassifier: _one_against_rest,
    SoftMLP: _mlp,
    SoftDecisionTree: _soft_decision_tree,
    NetworkRegressor: _mlp,
    TorchClassifier: _torch_network,
    TorchRegressor: _torch_network,
    SoftBoosting: _boosting,
    SoftTargets: _soft_targets,
    PerLabel: _per_label,
    DistilledClassifier: _distilled,
    DistilledRegressor: lambda program, model, rows: program.lower(model.student_, rows),
    TrainedStudent: _trained,
    **dict.fromkeys((DecisionTreeRegressor, RandomForestRegressor, ExtraTreesRegressor), _averaged),
    **dict.fromkeys((DecisionTreeClassifier, RandomForestClassifier, ExtraTreesClassifier), _averaged),
    HistGradientBoostingRegressor: _histograms,
    HistGradientBoostingClassifier: _histograms,
    **dict.fromkeys((GridSearchCV, RandomizedSearchCV), lambda program, model, rows: program.lower(model.best_estimator_, rows)),
    **dict.fromkeys((LinearRegression, Ridge, RidgeCV, ElasticNet, Lasso, HuberRegressor, SGDRegressor), _linear_regressor),
    Pipeline: _pipeline,
}
