from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pytest

from tutelage.core.answers import AnswerForm, of_classes
from tutelage.core.errors import BadInput, CannotWrite, DamagedFile, LabelMismatch, NotProbabilities, ShapeError
from tutelage.softlabels.folder import MANIFEST, shard_path
from tutelage.softlabels.recording import _alone_in, record

ROWS = np.arange(12.0).reshape(3, 4)
LOGITS = np.array([[2.0, 0.0], [0.0, 1.0], [3.0, -3.0]])
MANY = np.random.default_rng(0).normal(size=(25, 3))


@dataclass
class Fake:
    """A teacher that says what it is told to, and counts the questions."""

    says: np.ndarray
    kind: str = "logits"
    fingerprint: str = "fake"
    asked: int = 0

    @property
    def form(self):
        return AnswerForm(self.kind, "binary", ("a", "b"))

    def answer(self, inputs):
        self.asked += 1
        return self.says


@dataclass
class Counting:
    """A teacher whose logits are the row itself, and who remembers what it was asked; it may break down on the way."""

    dtype: str = "float64"
    fingerprint: str = "counting"
    breaks_at: int = 10**9
    asked: list = field(default_factory=list)
    form = of_classes("logits", "abc")

    def answer(self, inputs):
        if len(self.asked) >= self.breaks_at:
            raise RuntimeError("out of memory")
        self.asked.append(np.asarray(inputs))
        return np.asarray(inputs).astype(self.dtype)


def test_the_teacher_is_asked_once_and_its_words_are_kept():
    teacher = Fake(LOGITS)
    labels = record(teacher, ROWS)
    np.testing.assert_array_equal(labels.answers, LOGITS)
    assert (labels.form, labels.fingerprint, teacher.asked) == (teacher.form, "fake", 1)
    np.testing.assert_array_equal(labels.answer(ROWS[[1]]), LOGITS[[1]])


@pytest.mark.parametrize("into", [None, "labels"])
@pytest.mark.parametrize(
    ("says", "kind", "error"),
    [
        (LOGITS[:2], "logits", LabelMismatch),
        (np.c_[LOGITS, LOGITS], "logits", ShapeError),
        (LOGITS, "probabilities", NotProbabilities),
        (np.full((3, 2), np.nan), "logits", BadInput),
    ],
)
def test_answers_that_are_not_what_the_teacher_declares_are_refused(says, kind, error, into, tmp_path):
    with pytest.raises(error):
        record(Fake(says, kind=kind), ROWS, into and tmp_path / into)
    assert not list(tmp_path.rglob("*.parquet"))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_folder_keeps_what_memory_keeps_bit_for_bit(tmp_path, dtype):
    kept = record(Counting(dtype), MANY, tmp_path / "labels", shard_rows=10).labels
    labels = record(Counting(dtype), MANY)
    assert kept.answers.dtype == labels.answers.dtype == dtype
    np.testing.assert_array_equal(kept.answers, labels.answers)
    np.testing.assert_array_equal(kept.names, labels.names)


def test_the_measured_cost_is_the_folders(tmp_path):
    exact = record(Counting(), MANY, tmp_path / "a", shard_rows=10)
    half = record(Counting(), MANY, tmp_path / "b", shard_rows=10, dtype="float16")
    top = record(Counting(), MANY, tmp_path / "c", shard_rows=10, top_k=1)
    assert exact.cost.mean == 0 < half.cost.mean < 1e-6 < top.cost.mean < 1
    p, q = exact.labels.probabilities, top.labels.probabilities
    assert top.cost.mean == pytest.approx((p * np.log(p / q)).sum(axis=1).mean(), rel=1e-5)


def test_a_recording_that_broke_goes_on_where_it_was(tmp_path):
    whole = record(Counting(), MANY, tmp_path / "whole", shard_rows=4)
    broken = Counting(breaks_at=3)
    with pytest.raises(RuntimeError, match="out of memory"):
        record(broken, MANY, tmp_path / "labels", shard_rows=4)
    resumed, told = Counting(), iter(range(100))
    done = record(resumed, MANY, tmp_path / "labels", shard_rows=4, advance=lambda: next(told))
    assert len(broken.asked) + len(resumed.asked) == whole.provenance.shards == 7
    assert (done.to_json(), next(told)) == (whole.to_json(), 7)
    for index in range(7):
        assert shard_path(done.path, index).read_bytes() == shard_path(whole.path, index).read_bytes()


def test_a_shard_lost_from_the_middle_is_asked_for_alone(tmp_path):
    whole = record(Counting(), MANY, tmp_path / "labels", shard_rows=4)
    manifest = whole.to_json()
    shard_path(whole.path, 2).unlink()
    (whole.path / MANIFEST).unlink()
    teacher = Counting()
    assert record(teacher, MANY, whole.path, shard_rows=4).to_json() == manifest
    assert len(teacher.asked) == 1
    np.testing.assert_array_equal(teacher.asked[0], MANY[8:12])


def test_a_finished_recording_is_opened_and_not_asked_again(tmp_path):
    first = record(Counting(), MANY, tmp_path / "labels")
    teacher = Counting()
    again = record(teacher, pd.DataFrame(MANY), tmp_path / "labels")
    assert again.to_json() == first.to_json()
    assert teacher.asked == []


@pytest.mark.parametrize("finished", [True, False])
@pytest.mark.parametrize(
    ("teacher", "rows", "options", "said"),
    [
        (Counting(fingerprint="other"), MANY, {}, "teacher"),
        (Counting(), MANY[::-1], {}, "other rows"),
        (Counting(), MANY[:20], {}, "rows"),
        (Counting(), MANY, {"top_k": 1}, "top_k"),
        (Counting(), MANY, {"dtype": "float32"}, "dtype"),
        (Counting(), MANY, {"shard_rows": 5}, "shard_rows|rows"),
    ],
)
def test_a_folder_of_another_recording_is_left_as_it_is(tmp_path, finished, teacher, rows, options, said):
    first = record(Counting(), MANY, tmp_path / "labels", shard_rows=10)
    if not finished:
        (first.path / MANIFEST).unlink()
    before = {path.name: path.read_bytes() for path in first.path.iterdir()}
    with pytest.raises(LabelMismatch, match=said) as raised:
        record(teacher, rows, first.path, **{"shard_rows": 10, **options})
    assert "into another folder" in str(raised.value)
    assert {path.name: path.read_bytes() for path in first.path.iterdir()} == before


def test_a_damaged_shard_of_an_unfinished_recording_is_found(tmp_path):
    first = record(Counting(), MANY, tmp_path / "labels", shard_rows=10)
    (first.path / MANIFEST).unlink()
    path = shard_path(first.path, 1)
    content = bytearray(path.read_bytes())
    content[60] ^= 1  # in the first page
    path.write_bytes(content)
    with pytest.raises(DamagedFile, match=r"part-00001.parquet is not a readable shard .* Delete it and record again"):
        record(Counting(), MANY, first.path, shard_rows=10)


def test_other_files_are_not_touched(tmp_path):
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(CannotWrite, match="already holds other files"):
        record(Counting(), MANY, tmp_path)


def test_two_recordings_do_not_share_a_folder(tmp_path):
    with _alone_in(tmp_path), pytest.raises(CannotWrite, match="is being recorded into by another process"):
        record(Counting(), MANY, tmp_path)


def test_options_that_cannot_be_are_refused(tmp_path):
    with pytest.raises(BadInput, match="pass into="):
        record(Counting(), MANY, dtype="float16")
    with pytest.raises(BadInput, match="shard_rows is 0"):
        record(Counting(), MANY, tmp_path / "labels", shard_rows=0)
