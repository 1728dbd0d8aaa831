import json
import shutil
import warnings

import pandas as pd
import pytest

from tutelage.cli import main
from tutelage.evaluation.evaluation import Evaluation


def test_the_table_shows_truth_fidelity_and_cost(flowers, capsys):
    assert main(["evaluate", flowers.run, "--data", flowers.test, "--teacher", flowers.teacher]) == 0
    said = capsys.readouterr()
    assert "tree on 49 test rows (multiclass)" in said.out
    assert all(heading in said.out for heading in ("against the truth", "against the teacher (fidelity)", "leaves", "size (file)"))
    assert said.err.splitlines() == ["teacher ...", "evaluate ..."]


def test_json_is_the_record_and_nothing_else(flowers, capsys):
    assert main(["evaluate", flowers.run, "--data", flowers.test, "--json"]) == 0
    evaluation = Evaluation.from_json(json.loads(capsys.readouterr().out))
    assert evaluation.rows == 49
    assert evaluation.against_truth["accuracy"].value > 0.8
    assert not evaluation.against_teacher


@pytest.mark.slow
def test_recorded_answers_are_found_whatever_columns_they_were_recorded_with(flowers, here, capsys):
    command = ["record", flowers.teacher, "--data", flowers.test]
    assert main([*command, "--into", "wide"]) == 0
    assert main([*command, "--into", "narrow", "--truth", "species", "--drop", "plant"]) == 0
    found = []
    for labels in ("wide", "narrow"):
        capsys.readouterr()
        assert main(["evaluate", flowers.run, "--data", flowers.test, "--labels", labels, "--json"]) == 0
        found.append(json.loads(capsys.readouterr().out)["against_teacher"])
    assert found[0] == found[1]
    assert found[0]["agreement"]["value"] > 0.8


def test_the_rows_that_it_was_taught_on_are_told(flowers, capsys):
    with warnings.catch_warnings():
        warnings.simplefilter("always")  # as outside of tests
        assert main(["evaluate", flowers.run, "--data", flowers.rows]) == 0
    warned = capsys.readouterr().err.splitlines()[-1]
    assert warned == "tutelage: warning: these are the rows that the student was taught on; figures on other rows will be worse."


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere", "--data", "{test}"], "nowhere holds no trained student: it has no run.json"),
        (["{labels}", "--data", "{test}"], "holds no trained student"),
        (["{run}", "--data", "nowhere.csv"], "there is no file nowhere.csv"),
        (["{run}", "--data", "{test}", "--truth", "specie"], "Did you mean species?"),
        (["{run}", "--data", "{test}", "--labels", "nowhere"], "there is no folder nowhere"),
        (["{run}", "--data", "{test}", "--labels", "{labels}"], "49 of 49 rows are not among the 100"),
        (["{run}", "--data", "{test}", "--labels", "{labels}", "--teacher", "x.onnx"], "pass --labels or --teacher, not both"),
        (["{run}", "--data", "{test}", "--kind", "logits"], "an evaluation without a teacher has no use for --kind"),
        (["{run}", "--data", "{test}", "--truth", "plant"], "which are not among the classes"),
        (["{run}"], "Missing option '--data'"),
    ],
)
def test_a_mistake_is_one_sentence(arguments, said, flowers, here, complaint):
    places = {name: getattr(flowers, name) for name in ("test", "labels", "run")}
    assert said in complaint("evaluate", *(argument.format(**places) for argument in arguments))


def test_nothing_to_measure_against_is_told(flowers, here, complaint):
    pd.read_csv(flowers.test).drop(columns="species").to_csv("blind.csv", index=False)
    assert "nothing to measure the student against; pass --truth" in complaint("evaluate", flowers.run, "--data", "blind.csv")


def test_columns_that_the_student_reads_and_the_data_lacks_are_named(flowers, here, complaint):
    pd.read_csv(flowers.test).drop(columns="petal width (cm)").to_csv("narrow.csv", index=False)
    assert "the rows lack the columns ['petal width (cm)']" in complaint("evaluate", flowers.run, "--data", "narrow.csv")


@pytest.mark.parametrize("name", ["student.skops", "run.json"])
def test_a_damaged_student_is_not_asked(name, flowers, here, complaint):
    shutil.copytree(flowers.run, "run")
    content = (here / "run" / name).read_bytes()
    (here / "run" / name).write_bytes(content[: len(content) // 2])
    assert f"{name} is damaged" in complaint("evaluate", "run", "--data", flowers.test)


def test_a_student_of_the_future_is_not_asked(flowers, here, complaint):
    shutil.copytree(flowers.run, "run")
    path = here / "run" / "run.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"schema": 99}))
    assert "has schema 99; this version of tutelage reads 2" in complaint("evaluate", "run", "--data", flowers.test)
