import numpy as np
import pytest

from tutelage.teachers.adapters.onnx_runs import TEXT_CHARACTERS, TEXT_ROWS, parts_of, runs

RNG = np.random.default_rng(0)


def texts(lengths):
    return np.array(["a" * length for length in lengths], dtype=object)


@pytest.mark.parametrize(
    "lengths",
    [[0] * 1000, [TEXT_CHARACTERS] * 3, [10 * TEXT_CHARACTERS, 1, 1], (RNG.pareto(0.5, 500) * 100).clip(max=1e5).astype(int).tolist()],
)
def test_runs_of_texts_hold_a_bounded_number_of_characters_and_all_rows_in_order(lengths):
    found = list(runs(len(lengths), [texts(lengths)]))
    assert [place for part in found for place in range(part.start, part.stop)] == list(range(len(lengths)))
    sizes = [part.stop - part.start for part in found]
    padded = [size * max(lengths[part]) for size, part in zip(sizes, found, strict=True)]
    assert all(size == 1 or cells <= TEXT_CHARACTERS for size, cells in zip(sizes, padded, strict=True))
    assert max(sizes) <= TEXT_ROWS
    assert len(found) <= 2 + sum(lengths) * 2 / TEXT_CHARACTERS + len(lengths) / TEXT_ROWS + sum(one > 1000 for one in lengths) * 2


def test_texts_of_several_columns_are_counted_together():
    half = texts([TEXT_CHARACTERS // 4] * 4)
    assert list(runs(4, [half])) == [slice(0, 4)]
    assert list(runs(4, [half, half[:, None]])) == [slice(0, 2), slice(2, 4)]
    assert list(runs(4, [np.column_stack([half, half])])) == [slice(0, 2), slice(2, 4)]
    assert list(runs(4, [half, np.column_stack([half, half, half])])) == [slice(place, place + 1) for place in range(4)]


def test_numbers_are_cut_by_their_count_alone_and_no_rows_are_a_run():
    assert list(runs(5, [])) == [slice(0, 5)]
    assert list(runs(3, [], most=1)) == [slice(0, 1), slice(1, 2), slice(2, 3)]
    assert list(runs(3, [texts([1, 1, 1])], most=2)) == [slice(0, 2), slice(2, 3)]
    assert list(runs(0, [])) == list(runs(0, [texts([])])) == [slice(0, 0)]


def test_each_run_has_its_rows_of_each_input():
    feeds = {"text": texts([1, 2, 3])[:, None], "size": np.arange(3.0)[:, None]}
    found = list(parts_of(feeds, 3, most=2))
    assert [part["size"].ravel().tolist() for part in found] == [[0, 1], [2]]
    assert [part["text"].ravel().tolist() for part in found] == [["a", "aa"], ["aaa"]]
