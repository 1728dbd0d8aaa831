import json

import pytest

from tutelage.core.errors import BadInput, DamagedFile
from tutelage.core.stored.checksums import with_checksum
from tutelage.evaluation.evaluation import Evaluation


def test_json_contains_every_figure_and_no_answers(evaluated):
    plain = json.loads(evaluated.dumps())
    assert plain["schema"] == 5
    assert plain["against_truth"]["worst_class_recall"] == {
        "value": 0.5,
        "interval": {"low": 0.25, "high": 0.75, "over": "test rows", "caution": ""},
        "method": "bootstrap",
        "of": "no",
    }
    assert plain["cost"]["alone"]["ci95_us"] == [45.0, 55.0]
    assert plain["decisions"] == [[600, 34], [0, 600]]
    assert "another seed" in plain["intervals"]
    assert "answers" not in plain


def test_a_figure_is_printed_with_its_interval(evaluated):
    assert str(evaluated.against_truth["accuracy"]) == "0.9125 (0.89 to 0.93)"
    assert str(evaluated.against_truth["nll_nats"]) == "0.25"


def test_missing_answers_raise_an_error_that_says_why(evaluated):
    assert evaluated.row_answers().rows_fingerprint == "f00"
    with pytest.raises(BadInput, match="evaluate with a teacher"):
        evaluated.row_answers().named("teacher")
    with pytest.raises(BadInput, match="evaluate with y"):
        evaluated.row_answers().named("truth")


def test_a_record_survives_a_round_trip_through_json(evaluated):
    again = Evaluation.from_json(json.loads(evaluated.dumps()))
    assert again == evaluated
    assert str(again) == str(evaluated)
    with pytest.raises(BadInput, match="call evaluate again"):
        again.row_answers()


@pytest.mark.parametrize("schema", [1, None, "2"])
def test_a_record_of_another_schema_is_refused(evaluated, schema):
    with pytest.raises(BadInput, match=f"has schema {schema!r} and this version reads 5"):
        Evaluation.from_json({**evaluated.to_json(), "schema": schema})


@pytest.mark.parametrize(
    "wrong", [{"cost": 3}, {"against_truth": {"accuracy": {}}}, {"classes": None}, {"reliability": {"truth": {"a": []}}}]
)
def test_other_values_than_a_record_are_refused(evaluated, wrong):
    with pytest.raises(BadInput, match="not an evaluation record written by tutelage"):
        Evaluation.from_json(with_checksum({**evaluated.to_json(), **wrong}))


def test_a_figure_that_was_changed_is_noticed(evaluated):
    plain = json.loads(evaluated.dumps().replace(f'"rows": {evaluated.rows}', f'"rows": {evaluated.rows + 1}'))
    assert plain["rows"] == evaluated.rows + 1
    with pytest.raises(DamagedFile, match="do not match its checksum"):
        Evaluation.from_json(plain)


@pytest.mark.parametrize("value", [float("nan"), {1, 2}])
def test_a_value_that_json_cannot_hold_is_damage(evaluated, value):
    with pytest.raises(DamagedFile, match="do not match its checksum"):
        Evaluation.from_json({**evaluated.to_json(), "rows": value})
