import threading

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from recorded_rows import ROWS, Linear
from torch.utils.data import DataLoader, Dataset

import tutelage as tl
from tutelage.core.errors import BadInput, DamagedFile, LabelMismatch, ShapeError
from tutelage.core.identity.hashing import content_hash

NAMES = np.array(["ä", 'b"', "c"], dtype=object)
TRUTH = NAMES[ROWS.argmax(axis=1)]
TABLE = pd.DataFrame(ROWS, columns=["x", "y", "z"]).assign(sort=TRUTH)


def reading_ahead():
    """How many threads read ahead."""
    return sum(thread.name == "tutelage reads ahead" for thread in threading.enumerate())


class Tabular(Linear):
    """`Linear`, of three columns of a table that has more."""

    def answer(self, inputs):
        return inputs[["x", "y", "z"]].to_numpy()


def rows_as(kind, folder):
    """The same rows, as what `as_rows` takes."""
    if kind == "npy":
        np.save(folder / "rows.npy", ROWS)
    if kind == "parquet":
        TABLE[["x", "y", "z"]].to_parquet(folder / "rows.parquet", row_group_size=7)
    frame = TABLE[["x", "y", "z"]]
    made = {
        "npy": folder / "rows.npy",
        "parquet": str(folder / "rows.parquet"),
        "array": ROWS,
        "pandas": frame,
        "polars": pl.from_pandas(frame),
    }
    return made[kind]


@pytest.mark.parametrize("kind", ["npy", "parquet", "array", "pandas", "polars"])
def test_rows_of_every_kind_come_once_an_epoch_with_their_answers_and_truth(tmp_path, kind, folder):
    data = tl.parts(rows_as(kind, tmp_path), folder, TRUTH, window=20)
    assert (len(data), data.shards, data.form) == (25, 3, Linear.form)
    found = list(data.batches(4, epoch=3))
    assert [len(part) for part in found] == [4] * 6 + [1]
    numbers = np.concatenate([part.numbers for part in found])
    assert sorted(numbers.tolist()) == list(range(25))
    np.testing.assert_array_equal(np.concatenate([np.asarray(part.rows) for part in found]), ROWS[numbers])
    np.testing.assert_array_equal(np.concatenate([part.answers for part in found]), folder.labels.answers[numbers])
    np.testing.assert_array_equal(np.concatenate([part.y for part in found]), TRUTH[numbers])


def test_an_epoch_goes_on_at_a_batch_without_reading_what_came_before(folder, monkeypatch):
    data = tl.parts(ROWS, folder, window=10)
    whole = [part.numbers.tolist() for part in data.batches(4)]
    read = []
    shard = type(data).shard
    monkeypatch.setattr(type(data), "shard", lambda self, index: read.append(index) or shard(self, index))
    assert [part.numbers.tolist() for part in data.batches(4, start=5)] == whole[5:]
    assert len(read) == 1


def test_memory_is_bounded_by_the_window(folder):
    data = tl.parts(ROWS, folder, window=10)
    from tutelage.softlabels.streaming.windows import Windows

    windows, order = Windows(data), data.order(1)
    for rows in np.split(order.whole(), 5):
        windows.take(order, rows)
        assert [len(part) <= 10 for _, part in windows._held.values()] == [True]


def test_a_window_of_all_rows_is_read_once_for_all_epochs(folder, monkeypatch):
    data = tl.parts(ROWS, folder)
    from tutelage.softlabels.streaming.windows import Windows

    windows, read, shard = Windows(data), [], type(data).shard
    monkeypatch.setattr(type(data), "shard", lambda self, index: read.append(index) or shard(self, index))
    for epoch in (1, 2, 3):
        assert len(windows.take(data.order(epoch), data.order(epoch).whole())) == 25
    assert read == [0, 1, 2]


def test_the_column_of_the_truth_is_not_learnt_from(tmp_path):
    TABLE.to_parquet(tmp_path / "rows.parquet")
    for recorded in (TABLE, TABLE[["x", "y", "z"]]):
        labels = tl.record(Tabular(), recorded, tmp_path / f"{len(recorded.columns)} columns", shard_rows=10)
        for rows in (tmp_path / "rows.parquet", TABLE, pl.from_pandas(TABLE)):
            part = tl.parts(rows, labels, "sort").shard(1)
            assert list(part.rows.columns) == ["x", "y", "z"]
            np.testing.assert_array_equal(part.y, TRUTH[10:20])


def test_row_groups_that_are_larger_than_a_shard_are_shuffled_whole(tmp_path, folder):
    rows_as("parquet", tmp_path)
    TABLE[["x", "y", "z"]].to_parquet(tmp_path / "rows.parquet", row_group_size=20)
    assert tl.parts(tmp_path / "rows.parquet", folder).order(1).block_rows == 20
    assert tl.parts(tmp_path / "rows.parquet", folder, window=10).order(1).block_rows == 10


def test_soft_labels_in_memory_are_read_in_parts_as_well():
    labels = tl.record(Linear(), ROWS)
    found = list(tl.parts(ROWS, labels, window=8).batches(5))
    assert sorted(np.concatenate([part.numbers for part in found]).tolist()) == list(range(25))


def test_other_rows_are_refused_by_their_names(folder):
    changed = ROWS.copy()
    changed[13] += 1
    with pytest.raises(LabelMismatch, match=r"part-00001\.parquet was recorded on other rows: 1 of its 10 differ \(first: row 13\)"):
        list(tl.parts(changed, folder).batches(5))
    with pytest.raises(LabelMismatch, match=r"part-00000\.parquet was recorded on other rows: 10 of its 10"):
        tl.parts(ROWS[::-1], folder)
    with pytest.raises(LabelMismatch, match="there are 24 rows, and the answers were recorded on 25"):
        tl.parts(ROWS[:24], folder)


def test_a_damaged_shard_is_named(folder):
    data = tl.parts(ROWS, folder)
    path = folder.path / "part-00002.parquet"
    content = bytearray(path.read_bytes())
    content[50] ^= 1
    path.write_bytes(content)
    with pytest.raises(DamagedFile, match=r"part-00002\.parquet is damaged"):
        list(data.batches(25))


def test_what_is_no_part_is_refused_in_one_sentence(folder):
    with pytest.raises(BadInput, match="expected a recording, since every epoch would query a live teacher again"):
        tl.parts(ROWS, Linear())
    with pytest.raises(BadInput, match="window is 9 rows, and a shard of this recording has 10"):
        tl.parts(ROWS, folder, window=9)
    with pytest.raises(BadInput, match="y is 'sort', and the rows are a ndarray"):
        tl.parts(ROWS, folder, "sort")
    with pytest.raises(BadInput, match="y is 'sorte', and the rows have the columns x, y, z, sort"):
        tl.parts(TABLE, folder, "sorte")
    with pytest.raises(ShapeError, match=r"y has shape \(24,\); expected \(25,\)"):
        tl.parts(ROWS, folder, TRUTH[:24])
    with pytest.raises(BadInput, match="batch_size is 0"):
        list(tl.parts(ROWS, folder).batches(0))


def test_where_rows_alone_are_expected_parts_are_refused(folder):
    data = tl.parts(ROWS, folder)
    for call in (lambda: tl.record(Linear(), data), lambda: tl.preflight(Linear(), data), lambda: tl.parts(data, folder)):
        with pytest.raises(BadInput, match="these are parts, rows together with their answers, and rows alone are expected here"):
            call()


@pytest.mark.parametrize("ahead", [True, False])
def test_the_next_window_is_read_ahead_by_a_thread_and_no_other(folder, monkeypatch, ahead):
    data = tl.parts(ROWS, folder, window=10, ahead=ahead)
    readers, shard = [], type(data).shard

    def read(self, index):
        readers.append(threading.current_thread() is threading.main_thread())
        return shard(self, index)

    monkeypatch.setattr(type(data), "shard", read)
    batches = data.batches(5)
    first = [next(batches).numbers.tolist()]
    assert len(readers) <= 2  # this window, and one ahead
    whole = first + [part.numbers.tolist() for part in batches]
    assert readers == [True, *[not ahead] * 2]
    assert sorted(number for numbers in whole for number in numbers) == list(range(25))
    assert reading_ahead() == 0


def test_what_is_read_ahead_is_given_up_with_the_epoch(folder, monkeypatch):
    data, waits = tl.parts(ROWS, folder, window=10), threading.Event()
    shard = type(data).shard

    def read(self, index):
        if threading.current_thread() is not threading.main_thread():
            waits.wait(30)
        return shard(self, index)

    monkeypatch.setattr(type(data), "shard", read)
    batches = data.batches(5)
    next(batches)
    assert reading_ahead() == 1
    waits.set()
    batches.close()
    assert reading_ahead() == 0


def test_an_error_of_the_thread_that_reads_ahead_reaches_the_caller(folder):
    changed = ROWS.copy()
    data = tl.parts(changed, folder, window=10)
    changed[int(data.order(1).window(1)[0])] += 1
    batches = data.batches(5)
    with pytest.raises(LabelMismatch, match="was recorded on other rows: 1 of its"):
        list(batches)
    assert reading_ahead() == 0


def test_rows_that_are_held_out_are_in_no_epoch(folder):
    data = tl.parts(ROWS, folder, TRUTH, window=10).without(np.array([0, 7, 24]))
    found = np.concatenate([part.numbers for part in data.batches(4)])
    assert sorted(found.tolist()) == [row for row in range(25) if row not in (0, 7, 24)]
    with pytest.raises(BadInput, match="all 25 rows would be left out"):
        data.without(np.arange(25))


@pytest.mark.parametrize("of_loader", [False, True])
def test_what_tells_rows_from_others_holds_the_truth_of_positions_without_its_padding(of_loader):
    ids = [[5, 7, 3], [4], [8, 9], [6, 2]]

    class Texts(Dataset):
        def __init__(self, last):
            self.truth = [[0, 1, 1], [1], [0, 0], last]

        def __len__(self):
            return len(ids)

        def __getitem__(self, row):
            inputs = {"input_ids": torch.tensor(ids[row]), "attention_mask": torch.ones(len(ids[row]), dtype=torch.int64)}
            return inputs, torch.tensor(self.truth[row])

    teacher = tl.as_teacher(
        lambda rows: np.stack([rows["input_ids"], -rows["input_ids"]], axis=2).astype(float),
        kind="logits",
        classes=[0, 1],
        positions="tokens",
    )
    labels = tl.record(teacher, {"input_ids": ids, "attention_mask": [[1] * len(row) for row in ids]})
    rows = Texts([1, 0])
    given = DataLoader(rows, batch_size=2, collate_fn=padded_batch) if of_loader else rows
    identity = content_hash(tl.parts(given, labels).identity())
    assert content_hash(tl.parts(rows, labels).identity()) == identity
    assert content_hash(tl.parts(Texts([0, 0]), labels).identity()) != identity


def padded_batch(items):
    """A batch as a tokenizer pads it, with its truth."""
    longest = max(len(truth) for _, truth in items)

    def padded(values, fill):
        return torch.stack([torch.nn.functional.pad(each, (0, longest - len(each)), value=fill) for each in values])

    inputs = {name: padded([one[name] for one, _ in items], 0) for name in items[0][0]}
    return inputs, padded([truth for _, truth in items], -100)


def test_a_class_that_is_named_none_is_the_truth_of_its_rows_in_a_csv_file(tmp_path):
    teacher = tl.as_teacher(lambda rows: rows[["x", "y", "z"]].to_numpy(), classes=["None", "b", "c"], kind="logits")
    labels = tl.record(teacher, TABLE[["x", "y", "z"]])
    truth = np.array(["None", "b", "c"])[ROWS.argmax(axis=1)]
    TABLE.assign(sort=truth).to_csv(tmp_path / "rows.csv", index=False)
    assert tl.parts(tmp_path / "rows.csv", labels, y="sort").shard(0).y.tolist() == truth.tolist()[: len(TABLE)]
