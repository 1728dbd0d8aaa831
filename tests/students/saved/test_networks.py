import numpy as np
import pytest
import torch
from torch import nn

from tutelage.core.errors import BadInput, DamagedFile
from tutelage.losses.value_terms import soft_bernoulli, squared_error
from tutelage.students.saved.networks import _weights
from tutelage.students.saved.save_load import load_student, save_student
from tutelage.teachers.adapt import as_teacher
from tutelage.training.stacks.networks import mlp
from tutelage.training.student import TorchStudent

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 3)).astype(np.float32)


class Gated(nn.Module):
    """A network that no list of layers describes."""

    def __init__(self, width=4, slope=0.1, outputs=2):
        super().__init__()
        self.gate, self.value, self.out = nn.Linear(3, width), nn.Linear(3, width), nn.Linear(width, outputs)
        self.act = nn.LeakyReLU(slope)
        self.register_buffer("scale", torch.tensor(2.0))

    def forward(self, rows):
        return self.scale * self.out(self.act(self.value(rows)) * torch.sigmoid(self.gate(rows)))


class Louder(Gated):
    def forward(self, rows):
        return 3 * super().forward(rows)


class Named(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = mlp((3, 4, 2))

    def forward(self, rows):
        return {"logits": self.inner(rows)}


def logits_of(answers):
    return answers["logits"]


def same(again, student):
    if student.form.task != "regression":
        np.testing.assert_array_equal(again.predict_proba(X), student.predict_proba(X))
        assert again.classes_.tolist() == student.classes_.tolist()
    np.testing.assert_array_equal(again.predict(X), student.predict(X))
    assert again.form == student.form
    return True


def saved(student, tmp_path):
    return save_student(student, tmp_path / "student")


def test_a_described_network_of_labels_or_values_needs_no_function(tmp_path):
    teacher = as_teacher(nn.Linear(3, 2), classes=("x", "y"), task="multilabel")
    labels = TorchStudent(mlp((3, 4, 2)), soft_bernoulli()).fit(X, teacher, epochs=1)
    assert labels.form.task == "multilabel"
    assert same(load_student(saved(labels, tmp_path)), labels)
    values = TorchStudent(mlp((3, 2)), squared_error(against="labels")).fit(X, y=X[:, :2], epochs=1)
    assert same(load_student(saved(values, tmp_path)), values)
    activations = nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4), nn.GELU(), nn.Linear(4, 4), nn.SiLU(), nn.Linear(4, 2), nn.Tanh())
    student = TorchStudent(activations, classes=["a", "b"])
    assert same(load_student(saved(student, tmp_path)), student)


@pytest.mark.parametrize("build", [Gated, lambda: mlp((3, 4, 2)).double()], ids=["own code", "float64"])
def test_any_network_is_filled_with_its_weights(build, tmp_path):
    student = TorchStudent(build(), classes=["a", "b"])
    path = saved(student, tmp_path)
    assert same(load_student(path, network=build), student)
    with pytest.raises(BadInput, match=r"holds the weights of a network, \w+, whose layers a file cannot describe. Pass network="):
        load_student(path)
    with pytest.raises(BadInput, match="a network was passed, which is not built anew"):
        load_student(path, network=build())


def test_weights_that_are_shared_stay_shared(tmp_path):
    def tied():
        network = mlp((3, 3, 3))
        network[2].weight = network[0].weight
        return network

    student = TorchStudent(tied(), classes=["a", "b", "c"])
    again = load_student(saved(student, tmp_path), network=tied)
    assert same(again, student)
    assert again.network[0].weight is again.network[2].weight


def test_a_function_that_returns_one_network_again_builds_students_of_their_own_and_draws_nothing(tmp_path):
    students = [TorchStudent(Gated(), classes=["a", "b"]) for _ in range(2)]
    paths = [save_student(student, tmp_path / f"student-{place}") for place, student in enumerate(students)]
    built = Gated()
    before = torch.get_rng_state()
    loaded = [load_student(path, network=lambda: built) for path in paths]
    load_student(paths[0], network=Gated)
    assert torch.equal(torch.get_rng_state(), before)
    assert all(same(again, student) for again, student in zip(loaded, students, strict=True))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Gated(slope=0.2), r"another network .*LeakyReLU\(negative_slope=0.2\)', and .*negative_slope=0.1\)' was saved"),
        (lambda: Gated(width=5), r"'\(gate\): Linear\(in_features=3, out_features=5"),
        (lambda: Gated().double(), r"whose weight \w+.* is .* torch.float64; .* torch.float32"),
        (lambda: mlp((3, 2)), "another network"),
        (lambda: 3, "network= returned a int"),
        (Gated.forward, r"network= cannot be called without arguments \(TypeError"),
    ],
)
def test_another_network_is_refused(build, message, tmp_path):
    path = saved(TorchStudent(Gated(), classes=["a", "b"]), tmp_path)
    with pytest.raises(BadInput, match=message):
        load_student(path, network=build)


def hooked():
    network = Gated()
    network.register_forward_hook(lambda module, inputs, output: -output)
    return network


@pytest.mark.parametrize(("kept", "built"), [(Gated, hooked), (hooked, Gated)])
def test_code_that_a_print_does_not_show_is_warned_of(kept, built, tmp_path):
    path = saved(TorchStudent(kept(), classes=["a", "b"]), tmp_path)
    with pytest.warns(UserWarning, match="has the layers and weights of the one in .* but other code, another hook or output="):
        load_student(path, network=built)
    frozen = load_student(path, network=lambda: kept().requires_grad_(False))
    assert not frozen.network.out.weight.requires_grad


def test_a_student_with_an_output_needs_it_again(tmp_path):
    student = TorchStudent(Named(), classes=["a", "b"], output=logits_of)
    path = saved(student, tmp_path)
    assert same(load_student(path, network=Named, output=logits_of), student)
    with pytest.raises(BadInput, match="holds a student with an output="):
        load_student(path, network=Named)
    described = TorchStudent(mlp((3, 2)), classes=["a", "b"], output=torch.neg)
    assert same(load_student(saved(described, tmp_path), output=torch.neg), described)
    plain = saved(TorchStudent(mlp((3, 2)), classes=["a", "b"]), tmp_path)
    with pytest.raises(BadInput, match="without an output=; leave output= out"):
        load_student(plain, output=torch.neg)


class WithState(Gated):
    def get_extra_state(self):
        return {"calls": 3}

    def set_extra_state(self, state):
        pass


@pytest.mark.parametrize(
    ("student", "message"),
    [
        (TorchStudent(mlp((3, 2))), "what its answers mean is unknown"),
        (TorchStudent(mlp((3, 2)), classes=(0, 1, 2)), "gives 2 logits a row; expected one for each of 3 classes"),
        (TorchStudent(WithState(), classes=(0, 1)), "its _extra_state is a dict without numbers to store"),
        (TorchStudent(nn.Sequential(nn.LazyLinear(2)), classes=(0, 1)), "without numbers to store"),
    ],
)
def test_a_network_that_a_file_cannot_hold_is_refused(student, message, tmp_path):
    with pytest.raises(BadInput, match=message):
        saved(student, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_flipped_weight_of_a_network_without_a_description_is_noticed(tmp_path):
    path = saved(TorchStudent(Gated(), classes=["a", "b"]), tmp_path)
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)
    with pytest.raises(DamagedFile, match="do not match its checksum"):
        load_student(path, network=Gated)


def test_weights_are_copied_only_where_they_share_memory():
    layer, other, whole = nn.Linear(3, 2), nn.Linear(3, 2), torch.arange(6.0)
    other.weight = layer.weight
    layer.register_buffer("first", whole[:3])
    layer.register_buffer("last", whole[3:])
    layer.register_buffer("across", whole.reshape(2, 3).T)
    layer.register_buffer("negated", torch.full((2,), 1 + 2j).conj().imag)
    state = nn.ModuleList([layer, other]).state_dict()
    weights = _weights(nn.ModuleList([layer, other]))
    assert weights.keys() == state.keys()
    for name, value in state.items():
        torch.testing.assert_close(weights[name], value, rtol=0, atol=0)
        assert not weights[name].is_neg()
    places = [value.untyped_storage().data_ptr() for value in weights.values()]
    assert len(set(places)) == len(places)
    assert all(weights[name].data_ptr() == state[name].data_ptr() for name in ("0.weight", "0.bias", "0.first", "1.bias"))
