from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

from tutelage.core.errors import BadInput, ParityError
from tutelage.evaluation.intervals import mean_interval, proportion_interval
from tutelage.exporters.export import export
from tutelage.exporters.program.build import program_of
from tutelage.exporters.proof import quantised
from tutelage.exporters.proof.quantised import drop_of
from tutelage.exporters.subject.student_answers import Answers
from tutelage.exporters.subject.subject import subject_of
from tutelage.students.linear import SoftLogistic

RNG = np.random.default_rng(0)
X = RNG.normal(size=(200, 3))
Y = (X[:, 0] > 0).astype(int)
STUDENT = SoftLogistic().fit(X, Y)


class Other:
    """A file that answers as its student does, after a change."""

    name = "a runtime"

    def __init__(self, subject, change):
        self.subject, self.change = subject, change

    def answers(self, path, program, rows):
        return self.change(self.subject.answers(rows))


def found(student, change, **settings):
    subject, rows = subject_of(student, X)
    return drop_of(Path("none"), program_of(subject, rows), subject, rows, Other(subject, change), **settings)


def first_ten_otherwise(answers):
    decisions = answers.decisions.copy()
    decisions[:10] = 1 - decisions[:10]
    return Answers(answers.values, decisions)


def test_the_share_of_changed_decisions_has_an_interval_and_a_bound():
    drop = found(STUDENT, first_ten_otherwise, max_drop=6)
    share = proportion_interval(10, 200)
    assert (drop.rows, drop.metric, drop.drop, drop.max_drop, drop.runtime) == (200, "decisions changed", 5.0, 6, "a runtime")
    assert drop.ci95 == pytest.approx((100 * share.low, 100 * share.high))
    assert "decisions changed 5.00 percentage points" in str(drop)
    with pytest.raises(ParityError, match=r"loses too much: .* 5.00 percentage points .* allowed 1\).* Nothing was written"):
        found(STUDENT, first_ten_otherwise)


def test_with_the_ground_truth_it_is_accuracy_that_is_lost():
    truth = STUDENT.predict(X).copy()
    truth[:4] = 1 - truth[:4]  # where the file is right and the student is not
    drop = found(STUDENT, first_ten_otherwise, truth=truth, max_drop=6)
    paired = 100 * np.r_[-np.ones(4), np.ones(6), np.zeros(190)]
    interval = mean_interval(paired, over="test rows", scale=100.0)
    assert (drop.metric, drop.drop, drop.ci95) == ("accuracy", pytest.approx(1.0), pytest.approx((interval.low, interval.high)))


def test_values_lose_a_share_of_their_variance():
    line = LinearRegression().fit(X, np.c_[X[:, 0], 100 * X[:, 1]])
    drop = found(line, lambda answers: Answers(answers.values + 0.05 * answers.values.std(axis=0), None))
    assert (drop.metric, drop.drop) == ("squared error", pytest.approx(0.25))


@pytest.mark.parametrize("scale", [1e-200, 1e200])
def test_tiny_and_huge_values_lose_the_same_share(scale):
    line = LinearRegression().fit(X, X[:, 0])
    expected = found(line, lambda answers: Answers(answers.values * 1.05, None)).drop
    line.coef_, line.intercept_ = line.coef_ * scale, line.intercept_ * scale
    assert 0.2 < expected == pytest.approx(found(line, lambda answers: Answers(answers.values * 1.05, None)).drop)


def test_answers_of_another_shape_or_without_numbers_are_refused():
    for change in (
        lambda answers: Answers(answers.values[:, :1], answers.decisions),
        lambda answers: Answers(answers.values * np.nan, None),
    ):
        with pytest.raises(ParityError, match="its answers are no numbers, or of another shape"):
            found(STUDENT, change)


def test_bounds_are_for_rounded_files_only(tmp_path):
    for settings in ({"max_drop": 2}, {"truth": Y}):
        with pytest.raises(BadInput, match="truth and max_drop are for precision 'half', 'int8' or 'int8-dynamic'"):
            export(STUDENT, tmp_path / "student.onnx", check_on=X, **settings)
    with pytest.raises(BadInput, match="max_drop is 200; expected"):
        export(STUDENT, tmp_path / "student.onnx", check_on=X, precision="half", max_drop=200)


def test_a_file_that_loses_too_much_is_not_written(tmp_path, monkeypatch):
    monkeypatch.setattr(quantised, "MAX_DROP", -1.0)
    with pytest.raises(ParityError, match="loses too much"):
        export(STUDENT, tmp_path / "student.onnx", check_on=X, precision="int8")
    assert list(tmp_path.iterdir()) == []
