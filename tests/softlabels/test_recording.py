import shutil
from dataclasses import dataclass, field
from socket import socket

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import tutelage as tl
from tutelage.core.answer_values.top_answers import TopAnswers
from tutelage.core.answers import AnswerForm, of_classes
from tutelage.core.errors import BadInput, CannotWrite, DamagedFile, LabelMismatch, NotProbabilities, ShapeError
from tutelage.core.file_systems.paths import any_path
from tutelage.core.file_systems.whole_files import whole_file
from tutelage.data.row_names import row_names
from tutelage.softlabels.labels import SoftLabels
from tutelage.softlabels.recording import _locked, record
from tutelage.softlabels.shards import MANIFEST, shard_path
from tutelage.teachers.adapt import as_teacher

ROWS = np.arange(12.0).reshape(3, 4)
LOGITS = np.array([[2.0, 0.0], [0.0, 1.0], [3.0, -3.0]])
MANY = np.random.default_rng(0).normal(size=(25, 3))


@dataclass
class Fake:
    """A teacher with fixed answers that counts its calls."""

    answers: np.ndarray
    kind: str = "logits"
    fingerprint: str = "fake"
    calls: int = 0

    @property
    def form(self):
        return AnswerForm(self.kind, "binary", ("a", "b"))

    def answer(self, inputs):
        self.calls += 1
        return self.answers


@dataclass
class Counting:
    """A teacher whose logits are the row itself. It stores the rows that it was called with, and can fail at a given call."""

    dtype: str = "float64"
    fingerprint: str = "counting"
    fails_at: int = 10**9
    queried: list = field(default_factory=list)
    form = of_classes("logits", "abc")

    def answer(self, inputs):
        if len(self.queried) >= self.fails_at:
            raise RuntimeError("out of memory")
        self.queried.append(np.asarray(inputs))
        return np.asarray(inputs).astype(self.dtype)


def test_the_teacher_is_queried_once_and_its_answers_are_stored():
    teacher = Fake(LOGITS)
    labels = record(teacher, ROWS)
    np.testing.assert_array_equal(labels.answers, LOGITS)
    assert (labels.form, labels.fingerprint, teacher.calls) == (teacher.form, "fake", 1)
    np.testing.assert_array_equal(labels.answer(ROWS[[1]]), LOGITS[[1]])


@pytest.mark.parametrize("into", [None, "labels"])
@pytest.mark.parametrize(
    ("answers", "kind", "error"),
    [
        (LOGITS[:2], "logits", LabelMismatch),
        (np.c_[LOGITS, LOGITS], "logits", ShapeError),
        (LOGITS, "probabilities", NotProbabilities),
        (np.full((3, 2), np.nan), "logits", BadInput),
    ],
)
def test_answers_that_contradict_the_declared_form_are_refused(answers, kind, error, into, tmp_path):
    with pytest.raises(error):
        record(Fake(answers, kind=kind), ROWS, into and tmp_path / into)
    assert not list(tmp_path.rglob("*.parquet"))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_answers_in_a_folder_and_in_memory_are_equal_bit_for_bit(tmp_path, dtype):
    stored = record(Counting(dtype), MANY, tmp_path / "labels", shard_rows=10).labels
    labels = record(Counting(dtype), MANY)
    assert stored.answers.dtype == labels.answers.dtype == dtype
    np.testing.assert_array_equal(stored.answers, labels.answers)
    np.testing.assert_array_equal(stored.names, labels.names)


def test_the_cost_of_an_encoding_is_measured(tmp_path):
    exact = record(Counting(), MANY, tmp_path / "a", shard_rows=10)
    half = record(Counting(), MANY, tmp_path / "b", shard_rows=10, dtype="float16")
    top = record(Counting(), MANY, tmp_path / "c", shard_rows=10, top_k=1)
    assert exact.cost.mean == 0 < half.cost.mean < 1e-6 < top.cost.mean < 1
    p, q = exact.labels.probabilities, top.labels.probabilities  # the rest is spread in equal parts
    assert top.cost.mean == pytest.approx((p * np.log(p / q)).sum(axis=1).mean(), rel=1e-5)


def test_a_failed_recording_resumes_where_it_stopped(tmp_path):
    whole = record(Counting(), MANY, tmp_path / "whole", shard_rows=4)
    failing = Counting(fails_at=3)
    with pytest.raises(RuntimeError, match="out of memory"):
        record(failing, MANY, tmp_path / "labels", shard_rows=4)
    resumed, shards = Counting(), iter(range(100))
    done = record(resumed, MANY, tmp_path / "labels", shard_rows=4, advance=lambda: next(shards))
    assert [len(rows) for rows in resumed.queried] == [4, 4, 4, 4, 4, 1]  # shards 0 and 2 are checked, 3 to 6 recorded
    assert len(failing.queried) == 3
    assert (done.to_json(), next(shards)) == (whole.to_json(), 7)
    for index in range(7):
        assert shard_path(done.path, index).read_bytes() == shard_path(whole.path, index).read_bytes()


def test_only_a_missing_shard_is_recorded_again(tmp_path):
    whole = record(Counting(), MANY, tmp_path / "labels", shard_rows=4)
    manifest = whole.to_json()
    shard_path(whole.path, 2).unlink()
    (whole.path / MANIFEST).unlink()
    teacher = Counting()
    assert record(teacher, MANY, whole.path, shard_rows=4).to_json() == manifest
    first, missing, last = teacher.queried
    np.testing.assert_array_equal(missing, MANY[8:12])
    np.testing.assert_array_equal(np.concatenate([first, last]), np.concatenate([MANY[:4], MANY[24:]]))


def test_a_finished_recording_is_opened_after_a_few_rows_were_queried_again(tmp_path):
    first = record(Counting(), MANY, tmp_path / "labels", shard_rows=10)
    teacher = Counting()
    again = record(teacher, pd.DataFrame(MANY), tmp_path / "labels", shard_rows=10)
    assert again.to_json() == first.to_json()
    np.testing.assert_array_equal(np.concatenate(teacher.queried), MANY[[0, 1, 2, 3, 20, 21, 22, 23]])


@dataclass
class Changed(Counting):
    """Says something else under the same name, from a row on."""

    by: float = 0.1
    row: int = 0

    def answer(self, inputs):
        changed = np.isin(row_names(inputs), row_names(MANY[self.row :]))
        return super().answer(inputs) + self.by * np.outer(changed, [1, 0, 0])


@pytest.mark.parametrize("options", [{}, {"dtype": "float16"}, {"top_k": 2}], ids=["exact", "half", "top two"])
@pytest.mark.parametrize("finished", [True, False])
@pytest.mark.parametrize("row", [0, 20])
def test_a_teacher_that_now_gives_other_answers_is_refused_whatever_its_name(tmp_path, options, finished, row):
    first = record(Counting(), MANY, tmp_path / "labels", shard_rows=10, **options)
    if not finished:
        (first.path / MANIFEST).unlink()
        shard_path(first.path, 1).unlink()
    with pytest.raises(LabelMismatch, match=rf"now gives other answers .* for row {row}, .* was recorded"):
        record(Changed(row=row), MANY, first.path, shard_rows=10, **options)
    record(Changed(by=1e-6), MANY, first.path, shard_rows=10, **options)
    assert record(Counting(), MANY, first.path, shard_rows=10, **options).to_json()["teacher"] == "counting"


def undecided(rows):
    """NaN to the row of 20s."""
    answers = np.asarray(rows)[:, :1] * [1.0, -1.0]
    answers[answers[:, 0] == 20] = np.nan
    return answers


ASKED = {
    "a folder": lambda teacher, rows, into: record(teacher, rows, into, shard_rows=8),
    "in a plan": lambda teacher, rows, into: tl.plan(teacher, rows, into, shard_rows=8).label(2),
    "in memory": lambda teacher, rows, into: record(teacher, rows),
}


@pytest.mark.parametrize("how", ASKED)
def test_an_answer_that_is_refused_is_named_by_its_row_in_the_data(tmp_path, monkeypatch, how):
    monkeypatch.setattr("tutelage.softlabels.querying.QUERY_ROWS", 8)
    monkeypatch.setattr("tutelage.softlabels.querying.ANSWER_BYTES", 8 * 2 * 4)
    rows = np.repeat(np.arange(30.0)[:, None], 2, axis=1)
    teacher = as_teacher(undecided, kind="logits", classes=["a", "b"], version="1")
    sentence = r"1 of [48] rows of logits hold NaN or inf \(first: row 4\)\. Row 0 of these is row 16 of the data\."
    with pytest.raises(BadInput, match=sentence) as raised:
        ASKED[how](teacher, rows, tmp_path / "labels")
    assert raised.value.model_at_fault
    rows[20] = 0
    rows[3] = 20
    with pytest.raises(BadInput, match=r"first: row 3\)\.$"):  # the first part is counted as the data is
        ASKED[how](teacher, rows, tmp_path / "others") if how != "in a plan" else record(teacher, rows)


def test_a_refused_answer_to_rows_that_a_student_selects_is_said_to_be_no_row_of_the_data(monkeypatch):
    monkeypatch.setattr("tutelage.softlabels.querying.QUERY_ROWS", 8)
    rows = np.repeat(np.arange(30.0)[:, None], 2, axis=1)
    teacher = as_teacher(undecided, kind="logits", classes=["a", "b"], version="1")
    student = tl.DistilledClassifier(teacher, tl.SoftLogistic())
    with pytest.raises(BadInput, match=r"1 of 8 rows of logits hold NaN or inf \(first: row 2\)\.$"):  # the second of its parts
        student.fit(rows, np.array(["a", "b"] * 15), sample_weight=np.arange(30) >= 10)


def test_a_teacher_that_nothing_identifies_is_recorded_in_memory_and_refused_for_a_folder(tmp_path):
    with socket() as client:

        def asks_a_service(rows):
            return rows[:, 0] + client.family

        teacher = as_teacher(asks_a_service, kind="values")
        assert len(record(teacher, MANY)) == 25
        with pytest.raises(BadInput, match=r"client: a socket has no content .* Pass as_teacher\(..., version=\)"):
            record(teacher, MANY, tmp_path / "labels")
        assert not (tmp_path / "labels").exists()
        named = [as_teacher(asks_a_service, kind="values", version=version) for version in ("May", "June")]
        record(named[0], MANY, tmp_path / "labels")
        with pytest.raises(LabelMismatch, match=r"version May there, .*version June here"):
            record(named[1], MANY, tmp_path / "labels")


def test_a_function_that_changes_as_it_answers_needs_a_version(tmp_path):
    class Counts:
        calls = 0

        def __call__(self, rows):
            self.calls += 1
            return rows[:, 0]

    with pytest.raises(BadInput, match=r"changes as it answers.* version="):
        record(as_teacher(Counts(), kind="values"), MANY, tmp_path / "labels")
    assert not (tmp_path / "labels").exists()
    assert len(record(as_teacher(Counts(), kind="values", version="1"), MANY, tmp_path / "labels")) == 25


def test_a_row_recorded_twice_with_answers_equal_up_to_rounding_is_answered(tmp_path):
    twice = np.concatenate([MANY, MANY[:1]])

    class LastBit(Counting):
        def answer(self, inputs):
            return super().answer(inputs) * (1 + 1e-7 * np.arange(len(inputs))[:, None])

    labels = record(LastBit(), twice)
    np.testing.assert_array_equal(labels.answer(MANY[:5]), labels.answers[:5])
    with pytest.raises(LabelMismatch, match="same row with different answers"):
        _twice().answer(MANY[:1])


def _twice():
    return SoftLabels(np.array([[1.0, 0.0], [0.9, 0.1]]), of_classes("probabilities", ["a", "b"]), row_names(MANY[[0, 0]]), "any")


@pytest.mark.parametrize("finished", [True, False])
@pytest.mark.parametrize(
    ("teacher", "rows", "options", "message"),
    [
        (Counting(fingerprint="other"), MANY, {}, "teacher"),
        (Counting(), MANY[::-1], {}, "other rows"),
        (Counting(), MANY[:20], {}, "rows"),
        (Counting(), MANY, {"top_k": 1}, "top_k"),
        (Counting(), MANY, {"dtype": "float32"}, "dtype"),
        (Counting(), MANY, {"shard_rows": 5}, "shard_rows|rows"),
    ],
)
def test_a_folder_of_another_recording_is_not_changed(tmp_path, finished, teacher, rows, options, message):
    first = record(Counting(), MANY, tmp_path / "labels", shard_rows=10)
    if not finished:
        (first.path / MANIFEST).unlink()
    before = {path.name: path.read_bytes() for path in first.path.iterdir()}
    with pytest.raises(LabelMismatch, match=message) as raised:
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


def test_a_folder_with_other_files_is_refused(tmp_path):
    for name in ("thesis.tex", ".thesis.draft-2", "old.draft-0123456789abcdef"):
        (tmp_path / name).write_text("precious")
        with pytest.raises(CannotWrite, match="already holds other files"):
            record(Counting(), MANY, tmp_path)
        assert (tmp_path / name).read_text() == "precious"
        (tmp_path / name).unlink()


@pytest.mark.parametrize("on", [None, tl.Local(1)])
@pytest.mark.parametrize("place", ["here", "memory://ours"])
def test_parts_of_other_data_are_no_shards(tmp_path, on, place):
    folder = tmp_path / "sp" if place == "here" else any_path(f"{place}/{tmp_path.name}/sp")
    pd.DataFrame({"a": [1.0, 2.0]}).to_parquet(tmp_path / "part")
    whole_content = (tmp_path / "part").read_bytes()
    with whole_file(folder / "part-00000.parquet") as draft:
        draft.write_bytes(whole_content)
    calls = [lambda: record(Counting(), MANY, folder, shard_rows=10, on=on), lambda: tl.plan(Counting(), MANY, folder, shard_rows=10)]
    for call in calls:
        with pytest.raises(CannotWrite, match="sp already holds other files, which would be lost"):
            call()
    with pytest.raises(BadInput, match="sp holds no recorded answers"):
        tl.open_labels(folder)
    assert [(path.name, path.read_bytes()) for path in folder.iterdir()] == [("part-00000.parquet", whole_content)]


def test_a_part_of_other_data_among_shards_is_named(tmp_path):
    first = record(Counting(), MANY, tmp_path / "labels", shard_rows=10)
    (first.path / MANIFEST).unlink()
    pd.DataFrame({"a": [1.0, 2.0]}).to_parquet(shard_path(first.path, 1))
    with pytest.raises(LabelMismatch, match=r"part-00001.parquet holds other data, and no recorded answers. Record into another folder"):
        record(Counting(), MANY, first.path, shard_rows=10)


def test_a_symbolic_link_to_nothing_is_refused(tmp_path):
    (tmp_path / "labels").symlink_to(tmp_path / "gone")
    with pytest.raises(CannotWrite, match="cannot be created"):
        record(Counting(), MANY, tmp_path / "labels")


def test_two_recordings_into_one_folder_are_refused(tmp_path):
    with _locked(tmp_path), pytest.raises(CannotWrite, match="another process is recording into"):
        record(Counting(), MANY, tmp_path)


def test_invalid_options_are_refused(tmp_path):
    with pytest.raises(BadInput, match="pass into="):
        record(Counting(), MANY, dtype="float16")
    with pytest.raises(BadInput, match="shard_rows is 0"):
        record(Counting(), MANY, tmp_path / "labels", shard_rows=0)


def test_a_folder_that_is_removed_meanwhile_is_not_reported_as_recorded(tmp_path):
    written = []

    def removing():
        written.append(1)
        if len(written) == 3:
            shutil.rmtree(tmp_path / "labels")

    with pytest.raises(CannotWrite, match=r"part-00000.parquet was removed while the answers were recorded .* Record again"):
        record(Counting(), MANY, tmp_path / "labels", shard_rows=4, advance=removing)
    assert not (tmp_path / "labels" / "manifest.json").exists()


@pytest.mark.parametrize("into", [None, "labels"])
def test_answers_that_were_handed_out_cannot_be_changed(into, tmp_path):
    labels = record(Counting(), MANY, into and tmp_path / into)
    right = labels.answer(MANY).copy()
    for array in (labels.answer(MANY), getattr(labels, "labels", labels).answers, getattr(labels, "labels", labels).names):
        with pytest.raises(ValueError, match="read-only"):
            array[:] = 0
    labels.answer(MANY[:3])[:] = 0  # a copy
    np.testing.assert_array_equal(labels.answer(MANY), right)


TABLE = pd.DataFrame(
    {"size": MANY[:, 0], "zip": [f"{number:03d}" for number in range(25)], "kind": pd.Categorical(["x", "y", "x", "x", "y"] * 5)}
)
OTHER_ORDER = TABLE.assign(more=1, size=TABLE["size"].map(repr))[["more", "kind", "zip", "size"]]


@dataclass
class ByPosition:
    """A teacher that reads its columns by position, as a function does, and fails at a given call."""

    fails_at: int = 10**9
    fingerprint: str = "by position"
    calls: int = 0
    form = of_classes("logits", "abc")

    def answer(self, inputs):
        self.calls += 1
        if self.calls > self.fails_at:
            raise RuntimeError("out of memory")
        assert inputs.shape[1] == 3
        size, number = inputs.iloc[:, 0].to_numpy(dtype=float), inputs.iloc[:, 1].astype(int).to_numpy()
        return np.c_[size, number, np.where(inputs.iloc[:, 2] == "x", 1.0, 2.0)]


def test_recorded_answers_are_found_by_the_names_of_the_columns():
    labels = record(ByPosition(), TABLE)
    assert labels.schema.names == ("size", "zip", "kind")
    np.testing.assert_array_equal(labels.answer(OTHER_ORDER), labels.answers)
    np.testing.assert_array_equal(labels.answer(OTHER_ORDER[::-1]), labels.answers[::-1])
    assert labels.share_known(OTHER_ORDER) == 1


@pytest.mark.parametrize("finished", [True, False], ids=["finished", "resumed"])
def test_a_recording_takes_the_same_rows_in_another_order_of_columns(tmp_path, finished):
    whole = record(ByPosition(), TABLE, tmp_path / "whole", shard_rows=10)
    if finished:
        record(ByPosition(), TABLE, tmp_path / "labels", shard_rows=10)
    else:
        with pytest.raises(RuntimeError):
            record(ByPosition(fails_at=2), TABLE, tmp_path / "labels", shard_rows=10)
    again = record(ByPosition(), OTHER_ORDER, tmp_path / "labels", shard_rows=10)
    assert again.to_json() == whole.to_json()
    assert [path.read_bytes() for path in sorted(again.path.iterdir())] == [path.read_bytes() for path in sorted(whole.path.iterdir())]


@pytest.mark.parametrize("finished", [True, False], ids=["finished", "resumed"])
@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (TABLE.drop(columns="zip"), "the rows lack the columns 'zip', which are expected"),
        (TABLE.assign(zip=range(25)), "column 'zip' holds 0 in row 0; expected texts"),
        (TABLE.assign(size="large"), "column 'size' holds 'large' in row 0; expected numbers"),
    ],
)
def test_a_column_that_was_not_recorded_is_named(tmp_path, finished, rows, message):
    labels = record(ByPosition(), TABLE, tmp_path / "labels", shard_rows=10)
    with pytest.raises(LabelMismatch, match=f"these are not the columns that the answers were recorded on: {message}"):
        labels.answer(rows)
    if not finished:
        (labels.path / MANIFEST).unlink()
    with pytest.raises(LabelMismatch, match=message):
        record(ByPosition(), rows, labels.path, shard_rows=10)


def test_a_file_is_recorded_again_in_the_types_of_before(tmp_path):
    TABLE.to_parquet(tmp_path / "rows.parquet")
    first = record(ByPosition(), tmp_path / "rows.parquet", tmp_path / "labels")
    OTHER_ORDER.drop(columns="more").to_csv(tmp_path / "rows.csv", index=False)
    again = record(ByPosition(), tmp_path / "rows.csv", tmp_path / "labels")
    assert again.to_json() == first.to_json()
    TABLE.assign(size="large").to_csv(tmp_path / "bad.csv", index=False)
    with pytest.raises(BadInput, match=r"column 'size' of .*bad.csv holds 'large' in row 0, and numbers are expected"):
        record(ByPosition(), tmp_path / "bad.csv", tmp_path / "labels")


def spelt(rows):
    """What a teacher sees of a row, letter by letter."""
    flags, codes = rows["flag"].fillna(False), rows["colour"].cat.codes
    letters = [f"{age} {type(flag).__name__} {code}" for age, flag, code in zip(rows["age"], flags, codes, strict=True)]
    return np.array([float(sum(map(ord, text))) for text in letters])


@pytest.mark.parametrize("kind", ["a table", "a file", "a frame"])
def test_what_a_teacher_sees_of_a_row_does_not_depend_on_its_shard(tmp_path, kind):
    """A gap in one shard makes floating-point numbers of whole ones, and objects of truth values, in all of them."""
    colours = pa.chunked_array([pa.array(each).dictionary_encode() for each in (["red"] * 10, ["blue"] * 10, ["red", None] * 5)])
    flags = [place % 2 == 0 for place in range(20)] + [None] * 10
    table = pa.table({"age": [*range(12), None, *range(13, 30)], "flag": flags, "colour": colours})
    pq.write_table(table, tmp_path / "rows.parquet", row_group_size=7)
    rows = {"a table": table, "a file": tmp_path / "rows.parquet", "a frame": table.to_pandas()}[kind]
    teacher = as_teacher(spelt, kind="values", version="1")
    alone = record(teacher, rows).answers
    for size in (1, 10, 30):
        into = tmp_path / str(size)
        np.testing.assert_array_equal(record(teacher, rows, into, shard_rows=size).labels.answers, alone)
        record(teacher, rows, into, shard_rows=size)  # opened: the first rows are asked again
        (into / MANIFEST).unlink()
        shard_path(into, 0).unlink()
        np.testing.assert_array_equal(record(teacher, rows, into, shard_rows=size).labels.answers, alone)


def test_a_recording_of_a_matrix_has_no_columns(tmp_path):
    labels = record(Counting(), MANY, tmp_path / "labels")
    assert labels.schema is labels.labels.schema is None
    assert labels.to_json()["table"] is None
    np.testing.assert_array_equal(labels.answer(pd.DataFrame(MANY, columns=["a", "b", "c"])), MANY)


VOCABULARY = of_classes("logits", [f"token {place}" for place in range(2000)])
WEIGHTS = np.random.default_rng(3).normal(size=(3, 2000)).astype(np.float32) * 2


@dataclass
class Wide:
    """A teacher of many classes; with `top_k`, one that returns its most probable classes itself."""

    top_k: int | None = None
    form, fingerprint = VOCABULARY, "wide"

    def answer(self, inputs):
        logits = np.asarray(inputs, dtype=np.float32) @ WEIGHTS
        return logits if self.top_k is None else TopAnswers.of(logits, "logits", self.top_k)


@pytest.mark.parametrize("teacher", [Wide(), Wide(top_k=12)])
def test_the_most_probable_classes_are_recorded_in_memory_and_in_a_folder(tmp_path, monkeypatch, teacher):
    monkeypatch.setattr("tutelage.softlabels.querying.ANSWER_BYTES", 4 * 2000 * 3)  # several queries a shard
    in_memory = record(teacher, MANY, top_k=8)
    stored = record(teacher, MANY, tmp_path / "labels", top_k=8, shard_rows=10)
    for name in ("ids", "log_probs", "rest"):
        np.testing.assert_allclose(getattr(stored.labels.answers, name), getattr(in_memory.answers, name), rtol=1e-5)
        assert not getattr(in_memory.answers, name).flags.writeable
    found = in_memory.answer(MANY[[4, 2]])
    np.testing.assert_array_equal(found.ids, in_memory.answers.ids[[4, 2]])
    dense = found.as_kind("logits")
    np.testing.assert_array_equal(dense.argmax(axis=1), (MANY[[4, 2]] @ WEIGHTS).argmax(axis=1))
    np.testing.assert_allclose(np.exp(dense).sum(axis=1), 1, rtol=1e-5)
    assert record(teacher, MANY, tmp_path / "labels", top_k=8, shard_rows=10).to_json() == stored.to_json()


def test_a_teacher_of_the_most_probable_classes_is_recorded_as_it_answers(tmp_path):
    assert record(Wide(top_k=12), MANY).answers.top_k == 12
    stored = record(Wide(top_k=12), MANY, tmp_path / "labels")
    assert stored.provenance.encoding.top_k == 12
    assert record(Wide(top_k=12), MANY, tmp_path / "labels").to_json() == stored.to_json()
    for other, options in ((Wide(), {}), (Wide(top_k=11), {}), (Wide(top_k=12), {"top_k": 3})):
        with pytest.raises(LabelMismatch, match=r"holds another recording \(top_k is 12 there"):
            record(other, MANY, tmp_path / "labels", **options)
    with pytest.raises(BadInput, match="name the 12 most probable classes, and 13 are expected; pass top_k=12"):
        record(Wide(top_k=12), MANY, tmp_path / "more", top_k=13)


def test_a_resumed_recording_of_the_most_probable_classes_gives_the_same_bytes(tmp_path):
    whole = record(Wide(top_k=5), MANY, tmp_path / "whole", shard_rows=10)
    again = record(Wide(top_k=5), MANY, tmp_path / "again", shard_rows=10)
    (again.path / MANIFEST).unlink()
    shard_path(again.path, 1).unlink()
    assert record(Wide(top_k=5), MANY, again.path, shard_rows=10).to_json() == whole.to_json()
    for index in range(3):
        assert shard_path(again.path, index).read_bytes() == shard_path(whole.path, index).read_bytes()


def test_a_shard_holds_fewer_rows_where_their_answers_are_large(tmp_path, monkeypatch):
    monkeypatch.setattr("tutelage.softlabels.querying.SHARD_BYTES", 4 * 2000 * 10)
    monkeypatch.setattr("tutelage.softlabels.querying.SHARD_ROWS", 20)
    assert record(Wide(), MANY, tmp_path / "wide").provenance.shard_rows == 10
    assert record(Counting(), MANY, tmp_path / "narrow").provenance.shard_rows == 20


def test_an_unfit_number_of_classes_is_refused_before_the_teacher_is_called(tmp_path):
    teacher = Counting()
    for into in (None, tmp_path / "labels"):
        with pytest.raises(BadInput, match="top_k is 3; expected 1 to 2 for 3 classes"):
            record(teacher, MANY, into, top_k=3)
    assert not teacher.queried
