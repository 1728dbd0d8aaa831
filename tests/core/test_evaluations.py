import json

import pytest

from tutelage.core.errors import BadInput


def test_json_holds_every_figure_and_no_answers(evaluated):
    plain = json.loads(evaluated.dumps())
    assert plain["schema"] == 1
    assert plain["against_truth"]["worst_class_recall"] == {
        "value": 0.5,
        "interval": {"low": 0.25, "high": 0.75, "over": "test rows"},
        "method": "bootstrap",
        "of": "no",
    }
    assert plain["cost"]["alone"]["ci95_us"] == [45.0, 55.0]
    assert plain["decisions"] == [[600, 34], [0, 600]]
    assert "another seed" in plain["intervals"]
    assert "answers" not in plain


def test_answers_are_there_or_the_error_says_why_not(evaluated):
    assert evaluated.kept_answers().rows_fingerprint == "f00"
    with pytest.raises(BadInput, match="evaluate with a teacher"):
        evaluated.kept_answers().named("teacher")
    with pytest.raises(BadInput, match="evaluate with y"):
        evaluated.kept_answers().named("truth")
