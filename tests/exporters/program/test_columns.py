import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import FeatureUnion, make_pipeline, make_union
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    Normalizer,
    OneHotEncoder,
    OrdinalEncoder,
    RobustScaler,
    StandardScaler,
    TargetEncoder,
)
from sklearn.tree import DecisionTreeClassifier
from written import largest_difference

import tutelage as tl
from tutelage.core.errors import BadInput
from tutelage.exporters.program.build import program_of
from tutelage.exporters.subject.subject import subject_of
from tutelage.students.columns import with_columns

RNG = np.random.default_rng(0)
N = 150
FRAME = pd.DataFrame(
    {
        "a": RNG.normal(size=N),
        "b": np.where(RNG.random(N) < 0.2, np.nan, RNG.normal(size=N)),
        "c": RNG.choice(["red", "blue", "green", "rare"], N, p=[0.4, 0.3, 0.27, 0.03]),
        "d": RNG.choice([1, 2, 5], N),
        "e": RNG.random(N) < 0.5,
        "f": pd.Series(RNG.choice(["x", "y", None], N, p=[0.5, 0.4, 0.1]), dtype=object).where(lambda cells: cells.notna(), np.nan),
    }
)
Y = np.where((FRAME["a"] > 0) ^ (FRAME["c"] == "red") ^ (FRAME["f"] == "x"), "p", "q")
ODD = FRAME[:6].assign(c=["unseen", "Red", "", np.nan, "rare", "red "], f=["z", np.nan, "x", "y", "X", ""], d=[3, 1, 2, 5, 0, -1])
NUMBERS, TEXTS = ["a", "b"], ["c", "f"]
SCALED = make_pipeline(SimpleImputer(), StandardScaler())
IGNORE = {"handle_unknown": "ignore"}
CODES = {"handle_unknown": "use_encoded_value", "unknown_value": -1}


def columns(*steps, **options):
    return make_column_transformer(*steps, **options)


def filled(**options):
    return make_pipeline(SimpleImputer(**options), OneHotEncoder(**IGNORE))


@pytest.mark.parametrize(
    "step",
    [
        columns((SCALED, NUMBERS), (OneHotEncoder(**IGNORE), TEXTS)),
        columns((SCALED, NUMBERS), (OneHotEncoder(drop="if_binary", **IGNORE), [*TEXTS, "e"])),
        columns((SCALED, NUMBERS), (OneHotEncoder(drop="first", min_frequency=9, handle_unknown="infrequent_if_exist"), TEXTS)),
        columns((SCALED, NUMBERS), (OneHotEncoder(min_frequency=9, handle_unknown="warn"), TEXTS)),
        columns((SCALED, NUMBERS), (OneHotEncoder(categories=[["red", "new", "blue", "green", "rare"]], **IGNORE), ["c"])),
        columns((OneHotEncoder(**IGNORE), ["d", "e"]), (SCALED, NUMBERS)),
        columns((StandardScaler(), slice(0, 1)), (OneHotEncoder(**IGNORE), slice("c", "d"))),
        columns((SCALED, make_column_selector(dtype_include=np.floating)), (OneHotEncoder(**IGNORE), make_column_selector("c|f"))),
        columns((SCALED, [True, True, False, False, False, False])),
        columns((OneHotEncoder(**IGNORE), TEXTS), remainder=make_pipeline(SimpleImputer(), RobustScaler())),
        columns((make_pipeline(SimpleImputer(strategy="median"), MinMaxScaler(clip=True)), NUMBERS), ("passthrough", ["d"])),
        make_pipeline(columns((StandardScaler(), ["a"]), ("passthrough", ["d"])), columns((MaxAbsScaler(), [1]), remainder="passthrough")),
        columns((SimpleImputer(strategy="constant", fill_value=-5), NUMBERS)),
        columns((SimpleImputer(add_indicator=True), NUMBERS), (make_union(SimpleImputer(), MissingIndicator()), ["b"])),
        columns((filled(strategy="constant", fill_value="none"), TEXTS)),
        columns((filled(strategy="most_frequent"), [*TEXTS, "d"])),
        columns((FunctionTransformer(), ["a", "d"])),
        columns((TargetEncoder(), [*TEXTS, "d"]), ("passthrough", ["a"])),
    ],
)
def test_prepared_columns_of_a_linear_model(step):
    student = make_pipeline(step, LogisticRegression()).fit(FRAME, Y)
    assert largest_difference(student, FRAME, ODD) < 1e-12


@pytest.mark.parametrize(
    "step",
    [
        columns((OrdinalEncoder(encoded_missing_value=-2, **CODES), TEXTS), remainder="passthrough"),
        columns((OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan), [*TEXTS, "d"]), ("passthrough", ["b"])),
        columns((OrdinalEncoder(min_frequency=9, encoded_missing_value=7, **CODES), TEXTS), ("drop", ["a"]), remainder="passthrough"),
        columns((OrdinalEncoder(max_categories=2, encoded_missing_value=7, **CODES), TEXTS), ("passthrough", ["e", "a"])),
    ],
)
def test_codes_for_a_tree(step):
    student = make_pipeline(step, DecisionTreeClassifier(max_depth=6, random_state=0)).fit(FRAME, Y)
    assert largest_difference(student, FRAME, ODD) == 0


def test_a_pipeline_inside_our_students():
    def prepared(student):
        return make_pipeline(columns((SCALED, NUMBERS), (OneHotEncoder(**IGNORE), TEXTS)), student)

    teacher = prepared(DecisionTreeClassifier(max_depth=4, random_state=0))
    student = tl.DistilledClassifier(teacher, prepared(LogisticRegression())).fit(FRAME, Y)
    assert largest_difference(student, FRAME, ODD) < 1e-12
    targets = prepared(tl.SoftTargets(LogisticRegression())).fit(FRAME, RNG.dirichlet(np.ones(3), N))
    assert largest_difference(targets, FRAME, ODD) < 1e-12
    values = tl.DistilledRegressor(prepared(Ridge()), prepared(Ridge())).fit(FRAME, FRAME["a"])
    assert largest_difference(values, FRAME, ODD) < 1e-12


@pytest.mark.parametrize(
    ("step", "found"),
    [
        (columns((FunctionTransformer(np.log1p), ["d"])), "runs a function of its own"),
        (columns((SimpleImputer(missing_values=1), ["d"])), "one that fills NaN"),
        (make_pipeline(columns((SCALED, NUMBERS)), MissingIndicator(features="all")), "after another step"),
        (FeatureUnion([("a", columns((SCALED, NUMBERS)))], transformer_weights={"a": 2.0}), "with weights"),
    ],
)
def test_what_cannot_be_exported_is_named(step, found):
    student = make_pipeline(step, LogisticRegression()).fit(FRAME, Y)
    subject, rows = subject_of(student, FRAME)
    with pytest.raises(BadInput, match=found):
        program_of(subject, rows)


IDS = np.array([2**60, 2**60 + 1, 7, 2**60 + 2] * 10, dtype=np.int64)


@pytest.mark.parametrize(
    "step",
    [OneHotEncoder(), OrdinalEncoder(), TargetEncoder(cv=2), make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder())],
)
def test_categories_that_are_one_number_in_a_file_are_refused(step):
    rows = pd.DataFrame({"account": IDS, "size": np.arange(40.0)})
    student = make_pipeline(columns((step, ["account"]), remainder="passthrough"), DecisionTreeClassifier()).fit(rows, [0, 1, 0, 0] * 10)
    found = f"'account' has the categories {2**60} and {2**60 + 1}, which are one number in double precision, .*; make them texts"
    with pytest.raises(BadInput, match=found):
        program_of(*subject_of(student, rows))


@pytest.mark.parametrize("step", [OneHotEncoder(min_frequency=5), OrdinalEncoder(min_frequency=5), TargetEncoder(cv=2, smooth=0.0)])
def test_categories_that_are_one_number_in_a_file_and_one_to_the_student_are_written(step):
    ids = np.concatenate([np.tile([2**60, 2**61], 50), 2**62 + np.arange(20)]).astype(np.int64)
    rows = pd.DataFrame({"account": ids, "size": np.arange(120.0) % 7})
    student = make_pipeline(columns((step, ["account"]), remainder="passthrough"), DecisionTreeClassifier()).fit(rows, ids == 2**60)
    assert largest_difference(student, rows) < 1e-9


def test_pandas_categories_that_are_one_number_in_a_file_are_refused_and_texts_are_not():
    rows = pd.DataFrame({"account": pd.Categorical(IDS), "size": np.arange(40.0)})
    with pytest.raises(BadInput, match=r"'account' has the categories .* make them texts"):
        program_of(*subject_of(with_columns(tl.SoftTree(), rows, scaled=False).fit(rows, [0, 1, 0, 0] * 10), rows))
    rows["account"] = IDS.astype(str)
    as_texts = with_columns(tl.SoftTree(), rows, scaled=False).fit(rows, [0, 1, 0, 0] * 10)
    assert largest_difference(as_texts, rows) < 1e-9


def test_a_step_that_other_languages_lack_is_named():
    student = make_pipeline(columns((SCALED, NUMBERS)), Normalizer(), LogisticRegression()).fit(FRAME, Y)
    with pytest.raises(BadInput, match=r"a Normalizer computes; export it to ONNX"):
        largest_difference(student, FRAME)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize(
    ("model", "scaled", "kind"), [(LogisticRegression(), True, np.float64), (DecisionTreeClassifier(), False, np.float32)]
)
def test_pictures_are_numbers_in_a_line(dtype, model, scaled, kind):
    pictures = np.random.default_rng(0).integers(0, 256, (N, 1, 4, 4)).astype(dtype)
    pictures = pictures if dtype == np.uint8 else pictures / 255
    student = with_columns(model, pictures, scaled=scaled).fit(pictures, Y)
    assert largest_difference(student, pictures) < 1e-6
    program = program_of(*subject_of(student, pictures))
    assert (program.row_shape, program.dtype) == ((1, 4, 4), kind)


def test_rows_of_another_shape_than_in_training_are_refused():
    student = with_columns(LogisticRegression(), np.zeros((2, 4)), scaled=True).fit(RNG.normal(size=(N, 16)), Y)
    with pytest.raises(BadInput, match="refuses rows of check_on"):
        program_of(*subject_of(student, np.zeros((5, 1, 4, 4))))
