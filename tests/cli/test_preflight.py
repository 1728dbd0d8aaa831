import json

import pandas as pd
import pytest

from tutelage.cli import main
from tutelage.cli.preflight import FOUND_AN_ERROR

ROLES = ["--truth", "species", "--drop", "plant"]


def test_a_sound_teacher_passes(flowers, capsys):
    assert main(["preflight", flowers.teacher, "--data", flowers.rows, *ROLES, "--test", flowers.test]) == 0
    output = capsys.readouterr()
    assert output.out.startswith("preflight: ")
    assert "test-accuracy" in output.out
    assert output.err.splitlines() == ["teacher ...", "checks ..."]


def test_recorded_answers_can_be_checked(flowers, capsys):
    assert main(["preflight", flowers.labels, "--data", flowers.rows, *ROLES, "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["ok"]
    assert record["rows"] == 100


def test_a_finding_that_is_an_error_has_a_separate_exit_status(flowers, here, capsys):
    shuffled = {"setosa": "virginica", "virginica": "versicolor", "versicolor": "setosa"}
    rows = pd.read_parquet(flowers.rows)
    rows.assign(species=rows["species"].map(shuffled)).to_parquet("shuffled.parquet")
    assert main(["preflight", flowers.teacher, "--data", "shuffled.parquet", *ROLES]) == FOUND_AN_ERROR
    assert "class-order" in capsys.readouterr().out


def test_test_rows_among_the_transfer_rows_are_found(flowers, capsys):
    assert main(["preflight", flowers.teacher, "--data", flowers.rows, *ROLES, "--test", flowers.rows]) == FOUND_AN_ERROR
    assert "leak" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"teacher": "nowhere.onnx"}, "there is no file nowhere.onnx"),
        ({"--truth": "specie"}, "Did you mean species?"),
        ({"--test": "nowhere.csv"}, "there is no file nowhere.csv"),
        ({"--rows": "0"}, "0 is not in the range"),
        ({"--text": "plant", "--task": "ordinal"}, "'ordinal' is not one of"),
    ],
)
def test_a_user_error_is_one_sentence(changed, message, flowers, here, user_error):
    options = {"teacher": flowers.teacher, "--data": flowers.rows} | changed
    teacher = options.pop("teacher")
    assert message in user_error("preflight", teacher, *(part for pair in options.items() for part in pair))
