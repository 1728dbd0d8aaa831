import json

import numpy as np
import pandas as pd
import pytest

from tutelage.core.errors import BadInput
from tutelage.workflow.column_summary import check_numbers, rows_like, summarise_columns

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
    drawn = rows_like(summarise_columns(FRAME[["size", "rooms"]]), 4000)
    assert drawn.dtype == np.float32
    assert np.nanmin(drawn[:, 0]) >= 0.5
    assert np.nanmax(drawn[:, 0]) <= 2.5
    assert set(drawn[:, 1]) == set(range(1, 10))
    assert abs(np.isnan(drawn[:, 0]).mean() - 0.25) < 0.05
    assert not np.isnan(drawn[:, 1]).any()


def test_columns_that_are_not_numeric_are_named():
    with pytest.raises(BadInput, match=r"reads categories \(columns \['town'\]\)"):
        check_numbers(summarise_columns(FRAME))
    with pytest.raises(BadInput, match="reads texts"):
        rows_like([{"name": "review", "kind": "text"}], 3)
