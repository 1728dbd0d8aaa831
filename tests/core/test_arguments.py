"""Settings at the door: the right ones come back as the type that the code expects, the others are refused in one sentence."""

from fractions import Fraction
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from tutelage.core.arguments import choice, flag, function, mapping, number, path, seed_of, text, texts, whole, whole_numbers
from tutelage.core.errors import BadInput

share = partial(number, least=0, most=1)
sizes = partial(whole_numbers, expected="sizes", least=1)


@pytest.mark.parametrize(
    ("check", "value", "expected"),
    [
        (whole, np.int64(3), 3),
        (whole, 2**70, 2**70),
        (seed_of, np.uint8(0), 0),
        (share, 1, 1.0),
        (share, np.float32(0.5), 0.5),
        (flag, np.bool_(True), True),
        (text, "a", "a"),
        (texts, "a", ("a",)),
        (texts, ["a", "b"], ("a", "b")),
        (texts, iter(["a", "b"]), ("a", "b")),
        (texts, np.array("a"), ("a",)),
        (texts, {"a": 1, "b": 2}.keys(), ("a", "b")),
        (sizes, (size for size in (4, 8)), [4, 8]),
        (sizes, np.array([4, 8]), [4, 8]),
        (sizes, pd.Series([4, 8]), [4, 8]),
        (sizes, torch.tensor([4, 8]), [4, 8]),
        (sizes, {4: "a", 8: "b"}.keys(), [4, 8]),
        (whole, torch.tensor(3), 3),
        (share, torch.tensor(0.5), 0.5),
        (share, np.array(0.5), 0.5),
        (share, Fraction(1, 2), 0.5),
        (flag, torch.tensor(True), True),
        (mapping, None, {}),
        (path, Path("a"), Path("a")),
    ],
)
def test_right_settings_are_returned_as_plain_values(check, value, expected):
    found = check("it", value)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("check", "value", "message"),
    [
        (whole, True, "it is True; expected a whole number, 0 or more"),
        (whole, 2.0, "it is 2.0; expected a whole number"),
        (whole, "2", "it is '2'"),
        (whole, None, "it is None"),
        (partial(whole, least=1, most=1000), 10**9, "it is 1000000000; expected a whole number, from 1 to 1,000"),
        (seed_of, 2**63, r"below 2 \*\* 63"),
        (number, float("nan"), "it is nan; expected a finite number"),
        (number, 10**400, "expected a finite number"),
        (number, 1 + 0j, "expected a finite number"),
        (number, True, "it is True"),
        (partial(number, above=0), 0, "expected a finite number above 0"),
        (partial(number, least=0, below=1), 1, "of 0 or more and below 1"),
        (share, 1.5, "a number from 0 to 1"),
        (flag, 1, "expected True or False"),
        (text, 5, "expected a text"),
        (texts, {"a": 1}, "expected a text, or a list of them"),
        (texts, ["a", 1], "expected a text, or a list of them"),
        (texts, np.array(5), "expected a text, or a list of them"),
        (partial(texts, least=1), [], "it lists 0 texts; expected at least 1"),
        (sizes, "48", "it is '48'; expected sizes"),
        (sizes, {4, 8}, "expected sizes"),
        (sizes, {4: 8}, "expected sizes"),
        (sizes, np.array(4), r"it is array\(4\); expected sizes"),
        (sizes, [4, 0], "a size in it is 0; expected a whole number, 1 or more"),
        (sizes, [4.0], "a size in it is 4.0"),
        (mapping, ["a"], "expected a dict"),
        (partial(function, of="of one number"), 5, "expected a function of one number"),
        (path, 5, "expected a path"),
        (path, "a\0b", "NUL"),
        (path, "", "it is empty"),
        (path, "x" * 5000, "no file can have this name"),
        (path, "\ud800", "expected a name that is UTF-8"),
    ],
)
def test_wrong_settings_are_refused_with_what_was_seen_and_expected(check, value, message):
    with pytest.raises(BadInput, match=message):
        check("it", value)


def test_a_misspelt_name_is_refused_with_the_closest_one():
    assert choice("rest", "drop", ("spread", "drop")) == "drop"
    with pytest.raises(BadInput, match=r"rest is 'Drop'; expected 'spread' or 'drop'. Did you mean drop\?"):
        choice("rest", "Drop", ("spread", "drop"))
    with pytest.raises(BadInput, match="rest is 5; expected"):
        choice("rest", 5, ("spread", "drop"))
