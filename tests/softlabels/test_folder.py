import json

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tutelage.core.answers import of_classes
from tutelage.core.errors import BadInput, DamagedFile, LabelMismatch, StaleCache
from tutelage.core.files import write_text
from tutelage.data.row_names import row_names
from tutelage.softlabels import folder as folder_module
from tutelage.softlabels.folder import MANIFEST, open_labels, read_shard, shard_path
from tutelage.softlabels.recording import record

ROWS = np.random.default_rng(0).normal(size=(25, 3))


class Linear:
    """A teacher whose logits are the row itself."""

    form = of_classes("logits", ["ä", 'b"', "c"])
    fingerprint = "linear"

    def answer(self, inputs):
        return np.asarray(inputs)


@pytest.fixture
def folder(tmp_path):
    return record(Linear(), ROWS, tmp_path / "labels", shard_rows=10)


def test_a_finished_folder_is_a_teacher_for_its_rows(folder):
    opened = open_labels(folder.path)
    assert (len(opened), opened.form, opened.fingerprint) == (25, Linear.form, "linear")
    np.testing.assert_array_equal(opened.answer(ROWS[[3, 21, 3]]), ROWS[[3, 21, 3]])
    assert [len(part) for part in opened.parts()] == [10, 10, 5]
    with pytest.raises(LabelMismatch, match="1 of 2 rows are not among the 25"):
        opened.answer(np.vstack([ROWS[0], ROWS[0] + 1]))


def test_the_manifest_describes_teacher_rows_and_form(folder):
    manifest = json.loads((folder.path / MANIFEST).read_text())
    expected = {"teacher": "linear", "kind": "logits", "task": "multiclass", "classes": ["ä", 'b"', "c"], "temperature": 1.0, "rows": 25}
    assert {key: manifest[key] for key in expected} == expected
    assert manifest["dtype"] == "float64"
    assert [shard["rows"] for shard in manifest["shards"]] == [10, 10, 5]
    assert manifest["cost"] == {"unit": "KL in nats", "mean": 0.0, "rows": 25, "total": 0.0, "worst": 0.0}


@pytest.mark.parametrize("dtype", ["float16", "float64"])
def test_pandas_polars_and_duckdb_read_the_shards(tmp_path, dtype):
    path = shard_path(record(Linear(), ROWS, tmp_path / "labels", dtype=dtype).path, 0)
    frames = [pd.read_parquet(path), pl.read_parquet(path).to_pandas(), duckdb.read_parquet(str(path)).df()]
    for frame in frames:
        assert list(frame.columns) == ["row", "row_name", "answer_0", "answer_1", "answer_2"]
        np.testing.assert_array_equal(frame["row"], range(25))
        np.testing.assert_array_equal(frame["row_name"].to_numpy(np.uint64), row_names(ROWS))
        np.testing.assert_allclose(frame["answer_1"] - frame["answer_0"], ROWS[:, 1] - ROWS[:, 0], atol=5e-3)


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
        ({"schema": 2}, StaleCache, "recorded in schema 2; this version of tutelage reads 5"),
        ({"rows": 26, "shard_rows": 5}, DamagedFile, "is incomplete or invalid: shards: 3 for 26 rows"),
        ({"rows": "many"}, DamagedFile, "is incomplete or invalid"),
        ({"classes": ["a"]}, DamagedFile, "is incomplete or invalid"),
        ({"classes": 3}, DamagedFile, "is incomplete or invalid"),
        ({"dtype": "int8"}, DamagedFile, "is incomplete or invalid"),
        ({"shards": None}, DamagedFile, "is incomplete or invalid"),
        ({"cost": {}}, DamagedFile, "is incomplete or invalid"),
        ({"table": {}}, DamagedFile, "is incomplete or invalid: this is not a stored schema"),
        ({"table": {"columns": [{"name": "a", "type": "odd", "levels": None}], "underscores": False}}, DamagedFile, "has the type 'odd'"),
    ],
)
def test_an_invalid_manifest_is_refused(folder, change, error, message):
    manifest = json.loads((folder.path / MANIFEST).read_text())
    write_text(folder.path / MANIFEST, json.dumps({**manifest, **change}))
    with pytest.raises(error, match=message):
        open_labels(folder.path)


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", '{"schema"'])
def test_a_file_that_is_not_a_manifest_is_damaged(folder, text):
    (folder.path / MANIFEST).write_text(text)
    with pytest.raises(DamagedFile, match=r"manifest.json cannot be read .* complete shards are reused"):
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
def test_the_columns_of_a_shard_are_read_a_few_at_a_time(tmp_path, monkeypatch, options):
    recorded = record(Linear(), ROWS, tmp_path / "other", shard_rows=10, **options)
    whole = recorded.labels.answers
    monkeypatch.setattr(folder_module, "COLUMNS_A_READ", 2)
    reopened = open_labels(recorded.path)
    np.testing.assert_array_equal(reopened.labels.answers, whole)
    np.testing.assert_array_equal(np.concatenate([part.answers for part in reopened.parts()]), whole)
    columns = read_shard(recorded.path, 2, recorded.provenance).columns
    assert len(columns) == len(list(columns)) == (7 if "top_k" in options else 5)
    assert len(columns["answer_1"]) == 5


@pytest.mark.parametrize("selection", [slice(0, 8), slice(10, 20)])
def test_a_shard_with_other_row_numbers_is_refused(folder, selection):
    table = pq.read_table(shard_path(folder.path, 0)).combine_chunks()
    rows = pa.array(np.arange(25)[selection])
    pq.write_table(table.slice(0, len(rows)).set_column(0, "row", rows), shard_path(folder.path, 0))
    with pytest.raises(DamagedFile, match="does not hold rows 0 to 9"):
        read_shard(folder.path, 0, folder.provenance)


@pytest.mark.parametrize("later", [{"positions": "tokens"}, {"side_files": {"notes.json": "3f2a"}}])
def test_what_a_later_version_adds_to_a_recording_is_not_ignored(tmp_path, later):
    path = record(Linear(), ROWS, tmp_path / "labels").path
    plain = json.loads((path / MANIFEST).read_text())
    assert (plain["positions"], plain["side_files"]) == (None, {})
    (path / MANIFEST).write_text(json.dumps(plain | later))
    with pytest.raises(StaleCache, match=r"does not read\. Use a later one"):
        open_labels(path)
