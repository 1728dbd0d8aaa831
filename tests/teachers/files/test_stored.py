import json
import threading

import lightgbm
import numpy as np
import pytest
import xgboost
from catboost import CatBoostClassifier
from labelling_teachers import sums
from onnx import TensorProto, helper, numpy_helper
from skl2onnx import to_onnx
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

import tutelage as tl
from tutelage.core.errors import BadInput, DamagedFile
from tutelage.core.stored.skops_files import dump_skops
from tutelage.teachers.files.stored import store_teacher, stored_teacher

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 4)).astype(np.float32)
Y = (X[:, 0] > 0) + (X[:, 1] > 0.5)


def graph():
    return to_onnx(LogisticRegression().fit(X, Y), X[:1], options={"zipmap": False}).SerializeToString()


def booster(objective):
    settings = {"objective": objective, "num_class": 3, "num_threads": 1, "verbose": -1}
    return lightgbm.train(settings, lightgbm.Dataset(X, Y), 3)


TEACHERS = {
    "pipeline": lambda: tl.as_teacher(make_pipeline(StandardScaler(), LogisticRegression()).fit(X, Y)),
    "forest": lambda: tl.as_teacher(RandomForestClassifier(5, random_state=0).fit(X, Y)),
    "sklearn booster": lambda: tl.as_teacher(lightgbm.LGBMClassifier(n_estimators=3, verbose=-1).fit(X, Y.astype(int))),
    "lightgbm": lambda: tl.as_teacher(booster("multiclass"), classes=["a", "b", "c"]),
    "xgboost": lambda: tl.as_teacher(xgboost.train({"objective": "multi:softprob", "num_class": 3}, xgboost.DMatrix(X, Y), 3)),
    "catboost": lambda: tl.as_teacher(CatBoostClassifier(iterations=3, verbose=0, allow_writing_files=False).fit(X, Y)),
    "onnx": lambda: tl.as_teacher(graph()),
    "function": lambda: tl.as_teacher(sums, kind="probabilities", classes=["low", "high"]),
    "network": lambda: tl.as_teacher(nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Dropout(), nn.Linear(5, 3)), classes=["a", "b", "c"]),
}


@pytest.mark.parametrize("kind", TEACHERS)
def test_another_process_makes_the_same_teacher_of_its_files(tmp_path, kind):
    teacher = TEACHERS[kind]()
    made = stored_teacher(store_teacher(teacher, tmp_path), tmp_path)
    assert made.fingerprint == teacher.fingerprint
    assert made.form == teacher.form
    assert np.array_equal(made.answer(X), teacher.answer(X))


def test_an_onnx_file_stays_where_it_is(tmp_path):
    (tmp_path / "model.onnx").write_bytes(graph())
    teacher = tl.as_teacher(tmp_path / "model.onnx")
    (tmp_path / "plan").mkdir()
    made = stored_teacher(store_teacher(teacher, tmp_path / "plan"), tmp_path / "plan")
    assert made.fingerprint == teacher.fingerprint
    assert list((tmp_path / "plan").iterdir()) == []


@pytest.mark.parametrize("name", ["model.onnx", None])
def test_an_onnx_file_is_made_with_all_that_was_declared_of_it(tmp_path, name):
    weights = numpy_helper.from_array(RNG.normal(size=(20, 3)).astype(np.float32), "weights")
    inputs = [helper.make_tensor_value_info(one, TensorProto.INT64, ["rows", "tokens"]) for one in ("input_ids", "attention_mask")]
    output = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["rows", "tokens", 3])
    nodes = [helper.make_node("Gather", ["weights", "input_ids"], ["logits"], axis=0)]
    model = helper.make_model(helper.make_graph(nodes, "g", inputs, [output], [weights]), opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 9
    content = model.SerializeToString()
    if name is not None:
        (tmp_path / name).write_bytes(content)
    given = content if name is None else tmp_path / name
    teacher = tl.as_teacher(given, kind="logits", classes=["a", "b", "c"], positions="tokens")
    made = stored_teacher(json.loads(json.dumps(store_teacher(teacher, tmp_path))), tmp_path)
    assert (made.fingerprint, made.form) == (teacher.fingerprint, teacher.form)
    rows = {"input_ids": np.array([[3, 1, 4], [1, 5, 0]]), "attention_mask": np.array([[1, 1, 1], [1, 1, 0]])}
    for one, other in zip(made.answer(rows), teacher.answer(rows), strict=True):
        np.testing.assert_array_equal(one, other)


class Own(ClassifierMixin, BaseEstimator):
    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X):
        return np.full((len(X), len(self.classes_)), 1 / len(self.classes_))

    def predict(self, X):
        return self.classes_[np.zeros(len(X), dtype=int)]


class Net(nn.Linear):
    pass


def test_an_estimator_of_a_module_of_ones_own_is_sent_and_one_that_was_changed_on_the_way_is_not_made(tmp_path):
    about = store_teacher(tl.as_teacher(Own().fit(X, Y)), tmp_path)
    assert np.array_equal(stored_teacher(about, tmp_path).answer(X), np.full((60, 2), 1 / 2))
    (tmp_path / "teacher.skops").write_bytes(dump_skops(Own().fit(X, Y.astype(int)), {}))
    with pytest.raises(DamagedFile, match="was changed since the plan was sent"):
        stored_teacher(about, tmp_path)


def test_an_estimator_of_the_program_itself_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(Own, "__module__", "__main__")
    monkeypatch.setattr("__main__.Own", Own, raising=False)
    with pytest.raises(BadInput, match=r"holds __main__\.Own, which the program itself defines.*pass its name"):
        store_teacher(tl.as_teacher(Own().fit(X, Y)), tmp_path)


def test_an_estimator_that_holds_what_cannot_be_read_is_refused(tmp_path):
    model = LogisticRegression().fit(X, Y)
    model.lock = threading.Lock()
    with pytest.raises(BadInput, match=r"cannot be read once it was stored .* pass its name"):
        store_teacher(tl.as_teacher(model), tmp_path)


@pytest.mark.parametrize(
    ("teacher", "said"),
    [
        # skops loses one of two keys that are booleans
        (lambda: tl.as_teacher(lightgbm.LGBMClassifier(n_estimators=3, verbose=-1).fit(X, Y)), "is another one once it was stored"),
        (lambda: tl.as_teacher(lightgbm.LGBMClassifier(n_estimators=3, verbose=-1).fit(X, Y), version="1"), "is another one once it was"),
        (lambda: tl.as_teacher(lambda rows: rows[:, 0], kind="values"), "no module defines it by a name of its own. Import it"),
        (lambda: tl.as_teacher(Net(4, 3), classes=[0, 1, 2]), 'network cannot be sent to other processes: .*pass its name, "module:name"'),
        (lambda: tl.record(LogisticRegression().fit(X, Y), X), "a SoftLabels cannot be sent to other processes"),
    ],
    ids=["lost by skops", "lost under a version", "lambda", "own network", "recorded answers"],
)
def test_what_cannot_be_sent_is_refused_with_what_to_do(tmp_path, teacher, said):
    with pytest.raises(BadInput, match=said):
        store_teacher(teacher(), tmp_path)
