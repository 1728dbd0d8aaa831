"""The limits of a server are checked when they are given."""

import pytest

from tutelage.core.errors import BadInput
from tutelage.serving.settings import Settings


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"max_batch": 0}, "max_batch is 0; expected a whole number, 1 or more."),
        ({"max_wait": -1}, "max_wait is -1; expected"),
        ({"queue": 10, "max_rows": 11}, "max_rows is 11 and queue is 10; expected a queue that holds the rows of one request."),
        ({"token": ""}, "the token is empty"),
        ({"token": "two words"}, "the token is empty, or holds characters"),
        ({"token": "é"}, "the token is empty, or holds characters"),
    ],
)
def test_a_setting_outside_its_range_is_refused(wrong, sentence):
    with pytest.raises(BadInput) as caught:
        Settings(**wrong)
    assert str(caught.value).startswith(sentence)
    assert "two words" not in str(caught.value)
