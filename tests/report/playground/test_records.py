import json

import pytest

from tutelage.core.stored.checksums import intact
from tutelage.report.playground.records import Playground


@pytest.mark.parametrize("kind", ["table", "values", "text", "picture"])
def test_a_playground_is_the_same_after_it_was_stored(request, kind):
    made = request.getfixturevalue(kind).playground
    plain = json.loads(json.dumps(made.to_json(), allow_nan=False))
    assert intact(plain)
    again = Playground.from_json(plain)
    assert again.to_json() == made.to_json()
    assert (again.module, again.classes, again.picture) == (made.module, made.classes, made.picture)


def test_one_without_a_student_says_why():
    assert Playground.without("Because.").why_not == "Because."
    assert Playground.without("Because.").module == ""
