import json
import pickle
import shutil

import numpy as np
import pandas as pd
import pytest
from sklearn.dummy import DummyClassifier

from tutelage.cli import main
from tutelage.softlabels.folder import open_labels


def test_answers_are_recorded_and_recorded_again_without_asking(flowers, here, capsys):
    command = ["record", flowers.teacher, "--data", flowers.rows, "--into", "labels", "--shard-rows", "40"]
    assert main(command) == 0
    said = capsys.readouterr()
    assert "100 rows in 3 files (float64)" in said.out
    assert "Kept bit for bit." in said.out
    assert said.err.splitlines() == ["teacher ...", "record ..."]
    assert main(command) == 0
    assert capsys.readouterr().out == said.out
    assert open_labels("labels").form.classes == ("setosa", "versicolor", "virginica")


@pytest.mark.parametrize("saving", [("--dtype", "float16"), ("--top-k", "1")])
def test_what_a_saving_costs_is_told(saving, flowers, here, capsys):
    assert main(["record", flowers.teacher, "--data", flowers.rows, "--into", "labels", *saving]) == 0
    cost = open_labels("labels").cost
    assert cost.total > 0
    assert f"measured: KL in nats {cost.mean:.2g} a row, at worst {cost.worst:.2g}" in capsys.readouterr().out


def test_json_is_the_manifest_and_nothing_else(flowers, here, capsys):
    assert main(["record", flowers.teacher, "--data", flowers.rows, "--into", "labels", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads((here / "labels" / "manifest.json").read_text())


def test_a_function_is_told_what_its_numbers_are(flowers, here, complaint):
    (here / "guesses.py").write_text("import numpy as np\n\ndef half(rows):\n    return np.full((len(rows), 2), 0.5)\n")
    command = ["record", "guesses:half", "--data", flowers.rows, "--into", "labels"]
    assert "pass --kind 'logits', 'probabilities' or 'values'" in complaint(*command)
    assert "pass --classes, the label of each" in complaint(*command, "--kind", "probabilities")
    assert main([*command, "--kind", "probabilities", "--classes", "0,1"]) == 0
    assert open_labels("labels").form.classes == (0, 1)


@pytest.mark.parametrize(("typed", "classes"), [("a,b", ("a", "b")), ('["0", "1"]', ("0", "1"))])
def test_classes_are_typed_with_commas_or_as_json(typed, classes, flowers, here):
    (here / "more_guesses.py").write_text("import numpy as np\n\ndef half(rows):\n    return np.full((len(rows), 2), 0.5)\n")
    options = ["--kind", "probabilities", "--classes", typed]
    assert main(["record", "more_guesses:half", "--data", flowers.rows, "--into", "labels", *options]) == 0
    assert open_labels("labels").form.classes == classes


def test_a_log_of_votes_over_texts_is_a_teacher(here, complaint):
    texts = [f"text {number}" for number in range(6)]
    pd.DataFrame({"review": texts}).to_csv("texts.csv", index=False)
    with (here / "votes.jsonl").open("w") as log:
        for number, text in enumerate(texts):
            log.write(json.dumps({"text": text, "votes": ["good"] * (number + 1) + ["bad"]}) + "\n")
    command = ["record", "votes.jsonl", "--data", "texts.csv", "--text", "review", "--into", "labels"]
    assert "pass --kind as one of probabilities" in complaint(*command)
    assert "pass --answers, the column" in complaint(*command, "--kind", "votes")
    assert main([*command, "--kind", "votes", "--answers", "votes", "--content", "text"]) == 0
    labels = open_labels("labels")
    assert labels.form.classes == ("bad", "good")
    np.testing.assert_allclose(labels.answer(texts)[:, 0], 1 / np.arange(2, 8))


def test_a_log_is_joined_by_id(flowers, here):
    rows = pd.read_parquet(flowers.rows)
    log = pd.DataFrame({"plant": rows["plant"][::-1], "yes": np.linspace(0, 1, 100), "no": 1 - np.linspace(0, 1, 100)})
    log.to_parquet("log.parquet")
    options = ["--kind", "probabilities", "--answers", "yes", "--answers", "no", "--id", "plant"]
    assert main(["record", "log.parquet", "--data", flowers.rows, "--into", "labels", *options]) == 0
    np.testing.assert_allclose(open_labels("labels").labels.answers[:, 0], np.linspace(1, 0, 100), rtol=1e-6)


def test_a_pickle_needs_trust_and_the_refusal_says_why(flowers, here, complaint):
    rows = pd.read_parquet(flowers.rows)
    (here / "teacher.pkl").write_bytes(pickle.dumps(DummyClassifier().fit(rows[["petal width (cm)"]], rows["species"])))
    command = ["record", "teacher.pkl", "--data", flowers.rows, "--into", "labels"]
    said = complaint(*command)
    assert "can run any code" in said
    assert "--trust" in said
    assert not (here / "labels").exists()
    assert main([*command, "--trust"]) == 0


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"teacher": "nowhere.skops"}, "there is no file nowhere.skops"),
        ({"teacher": "teacher.docx"}, "cannot tell what kind of teacher teacher.docx is"),
        ({"teacher": "no_such_module:f"}, "there is no module no_such_module"),
        ({"--data": "nowhere.parquet"}, "there is no file nowhere.parquet"),
        ({"--data": "rows.xlsx"}, "expected a .parquet, .csv, .jsonl or .npy file"),
        ({"--truth": "specie"}, "Did you mean species?"),
        ({"--drop": "petal width (cm)"}, "the rows lack the columns 'petal width (cm)'"),
        ({"--top-k": "3"}, "top_k is 3; expected 1 to 2"),
        ({"--shard-rows": "0"}, "0 is not in the range"),
        ({"--kind": "vots"}, "'vots' is not one of 'probabilities'"),
        ({"--kind": "votes"}, "votes are what a log of answers holds"),
        ({"--answers": "species"}, "has no use for --answers; leave it out"),
        ({"--dtype": "float8"}, "'float8' is not one of"),
    ],
)
def test_a_mistake_is_one_sentence_and_leaves_nothing(changed, said, flowers, here, complaint):
    options = {"teacher": flowers.teacher, "--data": flowers.rows, "--into": "labels"} | changed
    teacher = options.pop("teacher")
    assert said in complaint("record", teacher, *(part for pair in options.items() for part in pair))
    assert list(here.iterdir()) == []


def test_a_teacher_that_fails_is_named_and_leaves_no_folder(flowers, here, complaint):
    (here / "broken.py").write_text("def ask(rows):\n    raise RuntimeError('out of coffee')\n")
    options = ["--kind", "probabilities", "--classes", "a,b"]
    said = complaint("record", "broken:ask", "--data", flowers.rows, "--into", "labels", *options)
    assert "out of coffee" in said
    assert not (here / "labels").exists()


def test_places_that_cannot_be_written_are_told_before_the_teacher_is_opened(flowers, here, complaint):
    (here / "taken").write_text("mine")
    (here / "full").mkdir()
    (here / "full" / "thesis.txt").write_text("years of work")
    for place, said in (("taken", "is a file"), ("full", "already holds other files"), ("taken/below", "cannot be written")):
        assert said in complaint("record", "nowhere.skops", "--data", flowers.rows, "--into", place)
    assert (here / "full" / "thesis.txt").read_text() == "years of work"


def test_another_recording_is_left_alone(flowers, here, complaint):
    shutil.copytree(flowers.labels, "labels")
    said = complaint("record", flowers.teacher, "--data", flowers.rows, "--into", "labels", "--dtype", "float16")
    assert "labels holds another recording (dtype is float64 there, float16 here)" in said
