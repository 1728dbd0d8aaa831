import pickle
import zipfile
from importlib.util import find_spec

import numpy as np
import pytest
import skops.io
import torch
from safetensors.numpy import save_file
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.tree import DecisionTreeRegressor
from torch import nn

from tutelage.core.errors import BadInput, CannotWrite, DamagedFile, StaleCache
from tutelage.core.stored.checksums import write_tensors
from tutelage.students.any_estimator import SoftTargets
from tutelage.students.boosting import SoftBoosting
from tutelage.students.columns import with_columns
from tutelage.students.linear import SoftLogistic
from tutelage.students.multilabel import PerLabel
from tutelage.students.networks.mlp import SoftMLP
from tutelage.students.networks.soft_decision_tree import SoftDecisionTree
from tutelage.students.saved import version
from tutelage.students.saved.save_load import load_student, save_student
from tutelage.students.saved.trained import TrainedStudent
from tutelage.students.trees import SoftForest, SoftTree
from tutelage.training.stacks.networks import mlp
from tutelage.training.student import TorchStudent

RNG = np.random.default_rng(0)
X = RNG.normal(size=(80, 3))
P = RNG.dirichlet(np.ones(2), 80)
STUDENTS = {
    "network": TorchStudent(mlp((3, 5, 2)), classes=("no", "yes")),
    "soft tree": SoftTree().fit(X, P),
    "tree": DecisionTreeRegressor().fit(X, P),
    "line": LinearRegression().fit(X, P[:, 0]),
    "boosted values": GradientBoostingRegressor(n_estimators=3).fit(X, P[:, 0]),
    "forest": SoftForest(n_estimators=3).fit(X, P),
    "soft line": SoftLogistic().fit(X, P, classes=["no", "yes"]),
    "soft network": SoftMLP(hidden_layer_sizes=(4,), epochs=1).fit(X, P),
    "gates": SoftDecisionTree(depth=2, epochs=1).fit(X, P),
    "wrapped": SoftTargets(LogisticRegression()).fit(X, P),
    "labels": PerLabel(SoftTree()).fit(X, np.c_[P, np.zeros(80)]),
    **{e: SoftBoosting(engine=e, n_estimators=3, n_jobs=1).fit(X, P) for e in ("lightgbm", "xgboost") if find_spec(e)},
}


def test_a_tree_of_many_classes_round_trips_though_it_unpacks_to_hundreds_of_times_its_size(tmp_path, monkeypatch):
    monkeypatch.setattr("tutelage.core.stored.skops_files.FREE_BYTES", 1 << 12)
    truth = np.arange(1200) % 300
    student = SoftTree(max_leaf_nodes=None).fit(RNG.normal(size=(1200, 3)), truth)
    path = save_student(student, tmp_path / "tree")
    with zipfile.ZipFile(path) as archive:
        assert sum(entry.file_size for entry in archive.infolist()) > 70 * path.stat().st_size
    np.testing.assert_array_equal(load_student(path).predict(X), student.predict(X))


@pytest.mark.parametrize("name", STUDENTS)
def test_a_student_round_trips(name, tmp_path):
    student = STUDENTS[name]
    path = save_student(student, tmp_path / "v1.2-student")
    assert path.name == "v1.2-student" + (".safetensors" if name == "network" else ".skops")
    again = load_student(path)
    answers = "predict_proba" if hasattr(student, "predict_proba") else "predict"
    np.testing.assert_array_equal(getattr(again, answers)(X), getattr(student, answers)(X))
    assert type(again) is type(student)
    if name == "network":
        assert again.predict(X).tolist() == student.predict(X).tolist()


@pytest.mark.parametrize("trained", [False, True])
def test_a_student_of_texts_is_saved_in_few_bytes_per_word(trained, tmp_path):
    texts = [" ".join(f"word{number}" for number in RNG.choice(2000, 50)) for _ in range(80)]
    student = with_columns(SoftLogistic(), texts, scaled=True, max_words=1000).fit(texts, P)
    student = TrainedStudent(student, "binary", (0, 1), text=True) if trained else student
    path = save_student(student, tmp_path / "texts")
    assert path.stat().st_size < 60 * 1000  # 4 bytes each for weight and idf, plus the word
    assert len(zipfile.ZipFile(path).namelist()) < 30
    np.testing.assert_array_equal(load_student(path).predict_proba(texts), student.predict_proba(texts))


def test_a_convolutional_network_round_trips_bit_for_bit(tmp_path):
    first = nn.Sequential(nn.Unflatten(1, (1, 8, 8)), nn.Conv2d(1, 4, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(4), nn.ReLU())
    then = nn.Sequential(nn.Conv2d(4, 4, 3, groups=4), nn.Conv2d(4, 6, 1), nn.AvgPool2d(2), nn.Dropout2d(0.3), nn.Flatten())
    student = TorchStudent(nn.Sequential(first, then, nn.Linear(6, 2)))
    rows = RNG.normal(size=(80, 64)).astype(np.float32)
    student.fit(rows, y=np.arange(80) % 2, epochs=2, seed=0)
    again = load_student(save_student(student, tmp_path / "student"))
    np.testing.assert_array_equal(again.predict_proba(rows), student.predict_proba(rows))
    restored, original = again.network.state_dict(), student.network.state_dict()
    assert all(map(torch.equal, restored.values(), original.values()))
    assert restored["2.num_batches_tracked"] == 2
    assert all(parameter.requires_grad for parameter in again.network.parameters())
    again.fit(rows, y=np.arange(80) % 2, epochs=1, seed=0)


def test_weights_in_another_memory_format_round_trip(tmp_path):
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(4, 2)).to(memory_format=torch.channels_last)
    again = load_student(save_student(TorchStudent(network, classes=(0, 1)), tmp_path / "student"))
    assert torch.equal(again.network[0].weight, network[0].weight)


@pytest.mark.parametrize(
    ("array", "value"), [("left_child", 10_000), ("right_child", 0), ("left_child", -7), ("feature", 99), ("feature", -5)]
)
def test_a_tree_with_invalid_nodes_is_refused(array, value, tmp_path):
    tree = DecisionTreeRegressor(max_depth=3).fit(X, P)
    state = tree.tree_.__getstate__()
    state["nodes"][array][0] = value
    tree.tree_.__setstate__(state)
    with pytest.raises(DamagedFile, match=r"tree.skops holds a tree whose nodes point outside it"):
        load_student(save_student(tree, tmp_path / "tree"))


def test_a_forest_with_one_invalid_tree_is_refused(tmp_path):
    forest = SoftForest(n_estimators=3, max_depth=3).fit(X, P)
    tree = forest.forest_.estimators_[1].tree_
    state = tree.__getstate__()
    state["nodes"]["right_child"][0] = 10_000
    tree.__setstate__(state)
    with pytest.raises(DamagedFile, match="holds a tree whose nodes point outside it"):
        load_student(save_student(forest, tmp_path / "forest"))


def test_a_damaged_booster_is_refused_and_the_file_named(tmp_path, monkeypatch):
    pytest.importorskip("xgboost")
    path = save_student(STUDENTS["xgboost"], tmp_path / "boosted")
    damaged = STUDENTS["xgboost"].__getstate__()
    damaged["booster_"] = damaged["booster_"].replace("num_feature", "num_feathers")
    monkeypatch.setattr(SoftBoosting, "__getstate__", lambda _: damaged)
    save_student(STUDENTS["xgboost"], path)
    with pytest.raises(DamagedFile, match=r"boosted.skops: a xgboost model cannot be read"):
        load_student(path)


class Trap:
    """A class that loading a file must not instantiate."""


@pytest.mark.parametrize(
    "write",
    [
        lambda path: skops.io.dump(Trap(), path),
        lambda path: path.write_bytes(pickle.dumps(STUDENTS["tree"])),
        lambda path: path.write_bytes(b""),
        lambda path: zipfile.ZipFile(path, "w").close(),
    ],
)
def test_a_file_that_is_not_a_saved_estimator_is_refused(write, tmp_path):
    write(tmp_path / "student.skops")
    with pytest.raises(DamagedFile, match=r"student.skops is not a student that tutelage saved"):
        load_student(tmp_path / "student.skops")


LINEAR = {"layer": "Linear", "in_features": 3, "out_features": 2, "bias": True}
WEIGHTS = {"0.weight": np.zeros((2, 3), np.float32), "0.bias": np.zeros(2, np.float32)}


def about(**changes):
    return {
        "schema": 3,
        "layers": [LINEAR],
        "kind": "logits",
        "task": "binary",
        "classes": [0, 1],
        "positions": None,
        "output": False,
    } | changes


def test_a_file_written_by_hand_in_this_format_is_loaded(tmp_path):
    write_tensors(tmp_path / "student.safetensors", WEIGHTS, about(), framework="numpy")
    assert load_student(tmp_path / "student.safetensors").predict_proba(X).tolist() == [[0.5, 0.5]] * 80


@pytest.mark.parametrize(
    "metadata", [None, {"tutelage": "{"}, {"tutelage": "[" * 100_000}, {"tutelage": "[]"}, {"tutelage": '{"schema": 3}'}]
)
def test_a_file_without_a_checksum_is_refused(metadata, tmp_path):
    save_file(WEIGHTS, tmp_path / "student.safetensors", metadata)
    with pytest.raises(DamagedFile, match=r"student.safetensors is not a student that tutelage saved, or is damaged \(.*\). Save"):
        load_student(tmp_path / "student.safetensors")


@pytest.mark.parametrize(
    ("tensors", "metadata"),
    [
        (WEIGHTS, about(layers=None)),
        (WEIGHTS, about(layers=[LINEAR, {"layer": "Trap"}])),
        (WEIGHTS, about(layers=[LINEAR, LINEAR | {"in_features": 2}])),
        (WEIGHTS, about(layers=[LINEAR | {"in_features": 10**6, "out_features": 10**6}])),
        (WEIGHTS, about(layers=[LINEAR | {"out_features": "many"}])),
        (WEIGHTS, about(classes=[0, 1, 2])),
        (WEIGHTS, about(classes=[0, 0])),
        (WEIGHTS, about(classes=[0, None])),
        (WEIGHTS, about(classes=2)),
        ({"0.weight": WEIGHTS["0.weight"]}, about()),
        (WEIGHTS | {"1.weight": np.zeros(5, np.float32)}, about()),
        (WEIGHTS | {"0.bias": np.zeros(5, np.float32)}, about()),
        (WEIGHTS | {"0.bias": np.zeros(2, np.float64)}, about()),
    ],
)
def test_a_file_that_is_not_a_saved_network_is_refused(tensors, metadata, tmp_path):
    write_tensors(tmp_path / "student.safetensors", tensors, metadata, framework="numpy")
    with pytest.raises(DamagedFile, match=r"student.safetensors is not a student that tutelage saved \(.*\). Save the student again"):
        load_student(tmp_path / "student.safetensors")


def test_overwriting_the_file_later_does_not_change_the_student(tmp_path):
    student = load_student(path := save_student(TorchStudent(mlp((3, 500, 2)), classes=(0, 1)), tmp_path / "student"))
    before = student.predict_proba(X)
    with path.open("r+b") as file:
        file.seek(-1000, 2)
        file.write(bytes(1000))
    np.testing.assert_array_equal(student.predict_proba(X), before)
    with pytest.raises(DamagedFile, match="its bytes do not match its checksum"):
        load_student(path)


def test_a_function_for_a_file_that_needs_none_is_refused(tmp_path):
    for name, student in ("network", STUDENTS["network"]), ("tree", STUDENTS["tree"]):
        path = save_student(student, tmp_path / name)
        with pytest.raises(BadInput, match=r"leave network="):
            load_student(path, network=lambda: mlp((3, 5, 2)))


def test_a_missing_file_is_named_in_the_error(tmp_path):
    with pytest.raises(DamagedFile, match=r"gone.skops cannot be read \(No such file or directory\)"):
        load_student(tmp_path / "gone.skops")


@pytest.mark.parametrize("name", ["network", "soft tree"])
def test_a_file_of_another_version_is_refused_with_what_to_do(name, tmp_path, monkeypatch):
    path = save_student(STUDENTS[name], tmp_path / "student")
    monkeypatch.setattr(version, "STUDENT_SCHEMA", 4)
    with pytest.raises(StaleCache, match=r"has schema 3; this version of tutelage reads 4\. Load it with the version that saved it"):
        load_student(path)


def test_a_file_that_another_program_wrote_is_no_student_of_ours(tmp_path):
    skops.io.dump(LinearRegression().fit(X, P[:, 0]), tmp_path / "foreign.skops")
    with pytest.raises(DamagedFile, match="another program wrote it"):
        load_student(tmp_path / "foreign.skops")


@pytest.mark.parametrize("name", ["network", "soft tree"])
def test_a_student_is_written_whole_or_not_at_all(name, tmp_path):
    (tmp_path / "place").write_text("no folder")
    with pytest.raises(CannotWrite):
        save_student(STUDENTS[name], tmp_path / "place" / "student")
    first = save_student(STUDENTS[name], tmp_path / "student")
    assert save_student(STUDENTS[name], tmp_path / "student") == first
    assert sorted(path.name for path in tmp_path.iterdir()) == ["place", first.name]


def test_a_student_that_could_not_be_loaded_is_not_saved(tmp_path):
    with pytest.raises(BadInput, match=r"this KNeighborsClassifier holds .*KDTree, which `load_student` does not build"):
        save_student(KNeighborsClassifier(algorithm="kd_tree").fit(X, P[:, 0] > 0.5), tmp_path / "neighbours")
    assert list(tmp_path.iterdir()) == []
