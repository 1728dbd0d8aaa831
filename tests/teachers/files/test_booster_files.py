import re
import sys

import numpy as np
import pandas as pd
import pytest

from tutelage.core.errors import BadInput, DamagedFile
from tutelage.teachers.files import booster_files
from tutelage.teachers.files.open import open_teacher

RNG = np.random.default_rng(0)
X = RNG.normal(size=(100, 3))
Y = (X[:, 0] > 0).astype(int)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    lightgbm = pytest.importorskip("lightgbm")
    path = tmp_path_factory.mktemp("whole") / "booster.txt"
    settings = {"objective": "binary", "num_threads": 1, "verbosity": -1}
    lightgbm.train(settings, lightgbm.Dataset(X, Y), 2).save_model(path)
    return path.read_text()


@pytest.fixture
def path(tmp_path, monkeypatch):
    monkeypatch.setattr(booster_files, "_PROVEN", set())
    return tmp_path / "booster.txt"


def test_a_sound_file_is_proven_once(path, whole, monkeypatch):
    path.write_text(whole)
    answers = open_teacher(str(path)).answer(X)
    assert answers.shape == (100, 2)
    monkeypatch.setattr("subprocess.run", None)
    np.testing.assert_array_equal(open_teacher(str(path)).answer(X), answers)


def test_a_file_whose_trees_point_outside_ends_in_a_sentence(path, whole):
    path.write_text(re.sub(r"(?m)^left_child=\S+", "left_child=99999999", whole, count=1))
    with pytest.raises(DamagedFile, match=r"booster.txt is not a sound LightGBM model \(a tree of it points outside itself\)"):
        open_teacher(str(path))


def test_a_file_that_ends_the_process_that_loads_it_ends_no_other(tmp_path, monkeypatch):
    pytest.importorskip("xgboost")
    monkeypatch.setattr(booster_files, "_PROVEN", set())
    (tmp_path / "booster.json").write_text("")
    with pytest.raises(DamagedFile, match=r"booster.json is not an XGBoost model, or is damaged \(it ended the process"):
        open_teacher(str(tmp_path / "booster.json"))


def test_a_file_that_does_not_load_in_time_is_refused(path, whole, monkeypatch):
    path.write_text(whole)
    monkeypatch.setattr(booster_files, "SECONDS", 0.01)
    with pytest.raises(DamagedFile, match=r"lightgbm did not load it in 0 s"):
        open_teacher(str(path))


def test_a_file_that_needs_too_much_memory_is_refused(path, whole, monkeypatch):
    if sys.platform != "linux":
        pytest.skip("no limit of memory")
    path.write_text(whole)
    monkeypatch.setattr(booster_files, "MEMORY", 1 << 20)
    with pytest.raises(DamagedFile, match="is not a LightGBM model"):
        open_teacher(str(path))


def test_without_a_python_to_start_the_remedy_is_named(path, whole, monkeypatch):
    path.write_text(whole)
    monkeypatch.setattr(sys, "executable", "")
    with pytest.raises(BadInput, match="Load the model with lightgbm, and pass it"):
        open_teacher(str(path))


@pytest.mark.exhaustive(every=2)
@pytest.mark.parametrize("engine", ["lightgbm", "xgboost"])
def test_a_file_of_a_model_of_categories_opens(engine, tmp_path):
    module = pytest.importorskip(engine)
    frame = pd.DataFrame({"a": X[:, 0], "b": pd.Categorical(np.where(X[:, 1] > 0, "wide", "narrow"))})
    if engine == "lightgbm":
        path = tmp_path / "booster.txt"
        module.train({"objective": "binary", "num_threads": 1, "verbosity": -1}, module.Dataset(frame, Y), 2).save_model(path)
    else:
        path = tmp_path / "booster.json"
        data = module.DMatrix(frame, Y, enable_categorical=True, nthread=1)
        module.train({"objective": "binary:logistic", "nthread": 1}, data, 2).save_model(path)
    assert open_teacher(str(path)).answer(frame).shape == (100, 2)


@pytest.mark.exhaustive(every=4)
@pytest.mark.parametrize("objective", ["reg:squarederror", "multi:softprob"])
@pytest.mark.parametrize("suffix", ["json", "ubj"])
def test_a_model_with_a_vector_in_each_leaf_opens(objective, suffix, tmp_path):
    xgboost = pytest.importorskip("xgboost")
    truth = np.column_stack([X[:, 0], X[:, 1], Y]) if objective == "reg:squarederror" else np.arange(100) % 3
    settings = {"objective": objective, "multi_strategy": "multi_output_tree", "tree_method": "hist", "nthread": 1, "max_depth": 2}
    booster = xgboost.train(settings | ({} if truth.ndim == 2 else {"num_class": 3}), xgboost.DMatrix(X, truth, nthread=1), 3)
    booster.save_model(tmp_path / f"booster.{suffix}")
    teacher = open_teacher(str(tmp_path / f"booster.{suffix}"))
    answers = teacher.answer(X)
    if teacher.form.kind == "logits":
        answers = np.exp(answers) / np.exp(answers).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(answers, booster.predict(xgboost.DMatrix(X, nthread=1)), rtol=1e-5)
