from collections import OrderedDict
from types import SimpleNamespace

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch
from safetensors.torch import save_file
from scipy import sparse
from torch import nn

from tutelage.core.answers import of_classes
from tutelage.core.errors import BadInput, DamagedFile, LabelMismatch, NotProbabilities, ShapeError
from tutelage.teachers.adapt import as_teacher
from tutelage.teachers.adapters.torch_module import TorchTeacher, load_weights

ROWS = np.random.default_rng(0).normal(size=(9, 3))
TWO = of_classes("logits", (0, 1))


class Wrapping(nn.Module):
    """A network that returns its logits inside a tuple or a dict."""

    def __init__(self, wrapped):
        super().__init__()
        self.linear, self.wrapped = nn.Linear(3, 2), wrapped

    def forward(self, rows):
        return self.wrapped(self.linear(rows))


class Tokens(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding, self.linear = nn.Embedding(10, 4), nn.Linear(4, 2)

    def forward(self, ids):
        return self.linear(self.embedding(ids).mean(dim=1))


def logits_of(network, rows=ROWS):
    with torch.no_grad():
        return network(torch.tensor(rows, dtype=torch.float32)).numpy()


def test_a_teacher_in_train_mode_answers_in_eval_mode_and_its_modes_are_restored():
    network = nn.Sequential(nn.Linear(3, 50), nn.BatchNorm1d(50).eval(), nn.Dropout(0.5), nn.Linear(50, 2))
    network.train()
    network[1].eval()  # frozen by its owner
    statistics = network[1].running_mean.clone()
    teacher = TorchTeacher(network, TWO)
    answers = teacher.answer(ROWS)
    np.testing.assert_array_equal(answers, teacher.answer(ROWS))
    assert [layer.training for layer in network] == [True, False, True, True]
    assert torch.equal(network[1].running_mean, statistics)
    assert all(value.grad is None and value.requires_grad for value in network.parameters())
    network.eval()
    np.testing.assert_allclose(answers, logits_of(network), rtol=1e-5)
    assert answers.dtype == np.float32


def test_modes_are_restored_when_the_rows_do_not_fit():
    network = nn.Sequential(nn.Linear(3, 2), nn.Dropout()).train()
    with pytest.raises(BadInput, match=r"this Sequential cannot take these rows \(mat1 and mat2 shapes"):
        TorchTeacher(network, TWO).answer(ROWS[:, :2])
    assert network[1].training


def test_the_batch_size_does_not_change_the_answers():
    network = nn.Linear(3, 2)
    np.testing.assert_allclose(TorchTeacher(network, TWO, batch_size=2).answer(ROWS), logits_of(network), rtol=1e-5)


@pytest.mark.parametrize("form", [torch.tensor, sparse.csr_matrix, pd.DataFrame, np.ndarray.tolist, np.asarray])
def test_rows_are_accepted_in_every_container(form):
    network, rows = nn.Linear(3, 2), ROWS.astype(np.float16)
    given = form(rows if form is np.asarray else rows.astype(np.float64))
    np.testing.assert_allclose(TorchTeacher(network, TWO).answer(given), logits_of(network, rows), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", [np.int64, np.int32, np.uint8, bool])
def test_integers_become_floats_in_a_network_without_embeddings(kind):
    network, pixels = nn.Linear(3, 2), (ROWS > 0).astype(kind)
    np.testing.assert_allclose(TorchTeacher(network, TWO).answer(pixels), logits_of(network, pixels), rtol=1e-5)


@pytest.mark.parametrize("kind", [np.int64, np.int32, np.uint8])
def test_integers_stay_integers_in_a_network_with_embeddings(kind):
    network, ids = Tokens(), np.arange(8, dtype=kind).reshape(4, 2)
    with torch.no_grad():
        expected = network(torch.tensor(ids, dtype=torch.int64)).numpy()
    for given in (ids, torch.tensor(ids.astype(np.int64))):
        np.testing.assert_array_equal(TorchTeacher(network, TWO).answer(given), expected)


def test_a_tensor_of_integers_stays_an_integer_tensor():
    class OneHot(nn.Module):
        def forward(self, ids):
            return nn.functional.one_hot(ids, 2).float()

    np.testing.assert_array_equal(TorchTeacher(OneHot(), TWO).answer(torch.tensor([1, 0])), [[0, 1], [1, 0]])


@pytest.mark.parametrize(("kind", "dtype"), [(torch.float64, np.float64), (torch.float32, np.float32), (torch.bfloat16, np.float32)])
def test_rows_take_the_networks_own_float_type(kind, dtype):
    assert TorchTeacher(nn.Linear(3, 2).to(kind), TWO).answer(ROWS).dtype == dtype


@pytest.mark.parametrize("rows", [ROWS.astype(np.float32), torch.tensor(ROWS, dtype=torch.float32)])
def test_a_network_that_works_in_place_does_not_modify_the_rows(rows):
    before = rows.copy() if isinstance(rows, np.ndarray) else rows.clone()
    TorchTeacher(nn.Sequential(nn.ReLU(inplace=True), nn.Linear(3, 2)), TWO).answer(rows)
    assert (rows == before).all()


def test_read_only_rows_are_accepted():
    rows = ROWS.astype(np.float32)
    rows.flags.writeable = False  # as a memory-mapped file is
    assert TorchTeacher(nn.Linear(3, 2), TWO).answer(rows).shape == (9, 2)


@pytest.mark.parametrize(
    ("wrapped", "output"),
    [
        (lambda logits: (logits, "hidden"), lambda outputs: outputs[0]),
        (lambda logits: {"answers": logits}, lambda outputs: outputs["answers"]),
        (lambda logits: OrderedDict(loss=0, answers=logits), lambda outputs: outputs["answers"]),
    ],
)
def test_output_selects_the_logits(wrapped, output):
    network = Wrapping(wrapped)
    np.testing.assert_allclose(as_teacher(network, classes=(0, 1), output=output).answer(ROWS), logits_of(network.linear), rtol=1e-5)
    with pytest.raises(BadInput, match="not a tensor; pass output="):
        as_teacher(network, classes=(0, 1)).answer(ROWS)


@pytest.mark.parametrize("wrapped", [lambda logits: {"logits": logits}, lambda logits: SimpleNamespace(loss=0, logits=logits)])
def test_outputs_that_have_logits_need_no_selection(wrapped):
    network = Wrapping(wrapped)
    np.testing.assert_allclose(as_teacher(network, classes=(0, 1)).answer(ROWS), logits_of(network.linear), rtol=1e-5)


@pytest.mark.parametrize("network", [nn.Linear(3, 1), nn.Sequential(nn.Linear(3, 1), nn.Flatten(0))])
def test_a_single_logit_belongs_to_the_second_of_two_classes(network):
    margin = logits_of(network).reshape(-1)
    np.testing.assert_allclose(TorchTeacher(network, TWO).answer(ROWS), np.column_stack([0 * margin, margin]), rtol=1e-5)
    np.testing.assert_allclose(as_teacher(network, task="regression").answer(ROWS), margin[:, None], rtol=1e-5)


def test_probabilities_are_declared():
    softmax, sigmoid = nn.Sequential(nn.Linear(3, 2), nn.Softmax(1)), nn.Sequential(nn.Linear(3, 1), nn.Sigmoid())
    for network in (softmax, sigmoid):
        teacher = as_teacher(network, classes=("no", "yes"), kind="probabilities")
        answers = teacher.answer(ROWS)
        np.testing.assert_allclose(answers[:, -1], logits_of(network)[:, -1])
        np.testing.assert_allclose(answers.sum(axis=1), 1, rtol=1e-6)
        assert teacher.form.kind == "probabilities"
    with pytest.raises(NotProbabilities, match="the teacher's probabilities"):
        as_teacher(nn.Linear(3, 3), classes=(0, 1, 2), kind="probabilities").answer(ROWS)


@pytest.mark.parametrize(
    "rows",
    [
        np.asfortranarray(ROWS),
        ROWS.astype(">f8"),
        ROWS[::-1][::-1],
        ROWS.astype(object),
        ROWS.astype(str).astype(object),
        pd.DataFrame(ROWS).astype("Float64"),
        pl.DataFrame(ROWS),
        pa.table(pd.DataFrame(ROWS)),
    ],
    ids=["Fortran", "big-endian", "reversed", "objects", "texts of numbers", "nullable", "polars", "Arrow"],
)
def test_rows_are_numbers_in_any_layout(rows):
    network = nn.Linear(3, 2)
    np.testing.assert_allclose(as_teacher(network, classes=(0, 1)).answer(rows), logits_of(network), rtol=1e-5, atol=1e-6)


def test_multilabel_and_regression_are_declared():
    network = nn.Linear(3, 2)
    labels, values = as_teacher(network, classes=("x", "y"), task="multilabel"), as_teacher(network, task="regression")
    assert [labels.form.task, values.form.kind] == ["multilabel", "values"]
    np.testing.assert_array_equal(labels.answer(ROWS), values.answer(ROWS))


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({}, BadInput, "pass classes="),
        ({"classes": (0, 1), "kind": "values"}, LabelMismatch, "a regression teacher has no classes"),
        ({"classes": (0, 1), "task": "regression"}, LabelMismatch, "a regression teacher has no classes"),
        ({"classes": (0, 1, 2), "task": "binary"}, LabelMismatch, "expected 2"),
    ],
)
def test_missing_and_contradictory_declarations_are_refused(options, error, message):
    with pytest.raises(error, match=message):
        as_teacher(nn.Linear(3, 2), **options)


def test_a_wrong_number_of_logits_is_refused():
    with pytest.raises(ShapeError, match=r"have 2 columns; expected 3"):
        TorchTeacher(nn.Linear(3, 2), of_classes("logits", ("a", "b", "c"))).answer(ROWS)


def test_answers_for_every_token_are_refused():
    with pytest.raises(ShapeError, match=r"have shape \(4, 2, 4\); expected \(batch, classes\)"):
        TorchTeacher(nn.Embedding(10, 4), TWO).answer(np.ones((4, 2), dtype=int))


def test_answers_for_fewer_rows_are_refused():
    with pytest.raises(LabelMismatch, match="1 answers to 9 rows"):
        TorchTeacher(Wrapping(lambda logits: logits[:1]), TWO).answer(ROWS)


def test_a_nan_answer_is_refused():
    network = nn.Linear(3, 2)
    nn.init.constant_(network.bias, float("nan"))
    with pytest.raises(BadInput, match="the teacher's logits: 9 of 9 rows"):
        TorchTeacher(network, TWO).answer(ROWS)


def test_texts_are_refused():
    with pytest.raises(BadInput, match="a torch Module takes numbers; the rows hold <U"):
        TorchTeacher(nn.Linear(3, 2), TWO).answer(["some", "texts"])


def test_the_fingerprint_follows_architecture_and_current_weights():
    network = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    teacher = TorchTeacher(network, TWO)
    names = [teacher.fingerprint, teacher.fingerprint]
    with torch.no_grad():
        network[0].bias[0] += 1
    names.append(teacher.fingerprint)
    network[1].num_batches_tracked += 1
    names.append(teacher.fingerprint)
    assert names[0] == names[1]
    assert len(set(names)) == 3


# Weight files


@pytest.mark.parametrize("suffix", [".pt", ".pth", ".safetensors"])
def test_weights_are_loaded_into_a_network(tmp_path, suffix):
    trained, path = nn.Linear(3, 2), tmp_path / f"weights{suffix}"
    save_file(trained.state_dict(), path) if suffix == ".safetensors" else torch.save(trained.state_dict(), path)
    np.testing.assert_array_equal(logits_of(load_weights(nn.Linear(3, 2), str(path))), logits_of(trained))


def test_weights_saved_on_a_gpu_load_without_one(tmp_path, monkeypatch):
    trained, path = nn.Linear(3, 2), tmp_path / "weights.pt"
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(torch.serialization, "location_tag", lambda storage: "cuda:0")
        torch.save(trained.state_dict(), path)
    with pytest.raises(RuntimeError, match="CUDA"):
        torch.load(path, weights_only=True)
    np.testing.assert_array_equal(logits_of(load_weights(nn.Linear(3, 2), path)), logits_of(trained))


class WritesWhenLoaded:
    """A pickle of it would write a file when loaded."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def test_a_file_that_would_run_code_is_refused_and_runs_none(tmp_path):
    path = tmp_path / "weights.pt"
    torch.save({"weight": WritesWhenLoaded(tmp_path / "ran")}, path)
    with pytest.raises(DamagedFile, match="does not hold a state_dict"):
        load_weights(nn.Linear(3, 2), path)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("name", ["weights.pt", "weights.safetensors"])
@pytest.mark.parametrize("length", [0, 20, 200])
def test_damaged_weights_are_refused(tmp_path, name, length):
    path = tmp_path / name
    trained = nn.Linear(30, 20).state_dict()
    save_file(trained, path) if path.suffix == ".safetensors" else torch.save(trained, path)
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(DamagedFile, match=r"does not hold a state_dict"):
        load_weights(nn.Linear(30, 20), path)


@pytest.mark.parametrize(
    ("saved", "error", "message"),
    [
        (nn.Linear(3, 4).state_dict(), BadInput, r"weight is \(4, 3\), not \(2, 3\)"),
        ({"module.weight": torch.zeros(2, 3)}, BadInput, "it lacks weight; it lacks bias; module.weight is not in the network"),
        ({"weight": "text", "bias": torch.zeros(2)}, BadInput, r"weight is \(\), not \(2, 3\)"),
        ([torch.zeros(2, 3)], DamagedFile, "holds a list, not a state_dict"),
    ],
)
def test_weights_of_another_network_are_refused_and_none_is_loaded(tmp_path, saved, error, message):
    network, path = nn.Linear(3, 2), tmp_path / "weights.pt"
    before = logits_of(network)
    torch.save(saved, path)
    with pytest.raises(error, match=message):
        load_weights(network, path)
    np.testing.assert_array_equal(logits_of(network), before)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(BadInput, match="there is no file"):
        load_weights(nn.Linear(3, 2), tmp_path / "none.pt")
