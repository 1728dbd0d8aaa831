"""A student or a teacher may modify its input in place: rows, answers and trainings are those of one that copies."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from torch import nn
from torch.utils.data import TensorDataset

import tutelage as tl
from tutelage.core import torch_runtime

RNG = np.random.default_rng(0)
PICTURES = RNG.uniform(size=(24, 1, 4, 4)).astype(np.float32)
Y = np.arange(24) % 3
LOSSES = tl.losses


class Scaled(nn.Module):
    """Scales its pictures, in place or not: the answers are the same."""

    def __init__(self, in_place, seed=0):
        super().__init__()
        self.in_place = in_place
        with torch_runtime.seeded(seed):
            self.hidden, self.last = nn.Linear(16, 5), nn.Linear(5, 3)

    def forward(self, pictures):
        scaled = pictures.sub_(0.5).div_(0.25) if self.in_place else (pictures - 0.5) / 0.25
        return self.last(torch.relu(self.hidden(scaled.flatten(1))))


TEACHER = tl.as_teacher(Scaled(in_place=False, seed=5), classes=[0, 1, 2])
SOFT = LOSSES.kl_divergence()
WITH_HINT = LOSSES.kl_divergence() + LOSSES.hint("hidden")
VIEWS = tl.transfer.Views(PICTURES, tl.transfer.Affine(shift=1), count=2)


def dataset():
    return TensorDataset(torch.from_numpy(PICTURES.copy()))


CASES = {
    "rows to validate on": (None, lambda: (PICTURES, None, Y), {"validation": (PICTURES[12:], Y[12:])}),
    "a share to validate on": (None, lambda: (PICTURES, None, Y), {"validation": 0.5}),
    "layers, in memory": (WITH_HINT, lambda: (PICTURES, TEACHER), {}),
    "a Dataset and a live teacher": (SOFT, lambda: (dataset(), TEACHER), {}),
    "a Dataset and layers": (WITH_HINT, lambda: (dataset(), TEACHER), {}),
    "a Dataset and recorded answers": (SOFT, lambda: (dataset(), tl.record(TEACHER, PICTURES)), {}),
    "views and recorded answers": (SOFT, lambda: (VIEWS, tl.record(TEACHER, VIEWS)), {}),
}


@pytest.mark.parametrize("case", CASES)
def test_a_student_that_modifies_its_input_learns_as_one_that_copies(case):
    objective, data, settings = CASES[case]
    students = [
        tl.TorchStudent(Scaled(in_place), objective).fit(*data(), epochs=3, batch_size=8, lr=0.02, **settings) for in_place in (False, True)
    ]
    expected, found = students
    assert all(torch.equal(value, found.network.state_dict()[name]) for name, value in expected.network.state_dict().items())
    assert expected.fit_.scores.tolist() == found.fit_.scores.tolist()
    assert (expected.predict(PICTURES) == found.predict(PICTURES)).all()


class MeanOfTokens(nn.Module):
    """The mean over the tokens that count; turns the mask into weights, in place or not."""

    def __init__(self, in_place, seed=0):
        super().__init__()
        self.in_place = in_place
        with torch_runtime.seeded(seed):
            self.embedding, self.last = nn.Embedding(9, 4), nn.Linear(4, 2)

    def forward(self, input_ids, attention_mask):
        counts = attention_mask.sum(1, keepdim=True)
        left_out = attention_mask.sub_(1).neg_() if self.in_place else 1 - attention_mask
        embedded = self.embedding(input_ids).masked_fill(left_out[..., None] != 0, 0)
        return self.last(embedded.sum(1) / counts)


def test_a_student_may_modify_its_attention_mask():
    ids = [[1, 2, 3], [4, 5], [6], [7, 8, 1, 2]]
    rows = {"input_ids": ids, "attention_mask": [[1] * len(row) for row in ids]}
    teacher = tl.as_teacher(MeanOfTokens(in_place=False, seed=3), classes=[0, 1])
    objective = LOSSES.kl_divergence() + LOSSES.hint("embedding")
    trained = [tl.TorchStudent(MeanOfTokens(each), objective).fit(rows, teacher, epochs=3, batch_size=2).network for each in (False, True)]
    assert torch.equal(trained[0].embedding.weight, trained[1].embedding.weight)


WEIGHTS = RNG.normal(size=(4, 3)).astype(np.float32)
TABLE = RNG.uniform(size=(30, 4)).astype(np.float32)


def clean(rows):
    return np.asarray(rows, np.float32) * 2 @ WEIGHTS


def dirty(rows):
    rows *= 2
    return np.asarray(rows) @ WEIGHTS


def of_names(rows):
    return np.asarray([rows["a"].sum(axis=1), rows["b"]]).T


def of_names_in_place(rows):
    rows["a"] -= 1
    return of_names({"a": rows.pop("a") + 0, "b": rows["b"]})


def upper(texts):
    for place, text in enumerate(texts):
        texts[place] = text.upper()
    return [[float(text.isupper()), float(len(text))] for text in texts]


def scaler_in_place():
    scaled = make_pipeline(StandardScaler(copy=False), LogisticRegression())
    return scaled.fit(TABLE.astype(np.float64), Y_OF_TABLE)


Y_OF_TABLE = np.arange(30) % 3
CONTAINERS = {
    "array": (dirty, TABLE.copy),
    "tensor": (dirty, lambda: torch.from_numpy(TABLE.copy())),
    "frame": (dirty, lambda: pd.DataFrame(TABLE.copy(), columns=list("abcd"))),
    "mapping": (of_names_in_place, lambda: {"a": TABLE.copy(), "b": TABLE[:, 0].copy()}),
    "texts": (upper, lambda: ["one", "Two", "three"]),
    "estimator": (scaler_in_place(), lambda: TABLE.astype(np.float64)),
    "estimator of frames": (scaler_in_place(), lambda: pd.DataFrame(TABLE.astype(np.float64))),
}


@pytest.mark.parametrize("container", CONTAINERS)
def test_a_teacher_may_modify_its_rows(container):
    model, rows = CONTAINERS[container]
    classes = {} if container.startswith("estimator") else {"kind": "logits", "classes": range(3 if model is dirty else 2)}
    teacher, given, untouched = tl.as_teacher(model, **classes), rows(), rows()
    first = teacher.answer(given)
    assert (teacher.answer(given) == first).all()
    for one, other in zip(_arrays(given), _arrays(untouched), strict=True):
        assert (one == other).all()
    tl.check_teacher(teacher, given)


def _arrays(rows):
    return [np.asarray(each) for each in (rows.values() if isinstance(rows, dict) else [rows])]


def tenths(rows):
    return rows / 10


def tenths_in_place(rows):
    rows /= 10
    return rows


def of_function(last, *, copy):
    return make_pipeline(FunctionTransformer(tenths if copy else tenths_in_place), last)


def pipeline(last, *, copy):
    return make_pipeline(StandardScaler(copy=copy), last)


def forest():
    return RandomForestClassifier(5, random_state=0)


@pytest.mark.parametrize(
    "student_and_teacher",
    [
        lambda copy: (pipeline(LogisticRegression(), copy=copy), forest()),
        lambda copy: (forest(), pipeline(tl.SoftTargets(LogisticRegression()), copy=copy)),
        lambda copy: (forest(), pipeline(tl.SoftTree(max_leaf_nodes=4, random_state=0), copy=copy)),
        lambda copy: (forest(), pipeline(tl.SoftLogistic(), copy=copy)),
        lambda copy: (of_function(LogisticRegression(), copy=copy), of_function(tl.SoftTargets(LogisticRegression()), copy=copy)),
    ],
    ids=["teacher", "wrapped student", "tree", "logistic", "function"],
)
def test_pipelines_that_scale_in_place_teach_learn_and_are_evaluated_as_others(student_and_teacher):
    rows, fresh = (RNG.normal(size=(60, 4)) * 3 + 2 for _ in range(2))
    truth = (rows.sum(axis=1) > 8).astype(int)
    found = []
    for copy in (True, False):
        given, asked = rows.copy(), fresh.copy()
        student = tl.DistilledClassifier(*student_and_teacher(copy), temperature=2.0, random_state=0).fit(given, truth)
        evaluation = tl.evaluate(student, student.teacher_, asked, truth, budget_seconds=0.001, resamples=100)
        assert (given == rows).all()
        assert (asked == fresh).all()
        found.append((student.predict_proba(fresh.copy()), evaluation.against_teacher["agreement"], evaluation.against_truth["accuracy"]))
    assert (found[0][0] == found[1][0]).all()
    assert found[0][1:] == found[1][1:]


def test_the_batches_of_a_student_are_not_those_that_a_function_modified():
    trained = []
    for function in (clean, dirty):
        with torch_runtime.seeded(0):
            network = nn.Linear(4, 3)
        data, teacher = TensorDataset(torch.from_numpy(TABLE.copy())), tl.as_teacher(function, kind="logits", classes=range(3))
        trained.append(tl.TorchStudent(network, SOFT).fit(data, teacher, epochs=2, batch_size=8, lr=0.02).network.weight)
    assert torch.equal(*trained)
