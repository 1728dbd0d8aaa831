"""Shards: what they hold, what they refuse, and how large they are."""

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from recorded_rows import ROWS, Linear

from tutelage.core.answer_values.top_answers import TopAnswers
from tutelage.core.answers import of_classes
from tutelage.core.errors import DamagedFile, LabelMismatch, StaleCache
from tutelage.data.row_names import row_names
from tutelage.softlabels.folder import open_labels
from tutelage.softlabels.recording import record
from tutelage.softlabels.shards import MANIFEST, read_shard, shard_path


@pytest.mark.parametrize("dtype", ["float16", "float64"])
def test_pandas_polars_and_duckdb_read_the_shards(tmp_path, dtype):
    path = shard_path(record(Linear(), ROWS, tmp_path / "labels", dtype=dtype).path, 0)
    frames = [pd.read_parquet(path), pl.read_parquet(path).to_pandas(), duckdb.read_parquet(str(path)).df()]
    for frame in frames:
        assert list(frame.columns) == ["row", "row_name", "answers"]
        np.testing.assert_array_equal(frame["row"], range(25))
        np.testing.assert_array_equal(frame["row_name"].to_numpy(np.uint64), row_names(ROWS))
        answers = np.stack(frame["answers"].to_numpy())
        np.testing.assert_allclose(answers[:, 1] - answers[:, 0], ROWS[:, 1] - ROWS[:, 0], atol=5e-3)


@pytest.mark.parametrize("selection", [slice(0, 8), slice(10, 20)])
def test_a_shard_with_other_row_numbers_is_refused(folder, selection):
    table = pq.read_table(shard_path(folder.path, 0)).combine_chunks()
    rows = pa.array(np.arange(25)[selection])
    pq.write_table(table.slice(0, len(rows)).set_column(0, "row", rows), shard_path(folder.path, 0))
    with pytest.raises(DamagedFile, match="does not hold rows 0 to 9"):
        read_shard(folder.path, 0, folder.provenance)


WORDS = [f"word {place}" for place in range(3000)]


class Wide:
    """A teacher of many classes."""

    form = of_classes("logits", WORDS)
    fingerprint = "wide"
    weights = np.random.default_rng(1).normal(size=(3, 3000)).astype(np.float32) * 3

    def answer(self, inputs):
        return np.asarray(inputs, dtype=np.float32) @ self.weights


def test_the_names_of_classes_are_stored_once(tmp_path):
    path = record(Wide(), ROWS, tmp_path / "labels", top_k=4, shard_rows=10).path
    assert (path / MANIFEST).read_text().count('word 17"') == 1
    assert all(b"word 17" not in shard_path(path, index).read_bytes() for index in range(3))
    assert open_labels(path).form == Wide.form


def test_a_shard_of_other_classes_is_refused(tmp_path):
    first = record(Wide(), ROWS, tmp_path / "labels", top_k=4, shard_rows=10)
    (first.path / MANIFEST).unlink()

    class Renamed(Wide):
        form = of_classes("logits", [*WORDS[:-1], "another"])

    with pytest.raises(LabelMismatch, match=r"another recording \(classes: 3000 of hash .* there, 3000 of hash .* here\)"):
        record(Renamed(), ROWS, first.path, top_k=4, shard_rows=10)


@pytest.mark.exhaustive(every=4)
@pytest.mark.parametrize(("classes", "top_k"), [(50_257, 32), (50_257, 50), (151_936, 32), (151_936, 50)])
def test_an_entry_takes_at_most_four_and_a_half_bytes(tmp_path, classes, top_k):
    rng, rows = np.random.default_rng(0), 400
    ids = np.argpartition(rng.random((rows, classes), dtype=np.float32), top_k, axis=1)[:, :top_k].astype(np.uint32)
    logs = -np.sort(rng.gamma(4, 2, (rows, top_k)), axis=1)
    mass = np.exp(logs).sum(axis=1) + 0.1
    top = TopAnswers(ids, logs - np.log(mass)[:, None], np.log(0.1 / mass), classes)

    class Random:
        form, fingerprint = of_classes("logits", range(classes)), "random"

        def answer(self, inputs):
            return top[np.asarray(inputs)[:, 0].astype(int)]

    X = np.arange(rows)[:, None]
    folder = record(Random(), X, tmp_path / "labels", dtype="float16")
    size = shard_path(folder.path, 0).stat().st_size
    assert size / (rows * top_k) <= 4.5
    stored = folder.labels.answers
    np.testing.assert_array_equal(stored.ids, ids)
    np.testing.assert_array_equal(stored.rest, top.rest.astype(np.float32))
    np.testing.assert_allclose(stored.log_probs, top.log_probs, rtol=1e-3)


def test_any_flipped_byte_of_a_wide_recording_is_found(tmp_path):
    folder = record(Wide(), ROWS, tmp_path / "labels", top_k=4, dtype="float16")
    recorded = folder.labels.answers
    (folder.path / MANIFEST).unlink()
    path = shard_path(folder.path, 0)
    content = path.read_bytes()
    for place in range(0, len(content), 29):
        path.write_bytes(content[:place] + bytes([content[place] ^ 4]) + content[place + 1 :])
        try:
            read = read_shard(folder.path, 0, folder.provenance)
        except (DamagedFile, LabelMismatch, StaleCache):
            continue
        for name in ("ids", "log_probs", "rest"):  # a byte of the footer that no answer depends on
            np.testing.assert_array_equal(getattr(read.stored, name), getattr(recorded, name))
