"""Distillations of rows of several inputs, by networks of the user's."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from fastapi.testclient import TestClient
from torch import nn

import tutelage as tl
from tutelage.cli import main
from tutelage.core.errors import BadInput
from tutelage.evaluation.deployed.drift import LARGE
from tutelage.serving.app import create_app
from tutelage.workflow.distillation.searching.judge import Judge

RANDOM = np.random.default_rng(0)
COUNT = 260
IDS = [RANDOM.integers(1, 20, length).tolist() for length in RANDOM.integers(2, 7, COUNT)]
ROWS = {"ids": IDS, "attention_mask": [[1] * len(row) for row in IDS]}
LABELS = np.array(["high" if np.mean(row) > 10 else "low" for row in IDS])


class Mean(nn.Module):
    """The mean of the tokens that count."""

    def __init__(self, outputs, width=4):
        super().__init__()
        self.words, self.out = nn.Embedding(20, width), nn.Linear(width, outputs)

    def forward(self, ids, attention_mask):
        counts = attention_mask[..., None].float()
        return self.out((self.words(ids) * counts).sum(1) / counts.sum(1).clamp(min=1))


def means(rows):
    sums = (rows["ids"] * rows["attention_mask"]).sum(axis=1)
    chance = 1 / (1 + np.exp(10.0 - sums / rows["attention_mask"].sum(axis=1)))
    return np.column_stack([chance, 1 - chance])


TEACHER = tl.as_teacher(means, kind="probabilities", classes=["high", "low"])
SPACE = {"width": [2, 4], "learning_rate": [0.03, 0.1], "epochs": [4]}
SETTINGS = {"students": {"net": (Mean, SPACE)}, "trials": 1, "seeds": 2}


def some(places, rows=ROWS):
    return {name: [row[place] for place in places] for name, row in rows.items()}


@pytest.fixture
def unmeasured(monkeypatch):
    monkeypatch.setattr(Judge, "file", lambda *arguments: None)  # torch's exporter takes seconds a file


@pytest.mark.exhaustive
def test_from_a_teacher_of_tokens_to_a_proven_file(unmeasured, untimed, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    given, pool, new = some(range(200)), some(range(200, 240)), some(range(240, COUNT))
    found = tl.distill(TEACHER, given, LABELS[:200], pool=pool, show_rows=True, into="run", **SETTINGS)
    assert [arm.name for arm in found.arms] == ["labels", "decisions", "answers", "answers, more rows", "untuned", "teacher"]
    assert found.record.rows["more"] == 40 - found.record.rows["removed"]["of the pool, equal to a test row"]
    (export,) = found.record.exports
    assert (export.columns, export.proven) == (("ids", "attention_mask"), True)
    assert any("There is no plain model to compare with: a logistic model takes tables" in note for note in found.record.notes)

    rows = json.loads((tmp_path / "run/run.json").read_text())
    assert rows["data"]["inputs"] == ["ids", "attention_mask"]
    assert rows["columns"] == [{"name": name, "kind": "input", "shape": [None]} for name in ("ids", "attention_mask")]
    expected = found.student.answer(new)
    np.testing.assert_allclose(tl.open_teacher("run/student.onnx").answer(new), expected, atol=1e-5)
    np.testing.assert_array_equal(tl.load_student("run", network=Mean).answer(new), expected)
    page = (tmp_path / "run/report.html").read_text()
    assert "Rows of several inputs have no form to be filled in" in page
    assert "arrays = np.load(&#34;rows.npz&#34;)" in page
    recorded = json.loads((tmp_path / "run/reference.json").read_text())
    assert [one["name"] for one in recorded["columns"]] == ["length of ids", "mean of ids", "deviation of ids"]
    assert recorded["rows"] == found.record.rows["test"]

    pd.DataFrame({**new, "truth": LABELS[240:]}).to_parquet("new.parquet")
    assert main(["predict", "run", "--data", "new.parquet", "--file", "student.onnx", "--probabilities", "--out", "answers.csv"]) == 0
    np.testing.assert_allclose(pd.read_csv("answers.csv")["probability_high"], expected[:, 0], atol=1e-5)
    (tmp_path / "mine_of_means.py").write_text(f"from {__name__} import Mean, TEACHER\n")
    capsys.readouterr()
    command = ["evaluate", "run", "--data", "new.parquet", "--truth", "truth", "--network", "mine_of_means:Mean", "--json"]
    assert main([*command, "--teacher", "mine_of_means:TEACHER", "--inputs", "attention_mask,ids"]) == 0
    measured = json.loads(capsys.readouterr().out)
    assert measured["against_truth"]["accuracy"]["value"] == pytest.approx((found.student.predict(new) == LABELS[240:]).mean())

    again = tl.distill(TEACHER, given, LABELS[:200], pool=pool, show_rows=True, into="run", **SETTINGS)
    assert again.verdict == found.verdict
    with pytest.raises(BadInput, match=r"another pool"):
        tl.distill(TEACHER, given, LABELS[:200], show_rows=True, into="run", **SETTINGS)


@pytest.mark.exhaustive
def test_what_the_student_is_unsure_of_is_left_to_the_teacher(unmeasured, untimed, unchecked, tmp_path, capsys, monkeypatch):
    lengths = RANDOM.integers(2, 7, 600)
    ids = [RANDOM.integers(1, 20, length).tolist() for length in lengths]
    given = {"ids": ids, "attention_mask": [[1] * length for length in lengths]}
    found = tl.distill(TEACHER, given, cascade=0.8, into=tmp_path / "run", **{**SETTINGS, "students": {"net": (Mean, SPACE)}})
    proven = found.record.cascade.guarantee
    assert found.record.cascade.attained
    (export,) = found.record.exports
    assert export.cascade == proven
    cascade = found.cascade(TEACHER)
    left = tl.open_teacher(str(tmp_path / "run/student.onnx")).answer_and_decide(ROWS)[2]
    np.testing.assert_array_equal(left, cascade.defers(ROWS))
    app = create_app(tmp_path / "run", teacher=TEACHER)
    with TestClient(app) as client:
        rows = [{"ids": row, "attention_mask": [1] * len(row)} for row in IDS]
        answers = client.post("/v1/answers", json={"rows": rows}).json()["answers"]
        assert [one["answered_by"] == "teacher" for one in answers] == left.tolist()
        assert [one["prediction"] for one in answers] == cascade.predict(ROWS).tolist()
        long = [{"ids": [19] * 40, "attention_mask": [1] * 40}] * 200
        client.post("/v1/answers", json={"rows": long})
        figures = dict(line.rsplit(" ", 1) for line in client.get("/metrics").text.splitlines() if not line.startswith("#"))
    assert float(figures['tutelage_drift_column{column="length of ids"}']) > LARGE
    assert float(figures["tutelage_drift_rows"]) == COUNT + 200
    page = (tmp_path / "run/report.html").read_text()
    assert "Its output deferred says which rows are left to the teacher." in page
    pd.DataFrame(ROWS).to_parquet(tmp_path / "check.parquet")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine_of_cascades.py").write_text(f"from {__name__} import Mean\n")
    further = ["--data", "check.parquet", "--network", "mine_of_cascades:Mean"]
    assert main(["export", "run", "again.onnx", *further]) == 0
    assert tl.open_teacher("again.onnx").has_threshold
    assert main(["predict", "run", "--data", "check.parquet", "--file", "student.onnx", "--out", "answers.csv"]) == 0
    written = pd.read_csv("answers.csv")
    np.testing.assert_array_equal(written["deferred"], left)


@pytest.mark.exhaustive
def test_numbers_beside_pictures_are_learnt_as_values_and_measured_on_their_file(untimed, unchecked, tmp_path):
    pictures, numbers = RANDOM.uniform(size=(120, 1, 4, 4)).astype(np.float32), RANDOM.normal(size=(120, 2)).astype(np.float32)

    class Both(nn.Module):
        def __init__(self, inputs, outputs):
            super().__init__()
            self.picture, self.out = nn.Conv2d(inputs["0"][0], 2, 2), nn.Linear(2 + inputs["1"], outputs)

        def forward(self, picture, number):
            return self.out(torch.cat([self.picture(picture).mean((2, 3)), number], dim=1))

    teacher = tl.as_teacher(lambda rows: 100 + rows[0].mean(axis=(1, 2, 3)) + rows[1][:, 0], kind="values", task="regression")
    estimator = tl.TorchRegressor(Both, epochs=10, learning_rate=0.03)
    limits = tl.Limits(size="1MB", latency="1s")
    X = (pictures, numbers)
    found = tl.distill(teacher, X, students={"both": estimator}, trials=1, seeds=2, limits=limits, into=tmp_path / "run")
    assert found.chosen.size_bytes >= found.record.exports[0].size_bytes
    assert found.chosen.latency is not None
    assert set(found.chosen.excess) == {"size", "latency"}
    file = tl.open_teacher(str(tmp_path / "run/student.onnx"))
    np.testing.assert_allclose(file.answer(X), found.student.answer(X), rtol=1e-5)
    as_bytes = (pictures * 255).astype(np.uint8)
    with pytest.raises(BadInput, match=r"'0' of the rows holds whole numbers \(uint8\); expected fractions up to"):
        found.student.answer((as_bytes, numbers))
    with pytest.raises(BadInput, match=r"'0' of rows\.npz holds whole numbers up to 25\d; expected fractions up to"):
        found.student.check_scale((as_bytes.astype(np.float32), numbers), "rows.npz")
    with pytest.raises(BadInput, match="several inputs without names"):
        tl.distill(teacher, X, pool=({"0": pictures, "1": numbers}, None), students={"both": estimator}, trials=1, seeds=2)


CALLS = {
    "no students": (
        {"students": None},
        r"several inputs \(ids, attention_mask\), for which there is no usual student; name a torch network",
    ),
    "a tree": ({"students": ["tree"]}, "several inputs .*, and the student 'tree' takes tables, texts and arrays; name a torch network"),
    "a tree beside a network": ({"students": ["tree", SETTINGS["students"]], "trials": 2}, "the student 'tree' takes tables"),
    "a pool of other inputs": ({"pool": {"ids": IDS[:5]}}, "the rows of pool have the inputs ids; expected the inputs ids, attention_mask"),
    "a test of an array": ({"test": (np.ones((30, 3)), LABELS[:30])}, "the rows are several inputs, and test is an array; pass both"),
    "a file of another format": ({"export": "c"}, r"The student 'net' cannot be exported to \.c .*exported as \.onnx only"),
}


@pytest.mark.parametrize("call", CALLS)
def test_what_cannot_be_distilled_is_one_sentence(call, unmeasured, unchecked, tmp_path):
    changed, words = CALLS[call]
    with pytest.raises(BadInput, match=words):
        tl.distill(TEACHER, ROWS, LABELS, into=tmp_path / "run", **{**SETTINGS, **changed})
    assert call == "a file of another format" or not (tmp_path / "run").exists()


def test_answers_of_tokens_are_refused_with_the_way_that_takes_them():
    tagger = tl.as_teacher(
        lambda rows: np.stack([rows["ids"], -rows["ids"]], axis=2).astype(float), kind="logits", classes=["a", "b"], positions="tokens"
    )
    with pytest.raises(BadInput, match=r"the teacher answers tokens, and distill takes teachers with one answer for each row.*tl\.record"):
        tl.distill(tagger, ROWS, [["a"] * len(row) for row in IDS], **SETTINGS)
