import json

import numpy as np
import pandas as pd
import pytest

from tutelage.core.answers import AnswerForm
from tutelage.core.errors import BadInput
from tutelage.data.rows import as_rows
from tutelage.exporters.onnx_graph import onnx_graph, thresholds_of
from tutelage.exporters.parity import export_onnx
from tutelage.students.by_name import NEED_SCALING, student_named
from tutelage.students.columns import with_columns
from tutelage.students.saved.trained import TrainedStudent
from tutelage.students.temperature import Targets, fit_at_temperature

RNG = np.random.default_rng(0)
FRAME = pd.DataFrame({"far": 2000 + RNG.normal(size=120), "gaps": RNG.normal(size=120), "whole": RNG.integers(0, 5, 120)})
FRAME.loc[::7, "gaps"] = np.nan
ROWS = FRAME.to_numpy(dtype=np.float32)
QUICK = {"forest": {"n_estimators": 5}, "mlp": {"epochs": 3}, "boosting": {"n_estimators": 3}}


def trained(name, *, task="multiclass", classes=3, temperature=1.0, rows=FRAME, **settings):
    form = AnswerForm("values", task) if task == "regression" else AnswerForm("probabilities", task, tuple(range(classes)))
    targets = Targets.of(RNG.dirichlet(np.ones(classes), len(rows)), form, temperature=temperature)
    student = with_columns(student_named(name, task, **QUICK.get(name, {}), **settings), rows, scaled=name in NEED_SCALING)
    taught = fit_at_temperature(student, form, rows, targets)
    return TrainedStudent(taught.student, task, form.classes, taught.answer_temperature, as_rows(rows).schema)


@pytest.mark.parametrize("temperature", [1.0, 3.0])
@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("name", ["tree", "forest", "logistic", "mlp"])
def test_every_exported_file_agrees_with_its_student(name, classes, temperature, tmp_path):
    student = trained(name, task="binary" if classes == 2 else "multiclass", classes=classes, temperature=temperature)
    parity = export_onnx(student, tmp_path / "student.onnx", check_on=ROWS)
    assert parity.worst_difference <= parity.tolerance
    assert parity.decisions_changed == 0


@pytest.mark.parametrize("targets", ["logits", "probabilities"])
def test_a_tree_of_logits_ends_in_a_softmax(targets, tmp_path):
    student = trained("tree", targets=targets, temperature=2.0)
    assert export_onnx(student, tmp_path / "student.onnx", check_on=ROWS).decisions_changed == 0
    operators = [node.op_type for node in onnx_graph(student, 3).graph.node]
    softmax_of_logits = ["Softmax"] if targets == "logits" else []
    assert operators[operators.index("TreeEnsembleRegressor") + 1 :] == softmax_of_logits


@pytest.mark.parametrize("outputs", [1, 2])
@pytest.mark.parametrize("name", ["tree", "forest", "linear"])
def test_regressors_are_exported(name, outputs, tmp_path):
    student = trained(name, task="regression", classes=outputs)
    export_onnx(student, tmp_path / "student.onnx", check_on=ROWS)
    output = onnx_graph(student, 3).graph.output[0]
    assert output.name == "prediction"
    assert output.type.tensor_type.shape.dim[1].dim_value == outputs


@pytest.mark.parametrize("name", ["tree", "logistic"])
def test_students_of_a_matrix_without_column_names_are_exported(name, tmp_path):
    parity = export_onnx(trained(name, rows=np.nan_to_num(ROWS)), tmp_path / "student.onnx", check_on=np.nan_to_num(ROWS))
    assert parity.decisions_changed == 0


def test_class_names_are_in_the_metadata_and_splits_are_found():
    student = trained("tree", max_leaf_nodes=4)
    assert len(thresholds_of(student)) == 3
    assert thresholds_of(trained("logistic")) == []
    assert len(thresholds_of(trained("forest"))) > 50
    (labels,) = onnx_graph(student, 3).metadata_props
    assert json.loads(labels.value) == [0, 1, 2]


def test_students_that_cannot_be_exported_are_refused():
    with pytest.raises(BadInput, match=r"a student of categories \(columns \['town'\]\) cannot be exported"):
        onnx_graph(trained("tree", rows=FRAME.assign(town="x")), 4)
    with pytest.raises(BadInput, match="a student of texts cannot be exported"):
        onnx_graph(trained("logistic", rows=["red wine", "white wine", "no wine"] * 5), 1)
    with pytest.raises(BadInput, match="cannot export a PerLabel"):
        onnx_graph(trained("tree", task="multilabel"), 3)


def test_boosters_cannot_be_exported_yet():
    pytest.importorskip("lightgbm")
    with pytest.raises(BadInput, match="cannot export a SoftBoosting"):
        onnx_graph(trained("boosting", n_jobs=1), 3)
