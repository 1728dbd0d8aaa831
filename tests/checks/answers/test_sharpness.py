import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.neighbors import KNeighborsClassifier

from tutelage.checks.answers.sharpness import HALF, TEMPERATURES, check_sharpness, mean_entropy, rounded_decimals
from tutelage.checks.sampling import SampleAnswers, draw
from tutelage.core.answers import AnswerForm
from tutelage.core.arrays import softmax

LOGITS = np.random.default_rng(0).normal(size=(200, 6)) * 4
CUTS = {"precision", "top-k", "clipped", "rounded"}


def answered(answers, kind="probabilities", task="multiclass"):
    form = AnswerForm(kind, task, tuple(range(answers.shape[1])))
    return SampleAnswers(draw(np.arange(len(answers))[:, None], None, form, rows=len(answers), seed=0), form, answers)


def found(answers, kind="probabilities", task="multiclass"):
    return {finding.check: finding for finding in check_sharpness(answered(answers, kind, task))}


def test_entropy_grows_with_temperature_to_its_maximum():
    figure = found(LOGITS, "logits")["saturated"].figure["mean entropy, nats"]
    entropies = [figure[f"T={temperature}"] for temperature in TEMPERATURES]
    assert entropies == sorted(entropies)
    assert entropies[-1] < np.log(6)
    assert mean_entropy(answered(np.zeros((3, 4)), "logits"), 1) == pytest.approx(np.log(4))
    assert mean_entropy(answered(np.eye(4)), 20) == 0.0


def test_probabilities_have_the_entropy_of_their_logits_at_every_temperature():
    for temperature in TEMPERATURES:
        assert mean_entropy(answered(softmax(LOGITS)), temperature) == pytest.approx(mean_entropy(answered(LOGITS, "logits"), temperature))


def test_the_entropy_of_multilabel_answers_is_a_mean_over_labels():
    halves = np.full((3, 2), 0.5)
    assert mean_entropy(answered(halves, task="multilabel"), 4) == pytest.approx(np.log(2))
    assert found(np.eye(2)[[0, 1, 0]], task="multilabel")["saturated"].severity == "warning"
    assert found(halves, task="multilabel")["saturated"].severity == "ok"


def test_sharp_logits_can_be_softened_and_hard_labels_cannot():
    assert found(LOGITS * 30, "logits")["saturated"].severity == "note"
    hard = found(np.eye(6)[LOGITS.argmax(axis=1)])["saturated"]
    assert (hard.severity, hard.figure["one-hot rows"]) == ("warning", 1.0)
    assert found(LOGITS, "logits")["saturated"].severity == "ok"


@pytest.mark.parametrize(("decimals", "found_decimals"), [(1, 1), (2, 2), (3, 3), (4, 4), (5, 5), (8, None)])
def test_the_number_of_decimals_is_found(decimals, found_decimals):
    assert rounded_decimals(np.round(softmax(LOGITS), decimals)) == found_decimals
    assert rounded_decimals(np.round(softmax(LOGITS), decimals).astype(np.float32)) == found_decimals


def test_half_precision_is_found_in_any_dtype():
    half = softmax(LOGITS).astype(np.float16)
    assert rounded_decimals(half) == rounded_decimals(half.astype(np.float64)) == HALF
    assert rounded_decimals(softmax(LOGITS.astype(np.float32))) is None


@pytest.mark.parametrize(
    ("change", "check", "severity"),
    [
        (lambda p: p, "precision", "ok"),
        (lambda p: np.round(p, 4), "rounded", "warning"),
        (lambda p: np.round(0.9 * p + 0.02, 4), "rounded", "note"),
        (lambda p: np.maximum(p, 1e-5), "clipped", "warning"),
        (lambda p: np.where(p < np.sort(p, axis=1)[:, [-3]], 0, p), "top-k", "warning"),
    ],
)
def test_each_way_of_losing_the_tail_has_its_own_finding(change, check, severity):
    p = change(softmax(LOGITS * 1.5))
    checks = found(p / p.sum(axis=1, keepdims=True) if check != "rounded" else p)
    assert {name: checks[name].severity for name in CUTS & checks.keys()} == {check: severity}


def test_the_votes_of_forests_and_neighbours_are_not_taken_for_rounding():
    X, y = load_iris(return_X_y=True)
    for model in (RandomForestClassifier(100, random_state=0), KNeighborsClassifier(50)):
        checks = found(model.fit(X[::2], y[::2]).predict_proba(X[1::2]))
        assert all(finding.severity in ("ok", "note") for finding in checks.values()), checks


def test_smoothing_is_found_and_uncertainty_is_not_taken_for_it():
    smoothed = 0.9 * np.eye(6)[LOGITS.argmax(axis=1)] + 0.1 / 6
    assert found(smoothed)["dark-knowledge"].severity == "warning"
    assert found(softmax(LOGITS))["dark-knowledge"].severity == "ok"
    assert found(softmax(LOGITS * 0.02))["dark-knowledge"].severity == "ok"  # flat over all classes


def test_two_classes_have_no_others_to_rank():
    assert "dark-knowledge" not in found(softmax(LOGITS[:, :2]), task="binary")


def test_values_have_no_entropy():
    form = AnswerForm("values", "regression")
    assert list(check_sharpness(SampleAnswers(draw(LOGITS, None, form, rows=9, seed=0), form, LOGITS[:9, :1]))) == []
