import copy
import pickle
import sys
from functools import partial

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

import tutelage as tl
from tutelage.core.errors import BadInput, DamagedFile, SelfCheckFailed, ShapeError
from tutelage.core.stored.skops_files import dump_skops
from tutelage.students.networks.torch_network import TorchClassifier, TorchRegressor
from tutelage.students.saved.version import STUDENT_SCHEMA

RNG = np.random.default_rng(0)
X = RNG.normal(size=(90, 3))
Y = np.array(["u", "v", "w"])[np.digitize(X[:, 0] + X[:, 1], [-0.6, 0.6])]
SOFT = LogisticRegression().fit(X, Y).predict_proba(X)
LABELS = np.column_stack([X[:, 0] > 0, X[:, 1] > 0, X[:, 2] > 0.5]).astype(float)
VALUES = np.column_stack([1000 + 50 * X[:, 0], X[:, 1] - X[:, 2]])


def network(inputs, outputs, width=8, activation=nn.ReLU):
    return nn.Sequential(nn.Linear(inputs, width), activation(), nn.Linear(width, outputs))


class Own(nn.Module):
    def __init__(self, inputs, outputs, width=8):
        super().__init__()
        self.inner, self.outer = nn.Linear(inputs, width), nn.Linear(width, outputs)

    def forward(self, rows):
        return self.outer(torch.tanh(self.inner(rows)) + 0.5)


class Activated(Own):
    def __init__(self, inputs, outputs, width=8, act=torch.tanh):
        super().__init__(inputs, outputs, width)
        self.act = act

    def forward(self, rows):
        return self.outer(self.act(self.inner(rows)))


QUICK = {"learning_rate": 0.03, "epochs": 40, "batch_size": 16, "random_state": 0}


def test_it_learns_labels_soft_targets_labels_on_and_off_and_values():
    assert TorchClassifier(network, **QUICK).fit(X, Y).score(X, Y) > 0.9
    soft = TorchClassifier(network, **QUICK).fit(X, SOFT, classes=["u", "v", "w"])
    assert np.abs(soft.predict_proba(X) - SOFT).mean() < 0.05
    assert soft.predict_proba(X).sum(axis=1) == pytest.approx(1, abs=1e-12)
    labels = TorchClassifier(network, multilabel=True, **QUICK).fit(X, LABELS, classes=["a", "b", "c"])
    assert labels.classes_.tolist() == ["a", "b", "c"]
    assert (labels.predict(X) == LABELS).mean() > 0.9
    assert TorchRegressor(network, **QUICK).fit(X, VALUES).score(X, VALUES) > 0.9
    one = TorchRegressor(network, **QUICK).fit(X, VALUES[:, 0])
    assert one.predict(X).shape == (90,)


def test_a_teacher_brings_its_labels():
    teacher = tl.as_teacher(LogisticRegression().fit(X, Y))
    student = TorchClassifier(network, **QUICK).fit(X, teacher)
    assert student.classes_.tolist() == ["u", "v", "w"]
    on = tl.as_teacher(lambda rows: np.full((len(rows), 3), 0.3), kind="probabilities", task="multilabel", classes=["a", "b", "c"])
    assert TorchClassifier(network, multilabel=True, **QUICK).fit(X, on).classes_.tolist() == ["a", "b", "c"]
    distilled = tl.DistilledClassifier(teacher, TorchClassifier(network, **QUICK), temperature=2.0).fit(X)
    assert (distilled.predict(X) == teacher.form.classes[0]).any()


def test_the_seed_settles_the_weights_and_leaves_the_process_as_it_was():
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first, second, other = (TorchClassifier(network, **{**QUICK, "random_state": seed}).fit(X, Y).predict_proba(X) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    assert np.array_equal(first, second)
    assert not np.array_equal(first, other)


def test_a_network_is_copied_and_each_fit_starts_from_its_weights():
    given = network(3, 3)
    weights = copy.deepcopy(given.state_dict())
    student = TorchClassifier(given, **{**QUICK, "epochs": 1, "learning_rate": 1e-9})
    fitted = student.fit(X, Y).fit(X, Y).network_
    for name, value in given.state_dict().items():
        assert torch.equal(value, weights[name])
        assert torch.allclose(fitted.state_dict()[name], value, atol=1e-6)


def test_arguments_of_the_function_are_settings():
    student = TorchClassifier(network, width=4)
    assert student.get_params()["width"] == 4
    assert TorchClassifier(network).get_params()["width"] == 8
    changed = clone(student).set_params(width=6, epochs=2)
    assert changed.fit(X, Y).network_[0].out_features == 6
    assert student.arguments == {"width": 4}
    search = GridSearchCV(TorchClassifier(network, **QUICK), {"width": [2, 5]}, cv=2).fit(X, Y)
    assert search.best_params_["width"] in (2, 5)
    assert "width=4" in repr(student)

    def anything(inputs, outputs, **further):
        return nn.Linear(inputs, outputs, **further)

    assert TorchClassifier(anything).set_params(bias=False, epochs=1).fit(X, Y).network_.bias is None


def test_sizes_may_come_from_the_rows():
    lazy = TorchClassifier(nn.Sequential(nn.LazyLinear(4), nn.ReLU(), nn.LazyLinear(3)), epochs=1, random_state=0).fit(X, Y)
    assert lazy.network_[0].in_features == 3
    seen = []

    def pictures(inputs, outputs):
        seen.append((inputs, outputs))
        return nn.Sequential(nn.Flatten(), nn.Linear(9, outputs))

    rows = np.repeat(X[:, :, None], 3, axis=2)
    student = TorchClassifier(pictures, **QUICK).fit(rows, Y)
    assert seen == [((3, 3), 3)]
    assert student.score(rows, Y) > 0.9


@pytest.mark.parametrize("make", [TorchClassifier, TorchRegressor])
def test_a_row_of_weight_two_counts_as_two_rows(make):
    y = Y if make is TorchClassifier else VALUES
    settings = {"epochs": 20, "batch_size": 200, "learning_rate": 0.05, "random_state": 0}
    weights = np.repeat([2, 1, 0], 30)
    student = make(network, **settings).fit(X, y, sample_weight=weights)
    rows = np.repeat(np.arange(90), weights)
    repeated = make(network, **settings).fit(X[rows], y[rows])
    answers = [one.predict_proba(X) if make is TorchClassifier else one.predict(X) for one in (student, repeated)]
    np.testing.assert_allclose(*answers, rtol=1e-4, atol=1e-4)


def test_held_out_rows_choose_the_epoch():
    settings = {**QUICK, "epochs": 30, "learning_rate": 0.3}
    student = TorchClassifier(network, validation_fraction=0.3, patience=2, **settings).fit(X, Y)
    assert 1 <= student.best_epoch_ < 30
    assert TorchClassifier(network, **settings).fit(X, Y).best_epoch_ == 30


def same(first, second):
    ask = "predict_proba" if hasattr(first, "predict_proba") else "predict"
    return np.array_equal(getattr(first, ask)(X), getattr(second, ask)(X))


FITTED = {
    "classes": lambda module: TorchClassifier(module, epochs=2, random_state=0).fit(X, Y),
    "labels": lambda module: TorchClassifier(module, multilabel=True, epochs=2, random_state=0).fit(X, LABELS),
    "a student per label": lambda module: tl.PerLabel(TorchClassifier(module, epochs=2, random_state=0)).fit(X, LABELS),
    "values": lambda module: TorchRegressor(module, epochs=2, random_state=0).fit(X, VALUES),
    "one value": lambda module: TorchRegressor(module, epochs=2, random_state=0).fit(X, VALUES[:, 0]),
    "pipeline": lambda module: make_pipeline(StandardScaler(), TorchClassifier(module, width=3, epochs=2, random_state=0)).fit(X, Y),
}


@pytest.mark.parametrize("kind", FITTED)
def test_common_layers_are_saved_without_code(kind, tmp_path):
    student = FITTED[kind](network)
    path = tl.save_student(student, tmp_path / "student")
    loaded = tl.load_student(path)
    assert same(loaded, student)
    assert tl.save_student(loaded, tmp_path / "again").read_bytes() == path.read_bytes()
    assert tl.save_student(tl.load_student(path), tmp_path / "unasked").read_bytes() == path.read_bytes()
    with pytest.raises(BadInput, match="leave network= out"):
        tl.load_student(path, network=network)


@pytest.mark.parametrize("kind", FITTED)
def test_other_networks_are_built_again_by_their_function(kind, tmp_path):
    student = FITTED[kind](Own)
    path = tl.save_student(student, tmp_path / "student")
    with pytest.raises(BadInput, match=r"holds the weights of a network, Own, .* Pass network=.* On the command line use an exported file"):
        tl.load_student(path)
    assert same(tl.load_student(path, network=Own), student)
    with pytest.raises(BadInput, match="builds another network than that in"):
        tl.load_student(path, network=network)


def test_a_network_of_own_code_is_filled_with_the_weights_of_the_file(tmp_path):
    student = TorchClassifier(Own(3, 3), epochs=2, random_state=0).fit(X, Y)
    path = tl.save_student(student, tmp_path / "student")
    untrained = Own(3, 3)
    assert same(tl.load_student(path, network=untrained), student)
    changed = type("Own", (Own,), {"forward": lambda self, rows: 2 * Own.forward(self, rows)})
    with pytest.warns(UserWarning, match="but other code"):
        tl.load_student(path, network=changed)


def test_arguments_that_a_file_cannot_hold_are_left_out(tmp_path):
    student = TorchClassifier(network, activation=nn.Tanh, width=5, epochs=1, random_state=0).fit(X, Y)
    loaded = tl.load_student(tl.save_student(student, tmp_path / "student"))
    assert same(loaded, student)
    assert loaded.arguments == {"width": 5}
    with pytest.raises(BadInput, match="was loaded from a file has no code"):
        loaded.fit(X, Y)


def test_arguments_that_a_file_cannot_hold_are_passed_again(tmp_path):
    student = TorchClassifier(Activated, act=torch.relu, width=np.int64(4), epochs=2, random_state=0).fit(X, Y)
    path = tl.save_student(student, tmp_path / "student")
    with pytest.raises(BadInput, match=r"cannot hold the value of act, .* network=functools.partial\(Activated, act=...\)\."):
        tl.load_student(path, network=Activated)
    for build in (partial(Activated, act=torch.relu), lambda inputs, outputs, width: Activated(inputs, outputs, width, torch.relu)):
        loaded = tl.load_student(path, network=build)
        assert same(loaded, student)
        assert loaded.arguments == {"width": 4}
    again = tl.save_student(tl.load_student(path, network=partial(Activated, act=torch.relu)), tmp_path / "again")
    with pytest.raises(BadInput, match="cannot hold the value of act"):
        tl.load_student(again, network=Activated)
    default = TorchClassifier(Activated, act=torch.tanh, epochs=1, random_state=0).fit(X, Y)
    assert same(tl.load_student(tl.save_student(default, tmp_path / "default"), network=Activated), default)


def test_numbers_of_numpy_are_held_by_a_file(tmp_path):
    sizes = {"width": np.int64(4), "slopes": (np.float64(0.5), [np.float32(0.25), True])}

    def sloped(inputs, outputs, width=8, slopes=()):
        assert slopes == (0.5, [0.25, True])
        return Own(inputs, outputs, width)

    student = TorchClassifier(sloped, **sizes, epochs=1, random_state=0).fit(X, Y)
    loaded = tl.load_student(tl.save_student(student, tmp_path / "student"), network=sloped)
    assert same(loaded, student)
    assert loaded.arguments == {"width": 4, "slopes": (0.5, [0.25, True])}


@pytest.mark.parametrize(
    ("build", "match"),
    [
        (None, r"Pass network=, the function, or the network, that the student was made with: load_student\(path, network=build\)\. On"),
        (3, "network= cannot build the network of .*module is 3; .* Pass the function, or the network, that the student was made with"),
        (lambda: Own(3, 3, 5), "network= cannot build the network of .*no such argument.* Pass the function, or the network, that"),
        (lambda inputs, outputs, width: inputs / 0, r"network= cannot build .*failed \(ZeroDivisionError.* Pass the function"),
    ],
)
def test_what_builds_no_network_of_a_file_is_refused(build, match, tmp_path):
    student = TorchClassifier(Own, width=5, epochs=1, random_state=0).fit(X, Y)
    with pytest.raises(BadInput, match=match):
        tl.load_student(tl.save_student(student, tmp_path / "student"), network=build)


def test_loading_leaves_the_random_state_of_torch(tmp_path):
    path = tl.save_student(TorchClassifier(Own, epochs=1, random_state=0).fit(X, Y), tmp_path / "student")
    before = torch.get_rng_state()
    tl.load_student(path, network=Own)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("module", [network, Own, network(3, 3)])
def test_pickles_and_copies_have_the_code(module):
    student = TorchClassifier(module, epochs=2, random_state=0).fit(X, Y)
    for other in (pickle.loads(pickle.dumps(student)), copy.deepcopy(student)):  # noqa: S301
        assert same(other, student)
        assert same(clone(other).fit(X, Y), student)


def test_loading_needs_no_torch_before_it_answers(tmp_path, monkeypatch):
    path = tl.save_student(FITTED["pipeline"](network), tmp_path / "student")
    monkeypatch.setitem(sys.modules, "torch", None)
    loaded = tl.load_student(path)
    with pytest.raises(tl.TutelageError, match="torch"):
        loaded.predict(X)


def forged(change):
    student = TorchClassifier(network, epochs=1, random_state=0).fit(X, Y)
    state = student.__getstate__()
    change(state)
    forgery = TorchClassifier(network)
    forgery.__dict__.update(state)
    return forgery


def _wider(state):
    state["_network"]["about"]["layers"][0]["out_features"] = 9


def _endless(state):
    state["_network"]["about"]["layers"] = [{"layer": "Linear", "in_features": 3, "out_features": 2**40, "bias": True}]


def _other_weights(state):
    state["_network"]["weights"] = {"0.weight": np.zeros((2, 2))}


def _objects(state):
    state["_network"]["weights"]["0.weight"] = ["no array"]


def _no_size(state):
    state["_shape"] = ("a", 3)


def _no_sizes(state):
    state["_shape"] = 3


def _no_names(state):
    state["_left_out"] = (3,)


def _no_layers(state):
    state["_network"] = {"about": {}, "weights": {}}


@pytest.mark.parametrize("change", [_wider, _endless, _other_weights, _objects, _no_layers, _no_size, _no_sizes, _no_names])
def test_a_file_that_was_tampered_with_is_refused(change, tmp_path):
    path = tmp_path / "student.skops"
    path.write_bytes(dump_skops(forged(change), {"schema": STUDENT_SCHEMA}))
    with pytest.raises(DamagedFile, match="damaged"):
        tl.load_student(path).predict(X)


def test_a_file_cannot_say_which_function_builds_its_network():
    state = TorchClassifier(network, epochs=1, random_state=0).fit(X, Y).__getstate__() | {"module": LogisticRegression}
    loaded = TorchClassifier.__new__(TorchClassifier)
    loaded.__setstate__(state)
    assert loaded.module is None


BUILT = network(3, 3)


def shared(inputs, outputs):
    return BUILT


def with_rate(inputs, outputs, learning_rate):
    return nn.Linear(inputs, outputs)


def needing(inputs, outputs, width):
    return nn.Linear(inputs, outputs)


def failing(inputs, outputs):
    raise RuntimeError("no such layer")


@pytest.mark.parametrize(
    ("make", "error", "match"),
    [
        (lambda: TorchClassifier(3), BadInput, "module is 3; expected a torch Module, or a function that builds one"),
        (lambda: TorchClassifier(network, wide=3), BadInput, r"no such argument\. Did you mean width\?"),
        (lambda: TorchClassifier(network, outputs=3), BadInput, "was given 'outputs' for network; `fit` passes it"),
        (lambda: TorchClassifier(nn.Linear(3, 3), width=3), BadInput, "module is a network, which takes no 'width'"),
        (lambda: TorchClassifier(needing), BadInput, r"needing needs 'width'; pass it: TorchClassifier\(needing, width=...\)"),
        (lambda: TorchClassifier(with_rate), BadInput, "has an argument 'learning_rate', which is a setting of TorchClassifier; rename it"),
        (lambda: TorchClassifier(failing), BadInput, r"failing\(inputs=3, outputs=3\) failed \(RuntimeError: no such layer\)"),
        (lambda: TorchClassifier(lambda: 3), BadInput, "returned a int; expected a function that builds a torch Module"),
        (lambda: TorchClassifier(nn.Linear(3, 2)), ShapeError, "expected .*one logit for each of the classes"),
        (lambda: TorchClassifier(nn.Linear(4, 3)), ShapeError, "cannot process a batch"),
        (lambda: TorchClassifier(nn.Sequential(nn.LazyConv2d(2, 3))), BadInput, "cannot take rows of shape"),
        (lambda: TorchClassifier(network, learning_rate=0), BadInput, "learning_rate is 0"),
        (lambda: TorchClassifier(network, patience=2), BadInput, "patience is 2; expected 1 or more epochs, and validation rows"),
        (lambda: TorchClassifier(network, validation_fraction=0.001), BadInput, "validation=0.001 of 90 rows"),
        (lambda: TorchClassifier(network, learning_rate=1e30), SelfCheckFailed, "finite"),
        (lambda: TorchClassifier(nn.Sequential(nn.Linear(3, 3), nn.Softmax(-1))), BadInput, "probabilities already"),
    ],
)
def test_what_cannot_be_built_or_trained_is_refused(make, error, match):
    with pytest.raises(error, match=match):
        make().fit(X, Y)


BACKBONE = nn.Linear(3, 8)


def on_a_shared_layer(inputs, outputs):
    return nn.Sequential(BACKBONE, nn.ReLU(), nn.Linear(8, outputs))


@pytest.mark.parametrize(("module", "layer"), [(shared, BUILT), (on_a_shared_layer, BACKBONE)])
def test_layers_that_the_function_did_not_build_are_copied(module, layer):
    weights = copy.deepcopy(layer.state_dict())
    first = TorchClassifier(module, **QUICK).fit(X, Y)
    answers = first.predict_proba(X)
    second = TorchClassifier(module, **QUICK).fit(X, Y)
    assert np.array_equal(first.predict_proba(X), answers)
    assert np.array_equal(second.predict_proba(X), answers)
    assert all(torch.equal(value, weights[name]) for name, value in layer.state_dict().items())


@pytest.mark.filterwarnings("ignore:.*weight_norm")
def test_a_network_that_cannot_be_copied_is_refused():
    with pytest.raises(BadInput, match=r"the network cannot be copied \(.* take torch.nn.utils.parametrizations.weight_norm"):
        TorchClassifier(lambda inputs, outputs: nn.utils.weight_norm(nn.Linear(inputs, outputs)), epochs=1).fit(X, Y)
    norm = nn.utils.parametrizations.weight_norm
    TorchClassifier(lambda inputs, outputs: norm(nn.Linear(inputs, outputs)), epochs=1).fit(X, Y)


def test_settings_that_it_does_not_have_are_refused():
    with pytest.raises(BadInput, match=r"has no setting 'wide'\. Did you mean width\?"):
        TorchClassifier(network).set_params(wide=3)
    with pytest.raises(ShapeError, match="shape"):
        TorchRegressor(nn.Linear(3, 1)).fit(X, VALUES)
    with pytest.raises(BadInput, match="squares overflow"):
        TorchRegressor(network).fit(X, 1e200 * VALUES)


class Ids(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.table, self.line = nn.Embedding(20, 4), nn.Linear(4 * inputs, outputs)

    def forward(self, rows):
        return self.line(self.table(rows).flatten(1))


def test_ids_may_be_floats():
    ids = RNG.integers(0, 20, (90, 3))
    student = TorchClassifier(Ids, **QUICK).fit(ids.astype(float), Y)
    assert np.array_equal(student.predict_proba(ids), student.predict_proba(ids.astype(float)))
    with pytest.raises(ShapeError, match="cannot take rows"):
        student.predict(ids + 0.5)


def test_rows_that_it_cannot_answer_are_refused():
    student = TorchClassifier(network, epochs=1).fit(X, Y)
    with pytest.raises(tl.TutelageError, match="3 features"):
        student.predict(X[:, :2])
    with pytest.raises(BadInput, match="too large for this student"):
        student.predict(X[:2] * 1e60)
    with pytest.raises(BadInput, match="NaN"):
        student.predict(np.full((2, 3), np.nan))
    with pytest.raises(BadInput, match="not fitted"):
        TorchClassifier(network).predict(X)
    assert not hasattr(TorchClassifier(network), "network_")


def test_several_labels_are_scored_by_rows_that_are_right_in_all():
    X = np.random.default_rng(0).normal(size=(60, 3)).astype(np.float32)
    on = np.column_stack([X[:, 0] > 0, X[:, 1] > 0]).astype(int)
    student = tl.TorchClassifier(lambda outputs: nn.Linear(3, outputs), multilabel=True, epochs=5, random_state=0).fit(X, on)
    assert student.score(X, on) == (student.predict(X) == on).all(axis=1).mean()
