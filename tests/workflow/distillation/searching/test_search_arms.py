"""The search of all arms: which begins first, that its order is not seen in the results, and what is measured when nothing runs."""

from types import SimpleNamespace

import pytest

from tutelage.core.errors import BadInput
from tutelage.search.families import families_of
from tutelage.search.study import Trial
from tutelage.workflow.distillation.searching import search
from tutelage.workflow.distillation.searching.arms import Arm
from tutelage.workflow.distillation.searching.search_arms import ArmSearch

FEW, MANY = Arm("few", "", "answers"), Arm("many", "", "answers", more_rows=True)
NO_ROWS = SimpleNamespace(form=SimpleNamespace(task="binary"), train=SimpleNamespace(truth=None), space=lambda _: {}, untuned=lambda _: {})


class Backwards:
    """Runs what is begun last first, and notes what was begun and what is measured meanwhile."""

    def __init__(self, latency):
        judge = SimpleNamespace(limits=SimpleNamespace(latency=latency))
        self.shared = SimpleNamespace(judge=judge, rows=SimpleNamespace(prepared=lambda purpose: NO_ROWS))
        self.begun, self.running = [], False

    def run(self, trainings, done, after):
        self.running = True
        for place, training in reversed(list(enumerate(trainings))):
            arm, family, settings, number, _ = training.arguments
            self.begun.append((number, arm.name, family))
            done(place, (Trial(number, family, settings, 0.5), "student"))
        self.running = False
        after()


class Stored(dict):
    def has(self, name):
        return name in self

    def read(self, name):
        return self[name]

    def write(self, name, values):
        self[name] = values


def searched(place, *, trials=4, folder=None):
    families, advanced = families_of(["mlp", "tree"], "binary"), []
    folder = Stored() if folder is None else folder
    found = ArmSearch(place, folder, trials, 0, lambda: advanced.append(1)).search({FEW: families, MANY: families})
    assert len(advanced) == 2 * trials
    return found, folder


def test_networks_are_tried_first_and_more_rows_before_fewer_and_all_come_back_in_order():
    place = Backwards(None)
    found, folder = searched(place)
    first = [(arm, family) for number, arm, family in reversed(place.begun) if number == 0]
    assert first == [("many", "mlp"), ("few", "mlp"), ("many", "tree"), ("few", "tree")]
    for name in ("few", "many"):
        assert [(trial.student, trial.number) for trial in found[name]] == [("mlp", 0), ("mlp", 1), ("tree", 0), ("tree", 1)]
    assert len(folder) == 8


def test_a_round_begins_once_the_one_before_is_there():
    place = Backwards(None)
    searched(place, trials=14)
    of_one = [number for number, arm, family in place.begun if (arm, family) == ("few", "tree")]
    assert of_one == [4, 3, 2, 1, 0, 5, 6]


def test_what_is_stored_is_not_tried_again():
    _, folder = searched(Backwards(None), trials=14)
    for name in ("few_tree_3", "few_tree_5", "many_mlp_6"):
        del folder[f"work/trials/{name}.json"]
    place = Backwards(None)
    searched(place, trials=14, folder=folder)
    assert sorted(place.begun) == [(3, "few", "tree"), (5, "few", "tree"), (6, "many", "mlp")]


def test_latencies_are_measured_in_order_when_nothing_runs(monkeypatch):
    place, measured = Backwards(20), []

    def timed(self, trial, student):
        assert not place.running
        assert (student, sorted(self.found)) == ("student", list(range(trial.number)))
        measured.append((self.arm.name, self.family.name, trial.number))
        return trial

    monkeypatch.setattr(search.FamilySearch, "timed", timed)
    searched(place)
    assert len(measured) == 8


def test_what_is_done_beside_a_failed_training_is_measured_and_stored_as_far_as_all_before_it_is_there(monkeypatch):
    class Failing(Backwards):
        def run(self, trainings, done, after):
            kept = [training for training in trainings if training.arguments[1:4:2] != ("tree", 1)]
            super().run(kept, lambda place, found: done(trainings.index(kept[place]), found), after)
            raise BadInput("one failed")

    monkeypatch.setattr(search.FamilySearch, "timed", lambda self, trial, student: trial)
    for latency, trees in ((20, [0]), (None, [0, 2, 3])):
        folder = Stored()
        with pytest.raises(BadInput, match="one failed"):
            searched(Failing(latency), trials=8, folder=folder)
        expected = {("mlp", number) for number in range(4)} | {("tree", number) for number in trees}
        assert {(one["student"], one["number"]) for one in folder.values()} == expected
