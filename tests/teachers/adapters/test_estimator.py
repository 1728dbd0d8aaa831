import pickle

import lightgbm
import numpy as np
import pandas as pd
import polars as pl
import pytest
import xgboost
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.cluster import KMeans
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier, VotingClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from tutelage.core.errors import BadInput, NotProbabilities
from tutelage.teachers.adapters.estimator import EstimatorTeacher

X = np.random.default_rng(0).normal(size=(60, 3))
Y = np.array(list("cab"))[X.argmax(axis=1)]
VALUES = X @ [1.0, 2.0, 3.0]
MANY = (X > 0).astype(int)
FRAME = pd.DataFrame(X, columns=["p", "q", "r"])
TEXTS = ["a good film", "a bad film", "good play", "bad play"]


class Unnormalised(ClassifierMixin, BaseEstimator):
    """A classifier whose "probabilities" are scores."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X):
        return np.full((len(X), len(self.classes_)), 2.0)


class Lookalike:
    """Not an estimator, but with `classes_` and `predict_proba`."""

    classes_ = ("no", "yes")

    def predict_proba(self, X):
        return np.full((len(X), 2), 0.5)


def test_columns_are_in_the_order_of_classes():
    forest = RandomForestClassifier(10, random_state=0).fit(X, Y)
    teacher = EstimatorTeacher(forest)
    assert teacher.form.classes == ("a", "b", "c")
    assert ([teacher.form.classes[column] for column in teacher.answer(X).argmax(axis=1)] == Y).mean() > 0.9


def test_scores_that_are_not_probabilities_are_refused():
    with pytest.raises(NotProbabilities, match="the teacher's answers: 3 of 3 rows"):
        EstimatorTeacher(Unnormalised().fit([[0], [1]], [0, 1])).answer(np.zeros((3, 1)))


def test_classes_and_predict_proba_are_enough():
    teacher = EstimatorTeacher(Lookalike())
    assert teacher.form.classes == ("no", "yes")
    assert teacher.answer(X).shape == (60, 2)


@pytest.mark.parametrize("rows", [sparse.csr_matrix(X), sparse.csr_array(X), X.tolist(), FRAME, pl.from_pandas(FRAME)])
def test_an_estimator_without_column_names_accepts_every_container(rows):
    model = LogisticRegression().fit(sparse.csr_matrix(X), Y)
    np.testing.assert_allclose(EstimatorTeacher(model).answer(rows), model.predict_proba(X))


FITTED_ON_FRAMES = {
    "logistic": lambda: LogisticRegression().fit(FRAME, Y),
    "pipeline": lambda: make_pipeline(StandardScaler(), LogisticRegression()).fit(FRAME, Y),
    "search": lambda: GridSearchCV(make_pipeline(StandardScaler(), LogisticRegression()), {"logisticregression__C": [1.0]}, cv=2).fit(
        FRAME, Y
    ),
    "frozen": lambda: FrozenEstimator(LogisticRegression().fit(FRAME, Y)),
    "lightgbm": lambda: lightgbm.LGBMClassifier(n_estimators=3, min_child_samples=2, verbose=-1, n_jobs=1).fit(FRAME, Y),
    "xgboost": lambda: xgboost.XGBClassifier(n_estimators=3, n_jobs=1).fit(FRAME, X.argmax(axis=1)),
    "polars": lambda: LogisticRegression().fit(pl.from_pandas(FRAME), Y),
}


@pytest.mark.parametrize("kind", FITTED_ON_FRAMES)
def test_columns_are_matched_by_name_in_every_container(kind):
    model = FITTED_ON_FRAMES[kind]()
    teacher, expected = EstimatorTeacher(model), model.predict_proba(FRAME)
    for rows in (FRAME, FRAME[["r", "p", "q"]], pl.from_pandas(FRAME).select("q", "r", "p"), FRAME.assign(more="text"), X):
        np.testing.assert_allclose(teacher.answer(rows), expected)
    with pytest.raises(BadInput, match="lack the columns 'r'"):
        teacher.answer(FRAME[["p", "q"]])
    with pytest.raises(BadInput, match="the rows have 2 columns; the teacher was trained on 3"):
        teacher.answer(X[:, :2])


def test_mixed_columns_reach_their_transformers():
    mixed = FRAME.assign(q=np.where(X[:, 1] > 0, "up", "down"))
    columns = make_column_transformer((OneHotEncoder(), ["q"]), remainder="passthrough")
    model = make_pipeline(columns, LogisticRegression()).fit(mixed, Y)
    for rows in (mixed[["q", "r", "p"]], pl.from_pandas(mixed)):
        np.testing.assert_allclose(EstimatorTeacher(model).answer(rows), model.predict_proba(mixed))


def test_categories_of_a_boosting_estimator_are_matched_by_name():
    coloured = FRAME.assign(q=pd.Categorical(np.where(X[:, 1] > 0, "red", "blue")))
    model = lightgbm.LGBMRegressor(n_estimators=5, min_child_samples=2, verbose=-1, n_jobs=1, cat_smooth=0, min_data_per_group=1)
    teacher = EstimatorTeacher(model.fit(coloured, X[:, 1] > 0))
    assert np.ptp(teacher.answer(coloured)) > 0.1
    np.testing.assert_array_equal(teacher.answer(coloured.assign(q=coloured["q"].astype(str))), teacher.answer(coloured))


@pytest.mark.parametrize("rows", [TEXTS, np.array(TEXTS), pd.Series(TEXTS), pd.DataFrame({"t": TEXTS}), pl.DataFrame({"t": TEXTS})])
def test_texts_are_accepted_as_a_list_an_array_or_one_column(rows):
    model = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(TEXTS, [1, 0, 1, 0])
    np.testing.assert_array_equal(EstimatorTeacher(model).answer(rows), model.predict_proba(TEXTS))


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (pd.DataFrame({"t": TEXTS, "u": TEXTS}), "takes one text per row; the rows have 2 columns"),
        (pd.DataFrame({"t": TEXTS, "u": TEXTS}).iloc[:2], "takes one text per row; the rows have 2 columns"),  # not its two names
        (pd.DataFrame({"t": [None]}), "row 0 is None"),
    ],
)
def test_frames_that_a_vectorizer_would_read_as_names_are_refused(rows, message):
    model = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(TEXTS, [1, 0, 1, 0])
    with pytest.raises(BadInput, match=message):
        EstimatorTeacher(model).answer(rows)


def test_unsuitable_rows_are_refused_in_one_sentence():
    with pytest.raises(BadInput, match=r"this LogisticRegression cannot take these rows \(.*\)\.$"):
        EstimatorTeacher(LogisticRegression().fit(X, Y)).answer([["a", "b", "c"]])


@pytest.mark.parametrize(
    "model",
    [
        MultiOutputClassifier(LogisticRegression()),
        ClassifierChain(LogisticRegression()),
        OneVsRestClassifier(LogisticRegression()),
        RandomForestClassifier(5, random_state=0),
        KNeighborsClassifier(3),
        MLPClassifier((4,), tol=0.1, max_iter=2000, random_state=0),
        make_pipeline(StandardScaler(), KNeighborsClassifier(3)),
    ],
    ids=lambda model: type(model).__name__,
)
def test_every_label_of_a_multilabel_classifier_has_its_own_probability(model):
    teacher = EstimatorTeacher(model.fit(X, MANY), names=("x", "y", "z"))
    assert (teacher.form.task, teacher.form.classes) == ("multilabel", ("x", "y", "z"))
    answers, expected = teacher.answer(X), model.predict_proba(X)
    first = expected[0][:, 1] if isinstance(expected, list) else expected[:, 0]
    np.testing.assert_array_equal(answers[:, 0], first)
    assert EstimatorTeacher(model).form.classes == (0, 1, 2)
    with pytest.raises(BadInput, match="classes= has 2 names for 3 labels"):
        EstimatorTeacher(model, names=("x", "y"))


@pytest.mark.parametrize("always", [0, 1])
def test_a_label_that_is_constant_in_training_is_certain(always):
    truth = np.column_stack([MANY[:, 0], np.full(60, always)])
    teacher = EstimatorTeacher(RandomForestClassifier(5, random_state=0).fit(X, truth))
    np.testing.assert_array_equal(teacher.answer(X)[:, 1], np.full(60, float(always)))


def test_a_constant_text_label_is_refused():
    truth = np.column_stack([np.where(MANY[:, 0], "on", "off"), np.full(60, "off")])
    with pytest.raises(BadInput, match="was fitted on a label that is always 'off'"):
        EstimatorTeacher(RandomForestClassifier(5).fit(X, truth))


def test_multiple_outputs_with_more_than_two_classes_are_refused():
    with pytest.raises(BadInput, match="multiple outputs, one of them with 3 classes; make a teacher of each output"):
        EstimatorTeacher(RandomForestClassifier(3).fit(X, np.column_stack([MANY[:, 0], X.argmax(axis=1)])))


def test_a_regressor_answers_one_column_for_each_output():
    np.testing.assert_allclose(EstimatorTeacher(LinearRegression().fit(X, VALUES)).answer(X), VALUES[:, None])
    np.testing.assert_allclose(EstimatorTeacher(LinearRegression().fit(X, X)).answer(X), X, atol=1e-12)


@pytest.mark.parametrize(
    ("model", "names", "message"),
    [
        (KMeans(2, n_init=1, random_state=0).fit(X), None, "KMeans is a clusterer or an outlier detector"),
        (VotingClassifier([("a", LogisticRegression())]).fit(X, Y), None, "no predict_proba, .*; wrap it"),
        (make_pipeline(StandardScaler(), LogisticRegression()), None, "this Pipeline is not fitted"),
        (lightgbm.LGBMClassifier(), None, "this LGBMClassifier is not fitted"),
        (xgboost.XGBClassifier(), None, "this XGBClassifier is not fitted"),
        (LogisticRegression().fit(X, Y), ("a", "b", "c"), "leave classes= out"),
        (LinearRegression().fit(X, VALUES), ("a",), "leave classes= out"),
    ],
)
def test_unsuitable_estimators_are_refused(model, names, message):
    with pytest.raises(BadInput, match=message):
        EstimatorTeacher(model, names)


def test_the_fingerprint_follows_the_fitted_state():
    forest = RandomForestClassifier(5, random_state=0).fit(X, Y)
    teacher = EstimatorTeacher(forest)
    before = teacher.fingerprint
    assert before == EstimatorTeacher(pickle.loads(pickle.dumps(forest))).fingerprint  # noqa: S301 - our own bytes
    forest.fit(X[:50], Y[:50])
    assert teacher.fingerprint != before


def test_the_fingerprint_ignores_padding_bytes():
    forests = [RandomForestClassifier(3, random_state=0).fit(X, Y) for _ in range(2)]
    nodes = [forest.estimators_[0].tree_.__getstate__()["nodes"] for forest in forests]
    packed = sum(nodes[0].dtype[name].itemsize for name in nodes[0].dtype.names)
    assert packed < nodes[0].dtype.itemsize  # there are bytes between the fields
    for fill, forest in enumerate(forests):
        tree = forest.estimators_[0].tree_
        state = tree.__getstate__()
        raw = np.full(state["nodes"].nbytes, fill, dtype=np.uint8).view(state["nodes"].dtype)
        for name in raw.dtype.names:
            raw[name] = state["nodes"][name]
        tree.__setstate__({**state, "nodes": raw})
    assert EstimatorTeacher(forests[0]).fingerprint == EstimatorTeacher(forests[1]).fingerprint


def test_an_estimator_that_holds_a_lambda_answers_but_has_no_fingerprint():
    model = make_pipeline(FunctionTransformer(lambda frame: frame[["p", "q"]]), LogisticRegression()).fit(FRAME, Y)
    teacher = EstimatorTeacher(model)
    np.testing.assert_array_equal(teacher.answer(FRAME[["r", "q", "p"]]), model.predict_proba(FRAME))
    with pytest.raises(BadInput, match=r"cannot be pickled .* replace a lambda by a function of a module"):
        _ = teacher.fingerprint
