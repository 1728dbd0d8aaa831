import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

import tutelage as tl
from tutelage.data.schema import Schema
from tutelage.students.columns import with_columns
from tutelage.workflow.distillation.folder import RunFolder
from tutelage.workflow.distillation.reporting.loading import how_to_load

RNG = np.random.default_rng(0)


@pytest.mark.exhaustive
def test_all_inputs_of_an_onnx_file_are_named(tmp_path):
    names = [f"column {place}" for place in range(12)]
    rows = pd.DataFrame(RNG.normal(size=(60, 12)), columns=names).assign(city=["Rome", "Bern"] * 30)
    student = with_columns(tl.SoftTree(max_leaf_nodes=4), rows, scaled=False).fit(rows, (rows[names[0]] > 0).astype(int))
    written = tl.export(student, tmp_path / "student.onnx", check_on=rows)
    tl.save_student(student, tmp_path / "student.skops")
    note = how_to_load(RunFolder(tmp_path), [written], Schema.of(rows), rows)[0].note
    assert all(f"{name} (" in note for name in (*names, "city"))
    assert " more" not in note


class Both(nn.Module):
    """A network of two inputs."""

    def __init__(self, outputs):
        super().__init__()
        self.out = nn.Linear(5, outputs)

    def forward(self, picture, number):
        return self.out(torch.cat([picture.flatten(1), number], dim=1))


@pytest.mark.parametrize("named", [True, False])
def test_the_lines_for_several_inputs_can_be_executed(named, tmp_path, monkeypatch, capsys):
    arrays = (RNG.normal(size=(20, 1, 2, 2)).astype(np.float32), RNG.normal(size=(20, 1)).astype(np.float32))
    names = ("picture", "number") if named else ("inputs_0", "inputs_1")
    rows = dict(zip(names, arrays, strict=True)) if named else arrays
    student = tl.TorchClassifier(Both, epochs=1, random_state=0).fit(tl.StructuredRows.of(rows), np.arange(20) % 2)
    tl.save_student(student, tmp_path / "student.skops")
    np.savez(tmp_path / "rows.npz", **dict(zip(names, arrays, strict=True)))
    loading = how_to_load(RunFolder(tmp_path), [], None, tl.StructuredRows.of(rows))[-1]
    monkeypatch.chdir(tmp_path)
    exec(loading.code, {"build": Both})  # noqa: S102 - the lines of the report
    assert capsys.readouterr().out == f"{student.predict(tl.StructuredRows.of(rows))}\n"
