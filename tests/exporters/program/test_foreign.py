import sys
from threading import Event, Thread

import numpy as np
import pytest
import torch
from sklearn.cluster import KMeans
from sklearn.dummy import DummyRegressor
from sklearn.ensemble import AdaBoostClassifier, AdaBoostRegressor
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.svm import SVR, LinearSVC
from sklearn.tree import DecisionTreeClassifier
from torch import nn

import tutelage as tl
from tutelage.core.errors import BadInput
from tutelage.exporters.export import export
from tutelage.exporters.program.build import program_of
from tutelage.exporters.program.foreign import answering_network, silenced
from tutelage.exporters.program.operations import OnnxPart
from tutelage.exporters.proof import edge_cases
from tutelage.exporters.subject.subject import subject_of
from tutelage.exporters.targets.onnx.runtime import OnnxStudent

RNG = np.random.default_rng(0)
X = RNG.normal(size=(120, 3))
Y = X[:, 0] * X[:, 1]
CLASSES = np.array(["u", "v", "w"])[np.digitize(Y, [-0.3, 0.3])]


@pytest.fixture(autouse=True)
def few_rows(monkeypatch):
    monkeypatch.setattr(edge_cases, "ROWS", 100)


def has_a_part(student):
    return any(isinstance(step.operation, OnnxPart) for step in program_of(*subject_of(student, X)).steps)


@pytest.mark.parametrize("model", [SVR(), AdaBoostRegressor(n_estimators=3, random_state=0)])
def test_other_regressors_are_exported(model, tmp_path):
    export(model.fit(X, Y), tmp_path / "model.onnx", check_on=X)
    np.testing.assert_allclose(OnnxStudent.load(tmp_path / "model.onnx").answer(X)[:, 0], model.predict(X), atol=1e-4)


@pytest.mark.parametrize("wrapped", [True, False])
def test_other_classifiers_are_exported_and_compared_at_their_splits(wrapped, tmp_path):
    model = AdaBoostClassifier(DecisionTreeClassifier(max_depth=4), n_estimators=3, random_state=0)
    student = tl.SoftTargets(model).fit(X, RNG.dirichlet(np.ones(3), 120)) if wrapped else model.fit(X, CLASSES)
    (proof,) = export(student, tmp_path / "model.onnx", check_on=X).proofs
    assert proof.edge_rows > 100
    assert has_a_part(student)


def test_a_search_is_exported_as_the_estimator_that_it_chose(tmp_path):
    for model in (DecisionTreeClassifier(), tl.SoftTree()):
        search = GridSearchCV(model, {"max_depth": [2, 3]}, cv=2).fit(X, CLASSES)
        assert not has_a_part(search)
        assert "missing values" not in export(search, tmp_path / "model.onnx", check_on=X).proofs[0].refused


@pytest.mark.parametrize(
    ("model", "sentence"),
    [
        (DummyRegressor().fit(X, Y), r"cannot export a DummyRegressor: skl2onnx has no conversion of it \(MissingShapeCalculator\)"),
        (make_pipeline(FunctionTransformer(np.abs), SVR()).fit(X, Y), "runs a function of its own"),
        (KMeans(2, n_init=1).fit(X), "a KMeans is neither a classifier nor a regressor"),
        (LinearSVC().fit(X, CLASSES), "a LinearSVC has no predict_proba"),
    ],
)
def test_estimators_without_a_conversion_are_refused_in_one_sentence(model, sentence, tmp_path, capsys):
    with pytest.raises(BadInput, match=sentence):
        export(model, tmp_path / "model.onnx", check_on=X)
    assert capsys.readouterr() == ("", "")


def test_what_one_thread_silences_another_does_not_restore():
    before, inside, leave = sys.stdout, [Event(), Event()], [Event(), Event()]

    def silent(place):
        with silenced():
            inside[place].set()
            leave[place].wait(10)

    threads = [Thread(target=silent, args=(place,)) for place in (0, 1)]
    for place, thread in enumerate(threads):
        thread.start()
        inside[place].wait(0.3)  # the second one has to wait for the first
    for place, thread in enumerate(threads):
        leave[place].set()
        inside[place].wait(10)
        if place == 0:
            thread.join(10)
    threads[1].join(10)
    assert sys.stdout is before


@pytest.mark.parametrize("task", ["multiclass", "multilabel", "regression"])
def test_the_logits_of_a_structure_are_found_in_an_exported_network_as_in_python(task):
    class Structured(nn.Module):
        def forward(self, rows):
            return {"hidden": rows - 1, "logits": 2 * rows}

    rows = torch.from_numpy(X)
    expected = {"multiclass": (2 * rows).softmax(-1), "multilabel": (2 * rows).sigmoid(), "regression": 2 * rows}[task]
    torch.testing.assert_close(answering_network(Structured(), None, task)(rows), expected)
    of_hidden = answering_network(Structured(), lambda returned: returned["hidden"], "regression")
    torch.testing.assert_close(of_hidden(rows), rows - 1)
