"""The figures say what was answered, how surely, in which batches, and how far the rows have moved."""

import numpy as np
from fastapi.testclient import TestClient
from loan_rows import as_json_rows, loans
from prometheus_client.parser import text_string_to_metric_families

from tutelage.evaluation.deployed.drift import LARGE
from tutelage.exporters.subject.check_rows import CheckRows
from tutelage.serving.app import create_app
from tutelage.serving.metrics import Metrics
from tutelage.serving.model import Answered


def figures(client):
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(client.get("/metrics").text)
        for sample in family.samples
    }


def sent(app, rows):
    with TestClient(app) as client:
        for start in range(0, len(rows), 50):
            assert client.post("/v1/answers", json={"rows": rows[start : start + 50]}).status_code == 200
        client.post("/v1/answer", content=b"{")
        return figures(client)


def test_requests_answers_and_confidence_are_counted(table):
    found = sent(create_app(table.run), table.rows)
    assert found["tutelage_requests_total", "200"] == 2
    assert found["tutelage_requests_total", "422"] == 1
    assert found["tutelage_answers_total", "student"] == 60
    assert found["tutelage_answers_total", "teacher"] == 0
    assert found["tutelage_confidence_bucket", "+Inf"] == found["tutelage_confidence_bucket", "1.0"] == 60
    assert found["tutelage_confidence_bucket", "0.4"] == 0
    assert 30 <= found["tutelage_confidence_sum",] <= 60
    assert found["tutelage_batch_rows_sum", "student"] == 60
    assert found["tutelage_waiting_rows", "student"] == 0
    assert found["tutelage_request_seconds_count",] == 3


def test_an_answer_that_is_no_number_is_no_figure():
    metrics = Metrics({}, None, classifies=True)
    observe = metrics.watch("student", lambda: 0)
    values = np.array([[0.2, 0.8], [np.nan, np.nan]])
    observe(CheckRows.of_numbers(np.zeros((2, 1))), Answered.of(values, values.max(axis=1), np.array([False, True])), 0.1)
    figures = metrics.text().decode()
    assert "tutelage_confidence_sum 0.8" in figures
    assert "tutelage_confidence_count 1.0" in figures
    assert "tutelage_deferred_total 1.0" in figures


def test_rows_like_the_recorded_ones_have_not_drifted_and_others_have(table):
    alike = sent(create_app(table.run), as_json_rows(loans(300, seed=3).drop(columns="paid")))
    assert alike["tutelage_drift_rows",] == 300
    columns = {name[1]: value for name, value in alike.items() if name[0] == "tutelage_drift_column"}
    assert set(columns) == {"age", "income", "opened", "waited", "owner", "purpose of it"}
    assert max(columns.values()) < LARGE
    moved = loans(300, seed=3).drop(columns="paid")
    moved["age"] += 40
    moved["purpose of it"] = "holiday"
    moved = sent(create_app(table.run), as_json_rows(moved))
    drifted = {name[1] for name, value in moved.items() if name[0] == "tutelage_drift_column" and value > LARGE}
    assert drifted == {"age", "purpose of it"}
    assert moved["tutelage_drift_answer", "decision"] > alike["tutelage_drift_answer", "decision"]
    assert ("tutelage_drift_answer", "confidence") in moved


def test_without_recorded_rows_there_is_no_drift(table, tmp_path):
    (tmp_path / "student.onnx").write_bytes((table.run / "student.onnx").read_bytes())
    found = sent(create_app(tmp_path), table.rows[:3])
    assert not [name for name in found if "drift" in name[0]]
