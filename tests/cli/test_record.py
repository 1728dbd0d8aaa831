import json
import math
import pickle
import shutil
import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.dummy import DummyClassifier

from tutelage.cli import main
from tutelage.softlabels.folder import open_labels


def test_recording_twice_gives_the_same_result(flowers, here, capsys):
    command = ["record", flowers.teacher, "--data", flowers.rows, "--into", "labels", "--shard-rows", "40"]
    assert main(command) == 0
    output = capsys.readouterr()
    assert "100 rows in 3 files (float64)" in output.out
    assert "Stored without loss." in output.out
    assert output.err.splitlines() == ["teacher ...", "record ..."]
    assert main(command) == 0
    assert capsys.readouterr().out == output.out
    assert open_labels("labels").form.classes == ("setosa", "versicolor", "virginica")


@pytest.mark.parametrize("saving", [("--precision", "float16"), ("--top-k", "1")])
def test_the_loss_of_an_encoding_is_printed(saving, flowers, here, capsys):
    assert main(["record", flowers.teacher, "--data", flowers.rows, "--into", "labels", *saving]) == 0
    cost = open_labels("labels").cost
    assert cost.total > 0
    assert f"encoding: KL in nats {cost.mean:.2g} per row on average, {cost.worst:.2g} at worst" in capsys.readouterr().out


def test_json_is_the_manifest_only(flowers, here, capsys):
    assert main(["record", flowers.teacher, "--data", flowers.rows, "--into", "labels", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads((here / "labels" / "manifest.json").read_text())


def test_a_function_needs_kind_and_classes(flowers, here, user_error):
    (here / "guesses.py").write_text("import numpy as np\n\ndef half(rows):\n    return np.full((len(rows), 2), 0.5)\n")
    command = ["record", "guesses:half", "--data", flowers.rows, "--into", "labels"]
    assert "pass --kind 'logits' or 'probabilities' with --classes" in user_error(*command)
    assert "pass --classes, the label of each" in user_error(*command, "--kind", "probabilities")
    assert main([*command, "--kind", "probabilities", "--classes", "0,1"]) == 0
    assert open_labels("labels").form.classes == (0, 1)


@pytest.mark.parametrize(("text", "classes"), [("a,b", ("a", "b")), ('["0", "1"]', ("0", "1"))])
def test_classes_are_given_with_commas_or_as_json(text, classes, flowers, here):
    (here / "more_guesses.py").write_text("import numpy as np\n\ndef half(rows):\n    return np.full((len(rows), 2), 0.5)\n")
    options = ["--kind", "probabilities", "--classes", text]
    assert main(["record", "more_guesses:half", "--data", flowers.rows, "--into", "labels", *options]) == 0
    assert open_labels("labels").form.classes == classes


def test_a_log_of_votes_on_texts_is_a_teacher(here, user_error):
    texts = [f"text {number}" for number in range(6)]
    pd.DataFrame({"review": texts}).to_csv("texts.csv", index=False)
    with (here / "votes.jsonl").open("w") as log:
        for number, text in enumerate(texts):
            log.write(json.dumps({"text": text, "votes": ["good"] * (number + 1) + ["bad"]}) + "\n")
    command = ["record", "votes.jsonl", "--data", "texts.csv", "--text", "review", "--into", "labels"]
    assert "pass --kind as one of probabilities" in user_error(*command)
    assert "pass --answers, the column" in user_error(*command, "--kind", "votes")
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


def test_a_pickle_needs_trust_and_the_error_says_why(flowers, here, user_error):
    rows = pd.read_parquet(flowers.rows)
    (here / "teacher.pkl").write_bytes(pickle.dumps(DummyClassifier().fit(rows[["petal width (cm)"]], rows["species"])))
    command = ["record", "teacher.pkl", "--data", flowers.rows, "--into", "labels"]
    output = user_error(*command)
    assert "can run any code" in output
    assert "--trust" in output
    assert not (here / "labels").exists()
    assert main([*command, "--trust"]) == 0


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"teacher": "nowhere.skops"}, "there is no file nowhere.skops"),
        ({"teacher": "teacher.docx"}, "cannot tell what kind of teacher teacher.docx is"),
        ({"teacher": "no_such_module:f"}, "there is no module no_such_module"),
        ({"--data": "nowhere.parquet"}, "there is no file nowhere.parquet"),
        ({"--data": "rows.xlsx"}, "expected a .parquet, .csv, .tsv, .jsonl, .npy or .npz file"),
        ({"--truth": "specie"}, "Did you mean species?"),
        ({"--truth": "petal width (cm)"}, "was fitted on rows with the column 'petal width (cm)', the ground truth"),
        ({"--top-k": "3"}, "top_k is 3; expected 1 to 2"),
        ({"--shard-rows": "0"}, "0 is not in the range"),
        ({"--kind": "vots"}, "'vots' is not one of 'probabilities'"),
        ({"--kind": "votes"}, "--kind is 'votes', which is only for logs of answers"),
        (
            {"--text": "plant"},
            "--text names 'plant', whose texts would be the rows, and the teacher reads the columns 'sepal length (cm)', ",
        ),
        ({"--answers": "species"}, "--answers does not apply to the teacher"),
        ({"--precision": "float8"}, "'float8' is not one of"),
    ],
)
def test_a_user_error_is_one_sentence_and_writes_nothing(changed, message, flowers, here, user_error):
    options = {"teacher": flowers.teacher, "--data": flowers.rows, "--into": "labels"} | changed
    teacher = options.pop("teacher")
    assert message in user_error("record", teacher, *(part for pair in options.items() for part in pair))
    assert list(here.iterdir()) == []


def test_a_failing_teacher_is_reported_and_leaves_no_folder(flowers, here, user_error):
    (here / "broken.py").write_text("def ask(rows):\n    raise RuntimeError('out of coffee')\n")
    options = ["--kind", "probabilities", "--classes", "a,b"]
    output = user_error("record", "broken:ask", "--data", flowers.rows, "--into", "labels", *options)
    assert "out of coffee" in output
    assert not (here / "labels").exists()


def test_unwritable_places_are_reported_before_the_teacher_is_opened(flowers, here, user_error):
    (here / "taken").write_text("mine")
    (here / "full").mkdir()
    (here / "full" / "thesis.txt").write_text("years of work")
    for place, message in (("taken", "is a file"), ("full", "already holds other files"), ("taken/below", "cannot be written")):
        assert message in user_error("record", "nowhere.skops", "--data", flowers.rows, "--into", place)
    assert (here / "full" / "thesis.txt").read_text() == "years of work"


def test_another_recording_is_not_touched(flowers, here, user_error):
    shutil.copytree(flowers.labels, "labels")
    output = user_error("record", flowers.teacher, "--data", flowers.rows, "--into", "labels", "--precision", "float16")
    assert "labels holds another recording (dtype is float64 there, float16 here)" in output


def test_a_log_of_tokens_is_mapped_to_classes(here, capsys):
    lines = [
        {
            "text": text,
            "top": [
                {"token": " Yes", "logprob": math.log(p)},
                {"token": "no", "logprob": math.log(0.9 - p)},
                {"token": "I", "logprob": math.log(0.1)},
            ],
        }
        for text, p in (("a", 0.3), ("b", 0.6))
    ]
    (here / "log.jsonl").write_text("\n".join(map(json.dumps, lines)))
    (here / "rows.csv").write_text("text\na\nb\n")
    described = ["--kind", "log-probabilities", "--answers", "top", "--content", "text", "--mapping", " Yes=yes", "--mapping", "I="]
    assert main(["record", "log.jsonl", "--data", "rows.csv", "--text", "text", *described, "--into", "labels", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["classes"] == ["no", "yes"]
    assert open_labels("labels").answer(["b", "a"])[:, 1] == pytest.approx([2 / 3, 1 / 3])
    assert main(["record", "log.jsonl", "--data", "rows.csv", "--text", "text", *described[:-2], "--mapping", "I", "--into", "x"]) == 2
    assert "write TOKEN=CLASS" in capsys.readouterr().err


def test_several_files_are_recorded_together(flowers, here, capsys):
    columns = ["--truth", "species", "--drop", "plant"]
    assert main(["record", flowers.teacher, "--data", flowers.rows, "--data", flowers.test, *columns, "--into", "labels", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rows"] == 149
    assert (
        main(["train", "tree", "--labels", "labels", "--data", flowers.test, "--data", flowers.rows, *columns, "--out", "run", "--json"])
        == 0
    )
    assert json.loads(capsys.readouterr().out)["data"]["files"] == ["test.csv", "rows.parquet"]


def test_the_type_of_a_column_is_declared(here, capsys, user_error, monkeypatch):
    (here / "rows.csv").write_text("zip,x=y\n1,2\n3,4\n")
    monkeypatch.syspath_prepend(here)
    (here / "declared_types.py").write_text("def f(rows):\n    return rows['x=y'] + rows['zip'].str.len()\n")
    given = ["declared_types:f", "--kind", "values", "--data", "rows.csv", "--into", "labels"]
    assert main(["record", *given, "--dtype", "zip=text", "--dtype", "x=y=number", "--json"]) == 0
    assert open_labels("labels").labels.answers.ravel().tolist() == [3, 5]
    assert "write COLUMN=TYPE" in user_error("record", *given, "--dtype", "zip")
    assert "expected one of number, boolean" in user_error("record", *given, "--dtype", "zip=str")
    (here / "rows.csv").write_text("zip,x=y\na,2\n3,4\n")
    sentence = user_error("record", *given, "--dtype", "zip=number")
    assert "column 'zip' of rows.csv holds 'a' in row 0, and numbers are expected" in sentence
    assert "as in --dtype 'column=text'" in sentence


SERVED = """
import numpy as np

class Line:
    def __init__(self, slope):
        self.slope = slope

    def answer_to(self, rows):
        p = 1 / (1 + np.exp(-self.slope * np.asarray(rows)[:, 0].astype(float)))
        return np.column_stack([1 - p, p])

CURRENT = Line({slope})

def f(rows):
    return CURRENT.answer_to(rows)

def behind_a_service(rows, client=(line for line in "ab")):
    return CURRENT.answer_to(rows)
"""


@pytest.fixture
def served(here, monkeypatch):
    """Write the module that holds a teacher, as it would be found by the next process."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def write(slope):
        (here / "served.py").write_text(SERVED.replace("{slope}", str(slope)))
        sys.modules.pop("served", None)

    pd.DataFrame({"x": np.linspace(-2, 2, 30)}).to_csv("rows.csv", index=False)
    yield write
    sys.modules.pop("served", None)


def test_a_function_whose_model_was_trained_again_is_another_teacher(served, user_error):
    command = ["record", "served:f", "--kind", "probabilities", "--classes", "no,yes", "--data", "rows.csv", "--into", "labels"]
    served(1.0)
    assert main(command) == 0
    assert main(command) == 0
    served(2.0)
    assert "labels holds another recording (teacher is function:f:" in user_error(*command)
    versioned = [*command[:-1], "versioned", "--teacher-version", "May"]
    assert main(versioned) == 0
    assert main(versioned) == 0
    served(3.0)
    assert "the teacher now gives other answers than those in versioned: for row 0" in user_error(*versioned)
    assert "version May there, function:f:version June here" in user_error(*versioned[:-1], "June")


def test_a_function_that_holds_a_connection_needs_a_version(served, user_error):
    command = [
        "record",
        "served:behind_a_service",
        "--kind",
        "probabilities",
        "--classes",
        "no,yes",
        "--data",
        "rows.csv",
        "--into",
        "labels",
    ]
    served(1.0)
    sentence = user_error(*command)
    assert "a generator has no content that identifies it" in sentence
    assert "Pass --teacher-version, a text to change whenever its answers change" in sentence
    assert main([*command, "--teacher-version", "1"]) == 0


def test_the_same_rows_in_another_file_are_the_same_recording(flowers, here, user_error, capsys):
    command = ["record", flowers.teacher, "--into", "labels", "--data"]
    assert main([*command, flowers.rows]) == 0
    manifest = (here / "labels" / "manifest.json").read_text()
    frame = pd.read_parquet(flowers.rows)
    frame[frame.columns[::-1]].to_csv("reversed.csv", index=False)
    assert main([*command, "reversed.csv"]) == 0
    assert (here / "labels" / "manifest.json").read_text() == manifest
    frame.assign(**{"sepal width (cm)": "wide"}).to_csv("wide.csv", index=False)
    assert "column 'sepal width (cm)' of wide.csv holds 'wide' in row 0, and numbers are expected" in user_error(*command, "wide.csv")


def test_a_stopped_recording_says_what_stays(flowers, here, monkeypatch, capsys):
    def stopped(*given, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("tutelage.softlabels.recording.record", stopped)
    assert main(["record", flowers.teacher, "--data", flowers.rows, "--into", "labels"]) == 130
    assert "stopped; complete files are in labels, and the same command goes on from there." in capsys.readouterr().err
