"""What each kind of student computes, as nodes of a chain: from rows to probabilities at temperature 1, or to values.

Weighted sums are computed in double precision, because single precision loses digits where a column is far from zero; trees compare in
the precision of their library.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.compose import ColumnTransformer
from sklearn.dummy import DummyRegressor
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import ElasticNet, HuberRegressor, LinearRegression, LogisticRegression, Ridge, RidgeCV, SGDRegressor
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MinMaxScaler, RobustScaler, StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from tutelage.core.errors import BadInput, one_line
from tutelage.exporters.chain import DOUBLE, Chain
from tutelage.exporters.foreign_graph import append_foreign
from tutelage.exporters.program import trees as tree_values
from tutelage.exporters.program.trees import Trees
from tutelage.exporters.subject.student_answers import several_labels
from tutelage.exporters.tree_graph import append_trees
from tutelage.students.any_estimator import SoftTargets
from tutelage.students.boosting import SoftBoosting
from tutelage.students.columns import Numbers
from tutelage.students.distilled import DistilledClassifier, DistilledRegressor
from tutelage.students.linear import SoftLogistic
from tutelage.students.mlp import SoftMLP
from tutelage.students.multilabel import PerLabel
from tutelage.students.saved.booster_text import text_of
from tutelage.students.saved.trained import TrainedStudent
from tutelage.students.trees import SoftForest, SoftTree


class Lowering:
    """A chain that students are appended to.

    Args:
        features: columns of a row.

    Attributes:
        chain: the nodes so far.
        trees: the trees that read the columns of the rows as they come.
        foreign: whether skl2onnx wrote a part.
    """

    def __init__(self, features: int) -> None:
        self.chain = Chain()
        self.features = features
        self.trees: list[Trees] = []
        self.foreign = False

    def append(self, model: Any) -> None:
        """Append a fitted student, estimator or step of a pipeline.

        Raises:
            BadInput: a kind that cannot be exported. MissingExtra: skl2onnx is not installed, which exports other estimators.
        """
        for kind, lower in _KINDS.items():
            if isinstance(model, kind):
                return lower(self, model)
        self.foreign = True
        if self.chain.reads_input:
            self.trees.append(tree_values.of_any(model))
        return append_foreign(self.chain, model, self.features)

    def add_trees(self, trees: Trees) -> None:
        """Append trees."""
        if self.chain.reads_input:
            self.trees.append(trees)
        append_trees(self.chain, trees)

    def layer(self, weights: ArrayLike, intercepts: ArrayLike) -> None:
        """Append x @ weights + intercepts in double precision; the weights are (inputs, outputs)."""
        self.chain.cast(DOUBLE)
        self.chain.then("Gemm", self.chain.numbers(weights), self.chain.numbers(intercepts))

    def temper(self, temperature: float, *, multilabel: bool) -> None:
        """Append the temperature of the answers to probabilities, as `AnswerForm.probabilities` applies it."""
        if temperature == 1.0:
            return
        chain, probabilities = self.chain, self.chain.last
        log = chain.then("Log")
        if multilabel:
            off = chain.then("Sub", probabilities, first=chain.numbers(1.0))
            chain.then("Sub", chain.then("Log", first=off), first=log)
        chain.then("Div", chain.numbers(temperature))
        chain.then("Sigmoid") if multilabel else chain.then("Softmax", axis=-1)


def _soft_trees(graph: Lowering, model: SoftTree | SoftForest) -> None:
    graph.append(model.tree_ if isinstance(model, SoftTree) else model.forest_)
    if model.targets == "logits":
        graph.chain.then("Softmax", axis=-1)


def _averaged(graph: Lowering, model: Any) -> None:
    if model.n_outputs_ > 1 and hasattr(model, "classes_"):
        raise several_labels(model)
    outputs = len(model.classes_) if hasattr(model, "classes_") else model.n_outputs_
    graph.add_trees(tree_values.of_averaged(getattr(model, "estimators_", [model]), outputs))


def _gradient_boosting(graph: Lowering, model: GradientBoostingRegressor) -> None:
    if model.init_ != "zero" and not isinstance(model.init_, DummyRegressor):
        raise BadInput("a GradientBoostingRegressor with init= cannot be exported; expected one that starts at a constant.")
    graph.add_trees(tree_values.of_gradient_boosting(model))


def _histograms(graph: Lowering, model: HistGradientBoostingRegressor | HistGradientBoostingClassifier) -> None:
    if model.is_categorical_ is not None or model.loss in ("poisson", "gamma"):
        raise BadInput(
            f"a {type(model).__name__} with categories, or of the loss poisson or gamma, cannot be exported; expected numeric columns and "
            "another loss."
        )
    trees = tree_values.of_histograms(model)
    graph.add_trees(trees)
    if isinstance(model, HistGradientBoostingClassifier):
        _probabilities(graph.chain, trees.outputs)


def _boosting(graph: Lowering, model: SoftBoosting) -> None:
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
        raise BadInput(f"the {model.engine} model of a SoftBoosting cannot be exported: it has {one_line(error)}.") from error
    graph.add_trees(trees)
    if outputs > 1:
        graph.chain.then("Add", graph.chain.numbers(model.start_))
    _probabilities(graph.chain, outputs)


def _probabilities(chain: Chain, logits: int) -> None:
    """From logits, or the log odds of the second of two classes as (rows, 1), to (rows, classes) probabilities."""
    if logits > 1:
        chain.then("Softmax", axis=-1)
        return
    second = chain.then("Sigmoid")
    first = chain.then("Sub", second, first=chain.numbers(1.0))
    chain.then("Concat", second, first=first, axis=-1)


def _logistic(graph: Lowering, model: SoftLogistic | LogisticRegression) -> None:
    outputs = len(model.coef_)
    if outputs > 1 and getattr(model, "solver", "") == "liblinear":
        raise BadInput("a LogisticRegression of several classes with the solver liblinear cannot be exported; choose another solver.")
    graph.layer(np.asarray(model.coef_).T, np.broadcast_to(model.intercept_, outputs))
    _probabilities(graph.chain, outputs)


def _mlp(graph: Lowering, model: SoftMLP) -> None:
    _shift_and_scale(graph, model.mean_, model.scale_)
    for place, (weights, intercepts) in enumerate(zip(model.coefs_, model.intercepts_, strict=True)):
        if place:
            graph.chain.then("Relu")
        graph.layer(weights, intercepts)
    graph.chain.then("Softmax", axis=-1)


def _linear_regressor(graph: Lowering, model: Any) -> None:
    weights = np.atleast_2d(model.coef_).T
    graph.layer(weights, np.broadcast_to(model.intercept_, weights.shape[1]))


def _soft_targets(graph: Lowering, model: SoftTargets) -> None:
    graph.append(model.estimator_)
    found, classes = np.asarray(model.estimator_.classes_), len(model.classes_)
    if len(found) < classes:  # a class without any row has no column in the estimator
        graph.chain.cast(DOUBLE)
        graph.chain.then("MatMul", graph.chain.numbers(np.eye(classes)[found]))


def _per_label(graph: Lowering, model: PerLabel) -> None:
    if not model.per_label_:
        graph.append(model.estimators_[0])
        return
    chain, start = graph.chain, graph.chain.mark()
    columns: list[str] = []
    for each in sorted(model.estimators_, key=lambda one: isinstance(one, float)):  # a constant cannot decide the type of the input
        chain.back(start)
        if isinstance(each, float):
            chain.cast(DOUBLE)
            zeros = chain.then("Mul", chain.numbers(0.0), first=columns[0]) if columns else _zeros(chain)
            columns.append(chain.then("Add", chain.constant(np.float64(each)), first=zeros))
        else:
            graph.append(each)
            chain.cast(DOUBLE)
            columns.append(chain.then("Gather", chain.constant(np.array([1])), axis=1))
    order = np.argsort([isinstance(one, float) for one in model.estimators_], kind="stable")
    places = [columns[place] for place in np.argsort(order)]
    chain.then("Concat", *places[1:], first=places[0], axis=1)
    chain.type = DOUBLE


def _zeros(chain: Chain) -> str:
    """(rows, 1) zeros, whatever the rows hold."""
    first = chain.then("Gather", chain.constant(np.array([0])), axis=1)
    gaps = chain.then("IsNaN", first=first)
    return chain.then("Where", chain.constant(np.zeros((1, 1))), chain.constant(np.zeros((1, 1))), first=gaps)


def _distilled(graph: Lowering, model: DistilledClassifier) -> None:
    graph.append(model.student_)
    graph.chain.cast(DOUBLE)
    graph.temper(model.answer_temperature_, multilabel=model.teacher_.form.task == "multilabel")


def _trained(graph: Lowering, model: TrainedStudent) -> None:
    graph.append(model.student_)
    if model.task != "regression":
        graph.chain.cast(DOUBLE)
        graph.temper(model.answer_temperature, multilabel=model.task == "multilabel")


def _pipeline(graph: Lowering, model: Pipeline) -> None:
    for _, step in model.steps:
        if step is not None and not isinstance(step, str):  # "passthrough"
            graph.append(step)


def _column_transformer(graph: Lowering, model: ColumnTransformer) -> None:
    used = [(name, step) for name, step, chosen in model.transformers_ if _places(model, name)]
    if len(used) != 1 or isinstance(used[0][1], str) or sorted(_places(model, used[0][0])) != list(range(model.n_features_in_)):
        raise BadInput("a ColumnTransformer cannot be exported; expected steps that treat all columns alike.")
    places = _places(model, used[0][0])
    if places != list(range(model.n_features_in_)):
        graph.chain.cast(DOUBLE)
        graph.chain.then("Gather", graph.chain.constant(np.array(places, dtype=np.int64)), axis=1)
    graph.append(used[0][1])


def _places(model: ColumnTransformer, name: str) -> list[int]:
    """Positions of the columns that a step of a ColumnTransformer takes, however they were named."""
    return [int(place) for place in np.atleast_1d(np.arange(model.n_features_in_)[model._transformer_to_input_indices[name]])]


def _scaler(graph: Lowering, model: StandardScaler) -> None:
    _shift_and_scale(graph, model.mean_ if model.with_mean else None, model.scale_ if model.with_std else None)


def _robust_scaler(graph: Lowering, model: RobustScaler) -> None:
    _shift_and_scale(graph, model.center_ if model.with_centering else None, model.scale_ if model.with_scaling else None)


def _range_scaler(graph: Lowering, model: MinMaxScaler) -> None:
    chain = graph.chain
    chain.cast(DOUBLE)
    chain.then("Mul", chain.numbers(model.scale_))
    chain.then("Add", chain.numbers(model.min_))
    if model.clip:
        chain.then("Clip", *map(chain.numbers, model.feature_range))


def _shift_and_scale(graph: Lowering, mean: ArrayLike | None, scale: ArrayLike | None) -> None:
    graph.chain.cast(DOUBLE)
    if mean is not None:
        graph.chain.then("Sub", graph.chain.numbers(mean))
    if scale is not None:
        graph.chain.then("Div", graph.chain.numbers(scale))


def _imputer(graph: Lowering, model: SimpleImputer) -> None:
    chain, filled = graph.chain, np.asarray(model.statistics_)
    if filled.dtype.kind != "f" or not np.isfinite(filled).all() or model.add_indicator or not np.isnan(model.missing_values):
        raise BadInput("this SimpleImputer cannot be exported; expected one that fills NaN in every column with a number, and adds none.")
    chain.cast(DOUBLE)
    rows = chain.last
    missing = chain.then("IsNaN")
    chain.then("Where", chain.numbers(filled), rows, first=missing)


def _texts(graph: Lowering, model: Any) -> None:
    raise BadInput("a student of texts cannot be exported; expected numeric columns. Serve it from its folder.")


def _as_they_are(graph: Lowering, model: Numbers) -> None:
    """The columns are numbers already."""


_KINDS: dict[type, Callable[[Lowering, Any], None]] = {
    SoftTree: _soft_trees,
    SoftForest: _soft_trees,
    SoftLogistic: _logistic,
    LogisticRegression: _logistic,
    SoftMLP: _mlp,
    SoftBoosting: _boosting,
    SoftTargets: _soft_targets,
    PerLabel: _per_label,
    DistilledClassifier: _distilled,
    DistilledRegressor: lambda graph, model: graph.append(model.student_),
    TrainedStudent: _trained,
    **dict.fromkeys((DecisionTreeRegressor, RandomForestRegressor, ExtraTreesRegressor), _averaged),
    **dict.fromkeys((DecisionTreeClassifier, RandomForestClassifier, ExtraTreesClassifier), _averaged),
    GradientBoostingRegressor: _gradient_boosting,
    HistGradientBoostingRegressor: _histograms,
    HistGradientBoostingClassifier: _histograms,
    **dict.fromkeys((GridSearchCV, RandomizedSearchCV), lambda graph, model: graph.append(model.best_estimator_)),
    **dict.fromkeys((LinearRegression, Ridge, RidgeCV, ElasticNet, HuberRegressor, SGDRegressor), _linear_regressor),
    Pipeline: _pipeline,
    ColumnTransformer: _column_transformer,
    Numbers: _as_they_are,
    StandardScaler: _scaler,
    RobustScaler: _robust_scaler,
    MinMaxScaler: _range_scaler,
    SimpleImputer: _imputer,
    TfidfVectorizer: _texts,
}
