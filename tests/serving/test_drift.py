"""Drift is measured against the rows that were recorded with this student, and does not slow the answers."""

import json

import numpy as np
import pytest
from fastapi.testclient import TestClient
from loan_rows import loans

from tutelage.core.errors import DamagedFile
from tutelage.evaluation.deployed.drift import Profile, RecentRows
from tutelage.serving.app import create_app
from tutelage.students.saved.save_load import load_student
from tutelage.workflow.reference import write_reference


def test_drift_is_not_measured_against_the_rows_of_another_student(table, tmp_path):
    file, content = tmp_path / "student.onnx", (table.run / "student.onnx").read_bytes()
    file.write_bytes(content)
    write_reference(tmp_path, load_student(table.run), loans(300, seed=5).drop(columns="paid"))
    assert create_app(tmp_path).state.service.metrics._drift is not None
    file.write_bytes(b"the file of another student of these columns")
    write_reference(tmp_path, load_student(table.run), loans(300, seed=5).drop(columns="paid"))
    file.write_bytes(content)
    with pytest.warns(UserWarning, match=r"reference.json counts the answers of another file than .*student.onnx: no drift is measured"):
        app = create_app(tmp_path)
    with TestClient(app) as client:
        assert client.post("/v1/answers", json={"rows": table.rows}).status_code == 200
        assert "tutelage_drift" not in client.get("/metrics").text


def test_recorded_rows_of_other_columns_are_those_of_another_student(table, tmp_path):
    (tmp_path / "student.onnx").write_bytes((table.run / "student.onnx").read_bytes())
    path = tmp_path / "reference.json"
    other = Profile.of({"age": np.arange(10.0)}, {"decision": np.zeros(10), "confidence": np.ones(10)})
    path.write_text(json.dumps(other.to_json()))
    with pytest.warns(UserWarning, match=r"counts the answers of another file than .*student.onnx: no drift is measured"):
        create_app(tmp_path)
    path.write_text(path.read_text()[:-3])
    with pytest.raises(DamagedFile, match="cannot be read"):
        create_app(tmp_path)


def test_the_drift_is_counted_in_blocks(table, monkeypatch):
    counted = []
    see = RecentRows.see
    monkeypatch.setattr(
        RecentRows, "see", lambda self, columns, answers: (counted.append(len(columns["age"])), see(self, columns, answers))
    )
    app = create_app(table.run)
    with TestClient(app) as client:
        for _ in range(9):
            client.post("/v1/answers", json={"rows": table.rows})
        app.state.service.metrics._drift._thread.shutdown()
        assert counted == [540]
