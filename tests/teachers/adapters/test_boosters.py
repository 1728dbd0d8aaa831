import catboost
import lightgbm
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch
import xgboost
from scipy import sparse
from scipy.special import expit, softmax

from tutelage.core.errors import BadInput, NotProbabilities
from tutelage.teachers.adapt import as_teacher
from tutelage.teachers.files.open import open_teacher

RNG = np.random.default_rng(0)
X = RNG.normal(size=(80, 3))
FRAME = pd.DataFrame(X, columns=["p", "q", "r"])
VALUES = X @ [1.0, 2.0, 3.0]
THREE = X.argmax(axis=1)
TWO = (VALUES > 0).astype(int)
LETTERS = np.array(list("cab"))[THREE]
MANY = (X > 0).astype(int)


def lgb(truth, data=X, rounds=4, **params):
    settings = {"verbose": -1, "min_data_in_leaf": 2, "num_threads": 1, "min_data_per_group": 1, "cat_smooth": 0, **params}
    return lightgbm.train(settings, lightgbm.Dataset(data, truth), rounds)


def xgb(truth, data=X, rounds=4, *, obj=None, **params):
    return xgboost.train({"nthread": 1, **params}, xgboost.DMatrix(data, truth, enable_categorical=True), rounds, obj=obj)


def cat(truth, data=X, kind=catboost.CatBoost, **params):
    return kind({"iterations": 4, "verbose": 0, "allow_writing_files": False, "thread_count": 1, **params}).fit(data, truth)


def cat_class(kind, truth, data=X, **params):
    return kind(iterations=4, verbose=0, allow_writing_files=False, thread_count=1, **params).fit(data, truth)


# LightGBM


def test_lightgbm_classifiers_answer_probabilities():
    two, three = lgb(TWO, objective="binary"), lgb(THREE, objective="multiclass", num_class=3)
    teachers = as_teacher(two), as_teacher(three, classes=("c", "a", "b"))
    assert [teacher.form.task for teacher in teachers] == ["binary", "multiclass"]
    assert [teacher.form.classes for teacher in teachers] == [(0, 1), ("c", "a", "b")]
    np.testing.assert_array_equal(teachers[0].answer(X)[:, 1], two.predict(X))
    np.testing.assert_array_equal(teachers[1].answer(X), three.predict(X))


@pytest.mark.parametrize("objective", ["regression", "regression_l1", "poisson", "quantile"])
def test_lightgbm_answers_values(objective):
    booster = lgb(np.abs(VALUES), objective=objective)
    assert as_teacher(booster).form.task == "regression"
    np.testing.assert_array_equal(as_teacher(booster).answer(X)[:, 0], booster.predict(X))


def test_a_custom_lightgbm_objective_must_be_declared():
    def squares(scores, data):
        return scores - data.get_label(), np.ones_like(scores)

    booster = lgb(VALUES, objective=squares)
    with pytest.raises(BadInput, match=r"the objective 'custom' of this booster does not determine .*\. Pass kind= and classes="):
        as_teacher(booster)
    assert as_teacher(booster, kind="values").form.task == "regression"
    logits = as_teacher(booster, kind="logits", classes=("no", "yes")).answer(X)
    np.testing.assert_array_equal(logits, np.column_stack([np.zeros(80), booster.predict(X)]))
    with pytest.raises(BadInput, match="leave classes= out"):
        as_teacher(booster, kind="values", classes=("no", "yes"))


def test_lightgbm_uses_the_best_iteration_of_early_stopping():
    validation, stop = lightgbm.Dataset(X[:40], RNG.permutation(TWO[:40])), lightgbm.early_stopping(3, verbose=False)
    quiet = {"objective": "binary", "verbose": -1, "min_data_in_leaf": 2, "num_threads": 1}
    data = lightgbm.Dataset(X[40:], TWO[40:])
    booster = lightgbm.train(quiet, data, 50, valid_sets=[validation], callbacks=[stop], keep_training_booster=True)
    assert booster.best_iteration < booster.current_iteration()
    best = booster.predict(X, num_iteration=booster.best_iteration)
    np.testing.assert_array_equal(as_teacher(booster).answer(X)[:, 1], best)


# XGBoost


def test_xgboost_answers_margins_whose_softmax_equals_its_predictions():
    two, three = xgb(TWO, objective="binary:logistic"), xgb(THREE, objective="multi:softprob", num_class=3)
    teachers = as_teacher(two), as_teacher(three, classes=("c", "a", "b"))
    assert [teacher.form.kind for teacher in teachers] == ["logits", "logits"]
    assert teachers[1].form.classes == ("c", "a", "b")
    matrix = xgboost.DMatrix(X)
    np.testing.assert_allclose(softmax(teachers[0].answer(X), axis=1)[:, 1], two.predict(matrix), rtol=1e-5)
    np.testing.assert_allclose(softmax(teachers[1].answer(X), axis=1), three.predict(matrix), rtol=1e-5)


def test_xgboost_with_softmax_objective_answers_margins_as_well():
    teacher = as_teacher(xgb(THREE, objective="multi:softmax", num_class=3))
    assert teacher.answer(X).shape == (80, 3)
    assert (teacher.answer(X).argmax(axis=1) == THREE).mean() > 0.9


def test_xgboost_multilabel():
    booster = xgb(MANY, objective="binary:logistic")
    teacher = as_teacher(booster, classes=("x", "y", "z"))
    assert (teacher.form.task, teacher.form.classes) == ("multilabel", ("x", "y", "z"))
    np.testing.assert_allclose(expit(teacher.answer(X)), booster.predict(xgboost.DMatrix(X)), rtol=1e-5)


@pytest.mark.parametrize(
    ("truth", "params"),
    [
        (VALUES, {"objective": "reg:squarederror"}),
        (X, {"objective": "reg:squarederror"}),
        (np.abs(VALUES), {"objective": "count:poisson"}),
        (VALUES, {"objective": "reg:squarederror", "booster": "gblinear"}),
    ],
)
def test_xgboost_answers_values(truth, params):
    booster = xgb(truth, **params)
    assert as_teacher(booster).form.task == "regression"
    np.testing.assert_array_equal(as_teacher(booster).answer(X), booster.predict(xgboost.DMatrix(X)).reshape(80, -1))


def test_a_custom_xgboost_objective_can_be_declared():
    def logistic(scores, data):
        p = expit(scores)
        return p - data.get_label(), p * (1 - p)

    booster = xgb(TWO, obj=logistic)  # reports reg:squarederror
    logits = as_teacher(booster, kind="logits", classes=("no", "yes")).answer(X)
    np.testing.assert_array_equal(logits[:, 1], booster.predict(xgboost.DMatrix(X), output_margin=True))
    with pytest.raises(BadInput, match="leave classes= out"):
        as_teacher(booster, classes=("no", "yes"))


def test_xgboost_uses_the_best_iteration_of_early_stopping():
    validation = xgboost.DMatrix(X[:40], RNG.permutation(TWO[:40]))
    settings = {"objective": "binary:logistic", "nthread": 1}
    booster = xgboost.train(
        settings, xgboost.DMatrix(X[40:], TWO[40:]), 50, evals=[(validation, "validation")], early_stopping_rounds=3, verbose_eval=False
    )
    matrix = xgboost.DMatrix(X)
    best = booster.predict(matrix, output_margin=True, iteration_range=(0, booster.best_iteration + 1))
    assert not np.array_equal(best, booster.predict(matrix, output_margin=True))
    np.testing.assert_array_equal(as_teacher(booster).answer(X)[:, 1], best)


# CatBoost


@pytest.mark.parametrize(("loss", "truth", "classes"), [("Logloss", TWO, (0, 1)), ("MultiClass", LETTERS, ("a", "b", "c"))])
def test_catboost_stores_its_classes(loss, truth, classes):
    booster = cat(truth, loss_function=loss)
    teacher = as_teacher(booster)
    assert teacher.form.classes == classes
    np.testing.assert_array_equal(teacher.answer(X), booster.predict(X, prediction_type="Probability"))
    with pytest.raises(BadInput, match="stores its classes: leave classes= out"):
        as_teacher(booster, classes=classes)


@pytest.mark.parametrize(
    ("loss", "truth"),
    [("RMSE", VALUES), ("MAE", VALUES), ("Poisson", np.abs(VALUES)), ("Tweedie:variance_power=1.5", np.abs(VALUES)), ("MultiRMSE", X)],
)
def test_catboost_answers_values_instead_of_their_logarithms(loss, truth):
    regressor = cat_class(catboost.CatBoostRegressor, truth, loss_function=loss)
    bare = cat(truth, loss_function=loss)
    for model in (regressor, bare):
        assert as_teacher(model).form.task == "regression"
        np.testing.assert_allclose(as_teacher(model).answer(X), regressor.predict(X).reshape(80, -1))


@pytest.mark.parametrize("bare", [True, False])
def test_catboost_multilabel(bare):
    classifier = cat_class(catboost.CatBoostClassifier, MANY, loss_function="MultiLogloss")
    model = cat(MANY, loss_function="MultiLogloss") if bare else classifier
    teacher = as_teacher(model, classes=("x", "y", "z"))
    assert (teacher.form.task, teacher.form.classes) == ("multilabel", ("x", "y", "z"))
    np.testing.assert_allclose(teacher.answer(X), classifier.predict_proba(X))


def test_a_catboost_classifier_answers_like_predict_proba():
    classifier = cat_class(catboost.CatBoostClassifier, LETTERS, FRAME)
    np.testing.assert_array_equal(as_teacher(classifier).answer(FRAME), classifier.predict_proba(FRAME))


def test_a_catboost_model_decides_by_its_threshold(tmp_path):
    classifier = cat_class(catboost.CatBoostClassifier, np.where(TWO, "q", "p"))
    before, plain = as_teacher(classifier).fingerprint, as_teacher(classifier).decide(X)
    classifier.set_probability_threshold(0.2)
    teacher = as_teacher(classifier)
    assert teacher.fingerprint != before
    np.testing.assert_array_equal(teacher.decide(X), np.where(teacher.answer(X)[:, 1] > 0.2, "q", "p"))
    assert (teacher.decide(X) != plain).any()
    classifier.save_model(str(tmp_path / "model.cbm"))
    np.testing.assert_array_equal(open_teacher(str(tmp_path / "model.cbm")).decide(X), teacher.decide(X))
    assert as_teacher(cat_class(catboost.CatBoostRegressor, TWO)).decide(X) is None


def test_an_unfitted_catboost_model_is_refused():
    for model in (catboost.CatBoost(), catboost.CatBoostClassifier()):
        with pytest.raises(BadInput, match="is not fitted; a teacher must be a fitted model"):
            as_teacher(model)


# All engines


@pytest.mark.parametrize(
    ("booster", "options", "message"),
    [
        (lgb(TWO, objective="multiclassova", num_class=2), {}, "'multiclassova' of this booster does not determine"),
        (lgb(TWO, objective="binary"), {"kind": "logits"}, "kind= is 'logits', but .* answers probabilities: leave kind= out"),
        (lgb(TWO, objective="binary"), {"classes": ("a", "b", "c")}, "classes= has 3 labels for a booster of 2 classes"),
        (lgb(VALUES, objective="regression"), {"kind": "logits", "classes": (0, 1)}, "kind= is 'logits', but .* answers values"),
        (xgb(TWO, objective="binary:hinge"), {}, "'binary:hinge' of this booster does not determine"),
        (xgb(TWO, objective="binary:logistic"), {"kind": "probabilities"}, "kind= is 'probabilities', but .* answers logits"),
        (xgb(THREE, objective="multi:softprob", num_class=3), {"classes": (0, 1)}, "classes= has 2 labels for a booster of 3 classes"),
        (xgb(MANY, objective="binary:logistic"), {"kind": "values"}, "kind= is 'values', but .* answers logits"),
        (cat(LETTERS, loss_function="MultiClassOneVsAll"), {}, "'MultiClassOneVsAll' of this booster does not determine"),
        (cat(VALUES), {"kind": "values"}, "leave kind= out"),
    ],
)
def test_missing_and_superfluous_declarations_are_refused(booster, options, message):
    with pytest.raises(BadInput, match=message):
        as_teacher(booster, **options)


def test_scores_declared_as_probabilities_are_refused():
    booster = lgb(THREE, objective="multiclassova", num_class=3)
    with pytest.raises(NotProbabilities):
        as_teacher(booster, kind="probabilities", classes=(0, 1, 2)).answer(X)


NAMED = {"lightgbm": lgb(VALUES, FRAME, objective="regression"), "xgboost": xgb(VALUES, FRAME), "catboost": cat(VALUES, FRAME)}
NAMELESS = {"lightgbm": lgb(VALUES, objective="regression"), "xgboost": xgb(VALUES), "catboost": cat(VALUES)}


@pytest.mark.parametrize("engine", NAMED)
@pytest.mark.parametrize(
    "rows",
    [FRAME[["r", "p", "q"]], pl.from_pandas(FRAME).select("q", "r", "p"), FRAME.assign(more="text"), X, torch.tensor(X)],
    ids=["reordered", "polars", "more", "array", "tensor"],
)
def test_columns_are_matched_by_name_in_every_container(engine, rows):
    teacher = as_teacher(NAMED[engine])
    np.testing.assert_array_equal(teacher.answer(rows), teacher.answer(FRAME))


@pytest.mark.parametrize("engine", NAMED)
def test_missing_columns_are_refused(engine, capfd):
    for booster, rows in ((NAMED[engine], FRAME[["p", "q"]]), (NAMED[engine], X[:, :2]), (NAMELESS[engine], X[:, :2])):
        with pytest.raises(BadInput):
            as_teacher(booster).answer(rows)
    np.testing.assert_array_equal(as_teacher(NAMELESS[engine]).answer(FRAME), as_teacher(NAMELESS[engine]).answer(X))


COLOURED = FRAME.assign(q=pd.Categorical(np.array(["red", "green", "blue"])[RNG.integers(3, size=80)]))
OF_COLOUR = VALUES + 9 * COLOURED["q"].cat.codes.to_numpy()


@pytest.mark.parametrize(
    "booster", [lgb(OF_COLOUR, COLOURED, objective="regression"), xgb(OF_COLOUR, COLOURED)], ids=["lightgbm", "xgboost"]
)
@pytest.mark.parametrize(
    "recoded",
    [
        COLOURED.assign(q=pd.Categorical(COLOURED["q"].astype(str), categories=["red", "green", "blue"])),
        COLOURED.assign(q=COLOURED["q"].astype(str)),
        COLOURED.assign(q=COLOURED["q"].astype(object)),
        pl.from_pandas(COLOURED),
    ],
    ids=["other codes", "texts", "objects", "polars"],
)
def test_categories_are_matched_by_name_instead_of_by_code(booster, recoded):
    teacher = as_teacher(booster)
    assert np.ptp(teacher.answer(COLOURED)) > 5
    np.testing.assert_array_equal(teacher.answer(recoded), teacher.answer(COLOURED))
    reds = COLOURED[COLOURED["q"] == "red"].assign(q="red")  # one category alone would have the code 0
    np.testing.assert_array_equal(teacher.answer(reds), teacher.answer(COLOURED)[(COLOURED["q"] == "red").to_numpy()])


def test_a_category_unknown_to_xgboost_is_refused_in_one_sentence():
    with pytest.raises(BadInput, match=r"column 'q' holds 'violet' in row 0; expected the categories 'blue', 'green', 'red'"):
        as_teacher(xgb(OF_COLOUR, COLOURED)).answer(COLOURED.assign(q="violet"))


LEARNT = pd.DataFrame(
    {
        "body mass": np.where(RNG.random(80) < 0.1, np.nan, X[:, 0]),
        "age": RNG.integers(18, 80, 80),
        "code": pd.Categorical(RNG.choice([30, 10, 70], 80)),
        "colour": pd.Categorical(np.where(RNG.random(80) < 0.1, None, RNG.choice(["red", "green", "blue"], 80))),
        "empty": pd.Categorical([None] * 80, categories=["u", "v"]),
    }
)
FILLED = LEARNT.assign(colour=LEARNT["colour"].astype(object).fillna("none"), empty="none")  # CatBoost refuses gaps in categories
OF_LEARNT = np.nan_to_num(LEARNT["body mass"]) + 3 * (LEARNT["code"] == 70) + 2 * (LEARNT["colour"] == "red") + LEARNT["age"] / 50
MODELS = {
    "lightgbm": (lgb(OF_LEARNT, LEARNT, objective="regression"), LEARNT),
    "xgboost": (xgb(OF_LEARNT, LEARNT), LEARNT),
    "catboost": (cat(OF_LEARNT, FILLED, cat_features=["code", "colour", "empty"]), FILLED),
}
FORMS = {
    "objects": lambda rows: rows.astype(object),
    "texts": lambda rows: rows.astype(object).map(lambda cell: cell if pd.isna(cell) else str(cell)),
    "nullable": lambda rows: rows.convert_dtypes(),
    "Arrow dtypes": lambda rows: rows.convert_dtypes(dtype_backend="pyarrow"),
    "polars": pl.from_pandas,
    "Arrow": pa.table,
    "reordered": lambda rows: rows[rows.columns[::-1]],
    "more": lambda rows: rows.assign(more="x"),
    "index": lambda rows: rows.set_index(np.zeros(80)),
    "integers": lambda rows: rows.astype({"code": np.int16, "age": "Int64"}),
    "text categories": lambda rows: rows.astype({"code": int}).astype({"code": str}).astype({"code": "category"}),
    "other levels": lambda rows: rows.assign(colour=pd.Categorical(rows["colour"], ["violet", "red", "none", "green", "blue"])),
    "matrix": lambda rows: rows.to_numpy(),
    "Fortran order": lambda rows: np.asfortranarray(rows.to_numpy()),
    "lists": lambda rows: rows.astype(object).to_numpy().tolist(),
    "big-endian": lambda rows: rows.astype({"age": ">i4"}),
}


def own_answers(engine, booster, rows):
    return booster.predict(xgboost.DMatrix(rows, enable_categorical=True) if engine == "xgboost" else rows)


@pytest.mark.parametrize("engine", MODELS)
@pytest.mark.parametrize("form", FORMS)
def test_the_same_rows_in_any_form_are_answered_as_the_library_answers_those_that_were_learnt(engine, form):
    booster, rows = MODELS[engine]
    expected = own_answers(engine, booster, rows)
    assert np.ptp(expected) > 1
    np.testing.assert_allclose(as_teacher(booster).answer(FORMS[form](rows))[:, 0], expected, rtol=1e-6)


@pytest.mark.parametrize("engine", MODELS)
def test_a_part_of_the_rows_is_answered_as_within_the_whole(engine):
    booster, rows = MODELS[engine]
    teacher = as_teacher(booster)
    one_level = rows[rows["code"] == 70]
    one_level = one_level.assign(code=one_level["code"].astype(int).astype("category"))  # a single level, whose own code is 0
    np.testing.assert_array_equal(teacher.answer(one_level), teacher.answer(rows)[(rows["code"] == 70).to_numpy()])


@pytest.mark.parametrize("engine", MODELS)
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: rows.assign(age="old"), "column 'age' holds 'old' in row 0; expected numbers"),
        (lambda rows: rows.assign(age=pd.Timestamp("2026-01-01")), "column 'age' holds .* in row 0; expected numbers"),
        (lambda rows: rows.drop(columns="age"), "the rows lack the columns 'age', which are expected"),
        (lambda rows: pd.concat([rows, rows[["age"]]], axis=1), "more than one column for one that is expected: 'age', 'age'"),
        (lambda rows: rows.iloc[0].to_numpy(), r"the rows have shape \(5,\); expected \(rows, 5\)"),
        (lambda rows: rows.to_numpy()[:, :4], "the rows have 4 columns; expected 5"),
        (lambda rows: rows.assign(code=0.5j), "column 'code' holds 0.5j in row 0"),
    ],
)
def test_rows_that_the_model_cannot_have_learnt_are_refused(engine, change, message):
    booster, rows = MODELS[engine]
    with pytest.raises(BadInput, match=message):
        as_teacher(booster).answer(change(rows))


@pytest.mark.parametrize("engine", ["lightgbm", "xgboost"])
@pytest.mark.parametrize(("column", "cell", "levels"), [("colour", 30, "'blue', 'green', 'red'"), ("code", "red", "10, 30, 70")])
def test_cells_of_another_type_than_the_categories_are_refused(engine, column, cell, levels):
    booster, rows = MODELS[engine]
    with pytest.raises(BadInput, match=f"column '{column}' holds {cell!r} in row 0; expected the categories {levels}"):
        as_teacher(booster).answer(rows.assign(**{column: cell}))


def test_an_unseen_category_is_missing_for_lightgbm():
    booster, rows = MODELS["lightgbm"]
    unseen, missing = (rows.assign(colour=pd.Categorical([level] * 80, categories=["violet"])) for level in ("violet", None))
    np.testing.assert_array_equal(as_teacher(booster).answer(unseen), as_teacher(booster).answer(missing))
    np.testing.assert_array_equal(as_teacher(booster).answer(unseen)[:, 0], booster.predict(unseen))


def test_gaps_and_fractions_are_no_categories_of_catboost():
    booster, rows = MODELS["catboost"]
    for cell in (None, 30.5, 30.0):
        with pytest.raises(BadInput, match=r"column 'code' holds .* in row 0; expected whole numbers or texts as categories"):
            as_teacher(booster).answer(rows.assign(code=pd.Series([cell] * 80, dtype=object)))


@pytest.mark.parametrize("engine", ["lightgbm", "catboost"])
@pytest.mark.parametrize("kind", [sparse.csr_matrix, sparse.csc_array])
def test_sparse_rows_are_answered_as_dense_ones(engine, kind):
    zeros = np.where(X < 0, 0, X)
    np.testing.assert_array_equal(as_teacher(NAMELESS[engine]).answer(kind(zeros)), as_teacher(NAMELESS[engine]).answer(zeros))


def test_sparse_rows_are_refused_for_xgboost():
    with pytest.raises(BadInput, match="XGBoost reads the cells that a sparse matrix does not store as missing"):
        as_teacher(NAMELESS["xgboost"]).answer(sparse.csr_matrix(X))


@pytest.mark.exhaustive
def test_categories_are_read_from_the_file_of_a_model(tmp_path):
    for engine, suffix in (("lightgbm", "txt"), ("xgboost", "json"), ("catboost", "cbm")):
        booster, rows = MODELS[engine]
        booster.save_model(str(tmp_path / f"model.{suffix}"))
        teacher = open_teacher(str(tmp_path / f"model.{suffix}"))
        assert teacher.schema == as_teacher(booster).schema
        np.testing.assert_array_equal(teacher.answer(FORMS["texts"](rows)), as_teacher(booster).answer(rows))


@pytest.mark.parametrize("engine", NAMED)
def test_the_fingerprint_follows_the_content_of_the_booster(engine):
    other = {
        "lightgbm": lgb(VALUES + X[:, 0], FRAME, objective="regression"),
        "xgboost": xgb(VALUES + X[:, 0], FRAME),
        "catboost": cat(VALUES + X[:, 0], FRAME),
    }
    named = as_teacher(NAMED[engine]).fingerprint
    assert named.startswith(f"{engine}:")
    assert named == as_teacher(NAMED[engine]).fingerprint
    assert named != as_teacher(other[engine]).fingerprint


def test_a_booster_trained_further_has_another_fingerprint():
    booster = xgb(VALUES)
    teacher = as_teacher(booster)
    before = teacher.fingerprint
    booster.update(xgboost.DMatrix(X, VALUES), 9)
    assert teacher.fingerprint != before
