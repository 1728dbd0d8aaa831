"""What a student is given and what its network returns: dtypes, shapes, layers, modes and arguments."""

import copy
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from tutelage.core import torch_runtime
from tutelage.core.errors import BadInput, LabelMismatch, ShapeError, TutelageError
from tutelage.losses.class_terms import soft_cross_entropy
from tutelage.losses.hidden_terms import hint, similarity_preserving
from tutelage.softlabels.recording import record
from tutelage.teachers.adapt import as_teacher
from tutelage.training.stacks.networks import mlp
from tutelage.training.student import TorchStudent

INPUTS = torch.from_numpy(np.random.default_rng(0).normal(size=(70, 4)).astype(np.float32))
ROWS = INPUTS.numpy()
NAMES = ("a", "b", "c")
with torch_runtime.seeded(3):
    TEACHER = as_teacher(nn.Sequential(nn.Linear(4, 30), nn.ReLU(), nn.Dropout(0.2), nn.Linear(30, 3)), classes=NAMES)


def small(seed=0):
    with torch_runtime.seeded(seed):
        return mlp((4, 8, 3))


def test_rows_of_any_dtype_are_cast_to_what_the_network_takes():
    whole = np.arange(280).reshape(70, 4)
    expected = TorchStudent(small()).fit(whole.astype(np.float32), TEACHER, epochs=1).predict_proba(whole.astype(np.float32))
    for dtype in (np.int64, np.int16, np.uint16, np.float64, np.float16, ">f8", np.longdouble):
        student = TorchStudent(small()).fit(whole.astype(dtype), record(TEACHER, whole.astype(np.float32)), epochs=1)
        np.testing.assert_array_equal(student.predict_proba(whole.astype(dtype)), expected)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("given", ["array", "Dataset"])
def test_students_and_teachers_of_any_precision_learn_answers_and_hints(dtype, given):
    rows = ROWS if given == "array" else DataLoader(TensorDataset(INPUTS.double()), batch_size=16, shuffle=True)
    teacher = as_teacher(copy.deepcopy(TEACHER.network).to(dtype), classes=NAMES)
    for student_dtype in (torch.float32, dtype):
        network = small().to(student_dtype)
        student = TorchStudent(network, soft_cross_entropy() + hint("2", "0")).fit(
            rows, teacher, epochs=2, optimizer=partial(torch.optim.SGD, lr=0.1)
        )
        assert next(network.parameters()).dtype == student_dtype
        assert student.fit_.losses[1] < student.fit_.losses[0]
        assert student.predict_proba(ROWS).dtype == np.float32


def test_double_precision_is_not_rounded_on_the_way():
    near = np.stack([np.ones(8), np.ones(8) + 1e-12 * np.arange(8)], axis=1)
    network = nn.Linear(2, 2).double()
    student = TorchStudent(network).fit(near, y=np.arange(8) % 2, epochs=1)
    with torch.no_grad():
        network.weight.copy_(torch.tensor([[0.0, 0.0], [1e12, -1e12]]))
        network.bias.zero_()
    assert len(set(student.predict_proba(near)[:, 0].tolist())) == 8


class Ids(nn.Module):
    """Takes ids: by an embedding layer, or by a table of its own."""

    def __init__(self, table):
        super().__init__()
        self.table = nn.Parameter(torch.randn(20, 4)) if table else nn.Embedding(20, 4)
        self.head = nn.Linear(4, 3)

    def forward(self, ids):
        return self.head((self.table(ids) if isinstance(self.table, nn.Module) else self.table[ids]).mean(dim=1))


@pytest.mark.parametrize("table", [False, True])
@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.int64])
def test_ids_stay_whole_numbers(table, dtype):
    ids = np.random.default_rng(0).integers(0, 20, (30, 5)).astype(dtype)
    student = TorchStudent(Ids(table), classes=[0, 1, 2]).fit(ids, y=ids.sum(axis=1) % 3, epochs=1)
    dataset = TensorDataset(torch.from_numpy(ids), torch.arange(30) % 3)
    TorchStudent(Ids(table), soft_cross_entropy() + hint("head"), classes=[0, 1, 2]).fit(dataset, student.network, epochs=1)
    assert student.predict(ids).shape == (30,)


def test_a_network_with_positions_is_no_stack_of_copies():
    ids, codes = torch.randint(0, 7, (40, 5)), torch.arange(40) % 7
    network = nn.Sequential(nn.Embedding(7, 8), nn.Linear(8, 7))
    with pytest.raises(ShapeError, match=r"shape \(2, 5, 7\); expected \(2, 7\).* answers every token or pixel"):
        TorchStudent(network, classes=range(7)).fit(TensorDataset(ids, codes), epochs=1)
    network.copies = 2  # an attribute of this name does not make a stack
    student = TorchStudent(network, classes=range(7), output=lambda answers: answers[:, 0]).fit(ids, y=codes, epochs=1)
    assert student.fit_.losses[0] < 4


def test_layers_in_eval_mode_stay_so_and_every_mode_is_restored():
    network = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.BatchNorm1d(8), nn.Linear(8, 3))
    network[1].eval()
    frozen, free = network[1].running_mean.clone(), network[3].running_mean.clone()
    TorchStudent(network).fit(ROWS, TEACHER, epochs=2, validation=0.2)
    assert torch.equal(network[1].running_mean, frozen)
    assert not torch.equal(network[3].running_mean, free)
    assert [module.training for module in network.modules()] == [True, True, False, True, True, True]
    network.eval()
    TorchStudent(network).fit(ROWS, TEACHER, epochs=1)  # a network in eval mode as a whole is trained as a whole
    assert not torch.equal(network[1].running_mean, frozen)
    assert not any(module.training for module in network.modules())


def test_a_last_batch_of_one_row_does_not_end_a_training_with_norm_layers():
    network = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Linear(8, 3))
    assert np.isfinite(TorchStudent(network).fit(ROWS, TEACHER, epochs=1, batch_size=23).fit_.losses).all()
    with pytest.raises(ShapeError, match=r"cannot process a batch of 1 rows .*Expected more than 1 value .*another batch_size"):
        TorchStudent(network).fit(ROWS, TEACHER, epochs=1, batch_size=1)


class InPlace(nn.Module):
    def __init__(self, in_place):
        super().__init__()
        self.first, self.relu, self.last, self.unused = nn.Linear(4, 8), nn.ReLU(inplace=in_place), nn.Linear(8, 3), nn.Linear(2, 2)

    def forward(self, inputs):
        return self.last(self.relu(self.first(inputs)))


def seeded_in_place(seed, in_place):
    with torch_runtime.seeded(seed):
        return InPlace(in_place)


def test_a_hint_is_the_output_of_the_layer_whatever_runs_in_place_after_it():
    costs = [
        TorchStudent(seeded_in_place(1, in_place), hint("first"))
        .fit(ROWS, as_teacher(seeded_in_place(2, in_place), classes=NAMES), epochs=2)
        .fit_.losses
        for in_place in (False, True)
    ]
    np.testing.assert_array_equal(*costs)


@pytest.mark.parametrize(("layers", "side"), [(("unused", "first"), "student"), (("first", "unused"), "teacher")])
def test_a_layer_that_does_not_run_is_refused(layers, side):
    teacher = as_teacher(seeded_in_place(2, False), classes=NAMES)
    for term in (hint(*layers), similarity_preserving(*layers)):
        with pytest.raises(BadInput, match=f"the {side}'s layer 'unused' did not run"):
            TorchStudent(seeded_in_place(1, False), soft_cross_entropy() + term).fit(ROWS, teacher, epochs=1)


def test_a_network_whose_weights_are_all_frozen_is_refused():
    frozen = small().requires_grad_(False)
    with pytest.raises(BadInput, match="all 4 parameter tensors of this Sequential are frozen"):
        TorchStudent(frozen).fit(ROWS, TEACHER, epochs=1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"device": "gpu"}, "cannot train on device 'gpu'"),
        ({"device": "cuda:99"}, "cannot train on device 'cuda:99'"),
        ({"backend": object()}, "backend is a object; expected tutelage.training.Accelerated"),
        ({"callbacks": print}, "callbacks is a builtin_function_or_method; expected a list"),
        ({"advance": 3}, "advance is a int"),
        ({"checkpoints": 3}, "checkpoints is 3; expected a path"),
        ({"progress": "yes"}, "progress is 'yes'"),
        ({"validation": True}, "validation is True"),
        ({"validation": "0.2"}, "validation is 0.2; expected a share"),
        ({"validation": -0.5}, "gives 0 validation rows"),
        ({"validation": float("nan")}, "gives 0 validation rows"),
    ],
)
def test_arguments_of_another_kind_are_refused(arguments, message):
    with pytest.raises(BadInput, match=message):
        TorchStudent(small()).fit(ROWS, TEACHER, epochs=1, **arguments)


def test_a_student_that_is_no_network_or_a_loss_that_is_no_objective_is_refused():
    with pytest.raises(BadInput, match="the network is a function; expected a torch Module"):
        TorchStudent(lambda rows: rows)
    with pytest.raises(BadInput, match=r"the objective is a MSELoss; expected one of tutelage\.losses"):
        TorchStudent(small(), nn.MSELoss())
    with pytest.raises(BadInput, match="output is a int"):
        TorchStudent(small(), output=0)


def test_an_error_of_the_network_is_quoted_in_training_and_in_prediction():
    narrow = np.zeros((5, 3), np.float32)
    with pytest.raises(ShapeError, match=r"cannot process a batch of 2 rows of shape \(3,\), torch.float32 \(mat1 and mat2"):
        TorchStudent(small(), classes=NAMES).fit(narrow, y=["a"] * 5, epochs=1)
    with pytest.raises(ShapeError, match=r"cannot take rows of shape \(3,\)"):
        TorchStudent(small(), classes=NAMES).predict(narrow)


@pytest.mark.parametrize("rows", [[["1"] * 4], np.ones((2, 4), complex), np.array([["a", 1, 2, 3]], dtype=object)])
def test_rows_that_are_no_real_numbers_are_not_predicted(rows):
    with pytest.raises(BadInput, match="a network takes numbers"):
        TorchStudent(small(), classes=NAMES).predict(rows)


def test_whole_numbers_of_pictures_among_several_inputs_are_said_to_be_ids():
    class Named(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Conv2d(1, 2, 3)

        def forward(self, image):
            return self.layer(image)[:, :, 0, 0]

    rows, sentence = {"image": np.zeros((4, 1, 3, 3), np.uint8)}, "pass pixels and other measurements as float32: image"
    student = TorchStudent(Named(), classes=[0, 1])
    for call in (
        lambda: student.fit(rows, y=[0, 1, 0, 1], epochs=1),
        lambda: student.predict(rows),
        lambda: record(as_teacher(Named(), classes=[0, 1]), rows),
    ):
        with pytest.raises(TutelageError, match=sentence):
            call()
    student.fit({"image": rows["image"].astype(np.float32)}, y=[0, 1, 0, 1], epochs=1)
    with pytest.raises(ShapeError, match=r"another batch_size\.$"):
        student.fit({"image": np.zeros((4, 3, 1, 1), np.float32)}, y=[0, 1, 0, 1], epochs=1)


def test_masked_cells_are_no_values():
    masked = np.ma.masked_array(ROWS, np.zeros(ROWS.shape, dtype=bool))
    masked[0, 1] = np.ma.masked
    student = TorchStudent(small(), classes=NAMES)
    with pytest.raises(BadInput, match=r"answers to 1 of 70 rows are no numbers \(first: row 0\)"):
        student.predict_proba(masked)
    assert np.isfinite(student.predict_proba(masked[1:])).all()


@pytest.mark.parametrize("shape", [(5, 3), (5, 4, 1)])
def test_validation_rows_that_the_network_cannot_take_are_refused_before_training(shape):
    reports = []
    with pytest.raises(ShapeError, match=r"cannot process a batch of 2 rows|the student's answers to a batch of 2 rows"):
        TorchStudent(small()).fit(ROWS, TEACHER, validation=(np.zeros(shape, np.float32), ["a"] * 5), epochs=1, callbacks=[reports.append])
    assert not reports


@pytest.mark.parametrize("positions", ["pixels", "pixel"])
def test_positions_are_said_with_the_classes_and_are_those_of_the_teacher(positions):
    with pytest.raises(BadInput, match=rf"positions='{positions}' is given without classes="):
        TorchStudent(nn.Conv2d(1, 2, 1), positions=positions)
    rows = np.zeros((4, 1, 3, 3), np.float32)
    student = TorchStudent(nn.Conv2d(1, 2, 1), classes=[0, 1], positions="pixels")
    with pytest.raises(LabelMismatch, match=r"the student answers pixels, the teacher rows; expected the same. Leave positions= out"):
        student.fit(rows, as_teacher(nn.Sequential(nn.Flatten(), nn.Linear(9, 2)), classes=[0, 1]), epochs=1)
    assert student.fit(rows, nn.Conv2d(1, 2, 3, padding=1), epochs=1).predict(rows)[0].shape == (3, 3)
