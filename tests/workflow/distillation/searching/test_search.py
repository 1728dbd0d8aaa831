from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from tutelage.core.answers import AnswerForm
from tutelage.core.errors import BadInput
from tutelage.core.records import Latency
from tutelage.exporters.bench import shipped
from tutelage.exporters.bench.shipped import ShippedFile
from tutelage.exporters.export import unproven_files
from tutelage.search.families import family_named
from tutelage.search.limits import Limits
from tutelage.workflow.distillation.given.part import Part
from tutelage.workflow.distillation.searching.arms import Arm
from tutelage.workflow.distillation.searching.judge import Judge, upper_end
from tutelage.workflow.distillation.searching.search import FamilySearch
from tutelage.workflow.distillation.searching.training import Prepared
from tutelage.workflow.distillation.searching.workplace import Here, Shared

RNG = np.random.default_rng(0)
FORM = AnswerForm("probabilities", "binary", (0, 1))
LABELS = Arm("labels", "the ground truth", "labels")


def part(count):
    rows = RNG.normal(size=(count, 3))
    truth = np.eye(2)[(rows[:, 0] > 0).astype(int)]
    return Part(rows, 0.8 * truth + 0.1, truth)


def prepared():
    return Prepared(FORM, part(200), part(100), None, None, False)


def judge(**limits):
    return Judge("accuracy", "truth", Limits(**limits), ".py")


def searched(of, trials=5, *, rows=None, found=()):
    """The trials of a search of one family, each judged in the order of their numbers."""
    rows, family = prepared() if rows is None else rows, family_named("tree", "binary")
    shared = Shared(SimpleNamespace(prepared=lambda purpose: rows), of, {"tree": family})
    search = FamilySearch(LABELS, family, shared, trials, 0, {one.number: one for one in found})
    while trainings := search.next_round():
        results = {}
        Here(shared).run(trainings, results.__setitem__)
        for place in range(len(trainings)):
            trial, file = results[place]
            search.found[trial.number] = search.timed(trial, file)
    return tuple(search.found[number] for number in range(trials))


@pytest.fixture
def timed(monkeypatch):
    calls = []

    def latency(file, **options):
        calls.append(file)
        return Latency(10.0, 12.0, (9.0, 11.0), 99, 1)

    monkeypatch.setattr(ShippedFile, "latency", latency)
    return calls


def test_a_latency_is_measured_only_of_trials_that_could_win(timed):
    found = searched(judge(latency="20us"))
    measured = [trial for trial in found if trial.latency_us is not None]
    assert len(timed) == len(measured) < len(found)
    assert all(trial.excess == {"latency": pytest.approx(11 / 20 - 1)} for trial in measured)
    for trial in found:
        beaten = [one for one in measured if one.number < trial.number and one.loss <= trial.loss and one.size_bytes <= trial.size_bytes]
        assert bool(beaten) == (trial.latency_us is None)


def test_the_file_of_a_trial_is_written_once_for_its_size_and_its_latency(timed, monkeypatch):
    written = []
    monkeypatch.setattr(shipped, "unproven_files", lambda *given, **options: written.append(1) or unproven_files(*given, **options))
    found = searched(judge(latency="20us", size=10_000))
    assert len(written) == len(found)
    assert {file.size_bytes for file in timed} <= {trial.size_bytes for trial in found}


def test_no_latency_is_measured_without_a_limit_or_beyond_another(timed):
    assert all(trial.latency_us is None for trial in searched(judge(), trials=2))
    assert all(trial.excess["size"] > 0 for trial in searched(judge(latency="20us", size=10), trials=2))
    assert not timed


def test_a_student_that_cannot_be_trained_is_a_trial_with_its_reason(monkeypatch):
    monkeypatch.setattr(Prepared, "fit", lambda *given, **options: (_ for _ in ()).throw(BadInput("it diverged.")))
    (found,) = searched(judge(), trials=1)
    assert (found.loss, found.error, found.meets_limits) == (None, "it diverged.", False)


def test_a_stopped_search_goes_on_as_it_would_have():
    rows = prepared()
    whole = searched(judge(size=5000), 7, rows=rows)
    for stored in (whole[:3], [whole[4], whole[0]], whole[:6]):
        again = searched(judge(size=5000), 7, rows=rows, found=stored)
        assert [(one.settings, one.loss, one.size_bytes) for one in again] == [(one.settings, one.loss, one.size_bytes) for one in whole]
        assert all(any(one is other for other in again) for one in stored)


def test_the_upper_end_of_an_interval_counts():
    assert upper_end(Latency(10.0, 12.0, (9.0, 11.0), 99, 1)) == 11.0
    assert upper_end(Latency(10.0, 12.0, None, 9, 1)) == 10.0
    assert upper_end(None) is None


@pytest.mark.parametrize("name", ["tree", "logistic", "mlp"])
def test_weights_decide_what_is_learnt_and_how_it_is_measured(name):
    truth = np.eye(2)[np.arange(200) // 2 % 2]
    clash = Part(np.arange(200.0)[:, None] % 2, np.full((200, 2), 0.5), truth, np.where(truth[:, 1] > 0, 3.0, 1.0))
    rows, family = Prepared(FORM, clash, clash, None, None, False), family_named(name, "binary")
    answers = rows.validated(rows.fit(LABELS, family, family.untuned, seed=0), family, family.untuned)
    np.testing.assert_allclose(answers[:, 1], 0.75, atol=0.05)
    assert judge().figures(answers, clash, rows)["accuracy"] == pytest.approx(0.75)


def test_rows_and_more_rows_have_weights_both_or_neither():
    weighted = replace(part(20), weights=np.ones(20))
    for train, more in ((weighted, part(20)), (part(20), weighted)):
        with pytest.raises(ValueError, match="come with weights, or both come without"):
            Prepared(FORM, train, part(20), more, None, False)
    Prepared(FORM, weighted, part(20), weighted, None, False)
