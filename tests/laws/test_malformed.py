"""A thousand malformed teachers, rows, logs, folders and networks: each ends in a documented error or in a right result."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from malformed import FORMS, LABELS, NUMBERS, ROWS, SOUND_ANSWERS, Says, cases, is_right, one_broken, refused, said, stochastic
from torch import nn

from tutelage.core.answers import AnswerForm
from tutelage.core.errors import BadInput, DamagedFile, StaleCache, TutelageError
from tutelage.core.records import dumps
from tutelage.core.stored.checksums import read_tensors, with_checksum, write_tensors
from tutelage.data.row_names import row_names
from tutelage.softlabels.folder import open_labels
from tutelage.softlabels.logs import read_answers
from tutelage.softlabels.recording import record
from tutelage.softlabels.shards import MANIFEST, shard_path
from tutelage.students.saved.save_load import load_student, save_student
from tutelage.training.student import TorchStudent

pytestmark = pytest.mark.usefixtures("enough_come_through")


@pytest.mark.slow
@cases
@given(st.one_of(FORMS, SOUND_ANSWERS.map(lambda sound: sound[0])), said())
def test_whatever_a_teacher_says_is_refused_or_right(form, answers):
    with refused(TutelageError):
        declared = AnswerForm(*form)
        kept = record(Says(declared, answers), np.arange(6.0).reshape(3, 2))
        assert is_right(declared, kept.answers, 3)
        np.testing.assert_array_equal(kept.answers, np.asarray(answers, dtype=kept.answers.dtype).reshape(3, -1))


@cases
@given(ROWS, st.randoms())
def test_whatever_the_rows_are_their_answers_are_found_again_or_refused(rows, random):
    class Numbered:
        form, fingerprint = AnswerForm("values", "regression"), "numbered"

        def answer(self, inputs):
            return (row_names(inputs) % 1000).astype(float)  # equal rows, equal answers

    with refused(TutelageError):
        kept = record(Numbered(), rows)
        assert kept.answer(rows) is kept.answers
        order = list(range(len(rows)))
        random.shuffle(order)
        shuffled = [rows[index] for index in order]
        found = kept.answer(shuffled if isinstance(rows, list) else np.asarray(rows)[order])
        np.testing.assert_array_equal(found, kept.answers[order])


LINE = st.fixed_dictionaries(
    {"text": st.text(max_size=3)},
    optional={
        "p": st.one_of(st.lists(NUMBERS, max_size=3), st.dictionaries(st.sampled_from("abc"), NUMBERS, max_size=3), NUMBERS),
        "votes": st.one_of(st.lists(st.sampled_from("abc"), max_size=3), LABELS),
    },
)
SOUND_CELLS = {
    "probabilities": stochastic(1, 3).map(lambda p: p[0].tolist()),
    "log-probabilities": stochastic(1, 3).map(lambda p: np.log(p[0]).tolist()),
    "logits": st.lists(st.floats(-9, 9), min_size=3, max_size=3),
    "votes": st.lists(st.sampled_from("abc"), min_size=1, max_size=3),
    "values": st.floats(-9, 9),
}


@st.composite
def logs(draw):
    """What `read_answers` takes, one part of it malformed: a line, the classes, or the kind that is declared."""
    kind = draw(st.sampled_from(sorted(SOUND_CELLS)))
    column = "votes" if kind == "votes" else "p"
    texts = draw(st.lists(st.text(max_size=3), min_size=1, max_size=5))
    lines = [st.fixed_dictionaries({"text": st.just(text), column: SOUND_CELLS[kind]}) for text in texts]
    sound = {"lines": st.tuples(*lines), "classes": st.just(None if kind == "values" else "abc"), "kind": st.just(kind)}
    broken = {
        "lines": st.tuples(LINE, *lines[1:]),
        "classes": st.sampled_from([None, "ab", "abcd", ""]),
        "kind": st.sampled_from(sorted(SOUND_CELLS)),
    }
    return {**draw(one_broken(sound, broken)), "answers": column}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*votes are null or dropped by mapping")
@cases
@given(logs(), st.sampled_from([None, "mean"]), st.sampled_from([None, "drop"]))
def test_whatever_a_log_holds_is_refused_or_right(tmp_path_factory, log, repeated, rest):
    path = Path(tmp_path_factory.getbasetemp()) / "log.jsonl"
    path.write_text("\n".join(json.dumps(line) for line in log["lines"]), encoding="utf-8")
    with refused(TutelageError):
        options = {"classes": log["classes"], "repeated": repeated, "rest": rest}
        labels = read_answers(path, answers=log["answers"], kind=log["kind"], content="text", **options)
        assert is_right(labels.form, labels.answers, len(labels))
        assert is_right(labels.form, labels.answer([line["text"] for line in log["lines"]]), len(log["lines"]))


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-2, 10**20), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=3)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)),
    max_leaves=5,
)


@pytest.mark.slow
@cases
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
            (folder / MANIFEST).write_text(dumps(with_checksum(manifest)))
        else:
            path = data.draw(st.sampled_from([folder / MANIFEST, shard_path(folder, 0)]))
            place = data.draw(st.integers(0, len(whole[path]) - 1))
            path.write_bytes(data.draw(st.sampled_from([whole[path][:place], whole[path][:place] + b"\xff" + whole[path][place + 1 :]])))
        with refused(TutelageError):
            opened = open_labels(folder)
            np.testing.assert_array_equal(opened.answer(rows[::-1]), rows[::-1])
    finally:
        for path, content in whole.items():
            path.write_bytes(content)


KEPT = nn.Sequential(nn.Unflatten(1, (1, 3, 3)), nn.Conv2d(1, 2, 2), nn.BatchNorm2d(2), nn.ReLU(), nn.Flatten(), nn.Linear(8, 2))
VALUES = st.one_of(
    JSON, st.integers(-2, 9), st.lists(st.integers(0, 3), max_size=3), st.sampled_from(["same", "Linear", "ReLU", "Dropout"])
)
KEPT_STATE = KEPT.state_dict()


@pytest.mark.slow
@cases
@given(st.data())
def test_whatever_is_done_to_a_saved_network_is_refused_or_leaves_its_weights(tmp_path_factory, data):
    path = save_student(TorchStudent(KEPT, classes="ab"), Path(tmp_path_factory.getbasetemp()) / "network")
    about, _ = read_tensors(path, framework="torch", of="a student", remedy="")
    place = data.draw(st.sampled_from([about, about["layers"], *about["layers"]]))
    key = data.draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
    if data.draw(st.booleans()):
        place[key] = data.draw(VALUES)
    else:
        del place[key]
    write_tensors(path, KEPT_STATE, about, framework="torch")
    with refused(DamagedFile, StaleCache, BadInput):  # BadInput: a file that says that it needs an output=
        found = load_student(path).network.state_dict()
        assert found.keys() == KEPT_STATE.keys()
        assert all(map(torch.equal, found.values(), KEPT_STATE.values()))
