import numpy as np
import pandas as pd
import pytest
from fastapi.testclient import TestClient
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline

import tutelage as tl
from tutelage.core.errors import BadInput
from tutelage.exporters.targets.onnx.runtime import OnnxStudent

RNG = np.random.default_rng(0)
X = RNG.normal(size=(120, 4))
Y = (X[:, 0] + X[:, 1] > 0).astype(int)
PRECISIONS = ["int8", "int8-dynamic"]


def network():
    return tl.SoftMLP(hidden_layer_sizes=(8,), epochs=5, random_state=0)


def written(student, rows, path, precision):
    tl.export(student, path, check_on=rows, precision=precision, max_drop=100)
    return OnnxStudent.load(path)


def with_cell(rows, column, value):
    changed = rows.copy()
    changed[0, column] = value
    return changed


@pytest.mark.parametrize("precision", PRECISIONS)
def test_what_a_student_refuses_is_no_number_in_8_bits(precision, tmp_path):
    student = network().fit(X, Y)
    file = written(student, X, tmp_path / "student.onnx", precision)
    fine = file.answer(X[:3])
    assert np.isfinite(fine).all()
    for value in (np.nan, np.inf, -np.inf):
        rows = with_cell(X[:3], 2, value)
        with pytest.raises((BadInput, ValueError)):
            student.predict_proba(rows)
        answers = file.answer(rows)
        assert np.isnan(answers[0]).all()
        np.testing.assert_array_equal(answers[1:], fine[1:])


@pytest.mark.parametrize("precision", PRECISIONS)
def test_gaps_that_a_student_fills_are_answered_in_8_bits(precision, tmp_path):
    rows = with_cell(X, 0, np.nan)
    student = make_pipeline(SimpleImputer(), network()).fit(rows, Y)
    file = written(student, rows, tmp_path / "student.onnx", precision)
    np.testing.assert_allclose(file.answer(rows[:3]), student.predict_proba(rows[:3]), atol=0.1)
    assert np.isnan(file.answer(with_cell(rows[:3], 2, np.inf))[0]).all()


def test_a_gap_is_refused_in_the_columns_in_which_the_student_refuses_it(tmp_path):
    frame = pd.DataFrame(with_cell(X, 0, np.nan), columns=list("abcd"))
    student = make_pipeline(make_column_transformer((SimpleImputer(), ["a"]), remainder="passthrough"), network()).fit(frame, Y)
    file = written(student, frame, tmp_path / "student.onnx", "int8")
    assert np.isfinite(file.answer(frame[:3].to_numpy())).all()
    assert np.isnan(file.answer(with_cell(frame[:3].to_numpy(), 3, np.nan))).all(axis=1).tolist() == [True, False, False]


@pytest.mark.parametrize("fills", [False, True])
def test_a_torch_network_answers_gaps_in_8_bits_where_it_answers_them_itself(fills, tmp_path):
    torch = pytest.importorskip("torch")

    class Network(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = torch.nn.Linear(4, 8), torch.nn.Linear(8, 2)

        def forward(self, rows):
            rows = torch.nan_to_num(rows) if fills else rows
            return self.second(torch.relu(self.first(rows)))

    torch.manual_seed(0)
    student = tl.TorchStudent(Network()).fit(X.astype(np.float32), y=Y, epochs=1)
    file = written(student, X.astype(np.float32), tmp_path / "student.onnx", "int8")
    answers = file.answer(with_cell(X[:3], 1, np.nan))
    assert np.isfinite(answers).all(axis=1).tolist() == [fills, True, True]


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_server_refuses_a_gap_that_the_student_refuses(precision, tmp_path):
    written(network().fit(X, Y), X, tmp_path / "student.onnx", precision)
    with TestClient(tl.serving.create_app(tmp_path / "student.onnx")) as client:
        assert client.post("/v1/answer", json=X[0].tolist()).status_code == 200
        assert client.post("/v1/answer", json=[None, *X[0, 1:].tolist()]).status_code == 422
