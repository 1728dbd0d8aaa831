import numpy as np
import pytest

from tutelage.softlabels.streaming.order import EpochOrder


@pytest.mark.parametrize("streams", [1, 2, 3])
@pytest.mark.parametrize("window", [1, 2, 50])
@pytest.mark.parametrize("held_out", [[], [0], [1, 2, 3, 4, 5], [20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 99, 102]])
@pytest.mark.parametrize(("rows", "block"), [(1, 1), (2, 5), (7, 3), (100, 10), (103, 10)])
def test_every_row_is_read_once_in_windows_of_whole_blocks(rows, block, window, streams, held_out):
    held_out = [row for row in held_out if 0 < row < rows]
    order = EpochOrder(rows, block, window, seed=3, epoch=1, streams=streams, held_out=np.array(held_out, np.int64))
    whole = order.whole()
    assert sorted(whole.tolist()) == [row for row in range(rows) if row not in held_out]
    windows = order.windows_of(whole)
    for stream in range(streams):
        own = windows[stream::streams]
        assert (np.diff(own) >= 0).all()  # one window after the other, so that each is read once
        assert all(order.stream_of(number) == stream for number in own.tolist())
    for number in np.unique(windows).tolist():
        inside = whole[windows == number]
        assert sorted(inside.tolist()) == [row for start, stop in order.spans(number) for row in range(start, stop) if row not in held_out]
        np.testing.assert_array_equal(order.ascending(number), sorted(inside))
        assert len(inside) <= window * block


def test_streams_share_no_block_but_those_at_the_cuts():
    order = EpochOrder(1000, 10, 5, seed=0, epoch=1, streams=4)
    whole = order.whole()
    blocks = [set((whole[stream::4] // 10).tolist()) for stream in range(4)]
    assert sum(map(len, blocks)) <= 100 + 3


def test_the_seed_and_the_epoch_settle_the_order():
    first = EpochOrder(500, 10, 5, seed=1, epoch=1).whole()
    np.testing.assert_array_equal(EpochOrder(500, 10, 5, seed=1, epoch=1).whole(), first)
    assert (EpochOrder(500, 10, 5, seed=1, epoch=2).whole() != first).any()
    assert (EpochOrder(500, 10, 5, seed=2, epoch=1).whole() != first).any()


def test_rows_that_are_sorted_are_mixed_within_an_epoch():
    whole = EpochOrder(10_000, 100, 20, seed=0, epoch=1).whole()
    means = whole.reshape(20, 500).mean(axis=1)  # of each batch; those of the sorted rows would range over 9 500
    assert np.ptp(means) < 5_000
    assert np.ptp(whole[:500]) > 8_000
