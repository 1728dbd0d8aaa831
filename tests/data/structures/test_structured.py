from collections import UserDict

import numpy as np
import pytest
import torch
from torch.utils.data import Dataset

from tutelage.core.answers import AnswerForm
from tutelage.core.errors import BadInput, ShapeError
from tutelage.data.row_names import data_name, row_names
from tutelage.data.rows import as_rows
from tutelage.data.structures.structured import Ragged, StructuredRows, is_structure
from tutelage.data.truth.position_truth import names_of_positions

IDS, MASK = [[5, 7, 3], [4], [8, 9]], [[1, 1, 1], [1], [1, 1]]


def padded(width: int, fill: int = 0) -> dict[str, np.ndarray]:
    return {
        "input_ids": np.array([[*row, *[fill] * (width - len(row))] for row in IDS]),
        "attention_mask": np.array([[*row, *[0] * (width - len(row))] for row in MASK]),
    }


RAGGED = {"input_ids": IDS, "attention_mask": MASK}


@pytest.mark.parametrize(
    "given",
    [
        RAGGED,
        padded(3),
        padded(9, fill=99),
        UserDict(padded(4)),
        {name: torch.tensor(array) for name, array in padded(5).items()},
        {name: torch.tensor(array, dtype=torch.int32) for name, array in reversed(padded(5).items())},
        {name: [torch.tensor(row) for row in rows] for name, rows in RAGGED.items()},
        {**padded(4), "labels": [0, 1, 2]},
        {name: array.astype(bool) if name == "attention_mask" else array for name, array in padded(4).items()},
    ],
)
def test_the_same_rows_have_one_name_however_they_are_padded_and_held(given):
    rows = as_rows(given)
    assert (rows.count, rows.kind) == (3, "structure")
    assert data_name(rows) == data_name(RAGGED)
    assert rows.part(0, 3).lengths.tolist() == [3, 1, 2]
    assert row_names(given)[1] == row_names({name: value[1:2] for name, value in RAGGED.items()})[0]


@pytest.mark.parametrize(
    "other",
    [
        {"input_ids": [[5, 7, 2], [4], [8, 9]], "attention_mask": MASK},
        {"input_ids": IDS, "attention_mask": [[1, 0, 1], [1], [1, 1]]},
        {"input_ids": IDS},
        {"token_ids": IDS, "attention_mask": MASK},
        {"input_ids": [[5, 7, 3], [4, 8], [9]], "attention_mask": [[1, 1, 1], [1, 1], [1]]},
        {"input_ids": MASK, "attention_mask": MASK},
    ],
)
def test_other_rows_have_other_names(other):
    assert data_name(other) != data_name(RAGGED)


def test_a_tuple_of_arrays_has_inputs_in_order():
    one, two = np.zeros((3, 2)), np.ones((3, 4))
    rows = StructuredRows.of((one, two))
    assert not rows.named
    assert [array.shape for array in rows.plain()] == [(3, 2), (3, 4)]
    assert data_name((one, two)) != data_name((two, one))
    assert not is_structure([one, two])
    assert not is_structure((1, 2))
    assert not is_structure(("a text", "another"))


def test_zeros_in_front_of_a_row_and_inside_stay():
    rows = StructuredRows.of({"input_ids": [[0, 5, 6, 0], [7, 0, 8, 0]], "attention_mask": [[0, 1, 1, 0], [1, 0, 1, 0]]})
    assert rows.lengths.tolist() == [3, 3]
    counting = rows.counting()
    assert counting is not None
    assert counting.values.tolist() == [False, True, True, True, False, True]
    assert rows.widths.tolist() == [4, 4]


def test_a_row_of_which_nothing_counts_is_padded_to_one_position():
    rows = StructuredRows.of({"input_ids": [[9, 9], [3, 4]], "attention_mask": [[0, 0], [1, 1]]})
    assert rows.lengths.tolist() == [0, 2]
    assert rows[[0]].padded()["attention_mask"].tolist() == [[0]]


def test_rows_are_padded_as_far_as_they_need_with_what_was_named():
    rows = StructuredRows(StructuredRows.of(RAGGED).fields, fill={"input_ids": -1})
    assert rows.padded()["input_ids"].tolist() == [[5, 7, 3], [4, -1, -1], [8, 9, -1]]
    assert rows[[1, 2]].padded()["input_ids"].tolist() == [[4, -1], [8, 9]]


def test_rows_are_padded_again_with_what_they_were_padded_with():
    rows = StructuredRows.of({"input_ids": [[5, 1, 1], [6, 7, 1]], "attention_mask": [[1, 0, 0], [1, 1, 0]]})
    assert rows.padded()["input_ids"].tolist() == [[5, 1], [6, 7]]


def test_what_is_no_padding_is_not_cut():
    """A row may have as many numbers as tokens by chance, and hold more than padding beyond its mask."""
    mask = [[1, 1, 0], [1, 0, 0]]
    numbers = StructuredRows.of({"input_ids": [[5, 6, 0], [7, 0, 0]], "attention_mask": mask, "sizes": np.arange(6.0).reshape(2, 3)})
    assert numbers.padded()["sizes"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert numbers.padded()["input_ids"].tolist() == [[5, 6, 0], [7, 0, 0]]
    kinds = StructuredRows.of({"input_ids": [[5, 6, 0], [7, 0, 0]], "attention_mask": mask, "colour": [[0, 1, 0], [1, 0, 0]]})
    assert kinds.padded()["colour"].tolist() == [[0, 1, 0], [1, 0, 0]]
    beyond = StructuredRows.of({"input_ids": [[5, 6, 9], [7, 8, 0]], "attention_mask": mask})
    assert beyond.lengths.tolist() == [0, 0]
    assert beyond.padded()["input_ids"].tolist() == [[5, 6, 9], [7, 8, 0]]
    for given in (np.arange(12.0), np.arange(12)):
        vectors = StructuredRows.of({"input_ids": [[5, 6, 0], [7, 0, 0]], "attention_mask": mask, "embedded": given.reshape(2, 3, 2)})
        assert vectors.padded()["embedded"].tolist() == given.reshape(2, 3, 2).tolist()
        assert vectors.padded()["input_ids"].shape == (2, 3)


@pytest.mark.parametrize("fill", [0.0, -1.0, 0, 9])
def test_vectors_of_tokens_are_cut_where_one_number_pads_them(fill):
    mask = np.array([[1, 1, 0, 0], [1, 0, 0, 0], [1, 1, 1, 1]])
    vectors = np.where(mask[..., None] > 0, np.arange(1, 25).reshape(3, 4, 2), fill).astype(type(fill))
    for given in ({"attention_mask": mask, "vectors": vectors}, {"attention_mask": list(mask), "vectors": list(vectors)}):
        rows = StructuredRows.of(given)
        assert rows.lengths.tolist() == [2, 1, 4]
        assert rows[[0, 1]].padded()["vectors"].tolist() == vectors[:2, :2].tolist()
        by_batch = StructuredRows.of({"attention_mask": [[1, 1, 0], [1]], "vectors": [vectors[0, :3], vectors[1, :1]]})
        assert data_name(by_batch) == data_name(rows[[0, 1]])


@pytest.mark.parametrize("row", [0, 1])
def test_a_series_that_ends_in_zeros_of_its_own_is_not_cut_by_the_mask_of_texts(row):
    """Padded to as many steps as the texts have tokens, it is shorter or longer than they are; alone too."""
    series = np.zeros((2, 4, 3))
    series[0, :1], series[1, :3] = 5, 5
    given = {"input_ids": [[5, 6, 0, 0], [7, 8, 0, 0]], "attention_mask": [[1, 1, 0, 0]] * 2, "series": series}
    alone = {name: rows[row : row + 1] for name, rows in given.items()}
    for rows in (given, alone):
        assert StructuredRows.of(rows).padded()["series"].tolist() == np.asarray(rows["series"]).tolist()
    assert data_name(StructuredRows.of(given)[[row]]) == data_name(alone)


def test_a_vector_of_zeros_among_the_tokens_changes_no_name_of_other_rows():
    vectors = np.ones((3, 4, 2))
    vectors[0, 2], vectors[1:, 2:] = 0, 0
    given = {"inputs_embeds": vectors, "attention_mask": [[1, 1, 1, 0], [1, 1, 0, 0], [1, 1, 0, 0]]}
    vectors[0, 3] = 0
    rows = StructuredRows.of(given)
    alone = StructuredRows.of({name: each[1:] for name, each in given.items()})
    assert rows.lengths.tolist() == [3, 2, 2]
    assert data_name(rows[[1, 2]]) == data_name(alone)


def test_batches_hold_rows_of_like_length_and_without_a_mask_of_one():
    lengths = [5, 1, 5, 2, 1, 2, 2]
    ids = [[1] * length for length in lengths]
    masked = StructuredRows.of({"input_ids": ids, "attention_mask": ids})
    assert [batch.tolist() for batch in masked.batches(3)] == [[1, 4, 3], [5, 6, 0], [2]]
    bare = StructuredRows.of({"input_ids": ids})
    assert not bare.may_be_padded
    assert [batch.tolist() for batch in bare.batches(2)] == [[1, 4], [3, 5], [6], [0, 2]]
    even = StructuredRows.of({"input_ids": [[1, 2]] * 5})
    assert [batch.tolist() for batch in even.batches(2)] == [[0, 1], [2, 3], [4]]


@pytest.mark.parametrize(
    ("further", "unmasked", "groups"),
    [
        ({"prices": [[0.5], [1.5, 2.5], [3.5, 4.5]]}, ("prices",), [0, 1, 1]),
        ({"boxes": [np.ones((k, 2)) for k in (2, 1, 2)]}, ("boxes",), [1, 0, 1]),
        ({"scores": [np.ones((k, 2)) for k in (3, 1, 2)]}, (), [0, 0, 0]),
    ],
)
def test_a_mask_tells_the_padding_of_inputs_of_its_own_lengths(further, unmasked, groups):
    rows = StructuredRows.of({**RAGGED, **further})
    assert rows.unmasked == unmasked
    assert rows.groups.tolist() == groups


class Items(Dataset):
    def __init__(self, items):
        self.items = items

    def __len__(self):
        return len(self.items)

    def __getitem__(self, place):
        return self.items[place]


def test_items_of_a_dataset_are_rows_without_their_truth():
    mappings = [
        {"input_ids": torch.tensor(ids), "attention_mask": torch.tensor(mask), "labels": 1} for ids, mask in zip(IDS, MASK, strict=True)
    ]
    assert data_name(Items(mappings)) == data_name(RAGGED)
    pairs = [((np.zeros(2), np.ones(3)), 0) for _ in range(4)]
    assert data_name(Items(pairs)) == data_name((np.zeros((4, 2)), np.ones((4, 3))))
    with pytest.raises(BadInput, match=r"item 1 has input_ids; expected the inputs of the first: input_ids, attention_mask"):
        data_name(Items([mappings[0], {"input_ids": [1]}]))
    with pytest.raises(BadInput, match="item 2 has 1 inputs; expected 2"):
        StructuredRows.of_items([(np.zeros(1), np.zeros(1))] * 2 + [(np.zeros(1),)])


def test_a_hugging_face_dataset_is_read_by_its_columns():
    datasets = pytest.importorskip("datasets")
    tokens = datasets.Dataset.from_dict({**RAGGED, "labels": [0, 1, 1]})
    assert data_name(tokens) == data_name(RAGGED)
    texts = as_rows(datasets.Dataset.from_dict({"text": ["a", "bb"], "label": [0, 1]}))
    assert (texts.kind, texts.part(0, 2)) == ("list of texts", ["a", "bb"])
    table = as_rows(datasets.Dataset.from_dict({"size": [1.5, 2.0], "colour": ["red", "blue"]}))
    assert table.schema is not None
    assert table.schema.names == ("size", "colour")


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ({}, BadInput, "a structure without inputs"),
        ({"labels": [1, 2]}, BadInput, "a structure without inputs"),
        ({1: [[1]]}, BadInput, "expected texts"),
        ({"a": {"b": [1]}}, BadInput, "'a' is itself a mapping"),
        ({"a": [{"b": 1}]}, BadInput, "'a' is itself a mapping"),
        ({"a": ["one", "two"]}, BadInput, "Encode texts"),
        ({"a": [["one"], ["two", "three"]]}, BadInput, "Encode texts"),
        ({"a": 3}, BadInput, "a single int"),
        ({"a": [[1], [2]], "b": [[1]]}, ShapeError, r"a: 2, b: 1"),
        ({"a": [[[1], [2, 3]], [[4]]]}, ShapeError, "more than their length"),
        ({"a": [[1, 2], 3]}, ShapeError, "more than their length"),
        ({"attention_mask": [[1, 2]], "input_ids": [[1, 2]]}, BadInput, "other than 0 and 1"),
        ({"attention_mask": [[1.0, float("nan")]], "input_ids": [[1, 2]]}, BadInput, "other than 0 and 1"),
        ({"a": np.array(["2020-01-01"], "datetime64[D]")}, BadInput, "datetime64"),
        ({"a": np.array([[1 + 2j]])}, BadInput, "complex"),
    ],
)
def test_what_is_no_structure_of_numbers_is_one_sentence(given, error, words):
    with pytest.raises(error, match=words):
        as_rows(given)


def test_no_rows_are_refused_where_rows_are_needed():
    with pytest.raises(ShapeError, match="no rows"):
        as_rows({"input_ids": np.zeros((0, 3), int)})


PADDED_BY_BATCH = {  # a tokenizer pads each batch of a Dataset to a length of its own
    "input_ids": [[5, 7, 1, 1], [6, 1, 1, 1], [5, 7], [6, 1], []],
    "attention_mask": [[1, 1, 0, 0], [1, 0, 0, 0], [1, 1], [1, 0], []],
    "token_type_ids": [[0, 0, 0, 0], [0, 0, 0, 0], [0, 0], [0, 0], []],
}


def test_lists_that_are_padded_to_different_lengths_are_the_same_rows():
    rows = StructuredRows.of(PADDED_BY_BATCH)
    assert rows.lengths.tolist() == [2, 1, 2, 1, 0]
    assert rows.widths.tolist() == [4, 4, 2, 2, 0]
    assert rows.padded()["input_ids"].tolist() == [[5, 7], [6, 1], [5, 7], [6, 1], [1, 1]]
    assert data_name(rows[[0, 1]]) == data_name(rows[[2, 3]])
    kept = StructuredRows.of({**PADDED_BY_BATCH, "input_ids": [[5, 7, 1, 2], *PADDED_BY_BATCH["input_ids"][1:]]})
    assert kept.lengths.tolist() == [4, 4, 2, 2, 0]  # nothing says which of the numbers that do not count are padding


def test_numbers_of_rows_that_are_as_long_as_the_mask_by_chance_are_not_cut():
    given = {"input_ids": [[5, 1], [6]], "attention_mask": [[1, 0], [1]]}
    prices = StructuredRows.of({**given, "prices": [[9.5, 3.0], [2.0]]})
    assert prices.fields["prices"].values.tolist() == [9.5, 3.0, 2.0]
    sounds = StructuredRows.of({**given, "input_values": [[9.5, 0.0], [2.0]]})
    assert sounds.fields["input_values"].values.tolist() == [9.5, 2.0]
    two_axes = [np.ones((3, 2)), np.ones((1, 2))]
    assert StructuredRows.of({"attention_mask": two_axes}).lengths.tolist() == [3, 1]


def test_rows_without_padding_keep_their_own_width_beside_those_with_it():
    mask = {"decoder_attention_mask": [[1, 1, 0]], "decoder_input_ids": [[4, 5, 0]], "input_ids": [[1] * 8], "attention_mask": [[1] * 8]}
    whole = {**mask, "decoder_attention_mask": [[1, 1, 1]], "decoder_input_ids": [[4, 5, 6]]}
    found = StructuredRows.joined([StructuredRows.of(each) for each in (whole, mask)])
    assert found.widths.tolist() == [3, 3]
    form = AnswerForm("logits", "multiclass", (0, 1), positions="tokens")
    with pytest.raises(ShapeError, match="row 0 of y has 8 labels, and the row has 3 positions"):
        names_of_positions([[0] * 8, [0, 1]], form, found)


def test_the_truth_of_each_token_may_be_padded_as_its_row_was():
    rows, form = StructuredRows.of(PADDED_BY_BATCH), AnswerForm("logits", "multiclass", (0, 1), positions="tokens")
    truth = [[0, 1, -100, -100], [1, -100, -100, -100], [0, 1], [1], []]
    assert names_of_positions(truth, form, rows).values.tolist() == [0, 1, 1, 0, 1, 1]
    with pytest.raises(ShapeError, match="row 2 of y has 4 labels, and the row has 2 positions"):
        names_of_positions([*truth[:2], truth[0], *truth[3:]], form, rows)


def test_a_decoder_has_a_mask_of_its_own():
    rows = StructuredRows.of(
        {
            "input_ids": [[5, 6, 7, 0], [8, 0, 0, 0]],
            "attention_mask": [[1, 1, 1, 0], [1, 0, 0, 0]],
            "decoder_input_ids": [[1, 2, 0, 0, 0], [1, 2, 3, 4, 5]],
            "decoder_attention_mask": [[1, 1, 0, 0, 0], [1, 1, 1, 1, 1]],
        }
    )
    counting = rows.counting()
    assert counting is not None
    assert counting.lengths.tolist() == [2, 5]
    assert rows.widths.tolist() == [5, 5]
    assert {name: array.shape[1] for name, array in rows.padded().items()} == {
        "input_ids": 3,
        "attention_mask": 3,
        "decoder_input_ids": 5,
        "decoder_attention_mask": 5,
    }
    assert rows.may_be_padded
    unmasked = StructuredRows.of(
        {"input_ids": [[5, 6], [8, 9], [1, 2]], "attention_mask": [[1, 1]] * 3, "decoder_input_ids": [[1], [1, 2], [3]]}
    )
    assert unmasked.groups.tolist() == [0, 1, 0]
    assert [batch.tolist() for batch in unmasked.batches(8)] == [[0, 2], [1]]
    counting = unmasked.counting()
    assert counting is not None
    assert counting.lengths.tolist() == [1, 2, 1]


def test_one_row_is_a_structure_of_one_and_all_can_be_gone_through():
    rows = StructuredRows.of(RAGGED)
    assert rows[1].lengths.tolist() == rows[-2].lengths.tolist() == [1]
    assert [row.padded()["input_ids"].tolist() for row in rows] == [[row] for row in IDS]
    with pytest.raises(IndexError):
        rows[3]


def test_ragged_rows_are_taken_by_slices_and_arrays():
    ragged = Ragged.of([[1, 2], [], [3]], "ids")
    assert ragged.lengths.tolist() == [2, 0, 1]
    assert ragged[1:].values.tolist() == [3]
    assert ragged[np.array([2, 0])].values.tolist() == [3, 1, 2]
    assert ragged.padded(-1).tolist() == [[1, 2], [-1, -1], [3, -1]]
    assert ragged.padded(0, 4).shape == (3, 4)
