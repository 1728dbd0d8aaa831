"""A distillation whose students are torch networks of the user's."""

import json

import numpy as np
import pytest
from sklearn.datasets import make_moons
from sklearn.ensemble import RandomForestClassifier
from torch import nn

import tutelage as tl
from tutelage.cli import main
from tutelage.workflow.distillation.searching.search import Judge

X, Y = make_moons(300, noise=0.3, random_state=0)
TEACHER = RandomForestClassifier(20, max_depth=5, random_state=0).fit(X[:100], Y[:100])


class Own(nn.Module):
    def __init__(self, inputs, outputs, activation=nn.Tanh):
        super().__init__()
        self.inner, self.activation, self.outer = nn.Linear(inputs, 4), activation(), nn.Linear(4, outputs)

    def forward(self, rows):
        return self.outer(self.activation(self.inner(rows)))


@pytest.fixture(autouse=True)
def _unmeasured(monkeypatch):
    monkeypatch.setattr(Judge, "size", lambda *arguments: 1000)  # torch's exporter takes seconds a file
    monkeypatch.setattr(Judge, "latency", lambda *arguments, **settings: None)


def test_a_network_of_own_code_needs_its_function_in_python_and_its_export_nowhere(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    students = {"net": (tl.TorchClassifier(Own, epochs=3), {"activation": [nn.Tanh, nn.ReLU]})}
    found = tl.distill(TEACHER, X[100:], Y[100:], students=students, trials=1, seeds=2, into="run")
    chosen = found.chosen.settings
    answers = found.student.predict_proba(X[:20])
    np.testing.assert_allclose(tl.open_teacher("run/student.onnx").answer(X[:20]), answers, atol=1e-5)
    assert chosen.get("activation") in (None, str(nn.Tanh), str(nn.ReLU))
    assert np.array_equal(tl.load_student("run", network=Own).predict_proba(X[:20]), answers)
    np.savetxt("rows.csv", X[:20], delimiter=",", header="a,b", comments="")
    assert main(["predict", "run", "--data", "rows.csv"]) == 2
    assert "On the command line use an exported file" in capsys.readouterr().err
    loading = json.loads((tmp_path / "run" / "figures.json").read_text(encoding="utf-8"))["loading"]
    assert 'tl.load_student("student.skops", network=build)' in loading[-1]["code"]
