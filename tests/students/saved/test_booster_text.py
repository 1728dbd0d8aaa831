import json
from importlib.util import find_spec

import numpy as np
import pytest

from tutelage.core.errors import DamagedFile
from tutelage.students.boosting import SoftBoosting
from tutelage.students.saved.booster_text import booster_of, text_of

RNG = np.random.default_rng(0)
X = RNG.normal(size=(200, 3))
P = RNG.dirichlet(np.ones(3), 200)
INSTALLED = [engine for engine in ("lightgbm", "xgboost") if find_spec(engine)]
TEXTS = {
    engine: text_of(SoftBoosting(engine=engine, n_estimators=2, num_leaves=4, n_jobs=1).fit(X, P).booster_, engine) for engine in INSTALLED
}
with_lightgbm = pytest.mark.skipif("lightgbm" not in INSTALLED, reason="LightGBM is not installed")
with_xgboost = pytest.mark.skipif("xgboost" not in INSTALLED, reason="XGBoost is not installed")


@pytest.mark.parametrize("engine", INSTALLED)
@pytest.mark.parametrize("columns", [1, 3])
def test_a_booster_round_trips(engine, columns):
    targets = P if columns == 3 else P[:, :2] / P[:, :2].sum(axis=1, keepdims=True)
    student = SoftBoosting(engine=engine, n_estimators=5, n_jobs=1).fit(X, targets)
    before = student.predict_proba(X)
    student.booster_ = booster_of(text_of(student.booster_, engine), engine, features=3, columns=columns)
    np.testing.assert_array_equal(student.predict_proba(X), before)


@pytest.mark.parametrize("engine", INSTALLED)
@pytest.mark.parametrize(("features", "columns"), [(2, 3), (4, 3), (3, 1), (3, 2)])
def test_a_model_of_another_shape_is_refused(engine, features, columns):
    with pytest.raises(DamagedFile, match="another shape"):
        booster_of(TEXTS[engine], engine, features=features, columns=columns)


@pytest.mark.parametrize("engine", INSTALLED)
@pytest.mark.parametrize("text", ["", "tree\n", "{}", "[1, 2]", '{"learner": 3}'])
def test_text_that_is_not_a_model_is_refused(engine, text):
    with pytest.raises(DamagedFile, match=f"a {engine} model cannot be read"):
        booster_of(text, engine, features=3, columns=3)


def test_an_unknown_engine_is_refused_without_importing_it():
    with pytest.raises(DamagedFile, match="engine 'os'"):
        booster_of("", "os", features=3, columns=3)


@with_lightgbm
@pytest.mark.parametrize(
    ("line", "other"),
    [
        ("left_child=", "left_child=2 7 -1"),
        ("left_child=", "left_child=0 -2 -1"),
        ("right_child=", "right_child=-9 -3 -4"),
        ("split_feature=", "split_feature=0 3 1"),
        ("split_feature=", "split_feature=0 1"),
        ("leaf_value=", "leaf_value=0.1 0.2"),
        ("num_cat=", "num_cat=1"),
        ("is_linear=", "is_linear=1"),
    ],
)
def test_lightgbm_trees_with_invalid_nodes_are_refused(line, other):
    lines = [other if given.startswith(line) else given for given in TEXTS["lightgbm"].split("\n")]
    with pytest.raises(DamagedFile, match="point outside"):
        booster_of("\n".join(lines), "lightgbm", features=3, columns=3)


@with_lightgbm
def test_wrong_tree_sizes_are_ignored():
    lines = ["tree_sizes=999999 1 1 1 1 1" if given.startswith("tree_sizes=") else given for given in TEXTS["lightgbm"].split("\n")]
    misleading, honest = (booster_of(text, "lightgbm", features=3, columns=3) for text in ("\n".join(lines), TEXTS["lightgbm"]))
    np.testing.assert_array_equal(misleading.predict(X), honest.predict(X))


@with_lightgbm
def test_a_number_that_lightgbm_cannot_parse_is_refused():
    lines = [given.replace(".", "x") if given.startswith("leaf_value=") else given for given in TEXTS["lightgbm"].split("\n")]
    with pytest.raises(DamagedFile, match="a lightgbm model cannot be read"):
        booster_of("\n".join(lines), "lightgbm", features=3, columns=3)


@with_xgboost
@pytest.mark.parametrize(
    "damage",
    [
        lambda model: model["trees"][0]["left_children"].__setitem__(0, 99),
        lambda model: model["trees"][1]["right_children"].__setitem__(0, 0),
        lambda model: model["trees"][0]["split_indices"].__setitem__(0, 3),
        lambda model: model["trees"][0]["split_conditions"].pop(),
        lambda model: model["trees"][0]["split_type"].__setitem__(0, 1),
        lambda model: model["tree_info"].__setitem__(0, 3),
        lambda model: model["tree_info"].pop(),
        lambda model: model["iteration_indptr"].__setitem__(1, 50),
    ],
)
def test_xgboost_trees_with_invalid_nodes_are_refused(damage):
    model = json.loads(TEXTS["xgboost"])
    damage(model["learner"]["gradient_booster"]["model"])
    with pytest.raises(DamagedFile, match="point outside"):
        booster_of(json.dumps(model), "xgboost", features=3, columns=3)


@with_xgboost
def test_a_model_that_xgboost_refuses_is_reported_as_damaged():
    model = json.loads(TEXTS["xgboost"])
    model["learner"]["objective"]["name"] = "no such objective"
    with pytest.raises(DamagedFile, match="was refused by xgboost"):
        booster_of(json.dumps(model), "xgboost", features=3, columns=3)
