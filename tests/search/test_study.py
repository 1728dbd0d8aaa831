import logging

import optuna
import pytest

from tutelage.search.study import Trial, front, propose, ranked

SPACE = {"x": optuna.distributions.FloatDistribution(-2, 2), "kind": optuna.distributions.CategoricalDistribution(["a", "b"])}


def searched(trials, *, seed=0, before=()):
    found = list(before)
    while len(found) < trials:
        settings = propose(SPACE, found, {"x": 1.5}, seed=seed)
        loss = (settings.get("x", 0) - 0.5) ** 2 + (settings.get("kind") == "b")
        found.append(Trial(len(found), "tree", settings, loss, excess={"size": abs(settings.get("x", 0)) - 1}))
    return found


def test_the_first_trial_is_untuned_and_a_search_finds_better_ones():
    found = searched(25)
    assert found[0].settings == {"x": 1.5}
    assert ranked(found)[0].loss < 0.05
    assert ranked(found)[0].meets_limits


def test_a_stopped_search_goes_on_as_it_would_have():
    whole = searched(12)
    assert searched(12, before=whole[:5]) == whole
    assert searched(12, seed=1) != whole


def test_failed_trials_and_figures_that_were_not_measured_are_no_obstacle():
    before = [Trial(0, "tree", {}, None, error="diverged"), Trial(1, "tree", {"x": 1.0, "kind": "a"}, 0.2, excess={"size": 0.1})]
    before += [Trial(2, "tree", {"x": 0.0, "kind": "a"}, 0.3, excess={"size": -0.1, "latency": 0.5}), Trial(3, "tree", {}, float("nan"))]
    assert set(propose(SPACE, before * 2, {}, seed=0)) == {"x", "kind"}


@pytest.mark.parametrize("level", [logging.INFO, logging.CRITICAL])
def test_optunas_verbosity_is_as_it_was(level):
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(level)
    try:
        searched(2)
        assert optuna.logging.get_verbosity() == level
    finally:
        optuna.logging.set_verbosity(before)


def test_the_front_holds_what_no_other_beats():
    trials = [
        Trial(number, "tree", {}, loss, size_bytes=size) for number, (loss, size) in enumerate([(1, 9), (2, 5), (2, 6), (3, 5), (1, 9)])
    ]
    assert [trial.number for trial in front([*trials, Trial(5, "tree", {}, None)])] == [1, 0]


def test_trials_within_the_limits_come_first():
    trials = [
        Trial(0, "tree", {}, 0.1, excess={"size": 0.5}),
        Trial(1, "tree", {}, 0.3, excess={"size": -0.5}),
        Trial(2, "tree", {}, 0.2, excess={"size": 0.1}),
        Trial(3, "tree", {}, None),
    ]
    assert [trial.number for trial in ranked(trials)] == [1, 2, 0]


def test_of_those_within_the_limits_the_ones_with_latency_to_spare_come_first():
    trials = [Trial(0, "tree", {}, 0.1, excess={"latency": -0.1}), Trial(1, "tree", {}, 0.2, excess={"latency": -0.3})]
    trials.append(Trial(2, "tree", {}, 0.05, excess={"latency": 0.01}))
    assert [trial.number for trial in ranked(trials)] == [1, 0, 2]
