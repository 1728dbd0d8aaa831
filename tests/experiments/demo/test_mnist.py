"""The mnist run: its arms, its questions, and what chose them."""

import itertools

import pytest

from tutelage.experiments.demo import mnist as recipe
from tutelage.experiments.demo.mnist_students import SMOOTHINGS, TEMPERATURES, StudentTraining
from tutelage.experiments.few_labels import SETTINGS


@pytest.mark.exhaustive
@pytest.mark.slow
def test_validation_and_not_test_chooses_the_candidate(mnist):
    for name in ("student-hard", "student-soft", "student-argmax"):
        chosen = mnist.arm(name)["chosen"]
        values = TEMPERATURES if name == "student-soft" else SMOOTHINGS
        assert next(iter(chosen.values())) in values
    chosen = mnist.arm("student-hard-300-labels")["chosen"]
    assert set(chosen["weight decay"]) <= {setting.weight_decay for setting in SETTINGS}
    does = (StudentTraining.learnt, StudentTraining._trained, StudentTraining.candidates, recipe._teacher, recipe._few_label_students)
    assert not {name for one in does for name in one.__code__.co_names if name.startswith("test")}


@pytest.mark.exhaustive
@pytest.mark.slow
def test_nothing_is_chosen_for_the_students_without_labels(mnist):
    for name in recipe.WITHOUT_LABELS:
        assert mnist.arm(name)["chosen"] == {}
    assert recipe.UNTUNED["student-soft-no-labels"].temperature == 1
    assert recipe.UNTUNED["student-argmax-no-labels"].smoothing == 0


@pytest.mark.exhaustive
@pytest.mark.slow
def test_each_number_of_labels_is_compared_with_both_students_without_labels(mnist):
    table = mnist.results["by_labels"]
    assert [row["labels"] for row in table["rows"]] == [6000, *recipe.QUICK_COUNTS]  # 4 000 train the first, 2 000 choose its setting
    compared = {(comparison["a"], comparison["b"]) for comparison in mnist.results["comparisons"]}
    assert set(itertools.product(table["taught"], [row["alone"] for row in table["rows"]])) <= compared
    assert (mnist.results["comparisons"][0]["a"], mnist.results["comparisons"][0]["b"]) == (table["taught"][0], table["rows"][1]["alone"])


@pytest.mark.exhaustive
@pytest.mark.slow
def test_a_quick_run_learns(mnist):
    assert mnist.arm("teacher")["test_accuracy"][0] > 0.88
    assert min(mnist.arm("student-soft")["test_accuracy"]) > 0.84
    assert min(mnist.arm("student-hard-300-labels")["test_accuracy"]) > 0.6
    assert mnist.arm("teacher")["published"] == {"test_errors": 248, "test_accuracy": 0.9752}
    assert mnist.arm("student-argmax")["published"] is None
