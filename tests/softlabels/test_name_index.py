import numpy as np
import pytest
from recorded_rows import ROWS, Linear

from tutelage.core.errors import DamagedFile, LabelMismatch
from tutelage.data.row_names import row_names
from tutelage.softlabels import name_index
from tutelage.softlabels.folder import open_labels
from tutelage.softlabels.labels import SoftLabels
from tutelage.softlabels.name_index import is_index, opened_index, repeated_rows, rows_of_names
from tutelage.softlabels.recording import record


def read_shards(folder, monkeypatch):
    read, part = [], type(folder).part
    monkeypatch.setattr(type(folder), "part", lambda self, index: read.append(index) or part(self, index))
    return read


def test_only_the_shards_of_the_rows_are_read(folder, monkeypatch):
    read = read_shards(folder, monkeypatch)
    np.testing.assert_array_equal(folder.answer(ROWS[[3, 12, 1, 12]]), np.asarray(ROWS[[3, 12, 1, 12]], np.float64))
    assert read == [0, 1]
    folder.answer(ROWS[15:17])
    assert read == [0, 1]  # the last shard is still there
    assert "labels" not in vars(folder)
    with pytest.raises(LabelMismatch, match=r"1 of 2 rows are not among the 25 .* \(first: row 1\)"):
        folder.answer(np.stack([ROWS[0], ROWS[0] + 1]))
    assert folder.answer(ROWS[:0]).shape == (0, 3)


def test_the_index_is_made_once_and_found_again(folder, monkeypatch):
    folder.answer(ROWS[:2])
    (path,) = filter(is_index, folder.path.iterdir())
    monkeypatch.setattr(name_index, "_fill", None)
    np.testing.assert_array_equal(open_labels(folder.path).answer(ROWS[20:22]), ROWS[20:22])
    monkeypatch.undo()
    assert len(record(Linear(), ROWS, folder.path, shard_rows=10)) == 25  # the folder is still a recording, and ours
    content = bytearray(path.read_bytes())
    path.write_bytes(content[:-8] + bytes([content[-8] ^ 1]) + content[-7:])  # the number of the row with the highest name
    with pytest.raises(DamagedFile, match=r"the index of the names in .* does not match its shards\. Delete names-"):
        open_labels(folder.path).answer(ROWS[[int(np.argmax(row_names(ROWS)))]])
    path.write_bytes(b"")
    np.testing.assert_array_equal(open_labels(folder.path).answer(ROWS[20:22]), ROWS[20:22])


def test_an_index_of_another_recording_is_replaced(folder, tmp_path):
    (folder.path / f"names-{'0' * 16}.npy").write_bytes(b"")
    folder.answer(ROWS[:2])
    assert len([*filter(is_index, folder.path.iterdir())]) == 1


def test_a_folder_that_cannot_be_written_is_indexed_in_a_temporary_file(folder, monkeypatch):
    from tutelage.core.errors import CannotWrite

    def refused(path):
        raise CannotWrite("read-only")

    monkeypatch.setattr(name_index, "whole_file", refused)
    np.testing.assert_array_equal(folder.answer(ROWS[4:6]), ROWS[4:6])
    assert not [*filter(is_index, folder.path.iterdir())]


@pytest.mark.parametrize("bucket", [1 << 20, 8, 3])
def test_names_are_sorted_in_buckets(folder, monkeypatch, bucket):
    monkeypatch.setattr(name_index, "BUCKET_ROWS", bucket)
    shards = sorted(folder.path.glob("part-*.parquet"))
    names, numbers = opened_index(folder.path, shards, folder.sha256, 25, lambda index: None)
    np.testing.assert_array_equal(names, np.sort(row_names(ROWS)))
    np.testing.assert_array_equal(numbers, np.argsort(row_names(ROWS)))
    np.testing.assert_array_equal(rows_of_names((names, numbers), row_names(ROWS[[7, 2]])), [7, 2])


@pytest.mark.parametrize("bucket", [1 << 20, 2, 1])
def test_repeated_names_are_found_across_buckets(monkeypatch, bucket):
    monkeypatch.setattr(name_index, "BUCKET_ROWS", bucket)
    names = np.array([1, 2, 2, 2, 5, 7, 7], np.uint64)
    np.testing.assert_array_equal(repeated_rows((names, np.array([6, 0, 3, 4, 1, 2, 5], np.uint64))), [0, 3, 4, 2, 5])


class Moody(Linear):
    """A teacher that answers an equal row otherwise in each place."""

    def answer(self, inputs):
        return np.asarray(inputs) + np.arange(len(inputs))[:, None]


@pytest.mark.parametrize("teacher", [Linear(), Moody()])
def test_repeated_rows_are_answered_as_in_memory(tmp_path, teacher):
    rows = np.concatenate([ROWS, ROWS[:4]])
    folder = record(teacher, rows, tmp_path / "labels", shard_rows=10)
    memory = SoftLabels(folder.labels.answers, folder.form, folder.labels.names)
    opened = open_labels(folder.path)
    np.testing.assert_array_equal(opened.answer(rows), memory.answer(rows))
    opened = open_labels(folder.path)
    try:
        expected = memory.answer(rows[20:29])
    except LabelMismatch as error:
        with pytest.raises(LabelMismatch, match=str(error)[:60]):
            opened.answer(rows[20:29])
        assert not [*filter(is_index, folder.path.iterdir())]
    else:
        np.testing.assert_array_equal(opened.answer(rows[20:29]), expected)
