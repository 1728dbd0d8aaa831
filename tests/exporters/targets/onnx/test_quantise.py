import contextlib

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


def of_layers(body):
    """A student that is a network of two layers, before which its rows are changed."""
    torch = pytest.importorskip("torch")

    class Network(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = torch.nn.Linear(4, 8), torch.nn.Linear(8, 2)

        def forward(self, rows):
            return self.second(torch.relu(self.first(body(torch, rows))))

    torch.manual_seed(0)
    return tl.TorchStudent(Network()).fit(X.astype(np.float32), y=Y, epochs=1)


@pytest.mark.parametrize("fills", [False, True])
def test_a_torch_network_answers_gaps_in_8_bits_where_it_answers_them_itself(fills, tmp_path):
    student = of_layers(lambda torch, rows: torch.nan_to_num(rows) if fills else rows)
    file = written(student, X.astype(np.float32), tmp_path / "student.onnx", "int8")
    answers = file.answer(with_cell(X[:3], 1, np.nan))
    assert np.isfinite(answers).all(axis=1).tolist() == [fills, True, True]


def answers_of(student, rows):
    """Of each row alone; NaN where it is refused."""
    found = np.full((len(rows), 2), np.nan)
    for place in range(len(rows)):
        with contextlib.suppress(BadInput):
            found[place] = student.predict_proba(rows[place : place + 1])[0]
    return found


BODIES = {
    "fills one cell": lambda torch, rows: torch.cat([torch.nan_to_num(rows[:, :1]), rows[:, 1:]], dim=1),
    "does not read one cell": lambda torch, rows: torch.cat([rows[:, 1:], rows[:, 1:2]], dim=1),
    "bounds from above": lambda torch, rows: torch.clamp(rows, max=3),
    "bounds from below": lambda torch, rows: torch.relu(rows),
}


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("body", BODIES)
def test_each_cell_and_each_sign_is_refused_in_8_bits_where_a_torch_network_refuses_it(body, precision, tmp_path):
    student = of_layers(BODIES[body])
    cells = [(column, value) for column in range(4) for value in (np.nan, np.inf, -np.inf)]
    rows = np.concatenate([with_cell(X[:1], column, value) for column, value in cells]).astype(np.float32)
    own = answers_of(student, rows)
    assert 0 < np.isnan(own[:, 0]).sum() < len(rows)
    file = written(student, X.astype(np.float32), tmp_path / "student.onnx", precision)
    answers = np.concatenate([file.answer(row[None]) for row in rows])
    np.testing.assert_array_equal(np.isnan(answers), np.isnan(own))


def test_rows_of_check_on_may_have_gaps_in_cells_that_a_torch_network_fills(tmp_path):
    student, rows = of_layers(BODIES["fills one cell"]), X.astype(np.float32)
    rows[:, 0] = np.nan
    file = written(student, rows, tmp_path / "student.onnx", "int8")
    np.testing.assert_allclose(file.answer(rows[:3]), student.predict_proba(rows[:3]), atol=0.1)


def test_pixels_that_a_convolution_does_not_read_may_be_gaps_in_8_bits(tmp_path):
    torch = pytest.importorskip("torch")
    network = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3, stride=2), torch.nn.Flatten(), torch.nn.Linear(2, 2))
    pictures = X[:, None, None, :].repeat(4, axis=2).astype(np.float32)
    student = tl.TorchStudent(network).fit(pictures, y=Y, epochs=1)
    file = written(student, pictures, tmp_path / "student.onnx", "int8")
    odd = pictures[:3].copy()
    odd[0, 0, 3, 3], odd[1, 0, 2, 2] = np.nan, np.nan
    assert np.isnan(file.answer(odd)).all(axis=1).tolist() == [False, True, False]


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_server_refuses_a_gap_that_the_student_refuses(precision, tmp_path):
    written(network().fit(X, Y), X, tmp_path / "student.onnx", precision)
    with TestClient(tl.serving.create_app(tmp_path / "student.onnx")) as client:
        assert client.post("/v1/answer", json=X[0].tolist()).status_code == 200
        assert client.post("/v1/answer", json=[None, *X[0, 1:].tolist()]).status_code == 422
