"""The application answers rows as `predict` does, and everything else with one sentence."""

import csv
import json
import logging
import warnings

import numpy as np
import pytest
import schemathesis
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    positive_data_acceptance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)
from sklearn.linear_model import LinearRegression

import tutelage as tl
from tutelage.cli import main
from tutelage.serving.app import create_app
from tutelage.serving.model import Answered, ServedFile
from tutelage.serving.settings import Settings
from tutelage.workflow.reference import write_reference


@pytest.fixture(scope="module")
def app(table):
    return create_app(table.run, settings=Settings(max_body=20_000, max_rows=60))


@pytest.fixture(scope="module")
def client(app):
    with TestClient(app) as found:
        yield found


def test_it_answers_as_predict_does(table, client, tmp_path):
    out = tmp_path / "answers.csv"
    arguments = ["predict", str(table.run), "--file", "student.onnx", "--probabilities", "--data", str(table.test), "--out", str(out)]
    assert main(arguments) == 0
    with out.open(encoding="utf-8") as handle:
        expected = list(csv.DictReader(handle))
    answers = client.post("/v1/answers", json={"rows": table.rows}).json()["answers"]
    assert [answer["prediction"] for answer in answers] == [row["prediction"] for row in expected]
    assert len({row["prediction"] for row in expected}) == 2
    for name in ("yes", "no"):
        found = np.array([answer["probabilities"][name] for answer in answers], dtype=np.float32)
        np.testing.assert_allclose(found, [np.float32(row[f"probability_{name}"]) for row in expected], rtol=1e-6)


def test_one_row_has_the_answer_that_it_has_among_others(table, client):
    rows = table.rows[:20]
    together = client.post("/v1/answers", json={"rows": rows}).json()["answers"]
    assert [client.post("/v1/answer", json=row).json() for row in rows] == together


def test_an_unseen_category_and_a_gap_are_answered(table, client):
    row = {**table.rows[0], "purpose of it": "a castle", "income": None}
    assert client.post("/v1/answer", json=row).json()["prediction"] in ("yes", "no")


def test_a_missing_and_an_empty_text_are_the_same(table, client):
    found = [client.post("/v1/answer", json={**table.rows[0], "purpose of it": text}).json() for text in (None, "")]
    assert found[0] == found[1]


def test_the_example_of_the_document_runs(client):
    operations = client.get("/openapi.json").json()["paths"]
    for path in ("/v1/answer", "/v1/answers"):
        operation = operations[path]["post"]
        example = operation["requestBody"]["content"]["application/json"]["example"]
        found = client.post(path, json=example)
        assert found.status_code == 200
        assert found.json() == operation["responses"]["200"]["content"]["application/json"]["example"]


def test_the_body_is_json_whatever_its_type_says(table, client):
    found = client.post("/v1/answer", content=json.dumps(table.rows[0]), headers={"content-type": "application/x-www-form-urlencoded"})
    assert found.status_code == 200


@pytest.mark.parametrize("path", ["/v1/answer", "/v1/answers"])
@pytest.mark.parametrize("stated", [True, False])
def test_a_large_body_is_refused(path, stated, client):
    body = b" " * 20_001
    found = client.post(path, content=body if stated else iter([body[:10_000], body[10_000:]]))
    assert (found.status_code, found.headers["content-type"]) == (413, "application/problem+json")
    assert found.json()["detail"] == "the body is larger than 20,000 bytes, which is the most that is read; send fewer rows at a time."


def test_wrong_rows_are_a_problem(table, client):
    found = client.post("/v1/answers", json={"rows": [{**table.rows[0], "age": "40"}]})
    assert found.status_code == 422
    assert found.json() == {
        "type": "about:blank",
        "title": "Unprocessable Content" if found.json()["title"].endswith("Content") else "Unprocessable Entity",
        "status": 422,
        "detail": "column 'age' of row 0 holds a text; expected a number, or null where it is missing.",
    }


def test_an_answer_that_is_not_finite_is_a_problem_and_no_figure(tmp_path):
    X = np.random.default_rng(0).normal(size=(200, 2))
    student = LinearRegression().fit(X, 3 * X[:, 0] - 2 * X[:, 1])
    tl.export(student, tmp_path / "student.onnx", check_on=X)
    write_reference(tmp_path, student, X)
    app = create_app(tmp_path)
    sentence = "the student gives no answer to {}: what it computes is not finite. Expected numbers like those it was trained on."
    with TestClient(app) as client, warnings.catch_warnings():
        warnings.simplefilter("error")
        found = client.post("/v1/answers", json={"rows": [[1, 1], [1e308, -1e308]]})
        assert (found.status_code, found.json()["detail"]) == (422, sentence.format("row 1"))
        found = client.post("/v1/answer", json=[1e308, -1e308])
        assert (found.status_code, found.json()["detail"]) == (422, sentence.format("the row"))
        figures = client.get("/metrics").text
    assert "tutelage_drift_rows 1.0" in figures
    assert 'tutelage_answers_total{answered_by="student"} 0.0' in figures
    assert not [line for line in figures.splitlines() if line.lower().endswith((" nan", "inf"))]


def test_an_example_without_a_finite_answer_is_shown_without_one(table, monkeypatch):
    original = ServedFile.answer
    monkeypatch.setattr(ServedFile, "answer", lambda self, rows: Answered.of(np.full((len(rows), 2), np.nan), np.full(len(rows), np.nan)))
    app = create_app(table.run)
    monkeypatch.setattr(ServedFile, "answer", original)
    with TestClient(app) as client:
        ok = client.get("/openapi.json").json()["paths"]["/v1/answer"]["post"]["responses"]["200"]
    assert "example" not in ok["content"]["application/json"]


def test_other_paths_and_methods_are_problems(client):
    assert client.get("/v1/other").json()["detail"] == "there is nothing at /v1/other; /docs says what there is."
    found = client.get("/health/", follow_redirects=False)
    assert (found.status_code, found.json()["detail"]) == (404, "there is nothing at /health/; /docs says what there is.")
    found = client.get("/v1/answer")
    assert (found.status_code, found.headers["allow"]) == (405, "POST")
    assert found.json()["detail"] == "/v1/answer does not take GET."


def test_health_names_the_file(client, app):
    found = client.get("/health").json()
    assert found == {
        "status": "ready",
        "file": "student.onnx",
        "sha256": app.state.service.served.sha256,
        "tutelage": tl.__version__,
    }


def test_the_page_may_only_talk_to_its_server(client):
    found = client.get("/docs")
    assert found.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in found.headers["content-security-policy"]
    assert "http" not in found.text.replace("authorization", "").split("<script>")[1].replace("location.href", "")


WORD = "secret-1"


@pytest.fixture(scope="module")
def guarded(table):
    with TestClient(create_app(table.run, settings=Settings(token=WORD))) as found:
        yield found


class TestToken:
    @pytest.mark.parametrize("path", ["/openapi.json", "/metrics", "/v1/other"])
    def test_without_it_nothing_is_said(self, path, guarded):
        found = guarded.get(path)
        assert (found.status_code, found.headers["www-authenticate"]) == (401, "Bearer")
        assert found.json()["detail"] == "the bearer token is missing or wrong; send Authorization: Bearer TOKEN."

    @pytest.mark.parametrize(
        "header", ["Bearer wrong", "Bearer", "", "Basic secret-1", "secret-1", "Bearer secret-1x", "Bearer secret-", "Bearer \xe9"]
    )
    def test_a_wrong_one_is_refused_before_the_body_is_read(self, header, guarded):
        def body():
            yield b"{"
            raise AssertionError("the body was read")

        found = guarded.post("/v1/answer", content=b"{}", headers={"authorization": header.encode("latin-1")})
        assert found.status_code == 401

    def test_with_it_rows_are_answered(self, table, guarded):
        for scheme in ("Bearer", "bearer"):
            found = guarded.post("/v1/answer", json=table.rows[0], headers={"authorization": f"{scheme} secret-1"})
            assert found.status_code == 200

    def test_health_and_the_page_need_none_and_the_document_says_so(self, guarded):
        assert guarded.get("/health").status_code == guarded.get("/docs").status_code == 200
        document = guarded.get("/openapi.json", headers={"authorization": "Bearer secret-1"}).json()
        assert document["paths"]["/health"]["get"]["security"] == []
        assert document["security"] == [{"token": []}]


def test_a_mistake_of_ours_is_one_sentence_without_a_traceback(table, caplog, monkeypatch):
    app = create_app(table.run)

    def broken(rows):
        raise RuntimeError("a cell: 12345")

    monkeypatch.setattr(app.state.service.student, "_answer", broken)
    with TestClient(app) as client, caplog.at_level(logging.INFO, logger="tutelage.serving"):
        found = client.post("/v1/answer", json=table.rows[0])
    assert (found.status_code, found.json()["detail"]) == (
        500,
        "the server made a mistake, which its log names; the rows were not answered.",
    )
    assert "POST /v1/answer failed with RuntimeError" in caplog.text
    assert "12345" not in caplog.text


def test_a_full_queue_is_answered_with_503(table, client, monkeypatch):
    from tutelage.serving.batching import Busy

    async def full(rows, gone=None):
        raise Busy

    monkeypatch.setattr(client.app.state.service.student, "ask", full)
    found = client.post("/v1/answer", json=table.rows[0])
    assert (found.status_code, found.headers["retry-after"]) == (503, "1")
    assert found.json()["detail"] == "the queue of 1,024 rows is full; send the rows again later."


def test_the_log_has_no_rows(table, client, caplog):
    with caplog.at_level(logging.INFO, logger="tutelage.serving"):
        client.post("/v1/answer", json={**table.rows[0], "purpose of it": "a secret"})
        client.post("/v1/answer", json={**table.rows[0], "opened": "a secret"})
    assert "POST /v1/answer 200" in caplog.text
    assert "POST /v1/answer 422" in caplog.text
    assert "secret" not in caplog.text


CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance, unsupported_method]


@pytest.mark.parametrize("examples", [8, pytest.param(100, marks=pytest.mark.exhaustive)])
@pytest.mark.parametrize(("mode", "check"), [("positive", positive_data_acceptance), ("negative", negative_data_rejection)])
def test_what_the_document_allows_is_answered_and_nothing_else(mode, check, examples, app):
    for found in schemathesis.openapi.from_asgi("/openapi.json", app).get_all_operations():
        operation = found.ok()
        if mode == "negative" and operation.method != "post":
            continue

        @given(case=operation.as_strategy(generation_mode=schemathesis.GenerationMode(mode)))
        @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck))
        def fuzz(case):
            case.call_and_validate(checks=[*CHECKS, check])

        fuzz()
