import json
import subprocess
import sys
from pathlib import Path

import pytest

from tutelage.cli import main
from tutelage.core.errors import BadInput
from tutelage.core.stored.checksums import sha256_of
from tutelage.exporters.proof import edge_cases
from tutelage.exporters.targets import python


@pytest.fixture(autouse=True)
def few_rows(monkeypatch):
    monkeypatch.setattr(edge_cases, "ROWS", 300)


@pytest.mark.exhaustive
def test_the_end_of_the_file_decides_what_is_written(flowers, here, capsys):
    assert main(["export", flowers.run, "student.py"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("student.py: ")
    assert "bytes of Python. Compared with the student on 300 rows and" in printed
    asked = "import student; print(student.predict({name: 1.0 for name in student.COLUMNS}))"
    label = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True).stdout.strip()
    assert label in ("setosa", "versicolor", "virginica")


def test_the_record_is_printed_as_json_and_lies_beside_the_file(flowers, here, capsys):
    assert main(["export", flowers.run, "student.py", "--data", flowers.test, "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads((here / "student.py.json").read_text())
    assert (printed["target"], printed["proofs"][0]["rows"]) == ("Python", 300)
    assert printed["student"] == sha256_of(Path(flowers.run) / "student.skops")


def test_the_names_in_a_file_of_c_have_the_prefix_that_is_asked_for(flowers, here):
    assert main(["export", flowers.run, "student.c", "--prefix", "flowers", "--unproven"]) == 0
    assert "int flowers_predict(" in (here / "student.c").read_text()


def test_an_unproven_file_says_so(flowers, here, monkeypatch, capsys):
    def missing(job):
        raise BadInput("it is not installed.")

    assert main(["export", flowers.run, "student.py", "--unproven"]) == 0
    assert "Not proven" not in capsys.readouterr().out
    monkeypatch.setattr(python, "runtimes", missing)
    assert main(["export", flowers.run, "student.py", "--unproven"]) == 0
    assert "Not proven" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("student.pmml",), "student.pmml ends in '.pmml'; expected one of"),
        (("student.pte",), "a TrainedStudent cannot be written for ExecuTorch"),
        (("student.py", "--precision", "int8"), "precision is 'int8'; a file of Python has 'double'"),
        (("student.py", "--prefix", "own"), "prefix is 'own'; it is for files of C"),
    ],
)
def test_what_cannot_be_exported_is_one_sentence(flowers, here, user_error, arguments, sentence):
    assert sentence in user_error("export", flowers.run, *arguments)


@pytest.mark.exhaustive
def test_bench_shows_the_student_beside_its_file(flowers, here, capsys):
    assert main(["bench", flowers.run, "--to", "py", "--seconds", "0.05"]) == 0
    printed = capsys.readouterr().out
    assert "student.py" in printed
    assert "fastest" in printed
    assert main(["bench", flowers.run, "--to", "py", "--seconds", "0.05", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert [one["name"] for one in result["contenders"]] == ["student", "student.py"]


@pytest.mark.parametrize("given", [["--kind", "logits"], ["--classes", "a,b"], ["--votes", "3"], ["--budget", "5 requests"], ["--trust"]])
def test_bench_refuses_options_of_a_teacher_without_one(flowers, user_error, given):
    found = user_error("bench", flowers.run, "--to", "py", *given)
    assert f"{given[0]} does not apply to a measurement without --teacher; leave it out." in found


def test_bench_needs_rows_for_a_teacher(flowers, user_error):
    assert "a teacher answers real rows; pass --data" in user_error("bench", flowers.run, "--teacher", flowers.teacher)
