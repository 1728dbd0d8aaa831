import json
import re
from contextlib import suppress

import numpy as np
import pytest

from tutelage.core.stored.booster_trees import lightgbm_parts, sound_lightgbm, sound_xgboost

RNG = np.random.default_rng(0)
X = np.column_stack([RNG.normal(size=(200, 2)), RNG.integers(0, 5, 200)])
Y = (X[:, 0] + X[:, 2] > 2).astype(int)


@pytest.fixture(scope="module")
def lightgbm_text():
    lightgbm = pytest.importorskip("lightgbm")
    settings = {"objective": "binary", "num_leaves": 6, "verbosity": -1, "num_threads": 1, "cat_smooth": 0, "min_data_per_group": 1}
    return lightgbm.train(settings, lightgbm.Dataset(X, Y, categorical_feature=[2]), 3).model_to_string()


@pytest.mark.parametrize("linear", [False, True])
def test_the_texts_of_lightgbm_are_sound(lightgbm_text, linear):
    import lightgbm

    if linear:
        settings = {"objective": "regression", "linear_tree": True, "verbosity": -1, "num_threads": 1}
        lightgbm_text = lightgbm.train(settings, lightgbm.Dataset(X, X[:, 0]), 3).model_to_string()
    assert sound_lightgbm(lightgbm_parts(lightgbm_text))
    assert ("num_cat=1" in lightgbm_text) is not linear


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("left_child", "99999999"),
        ("right_child", "0"),
        ("left_child", "-99"),
        ("split_feature", "3"),
        ("leaf_value", "1 2"),
        ("leaf_value", "x"),
        ("cat_boundaries", "0 7"),
        ("cat_threshold", ""),
        ("num_leaves", "7"),
    ],
)
def test_a_wrong_number_in_a_lightgbm_text_is_found(lightgbm_text, line, value):
    changed = re.sub(rf"(?m)^({line}=)\S+", rf"\g<1>{value}", lightgbm_text, count=1)
    assert changed != lightgbm_text
    with suppress(ValueError, KeyError):  # as documented
        assert not sound_lightgbm(lightgbm_parts(changed))


@pytest.mark.parametrize(
    "damage", [lambda text: text.partition("\n[label_ga")[0] + "\n[label_ga", lambda text: text.replace("[alpha: ", "[alpha ")]
)
def test_incomplete_parameters_are_found(lightgbm_text, damage):
    assert not sound_lightgbm(lightgbm_parts(damage(lightgbm_text)))


@pytest.fixture(scope="module", params=["gbtree", "dart", "gblinear", "categories"])
def xgboost_text(request):
    xgboost = pytest.importorskip("xgboost")
    settings = {"objective": "binary:logistic", "nthread": 1, "max_depth": 3, "verbosity": 0}
    settings |= {} if request.param == "categories" else {"booster": request.param}
    types = ["q", "q", "c"] if request.param == "categories" else None
    data = xgboost.DMatrix(X, Y, feature_types=types, enable_categorical=True, nthread=1)
    return bytes(xgboost.train(settings, data, 3).save_raw("json")).decode()


def test_the_texts_of_xgboost_are_sound(xgboost_text):
    assert sound_xgboost(json.loads(xgboost_text))


@pytest.mark.parametrize(
    "damage",
    [
        lambda model: model["trees"][0]["left_children"].__setitem__(0, 99999999),
        lambda model: model["trees"][0]["right_children"].__setitem__(0, 0),
        lambda model: model["trees"][0]["split_indices"].__setitem__(0, 3),
        lambda model: model["trees"][0]["split_conditions"].pop(),
        lambda model: model["trees"][0]["base_weights"].pop(),
        lambda model: model["tree_info"].__setitem__(0, 7),
        lambda model: model["trees"].pop(),
        lambda model: model["trees"][0]["split_type"].__setitem__(-1, 1),
    ],
)
def test_a_wrong_number_in_an_xgboost_json_is_found(xgboost_text, damage):
    plain = json.loads(xgboost_text)
    booster = plain["learner"]["gradient_booster"]
    if booster["name"] == "gblinear":
        pytest.skip("no trees")
    damage((booster["gbtree"] if booster["name"] == "dart" else booster)["model"])
    assert not sound_xgboost(plain)


@pytest.fixture(scope="module")
def vector_leaves():
    xgboost = pytest.importorskip("xgboost", "3.2")
    settings = {"multi_strategy": "multi_output_tree", "tree_method": "hist", "nthread": 1, "max_depth": 2}
    booster = xgboost.train(settings, xgboost.DMatrix(X, np.column_stack([X[:, 0], X[:, 1], Y]), nthread=1), 2)
    return bytes(booster.save_raw("json"))


def test_leaves_that_hold_vectors_are_sound(vector_leaves):
    assert sound_xgboost(json.loads(vector_leaves))


@pytest.mark.parametrize(("place", "value"), [(-1, 99), (-1, -1), (0, 0)])
def test_a_wrong_place_of_a_vector_is_found(vector_leaves, place, value):
    plain = json.loads(vector_leaves)
    plain["learner"]["gradient_booster"]["model"]["trees"][0]["right_children"][place] = value
    assert not sound_xgboost(plain)


def test_a_missing_vector_is_found(vector_leaves):
    plain = json.loads(vector_leaves)
    plain["learner"]["gradient_booster"]["model"]["trees"][0]["leaf_weights"].pop()
    assert not sound_xgboost(plain)
