import numpy as np
import pytest

from tutelage.core.running.stages import Stages
from tutelage.experiments.demo.draws import by_arm, described, draw, for_each, predictions


def numbered(rows, random_state):
    """Rows that show which draw they are from."""
    values = np.random.default_rng(random_state).integers(0, 10**6, rows).astype(float)
    return values[:, None], -values


@pytest.fixture
def drawn():
    return draw(numbered, 5, rows=4, pool=3, test=2)


def test_the_three_samples_are_independent_and_settled_by_the_seed(drawn):
    again, other = (draw(numbered, seed, rows=4, pool=3, test=2) for seed in (5, 6))
    np.testing.assert_array_equal(drawn.every, again.every)
    assert drawn.fingerprint == again.fingerprint != other.fingerprint
    assert len(np.unique(np.concatenate([drawn.every, other.every]))) == 18
    np.testing.assert_array_equal(drawn.truth, -drawn.train[:, 0])
    np.testing.assert_array_equal(drawn.test_truth, -drawn.test[:, 0])


def test_more_pool_rows_leave_training_and_test_rows_as_they_are(drawn):
    larger = draw(numbered, 5, rows=4, pool=300, test=2)
    np.testing.assert_array_equal(larger.train, drawn.train)
    np.testing.assert_array_equal(larger.test, drawn.test)


def test_split_undoes_the_order_in_which_the_teacher_is_asked(drawn):
    train, pool, test = drawn.split(drawn.every)
    np.testing.assert_array_equal(train, drawn.train)
    np.testing.assert_array_equal(pool, drawn.pool)
    np.testing.assert_array_equal(test, drawn.test)
    np.testing.assert_array_equal(drawn.taught, drawn.every[:7])


def test_for_each_is_a_map_with_a_step_a_result():
    steps = []

    class Counted(Stages):
        def display(self, name, steps_of_stage):
            import contextlib

            return contextlib.nullcontext(lambda: steps.append((name, steps_of_stage)))

    assert for_each(lambda a, b: a + b, [1, 2], [10, 20], stages=Counted(), name="sums") == [11, 22]
    assert steps == [("sums", 2), ("sums", 2)]


def test_each_model_is_asked_about_its_own_seeds_rows(drawn):
    class Echo:
        def __init__(self, sign):
            self.sign = sign

        def predict(self, rows):
            return self.sign * rows[:, 0]

    other = draw(numbered, 6, rows=4, pool=3, test=2)
    models = by_arm([{"a": Echo(1), "b": Echo(2)}, {"a": Echo(-1), "b": Echo(-2)}])
    found = predictions(models, [drawn, other])
    np.testing.assert_array_equal(found["a"], [drawn.test[:, 0], -other.test[:, 0]])
    np.testing.assert_array_equal(found["b"], 2 * found["a"])


def test_the_record_tells_how_many_rows_there_are(drawn):
    told = described("numbers", [drawn])
    assert [told[key] for key in ("name", "training rows", "unlabelled rows", "test rows")] == ["numbers", 4, 3, 2]
    assert told["fingerprint of the first seed"] == drawn.fingerprint
