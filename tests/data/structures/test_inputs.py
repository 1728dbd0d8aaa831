import numpy as np
import pytest

from tutelage.core.errors import BadInput, ShapeError
from tutelage.data.row_names import row_names
from tutelage.data.structures.inputs import TOKEN, RowInputs, numbers_of
from tutelage.data.structures.ragged import Ragged
from tutelage.data.structures.scale import Scale
from tutelage.data.structures.structured import StructuredRows

IDS, MASK = [[5, 7, 1], [4]], [[1, 1, 1], [1]]
SIZES = [[0.5, 1.0], [1.5, 2.0]]
TEXTS = StructuredRows.of({"ids": IDS, "attention_mask": MASK, "size": SIZES})
LEARNT = RowInputs.of(TEXTS)


def test_lengths_that_vary_are_told_from_the_sizes_of_other_inputs():
    assert dict(LEARNT.shapes) == {"ids": (None,), "attention_mask": (None,), "size": (2,)}
    assert LEARNT.whole == ("ids", "attention_mask")
    assert RowInputs.of(StructuredRows.of((np.ones((2, 3, 4, 4)), np.ones(2)))).sizes == {"0": (3, 4, 4), "1": ()}
    whole = StructuredRows.of({"ids": [[5, 7], [1, 2]], "attention_mask": [[1, 1], [1, 1]], "size": SIZES})
    assert RowInputs.of(whole).shapes == LEARNT.shapes  # tokens by their mask, numbers by their name


def test_a_series_that_is_as_long_as_the_texts_by_chance_does_not_vary_in_length():
    texts = {"ids": [[5, 7, 1], [4, 0, 0]], "attention_mask": [[1, 1, 1], [1, 0, 0]]}
    shapes = RowInputs.of(StructuredRows.of({**texts, "series": np.arange(12.0).reshape(2, 3, 2)})).shapes
    assert dict(shapes) == {"ids": (None,), "attention_mask": (None,), "series": (3, 2)}


def test_rows_are_arranged_in_the_order_that_was_learnt():
    found = LEARNT.arranged({"size": SIZES, "attention_mask": [[1, 1], [1, 1]], "ids": [[1, 2], [3, 4]]})
    assert list(found.fields) == ["ids", "attention_mask", "size"]
    assert LEARNT.arranged(TEXTS) is TEXTS
    assert LEARNT.arranged({"ids": IDS, "attention_mask": MASK, "size": [[1, 2], [3, 4]]}).fields["size"].dtype == np.float64
    pair = RowInputs.of(StructuredRows.of((np.ones((2, 3)), np.ones((2, 4)))))
    assert not pair.arranged({"1": np.ones((5, 4)), "0": np.zeros((5, 3))}).named  # as they are called in a file


@pytest.mark.parametrize(
    ("rows", "error", "words"),
    [
        (np.ones((2, 3)), BadInput, "the rows are of type ndarray; expected the inputs ids, attention_mask, size, as a dict"),
        (
            {"ids": IDS, "attention_mask": MASK},
            BadInput,
            "the rows have the inputs ids, attention_mask; expected the inputs ids, .* no others",
        ),
        (
            {"ids": IDS, "attention_mask": MASK, "size": [[1.0], [2.0]]},
            ShapeError,
            r"input 'size' of the rows has shape \(1,\); expected \(2,\)",
        ),
        (
            {"ids": [[0.5, 1, 1], [2]], "attention_mask": MASK, "size": SIZES},
            BadInput,
            "'ids' of the rows holds float64, such as 0.5; expected whole",
        ),
        (
            {"ids": np.ones((2, 3, 2), int), "attention_mask": MASK, "size": SIZES},
            ShapeError,
            r"'ids' of the rows has shape \(3, 2\); expected \(any,\)",
        ),
    ],
)
def test_other_rows_are_refused_in_a_sentence(rows, error, words):
    with pytest.raises(error, match=words):
        LEARNT.arranged(rows)


def test_made_rows_are_of_the_shapes_and_types_of_the_others():
    made = LEARNT.ones(3)
    assert {name: (array.shape, array.dtype.kind) for name, array in made.padded().items()} == {
        "ids": ((3, 2), "i"),
        "attention_mask": ((3, 2), "i"),
        "size": ((3, 2), "f"),
    }


def test_a_token_counts_as_the_vector_that_it_becomes():
    assert numbers_of(TEXTS) == 2 * TOKEN + 2 + 2  # ids and mask of two positions on average, and two numbers
    assert numbers_of(StructuredRows.of((np.ones((2, 3, 4, 4), np.uint8), np.ones(2)))) == 48 + 1
    series = StructuredRows({"steps": Ragged(np.ones((6, 5)), np.array([2, 4]))})
    assert numbers_of(series) == 15


@pytest.mark.parametrize("shapes", [{}, {"a": (-1,)}, {"a": (True,)}, {3: (1,)}])
def test_what_a_changed_file_holds_is_not_taken_for_inputs(shapes):
    assert not RowInputs(shapes, ()).sound
    assert LEARNT.sound


def test_a_row_with_fewer_numbers_than_were_learnt_is_no_row_to_fill_with_zeros():
    with pytest.raises(ShapeError, match="row 1 of the input 'size' of the rows has 1 numbers; expected 2"):
        LEARNT.arranged({"ids": IDS, "attention_mask": MASK, "size": [[0.5, 1.0], [1.5]]})


@pytest.mark.parametrize("name", ["ids", "input_ids", "words", "tokenIds", "x"])
def test_a_mask_of_another_length_than_its_tokens_is_seen_whatever_their_name(name):
    with pytest.raises(ShapeError, match=f"row 1 has 1 {name} and 2 numbers of attention_mask; expected one for each"):
        StructuredRows.of({name: IDS, "attention_mask": [[1, 1, 1], [1, 1]]})


@pytest.mark.parametrize("name", ["width", "grid", "humidity", "size"])
def test_numbers_of_a_row_that_has_as_many_as_tokens_by_chance_are_no_tokens(name):
    mask = np.array([[1, 1, 1, 0], [1, 1, 0, 0]])
    rows = StructuredRows.of(
        {"ids": np.array([[4, 5, 6, 0], [7, 8, 0, 0]]), "attention_mask": mask[:, :4], name: np.array([[9, 0, 7, 3], [1, 2, 3, 0]])}
    )
    assert not isinstance(rows.fields[name], Ragged)
    whole = StructuredRows.of({"ids": np.ones((2, 4), int), "attention_mask": np.ones((2, 4), int), name: np.ones((2, 4), int)})
    assert RowInputs.of(whole).sizes == {"ids": None, "attention_mask": None, name: 4}


def test_whole_numbers_held_as_floats_are_ids_and_say_what_is_padding():
    given = {"ids": [[5.0, 7.0, 1.0], [4.0]], "attention_mask": [[1.0, 1, 1], [1]], "size": SIZES}
    found = LEARNT.arranged(given)
    assert {name: array.dtype for name, array in found.padded().items()} == {"ids": np.int64, "attention_mask": np.int64, "size": float}
    padded = {"ids": np.array([[5.0, 7, 1], [4, 0, 0]]), "attention_mask": np.array([[1.0, 1, 1], [1, 0, 0]]), "size": SIZES}
    assert LEARNT.arranged(padded).lengths.tolist() == found.lengths.tolist() == [3, 1]
    assert np.array_equal(row_names(LEARNT.arranged(padded)), row_names(TEXTS))
    for wrong, said in ((np.nan, "nan"), (np.inf, "inf"), (1e300, "1e\\+300"), (1.0000001, "1.0000001")):
        with pytest.raises(BadInput, match=f"'ids' of the rows holds float64, such as {said}; expected whole numbers"):
            LEARNT.arranged({**given, "ids": [[5.0, wrong, 1.0], [4.0]]})
    with pytest.raises(ShapeError, match="row 0 has 3 ids and 2 numbers of attention_mask"):
        LEARNT.arranged({**given, "attention_mask": [[1, 1], [1]]})


def test_truth_values_stay_truth_values():
    learnt = RowInputs.of(StructuredRows.of({"keep": np.array([[True, False], [True, True]]), "count": np.array([[1, 2], [3, 4]])}))
    found = learnt.arranged({"keep": np.array([[1.0, 0.0]]), "count": np.array([[True, False]])})
    assert {name: array.dtype.kind for name, array in found.padded().items()} == {"keep": "b", "count": "i"}
    assert {name: array.dtype.kind for name, array in learnt.ones(2).padded().items()} == {"keep": "b", "count": "i"}
    with pytest.raises(BadInput, match="'keep' of the rows holds int64, with numbers other than 0 and 1; expected truth values"):
        learnt.arranged({"keep": [[2, 1]], "count": [[1, 2]]})


def test_pictures_of_another_scale_are_refused_by_their_type_or_their_values():
    pixels = np.arange(32, dtype=np.uint8).reshape(2, 4, 4) * 8
    learnt = RowInputs.of(StructuredRows.of({"picture": pixels / 255, "age": np.array([30.5, 4])}))
    with pytest.raises(BadInput, match=r"'picture' of the rows holds whole numbers \(uint8\); expected fractions up to 0.97\d*, scaled"):
        learnt.arranged({"picture": pixels, "age": [1, 2]})
    assert learnt.arranged({"picture": pixels.astype(float), "age": [1, 2]}).fields["age"].dtype == float  # one row is too little to tell
    with pytest.raises(BadInput, match=r"'picture' of new\.npz holds whole numbers up to 248; expected fractions up to 0.97\d*, scaled"):
        learnt.alike({"picture": pixels.astype(float), "age": [1, 2]}, "new.npz")
    assert len(learnt.alike({"picture": pixels / 255, "age": [1000.0, 2000.0]}, "new.npz")) == 2  # numbers have no scale of their own
    of_bytes = RowInputs.of(StructuredRows.of({"picture": pixels, "age": [1, 2]}))
    with pytest.raises(BadInput, match=r"such as 0.0313.*; expected whole numbers up to 248, scaled alike"):
        of_bytes.arranged({"picture": pixels / 255, "age": [1, 2]})
    boxes = RowInputs.of(StructuredRows.of({"boxes": [np.full((2, 4), 0.5), np.full((1, 4), 0.25)]}))
    with pytest.raises(BadInput, match=r"'boxes' of new holds whole numbers up to 200; expected fractions up to 0\.5"):
        boxes.alike({"boxes": [np.full((3, 4), 200.0), np.full((1, 4), 100.0)]}, "new")
    assert learnt.sound
    assert not RowInputs({"picture": (4, 4)}, (), scales=(("other", Scale(fractions=True, largest=1.0)),)).sound
