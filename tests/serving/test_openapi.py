"""The document says how rows look, with a made row, and what went wrong."""

import numpy as np
import pytest

from tutelage.evaluation.deployed.drift import Profile
from tutelage.exporters.subject.inputs import Input
from tutelage.serving.model import ServedFile
from tutelage.serving.openapi import example_row
from tutelage.serving.row_format import Requests, RowFormat

COLUMNS = (
    Input("age"),
    Input("opened", type="date"),
    Input("owner", type="boolean"),
    Input("waited", type="duration"),
    Input("why", "text", "text"),
)


def test_a_made_row_has_a_cell_of_each_kind():
    made = example_row(RowFormat(COLUMNS, (), "float64"), None)
    assert made == {"age": 1.0, "opened": "2026-03-01", "owner": True, "waited": "1 days 00:00:00", "why": "a text"}


def test_its_numbers_are_in_the_middle_of_the_recorded_ones_and_no_cell_of_theirs():
    ages = np.linspace(20, 60, 1001) + 0.123456
    columns = {"age": ages, "opened": np.linspace(19000, 20000, 1001), "owner": np.ones(1001), "waited": np.linspace(1, 9, 1001)}
    profile = Profile.of({**columns, "why": np.array(["secret"] * 1001, dtype=object)}, {})
    made = example_row(RowFormat(COLUMNS, (), "float64"), profile)
    assert made == {"age": 40.1, "opened": "2023-05-23", "owner": True, "waited": "5 days 00:00:00", "why": "a text"}
    assert made["age"] not in ages
    assert example_row(RowFormat(COLUMNS[:1], (), "int64"), profile) == {"age": 40}


def test_categories_that_the_student_knows_are_named_and_made_use_of(table):
    served = ServedFile.open(table.run)
    assert served.rows_as.levels == {5: ("car", "holiday", "home")}
    assert example_row(served.rows_as, None)["purpose of it"] == "car"
    schema = Requests(served.rows_as, max_rows=1).one.json_schema()
    assert schema["properties"]["purpose of it"]["description"] == (
        'a text; null where it is missing. The student knows "car", "holiday", "home"; others are taken as unseen'
    )
    many = RowFormat(COLUMNS[-1:], (), "float64", {0: tuple(f"level {place}" for place in range(25))})
    assert '"level 19" and 5 more; others' in str(Requests(many, max_rows=1).one.json_schema())


@pytest.mark.parametrize(
    ("rows_as", "made"),
    [
        (RowFormat((), (2, 2), "float32"), [[0.0, 0.0], [0.0, 0.0]]),
        (RowFormat((Input(None, "text", "text"),), (), "float64"), "a text"),
        (RowFormat((Input(None), Input(None)), (), "float64"), [1.0, 1.0]),
    ],
)
def test_rows_without_names_have_one_too(rows_as, made):
    assert example_row(rows_as, None) == made
