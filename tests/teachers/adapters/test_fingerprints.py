"""A teacher keeps its fingerprint as it answers, and has the same one in every process that loads it from the same file."""

import os
import pickle
import subprocess
import sys

import catboost
import lightgbm
import numpy as np
import pytest
import torch
import xgboost
from scipy.sparse import csr_matrix
from skl2onnx import to_onnx
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MultiLabelBinarizer
from torch import nn

import tutelage as tl
from tutelage.core.identity.hashing import content_hash

RANDOM = np.random.default_rng(0)
ROWS = RANDOM.normal(size=(60, 4)).astype(np.float32)
TRUTH = (ROWS[:, 0] > 0).astype(int)
TEXTS = [f"{'good' if one else 'bad'} word{place % 7}" for place, one in enumerate(TRUTH)]
CLASSES = {"classes": [0, 1]}
FUNCTIONS = """
import numpy as np
import pandas as pd
import scipy.sparse
import scipy.spatial


class Held:
    def __init__(self, held, use):
        self.held, self.use = held, use

    def __call__(self, rows):
        self.use(self.held)
        on = (np.asarray(rows)[:, 0] > 0) * 1.0
        return np.column_stack([1 - on, on])


def near(tree):
    tree.query([[0.0, 0.0]])


def sums(matrix):
    matrix.sum(axis=0)
    matrix.sort_indices()


def since(frame):
    frame.loc["2020"]
    frame.index.is_unique


def held():
    yield Held(scipy.spatial.cKDTree(np.arange(80.0).reshape(40, 2)), near)
    yield Held(scipy.sparse.csr_matrix(([1.0, 2.0, 3.0], [2, 0, 0], [0, 2, 3]), shape=(2, 3)), sums)
    yield Held(pd.DataFrame({"a": [1, 2]}, index=pd.to_datetime(["2020-01-01", "2021-01-01"])), since)
"""
ELSEWHERE = """
import pickle, sys, warnings
warnings.simplefilter("ignore")
import tutelage as tl
for model, declared, rows in pickle.load(open("models.pkl", "rb")):
    teacher = tl.as_teacher(model, **declared)
    print(teacher.fingerprint)
    teacher.answer(rows)
    print(teacher.fingerprint)
"""


def estimators():
    """Models of scikit-learn, with rows."""
    for words in (
        TfidfVectorizer(),
        CountVectorizer(stop_words=["the"]),
        HashingVectorizer(n_features=32),
        TfidfVectorizer(analyzer="char"),
    ):
        yield make_pipeline(words, LogisticRegression()).fit(TEXTS, TRUTH), TEXTS
    yield make_pipeline(TfidfVectorizer(), KNeighborsClassifier()).fit(TEXTS, TRUTH), TEXTS
    for model in (RandomForestClassifier(3), KNeighborsClassifier(algorithm="kd_tree"), MLPClassifier(4, max_iter=5)):
        yield model.fit(ROWS, TRUTH), ROWS


def boosters():
    """Models of the three libraries, with rows."""
    light = lightgbm.LGBMClassifier(n_estimators=3, verbose=-1, n_jobs=1).fit(ROWS, TRUTH)
    extreme = xgboost.XGBClassifier(n_estimators=3, n_jobs=1).fit(ROWS, TRUTH)
    cat = catboost.CatBoostClassifier(iterations=3, verbose=0, thread_count=1, allow_writing_files=False).fit(ROWS, TRUTH)
    calibrated = CalibratedClassifierCV(lightgbm.LGBMClassifier(n_estimators=3, verbose=-1, n_jobs=1), cv=2).fit(ROWS, TRUTH)
    for model in (light, light.booster_, extreme, extreme.get_booster(), cat, calibrated):
        yield model, ROWS


def networks():
    """Networks that compute something of their own weights as they answer, or that hold addresses."""
    torch.manual_seed(0)
    yield nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Dropout(), nn.Linear(3, 2))
    yield nn.Sequential(nn.utils.spectral_norm(nn.Linear(4, 2)))
    yield nn.Sequential(nn.utils.weight_norm(nn.Linear(4, 2)))
    yield torch.ao.quantization.quantize_dynamic(nn.Sequential(nn.Linear(4, 2)), {nn.Linear})
    yield torch.fx.symbolic_trace(nn.Sequential(nn.Linear(4, 2), nn.ReLU()))


def models(functions):
    """(model, how `as_teacher` takes it, rows) of every kind of adapter."""
    for model, rows in (*estimators(), *boosters()):
        yield model, {}, rows
    for network in networks():
        yield network, {"kind": "logits", **CLASSES}, ROWS
    for function in functions.held():
        yield function, {"kind": "probabilities", **CLASSES}, ROWS
    graph = to_onnx(LogisticRegression().fit(ROWS, TRUTH), ROWS[:1], options={"zipmap": False})
    yield graph.SerializeToString(), {}, ROWS


@pytest.mark.exhaustive
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_teacher_has_one_fingerprint_before_and_after_it_answers_and_in_every_process(tmp_path, monkeypatch):
    (tmp_path / "held_by_functions.py").write_text(FUNCTIONS)
    monkeypatch.syspath_prepend(tmp_path)
    import held_by_functions

    made = list(models(held_by_functions))
    (tmp_path / "models.pkl").write_bytes(pickle.dumps(made))
    found = []
    for model, declared, rows in made:
        teacher = tl.as_teacher(model, **declared)
        before = teacher.fingerprint
        teacher.answer(rows)
        assert (teacher.fingerprint, tl.as_teacher(model, **declared).fingerprint) == (before, before), model
        found.append(before)
    assert len(set(found)) == len(found)
    env = {**os.environ, "PYTHONHASHSEED": "5"}
    ran = subprocess.run([sys.executable, "-c", ELSEWHERE], cwd=tmp_path, env=env, capture_output=True, text=True, check=True)
    for (model, _, _), expected, seen in zip(made, found, zip(*[iter(ran.stdout.split("\n"))] * 2, strict=False), strict=True):
        assert seen == (expected, expected), model


def test_a_teacher_that_is_trained_further_or_used_with_other_words_is_another_one():
    words = make_pipeline(TfidfVectorizer(stop_words=["the"]), LogisticRegression()).fit(TEXTS, TRUTH)
    teacher = tl.as_teacher(words)
    teacher.answer(TEXTS)
    before = teacher.fingerprint
    words[0].stop_words = ["good"]
    assert teacher.fingerprint != before
    words[0].stop_words = ["the"]
    assert teacher.fingerprint == before
    words.fit(TEXTS, 1 - TRUTH)
    assert teacher.fingerprint != before


def test_a_network_with_a_spectral_norm_follows_the_weights_that_it_divides():
    network = nn.utils.spectral_norm(nn.Linear(4, 2)).eval()
    before = content_hash(network)
    network(torch.ones(1, 4))
    assert content_hash(network) == before
    with torch.no_grad():
        network.weight_orig.add_(1)
    assert content_hash(network) != before


def test_the_cells_of_a_sparse_matrix_are_content_and_their_order_is_not():
    unordered, ordered = (csr_matrix(([1.0, 2.0], places, [0, 2]), shape=(1, 3)) for places in ([2, 0], [0, 2]))
    before = content_hash(unordered)
    assert before != content_hash(ordered)
    unordered.sort_indices()
    assert content_hash(unordered) == before == content_hash(csr_matrix([[2.0, 0.0, 1.0]]))


def test_a_binarizer_keeps_its_hash():
    binarizer = MultiLabelBinarizer().fit([[1, 2], [3]])
    before = content_hash(binarizer)
    binarizer.transform([[1]])
    assert content_hash(binarizer) == before != content_hash(MultiLabelBinarizer().fit([[1, 2], [4]]))
