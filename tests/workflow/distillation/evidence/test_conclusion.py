import numpy as np
import pytest

from tutelage.search.limits import Limits
from tutelage.workflow.distillation.evidence import conclusion
from tutelage.workflow.distillation.evidence.conclusion import questions
from tutelage.workflow.distillation.reporting.record import SAME_STUDENTS, UNTUNED_IS_BEST
from tutelage.workflow.distillation.searching.judge import Judge

JUDGE = Judge("accuracy", "truth", Limits(), ".onnx")


def measured(rates, *, rows=400, seeds=5, weights=None, metric="accuracy"):
    """Arms that are right on each row with these probabilities."""
    rng = np.random.default_rng(0)
    of_row = rng.random(rows)
    scores = {}
    for name, rate in rates.items():
        noise = 0.1 * rng.normal(size=(1 if name == "teacher" else seeds, rows))
        scores[name] = {metric: (of_row + noise < rate).astype(float)}
    return conclusion.Tested(scores, Judge(metric, "truth", Limits(), ".onnx"), weights)


def asked(*pairs):
    return [(a, b, f"{a} or {b}?") for a, b in pairs]


def test_a_clear_difference_beats_after_correction_and_its_plain_interval_is_kept():
    found = measured({"answers": 0.95, "labels": 0.75, "teacher": 0.95})
    comparison, other = found.compare(asked(("answers", "labels"), ("answers", "teacher")), share=0.8)
    assert (comparison.verdict, other.verdict) == ("beats", "no difference")
    assert comparison.ci95[0] > 0
    assert comparison.corrected_p == pytest.approx(2 * comparison.p_value / 0.8)
    assert comparison.detectable > 0


@pytest.mark.parametrize("count", [1, 6])
def test_more_questions_and_later_looks_need_more_proof(count):
    found = measured({"answers": 0.87, "labels": 0.80, "b": 0.8, "teacher": 0.8})
    pairs = [("answers", "labels"), *[("labels", "b")] * (count - 1)]
    first, later = (found.compare(asked(*pairs), share=share)[0] for share in (0.8, 0.1))
    assert first.corrected_p == pytest.approx(count * first.p_value / 0.8)
    assert later.corrected_p == pytest.approx(min(count * first.p_value / 0.1, 1))
    assert later.detectable > first.detectable
    assert later.ci95 == first.ci95


def test_a_difference_that_only_the_plain_interval_shows_is_no_difference():
    found = measured({"answers": 0.84, "labels": 0.80, "b": 0.8})
    comparison = found.compare(asked(("answers", "labels"), *[("labels", "b")] * 80), share=0.8)[0]
    assert comparison.ci95[0] > 0
    assert comparison.p_value < 0.05 < comparison.corrected_p
    assert comparison.verdict == "no difference"


def test_lower_losses_beat():
    comparison = measured({"answers": 0.5, "labels": 0.9}, metric="brier").compare(asked(("answers", "labels")), share=0.8)[0]
    assert comparison.verdict == "beats"


def test_weights_count_in_means_intervals_and_differences():
    weights = np.r_[np.ones(200), np.zeros(200)]
    whole, half = (
        measured({"answers": 0.9, "labels": 0.8, "teacher": 0.9}, weights=weights),
        measured({"answers": 0.9, "labels": 0.8, "teacher": 0.9}),
    )
    cut = conclusion.Tested({name: {"accuracy": one["accuracy"][:, :200]} for name, one in half.scores.items()}, JUDGE)
    for name in ("answers", "teacher"):
        assert whole.means(name) == cut.means(name)
        assert whole.interval(name).low == pytest.approx(cut.interval(name).low)
    pair = asked(("answers", "labels"))
    assert whole.compare(pair, share=0.8)[0].difference == pytest.approx(cut.compare(pair, share=0.8)[0].difference)


def test_what_is_shipped_is_compared_with_the_teacher():
    names = ["labels", "decisions", "answers", "untuned", "plain model", "teacher"]
    pairs = [(a, b) for a, b, _ in questions(names, "answers", "labels")]
    assert ("answers", "labels") in pairs
    assert ("labels", "teacher") in pairs
    assert ("labels", "plain model") in pairs
    assert all(a != b for a, b in pairs)
    assert questions(["answers", "teacher"], "answers", "answers") == [("answers", "teacher", "Does the chosen student reach the teacher?")]


def test_a_plain_model_that_is_shipped_is_compared_with_the_best_of_the_teacher():
    names = ["labels", "answers", "plain model", "teacher"]
    pairs = [(a, b) for a, b, _ in questions(names, "answers", "plain model")]
    assert pairs == [("answers", "labels"), ("answers", "plain model"), ("plain model", "teacher")]


@pytest.mark.parametrize("metric", ["accuracy", "agreement"])
def test_the_interval_of_a_share_ends_at_one(metric):
    found = measured({"answers": 0.99, "teacher": 0.99}, rows=30, metric=metric)
    assert all(0.9 < found.interval(name).high <= 1.0 for name in ("answers", "teacher"))
    assert any(found._interval(found.scores[name][metric]).high > 1.0 for name in ("answers", "teacher"))


def of_losses(of_answers, of_labels, metric):
    """Losses of two arms on 30 rows: those given, and otherwise nearly none."""
    scores = {"answers": np.full((3, 30), 0.001), "labels": np.full((3, 30), 0.001)}
    scores["answers"][:, : len(of_answers)] = of_answers
    scores["labels"][:, : len(of_labels)] = of_labels
    return conclusion.Tested({name: {metric: each} for name, each in scores.items()}, Judge(metric, "truth", Limits(), ".onnx"))


@pytest.mark.parametrize(("metric", "largest"), [("brier", 2), ("nll_nats", 16.118), ("kl_nats", 16.118), ("mse", None)])
def test_the_interval_of_a_loss_starts_at_zero(metric, largest):
    assert of_losses([0.9], [], metric)._interval(of_losses([0.9], [], metric).scores["answers"][metric]).low < 0
    assert of_losses([0.9], [], metric).interval("answers").low == 0
    if largest is not None:
        assert of_losses([largest] * 29, [], metric).interval("answers").high == pytest.approx(largest, abs=1e-3)


@pytest.mark.parametrize(("metric", "most"), [("brier", "2"), ("nll_nats", "16.1"), ("kl_nats", "16.1"), ("accuracy", "1")])
def test_a_caution_names_the_largest_loss_that_there_is(metric, most):
    comparison = of_losses([0.5] * 3, [0.25] * 3, metric).compare(asked(("answers", "labels")), share=0.8)[0]
    assert f"with rare large losses; at {most} each they would move this mean" in comparison.caution


def test_the_difference_of_shares_lies_within_one_and_right_or_wrong_needs_no_caution():
    shares = of_losses([1.0] * 15, [0.0] * 15, "accuracy")
    assert shares.compare(asked(("answers", "labels")), share=0.8)[0].ci95[0] >= -1
    assert measured({"answers": 0.9, "labels": 0.8}, rows=30).compare(asked(("answers", "labels")), share=0.8)[0].caution == ""
    few = of_losses([], [], "accuracy")
    few.scores["answers"]["accuracy"][:] = np.r_[np.full(27, 0.99), np.full(3, 0.2)]
    few.scores["labels"]["accuracy"][:] = 0.01
    assert few.compare(asked(("answers", "labels")), share=0.8)[0].ci95[1] <= 1


@pytest.mark.exhaustive
@pytest.mark.usefixtures("unchecked")
def test_the_same_students_are_asked_about_once(half_moons, finished, tmp_path):
    found = half_moons.distill(tmp_path / "run", students=["logistic"])
    plain, labels = (found.record.arm(name) for name in ("plain model", "labels"))
    assert plain.test == labels.test
    assert not [one for one in found.comparisons if "plain model" in (one.a, one.b)]
    assert len({(one.a, one.b) for one in found.comparisons}) == len(found.comparisons)
    assert SAME_STUDENTS in found.record.notes
    assert SAME_STUDENTS not in finished.record.notes  # whose plain model is no tree
    assert [one for one in finished.comparisons if "plain model" in (one.a, one.b)]


@pytest.mark.usefixtures("unchecked")
def test_whether_tuning_helps_is_not_asked_where_it_changed_nothing(half_moons, finished, tmp_path):
    found = half_moons.distill(tmp_path / "run", students=["logistic"], trials=1)
    assert found.record.arm("untuned").test == found.record.arm("answers").test
    assert not [one for one in found.comparisons if "untuned" in (one.a, one.b)]
    assert UNTUNED_IS_BEST in found.record.notes
    tuned = finished.record
    assert (UNTUNED_IS_BEST in tuned.notes) == (tuned.arm("untuned").test == tuned.arm("answers").test)
