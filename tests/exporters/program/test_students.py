import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (
    ExtraTreesClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, RobustScaler, StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from torch import nn

import tutelage as tl
from tutelage.core.answers import AnswerForm
from tutelage.core.errors import BadInput
from tutelage.data.rows import as_rows
from tutelage.exporters.export import export
from tutelage.exporters.program.build import program_of
from tutelage.exporters.proof import edge_cases
from tutelage.exporters.subject.subject import subject_of
from tutelage.exporters.targets.onnx.runtime import OnnxStudent
from tutelage.students.by_name import NEED_SCALING, student_named
from tutelage.students.columns import with_columns
from tutelage.students.networks.mlp_regressor import NetworkRegressor
from tutelage.students.saved.trained import TrainedStudent
from tutelage.students.temperature import Targets, fit_at_temperature

RNG = np.random.default_rng(0)
X = RNG.normal(size=(150, 3))
GAPS = np.where(RNG.random(X.shape) < 0.2, np.nan, X)
P = {classes: RNG.dirichlet(np.ones(classes), 150) for classes in (2, 3, 10)}
Y = X[:, 0] * X[:, 1]
FRAME = pd.DataFrame({"far": 2000 + RNG.normal(size=120), "gaps": RNG.normal(size=120), "whole": RNG.integers(0, 5, 120)})
FRAME.loc[::7, "gaps"] = np.nan
QUICK = {"forest": {"n_estimators": 5}, "mlp": {"epochs": 3}, "boosting": {"n_estimators": 3, "n_jobs": 1}}


def exported(student, rows, folder):
    """The answers and the labels of the file to rows, after comparison with the student on them."""
    (parity,) = export(student, folder / "student.onnx", check_on=rows).proofs
    assert parity.decisions_changed == 0
    return OnnxStudent.load(folder / "student.onnx"), parity


@pytest.fixture(autouse=True)
def few_rows(monkeypatch):
    monkeypatch.setattr(edge_cases, "ROWS", 300)


def lowered(student, rows):
    return program_of(*subject_of(student, rows))


STUDENTS = {
    "tree": lambda: tl.SoftTree(max_leaf_nodes=12),
    "tree of logits": lambda: tl.SoftTree(max_leaf_nodes=12, targets="logits"),
    "forest": lambda: tl.SoftForest(n_estimators=4, random_state=0),
    "forest of logits": lambda: tl.SoftForest(n_estimators=4, targets="logits", random_state=0),
    "logistic": tl.SoftLogistic,
    "mlp": lambda: tl.SoftMLP(epochs=2, random_state=0),
    "lightgbm": lambda: tl.SoftBoosting(n_estimators=4, n_jobs=1),
    "xgboost": lambda: tl.SoftBoosting(engine="xgboost", n_estimators=4, n_jobs=1),
    "trees of labels": lambda: tl.SoftTargets(RandomForestClassifier(3, max_depth=4, random_state=0)),
    "boosting of labels": lambda: tl.SoftTargets(HistGradientBoostingClassifier(max_iter=3)),
    "logistic of labels": lambda: tl.SoftTargets(LogisticRegression()),
    "scaled": lambda: tl.SoftTargets(make_pipeline(StandardScaler(), tl.SoftTree(max_leaf_nodes=6))),
}


@pytest.mark.exhaustive(every=3)
@pytest.mark.parametrize("classes", [2, 3, 10])
@pytest.mark.parametrize("name", [name for name in STUDENTS if name != "scaled"])
def test_a_file_answers_and_decides_as_its_student(name, classes, tmp_path):
    student = STUDENTS[name]().fit(X, P[classes])
    file, parity = exported(student, X, tmp_path)
    np.testing.assert_allclose(file.answer(X), student.predict_proba(X), atol=1e-6)
    assert parity.worst_difference <= 1e-6


@pytest.mark.parametrize("name", ["tree", "tree of logits", "forest", "lightgbm", "xgboost", "boosting of labels"])
def test_gaps_go_where_the_student_sends_them_even_if_none_were_compared(name, tmp_path):
    student = STUDENTS[name]().fit(GAPS, P[3])
    file, parity = exported(student, np.nan_to_num(GAPS), tmp_path)
    assert "missing values" not in parity.refused
    np.testing.assert_allclose(file.answer(GAPS), student.predict_proba(GAPS), atol=1e-6)


def test_lightgbm_reads_tiny_numbers_as_zero_and_so_does_the_file(tmp_path):
    rows = np.tile(np.array([[-1.0], [0.0], [1.0], [-1e-36], [1e-36], [-2e-35], [2e-35]]), (30, 1))
    student = tl.SoftBoosting(n_estimators=3, n_jobs=1).fit(rows, (rows[:, 0] > 0.5).astype(int) + (rows[:, 0] < -0.5))
    file, _ = exported(student, rows, tmp_path)
    np.testing.assert_allclose(file.answer(rows), student.predict_proba(rows), atol=1e-6)


def test_lightgbm_splits_gaps_from_all_numbers_and_so_does_the_file(tmp_path):
    rows = np.where(RNG.random((200, 2)) < 0.3, np.nan, RNG.normal(size=(200, 2)))
    missing = np.isnan(rows[:, 0]) * 0.8 + 0.1
    student = tl.SoftBoosting(n_estimators=2, n_jobs=1).fit(rows, np.column_stack([missing, 1 - missing]))
    file, parity = exported(student, rows, tmp_path)
    assert parity.refused == ("infinite values",)
    huge = np.array([[1e299, 0], [1e301, 0], [np.nan, 0]])
    np.testing.assert_allclose(file.answer(huge), student.predict_proba(huge), atol=1e-6)


def test_a_boosting_of_zeros_that_count_as_missing_is_refused():
    lightgbm = pytest.importorskip("lightgbm")
    student = tl.SoftBoosting(n_estimators=2, n_jobs=1).fit(X, P[2])
    settings = {"objective": "cross_entropy", "zero_as_missing": True, "verbosity": -1}
    student.booster_ = lightgbm.train(settings, lightgbm.Dataset(np.where(np.abs(X) < 0.5, 0, X), P[2][:, 1]), 2)
    with pytest.raises(BadInput, match=r"the lightgbm model of a SoftBoosting cannot be exported: it has .* zeros that count as missing"):
        lowered(student, X)


VALUES = {
    "tree": DecisionTreeRegressor(max_depth=4),
    "forest": RandomForestRegressor(4, random_state=0),
    "boosting": GradientBoostingRegressor(n_estimators=5),
    "boosting from zero": GradientBoostingRegressor(n_estimators=5, init="zero"),
    "histograms": HistGradientBoostingRegressor(max_iter=5),
    "line": LinearRegression(),
    "ridge without intercept": Ridge(fit_intercept=False),
    "in ranges": make_pipeline(MinMaxScaler(clip=True), Ridge()),
    "network": NetworkRegressor(hidden_layer_sizes=(8,), epochs=3, random_state=0),
    "robust": make_pipeline(RobustScaler(), SimpleImputer(), DecisionTreeRegressor(max_depth=3)),
}


@pytest.mark.parametrize("name", VALUES)
def test_regressors_are_exported_in_their_own_precision(name, tmp_path):
    student = VALUES[name].fit(X, Y)
    file, parity = exported(student, X, tmp_path)
    assert parity.worst_difference < 1e-9
    assert file.answer(X).dtype == np.float64
    np.testing.assert_allclose(file.answer(X)[:, 0], student.predict(X), atol=1e-9)


@pytest.mark.parametrize("student", [DecisionTreeRegressor(max_depth=4), Ridge(), NetworkRegressor(epochs=2, random_state=0)])
def test_several_outputs_are_exported(student, tmp_path):
    file, _ = exported(student.fit(X, np.c_[Y, X]), X, tmp_path)
    assert file.answer(X).shape == (150, 4)


def test_a_column_far_from_zero_keeps_its_digits(tmp_path):
    rows = X + np.array([1.7e9, 0, 0])
    student = tl.DistilledRegressor(tl.as_teacher(lambda rows: rows[:, 0] - 1.7e9, kind="values"), LinearRegression()).fit(rows)
    file, _ = exported(student, rows, tmp_path)
    np.testing.assert_allclose(file.answer(rows)[:, 0], X[:, 0], atol=1e-4)


TEACHER = tl.as_teacher(
    lambda rows: np.exp(2 * rows) / np.exp(2 * rows).sum(axis=1, keepdims=True), kind="probabilities", classes=["a", "b", "c"]
)
LABELLER = tl.as_teacher(lambda rows: 1 / (1 + np.exp(-rows)), kind="probabilities", task="multilabel", classes=["a", "b", "c"])


@pytest.mark.parametrize("temperature", [1.0, 3.0])
@pytest.mark.parametrize(
    "student", [tl.SoftTree(max_leaf_nodes=8), tl.SoftLogistic(), make_pipeline(StandardScaler(), tl.SoftMLP(epochs=2, random_state=0))]
)
def test_a_distilled_student_is_exported_with_its_temperature_taken_out(student, temperature, tmp_path):
    distilled = tl.DistilledClassifier(TEACHER, student, temperature=temperature).fit(X)
    file, _ = exported(distilled, X, tmp_path)
    np.testing.assert_allclose(file.answer(X), distilled.predict_proba(X), atol=1e-6)
    assert (np.abs(file.answer(X) - distilled.student_.predict_proba(X)).max() > 0.01) == (distilled.answer_temperature_ != 1)


@pytest.mark.parametrize("temperature", [1.0, 3.0])
@pytest.mark.parametrize("student", [tl.SoftTree(max_leaf_nodes=8), tl.SoftLogistic()])
def test_labels_that_are_on_or_off_are_exported_one_by_one(student, temperature, tmp_path):
    distilled = tl.DistilledClassifier(LABELLER, tl.PerLabel(student), temperature=temperature).fit(X)
    file, _ = exported(distilled, X, tmp_path)
    kind = {"tensor(float)": np.float32, "tensor(double)": np.float64}[file.session.get_inputs()[0].type]
    label = file.session.run(["label"], {"inputs": X.astype(kind)})[0]
    np.testing.assert_array_equal(label, distilled.predict(X))


def test_a_label_that_never_changes_is_a_constant(tmp_path):
    on = np.column_stack([np.full(150, 0.3), P[2][:, 0], np.full(150, 1.0)])
    student = tl.PerLabel(tl.SoftTree(max_leaf_nodes=4)).fit(GAPS, on)
    file, _ = exported(student, GAPS, tmp_path)
    np.testing.assert_allclose(file.answer(GAPS), student.predict_proba(GAPS), atol=1e-6)
    always = tl.PerLabel(tl.SoftTree()).fit(GAPS, on[:, [0, 2]])
    file, _ = exported(always, GAPS, tmp_path)
    np.testing.assert_allclose(file.answer(GAPS), always.predict_proba(GAPS), atol=1e-6)


def test_a_class_without_any_row_keeps_its_column(tmp_path):
    targets = np.column_stack([P[2][:, 0], np.zeros(150), P[2][:, 1]])
    student = tl.SoftTargets(DecisionTreeClassifier(max_depth=3)).fit(X, targets, classes=["a", "never", "c"])
    file, _ = exported(student, X, tmp_path)
    assert not file.answer(X)[:, 1].any()


@pytest.mark.parametrize("model", [DecisionTreeClassifier(max_depth=4), ExtraTreesClassifier(4, random_state=0), LogisticRegression()])
def test_classifiers_of_scikit_learn_are_exported(model, tmp_path):
    student = model.fit(X, np.array(["u", "v", "w"])[P[3].argmax(axis=1)])
    exported(student, X, tmp_path)


def trained(name, *, task="multiclass", classes=3, temperature=1.0, rows=FRAME, **settings):
    form = AnswerForm("values", task) if task == "regression" else AnswerForm("probabilities", task, tuple(range(classes)))
    targets = Targets.of(RNG.dirichlet(np.ones(classes), len(rows)), form, temperature=temperature)
    student = with_columns(student_named(name, task, **QUICK.get(name, {}), **settings), rows, scaled=name in NEED_SCALING)
    taught = fit_at_temperature(student, form, rows, targets)
    return TrainedStudent(taught.student, task, form.classes, taught.answer_temperature, as_rows(rows).schema)


@pytest.mark.exhaustive(every=11)
@pytest.mark.parametrize("temperature", [1.0, 3.0])
@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("name", ["tree", "forest", "logistic", "mlp", "boosting"])
def test_what_the_command_line_trains_is_exported(name, classes, temperature, tmp_path):
    student = trained(name, task="binary" if classes == 2 else "multiclass", classes=classes, temperature=temperature)
    _, parity = exported(student, FRAME, tmp_path)
    assert "missing values" not in parity.refused


@pytest.mark.parametrize("task", ["multiclass", "multilabel"])
def test_temperature_and_biases_are_exported_together(task, tmp_path):
    student = trained("logistic", task=task, temperature=3.0)
    biased = replace(student, biases=(1.0, -3.0, 2.0))
    file, _ = exported(biased, FRAME, tmp_path)
    np.testing.assert_allclose(file.answer(FRAME), biased.predict_proba(FRAME), atol=1e-6)
    assert student.answer_temperature != 1
    assert np.abs(biased.predict_proba(FRAME) - student.predict_proba(FRAME)).max() > 0.2


def test_a_matched_student_of_a_frame_is_exported_with_the_names_of_its_columns(tmp_path):
    rows = FRAME[["far", "whole"]]
    student = tl.match_teacher_marginals(tl.SoftLogistic().fit(rows, P[3][:120]), tl.SoftTree(random_state=0).fit(rows, P[3][-120:]), rows)
    exported_student = export(student, tmp_path / "student.py", check_on=rows[["whole", "far"]])
    assert exported_student.columns == ("far", "whole")
    assert exported_student.proofs[0].decisions_changed == 0


@pytest.mark.exhaustive(every=3)
@pytest.mark.parametrize("outputs", [1, 2])
@pytest.mark.parametrize("name", ["tree", "forest", "linear"])
def test_trained_regressors_are_exported(name, outputs, tmp_path):
    student = trained(name, task="regression", classes=outputs)
    exported(student, FRAME, tmp_path)
    (output,) = OnnxStudent.load(tmp_path / "student.onnx").session.get_outputs()
    assert (output.name, output.shape[1]) == ("prediction", outputs)


@pytest.mark.exhaustive(every=2)
@pytest.mark.parametrize("name", ["tree", "logistic"])
def test_students_of_a_matrix_and_of_labels_are_exported(name, tmp_path):
    rows = np.nan_to_num(FRAME.to_numpy(dtype=np.float64))
    exported(trained(name, rows=rows), rows, tmp_path)
    exported(trained(name, task="multilabel"), FRAME, tmp_path)


@pytest.mark.parametrize("columns", [slice(0, 3), [True] * 3, [2, 0, 1], [0, 1, 2]], ids=["slice", "mask", "another order", "places"])
def test_columns_chosen_in_any_way_are_exported(columns, tmp_path):
    exported(make_pipeline(ColumnTransformer([("mine", StandardScaler(), columns)]), Ridge()).fit(X, Y), X, tmp_path)


@pytest.mark.parametrize(
    ("student", "sentence"),
    [
        (DecisionTreeClassifier().fit(X, np.c_[X[:, 0] > 0, X[:, 1] > 0]), "a DecisionTreeClassifier of several labels cannot be exported"),
        (GradientBoostingRegressor(n_estimators=2, init=Ridge()).fit(X, Y), r"GradientBoostingRegressor with init= cannot be exported"),
        (HistGradientBoostingRegressor(loss="poisson", max_iter=2).fit(X, np.abs(Y)), "of the loss poisson or gamma, cannot be exported"),
        (make_pipeline(SimpleImputer(missing_values=1.0), Ridge()).fit(X, Y), "this SimpleImputer cannot be exported"),
    ],
)
def test_what_would_be_computed_otherwise_is_refused(student, sentence):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(BadInput, match=sentence):
            lowered(student, X)


class Own(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.inner, self.outer = nn.Linear(inputs, 4), nn.Linear(4, outputs)

    def forward(self, rows):
        return self.outer(torch.tanh(self.inner(rows)) + 0.5)


def layers(inputs, outputs):
    return nn.Sequential(nn.Linear(inputs, 4), nn.ReLU(), nn.BatchNorm1d(4), nn.Linear(4, outputs))


@pytest.mark.exhaustive(every=2)
@pytest.mark.parametrize("module", [layers, Own])
def test_torch_networks_are_exported_with_the_steps_before_them(module, tmp_path):
    far = FRAME[["far", "whole"]]
    truth = np.where(far["whole"] > 2, "b", "a")
    student = make_pipeline(StandardScaler(), tl.TorchClassifier(module, epochs=3, learning_rate=0.1, random_state=0)).fit(far, truth)
    program = lowered(student, far)
    assert (program.partly_single, program.dtype) == (True, np.float64)
    file, _ = exported(student, far, tmp_path)
    np.testing.assert_allclose(file.answer(far.to_numpy()), student.predict_proba(far), atol=1e-6)


def test_torch_networks_of_labels_and_of_values_are_exported(tmp_path):
    settings = {"epochs": 3, "learning_rate": 0.1, "random_state": 0}
    labels = tl.TorchClassifier(layers, multilabel=True, **settings).fit(X, P[3] > 0.3)
    exported(labels, X, tmp_path)
    values = tl.TorchRegressor(layers, **settings).fit(X, 1000 + 5 * np.column_stack([Y, -Y]))
    exported(values, X, tmp_path)
    assert not lowered(tl.TorchRegressor(nn.Linear(3, 1).double(), **settings).fit(X, Y), X).partly_single
