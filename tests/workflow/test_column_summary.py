import json

import numpy as np
import pandas as pd
import pytest

from tutelage.core.errors import BadInput
from tutelage.data.structures.structured import StructuredRows
from tutelage.workflow.column_summary import rows_like, summarise_columns

FRAME = pd.DataFrame({"size": [0.5, np.nan, 2.5, 1.0], "rooms": [1, 2, 3, 9], "new": [True, False, True, True], "town": list("abab")})


def test_ranges_and_missing_values_are_summarised_and_categories_not_listed():
    size, rooms, new, town = summarise_columns(FRAME)
    assert size == {"name": "size", "kind": "number", "low": 0.5, "high": 2.5, "whole": False, "missing": 0.25}
    assert (rooms["low"], rooms["high"], rooms["whole"]) == (1, 9, True)
    assert (new["low"], new["high"]) == (0, 1)
    assert town == {"name": "town", "kind": "category"}
    assert json.loads(json.dumps(summarise_columns(FRAME))) == summarise_columns(FRAME)


def test_matrices_and_texts_are_summarised():
    assert [column["name"] for column in summarise_columns(np.zeros((2, 2)))] == ["0", "1"]
    assert summarise_columns(["a text"], ["review"]) == [{"name": "review", "kind": "text"}]


def test_drawn_rows_stay_in_the_ranges_with_the_same_share_of_missing_values():
    drawn = rows_like(summarise_columns(FRAME[["size", "rooms"]]), 4000, levels={})
    assert drawn.dtype == np.float32
    assert np.nanmin(drawn[:, 0]) >= 0.5
    assert np.nanmax(drawn[:, 0]) <= 2.5
    assert set(drawn[:, 1]) == set(range(1, 10))
    assert abs(np.isnan(drawn[:, 0]).mean() - 0.25) < 0.05
    assert not np.isnan(drawn[:, 1]).any()


def test_categories_are_drawn_from_the_levels_of_the_student_and_dates_from_their_range():
    frame = FRAME.assign(on=pd.to_datetime(["2020-01-01 06:00", None, "2020-03-01", "2020-02-01"], format="mixed"))
    summary = summarise_columns(frame)
    assert (summary[-1]["kind"], summary[-1]["low"], summary[-1]["missing"]) == ("date", 18262.25, 0.25)
    drawn = rows_like(summary, 2000, levels={"town": ["a", "b"]})
    assert list(drawn.columns) == ["size", "rooms", "new", "town", "on"]
    assert set(drawn["town"].dropna()) == {"a", "b"}
    assert 0.2 < drawn["town"].isna().mean() < 0.5
    assert drawn["on"].min() >= pd.Timestamp("2020-01-01 06:00")
    assert drawn["on"].max() <= pd.Timestamp("2020-03-01")
    assert abs(drawn["on"].isna().mean() - 0.25) < 0.05


def test_texts_cannot_be_drawn():
    with pytest.raises(BadInput, match=r"reads texts .column 'review'., which cannot be made up; pass --data"):
        rows_like([{"name": "review", "kind": "text"}], 3, levels={})


def test_inputs_are_summarised_by_their_shapes_and_cannot_be_made_up():
    columns = summarise_columns(StructuredRows.of({"ids": [[1, 2], [3]], "picture": np.zeros((2, 3, 4))}))
    assert columns == [{"name": "ids", "kind": "input", "shape": [None]}, {"name": "picture", "kind": "input", "shape": [3, 4]}]
    with pytest.raises(BadInput, match="reads the inputs ids, picture, which cannot be made up; pass --data"):
        rows_like(columns, 5, levels={})
