import numpy as np
import pytest

from tutelage.evaluation.metrics.ranking import mean_auc
from tutelage.evaluation.metrics.top import certain
from tutelage.evaluation.records import AlignedAnswers
from tutelage.evaluation.scoring.row_scores import Settings, row_scores, top_labels
from tutelage.evaluation.scoring.scores import estimates, mean_estimate, scores
from tutelage.evaluation.verdicts import paired_difference, paired_rows

ROWS, TOKENS, DRAWS = 40, 15, 300
QUICK = Settings(resamples=100)


def correlated(rng, share=0.8, *, by_row=True):
    """Two classes; all tokens of a row have one truth, and the student is right at all of them or at none."""
    codes = np.repeat(rng.integers(2, size=ROWS), TOKENS)
    right = np.repeat(rng.random(ROWS) < share, TOKENS)
    decided = np.where(right, codes, 1 - codes)
    student = np.full((len(codes), 2), 0.3)
    student[np.arange(len(codes)), decided] = 0.7
    row_of = np.repeat(np.arange(ROWS), TOKENS) if by_row else np.arange(len(codes))
    return AlignedAnswers("binary", (0, 1), student, None, certain(codes, 2), positions="tokens", row_of=row_of)


@pytest.fixture(scope="module")
def by_row():
    rng = np.random.default_rng(0)
    return [estimates({"": scores(correlated(rng), "truth", QUICK)}, QUICK)[""] for _ in range(DRAWS)]


def covered(intervals, true):
    return np.mean([each.low <= true <= each.high for each in intervals])


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    ("figure", "true"),
    [("accuracy", 0.8), ("nll_nats", -0.8 * np.log(0.7) - 0.2 * np.log(0.3)), ("f1", 0.8), ("auc", 0.8), ("exact_match", 0.8)],
)
def test_intervals_cover_the_truth_where_the_tokens_of_a_row_are_alike(by_row, figure, true):
    assert covered([figures[figure].interval for figures in by_row], true) > 0.9


def test_an_interval_by_position_would_not():
    rng = np.random.default_rng(0)
    answers = [correlated(rng, by_row=False) for _ in range(DRAWS)]
    assert covered([mean_estimate(row_scores(each, "truth", QUICK)["accuracy"], 1.0).interval for each in answers], 0.8) < 0.5


def test_pairs_by_row_say_differ_as_rarely_as_they_should():
    rng, false, by_position = np.random.default_rng(1), 0, 0
    for _ in range(DRAWS):
        a, b = (np.repeat(rng.random(ROWS) < 0.8, TOKENS) for _ in range(2))
        answers = correlated(rng)
        first, second = answers.by_row(a), answers.by_row(b)
        interval = paired_rows(first.values, second.values, weights=first.weights)[1]
        false += not interval.low <= 0 <= interval.high
        interval = paired_rows(a, b)[1]
        by_position += not interval.low <= 0 <= interval.high
    assert false / DRAWS < 0.08
    assert by_position / DRAWS > 0.4


def test_means_over_positions_are_ratios_of_sums_over_rows():
    row_of = np.array([0, 0, 0, 1, 2, 2])
    answers = AlignedAnswers(
        "binary", (0, 1), np.full((6, 2), 0.5), None, None, weights=np.array([1.0, 2.0, 0.0]), positions="tokens", row_of=row_of
    )
    values = np.array([1.0, 0, 0, 1, 1, 1])
    found = answers.by_row(values)
    assert found.values.tolist() == pytest.approx([1 / 3, 1, 0])
    assert found.weights.tolist() == [3, 2, 0]
    assert found.mean == pytest.approx(3 / 5)
    some = answers.by_row(values, np.array([True, False, False, False, True, True]))
    assert some.weights.tolist() == [1, 0]
    assert answers.of_whole_rows(values == 1).values.tolist() == [False, True, True]
    assert answers.effective_rows_of(np.array([True, True, False, False, False, False])) == 1
    assert answers.effective_rows_of(np.array([4, 5])) == 0


def test_rows_of_one_position_have_the_figures_of_rows():
    rng = np.random.default_rng(0)
    student, codes = rng.dirichlet(np.ones(3), size=50), rng.integers(3, size=50)
    flat = AlignedAnswers("multiclass", ("a", "b", "c"), student, None, np.eye(3)[codes])
    single = AlignedAnswers("multiclass", ("a", "b", "c"), student, None, certain(codes, 3), positions="tokens", row_of=np.arange(50))
    by_row, by_token = (estimates({"": scores(each, "truth", QUICK)}, QUICK)[""] for each in (flat, single))
    for name, estimate in by_row.items():
        assert by_token[name].value == pytest.approx(estimate.value, abs=1e-5), name
    for name in ("nll_nats", "brier", "ece", "f1"):
        assert by_token[name].interval.low == pytest.approx(by_row[name].interval.low, abs=1e-5), name
        assert by_token[name].interval.high == pytest.approx(by_row[name].interval.high, abs=1e-5), name


def test_blocks_change_no_figure(monkeypatch):
    answers = correlated(np.random.default_rng(0))
    whole = row_scores(answers, "truth", QUICK), top_labels(answers, "truth", "student")
    monkeypatch.setattr("tutelage.evaluation.metrics.top.BLOCK_CELLS", 7)
    blocked = row_scores(answers, "truth", QUICK), top_labels(answers, "truth", "student")
    for name, found in whole[0].items():
        np.testing.assert_array_equal(found.values, blocked[0][name].values)
    np.testing.assert_array_equal(whole[1], blocked[1])


def test_scores_of_seeds_are_compared_with_the_number_of_positions_as_weights():
    rng = np.random.default_rng(0)
    answers = [correlated(rng, share) for share in (0.95, 0.9, 0.95, 0.3, 0.2, 0.3)]
    found = [row_scores(each, "truth", QUICK)["accuracy"] for each in answers]
    a, b = ([each.values for each in part] for part in (found[:3], found[3:]))
    difference, interval = paired_difference(a, b, shared_rows=True, weights=found[0].weights)
    assert difference == pytest.approx(np.mean([each.mean for each in found[:3]]) - np.mean([each.mean for each in found[3:]]))
    assert interval.low > 0


def test_the_interval_of_an_auc_is_that_of_the_rows():
    rng = np.random.default_rng(0)
    on, score = rng.random((ROWS, 1)) < 0.4, rng.random((ROWS, 1))
    rows = np.repeat(np.arange(ROWS), TOKENS)
    once, repeated = mean_auc(on, score), mean_auc(on[rows], score[rows], row_of=rows)
    assert repeated.value == pytest.approx(once.value)
    assert repeated.interval.low == pytest.approx(once.interval.low, abs=0.01)
    assert repeated.interval.high == pytest.approx(once.interval.high, abs=0.01)
    weighted = mean_auc(on[rows], score[rows], np.ones(ROWS), rows)
    assert weighted.interval == repeated.interval


def test_an_interval_of_few_rows_with_many_positions_is_no_wider_than_they_vary():
    rng = np.random.default_rng(0)
    codes = rng.integers(2, size=20 * 4000)
    student = np.full((len(codes), 2), 0.3)
    student[np.arange(len(codes)), np.where(rng.random(len(codes)) < 0.9, codes, 1 - codes)] = 0.7
    answers = AlignedAnswers("binary", (0, 1), student, None, certain(codes, 2), positions="pixels", row_of=np.repeat(np.arange(20), 4000))
    found = estimates({"": scores(answers, "truth", QUICK)}, QUICK)[""]
    for name in ("accuracy", "f1", "mean_iou", "ece", "worst_class_recall"):
        assert 0 < found[name].interval.high - found[name].interval.low < 0.03, name


def test_wide_answers_take_no_table_of_classes():
    rng = np.random.default_rng(0)
    student = rng.random((20, 5000), dtype=np.float32)
    student /= student.sum(axis=1, keepdims=True)
    codes = rng.integers(5000, size=20)
    answers = AlignedAnswers("multiclass", tuple(range(5000)), student, student, certain(codes, 5000))
    found = estimates({"": scores(answers, "truth", QUICK)}, QUICK)[""]
    assert set(found) == {"accuracy", "nll_nats", "brier", "ece"}
    assert found["nll_nats"].value == pytest.approx(-np.log(student[np.arange(20), codes]).mean(), rel=1e-3)
