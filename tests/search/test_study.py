import logging

import optuna
import pytest

from tutelage.search.study import STARTUP, Trial, front, propose, ranked, round_of

SPACE = {"x": optuna.distributions.FloatDistribution(-2, 2), "kind": optuna.distributions.CategoricalDistribution(["a", "b"])}


def searched(trials, *, seed=0, before=()):
    found = list(before)
    while len(found) < trials:
        found.append(tried(found, len(found), seed=seed))
    return found


def tried(known, number, *, seed=0):
    """A trial, of which those of the rounds before it are known."""
    settings = propose(SPACE, known[: min(round_of(number))], {"x": 1.5}, number=number, seed=seed)
    loss = (settings.get("x", 0) - 0.5) ** 2 + (settings.get("kind") == "b")
    return Trial(number, "tree", settings, loss, excess={"size": abs(settings.get("x", 0)) - 1})


def test_the_trials_of_a_round_do_not_depend_on_each_other():
    whole, number = searched(20), 0
    while number < 20:
        numbers = round_of(number)
        assert [tried(whole[:number], one) for one in reversed(numbers) if one < 20] == whole[number : numbers.stop][::-1]
        number = numbers.stop
    assert [round_of(number) for number in (4, 9)] == [range(5), range(9, 10)]


def test_the_first_round_is_what_one_trial_after_the_other_would_be():
    for number in range(STARTUP):
        others = [Trial(one, "tree", {"x": 0.1 * one, "kind": "a"}, 1.0) for one in range(number)]
        alone, together = (propose(SPACE, known, {"x": 1.5}, number=number, seed=3) for known in (others, []))
        assert alone == together


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
    assert set(propose(SPACE, before * 2, {}, number=8, seed=0)) == {"x", "kind"}


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


def test_latencies_count_between_trials_that_were_timed():
    def trial(number, loss, latency):
        return Trial(number, "tree", {}, loss, size_bytes=9, latency_us=latency)

    best, fast, slow, untimed = trial(0, 1, 9.0), trial(1, 2, 3.0), trial(2, 2, 5.0), trial(3, 2, None)
    assert front([best, fast, slow]) == [best, fast]
    assert front([best, fast, slow, untimed]) == [best, fast]  # one without a latency does not take that of the others away


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
