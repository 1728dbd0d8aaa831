"""Files of networks of several inputs, such as ids and a mask, behind HTTP."""

import shutil
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from fastapi.testclient import TestClient
from torch import nn

import tutelage as tl
from tutelage.core import torch_runtime
from tutelage.core.errors import BadInput
from tutelage.evaluation.deployed.drift import LARGE
from tutelage.exporters.subject.threshold import with_threshold
from tutelage.serving.app import create_app
from tutelage.students.cascade import Guarantee
from tutelage.workflow.reference import write_reference

RANDOM = np.random.default_rng(0)
IDS = [RANDOM.integers(1, 20, length).tolist() for length in RANDOM.integers(1, 9, 24)]
ROWS = [{"input_ids": ids, "attention_mask": [1] * len(ids), "age": float(len(ids))} for ids in IDS]


class Classifier(nn.Module):
    def __init__(self, positions=False):
        super().__init__()
        self.words, self.out, self.positions = nn.Embedding(20, 4), nn.Linear(5, 3), positions

    def forward(self, input_ids, attention_mask, age):
        counting = attention_mask[:, :, None].float()
        mean = (self.words(input_ids) * counting).sum(1) / counting.sum(1).clamp(min=1)
        return self.out(nn.functional.pad(self.words(input_ids), (0, 1)) if self.positions else torch.cat([mean, age[:, None]], dim=1))


def columns(rows):
    return {name: [row[name] for row in rows] for name in rows[0]}


@pytest.fixture(scope="module")
def student():
    with torch_runtime.seeded(0):
        return tl.TorchStudent(Classifier(), classes=("a", "b", "c"))


@pytest.fixture(scope="module")
def file(student, tmp_path_factory):
    path = tmp_path_factory.mktemp("served") / "student.onnx"
    tl.export(student, path, check_on=columns(ROWS))
    return path


@pytest.fixture(scope="module")
def client(file):
    with TestClient(create_app(file)) as opened:
        yield opened


def test_rows_of_any_length_are_answered_as_by_the_student(client, student):
    expected = student.predict_proba(columns(ROWS))
    found = client.post("/v1/answers", json={"rows": ROWS}).json()["answers"]
    np.testing.assert_allclose([list(one["probabilities"].values()) for one in found], expected, atol=1e-5)
    assert [one["prediction"] for one in found] == student.predict(columns(ROWS)).tolist()
    alone = client.post("/v1/answer", json=ROWS[3]).json()
    np.testing.assert_allclose(list(alone["probabilities"].values()), expected[3], atol=1e-5)


def test_padding_and_other_requests_change_no_answer(client):
    row = ROWS[0]
    padded = {**row, "input_ids": [*row["input_ids"], 0, 0], "attention_mask": [*row["attention_mask"], 0, 0]}
    one, other = (client.post("/v1/answer", json=each).json()["probabilities"] for each in (row, padded))
    assert one == pytest.approx(other, abs=1e-6)
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda each: client.post("/v1/answer", json=each).json()["prediction"], ROWS))
    assert together == [one["prediction"] for one in client.post("/v1/answers", json={"rows": ROWS}).json()["answers"]]


def test_the_document_shows_a_row_that_is_answered(client):
    document = client.get("/openapi.json").json()
    example = document["paths"]["/v1/answer"]["post"]["requestBody"]["content"]["application/json"]["example"]
    assert example == {"input_ids": [0], "attention_mask": [1], "age": 0.0}
    assert client.post("/v1/answer", json=example).status_code == 200
    assert "'input_ids': a list of whole numbers (any length)" in document["info"]["description"]
    assert set(document["components"]["schemas"]["OneRow"]["properties"]) == {"input_ids", "attention_mask", "age"}


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"input_ids": None}, "input 'input_ids' holds null; expected 'input_ids': a list of whole numbers (any length)."),
        ({"input_ids": [1, "2"]}, "input 'input_ids' holds a text at [1]; expected"),
        ({"input_ids": [1, 2.5]}, "input 'input_ids' holds a number at [1]; expected 'input_ids': a list of whole numbers"),
        ({"input_ids": [1, True]}, "holds a truth value at [1]"),
        ({"input_ids": [2**70, 1]}, "input 'input_ids' holds a number at [0]"),
        ({"input_ids": [[1, 2]]}, "input 'input_ids' holds a list"),
        ({"input_ids": []}, "input 'input_ids' holds a list"),
        ({"input_ids": [1, 2], "attention_mask": [1]}, "the row has 2 positions in 'input_ids' and 1 in 'attention_mask'; expected"),
        ({"input_ids": [1, 2], "attention_mask": [1, 2]}, "attention_mask holds numbers other than 0 and 1"),
        ({"age": [1.0]}, "input 'age' holds a list"),
        ({"input_ids": [99, 1], "attention_mask": [1, 1]}, "the ONNX file cannot take these rows"),
        ({"height": 1}, "the row has the input 'height', which the student does not read; leave it out."),
        ({"input_ids": [1, 2], "attention_mask": [1, 1], "age": 1e39}, "input 'age' holds a number; expected 'age': numbers up to 3.4e38."),
    ],
)
def test_a_wrong_row_is_one_sentence(changed, sentence, client):
    found = client.post("/v1/answer", json={**ROWS[0], **changed})
    assert (found.status_code, sentence in found.json()["detail"]) == (422, True), found.json()


def test_a_missing_input_and_the_number_of_the_row_are_named(client):
    lacking = {name: value for name, value in ROWS[0].items() if name != "age"}
    found = client.post("/v1/answers", json={"rows": [ROWS[0], lacking]}).json()["detail"]
    assert found.startswith("row 1 lacks the input 'age'; expected an object with")
    odd = {**ROWS[0], "attention_mask": [1] * 9, "input_ids": [1] * 8}
    assert "row 1 has 8 positions in 'input_ids' and 9" in client.post("/v1/answers", json={"rows": [ROWS[0], odd]}).json()["detail"]


class OfOne(nn.Module):
    """A network of one input, of any length or of one, which it calls as unnamed ones are called in files."""

    def __init__(self, width=0):
        super().__init__()
        self.words, self.out, self.width = nn.Embedding(20, 4), nn.Linear(width or 4, 2), width

    def forward(self, inputs):
        return 4 * self.out(inputs.float() if self.width else self.words(inputs.long()).mean(1))


class OfTwo(OfOne):
    """The same of a tuple."""

    def forward(self, ids, stamp):
        return super().forward(ids) + (stamp[:, None] - 1.7e9) / 1e3


STAMPS = 1.7e9 + np.arange(200.0)
LONG = [RANDOM.integers(1, 20, 1 + place % 7).tolist() for place in range(200)]
KINDS = {
    "one named, of any length": (OfOne, {"inputs": LONG}, lambda rows: rows["inputs"].mean(axis=1)),
    "one named, of one length": (lambda: OfOne(5), {"inputs": RANDOM.normal(size=(200, 5))}, lambda rows: rows["inputs"][:, 0]),
    "a tuple": (OfTwo, tl.StructuredRows.of((LONG, STAMPS)), lambda rows: rows[0].mean(axis=1) + rows[1] % 2),
}


@pytest.mark.exhaustive
@pytest.mark.parametrize("kind", KINDS)
def test_the_teacher_is_given_the_rows_as_in_python_and_none_of_them_drifts(kind, tmp_path, recwarn):
    build, rows, first = KINDS[kind]

    def knows(given):
        odd = first(given) % 2 > 0.5
        return np.column_stack([odd, ~odd]).astype(float)

    teacher = tl.as_teacher(knows, kind="probabilities", classes=("odd", "even"))
    with torch_runtime.seeded(0):
        trained = tl.TorchStudent(build(), classes=("odd", "even"))
    fingerprint = teacher.fingerprint
    cascade = with_threshold(trained, Guarantee(0.9, 0.9, 0.05, "teacher", "all", 100, 50, 1, 100, fingerprint), teacher)
    tl.export(cascade, tmp_path / "student.onnx", check_on=rows)
    write_reference(tmp_path, trained, {name: cells[:50] for name, cells in rows.items()} if isinstance(rows, dict) else rows)
    recwarn.clear()
    with TestClient(create_app(tmp_path, teacher=teacher)) as client:
        assert not [one for one in recwarn if "no drift is measured" in str(one.message)]
        named = rows if isinstance(rows, dict) else {"inputs_0": LONG, "inputs_1": STAMPS}
        sent = [{name: np.asarray(cells[place]).tolist() for name, cells in named.items()} for place in range(200)]
        found = client.post("/v1/answers", json={"rows": sent}).json()["answers"]
        metrics = client.get("/metrics").text
    expected = cascade.decide_who(rows)
    left = [one["answered_by"] == "teacher" for one in found]
    assert left == (~expected.by_student).tolist()
    assert 20 < sum(left) < 180
    np.testing.assert_allclose([list(one["probabilities"].values()) for one in found], expected.answers, atol=1e-5)
    moved = [float(line.rsplit(" ", 1)[1]) for line in metrics.splitlines() if line.startswith("tutelage_drift_column")]
    assert moved
    assert max(moved) < LARGE


def test_rows_without_a_token_that_counts_are_counted_too(file, student, tmp_path):
    shutil.copytree(file.parent, tmp_path, dirs_exist_ok=True)
    write_reference(tmp_path, student, columns(ROWS))
    with TestClient(create_app(tmp_path)) as opened:
        nothing = {"input_ids": [0, 0], "attention_mask": [0, 0], "age": 1.0}
        assert opened.post("/v1/answer", json=nothing).status_code == 200
        assert "tutelage_drift_rows 1.0" in opened.get("/metrics").text


@pytest.mark.exhaustive
def test_a_file_that_answers_each_token_is_refused(tmp_path):
    tagger = tl.TorchStudent(Classifier(positions=True), classes=("a", "b", "c"), positions="tokens")
    tl.export(tagger, tmp_path / "student.onnx", check_on=columns(ROWS))
    with pytest.raises(BadInput, match="answers each of the tokens of a row, and a server gives one answer a row"):
        create_app(tmp_path)
