"""Families of students and the settings that a search tries for each of them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

import numpy as np
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags

from tutelage.core.answer_kinds import Task
from tutelage.core.errors import BadInput, require, shown
from tutelage.core.stored.tree_nodes import instances_in
from tutelage.data.structures.inputs import numbers_of
from tutelage.data.structures.structured import StructuredRows
from tutelage.search.spaces import Space, space_of
from tutelage.students.by_name import NEED_SCALING, student_named
from tutelage.students.networks.building import NOT_GIVEN, is_module
from tutelage.students.networks.torch_estimator import TorchEstimator
from tutelage.students.networks.torch_network import TorchClassifier, TorchRegressor

ROW_VISITS = 1_500_000
"""Rows that a network sees in training, epochs times rows, within 10 to 100 epochs; fewer of more than `USUAL_COLUMNS`."""
USUAL_COLUMNS = 100
"""Columns from which on a network sees fewer rows, so that it takes about as long: 784 pixels, an eighth of them."""
MANY_ROWS = 5000
"""From so many rows on, a network learns from larger batches."""
EXPECTED = 'a name such as "tree", or a dict such as {"mine": (estimator, {"setting": [1, 2, 3]})}'

Columns = Literal["scaled", "coded", "raw"]
"""How the columns of its rows come to a student: as `with_columns` prepares them with and without scaling, or as they are."""


@dataclass(frozen=True, eq=False)
class Family:
    """Students of one kind.

    Attributes:
        name: by which the family is known in results.
        estimator: the unfitted student with its untuned settings.
        space: what is searched.
        columns: scaled and one-hot for linear models and networks, codes for trees, raw for pipelines of the user's.
        untuned: values of searched settings in the first trial, where they are not the estimator's own.
        paced: whether epochs and batch size follow the number of rows; an estimator of the user's keeps its own.
    """

    name: str
    estimator: Any
    space: Space
    columns: Columns
    untuned: Mapping[str, Any] = field(default_factory=dict)
    paced: bool = False

    @property
    def takes_shapes(self) -> bool:
        """Whether it takes pictures and other rows of more axes as they are."""
        return bool(get_tags(self.estimator).input_tags.three_d_array)

    @property
    def takes_inputs(self) -> bool:
        """Whether it takes rows of several inputs."""
        return isinstance(self.estimator, TorchEstimator)

    @property
    def takes_sparse(self) -> bool:
        """Whether it takes sparse rows."""
        return bool(get_tags(self.estimator).input_tags.sparse)

    def student(self, settings: Mapping[str, Any], *, seed: int, rows: int, columns: int = 1) -> Any:
        """An unfitted student with these settings and this seed, for so many training rows and columns."""
        student = clone(self.estimator)
        if self.paced:
            network = getattr(student, "estimator", student)  # several labels have a student each
            network.set_params(epochs=int(passes(rows, columns)), batch_size=64 if rows < MANY_ROWS else 256)
        return with_seed(student.set_params(**self.space.decoded(settings)), seed)

    def module(self, settings: Mapping[str, Any]) -> Any:
        """What builds the torch network of a student with these settings, as `load_student` takes it; None for other students."""
        searched = {name: value for name, value in settings.items() if name in self.space.distributions}
        student = clone(self.estimator).set_params(**self.space.decoded(searched))
        found = next(instances_in(student, TorchEstimator), None)
        return None if found is None else partial(found.module, **found.arguments) if found.arguments else found.module


def numbers_in_a_row(rows: Any) -> int:
    """The numbers that a network reads for each row: columns, pixels, or about those of several inputs."""
    if isinstance(rows, StructuredRows):
        return numbers_of(rows)
    return max(1, int(math.prod(getattr(rows, "shape", ())[1:])))


def passes(rows: int, columns: int) -> float:
    """How often a network of a search sees every row."""
    return float(np.clip(ROW_VISITS / rows * min(1.0, USUAL_COLUMNS / columns), 10, 100))


def with_seed(student: Any, seed: int) -> Any:
    """The student, with a seed of its random draws if it has one."""
    names = [name for name in student.get_params() if name == "random_state" or name.endswith("__random_state")]
    return student.set_params(**dict.fromkeys(names, seed))


def families_of(given: Any, task: Task) -> tuple[Family, ...]:
    """Families from what the user wrote.

    Args:
        given: a name, a dict from a name of the user's to an estimator or a torch network (or a function that builds one), with or
            without its space, or a list of both.
        task: of the teacher.

    Raises:
        BadInput: no students, two of one name, no such student, or a space that its student does not have.
            MissingExtra: Optuna is not installed.

    Example:
        >>> from sklearn.naive_bayes import GaussianNB
        >>> found = families_of(["tree", {"bayes": (GaussianNB(), {"var_smoothing": [1e-9, 1e-6, 1e-3]})}], "binary")
        >>> [family.name for family in found]
        ['tree', 'bayes']
    """
    entries = [given] if isinstance(given, str | Mapping) else list(given) if isinstance(given, Iterable) else [given]
    found: dict[str, Family] = {}
    for entry in entries:
        if not isinstance(entry, str | Mapping):
            raise BadInput(f"students holds {shown(entry)}; expected {EXPECTED}.")
        each = [family_named(entry, task)] if isinstance(entry, str) else [_own(name, one, task) for name, one in entry.items()]
        twice = next((family.name for family in each if family.name in found and isinstance(entry, Mapping)), None)
        if twice is not None:
            raise BadInput(f"students holds two of the name {twice!r}; give each a name of its own.")
        found |= {family.name: family for family in each}
    if not found:
        raise BadInput("students is empty; name at least one, such as 'tree'.")
    return tuple(found.values())


def _own(name: Any, given: Any, task: Task) -> Family:
    """A family of the user's own estimator or torch network."""
    if not isinstance(name, str) or not name:
        raise BadInput(f"students names a student {shown(name)}; expected a text.")
    estimator, space = given if isinstance(given, tuple) and len(given) == 2 else (given, {})
    paced = is_module(estimator)
    untuned = {"learning_rate": 3e-3} if paced and not space else {}
    if paced:
        estimator = TorchRegressor(estimator) if task == "regression" else TorchClassifier(estimator)
    elif isinstance(estimator, type) or not (hasattr(estimator, "fit") and hasattr(estimator, "get_params")):
        raise BadInput(
            f"the student {name!r} is {shown(estimator)}; expected a scikit-learn estimator, unfitted, or a torch network, or a function "
            "that builds one, and its space."
        )
    if isinstance(estimator, TorchEstimator):
        space = space or _space_of_networks()
    if isinstance(estimator, TorchClassifier) and task == "multilabel":
        estimator = clone(estimator).set_params(multilabel=True)  # one network learns all labels
    columns: Columns = "raw" if isinstance(estimator, Pipeline) else "scaled"
    searched = space_of(space, list(estimator.get_params()), of=name)
    return Family(name, estimator, searched, columns, {**_first_values(name, estimator, searched), **untuned}, paced)


def _first_values(name: str, estimator: Any, space: Space) -> dict[str, Any]:
    """Values for the first trial of the arguments of a function that have no default.

    Raises:
        BadInput: such an argument that is not searched.
    """
    needed = [argument for argument, value in estimator.get_params().items() if value is NOT_GIVEN]
    lacking = next((argument for argument in needed if argument not in space.distributions), None)
    if lacking is not None:
        raise BadInput(
            f"the student {name!r} is built with {lacking!r}, which has no default; give it one, fix it by functools.partial, or search "
            f"it: (function, {{{lacking!r}: [8, 16]}})."
        )
    found = {argument: space.distributions[argument] for argument in needed}
    return {argument: one.choices[0] if hasattr(one, "choices") else one.low for argument, one in found.items()}


def _space_of_networks() -> dict[str, Any]:
    real = require("optuna.distributions").FloatDistribution
    return {"learning_rate": real(3e-4, 3e-2, log=True), "weight_decay": real(1e-5, 1e-1, log=True)}


_ENOUGH: Mapping[str, Mapping[str, Any]] = {"logistic": {"tol": 1e-3, "max_iter": 100}}
"""Settings of a search: coefficients to a thousandth of their noise, and where rows can be told apart without any, no more steps than that
(a weak penalty on 784 pixels took 1 000 steps and 80 s to be worse than after 200; 100 are scikit-learn's default)."""


def family_named(name: str, task: Task) -> Family:
    """A family of the students that `student_named` makes, with its usual space.

    Raises:
        BadInput: no such student for this task. MissingExtra: Optuna is not installed.
    """
    student = student_named(name, task)
    prefix = "estimator__" if task == "multilabel" else ""
    untuned, space = _spaces(task)[name]
    student.set_params(**{f"{prefix}{setting}": value for setting, value in _ENOUGH.get(name, {}).items()})
    return Family(
        name,
        student,
        space_of({f"{prefix}{setting}": one for setting, one in space.items()}, list(student.get_params()), of=name),
        "scaled" if name in NEED_SCALING else "coded",
        {f"{prefix}{setting}": value for setting, value in untuned.items()},
        paced=name == "mlp",
    )


def _spaces(task: Task) -> dict[str, tuple[dict[str, Any], dict[str, Any]]]:
    """For each name, the settings of the first trial and the space."""
    optuna = require("optuna.distributions")
    whole, real = optuna.IntDistribution, optuna.FloatDistribution
    leaves, rows = whole(4, 512, log=True), whole(1, 64, log=True)
    common = {
        "tree": ({"max_leaf_nodes": 64, "min_samples_leaf": 4}, {"max_leaf_nodes": leaves, "min_samples_leaf": rows}),
        "forest": (
            {"n_estimators": 20, "max_leaf_nodes": 64, "min_samples_leaf": 4},
            {"n_estimators": whole(4, 40, log=True), "max_leaf_nodes": leaves, "min_samples_leaf": rows},
        ),
    }
    mlp = (
        {"hidden_layer_sizes": "(32,)", "learning_rate": 0.003},
        {
            "hidden_layer_sizes": [(8,), (16,), (32,), (64,), (32, 32)],
            "learning_rate": real(3e-4, 3e-2, log=True),
            "l2": real(1e-7, 1e-2, log=True),
        },
    )
    if task == "regression":
        boosting = {"n_estimators": whole(20, 200, log=True), "learning_rate": real(0.02, 0.5, log=True), "max_leaf_nodes": whole(4, 32)}
        return {
            **common,
            "linear": ({"alpha": 1.0}, {"alpha": real(1e-4, 1e4, log=True)}),
            "boosting": ({"n_estimators": 100, "learning_rate": 0.1, "max_leaf_nodes": 8}, boosting),
            "mlp": mlp,
        }
    boosting = {"n_estimators": whole(10, 150, log=True), "learning_rate": real(0.02, 0.5, log=True), "num_leaves": whole(3, 31, log=True)}
    return {
        **common,
        "logistic": ({"C": 1.0}, {"C": real(1e-3, 1e3, log=True)}),
        "boosting": ({"n_estimators": 50, "learning_rate": 0.1, "num_leaves": 15}, boosting),
        "mlp": mlp,
    }
