from types import SimpleNamespace

import pytest

from tutelage.search.limits import Limits
from tutelage.workflow.distillation.evidence.choice import best_of, choose
from tutelage.workflow.distillation.searching.judge import Judge

JUDGE = Judge("accuracy", "truth", Limits(), ".onnx")


def arm(name, *accuracies, size=10_000, **excess):
    validation = tuple({"accuracy": value} for value in accuracies)
    meets = all(value <= 0 for value in excess.values())
    return SimpleNamespace(arm=SimpleNamespace(name=name), validation=validation, size_bytes=size, excess=excess, meets_limits=meets)


def test_the_best_on_validation_rows_is_chosen_also_if_it_is_that_of_the_ground_truth():
    chosen, reason = choose([arm("answers", 0.80, 0.82), arm("labels", 0.90, 0.92)], JUDGE)
    assert chosen.arm.name == "labels"
    assert reason == "it has the best accuracy on the validation rows, 91.00 %"


def test_a_weighted_figure_is_called_so():
    every = [arm("answers", 0.90, 0.92, 0.91), arm("labels", 0.91, 0.91, 0.90, size=2000)]
    assert "apart: weighted accuracy 90.67 % against" in choose(every, JUDGE, weighted=True)[1]
    assert choose(every[:1], JUDGE, weighted=True)[1].startswith("it has the best weighted accuracy on the validation rows, ")


def test_a_smaller_one_that_validation_cannot_tell_from_it_is_chosen_and_the_reason_says_so():
    chosen, reason = choose([arm("answers", 0.90, 0.92, 0.91), arm("labels", 0.91, 0.91, 0.90, size=2000)], JUDGE)
    assert chosen.arm.name == "labels"
    assert "smaller than 'answers' (2.0 kB against 10.0 kB)" in reason
    assert "90.67 % against 91.00 %" in reason


def test_those_beyond_the_limits_are_not_chosen_while_another_meets_them():
    chosen, reason = choose([arm("answers", 0.95, 0.95, size_=0.5), arm("labels", 0.7, 0.7, size_=-0.1)], JUDGE)
    assert chosen.arm.name == "labels"
    assert "of those within the limits" in reason


def test_latency_that_is_left_free_comes_before_accuracy():
    every = [arm("answers", 0.95, 0.95, latency=-0.1), arm("labels", 0.7, 0.7, latency=-0.4)]
    chosen, reason = choose(every, JUDGE)
    assert chosen.arm.name == "labels"
    assert "of those within the limits that leave 25 % of the latency free" in reason


def test_the_reason_says_so_if_no_latency_is_left_free():
    chosen, reason = choose([arm("answers", 0.95, 0.95, latency=-0.1), arm("labels", 0.7, 0.7, latency=-0.2)], JUDGE)
    assert chosen.arm.name == "answers"
    assert "none of which leaves 25 % of the latency free for slower moments" in reason


def test_if_none_meets_the_limits_the_nearest_is_chosen():
    every = [arm("answers", 0.95, 0.95, latency=0.5), arm("labels", 0.7, 0.7, latency=0.2)]
    chosen, reason = choose(every, JUDGE)
    assert chosen is best_of(every, JUDGE)
    assert reason == "no student meets the limits, and it is the nearest to them"


@pytest.mark.parametrize("metric", ["mse", "brier"])
def test_lower_losses_are_better(metric):
    every = [SimpleNamespace(**{**vars(arm(name, 0)), "validation": ({metric: value},) * 2}) for name, value in (("a", 0.3), ("b", 0.2))]
    assert choose(every, Judge(metric, "truth", Limits(), ".onnx"))[0].arm.name == "b"
