"""A distillation whose students are torch networks of the user's."""

import json

import numpy as np
import pytest
from sklearn.datasets import make_moons
from sklearn.ensemble import RandomForestClassifier
from torch import nn

import tutelage as tl
from tutelage.cli import main
from tutelage.core.errors import ShapeError
from tutelage.workflow.distillation.searching.judge import Judge

X, Y = make_moons(300, noise=0.3, random_state=0)
TEACHER = RandomForestClassifier(20, max_depth=5, random_state=0).fit(X[:100], Y[:100])


class Own(nn.Module):
    def __init__(self, inputs, outputs, activation=nn.Tanh):
        super().__init__()
        self.inner, self.activation, self.outer = nn.Linear(inputs, 4), activation(), nn.Linear(4, outputs)

    def forward(self, rows):
        return self.outer(self.activation(self.inner(rows)))


PIXELS = np.random.default_rng(0).integers(0, 256, size=(240, 1, 4, 4)).astype(np.uint8)
BRIGHT = np.where(PIXELS[:, :, :, :2].mean(axis=(1, 2, 3)) > PIXELS[:, :, :, 2:].mean(axis=(1, 2, 3)), "left", "right")


def convolution(inputs, outputs, width=8):
    assert inputs == (1, 4, 4)
    return nn.Sequential(nn.Conv2d(1, width, 2), nn.ReLU(), nn.Flatten(), nn.LazyLinear(outputs))


def halves(rows):
    assert rows.shape[1:] == (1, 4, 4)
    more = rows[:, :, :, :2].mean(axis=(1, 2, 3)) - rows[:, :, :, 2:].mean(axis=(1, 2, 3))
    chance = 1 / (1 + np.exp(-more / 10.0))
    return np.column_stack([chance, 1 - chance])


@pytest.fixture
def unmeasured(monkeypatch):
    monkeypatch.setattr(Judge, "file", lambda *arguments: None)  # torch's exporter takes seconds a file


@pytest.mark.exhaustive
def test_a_network_of_own_code_needs_its_function_in_python_and_its_export_nowhere(unmeasured, unchecked, tmp_path, monkeypatch, capsys):
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


@pytest.mark.exhaustive
def test_pictures_of_bytes_reach_a_convolution_in_their_shape_and_so_do_its_files(unmeasured, unchecked, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    teacher = tl.as_teacher(halves, kind="probabilities", classes=["left", "right"])
    networks = tl.TorchClassifier(convolution, learning_rate=0.01, epochs=40)
    options = {"students": {"net": (networks, {"width": [4, 8]})}, "trials": 1, "seeds": 2, "export": ["onnx", "py"], "into": "run"}
    tl.distill(teacher, PIXELS[:200], BRIGHT[:200], **options)
    new = PIXELS[200:]
    student = tl.load_student("run")
    answers = student.predict_proba(new)
    assert (student.predict(new) == BRIGHT[200:]).mean() > 0.7
    np.testing.assert_array_equal(student.predict_proba(new.astype(np.float32)), answers)
    np.testing.assert_allclose(tl.open_teacher("run/student.onnx").answer(new.astype(float)), answers, atol=1e-5)
    module = {}
    exec((tmp_path / "run" / "student.py").read_text(encoding="utf-8"), module)  # noqa: S102
    np.testing.assert_allclose([module["predict_proba"](picture.tolist()) for picture in new], answers, atol=1e-5)
    with pytest.raises(ShapeError, match=r"expects \(rows, 1, 4, 4\)\. Pass X.reshape"):
        student.predict(new.reshape(-1, 16))
    np.save("scaled.npy", new / 255)
    assert main(["predict", "run", "--data", "scaled.npy"]) == 2
