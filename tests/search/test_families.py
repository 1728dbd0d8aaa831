from functools import partial

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier
from torch import nn

from tutelage.core.answer_kinds import Task
from tutelage.core.errors import BadInput
from tutelage.search.families import families_of, family_named, numbers_in_a_row
from tutelage.students.by_name import CLASSIFIERS, REGRESSORS
from tutelage.students.networks.mlp import SoftMLP
from tutelage.students.networks.torch_network import TorchClassifier, TorchRegressor

NAMES: dict[Task, list[str]] = {"binary": list(CLASSIFIERS), "multilabel": list(CLASSIFIERS), "regression": list(REGRESSORS)}


@pytest.mark.parametrize(("task", "name"), [(task, name) for task, names in NAMES.items() for name in names])
def test_every_named_student_takes_its_untuned_settings_and_draws_of_its_space(task, name):
    family = family_named(name, task)
    for settings in (family.untuned, {key: next(iter(_ends(one))) for key, one in family.space.distributions.items()}):
        student = family.student(settings, seed=7, rows=300)
        decoded = family.space.decoded(settings)
        assert {key: student.get_params()[key] for key in decoded} == decoded


def _ends(distribution):
    return distribution.choices if hasattr(distribution, "choices") else (distribution.low, distribution.high)


def test_a_network_sees_about_as_many_rows_whatever_their_number():
    for task, inner in (("binary", ""), ("multilabel", "estimator__"), ("regression", "")):
        epochs = [family_named("mlp", task).student({}, seed=0, rows=rows).get_params()[f"{inner}epochs"] for rows in (100, 30_000, 10**6)]
        assert epochs == [100, 50, 10]


def test_a_network_sees_fewer_rows_of_many_columns():
    epochs = [family_named("mlp", "binary").student({}, seed=0, rows=6000, columns=columns).epochs for columns in (20, 100, 784, 10**5)]
    assert epochs == [100, 100, 31, 10]
    assert [numbers_in_a_row(rows) for rows in (np.zeros((5, 3, 28, 28)), np.zeros((5, 4)), ["a", "b"])] == [2352, 4, 1]


def test_students_of_the_users_come_with_their_space():
    own = {
        "knn": (KNeighborsClassifier(), {"n_neighbors": range(1, 50)}),
        "plain": LogisticRegression(),
        "piped": (make_pipeline(StandardScaler(), DecisionTreeClassifier()), {"decisiontreeclassifier__max_depth": [2, 3]}),
    }
    tree, knn, plain, piped = families_of(["tree", own], "binary")
    assert (tree.columns, knn.columns, plain.columns, piped.columns) == ("coded", "scaled", "scaled", "raw")
    assert knn.student({"n_neighbors": 7}, seed=0, rows=9).n_neighbors == 7
    assert piped.student({}, seed=5, rows=9)[-1].random_state == 5
    assert not plain.space.distributions


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ([], "students is empty"),
        (3, r"students holds 3; expected a name"),
        ({3: LogisticRegression()}, r"students names a student 3; expected a text"),
        ({"mine": LogisticRegression}, r"the student 'mine' is .*; expected a scikit-learn estimator, unfitted"),
        ({"mine": (LogisticRegression(), {"c": [1]})}, r"has no setting 'c'"),
        ({"mine": (lambda inputs, width: None, {"depth": [1]})}, r"has no setting 'depth' to search"),
        (["tree", {"tree": DecisionTreeClassifier()}], "students holds two of the name 'tree'"),
        (["tree", np.eye(2)], "students holds"),
    ],
)
def test_what_is_no_student_is_refused(given, match):
    with pytest.raises(BadInput, match=match):
        families_of(given, "binary")


def net(inputs, outputs, width=8):
    return nn.Sequential(nn.Linear(inputs, width), nn.ReLU(), nn.Linear(width, outputs))


class Linear(nn.Linear):
    def __init__(self, inputs, outputs):
        super().__init__(inputs, outputs)


def test_torch_networks_are_students_with_a_space_of_their_own_or_the_usual_one():
    given = {
        "function": net,
        "class": (Linear, {"learning_rate": [0.1, 0.2]}),
        "network": nn.Linear(2, 2),
        "searched": (net, {"width": [2, 4], "epochs": [3]}),
        "estimator": TorchClassifier(net, epochs=7),
    }
    families = {family.name: family for family in families_of(given, "binary")}
    usual = {"learning_rate", "weight_decay"}
    spaces = {name: set(family.space.distributions) for name, family in families.items()}
    assert spaces == {"function": usual, "class": {"learning_rate"}, "network": usual, "searched": {"width", "epochs"}, "estimator": usual}
    assert {family.columns for family in families.values()} == {"scaled"}
    assert [families[name].untuned for name in ("function", "searched", "estimator")] == [{"learning_rate": 3e-3}, {}, {}]
    student = families["searched"].student({"width": 4}, seed=3, rows=10**6)
    assert (student.get_params()["width"], student.epochs, student.batch_size, student.random_state) == (4, 10, 256, 3)
    assert families["searched"].student({"epochs": 3}, seed=3, rows=10**6).epochs == 3
    assert families["searched"].module({"width": 4, "temperature": 2.0}).keywords == {"width": 4}
    assert families["network"].module({}) is not None
    assert family_named("tree", "binary").module({}) is None


def test_one_network_learns_all_labels_and_another_values():
    assert families_of({"net": net}, "multilabel")[0].estimator.multilabel
    own = TorchClassifier(net)
    assert families_of({"net": own}, "multilabel")[0].estimator.multilabel
    assert not own.multilabel
    assert isinstance(families_of({"net": net}, "regression")[0].estimator, TorchRegressor)


def test_a_network_of_the_users_keeps_its_own_epochs():
    families = families_of({"torch": TorchClassifier(net, epochs=7, batch_size=5), "numpy": SoftMLP(epochs=7, batch_size=5)}, "binary")
    students = [family.student({}, seed=0, rows=100) for family in families]
    assert [(one.epochs, one.batch_size) for one in students] == [(7, 5), (7, 5)]


def sized(inputs, outputs, width, depth=1):
    return nn.Sequential(nn.Linear(inputs, width), nn.ReLU(), nn.Linear(width, outputs))


def test_an_argument_without_a_default_is_searched_from_its_first_value_or_refused():
    (family,) = families_of({"net": (sized, {"width": [8, 16]})}, "binary")
    assert family.untuned["width"] == 8
    (family,) = families_of({"net": (sized, {"width": range(4, 9)})}, "binary")
    assert family.untuned["width"] == 4
    with pytest.raises(BadInput, match="the student 'net' is built with 'width', which has no default"):
        families_of({"net": (sized, {"depth": [1, 2]})}, "binary")
    families_of({"net": (partial(sized, width=3), {"depth": [1, 2]})}, "binary")
