import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

import tutelage as tl
from tutelage.core.errors import BadInput
from tutelage.workflow.distillation.searching import rows
from tutelage.workflow.distillation.searching.training import Prepared

RNG = np.random.default_rng(0)
X = RNG.normal(size=(240, 3))
Y = (X[:, 0] + X[:, 1] > 0.5).astype(int)
TEACHER = LogisticRegression().fit(X, Y)
FIT = Prepared.fit


@pytest.fixture
def distilled(tmp_path):
    def run():
        return tl.distill(TEACHER, X, Y, students=["tree"], trials=1, seeds=2, export="py", into=tmp_path / "run").record

    return run


def failing(arms):
    def fit(self, arm, family, settings, *, seed):
        if arm.name in arms and self.train.count + self.validation.count > 150:
            raise BadInput("these settings fail.")
        return FIT(self, arm, family, settings, seed=seed)

    return fit


@pytest.fixture(autouse=True)
def _few_rows_of_a_trial(monkeypatch, unchecked):
    monkeypatch.setattr(rows, "FIRST_LOOK", 40)


def test_an_arm_whose_trials_all_fail_is_left_out_and_the_run_goes_on(distilled, monkeypatch):
    monkeypatch.setattr(Prepared, "fit", failing({"decisions", "plain model"}))
    record = distilled()
    assert {"decisions", "plain model"}.isdisjoint(arm.name for arm in record.arms)
    assert any("The arm 'decisions' is left out: " in note and "these settings fail" in note for note in record.notes)
    assert any("The arm 'plain model' is left out: " in note for note in record.notes)


def test_a_control_that_is_the_best_of_its_search_is_trained_once(distilled, tmp_path):
    record = distilled()
    assert record.arm("untuned").test == record.arm("answers").test
    stored = sorted(path.name for path in (tmp_path / "run" / "students").iterdir())
    assert [name for name in stored if name.startswith(("answers_", "untuned_"))] == [
        "answers_tree_0_seed0.skops",
        "answers_tree_0_seed1.skops",
    ]


def test_an_arm_that_fails_at_a_later_seed_is_left_out(distilled, monkeypatch):
    def fit(self, arm, family, settings, *, seed):
        if arm.name == "decisions" and seed == 1:
            raise BadInput("this seed fails.")
        return FIT(self, arm, family, settings, seed=seed)

    monkeypatch.setattr(Prepared, "fit", fit)
    record = distilled()
    assert "decisions" not in [arm.name for arm in record.arms]
    assert "The arm 'decisions' is left out: its student of seed 1 failed: this seed fails." in record.notes


def test_a_run_without_an_arm_that_learns_from_the_teacher_is_refused(distilled, monkeypatch):
    monkeypatch.setattr(Prepared, "fit", failing({"decisions", "answers", "answers, more rows"}))
    with pytest.raises(BadInput, match=r"no student of the teacher's answers could be trained\. .*these settings fail"):
        distilled()


def test_an_error_of_any_kind_in_a_students_answers_is_one_of_its_trial(distilled, monkeypatch):
    def answers(self, student, rows):
        raise KeyError("no answer")

    monkeypatch.setattr(Prepared, "_answers", answers)
    with pytest.raises(BadInput, match=r"'tree' is left out: the student 'tree' was trained and cannot answer .*no answer"):
        distilled()
