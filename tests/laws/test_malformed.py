"""A thousand malformed teachers, labels, logs and rows: each ends in a documented error or in a right result."""

import json
from contextlib import suppress
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from tutelage.core.answers import AnswerForm
from tutelage.core.errors import TutelageError
from tutelage.data.names import row_names
from tutelage.softlabels.folder import MANIFEST, open_labels, shard_path
from tutelage.softlabels.logged import read_answers
from tutelage.softlabels.recording import record

CASES = settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck))

LABELS = st.one_of(st.integers(-3, 3), st.text(max_size=3), st.booleans(), st.floats(), st.none(), st.integers(10**20, 10**21))
FORMS = st.builds(
    lambda kind, task, classes: (kind, task, tuple(classes)),
    st.sampled_from(["logits", "probabilities", "values", "scores"]),
    st.sampled_from(["binary", "multiclass", "multilabel", "regression"]),
    st.lists(LABELS, max_size=4),
)
NUMBERS = st.one_of(
    st.sampled_from([0.0, 1.0, 0.5, -1.0, np.nan, np.inf, -np.inf, 1e308, 1e-320]),
    st.floats(0, 1, allow_subnormal=False),
    st.floats(width=32),
)
DTYPES = st.sampled_from(["float64", "float32", "float16", "int64", "uint64", "bool", "complex128", "U3", "datetime64[s]"])
SHAPES = st.one_of(st.tuples(st.just(3), st.integers(1, 4)), array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4))
CELLS = st.one_of(
    NUMBERS,
    st.integers(),
    st.text(st.characters(), max_size=4),
    st.none(),
    st.booleans(),
    st.binary(max_size=3),
    st.just([1]),
    st.integers(2**63),
)


@st.composite
def said(draw):
    """What a teacher might say: mostly close to what it should, sometimes anything."""
    if draw(st.booleans()):
        matrix = draw(arrays(np.float64, st.tuples(st.just(3), st.integers(1, 4)), elements=st.floats(0.01, 1)))
        matrix = matrix / matrix.sum(axis=1, keepdims=True)
        if draw(st.booleans()):
            matrix[draw(st.integers(0, 2)), 0] = draw(NUMBERS)
        return matrix
    if draw(st.booleans()):
        return draw(st.lists(st.lists(CELLS, max_size=3), max_size=4))
    return draw(arrays(draw(DTYPES), draw(SHAPES)))


class Says:
    fingerprint = "says"

    def __init__(self, form, answers):
        self.form, self.answers = form, answers

    def answer(self, inputs):
        return self.answers


def is_right(form: AnswerForm, answers: np.ndarray, rows: int) -> bool:
    """Written apart from the checks it tests."""
    if answers.ndim != 2 or len(answers) != rows or (form.classes and answers.shape[1] != len(form.classes)):
        return False
    if form.kind == "probabilities":
        fine = bool(((answers >= 0) & (answers <= 1.001)).all())
        return fine and (form.task == "multilabel" or bool((abs(answers.astype(float).sum(axis=1) - 1) < 2e-3).all()))
    return not np.isnan(answers).any() and not (answers == np.inf).any()


@CASES
@given(FORMS, said())
def test_whatever_a_teacher_says_is_refused_or_right(form, answers):
    with suppress(TutelageError):
        declared = AnswerForm(*form)
        kept = record(Says(declared, answers), np.arange(6.0).reshape(3, 2))
        assert is_right(declared, kept.answers, 3)
        np.testing.assert_array_equal(kept.answers, np.asarray(answers, dtype=kept.answers.dtype).reshape(3, -1))


ROWS = st.one_of(
    st.lists(st.lists(CELLS, min_size=1, max_size=3), max_size=5),
    st.lists(st.text(st.characters(), max_size=5), max_size=5),
    arrays(DTYPES.filter(lambda dtype: dtype != "complex128"), array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)),
    arrays("complex128", (2, 2)),
    CELLS,
)


@CASES
@given(ROWS, st.randoms())
def test_whatever_the_rows_are_their_answers_are_found_again_or_refused(rows, random):
    class Numbered:
        form, fingerprint = AnswerForm("values", "regression"), "numbered"

        def answer(self, inputs):
            return (row_names(inputs) % 1000).astype(float)  # equal rows, equal answers

    with suppress(TutelageError):
        kept = record(Numbered(), rows)
        assert kept.answer(rows) is kept.answers
        order = list(range(len(rows)))
        random.shuffle(order)
        shuffled = [rows[index] for index in order]
        found = kept.answer(shuffled if isinstance(rows, list) else np.asarray(rows)[order])
        np.testing.assert_array_equal(found, kept.answers[order])


LINES = st.lists(
    st.fixed_dictionaries(
        {"text": st.text(max_size=3)},
        optional={
            "p": st.one_of(st.lists(NUMBERS, max_size=3), st.dictionaries(st.sampled_from("abc"), NUMBERS, max_size=3), NUMBERS),
            "votes": st.one_of(st.lists(st.sampled_from("abc"), max_size=3), LABELS),
        },
    ),
    max_size=5,
)


@CASES
@given(
    LINES,
    st.sampled_from(["probabilities", "log-probabilities", "logits", "votes", "values"]),
    st.sampled_from([None, "ab", "abc"]),
    st.data(),
)
def test_whatever_a_log_holds_is_refused_or_right(tmp_path_factory, lines, kind, classes, data):
    path = Path(tmp_path_factory.getbasetemp()) / "log.jsonl"
    path.write_text("\n".join(json.dumps(line) for line in lines), encoding="utf-8")
    repeated, rest = data.draw(st.sampled_from(["error", "mean"])), data.draw(st.sampled_from(["spread", "drop"]))
    with suppress(TutelageError):
        answers = "votes" if kind == "votes" else "p"
        labels = read_answers(path, answers=answers, kind=kind, content="text", classes=classes, repeated=repeated, rest=rest)
        assert is_right(labels.form, labels.answers, len(labels))
        assert is_right(labels.form, labels.answer([line["text"] for line in lines]), len(lines))


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-2, 10**20), st.floats(), st.text(max_size=3)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)),
    max_leaves=5,
)


@CASES
@given(st.data())
def test_whatever_is_done_to_a_recorded_folder_is_found(tmp_path_factory, data):
    folder = Path(tmp_path_factory.getbasetemp()) / "labels"
    rows, form = np.arange(6.0).reshape(3, 2), AnswerForm("logits", "binary", ("a", "b"))
    if not folder.exists():
        record(Says(form, rows), rows, folder)
    whole = {path: path.read_bytes() for path in folder.iterdir()}
    try:
        manifest = json.loads(whole[folder / MANIFEST])
        if data.draw(st.booleans()):
            key = data.draw(st.sampled_from(sorted(manifest)))
            manifest[key] = data.draw(JSON)
            (folder / MANIFEST).write_text(json.dumps(manifest))
        else:
            path = data.draw(st.sampled_from([folder / MANIFEST, shard_path(folder, 0)]))
            place = data.draw(st.integers(0, len(whole[path]) - 1))
            path.write_bytes(data.draw(st.sampled_from([whole[path][:place], whole[path][:place] + b"\xff" + whole[path][place + 1 :]])))
        with suppress(TutelageError):
            opened = open_labels(folder)
            np.testing.assert_array_equal(opened.answer(rows[::-1]), rows[::-1])
    finally:
        for path, content in whole.items():
            path.write_bytes(content)
