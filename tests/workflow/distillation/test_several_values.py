"""Several values of different units: none decides by its unit, and each is reported."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import tutelage as tl
from tutelage.core.answers import AnswerForm
from tutelage.core.errors import BadInput
from tutelage.report.distillation.records import DistillationRecord
from tutelage.workflow.distillation.folder import RunFolder
from tutelage.workflow.distillation.given.part import Part, scores_of, units_of
from tutelage.workflow.distillation.reporting.record import output_results
from tutelage.workflow.distillation.searching.judge import Judge

VALUES = AnswerForm("values", "regression")
DRAW = np.random.default_rng(0)
TRUTH = np.column_stack([1e5 * DRAW.normal(size=50), DRAW.normal(size=50)])


def test_units_are_the_spread_of_the_truth_or_else_of_the_teachers_values():
    rows = np.zeros((50, 1))
    np.testing.assert_allclose(units_of(Part(rows, 2 * TRUTH, TRUTH), VALUES), TRUTH.std(axis=0))
    np.testing.assert_allclose(units_of(Part(rows, 2 * TRUTH), VALUES), 2 * TRUTH.std(axis=0))
    assert units_of(Part(rows, TRUTH[:, :1], TRUTH[:, :1]), VALUES) is None
    assert units_of(Part(rows, TRUTH), AnswerForm("logits", "binary", ("a", "b"))) is None


@pytest.mark.parametrize("constant", [0.1, 1 / 3, 19.99, 1e5 + 0.1])
@pytest.mark.parametrize("weights", [None, np.linspace(0.5, 3, 320)])
def test_a_value_that_does_not_vary_has_the_unit_one_and_no_r2(constant, weights):
    truth = np.column_stack([np.arange(320.0), np.full(320, constant)])  # whose mean is not the constant, but rounded
    rounded = truth * (1 + np.linspace(-4, 4, 320)[:, None] * np.finfo(np.float64).eps)
    part = Part(np.zeros((320, 1)), rounded, truth, weights)
    assert units_of(part, VALUES)[1] == 1
    assert units_of(replace(part, truth=None), VALUES)[1] == 1
    part, problem = replace(part, units=np.ones(2)), SimpleNamespace(source=None, values=("price", "fee"))
    price, fee = output_results(truth + 1e-9, part, Judge("mse", "truth", tl.Limits(), ".onnx"), problem)
    assert (price.name, fee.name, fee.student, fee.teacher) == ("price", "fee", None, None)
    assert price.student == pytest.approx(1)
    assert output_results(truth, part, Judge("mse", "teacher", tl.Limits(), ".onnx"), problem)[1].student is None


def test_squared_errors_are_measured_in_units_of_each_value():
    part = Part(np.zeros((50, 1)), TRUTH, TRUTH, units=TRUTH.std(axis=0))
    mean = np.broadcast_to(TRUTH.mean(axis=0), TRUTH.shape)
    assert scores_of(mean, part, VALUES, "truth")["mse"].mean() == pytest.approx(1)
    first_alone = np.column_stack([TRUTH[:, 0], mean[:, 1]])
    assert scores_of(first_alone, part.take(np.arange(50)), VALUES, "teacher")["mse"].mean() == pytest.approx(0.5)


@pytest.mark.slow
def test_a_distillation_of_several_values_serves_each(untimed, unchecked, tmp_path):
    X = DRAW.normal(size=(600, 3))
    truth = np.column_stack([1e5 * np.sin(2 * X[:, 0]), X[:, 1]])
    teacher = tl.as_teacher(
        lambda rows: np.column_stack([1e5 * np.sin(2 * rows[:, 0]), rows[:, 1]]), kind="values", task="regression", version="1"
    )
    found = tl.distill(teacher, X, truth, students=["tree"], trials=1, seeds=2, into=tmp_path / "run")
    (large, small) = found.record.outputs
    assert (large.name, small.name) == ("value_0", "value_1")
    assert min(large.student, small.student) > 0.8
    assert large.teacher == small.teacher == 1
    (note,) = [note for note in found.record.notes if note.startswith("Squared errors are means over the 2 values")]
    assert f"value_1 {small.student:.3f} (teacher 1.000)" in note
    assert found.record.arm(found.record.chosen).test["mse"][0] < 0.2
    assert DistillationRecord.from_json(found.record.to_json()).outputs == found.record.outputs
    page = (tmp_path / "run" / "report.html").read_text()
    assert "R2 of each against the truth" in page
    assert "differences are in standard deviations of each value" in page
    assert "groups of about equal size" not in page


def two_values(*, known, into):
    X = np.random.default_rng(1).normal(size=(300, 3))
    truth = np.column_stack([1e5 * np.sin(2 * X[:, 0]), X[:, 1]])
    teacher = tl.as_teacher(
        lambda rows: np.column_stack([1e5 * np.sin(2 * rows[:, 0]), rows[:, 1]]), kind="values", task="regression", version="1"
    )
    y = pd.DataFrame(truth, columns=["price", "weight"]) if known else None
    return tl.distill(teacher, X, y, students=["tree"], trials=1, seeds=2, export=None, into=into).record


@pytest.mark.slow
@pytest.mark.parametrize("known", [True, False])
def test_a_folder_of_figures_in_other_units_is_not_gone_on_with_and_a_finished_one_is_returned(known, untimed, unchecked, tmp_path):
    found = two_values(known=known, into=tmp_path / "run")
    assert [one.name for one in found.outputs] == (["price", "weight"] if known else ["value_0", "value_1"])
    folder = RunFolder(tmp_path / "run")
    made_from = folder.read("plan.json")["made_from"]
    assert made_from.pop("errors") == "in units of each value's variance"
    folder.write("plan.json", {"made_from": made_from})  # as versions wrote it that measured errors as they are
    again = two_values(known=known, into=folder.path)
    assert (again.arms, again.outputs, again.seconds) == (found.arms, found.outputs, found.seconds)
    (folder.path / "results.json").unlink()
    with pytest.raises(BadInput, match="begun by an earlier version of tutelage that measured the squared errors"):
        two_values(known=known, into=folder.path)
