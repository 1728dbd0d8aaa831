"""Drift is measured against the rows that were recorded with this student, and does not slow the answers."""

import json

import numpy as np
import pytest
from fastapi.testclient import TestClient

from tutelage.core.errors import BadInput, DamagedFile
from tutelage.evaluation.deployed.drift import Profile, RecentRows
from tutelage.serving.app import create_app


def test_recorded_rows_of_another_student_are_refused(table, tmp_path):
    (tmp_path / "student.onnx").write_bytes((table.run / "student.onnx").read_bytes())
    path = tmp_path / "reference.json"
    other = Profile.of({"age": np.arange(10.0)}, {"decision": np.zeros(10), "confidence": np.ones(10)})
    path.write_text(json.dumps(other.to_json()))
    with pytest.raises(BadInput, match="is of other columns or answers than"):
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
