"""What a distillation says where the answer is known: benchmarks/distill_verdicts.py and benchmarks/seen_rows.py ask it many times."""

from unittest import mock

import numpy as np
import pytest
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier

import tutelage as tl
from tutelage.core.errors import SelfCheckFailed
from tutelage.workflow.distillation.searching.judge import Judge

pytestmark = pytest.mark.slow
X, Y = make_classification(8200, 10, n_informative=6, flip_y=0.02, class_sep=1.0, random_state=0)
GIVEN, POOL, TEST, OTHER = slice(0, 200), slice(200, 3200), slice(3200, 4200), slice(4200, 8200)
SMALL = {"students": ["tree"], "trials": 3, "seeds": 3, "export": "py"}


@pytest.fixture(scope="module", autouse=True)
def costs_are_not_measured():
    with mock.patch.object(Judge, "file", return_value=None):
        yield


def forest(rows, truth):
    return RandomForestClassifier(50, min_samples_leaf=3, random_state=0).fit(rows, truth)


@pytest.fixture(scope="module")
def teacher():
    """A good one, of many other rows."""
    return forest(X[OTHER], Y[OTHER])


@pytest.fixture(scope="module")
def planted(teacher, tmp_path_factory):
    """Few labelled rows, a large pool, and a good teacher."""
    into = tmp_path_factory.mktemp("planted") / "run"
    return tl.distill(teacher, X[GIVEN], Y[GIVEN], pool=X[POOL], test=(X[TEST], Y[TEST]), into=into, **{**SMALL, "seeds": 5})


def comparison(found, b):
    return next(one for one in found.comparisons if one.b == b)


@pytest.mark.exhaustive
def test_a_planted_gain_is_found_and_stands_after_correction(planted):
    gain = comparison(planted, "labels")
    assert gain.verdict == "beats"
    assert gain.p_value < gain.corrected_p < 0.05
    assert planted.chosen.name == "answers, more rows"
    assert planted.verdict.startswith("Ship the tree")
    assert "It pays to distil" in planted.verdict


@pytest.mark.exhaustive
def test_a_good_teacher_that_has_not_seen_the_test_rows_is_not_called_out(planted):
    assert "trained on" not in planted.verdict
    assert {one.severity for one in planted.preflight.findings if one.check.endswith("memorised")} <= {"ok", "note"}


@pytest.mark.exhaustive
def test_the_curve_of_a_planted_gain_rises_and_the_advice_rests_on_it(planted):
    curve = planted.record.curve
    assert [point.rows for point in curve] == [0, 750, 1500, 3000]
    assert curve[-1].mean > curve[0].mean
    assert {"more rows", "better teacher"} <= {one.about for one in planted.record.advice}


@pytest.mark.exhaustive
def test_more_seeds_are_a_second_look_that_is_said_and_corrected(teacher, planted):
    rows = {"pool": X[POOL], "test": (X[TEST], Y[TEST])}
    again = tl.distill(teacher, X[GIVEN], Y[GIVEN], **rows, into=planted.folder, **{**SMALL, "seeds": 6})
    assert [look.seeds for look in again.record.looks] == [5, 6]
    assert "look 2 at the same test rows, with 6 seeds after 5" in again.verdict
    gain = comparison(again, "labels")
    assert gain.corrected_p >= gain.p_value / again.record.looks[-1].share
    assert [len(arm.seeds) for arm in again.arms if arm.kind != "teacher"] == [6] * (len(again.arms) - 1)


@pytest.mark.exhaustive
def test_a_teacher_whose_answers_were_exchanged_between_rows_is_refused(tmp_path):
    teacher = forest(X[OTHER], np.random.default_rng(0).permutation(Y[OTHER]))
    with pytest.raises(SelfCheckFailed, match="accuracy"):
        tl.distill(teacher, X[GIVEN], Y[GIVEN], test=(X[TEST], Y[TEST]), into=tmp_path / "run", **SMALL)


@pytest.mark.exhaustive
@pytest.mark.parametrize("train", [None, X[TEST]])
def test_a_teacher_that_was_trained_on_the_test_rows_is_called_out(train, tmp_path):
    few = {**SMALL, "trials": 1, "seeds": 2}
    found = tl.distill(forest(X[TEST], Y[TEST]), X[TEST], Y[TEST], train=train, into=tmp_path / "run", **few)
    if train is None:
        assert "answers the test rows as if it was trained on them" in found.verdict
    else:
        assert "was trained on 200 of the 200 test rows" in found.verdict
    assert "too good" in found.verdict


@pytest.mark.exhaustive
def test_weights_count_in_the_test_figures(teacher, unchecked, tmp_path):
    weights = np.r_[np.ones(500), np.full(500, 1e-6)]
    given = {"sample_weight": np.ones(200), "test": (X[TEST], Y[TEST], weights), "into": tmp_path / "run", **SMALL}
    found = tl.distill(teacher, X[GIVEN], Y[GIVEN], **given)
    right = found.student.predict(X[TEST][:500]) == Y[TEST][:500]
    assert found.chosen.test["accuracy"][0] == pytest.approx(right.mean(), abs=1e-3)
