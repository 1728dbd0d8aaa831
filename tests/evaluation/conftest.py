"""A small teacher and two students of it, evaluated once for the tests that look at them."""

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.tree import DecisionTreeClassifier

from tutelage.evaluation.evaluate import evaluate
from tutelage.teachers.adapt import as_teacher


@pytest.fixture(scope="session")
def flowers():
    """Rows and labels (texts) of iris, and a mask of those that models are fitted on."""
    rows, codes = load_iris(return_X_y=True)
    labels = np.array(["setosa", "versicolor", "virginica"])[codes]
    return rows[:, 1:3], labels, np.arange(150) % 2 == 0


@pytest.fixture(scope="session")
def forest(flowers):
    rows, labels, train = flowers
    return as_teacher(RandomForestClassifier(20, random_state=0).fit(rows[train], labels[train]))


@pytest.fixture(scope="session")
def small_tree(flowers, forest):
    rows, _, train = flowers
    taught = np.array(forest.form.classes)[forest.answer(rows[train]).argmax(axis=1)]
    return DecisionTreeClassifier(max_leaf_nodes=4, random_state=0).fit(rows[train], taught)


@pytest.fixture(scope="session")
def stump(flowers):
    rows, labels, train = flowers
    return DecisionTreeClassifier(max_leaf_nodes=2, random_state=0).fit(rows[train], labels[train])


@pytest.fixture(scope="session")
def evaluation(flowers, forest, small_tree):
    rows, labels, train = flowers
    return evaluate(small_tree, forest, rows[~train], labels[~train], budget_seconds=0.01)


@pytest.fixture(scope="session")
def stump_evaluation(flowers, forest, stump):
    rows, labels, train = flowers
    return evaluate(stump, forest, rows[~train], labels[~train], budget_seconds=None, name="stump")
