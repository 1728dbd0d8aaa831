import numpy as np
import pytest
import torch
from torch import nn

from tutelage.core.errors import BadInput, ShapeError
from tutelage.exporters.export import export
from tutelage.exporters.program.build import program_of
from tutelage.exporters.program.networks import plain_layers
from tutelage.exporters.proof import edge_cases
from tutelage.exporters.subject.subject import subject_of
from tutelage.exporters.targets.onnx.runtime import OnnxStudent
from tutelage.exporters.targets.onnx.target import model_of
from tutelage.losses.value_terms import hard_bernoulli, squared_error
from tutelage.training.stacks.networks import mlp
from tutelage.training.student import TorchStudent

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 3)).astype(np.float32)
IMAGES = RNG.normal(size=(40, 1, 8, 8)).astype(np.float32)
IDS = RNG.integers(0, 50, size=(40, 7))


class OfIds(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding, self.linear = nn.Embedding(50, 4), nn.Linear(4, 3)

    def forward(self, ids):
        return {"logits": self.linear(self.embedding(ids).mean(1)), "ids": ids}


class OnCondition(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(3, 3)

    def forward(self, rows):
        return self.linear(rows) if rows.sum() > 0 else self.linear(-rows)


@pytest.fixture(autouse=True)
def few_rows(monkeypatch):
    monkeypatch.setattr(edge_cases, "ROWS", 100)


def lowered(student, rows):
    return program_of(*subject_of(student, rows))


def fitted(network, rows, **options):
    return TorchStudent(network, **options).fit(rows, y=np.arange(len(rows)) % 3, epochs=1, seed=0)


@pytest.mark.exhaustive
@pytest.mark.slow
@pytest.mark.parametrize("network", [mlp((3, 5, 4)), nn.Sequential(nn.Linear(3, 4), nn.Softplus())])
def test_the_file_contains_no_local_paths(network):
    content = model_of(lowered(TorchStudent(network, classes="abcd"), X)).SerializeToString()
    assert b".py" not in content
    assert b"site-packages" not in content


@pytest.mark.parametrize("bias", [True, False])
def test_plain_layers_are_written_directly(bias, tmp_path):
    student = TorchStudent(nn.Sequential(nn.Linear(3, 5, bias=bias), nn.ReLU(), nn.Linear(5, 4, bias=bias)), classes="abcd")
    assert export(student, tmp_path / "student.onnx", check_on=X).proofs[0].worst_difference < 1e-6
    operators = [node.op_type for node in model_of(lowered(student, X)).graph.node]
    assert operators == ["Gemm", "Relu", "Gemm", "Softmax", "ArgMax", "Gather"]


def test_a_network_in_double_precision_reads_double_precision(tmp_path):
    rows = X.astype(np.float64) + 1e-9
    student = fitted(mlp((3, 5, 3)).double(), rows)
    export(student, tmp_path / "student.onnx", check_on=rows)
    file = OnnxStudent.load(tmp_path / "student.onnx")
    assert file.session.get_inputs()[0].type == "tensor(double)"
    np.testing.assert_allclose(file.answer(rows), student.predict_proba(rows), atol=1e-6)


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16])
def test_half_precision_is_refused(kind):
    name = str(kind).removeprefix("torch.")
    with pytest.raises(BadInput, match=rf"a network that takes {name} cannot be exported; .* network.float\(\)"):
        lowered(TorchStudent(mlp((3, 5, 3)).to(kind), classes="abc"), X)


def test_a_convolutional_network_is_exported_in_eval_mode_for_any_number_of_rows(tmp_path):
    first = nn.Sequential(nn.Unflatten(1, (1, 28, 28)), nn.Conv2d(1, 4, 5, stride=2, padding=2, bias=False), nn.BatchNorm2d(4), nn.ReLU())
    then = [nn.Conv2d(4, 4, 3, padding="same", groups=4), nn.MaxPool2d(2), nn.Dropout2d(), nn.AdaptiveAvgPool2d(2), nn.Flatten()]
    network = nn.Sequential(first, *then, nn.Linear(16, 10))
    rows = RNG.random((50, 784)).astype(np.float32)
    student = TorchStudent(network).fit(rows, y=np.arange(50) % 10, epochs=3, seed=0)
    network.train()
    assert export(student, tmp_path / "student.onnx", check_on=rows).proofs[0].decisions_changed == 0
    assert network[0][2].training
    file = OnnxStudent.load(tmp_path / "student.onnx")
    for count in (1, 7):
        np.testing.assert_allclose(file.answer(rows[:count]), student.predict_proba(rows[:count]), atol=1e-6)


@pytest.mark.exhaustive(every=4)
@pytest.mark.slow
@pytest.mark.parametrize(
    ("network", "rows", "output"),
    [
        (nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 3)), IMAGES, None),
        (nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 3)), (IMAGES * 20 + 100).astype(np.uint8), None),
        (OfIds(), IDS, lambda answers: answers["logits"]),
        (OfIds(), IDS, None),
        (nn.Sequential(nn.Conv2d(1, 4, 3, padding="same"), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(16, 3)), IMAGES, None),
        (nn.Sequential(nn.Linear(3, 8), nn.LayerNorm(8), nn.GELU(), nn.Linear(8, 3)), X, None),
    ],
    ids=["images", "bytes", "token ids and output=", "token ids and logits", "by torch's exporter", "norm and GELU"],
)
def test_inputs_of_any_shape_and_type_are_exported(network, rows, output, tmp_path):
    student = fitted(network, rows, output=output)
    (proof,) = export(student, tmp_path / "student.onnx", check_on=rows).proofs
    assert proof.decisions_changed == 0
    file = OnnxStudent.load(tmp_path / "student.onnx")
    np.testing.assert_allclose(file.answer(rows[:3]), student.predict_proba(rows[:3]), atol=1e-5)
    assert (file.session.get_inputs()[0].type == "tensor(int64)") == (rows is IDS)


def test_rows_that_do_not_fit_the_layers_are_refused():
    with pytest.raises(ShapeError, match=r"the network cannot take rows of shape \(2,\)"):
        lowered(TorchStudent(mlp((3, 5, 4)), classes="abcd"), X[:, :2])


@pytest.mark.slow
@pytest.mark.exhaustive
def test_code_that_cannot_be_followed_is_refused_in_one_sentence(capfd):
    with pytest.raises(BadInput, match="torch's exporter cannot follow its code for any number of rows"):
        lowered(TorchStudent(OnCondition(), classes="abc"), X)
    assert capfd.readouterr() == ("", "")


@pytest.mark.exhaustive
@pytest.mark.slow
def test_exporting_restores_the_training_mode():
    network = nn.Sequential(nn.Linear(3, 4), nn.Dropout(0.5), nn.Softplus()).train()
    lowered(TorchStudent(network, classes="abcd"), X)
    assert network.training
    assert network[1].training


@pytest.mark.parametrize("activation", [nn.ReLU(), nn.Tanh()])
@pytest.mark.parametrize("targets", [X[:, :1] * 100, (X > 0).astype(np.int64)])
def test_regression_and_multilabel_networks_are_exported_without_softmax(targets, activation, tmp_path):
    network = nn.Sequential(nn.Linear(3, 4), activation, nn.Linear(4, targets.shape[1]))
    student = TorchStudent(network, squared_error(against="labels") if targets.shape[1] == 1 else hard_bernoulli()).fit(
        X, y=targets, epochs=1
    )
    export(student, tmp_path / "student.onnx", check_on=X)
    answers = OnnxStudent.load(tmp_path / "student.onnx").answer(X)
    expected = network(torch.tensor(X)).detach()
    np.testing.assert_allclose(answers, expected if targets.shape[1] == 1 else expected.sigmoid(), atol=1e-5)


def test_a_network_without_class_names_has_the_classes_0_1_and_so_on():
    assert lowered(TorchStudent(nn.Sequential(nn.Linear(3, 4))), X).form.classes == (0, 1, 2, 3)


def hooked():
    layer = nn.Linear(6, 3)
    layer.register_forward_hook(lambda module, inputs, answers: -answers)
    return layer


def of_another_forward():
    layer = nn.Linear(6, 3)
    layer.forward = lambda rows: rows[:, :3]
    return layer


class Negated(nn.Linear):
    def forward(self, rows):
        return -super().forward(rows)


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(2, 3, 3, padding="same"),
        nn.Conv2d(2, 3, 3, padding=1, padding_mode="reflect"),
        nn.MaxPool2d(2, ceil_mode=True),
        nn.AvgPool2d(2, divisor_override=3),
        nn.AdaptiveAvgPool2d(2),
        nn.BatchNorm2d(2, track_running_stats=False),
        nn.Flatten(2),
        nn.Unflatten(-1, (2, 3)),
        nn.Softplus(),
        nn.utils.parametrizations.weight_norm(nn.Linear(6, 3)),
        hooked(),
        of_another_forward(),
        Negated(6, 3),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_other_layers_are_left_to_torch(layer):
    assert plain_layers(nn.Sequential(layer)) is None
