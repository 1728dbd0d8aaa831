"""Rows are parsed strictly, and what is wrong with them is one sentence that names the place."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tutelage.core.errors import BadInput
from tutelage.exporters.subject.inputs import Input
from tutelage.serving.row_format import Requests, RowFormat

MIXED = RowFormat(
    (
        Input("age"),
        Input("opened", type="date"),
        Input("owner", type="boolean"),
        Input("waited", type="duration"),
        Input("purpose of it", "text", "category"),
    ),
    (),
    "float64",
)
ROW = {"age": 40, "opened": "2026-03-01T12:00:00Z", "owner": True, "waited": "1 days 12:00:00", "purpose of it": "car"}


@pytest.fixture
def mixed():
    return Requests(MIXED, max_rows=3)


def body(*rows):
    return json.dumps({"rows": list(rows)}).encode()


def test_dates_and_durations_are_days_and_truth_values_numbers(mixed):
    rows = mixed.row(json.dumps(ROW).encode())
    assert rows.numbers.tolist() == [[40.0, 20513.5, 1.0, 1.5]]
    assert rows.texts.tolist() == [["car"]]


def test_null_is_a_missing_cell_of_any_column(mixed):
    rows = mixed.rows(body(dict.fromkeys(ROW), ROW))
    assert np.isnan(rows.numbers[0]).all()
    assert rows.texts[:, 0].tolist() == [None, "car"]


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"age": "40"}, "column 'age' of row 1 holds a text; expected a number, or null where it is missing."),
        ({"age": True}, "column 'age' of row 1 holds a truth value; expected a number"),
        ({"age": float("nan")}, "column 'age' of row 1 holds a number that is not finite; expected a number"),
        ({"age": [1]}, "column 'age' of row 1 holds a list; expected a number"),
        ({"owner": 1}, "column 'owner' of row 1 holds a number; expected true or false"),
        ({"owner": "true"}, "column 'owner' of row 1 holds a text; expected true or false"),
        ({"purpose of it": 3}, "column 'purpose of it' of row 1 holds a number; expected a text"),
        ({"opened": "20260301"}, "column 'opened' of row 1 holds the text '20260301'; expected a date as a text"),
        ({"opened": "2026-02-30"}, "column 'opened' of row 1 holds the text '2026-02-30'; expected a date"),
        ({"opened": 1772366400}, "column 'opened' of row 1 holds a number; expected a date as a text"),
        ({"waited": "36:00:00"}, "column 'waited' of row 1 holds the text '36:00:00'; expected a duration"),
        ({"purpos": "car"}, "row 1 has the column 'purpos', which the student does not read; leave it out."),
    ],
)
def test_another_cell_is_named(changed, sentence, mixed):
    with pytest.raises(BadInput) as caught:
        mixed.rows(body(ROW, {**ROW, **changed}))
    assert str(caught.value).startswith(sentence)


def test_a_wrong_name_is_answered_with_the_one_that_was_meant(mixed):
    row = {name: cell for name, cell in ROW.items() if name != "age"} | {"agee": 40}
    with pytest.raises(BadInput, match=r"lacks the column 'age'|Did you mean age\?"):
        mixed.row(json.dumps(row).encode())


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "the body is no JSON (EOF while parsing a value at line 1 column 0); expected"),
        (b"\xff", "the body is no JSON"),
        (b"[" * 100_000, "the body is no JSON"),
        (b'{"rows": []}', '"rows" holds 0 rows; expected a list of 1 to 3 rows'),
        (body(ROW, ROW, ROW, ROW), '"rows" holds 4 rows; expected a list of 1 to 3 rows'),
        (b'{"rows": {}}', '"rows" is an object; expected a list'),
        (b'{"row": []}', 'the body lacks "rows"; expected a list'),
        (b'{"rows": [], "more": 1}', '"rows" holds 0 rows'),
        (b"[]", "the body is a list; expected"),
        (b'{"rows": [3]}', "row 0 is a number; expected an object with the columns 'age', 'opened'"),
        (b'{"rows": [{}]}', "row 0 lacks the column 'age'; expected an object with the columns"),
    ],
)
def test_another_body_is_refused(content, sentence, mixed):
    with pytest.raises(BadInput) as caught:
        mixed.rows(content)
    assert str(caught.value).startswith(sentence)
    assert "\n" not in str(caught.value)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(), lambda each: st.lists(each) | st.dictionaries(st.text(), each), max_leaves=8
)


@settings(max_examples=60)
@given(st.binary(max_size=60) | ANYTHING)
def test_any_body_is_rows_or_one_sentence(given):
    content = given if isinstance(given, bytes) else json.dumps(given).encode()
    for parse in PARSERS:
        said = sentence_or_rows(parse, content)
        assert said is None or (said.endswith((".", "?")) and "\n" not in said)


def sentence_or_rows(parse, content):
    try:
        parse(content)
    except BadInput as error:
        return str(error)
    return None


PICTURE = RowFormat((), (2, 2), "float32")
PLAIN = RowFormat((Input(None), Input(None)), (), "int64")
PARSERS = (Requests(MIXED, max_rows=3).row, Requests(PICTURE, max_rows=3).rows, Requests(PLAIN, max_rows=3).row)


def test_of_a_key_that_is_there_twice_the_last_counts(mixed):
    content = json.dumps(ROW)[:-1] + ', "age": 77}'
    assert 77 in mixed.row(content.encode()).numbers


def test_a_picture_is_nested_lists_of_its_shape():
    requests = Requests(PICTURE, max_rows=2)
    assert requests.row(b"[[1, 2], [3, 4.5]]").numbers.tolist() == [[[1.0, 2.0], [3.0, 4.5]]]
    for wrong, seen in {
        b"[[1, 2], [3]]": "the row holds a list of 1 at [1]",
        b"[[1, 2]]": "the row is a list of 1",
        b"[[1, 2], [3, null]]": "the row holds null at [1][1]",
        b"[[1, 2], [3, 1e400]]": "the row holds a number that is not finite at [1][1]",
    }.items():
        with pytest.raises(BadInput) as caught:
            requests.row(wrong)
        assert str(caught.value) == f"{seen}; expected nested lists of finite numbers of the shape 2 x 2."


def test_numbers_that_the_file_cannot_hold_are_refused():
    with pytest.raises(BadInput, match=r"the row holds 1e\+300; expected numbers that single precision holds"):
        Requests(PICTURE, max_rows=2).row(b"[[1, 2], [3, 1e300]]")
    for wrong, seen in ((b"[1, 2.5]", "2.5"), (b"[1, null]", "a missing number"), (b"[1, 1e30]", "1e+30")):
        with pytest.raises(BadInput) as caught:
            Requests(PLAIN, max_rows=2).row(wrong)
        assert str(caught.value) == f"column '1' holds {seen}; expected whole numbers."


def test_columns_without_names_are_a_list_and_one_of_texts_a_text():
    mixed = Requests(RowFormat((Input(None), Input(None, "text", "text")), (), "float64"), max_rows=2)
    rows = mixed.rows(b'{"rows": [[1, "a"], [null, null]]}')
    assert rows.texts.tolist() == [["a"], [None]]
    with pytest.raises(BadInput, match="column '0' of row 0 holds a text; expected a number"):
        mixed.rows(b'{"rows": [["1", "a"]]}')
    with pytest.raises(BadInput, match="row 0 is a list of 1; expected a list of 2 columns"):
        mixed.rows(b'{"rows": [[1]]}')
    texts = Requests(RowFormat((Input(None, "text", "text"),), (), "float64"), max_rows=2)
    assert texts.rows(b'{"rows": ["a", ""]}').texts.tolist() == [["a"], [""]]
    with pytest.raises(BadInput, match="the row is null; expected a text in quotes"):
        texts.row(b"null")
    with pytest.raises(BadInput, match=r"the body is no JSON \(.*\); expected a text in quotes\."):
        texts.row(b"great shop")


def test_no_cell_is_quoted_but_a_date_that_is_none(mixed):
    with pytest.raises(BadInput) as caught:
        mixed.row(json.dumps({**ROW, "age": "secret"}).encode())
    assert "secret" not in str(caught.value)
