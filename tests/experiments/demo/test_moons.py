"""The moons run: what its arms learn from, and that the known findings hold on a quick run."""

import numpy as np
import pytest

from tutelage.experiments.demo import moons as recipe
from tutelage.students.trees import SoftTree


def test_draws_are_apart_and_follow_the_seed():
    draw, again, other = recipe._draw(3, further=50), recipe._draw(3, further=50), recipe._draw(4, further=50)
    assert draw.train.shape == (2400, 2)
    assert draw.pool.shape == draw.test.shape == (50, 2)
    np.testing.assert_array_equal(draw.train, again.train)
    assert not np.isclose(draw.train[:50], other.train[:50]).all(axis=1).any()
    assert not np.isclose(draw.pool, draw.test).all(axis=1).any()


def test_the_test_rows_of_a_run_do_not_depend_on_the_pool_size_that_precedes_them():
    np.testing.assert_array_equal(recipe._draw(0, further=20_000).test[:10_000], recipe.RECIPE.check_rows(0, None))


def test_each_tree_learns_from_its_own_targets():
    draw = recipe._draw(0, further=100)
    # A teacher that has every label upside down shows which trees listen to it.
    taught = np.eye(2)[1 - draw.truth] * 0.8 + 0.1
    pooled = np.full((100, 2), 0.5)
    trees = recipe._grow(draw, [taught, pooled, pooled])
    agreement = {name: float((tree.predict(draw.train) == draw.truth).mean()) for name, tree in trees.items()}
    assert agreement["tree-hard"] == 1.0
    assert agreement["tree-soft"] == agreement["tree-argmax"] == agreement["tree-soft-transfer"] == 0.0
    assert 0.85 < agreement["tree-hard-tuned"] < 1.0
    np.testing.assert_allclose(trees["tree-soft"].predict_proba(draw.train), taught)
    assert set(np.unique(trees["tree-argmax"].predict_proba(draw.train))) == {0.0, 1.0}
    assert isinstance(trees["tree-hard-tuned"], SoftTree)


@pytest.mark.exhaustive
@pytest.mark.slow
def test_the_known_order_of_the_arms_holds(moons):
    accuracy = {arm["name"]: np.mean(arm["test_accuracy"]) for arm in moons.results["arms"]}
    assert 0.90 < accuracy["teacher"] < 0.92
    assert 0.85 < accuracy["tree-hard"] < 0.89
    assert accuracy["tree-hard"] < accuracy["tree-hard-tuned"] < accuracy["teacher"]
    assert accuracy["tree-hard"] + 0.02 < accuracy["tree-soft"]


@pytest.mark.exhaustive
@pytest.mark.slow
def test_published_figures_stand_beside_the_arms_that_have_one(moons):
    published = {arm["name"]: arm["published"] for arm in moons.results["arms"] if arm["published"]}
    assert published == {"teacher": {"test_accuracy": 0.9}, "tree-hard": {"test_accuracy": 0.865}, "tree-soft": {"test_accuracy": 0.9}}
