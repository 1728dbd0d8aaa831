import json
import shutil
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tutelage.cli import main
from tutelage.core.stored.checksums import with_checksum
from tutelage.evaluation.evaluation import Evaluation
from tutelage.students.saved.trained_folder import TRAINED_SCHEMA
from tutelage.workflow.train import open_trained


def test_the_table_shows_truth_fidelity_and_cost(flowers, capsys):
    assert main(["evaluate", flowers.run, "--data", flowers.test, "--teacher", flowers.teacher]) == 0
    output = capsys.readouterr()
    assert "tree on 49 test rows (multiclass)" in output.out
    assert all(heading in output.out for heading in ("against the truth", "against the teacher (fidelity)", "leaves", "size (file)"))
    assert output.err.splitlines() == ["teacher ...", "evaluate ..."]


def test_json_is_the_only_output(flowers, capsys):
    assert main(["evaluate", flowers.run, "--data", flowers.test, "--json"]) == 0
    evaluation = Evaluation.from_json(json.loads(capsys.readouterr().out))
    assert evaluation.rows == 49
    assert evaluation.against_truth["accuracy"].value > 0.8
    assert not evaluation.against_teacher


def test_answers_of_a_language_model_are_not_stored_in_the_run_that_is_measured(flowers, user_error, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    chat = ["--teacher", "chat:m-1", "--endpoint", "http://127.0.0.1:9/v1", "--cache", f"{flowers.run}/answers"]
    found = user_error("evaluate", str(flowers.run), "--data", str(flowers.test), *chat)
    assert f"--cache is {flowers.run}/answers, and {flowers.run}, a folder of results, lies around it" in found


@pytest.mark.exhaustive
@pytest.mark.slow
def test_recordings_made_with_other_columns_are_found(flowers, here, capsys):
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


def test_evaluating_on_the_training_rows_warns(flowers, capsys):
    with warnings.catch_warnings():
        warnings.simplefilter("always")  # the default outside of tests
        assert main(["evaluate", flowers.run, "--data", flowers.rows]) == 0
    warning = capsys.readouterr().err.splitlines()[-1]
    assert warning == "tutelage: warning: these are the rows on which the student was trained; figures on other rows will be worse."


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere", "--data", "{test}"], "there is no folder nowhere; name one that `tutelage distill` or `tutelage train` wrote."),
        (["{labels}", "--data", "{test}"], "holds no trained student"),
        (["{run}", "--data", "nowhere.csv"], "there is no file nowhere.csv"),
        (["{run}", "--data", "{test}", "--text", "plant"], "--text names 'plant', and the student reads columns or arrays; leave it out."),
        (["{run}", "--data", "{test}", "--truth", "specie"], "Did you mean species?"),
        (["{run}", "--data", "{test}", "--labels", "nowhere"], "there is no folder nowhere"),
        (["{run}", "--data", "{test}", "--labels", "{labels}"], "49 of 49 rows are not among the 100"),
        (["{run}", "--data", "{test}", "--labels", "{labels}", "--teacher", "x.onnx"], "pass --labels or --teacher, not both"),
        (["{run}", "--data", "{test}", "--teacher-version", "2"], "--teacher-version does not apply to an evaluation without a teacher"),
        (["{run}", "--data", "{test}", "--trust"], "--trust does not apply to an evaluation without a teacher"),
        (["{run}", "--data", "{test}", "--kind", "logits"], "--kind does not apply to an evaluation without a teacher"),
        (["{run}", "--data", "{test}", "--truth", "plant"], "which are not among the classes"),
        (["{run}"], "Missing option '--data'"),
    ],
)
def test_a_user_error_is_one_sentence(arguments, message, flowers, here, user_error):
    places = {name: getattr(flowers, name) for name in ("test", "labels", "run")}
    assert message in user_error("evaluate", *(argument.format(**places) for argument in arguments))


def test_a_truth_or_teacher_is_required(flowers, here, user_error):
    pd.read_csv(flowers.test).drop(columns="species").to_csv("blind.csv", index=False)
    assert "nothing to measure the student against; pass --truth" in user_error("evaluate", flowers.run, "--data", "blind.csv")


def test_missing_columns_are_named(flowers, here, user_error):
    pd.read_csv(flowers.test).drop(columns="petal width (cm)").to_csv("narrow.csv", index=False)
    assert "the rows lack the columns 'petal width (cm)'" in user_error("evaluate", flowers.run, "--data", "narrow.csv")


@pytest.mark.parametrize("name", ["student.skops", "run.json"])
def test_a_damaged_student_is_refused(name, flowers, here, user_error):
    shutil.copytree(flowers.run, "run")
    content = (here / "run" / name).read_bytes()
    (here / "run" / name).write_bytes(content[: len(content) // 2])
    assert f"{name} is damaged" in user_error("evaluate", "run", "--data", flowers.test)


def test_a_student_of_a_newer_version_is_refused(flowers, here, user_error):
    shutil.copytree(flowers.run, "run")
    path = here / "run" / "run.json"
    path.write_text(json.dumps(with_checksum(json.loads(path.read_text()) | {"schema": 99})))
    assert f"has schema 99; this version of tutelage reads {TRAINED_SCHEMA}" in user_error("evaluate", "run", "--data", flowers.test)


def test_columns_are_read_in_the_types_of_training(flowers, here, user_error):
    frame = pd.read_csv(flowers.test)
    frame.assign(**{"petal width (cm)": "wide"}).to_csv("texts.csv", index=False)
    sentence = user_error("evaluate", flowers.run, "--data", "texts.csv")
    assert "column 'petal width (cm)' of texts.csv holds 'wide' in row 0, and numbers are expected" in sentence
    sentence = user_error("export", flowers.run, "student.py", "--data", "texts.csv")
    assert "column 'petal width (cm)' of texts.csv holds 'wide' in row 0" in sentence
    frame.astype({"petal width (cm)": str})[::-1].iloc[:, ::-1].to_parquet("digits.parquet")
    assert main(["evaluate", flowers.run, "--data", "digits.parquet"]) == 0


def test_weights_count_in_the_figures(flowers, here, capsys):
    frame = pd.read_csv(flowers.test)
    student, _ = open_trained(Path(flowers.run))
    right = student.predict(frame) == frame["species"]
    frame.assign(w=np.where(right, 1.0, 9.0)).to_csv("weighted.csv", index=False)
    assert main(["evaluate", flowers.run, "--data", "weighted.csv", "--weight", "w", "--json"]) == 0
    found = Evaluation.from_json(json.loads(capsys.readouterr().out))
    assert found.against_truth["accuracy"].value == pytest.approx(right.sum() / (right.sum() + 9 * (~right).sum()))
