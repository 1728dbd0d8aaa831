import catboost
import lightgbm
import numpy as np
import pandas as pd
import pytest
import xgboost
from skl2onnx import to_onnx
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from tutelage.checks.checklist import check_teacher
from tutelage.core.answers import AnswerForm, of_classes
from tutelage.core.errors import BadInput, LabelMismatch, NotProbabilities
from tutelage.softlabels.recording import record
from tutelage.teachers.adapt import as_teacher
from tutelage.teachers.ensembles import ensemble
from tutelage.teachers.relabel import relabelled

X = np.random.default_rng(0).normal(size=(40, 3))
Y = np.array(["no", "yes"])[(X.sum(axis=1) > 0).astype(int)]
CODES = (Y == "yes").astype(int)
LOGISTIC = LogisticRegression().fit(X, Y)
NETWORK = nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.ReLU(inplace=True), nn.Dropout(), nn.Linear(8, 2))


def scores(rows):
    return np.asarray(rows).sum(axis=1)


ADAPTED = {
    "classifier": lambda: as_teacher(LOGISTIC),
    "regressor": lambda: as_teacher(LinearRegression().fit(X, X[:, :2])),
    "pipeline": lambda: as_teacher(make_pipeline(StandardScaler(), RandomForestClassifier(5, n_jobs=2, random_state=0)).fit(X, Y)),
    "multilabel": lambda: as_teacher(RandomForestClassifier(5, random_state=0).fit(X, (X > 0).astype(int)), classes=("a", "b", "c")),
    "LGBMClassifier": lambda: as_teacher(lightgbm.LGBMClassifier(n_estimators=3, verbose=-1, n_jobs=1).fit(X, Y)),
    "XGBClassifier": lambda: as_teacher(xgboost.XGBClassifier(n_estimators=3, n_jobs=1).fit(X, CODES)),
    "CatBoostClassifier": lambda: as_teacher(
        catboost.CatBoostClassifier(iterations=3, verbose=0, allow_writing_files=False, thread_count=1).fit(X, Y)
    ),
    "lightgbm": lambda: as_teacher(lightgbm.train({"objective": "binary", "verbose": -1, "num_threads": 1}, lightgbm.Dataset(X, CODES), 3)),
    "xgboost": lambda: as_teacher(xgboost.train({"objective": "binary:logistic", "nthread": 1}, xgboost.DMatrix(X, CODES), 3)),
    "module": lambda: as_teacher(NETWORK.train(), classes=("no", "yes")),
    "onnx": lambda: as_teacher(to_onnx(LOGISTIC, X[:1].astype(np.float32), options={"zipmap": False}).SerializeToString()),
    "function": lambda: as_teacher(scores, kind="logits", classes=("no", "yes")),
    "arithmetic": lambda: ensemble([LOGISTIC, as_teacher(NETWORK, classes=("no", "yes"))], weights=[2, 1]),
    "geometric": lambda: ensemble([LOGISTIC, as_teacher(NETWORK, classes=("no", "yes"))], how="geometric"),
    "relabelled": lambda: relabelled(LOGISTIC, ["maybe", "yes", "no"], missing="zero"),
    "recorded": lambda: record(as_teacher(LOGISTIC), X),
}


@pytest.mark.parametrize("kind", ADAPTED)
def test_every_adapter_meets_the_requirements(kind):
    check_teacher(ADAPTED[kind](), X)


def test_the_checklist_accepts_frames():
    frame = pd.DataFrame(X, columns=["p", "q", "r"])
    check_teacher(as_teacher(LogisticRegression().fit(frame, Y)), frame)


class Sound:
    """Meets all requirements; each class below violates one."""

    form = of_classes("probabilities", ("no", "yes"))
    fingerprint = "sound"

    def answer(self, inputs):
        p = 1 / (1 + np.exp(-np.asarray(inputs).sum(axis=1)))
        return np.column_stack([1 - p, p])


class NotRepeatable(Sound):
    calls = 0

    def answer(self, inputs):
        self.calls += 1
        return np.roll(super().answer(inputs), self.calls, axis=1)


class DependsOnBatch(Sound):
    def answer(self, inputs):
        return super().answer(np.asarray(inputs) - np.mean(inputs, axis=0))


class ModifiesRows(Sound):
    def answer(self, inputs):
        answers = super().answer(inputs)
        inputs[:, 0] = 0  # chosen so that the next sum is the same
        inputs[:, 1:] = np.log(answers / (1 - answers))[:, 1:] / 2
        return answers


class OverwritesAnswers(Sound):
    buffer = np.zeros((len(X), 2))

    def answer(self, inputs):
        answers = self.buffer[: len(inputs)]
        answers[:] = super().answer(inputs)
        return answers


class DependsOnIdentity(Sound):
    seen = None

    def answer(self, inputs):
        self.seen = self.seen or id(inputs)
        return np.roll(super().answer(inputs), int(id(inputs) != self.seen), axis=1)


class ChangesFingerprint(Sound):
    calls = 0

    @property
    def fingerprint(self):
        return f"call {self.calls}"

    def answer(self, inputs):
        self.calls += 1
        return super().answer(inputs)


class Unnormalised(Sound):
    def answer(self, inputs):
        return 2 * super().answer(inputs)


class OneAnswerTooFew(Sound):
    def answer(self, inputs):
        return super().answer(inputs)[1:]


class NoFingerprint(Sound):
    fingerprint = None


class NoForm(Sound):
    form = ("no", "yes")


@pytest.mark.parametrize(
    ("teacher", "error", "message"),
    [
        (NotRepeatable, BadInput, "NotRepeatable gives other answers when it is called again"),
        (DependsOnBatch, BadInput, "DependsOnBatch answers a row differently in another batch"),
        (ModifiesRows, BadInput, "ModifiesRows modifies the rows that it is called with"),
        (OverwritesAnswers, BadInput, "OverwritesAnswers overwrites answers that it returned before"),
        (DependsOnIdentity, BadInput, "DependsOnIdentity answers a copy of the rows differently"),
        (ChangesFingerprint, BadInput, "ChangesFingerprint changes its fingerprint when it answers"),
        (Unnormalised, NotProbabilities, "40 of 40 rows are not probabilities"),
        (OneAnswerTooFew, LabelMismatch, "39 answers to 40 rows"),
        (NoFingerprint, BadInput, "the fingerprint of NoFingerprint is None"),
        (NoForm, BadInput, "the form of NoForm is a tuple"),
        (dict, BadInput, "dict is not a Teacher: it lacks form, fingerprint, answer"),
    ],
)
def test_each_violation_is_reported(teacher, error, message):
    with pytest.raises(error, match=message):
        check_teacher(teacher(), X.copy())


def test_the_sound_teacher_passes():
    check_teacher(Sound(), X)


def test_differences_up_to_the_tolerance_are_allowed():
    class Rough(Sound):
        def answer(self, inputs):
            answers = super().answer(inputs)
            answers[0] += (1e-3, -1e-3)
            return answers / answers.sum(axis=1, keepdims=True)

    with pytest.raises(BadInput, match=r"the difference is up to 0\.00\d+, allowed 1e-05"):
        check_teacher(Rough(), X)
    check_teacher(Rough(), X, tolerance=0.01)


def test_a_single_row_is_refused():
    with pytest.raises(BadInput, match="got one row; pass at least two"):
        check_teacher(Sound(), X[:1])


def test_values_are_compared_in_standard_deviations():
    class Far(Sound):
        form = AnswerForm("values", "regression")

        def answer(self, inputs):
            return 1e9 * np.asarray(inputs)[:, :1] + (len(inputs) == 40)

    check_teacher(Far(), X)
