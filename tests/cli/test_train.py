import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from tutelage.cli import main
from tutelage.cli.options import setting
from tutelage.workflow.train import open_trained


def train(flowers, student="tree", **changed):
    options = {"--labels": flowers.labels, "--data": flowers.rows, "--truth": "species", "--out": "run"} | changed
    return ["train", student, "--drop", "plant", *(part for pair in options.items() for part in pair)]


def test_a_student_is_trained_and_its_folder_records_how(flowers, here, capsys):
    options = {"--set": "max_leaf_nodes=5", "--temperature": "2", "--soft-weight": "0.8", "--seed": "3"}
    assert main(train(flowers, **options)) == 0
    output = capsys.readouterr()
    assert "5 leaves, trained on 100 rows of 4 columns at temperature 2, 80% the teacher's answers" in output.out
    assert output.err.splitlines() == ["labels ...", "train ...", "save ..."]
    assert sorted(path.name for path in (here / "run").iterdir()) == ["run.json", "student.skops"]
    record = json.loads((here / "run" / "run.json").read_text())
    assert record["settings"]["max_leaf_nodes"] == 5
    assert record["settings"]["random_state"] == 3
    assert (record["temperature"], record["soft_weight"]) == (2.0, 0.8)
    manifest = json.loads((Path(flowers.labels) / "manifest.json").read_text())
    assert record["labels"]["teacher"] == manifest["teacher"]
    assert record["labels"]["data"] == manifest["data"]
    assert [column["name"] for column in record["columns"]] == [
        f"{part} (cm)" for part in ("sepal length", "sepal width", "petal length", "petal width")
    ]


def test_json_is_the_only_output(flowers, here, capsys):
    assert main([*train(flowers), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads((here / "run" / "run.json").read_text())


def test_an_earlier_student_is_replaced_and_other_files_are_not(flowers, here, user_error):
    assert main(train(flowers)) == 0
    assert main(train(flowers, "logistic")) == 0
    assert json.loads((here / "run" / "run.json").read_text())["student"] == "logistic"
    (here / "run" / "notes.txt").write_text("mine")
    assert "run already holds other files" in user_error(*train(flowers))


@pytest.mark.parametrize(
    ("student", "changed", "message"),
    [
        ("tree", {"--max-words": "9"}, "--max-words does not apply to rows without --text; leave it out."),
        ("treee", {}, "Did you mean tree?"),
        ("zebra", {}, "expected one of tree, forest, logistic, boosting, mlp"),
        ("tree", {"--set": "max_leaves=3"}, "Did you mean max_leaf_nodes?"),
        ("tree", {"--set": "max_leaf_nodes"}, "write NAME=VALUE"),
        (
            "tree",
            {"--set": "max_leaf_nodes=1"},
            "max_leaf_nodes is 1; expected a whole number, from 2",
        ),
        ("tree", {"--truth": "specie"}, "Did you mean species?"),
        ("tree", {"--data": "nowhere.parquet"}, "there is no file nowhere.parquet"),
        ("tree", {"--labels": "nowhere"}, "there is no folder nowhere; record into it first"),
        ("tree", {"--soft-weight": "1.5"}, "1.5 is not in the range"),
        ("tree", {"--soft-weight": "0.5", "--truth": "plant", "--drop": "species"}, "which are not among the classes"),
        ("tree", {"--temperature": "0"}, "temperature is 0.0"),
        ("mlp", {"--text": "plant", "--drop": "species"}, "cannot be the ground truth or dropped as well"),
    ],
)
def test_a_user_error_is_one_sentence_and_writes_nothing(student, changed, message, flowers, here, user_error):
    assert message in user_error(*train(flowers, student, **changed))
    assert list(here.iterdir()) == []


def test_a_share_of_truth_needs_its_column(flowers, here, user_error):
    command = ["train", "tree", "--labels", flowers.labels, "--data", flowers.rows, "--out", "run", "--soft-weight", "0.5"]
    assert "there is no truth to blend in; pass --truth" in user_error(*command)


def test_labels_for_other_data_are_refused(flowers, here, user_error):
    assert "rows are not among the 100 that these answers were recorded on" in user_error(*train(flowers, **{"--data": flowers.test}))


def test_a_flipped_byte_in_the_labels_is_found(flowers, here, user_error):
    shutil.copytree(flowers.labels, "labels")
    shard = here / "labels" / "part-00000.parquet"
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 1
    shard.write_bytes(content)
    assert "part-00000.parquet is damaged: its SHA-256" in user_error(*train(flowers, **{"--labels": "labels"}))
    assert not (here / "run").exists()


def test_an_unfinished_recording_is_refused(flowers, here, user_error):
    shutil.copytree(flowers.labels, "labels")
    (here / "labels" / "manifest.json").unlink()
    output = user_error(*train(flowers, **{"--labels": "labels"}))
    assert "is not finished (1 shards so far" in output
    assert "Record again to resume it." in output


@pytest.mark.parametrize(
    ("place", "message"), [("taken", "is a file"), ("taken/below", "cannot be written"), ("labels", "already holds other files")]
)
def test_unwritable_places_are_reported_before_any_work(place, message, flowers, here, user_error):
    (here / "taken").write_text("mine")
    shutil.copytree(flowers.labels, "labels")
    assert message in user_error(*train(flowers, "zebra", **{"--out": place}))
    assert (here / "labels" / "manifest.json").exists()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a=3", 3),
        ("a=0.5", 0.5),
        ("a=[32, 16]", [32, 16]),
        ("a=true", True),
        ("a=None", None),
        ("a=sqrt", "sqrt"),
        ("a=x=y", "x=y"),
        ("a=", ""),
    ],
)
def test_settings_are_parsed_by_type(text, value):
    assert setting(text) == ("a", value)


@pytest.mark.filterwarnings("ignore:these are the rows on which the student was trained")
def test_weights_reach_the_student_and_are_not_a_feature(flowers, here, capsys):
    frame = pd.read_parquet(flowers.rows).assign(w=lambda rows: (rows["species"] == "setosa").astype(float))
    frame.to_csv("weighted.csv", index=False)
    given = {"--data": "weighted.csv", "--weight": "w", "--set": "max_leaf_nodes=4"}
    assert main([*train(flowers, **given), "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert (record["data"]["weight"], [column["name"] for column in record["columns"]]) == ("w", [*frame.columns[:4]])
    student, _ = open_trained(Path("run"))
    assert set(student.predict(frame)) == {"setosa"}  # the other rows weigh nothing
    assert main(["evaluate", "run", "--data", "weighted.csv"]) == 0  # the column is left out here too


def test_the_truth_as_a_feature_is_refused(flowers, here, user_error):
    command = ["train", "tree", "--labels", flowers.labels, "--data", flowers.rows, "--out", "run"]
    sentence = user_error(*command)
    assert "column 'species' holds the classes ['setosa', 'versicolor', 'virginica'] and the teacher was not given it" in sentence
    assert "Pass --truth 'species', or --drop 'species'" in sentence
    assert not (here / "run").exists()


def test_columns_that_the_teacher_was_not_given_are_warned_of(flowers, here, capsys):
    assert main(["train", "tree", "--labels", flowers.labels, "--data", flowers.rows, "--truth", "species", "--out", "run"]) == 0
    warned = [line for line in capsys.readouterr().err.splitlines() if "warning" in line]
    assert warned == [
        "tutelage: warning: the teacher was not given the columns ['plant'], and the student learns from them; drop them with --drop.",
        "tutelage: warning: column 'plant' is an identifier (100 different texts); drop it with --drop.",
        "tutelage: warning: the student has 100 leaves for 100 rows: it repeats the rows it has seen. Set max_leaf_nodes.",
    ]
    assert len(json.loads((here / "run" / "run.json").read_text())["warnings"]) == 3
