import pickle

import catboost
import lightgbm
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import xgboost
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer, make_column_transformer
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier, StackingClassifier, VotingClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline, make_union
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from tutelage.core.errors import BadInput, NotProbabilities
from tutelage.teachers.adapters.estimator import EstimatorTeacher

X = np.random.default_rng(0).normal(size=(60, 3))
Y = np.array(list("cab"))[X.argmax(axis=1)]
VALUES = X @ [1.0, 2.0, 3.0]
MANY = (X > 0).astype(int)
FRAME = pd.DataFrame(X, columns=["p", "q", "r"])
QUIET = {"iterations": 5, "verbose": 0, "allow_writing_files": False, "thread_count": 1}
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
    with pytest.raises(BadInput, match="the rows have 2 columns; expected 3"):
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


def test_an_estimator_that_holds_a_lambda_is_identified_by_what_the_lambda_does():
    def holding(function):
        return EstimatorTeacher(make_pipeline(FunctionTransformer(function), LogisticRegression()).fit(FRAME, Y))

    teacher = holding(lambda frame: frame[["p", "q"]])
    np.testing.assert_array_equal(teacher.answer(FRAME[["r", "q", "p"]]), teacher.estimator.predict_proba(FRAME))
    same, other = holding(lambda frame: frame[["p", "q"]]), holding(lambda frame: frame[["p", "r"]])
    assert teacher.fingerprint == same.fingerprint != other.fingerprint


class Named(ClassifierMixin, BaseEstimator):
    """A classifier whose classes are a list, and whose answers are a frame with columns in another order."""

    def fit(self, X, y):
        self.classes_ = ["no", "yes"]
        return self

    def predict_proba(self, X):
        on = np.asarray(X)[:, 0] > 0
        return pd.DataFrame({"yes": on * 0.9, "no": 1 - on * 0.9})


class OneColumn(Named):
    """A classifier that answers the probability of its second class alone."""

    def predict_proba(self, X):
        return (np.asarray(X)[:, :1] > 0) * 0.9


@pytest.mark.parametrize("kind", [Named, OneColumn])
def test_answers_follow_the_classes(kind):
    teacher = EstimatorTeacher(kind().fit(X, Y))
    assert teacher.form.classes == ("no", "yes")
    np.testing.assert_allclose(teacher.answer(X), np.column_stack([1 - (X[:, 0] > 0) * 0.9, (X[:, 0] > 0) * 0.9]))


class Product(TransformerMixin, BaseEstimator):
    """A step that reads columns by name, and stores no names."""

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return X.assign(product=X["p"] * X["q"])[["p", "product"]]


def test_a_pipeline_that_reads_columns_by_name_is_given_a_frame():
    model = make_pipeline(Product(), LinearRegression()).fit(FRAME, VALUES)
    teacher = EstimatorTeacher(model)
    assert teacher.schema is None
    for rows in (FRAME, FRAME[["r", "q", "p"]]):
        np.testing.assert_array_equal(teacher.answer(rows)[:, 0], model.predict(FRAME))
    with pytest.raises(BadInput, match=r"this Pipeline cannot take these rows"):
        teacher.answer(X)


def test_an_estimator_that_predicts_a_column_of_values():
    class Column(BaseEstimator):
        def fit(self, X, y):
            self.fitted_ = True
            return self

        def predict(self, X):
            return np.asarray(X)[:, :1]

    np.testing.assert_array_equal(EstimatorTeacher(Column().fit(X, VALUES)).answer(X), X[:, :1])


@pytest.mark.parametrize(
    "model",
    [
        StackingClassifier([("a", KNeighborsClassifier(3))], KNeighborsClassifier(3), cv=2),
        make_pipeline(
            StandardScaler(), StackingClassifier([("a", KNeighborsClassifier(3))], RandomForestClassifier(5, random_state=0), cv=2)
        ),
        xgboost.XGBClassifier(n_estimators=5, n_jobs=1),
        make_pipeline(StandardScaler(), xgboost.XGBClassifier(n_estimators=5, n_jobs=1)),
        make_pipeline(StandardScaler(), catboost.CatBoostClassifier(loss_function="MultiLogloss", **QUIET)),
        MultiOutputClassifier(lightgbm.LGBMClassifier(n_estimators=5, min_child_samples=2, verbose=-1, n_jobs=1)),
        ClassifierChain(xgboost.XGBClassifier(n_estimators=5, n_jobs=1)),
        DecisionTreeClassifier(),
        DummyClassifier(),
    ],
    ids=lambda model: type(model).__name__,
)
def test_labels_that_are_on_are_likely(model):
    teacher = EstimatorTeacher(model.fit(X, MANY))
    assert (teacher.form.task, teacher.form.classes) == ("multilabel", (0, 1, 2))
    agreement = ((teacher.answer(X) > 0.5) == MANY).mean(axis=0)
    assert agreement.min() >= (0.3 if isinstance(model, DummyClassifier) else 0.75)


def test_xgboost_with_two_labels_is_not_binary():
    model = xgboost.XGBClassifier(n_estimators=3, n_jobs=1).fit(X, MANY[:, :2])
    teacher = EstimatorTeacher(model, names=("x", "y"))
    assert (teacher.form.task, teacher.form.classes) == ("multilabel", ("x", "y"))
    np.testing.assert_array_equal(teacher.answer(X), model.predict_proba(X))


def test_metadata_that_an_answer_needs_is_named():
    class Grouped(Named):
        def predict_proba(self, X, groups):
            return groups

    with pytest.raises(BadInput, match="predict_proba of Grouped needs groups beside the rows"):
        EstimatorTeacher(Grouped().fit(X, Y))
    with pytest.raises(BadInput, match="predict_proba of Grouped needs groups beside the rows"):
        EstimatorTeacher(make_pipeline(StandardScaler(), Grouped()).fit(X, Y))


def test_pandas_output_of_transformers_does_not_matter():
    model = make_pipeline(StandardScaler(), LogisticRegression()).set_output(transform="pandas").fit(FRAME, Y)
    np.testing.assert_allclose(EstimatorTeacher(model).answer(FRAME[["r", "p", "q"]]), model.predict_proba(FRAME))


MIXED = pd.DataFrame(
    {
        "body mass": X[:, 0],
        "code": np.random.default_rng(1).choice([3, 1, 7], 60),
        "colour": np.random.default_rng(2).choice(["red", "blue", "green"], 60),
    }
)
CATEGORIES = MIXED.astype({"code": "category", "colour": "category"})
OF_MIXED = ((MIXED["code"] == 3) ^ (MIXED["colour"] == "red")).to_numpy(int)
TWICE = np.column_stack([OF_MIXED, 1 - OF_MIXED])


def encoders():
    return make_column_transformer((OneHotEncoder(handle_unknown="ignore"), ["code", "colour"]), remainder="passthrough")


def lgbm():
    return lightgbm.LGBMClassifier(n_estimators=5, min_child_samples=2, verbose=-1, n_jobs=1, cat_smooth=0, min_data_per_group=1)


def boosted():
    return xgboost.XGBClassifier(n_estimators=5, n_jobs=1, enable_categorical=True)


def pandas_columns():
    passing = ColumnTransformer([("all", "passthrough", list(MIXED.columns))], verbose_feature_names_out=False)
    return passing.set_output(transform="pandas")


LEARNT = {
    "one-hot": (lambda: make_pipeline(encoders(), LogisticRegression()), MIXED),
    "imputed": (lambda: make_pipeline(SimpleImputer(strategy="most_frequent"), encoders_by_position(), LogisticRegression()), MIXED),
    "histogram": (lambda: HistGradientBoostingClassifier(max_iter=5, min_samples_leaf=2, categorical_features="from_dtype"), CATEGORIES),
    "lightgbm": (lgbm, CATEGORIES),
    "calibrated": (lambda: CalibratedClassifierCV(lgbm(), cv=2), CATEGORIES),
    "voting": (lambda: VotingClassifier([("a", lgbm()), ("b", boosted())], voting="soft"), CATEGORIES),
    "after passthrough": (lambda: Pipeline([("none", "passthrough"), ("model", lgbm())]), CATEGORIES),
    "after pandas": (lambda: make_pipeline(pandas_columns(), lgbm()), CATEGORIES),
    "xgboost": (boosted, CATEGORIES),
    "xgboost after a function": (lambda: make_pipeline(FunctionTransformer(reversed_columns), boosted()), CATEGORIES),
    "catboost after a function": (
        lambda: make_pipeline(FunctionTransformer(reversed_columns), catboost.CatBoostClassifier(cat_features=["code", "colour"], **QUIET)),
        MIXED,
    ),
}


def encoders_by_position():
    return make_column_transformer((OneHotEncoder(handle_unknown="ignore"), [1, 2]))


def reversed_columns(frame):
    return frame[frame.columns[::-1]]


RECODED = {
    "reordered": lambda rows: rows[["colour", "code", "body mass"]],
    "texts": lambda rows: rows.astype({"code": int}).astype({"code": str, "body mass": str, "colour": str}),
    "text categories": lambda rows: rows.astype({"code": int}).astype({"code": str}).astype({"code": "category"}),
    "objects": lambda rows: rows.astype(object),
    "other levels": lambda rows: rows.assign(colour=pd.Categorical(rows["colour"], ["violet", "red", "green", "blue"])),
    "small integers": lambda rows: rows.astype({"code": np.int8}),
    "nullable": lambda rows: rows.convert_dtypes(),
    "Arrow": pa.table,
    "more": lambda rows: rows.assign(more="x"),
}


@pytest.mark.parametrize("kind", LEARNT)
def test_rows_of_other_types_are_answered_as_those_that_were_learnt(kind):
    make, rows = LEARNT[kind]
    model = make().fit(rows, OF_MIXED)
    teacher, expected = EstimatorTeacher(model), model.predict_proba(rows)
    assert np.ptp(expected[:, 1]) > 0.1
    for form, recode in RECODED.items():
        np.testing.assert_allclose(teacher.answer(recode(rows)), expected, rtol=1e-6, err_msg=form)


@pytest.mark.parametrize("kind", [kind for kind in LEARNT if kind not in ("catboost after a function", "imputed")])
def test_cells_of_another_type_than_the_categories_are_refused(kind):
    make, rows = LEARNT[kind]
    teacher = EstimatorTeacher(make().fit(rows, OF_MIXED))
    with pytest.raises(BadInput, match=r"column 'code' holds 'red' in row 0; expected the categories 1, 3, 7"):
        teacher.answer(rows.assign(code="red"))


def test_names_with_spaces_are_found_in_lightgbm():
    model = lgbm().fit(MIXED[["body mass", "code"]], OF_MIXED)
    expected = model.predict_proba(MIXED[["body mass", "code"]])
    for rows in (MIXED, MIXED[["code", "body mass"]], MIXED.rename(columns={"body mass": "body_mass"})):
        np.testing.assert_array_equal(EstimatorTeacher(model).answer(rows), expected)


def test_columns_named_by_number_are_sorted():
    model = LogisticRegression().fit(pd.DataFrame(X), Y)
    np.testing.assert_array_equal(EstimatorTeacher(model).answer(pd.DataFrame(X)[[2, 0, 1]]), model.predict_proba(pd.DataFrame(X)))


@pytest.mark.parametrize("rows", [np.asfortranarray(X), X.astype(">f8"), X[:, ::-1][:, ::-1], X.astype(object)])
def test_the_layout_of_a_matrix_does_not_matter(rows):
    model = LogisticRegression().fit(X, Y)
    np.testing.assert_allclose(EstimatorTeacher(model).answer(rows), model.predict_proba(X))


DATES = pd.DataFrame({name: pd.date_range("2026-01-01", periods=60) for name in "pqr"})


@pytest.mark.parametrize(
    "model", [RandomForestClassifier(2), KNeighborsClassifier(), make_pipeline(StandardScaler(), LogisticRegression())]
)
def test_dates_are_refused_where_numbers_were_learnt(model):
    for learnt, rows in ((FRAME, DATES), (X, DATES), (X, DATES.to_numpy()), (FRAME, pl.from_pandas(DATES)), (FRAME, DATES - DATES.iloc[0])):
        for method in ("answer", "decide"):
            with pytest.raises(BadInput, match=r"holds? dates, and the model learnt numbers"):
                getattr(EstimatorTeacher(model.fit(learnt, Y)), method)(rows)


def _readers_of_numbers():
    scaled = make_column_transformer((StandardScaler(), ["body mass"]), (OneHotEncoder(), ["code"]))
    yield make_pipeline(scaled, LogisticRegression())
    yield make_pipeline(make_column_transformer((OneHotEncoder(), ["code"]), remainder=StandardScaler()), LogisticRegression())
    yield make_pipeline(make_column_transformer((make_union(StandardScaler(), StandardScaler()), ["body mass"])), LogisticRegression())
    yield VotingClassifier([("model", make_pipeline(scaled, LogisticRegression()))], voting="soft")
    yield CalibratedClassifierCV(make_pipeline(scaled, LogisticRegression()), cv=2)
    yield HistGradientBoostingClassifier(max_iter=2, categorical_features=["code"])


@pytest.mark.parametrize("model", list(_readers_of_numbers()), ids=lambda model: type(model).__name__)
def test_dates_are_refused_where_a_part_learnt_numbers(model):
    teacher = EstimatorTeacher(model.fit(MIXED[["body mass", "code"]], OF_MIXED))
    dates = MIXED.assign(**{"body mass": pd.Timestamp("2026-01-01")})
    for method in ("answer", "decide"):
        with pytest.raises(BadInput, match="column 'body mass' holds dates, and the model learnt numbers"):
            getattr(teacher, method)(dates)
    assert len(teacher.answer(MIXED)) == len(MIXED)


def test_dates_reach_a_step_that_takes_them():
    model = make_pipeline(FunctionTransformer(days), LogisticRegression()).fit(DATES, Y)
    np.testing.assert_array_equal(EstimatorTeacher(model).answer(DATES), model.predict_proba(DATES))


def days(frame):
    return frame.apply(lambda column: column.dt.day)


def test_categories_of_a_matrix_are_matched_by_value():
    learnt = np.column_stack([MIXED["code"], MIXED["body mass"].round()])
    columns = make_column_transformer((OneHotEncoder(handle_unknown="ignore"), [0]), remainder="passthrough")
    model = make_pipeline(columns, LogisticRegression()).fit(learnt, OF_MIXED)
    teacher = EstimatorTeacher(model)
    assert [(column.name, column.levels) for column in teacher.schema.columns] == [(None, (1.0, 3.0, 7.0)), (None, None)]
    for rows in (learnt, learnt.astype(int), learnt.astype(int).astype(str).astype(object), pd.DataFrame(learnt, columns=["x", "y"])):
        np.testing.assert_allclose(teacher.answer(rows), model.predict_proba(learnt))
    with pytest.raises(BadInput, match=r"column '0' holds 'red' in row 0; expected the categories 1\.0, 3\.0, 7\.0"):
        teacher.answer(np.array([["red", "1"]], dtype=object))
