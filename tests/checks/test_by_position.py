import json
from dataclasses import replace

import numpy as np
import pytest
from position_teachers import CLASSES, segmenter, tagger, texts

from tutelage.checks.by_position import left_out, of_positions, one_position_a_row
from tutelage.checks.findings import Finding
from tutelage.checks.preflight import preflight
from tutelage.checks.sampling import draw, most_rows, query_sample
from tutelage.core.answer_values.top_answers import TopAnswers
from tutelage.core.answers import AnswerForm, of_classes
from tutelage.core.errors import BadInput, ShapeError
from tutelage.softlabels.recording import record

X = texts()
TEACHER = tagger()
ANSWERS = TEACHER.answer(X)
NAMES = np.array(CLASSES)[ANSWERS.values.argmax(axis=1)]
Y = [list(part) for part in np.split(NAMES, ANSWERS.offsets[1:-1])]


def by_name(found):
    return {finding.check: finding for finding in found.findings}


def test_a_sound_teacher_of_tokens_passes_and_says_what_is_not_checked():
    found = preflight(TEACHER, X, Y)
    assert found.ok, found
    checks = by_name(found)
    assert {"repeatable", "padding", "batch-independent", "accuracy", "class-order", "calibration", "saturated", "duplicates"} <= set(
        checks
    )
    assert checks["accuracy"].figure["cases"] == 60  # one token of each row
    assert checks["accuracy"].figure["of"] == "tokens"
    assert checks["padding"].severity == "ok"
    assert checks["baseline"].sentence == "not checked: there is no baseline model for tokens."
    assert checks["constant"].sentence == "the answers depend on the token."
    json.dumps(found.to_json())


def test_labels_that_do_not_belong_are_found():
    shifted = [row[1:] + row[:1] for row in Y]
    assert by_name(preflight(TEACHER, X, shifted))["accuracy"].severity in ("warning", "error", "note")
    swapped = [[{"O": "B", "B": "I", "I": "O"}[name] for name in row] for row in Y]
    assert by_name(preflight(TEACHER, X, swapped))["class-order"].severity == "error"
    unknown = [["X", *row[1:]] for row in Y]
    assert "'X'" in by_name(preflight(TEACHER, X, unknown))["labels-known"].sentence


def test_tokens_that_do_not_count_are_left_out():
    ignored = [[-100] * (len(row) - 1) + row[-1:] for row in Y]
    wrong_elsewhere = by_name(preflight(TEACHER, X, ignored))
    assert wrong_elsewhere["accuracy"].figure["accuracy"] == 1
    nothing = by_name(preflight(TEACHER, X, [[-100] * len(row) for row in Y]))
    assert "every label is -100 or None" in nothing["answers"].sentence


def test_test_rows_of_tokens_are_compared():
    other = texts(seed=1)
    checks = by_name(preflight(TEACHER, X, Y, test=other))
    assert checks["leak"].severity in ("ok", "warning")
    assert {"answer-shift", "own-rows"} <= set(checks)
    again = {name: array[:30] for name, array in X.items()}
    wider = {name: np.pad(array, ((0, 0), (0, 4))) for name, array in again.items()}  # the same rows, padded further
    assert by_name(preflight(TEACHER, X, Y, test=wider))["leak"].figure["shared rows"] == 30


def test_pixels_and_recordings_pass():
    pictures = np.random.default_rng(0).normal(size=(40, 1, 6, 5)).astype(np.float32)
    teacher = segmenter()
    truth = np.array(CLASSES)[np.stack([part.argmax(axis=0) for part in (teacher.answer(pictures)[row] for row in range(40))])]
    for source in (teacher, record(teacher, pictures)):
        checks = by_name(preflight(source, pictures, truth))
        assert checks["accuracy"].figure["accuracy"] == 1
        assert checks["accuracy"].figure["of"] == "pixels"
        assert checks["batch-independent"].severity == "ok"


def test_rows_of_several_inputs_with_one_answer_each_pass():
    teacher = tagger(pooled=True)
    y = np.array(CLASSES)[teacher.answer(X).argmax(axis=1)]
    checks = by_name(preflight(teacher, X, y, test=texts(seed=1)))
    assert checks["padding"].severity == "ok"
    assert checks["accuracy"].figure["accuracy"] == 1
    assert "rows of several inputs" in checks["baseline"].sentence
    assert "rows of several inputs" in checks["shift"].sentence


def test_the_labels_among_the_inputs_are_the_truth():
    y = np.full(X["input_ids"].shape, -100, dtype=object)
    for row, names in enumerate(Y):
        y[row, : len(names)] = names
    assert by_name(preflight(TEACHER, {**X, "labels": y}))["accuracy"].figure["accuracy"] == 1
    with pytest.raises(BadInput, match="the rows hold labels"):
        preflight(TEACHER, {**X, "labels": y}, Y)


def test_labels_of_another_number_are_one_sentence():
    with pytest.raises(ShapeError, match="y has 59 rows and X has 60"):
        preflight(TEACHER, X, Y[:-1])
    with pytest.raises(ShapeError, match="row 0 of y has 10 labels"):
        preflight(TEACHER, X, [["O"] * 10, *Y[1:]])
    pictures = np.zeros((4, 1, 3, 3), np.float32)
    with pytest.raises(ShapeError, match=r"row 0 of the sample has shape \(2, 2\), and answers of height 3 and width 3"):
        preflight(segmenter(), pictures, np.full((4, 2, 2), "O"))


def test_many_positions_or_one_a_row_are_drawn():
    answered = query_sample(TEACHER, draw(X, Y, TEACHER.form, rows=60, seed=0))
    one = one_position_a_row(answered, 0)
    assert (one.sample.count, one.form.positions) == (60, None)
    many = list(of_positions(answered, 0, lambda each: [Finding("x", "ok", {}, f"{each.sample.count} rows, row by row")], one_a_row=False))
    assert many[0].sentence == f"{len(NAMES)} tokens, token by token"
    assert [finding.check for finding in left_out(answered)] == ["baseline", "memorised"]
    plain = replace(answered, answers=ANSWERS.values, form=TEACHER.form.of_each_position)
    assert one_position_a_row(plain, 0) is plain


def test_answers_of_many_classes_are_looked_at_in_fewer_rows():
    assert most_rows(of_classes("logits", range(10))) == 800_000
    assert most_rows(of_classes("logits", range(50_000))) == 160
    assert most_rows(AnswerForm("values", "regression")) == 8_000_000
    form = AnswerForm("logits", "multiclass", tuple(range(20)), positions="pixels")
    sample = draw(np.zeros((300, 3, 100, 100), np.uint8), None, form, rows=2000, seed=0)
    assert (sample.count, sample.of_count) == (50, 300)


def test_a_wide_teacher_passes_in_little_memory():
    weights = np.random.default_rng(0).normal(size=(4, 5000)).astype(np.float32)
    rows = np.random.default_rng(1).normal(size=(80, 4)).astype(np.float32)

    class Wide:
        form, fingerprint = of_classes("logits", range(5000)), "wide"

        def answer(self, inputs):
            return np.asarray(inputs) @ weights

    y = (rows @ weights).argmax(axis=1)
    checks = by_name(preflight(Wide(), rows, y, made_rows=False))
    assert checks["accuracy"].figure["accuracy"] == 1
    assert checks["class-order"].sentence == "not checked: there are more than 1,000 classes."
    assert len(checks["labels-known"].figure["classes never seen"]) == 100

    class Top(Wide):
        def answer(self, inputs):
            logits = super().answer(inputs).astype(np.float64)
            probs = np.exp(logits - logits.max(axis=1, keepdims=True))
            probs /= probs.sum(axis=1, keepdims=True)
            ids = np.argsort(-probs, axis=1)[:, :8]
            kept = np.take_along_axis(probs, ids, axis=1)
            return TopAnswers(ids.astype(np.uint16), np.log(kept), np.log1p(-kept.sum(axis=1)), 5000)

    checks = by_name(preflight(Top(), rows, y, made_rows=False))
    assert checks["accuracy"].figure["accuracy"] == 1
    assert checks["repeatable"].severity == checks["batch-independent"].severity == "ok"
    assert "8 most probable of 5000" in checks["sharpness"].sentence
