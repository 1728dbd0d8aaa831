from dataclasses import dataclass, field

import numpy as np
import pytest
from scipy.special import rel_entr
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeRegressor

from tutelage.core.answers import AnswerForm, of_classes
from tutelage.core.arrays import softmax
from tutelage.core.errors import BadInput
from tutelage.data.transfer import UniformNoise, UnlabelledPool
from tutelage.search.transfer_curve import transfer_curve
from tutelage.search.transfer_display import TransferCurve
from tutelage.students.teaching import fit_student
from tutelage.students.trees import SoftTree

RNG = np.random.default_rng(0)
X, VALIDATION = RNG.uniform(-2, 2, size=(40, 2)), RNG.uniform(-2, 2, size=(300, 2))


@dataclass
class Oracle:
    """A smooth teacher that counts the rows it was queried with; at steepness 0 it gives the same answer to every row."""

    form: AnswerForm = field(default_factory=lambda: of_classes("logits", ("no", "yes")))
    steepness: float = 3.0
    fingerprint: str = "oracle"
    rows: int = 0

    def answer(self, inputs):
        self.rows += len(inputs)
        signal = self.steepness * (inputs[:, 0] ** 2 - inputs[:, 1])
        return np.column_stack([np.zeros_like(signal) + 0.5, signal])


@dataclass
class Sigmoid(Oracle):
    form: AnswerForm = field(default_factory=lambda: AnswerForm("probabilities", "multilabel", ("a", "b")))

    def answer(self, inputs):
        return 1 / (1 + np.exp(-super().answer(inputs)))


class MeanTarget(ClassifierMixin, BaseEstimator):
    """Predicts the mean target for every row, for any task."""

    def fit(self, X, y, *, classes=None):
        self.classes_, self.mean_ = np.asarray(classes), np.mean(y, axis=0)
        return self

    def predict_proba(self, X):
        return np.tile(self.mean_, (len(X), 1))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags


def curve(teacher=None, student=None, **settings) -> TransferCurve:
    settings = {"transfer": UniformNoise(), "validation": VALIDATION, "seeds": 3} | settings
    return transfer_curve(teacher or Oracle(), student or SoftTree(), X, **settings)


def test_more_rows_improve_fidelity_and_the_largest_improvement_is_chosen():
    found = curve(rows=(0.0, 5.0, 100.0), seeds=5)
    assert [point.rows for point in found.points] == [0, 200, 4000]
    agreement = [point.scores["agreement"] for point in found.points]
    assert agreement == sorted(agreement)
    assert agreement[0] < 0.93 < 0.97 < agreement[-1]
    assert found.points[0].scores["kl_nats"] > 2 * found.points[-1].scores["kl_nats"]
    assert found.chosen_rows == 4000
    assert "still gave a gain: 200 to 4000 rows changed kl_nats" in found.stopped_because
    assert (found.training_rows, found.validation_rows, found.seeds) == (40, 300, (0, 1, 2, 3, 4))


def test_a_point_equals_the_scores_of_a_student_fitted_separately():
    known = softmax(Oracle().answer(VALIDATION))
    probs = SoftTree(random_state=0).fit(X, softmax(Oracle().answer(X))).predict_proba(VALIDATION)
    point = curve(student=SoftTree(random_state=5), rows=(0, 1)).points[0]
    assert point.scores["agreement"] == pytest.approx((probs.argmax(axis=1) == known.argmax(axis=1)).mean(), abs=0.02)
    divergence = rel_entr(known, np.maximum(probs, 1e-7)).sum(axis=1).mean()
    assert point.scores["kl_nats"] == pytest.approx(divergence, rel=0.2)
    for name, interval in point.intervals.items():
        assert interval.low < point.scores[name] < interval.high
        assert interval.over == "seeds and validation rows"


def test_every_transfer_row_is_labelled_once_and_rows_after_the_stop_are_not():
    teacher = Oracle()
    curve(teacher, rows=(0, 50, 200), patience=None)
    assert teacher.rows == 300 + 3 * (40 + 200)
    dull = Oracle(steepness=0.0)
    found = curve(dull, rows=(0, 10, 20, 400, 800))
    assert dull.rows == 300 + 3 * (40 + 20)
    assert found.chosen_rows == 0
    assert [point.rows for point in found.points] == [0, 10, 20]
    assert "More than 0 transfer rows gave no demonstrable gain: 0 to 10 rows changed" in found.stopped_because
    assert len(curve(Oracle(steepness=0.0), rows=(0, 10, 20, 40), patience=None).points) == 4


def test_a_gain_below_the_tolerance_does_not_count():
    sizes = (0.0, 5.0, 100.0)
    strict = curve(rows=sizes, measure="agreement", tolerance=0.5)
    assert strict.chosen_rows == 0
    assert curve(rows=sizes, measure="agreement").chosen_rows > 0


def test_scores_are_at_temperature_one_for_any_training_temperature():
    pool = UnlabelledPool(VALIDATION)  # the validation rows: targets learnt at temperature 4 must be predicted at 1
    found = curve(transfer=pool, rows=(0, 300), temperature=4.0)
    assert found.points[-1].scores["agreement"] == 1
    assert found.points[-1].scores["kl_nats"] == pytest.approx(0, abs=1e-5)


def test_seeds_are_set_inside_a_pipeline_and_can_be_given():
    deep = make_pipeline(StandardScaler(), SoftTree())
    assert curve(student=deep, rows=(0, 20), seeds=(7, 9)).seeds == (7, 9)
    again = [curve(student=deep, rows=(0, 20), seeds=dict.fromkeys((7, 9)).keys()).points for _ in range(2)]
    assert again[0] == again[1]


def test_regressors_are_scored_by_rmse():
    teacher = Oracle(AnswerForm("values", "regression"))
    found = curve(teacher, DecisionTreeRegressor(), rows=(0.0, 20.0))
    first, last = found.points
    known = teacher.answer(VALIDATION)
    gaps = [
        fit_student(DecisionTreeRegressor(random_state=seed), teacher.form, X, teacher.answer(X)).predict(VALIDATION) - known
        for seed in found.seeds
    ]
    assert first.scores["rmse"] == pytest.approx(np.sqrt(np.mean(np.square(gaps))), rel=1e-6)
    assert last.scores["rmse"] < first.scores["rmse"] / 2
    assert found.measure == "rmse"
    assert found.chosen_rows == 800


def test_multilabel_students_are_scored_per_label():
    found = curve(Sigmoid(), MeanTarget(), rows=(0, 20))
    known = Sigmoid().answer(VALIDATION)
    half = (known > 0.5) == (Sigmoid().answer(X).mean(axis=0) > 0.5)
    assert found.points[0].scores["agreement"] == pytest.approx(half.mean())
    mean = Sigmoid().answer(X).mean(axis=0)
    divergence = (rel_entr(known, mean) + rel_entr(1 - known, 1 - mean)).sum(axis=1)
    assert found.points[0].scores["kl_nats"] == pytest.approx(divergence.mean())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"teacher": LogisticRegression()}, "is not fitted"),
        ({"seeds": 1}, "1 seeds"),
        ({"rows": (5,)}, "1 numbers of rows"),
        ({"tolerance": -1}, "tolerance is -1"),
        ({"patience": 0}, "patience is 0"),
        ({"measure": "rmse"}, "expected one of kl_nats, agreement"),
        ({"validation": VALIDATION[:1]}, "1 validation rows"),
        ({"transfer": UnlabelledPool(X), "rows": (0, 41)}, "from a pool of 40"),
    ],
)
def test_invalid_settings_are_refused_by_name(settings, message):
    with pytest.raises(BadInput, match=message):
        curve(**settings)
