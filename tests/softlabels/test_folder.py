import json

import numpy as np
import pyarrow.parquet as pq
import pytest
from recorded_rows import ROWS, Linear

from tutelage.core.answer_values.top_answers import TopAnswers
from tutelage.core.answers import AnswerForm
from tutelage.core.errors import BadInput, DamagedFile, LabelMismatch, StaleCache
from tutelage.core.file_systems.whole_files import write_text
from tutelage.core.position_answers import PositionAnswers
from tutelage.core.records import dumps
from tutelage.core.stored.checksums import with_checksum
from tutelage.data.structures.structured import StructuredRows
from tutelage.softlabels.folder import open_labels
from tutelage.softlabels.recording import record
from tutelage.softlabels.shards import MANIFEST, shard_path
from tutelage.teachers.adapt import as_teacher


def test_a_finished_folder_is_a_teacher_for_its_rows(folder):
    opened = open_labels(folder.path)
    assert (len(opened), opened.form, opened.fingerprint) == (25, Linear.form, "linear")
    np.testing.assert_array_equal(opened.answer(ROWS[[3, 21, 3]]), ROWS[[3, 21, 3]])
    assert [len(part) for part in opened.parts()] == [10, 10, 5]
    with pytest.raises(LabelMismatch, match="1 of 2 rows are not among the 25"):
        opened.answer(np.vstack([ROWS[0], ROWS[0] + 1]))


def test_rows_of_many_shards_are_answered_in_their_order_and_one_shard_stays(folder):
    opened = open_labels(folder.path)
    for seed in range(3):
        places = np.random.default_rng(seed).integers(0, 25, 200)
        np.testing.assert_array_equal(opened.answer(ROWS[places]), ROWS[places])
        assert list(opened._last) == [2]
    np.testing.assert_array_equal(opened.answer(ROWS[[4, 2]]), ROWS[[4, 2]])
    assert list(opened._last) == [0]


def test_the_manifest_describes_teacher_rows_and_form(folder):
    manifest = json.loads((folder.path / MANIFEST).read_text())
    expected = {"teacher": "linear", "kind": "logits", "task": "multiclass", "classes": ["ä", 'b"', "c"], "temperature": 1.0, "rows": 25}
    assert {key: manifest[key] for key in expected} == expected
    assert manifest["dtype"] == "float64"
    assert [shard["rows"] for shard in manifest["shards"]] == [10, 10, 5]
    assert manifest["cost"] == {"unit": "KL in nats", "mean": 0.0, "rows": 25, "total": 0.0, "worst": 0.0}


def test_any_flipped_byte_is_found(folder):
    path = shard_path(folder.path, 1)
    content = path.read_bytes()
    for place in range(0, len(content), 37):
        path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        with pytest.raises(DamagedFile, match=r"part-00001.parquet is damaged: its SHA-256"):
            open_labels(folder.path).answer(ROWS)
    path.write_bytes(content)
    np.testing.assert_array_equal(open_labels(folder.path).answer(ROWS), ROWS)


def test_a_missing_shard_is_named_and_can_be_recorded_again(folder):
    shard_path(folder.path, 2).unlink()
    with pytest.raises(DamagedFile, match=r"part-00002.parquet is missing. Restore it, or delete manifest.json and record again"):
        open_labels(folder.path)
    (folder.path / MANIFEST).unlink()
    assert record(Linear(), ROWS, folder.path, shard_rows=10).to_json() == folder.to_json()


def test_a_shard_of_another_recording_is_refused(folder, tmp_path):
    other = record(Linear(), ROWS + 1, tmp_path / "other", shard_rows=10)
    shard_path(folder.path, 0).write_bytes(shard_path(other.path, 0).read_bytes())
    with pytest.raises(DamagedFile, match="SHA-256"):
        open_labels(folder.path).answer(ROWS)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"schema": 2}, StaleCache, "has schema 2; this version of tutelage reads 6"),
        ({"rows": 26, "shard_rows": 5}, DamagedFile, "is incomplete or invalid: shards: 3 for 26 rows"),
        ({"rows": "many"}, DamagedFile, "is incomplete or invalid"),
        ({"classes": ["a"]}, DamagedFile, "is incomplete or invalid"),
        ({"classes": 3}, DamagedFile, "is incomplete or invalid"),
        ({"dtype": "int8"}, DamagedFile, "is incomplete or invalid"),
        ({"positions": "frames"}, DamagedFile, "is incomplete or invalid: positions is 'frames'"),
        ({"shards": None}, DamagedFile, "is incomplete or invalid"),
        ({"cost": {}}, DamagedFile, "is incomplete or invalid"),
        ({"table": {}}, DamagedFile, "is incomplete or invalid: this is not a stored schema"),
        ({"table": {"columns": [{"name": "a", "type": "odd", "levels": None}], "underscores": False}}, DamagedFile, "has the type 'odd'"),
    ],
)
def test_an_invalid_manifest_is_refused(folder, change, error, message):
    manifest = json.loads((folder.path / MANIFEST).read_text())
    write_text(folder.path / MANIFEST, dumps(with_checksum({**manifest, **change})))
    with pytest.raises(error, match=message):
        open_labels(folder.path)


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", '{"schema"'])
def test_a_file_that_is_not_a_manifest_is_damaged(folder, text):
    (folder.path / MANIFEST).write_text(text)
    with pytest.raises(DamagedFile, match=r"manifest.json is damaged, or another program wrote it .* complete shards are reused"):
        open_labels(folder.path)


def test_a_folder_without_a_manifest_is_refused(folder, tmp_path):
    (folder.path / MANIFEST).unlink()
    with pytest.raises(BadInput, match=r"is not finished \(3 shards so far, no manifest.json\). Record again"):
        open_labels(folder.path)
    with pytest.raises(BadInput, match="there is no folder"):
        open_labels(tmp_path / "nowhere")
    with pytest.raises(BadInput, match="holds no recorded answers"):
        open_labels(tmp_path)


@pytest.mark.parametrize("options", [{}, {"dtype": "float16"}, {"top_k": 2}])
def test_the_parts_of_a_recording_are_the_rows_of_its_shards(tmp_path, options):
    recorded = record(Linear(), ROWS, tmp_path / "other", shard_rows=10, **options)
    whole = recorded.labels.answers
    parts = [part.answers for part in open_labels(recorded.path).parts()]
    assert [len(part) for part in parts] == [10, 10, 5]
    if "top_k" in options:
        np.testing.assert_array_equal(TopAnswers.joined(parts).dense(), whole.dense())
    else:
        np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_what_a_later_version_adds_to_a_recording_is_not_ignored(tmp_path):
    path = record(Linear(), ROWS, tmp_path / "labels").path
    plain = json.loads((path / MANIFEST).read_text())
    assert (plain["positions"], plain["side_files"]) == (None, {})
    (path / MANIFEST).write_text(dumps(with_checksum(plain | {"side_files": {"notes.json": "3f2a"}})))
    with pytest.raises(StaleCache, match=r"does not read\. Use a later one"):
        open_labels(path)


TOKENS = AnswerForm("logits", "multiclass", tuple("abcde"), "tokens")


class Tagger:
    """A teacher with an answer for each token, which depends on the token alone."""

    form, fingerprint = TOKENS, "tagger"
    weights = np.random.default_rng(2).normal(size=(10, 5))

    def answer(self, inputs):
        rows = StructuredRows.of(inputs)
        ids = rows.padded()["input_ids"]
        return PositionAnswers.of_rows(
            [self.weights[row[:length]] for row, length in zip(ids, rows.padded()["attention_mask"].sum(1), strict=True)]
        )


MASK = (np.arange(5) < (np.arange(12)[:, None] % 5 + 1)).astype(int)
TEXTS = {"input_ids": np.arange(60).reshape(12, 5) % 10 * MASK, "attention_mask": MASK}


@pytest.mark.parametrize("options", [{}, {"dtype": "float16"}, {"top_k": 2}, {"top_k": 2, "dtype": "float16"}])
def test_answers_with_positions_are_stored_without_padding(tmp_path, options):
    folder = record(Tagger(), TEXTS, tmp_path / "labels", shard_rows=5, **options)
    opened = open_labels(folder.path)
    assert opened.form == TOKENS
    assert opened.cost.rows == TEXTS["attention_mask"].sum()
    assert [len(part) for part in opened.parts()] == [5, 5, 2]
    row = opened.answer({name: field[7:8] for name, field in TEXTS.items()})[0]
    expected = Tagger.weights[TEXTS["input_ids"][7, :3]]
    assert len(row) == 3
    if "top_k" in options:
        np.testing.assert_array_equal(row.ids, np.argsort(-expected, axis=1)[:, :2])
    else:
        np.testing.assert_allclose(row - row[:, :1], expected - expected[:, :1], atol=5e-3 if options else 0)
    again = record(Tagger(), TEXTS, folder.path, shard_rows=5, **options)
    assert again.to_json() == folder.to_json()


def test_pictures_are_stored_with_height_and_width(tmp_path):
    class Segments:
        form, fingerprint = AnswerForm("logits", "multiclass", ("x", "y"), "pixels"), "segments"

        def answer(self, inputs):
            pictures = np.asarray(inputs)
            return np.stack([pictures, -pictures], axis=1)

    X = np.random.default_rng(0).normal(size=(6, 2, 3))
    path = record(Segments(), X, tmp_path / "labels").path
    assert pq.read_schema(shard_path(path, 0)).names == ["row", "row_name", "height", "width", "answers"]
    np.testing.assert_array_equal(open_labels(path).answer(X[4:5])[0], np.stack([X[4], -X[4]]))


@pytest.fixture
def many_shards(tmp_path, monkeypatch):
    monkeypatch.setattr("tutelage.softlabels.folder.MANY_SHARDS", 3)
    teacher = as_teacher(lambda rows: np.asarray(rows)[:, 0] * 2.0, kind="values")
    rows = np.arange(50.0).reshape(50, 1)
    return record(teacher, rows, tmp_path / "many", shard_rows=10), rows, teacher


def test_the_hashes_of_many_shards_lie_beside_the_manifest(many_shards):
    folder, rows, teacher = many_shards
    assert '"shards": []' in (folder.path / "manifest.json").read_text(encoding="utf-8")
    assert (folder.path / "shards.parquet").is_file()
    again = open_labels(folder.path)
    assert again.sha256 == folder.sha256
    assert np.array_equal(again.answer(rows)[:, 0], rows[:, 0] * 2)
    assert record(teacher, rows, folder.path, shard_rows=10).sha256 == folder.sha256


@pytest.mark.parametrize(("content", "said"), [(None, "missing"), (b"PAR1", "damaged")])
def test_a_changed_list_of_shards_is_refused(many_shards, content, said):
    path = many_shards[0].path / "shards.parquet"
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(DamagedFile, match=rf"shards\.parquet is {said}"):
        open_labels(path.parent)
