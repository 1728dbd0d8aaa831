"""The parts of the run `frosst2017`; its quick run is one of `test_runs.py`."""

from dataclasses import replace

import numpy as np
import pytest

from tutelage.core.arrays import one_hot
from tutelage.data.datasets import Images
from tutelage.experiments.cache import Store
from tutelage.experiments.papers.measures import errors_of
from tutelage.experiments.papers.pictures import Pictures
from tutelage.experiments.papers.trees.soft_tree import QUICK, _Seed, accuracy_of


@pytest.fixture
def pictures():
    """60 training pictures of noise."""
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (80, 784), dtype=np.uint8), rng.integers(0, 10, 80)
    return Pictures(Images("noise", images[:60], labels[:60], images[60:], labels[60:], tuple("0123456789"), ""), 60, 20)


def test_accuracy_is_scored_by_rows_so_that_its_interval_covers_them_too():
    rng = np.random.default_rng(0)
    errors = errors_of("tree", "on labels", (rng.random((3, 2000)) < 0.05).astype(np.int64), np.zeros(2000, dtype=np.int64))
    found, counted = accuracy_of(errors, published=94.45).measure(), errors.measure()
    assert found.values == pytest.approx([100 - value / 20 for value in counted.values])
    assert found.interval.over == "seeds and test rows"
    assert (found.interval.low, found.interval.high) == pytest.approx((100 - counted.interval.high / 20, 100 - counted.interval.low / 20))


def test_a_trees_predictions_are_found_again_for_the_same_tree_and_test_pictures_only(pictures, tmp_path):
    seed = _Seed(pictures, replace(QUICK, depth=2, epochs=2), Store(tmp_path))
    targets = one_hot(pictures.labels[: seed.rows], 10)
    found = seed._tree(0, "tree on labels", targets, {}, 0.1)
    predicted = found["predicted"]
    assert len(found["held out"]) == 10
    assert np.array_equal(seed._tree(0, "tree on labels", targets, {}, 0.1)["predicted"], predicted)
    assert len(list(tmp_path.iterdir())) == 1
    images = pictures.images
    turned = replace(seed, pictures=replace(pictures, images=replace(images, test_images=images.test_images[::-1])))
    assert np.array_equal(turned._tree(0, "tree on labels", targets, {}, 0.1)["predicted"], predicted[::-1])
    replace(seed, size=replace(seed.size, depth=3))._tree(0, "tree on labels", targets, {}, 0.1)
    seed._tree(0, "tree on labels", targets, {}, 0.2)
    seed._tree(1, "tree on labels", targets, {}, 0.1)
    assert len(list(tmp_path.iterdir())) == 5


def test_held_out_pictures_choose_the_learning_rate_and_teach_nothing(pictures, tmp_path):
    seed = _Seed(pictures, replace(QUICK, depth=2, epochs=6, learning_rates=(1e-6, 0.1)), Store(tmp_path))
    predicted, rates = seed(0)
    assert predicted.shape == (4, 20)
    truth, held = pictures.labels[seed.rows :], one_hot(pictures.labels[: seed.rows], 10)
    trees = {rate: seed._tree(0, "tree on labels", held, {}, rate)["held out"] for rate in seed.size.learning_rates}
    assert rates[0] == min(trees, key=lambda rate: int((trees[rate] != truth).sum()))
    images, fixed = pictures.images, replace(seed, size=replace(seed.size, learning_rates=(0.1,)))
    other = images.train_labels.copy()
    other[seed.rows :] = (other[seed.rows :] + 1) % 10
    changed = replace(fixed, pictures=replace(pictures, images=replace(images, train_labels=other)), store=Store(tmp_path / "other"))
    assert np.array_equal(changed(0)[0], fixed(0)[0])
