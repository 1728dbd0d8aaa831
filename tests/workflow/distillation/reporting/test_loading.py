import numpy as np
import pandas as pd
import pytest

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
    note = how_to_load(RunFolder(tmp_path), [written], Schema.of(rows), text=False)[0].note
    assert all(f"{name} (" in note for name in (*names, "city"))
    assert " more" not in note
