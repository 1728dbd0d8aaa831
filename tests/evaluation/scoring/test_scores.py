import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import balanced_accuracy_score, r2_score, recall_score

from tutelage.evaluation.metrics.calibration import expected_calibration_error
from tutelage.evaluation.records import AlignedAnswers
from tutelage.evaluation.scoring.row_scores import Settings, row_scores
from tutelage.evaluation.scoring.scores import estimates, scores

QUICK = Settings(resamples=100)


def _figures(aligned, against="truth"):
    return estimates({"group": scores(aligned, against, QUICK)}, QUICK)["group"]


def _classified(task, student, teacher=None, truth=None):
    return AlignedAnswers(task, tuple(range(student.shape[1])), student, teacher, truth)


@st.composite
def answers(draw):
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    rows, classes = draw(st.integers(2, 30)), draw(st.integers(2, 5))
    student, teacher = rng.dirichlet(np.full(classes, draw(st.sampled_from([0.05, 1.0]))), size=(2, rows))
    return _classified("multiclass", student, teacher, np.eye(classes)[rng.integers(classes, size=rows)])


@settings(max_examples=60)
@given(answers())
def test_every_interval_contains_its_figure(aligned):
    for against in ("truth", "teacher"):
        for name, estimate in _figures(aligned, against).items():
            assert estimate.interval.low - 1e-12 <= estimate.value <= estimate.interval.high + 1e-12, name
            assert estimate.interval.low >= 0, name


def test_the_worst_class_is_the_lowest_recall():
    rng = np.random.default_rng(0)
    codes = rng.integers(3, size=200)
    student = rng.dirichlet(np.ones(3), size=200) + np.array([[0.9, 0.3, 0.0]]) * np.eye(3)[codes]
    student /= student.sum(axis=1, keepdims=True)
    worst = _figures(_classified("multiclass", student, truth=np.eye(3)[codes]))["worst_class_recall"]
    recalls = recall_score(codes, student.argmax(axis=1), average=None)
    assert (worst.value, worst.of) == (pytest.approx(recalls.min()), recalls.argmin())
    assert worst.method == "bootstrap"


def test_the_interval_of_a_class_with_3_of_3_right_is_wide():
    one_hot = np.eye(2)[[0, 0, 0, 1, 1, 1]]
    worst = _figures(_classified("binary", one_hot * 0.9 + 0.05, truth=one_hot))["worst_class_recall"]
    assert worst.value == worst.interval.high == 1
    assert worst.interval.low == pytest.approx(0.438, abs=1e-3)  # Wilson interval of 3 in 3


def test_agreement_where_the_teacher_is_wrong_counts_only_those_rows():
    truth, teacher = np.eye(2)[[0, 0, 0, 1]], np.eye(2)[[1, 1, 0, 1]]
    student = np.eye(2)[[1, 0, 1, 1]] * 0.8 + 0.1
    figures = _figures(_classified("binary", student, teacher, truth), "teacher")
    assert figures["agreement"].value == 0.5
    assert figures["agreement_where_teacher_is_wrong"].value == 0.5
    assert figures["agreement"].method == "Wilson"


def test_that_figure_is_absent_if_the_teacher_is_never_wrong():
    truth = np.eye(2)[[0, 1, 1]]
    assert "agreement_where_teacher_is_wrong" not in _figures(_classified("binary", truth, truth, truth), "teacher")


def test_means_have_a_t_interval_over_rows():
    rng = np.random.default_rng(2)
    target, student = rng.dirichlet(np.ones(3), size=(2, 80))
    aligned = _classified("multiclass", student, teacher=target)
    rows, figure = row_scores(aligned, "teacher", QUICK)["kl_nats"].values, _figures(aligned, "teacher")["kl_nats"]
    expected = stats.t.interval(0.95, 79, loc=rows.mean(), scale=stats.sem(rows))
    np.testing.assert_allclose((figure.interval.low, figure.interval.high), expected)
    assert figure.method == "t"


def test_multilabel_figures_average_over_labels():
    truth = np.array([[1, 0], [1, 1], [0, 0], [0, 1.0]])
    student = np.array([[0.9, 0.2], [0.8, 0.3], [0.4, 0.1], [0.7, 0.9]])
    figures = _figures(_classified("multilabel", student, truth=truth))
    assert figures["accuracy"].value == pytest.approx(6 / 8)
    assert figures["subset_accuracy"].value == pytest.approx(2 / 4)
    assert (figures["worst_class_recall"].value, figures["worst_class_recall"].of) == (0.5, 1)
    assert figures["brier"].value == pytest.approx(2 * ((truth - student) ** 2).mean())
    by_hand = -np.log(np.where(truth == 1, student, 1 - student)).mean()
    assert figures["nll_nats"].value == pytest.approx(by_hand, abs=1e-6)
    each = [np.abs(expected_calibration_error(*(part[:, label] for part in _tops(truth, student)))) for label in (0, 1)]
    assert figures["ece"].value == pytest.approx(np.mean(each))


def _tops(truth, student):
    return np.maximum(student, 1 - student), ((student > 0.5) == truth).astype(float)


def test_multilabel_agreement_where_the_teacher_is_wrong_is_counted_per_label():
    truth, teacher = np.array([[1, 0], [1, 1.0]]), np.array([[0.2, 0.1], [0.9, 0.3]])
    student = np.array([[0.3, 0.4], [0.8, 0.7]])
    figure = _figures(_classified("multilabel", student, teacher, truth), "teacher")["agreement_where_teacher_is_wrong"]
    assert (figure.value, figure.method) == (0.5, "bootstrap")


def test_labels_that_are_never_on_have_no_worst_class():
    student = np.full((3, 2), 0.2)
    assert "worst_class_recall" not in _figures(_classified("multilabel", student, truth=np.zeros((3, 2))))


def test_regression_scores_equal_scikit_learns():
    rng = np.random.default_rng(3)
    truth = rng.normal(loc=1e4, size=(60, 2)) * [1, 5]
    student = truth + rng.normal(size=(60, 2))
    figures = _figures(AlignedAnswers("regression", (), student, None, truth))
    assert figures["r2"].value == pytest.approx(r2_score(truth, student))
    assert figures["mse"].value == pytest.approx(((truth - student) ** 2).mean())
    assert figures["rmse"].interval.high == pytest.approx(figures["mse"].interval.high ** 0.5)
    assert figures["r2"].interval.low <= figures["r2"].value <= figures["r2"].interval.high


def test_a_constant_truth_has_no_r2():
    flat = AlignedAnswers("regression", (), np.ones((5, 1)), None, np.full((5, 1), 2.0))
    assert set(_figures(flat)) == {"mse", "rmse"}


def test_a_single_row_has_figures_but_no_interval_of_a_mean():
    figures = _figures(_classified("binary", np.array([[0.8, 0.2]]), truth=np.array([[1.0, 0.0]])))
    assert figures["nll_nats"].interval is None
    assert figures["accuracy"].interval.low < 1


def test_worst_class_recall_is_at_most_the_balanced_accuracy():
    rng = np.random.default_rng(5)
    codes, student = rng.integers(4, size=300), rng.dirichlet(np.ones(4), size=300)
    worst = _figures(_classified("multiclass", student, truth=np.eye(4)[codes]))["worst_class_recall"]
    assert worst.value <= balanced_accuracy_score(codes, student.argmax(axis=1))
