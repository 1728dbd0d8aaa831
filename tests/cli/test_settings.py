import warnings

import click
import numpy as np
import pandas as pd
import pytest

from tutelage.cli import cli, main
from tutelage.cli.settings import SHARED, arguments_from_settings
from tutelage.core.errors import BadInput
from tutelage.workflow.train import open_trained


def parsed(command, *arguments):
    """The context of a command, parsed but not run."""
    parent = click.Context(cli, info_name="tutelage")
    return cli.commands[command].make_context(command, list(arguments), parent=parent)


def test_columns_and_types_hold_for_every_command_that_takes_rows(here):
    (here / "tutelage.toml").write_text(
        'truth = "y"\ndrop = ["id", "note"]\nweight = "w"\nkind = "logits"\nclasses = ["a", "b"]\n[dtype]\nzip = "text"\n', encoding="utf-8"
    )
    for command, where in {
        "train": ("tree", "--labels", "l", "--out", "o"),
        "preflight": ("teacher.onnx",),
        "distill": ("teacher.onnx", "--out", "o"),
        "record": ("teacher.onnx", "--into", "o"),
        "evaluate": ("run",),
    }.items():
        found = parsed(command, *where, "--data", "rows.csv").params
        assert (found["truth"], found["drop"], found["dtype"]) == (("y",), ("id", "note"), ("zip=text",)), command
        assert found.get("weight", "w") == "w"
        assert found.get("kind", "logits") == "logits"
        assert found.get("classes", ("a", "b")) == ("a", "b")
    assert "truth" not in parsed("predict", "run", "--data", "new.csv").params
    assert parsed("export", "run", "student.onnx").params["data"] is None


def test_weights_and_groups_are_no_features_of_commands_that_lack_the_options(here, capsys):
    table = pd.DataFrame({"a": np.arange(40.0), "customer": np.arange(40) % 7, "w": 1.0, "day": np.arange(40) % 5, "y": ["n", "y"] * 20})
    table.to_csv(here / "rows.csv", index=False)
    table.drop(columns=["customer", "w"]).to_csv(here / "new.csv", index=False)
    seen = "import numpy as np\ndef ask(rows):\n    assert list(rows) == ['a', 'day']\n    return np.eye(2)[(rows['a'] > 9) * 1]\n"
    (here / "of_two.py").write_text(seen)
    (here / "tutelage.toml").write_text('truth = "y"\ngroup = "customer"\nweight = "w"\ntime = "day"\n')
    teacher = ["of_two:ask", "--kind", "probabilities", "--classes", "n,y"]
    assert main(["record", *teacher, "--data", "rows.csv", "--into", "labels"]) == 0
    assert main(["train", "tree", "--labels", "labels", "--data", "rows.csv", "--out", "run"]) == 0
    assert open_trained(here / "run")[0].columns == ("a", "day")
    for data in ("rows.csv", "new.csv"):
        (here / "tutelage.toml").write_text('truth = "y"\ngroup = "customer"\n')
        given = ["--data", data, "--teacher", *teacher, *(["--drop", "w"] if data == "rows.csv" else [])]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert main(["evaluate", "run", *given]) == 0
            assert main(["compare", "run", "run", *given, "--against", "teacher"]) == 0
    assert main(["record", *teacher, "--data", "new.csv", "--into", "others"]) == 0
    capsys.readouterr()
    (here / "tutelage.toml").write_text('truth = "y"\nweight = {w = 1}\n')
    assert main(["record", *teacher, "--data", "new.csv", "--into", "others"]) == 2
    assert "has weight = {'w': 1}; expected a text or a number." in capsys.readouterr().err


def test_arrays_of_groups_and_times_are_beside_the_rows_of_every_command(here):
    np.savez(here / "rows.npz", pixels=np.eye(4), y=[0, 1, 0, 1], day=np.arange(4), customer=np.arange(4))
    (here / "by_row.py").write_text("def ask(rows):\n    return rows[:, :2]\n")
    (here / "tutelage.toml").write_text('truth = "y"\ngroup = "customer"\ntime = "day"\n')
    assert main(["record", "by_row:ask", "--kind", "logits", "--classes", "0,1", "--data", "rows.npz", "--into", "labels"]) == 0


def test_a_table_is_for_its_command_and_the_command_line_comes_first(here):
    (here / "other.toml").write_text(
        'data = "rows.csv"\ntruth = "y"\n[distill]\nout = "run"\ntrials = 6\nstudents = ["tree", "mlp"]\nmax-size = "64kB"\ntruth = "z"\n'
        "[evaluate]\nseed = 3\n[train.set]\nmax_leaf_nodes = 8\n",
        encoding="utf-8",
    )
    found = parsed("distill", "teacher.onnx", "--settings", "other.toml", "--trials", "9").params
    assert (str(found["out"]), found["trials"], found["students"], found["max_size"]) == ("run", 9, "tree,mlp", "64kB")
    assert (found["truth"], str(found["data"][0]), found["seeds"]) == (("z",), "rows.csv", 5)
    assert parsed("evaluate", "run", "--settings", "other.toml").params["seed"] == 3
    trained = parsed("train", "tree", "--labels", "l", "--out", "o", "--settings", "other.toml").params
    assert trained["settings"] == (("max_leaf_nodes", 8),)


def test_what_a_file_gave_can_be_given_as_arguments(here):
    (here / "tutelage.toml").write_text(
        'data = "rows.csv"\ntruth = "y"\n[dtype]\n"zip code" = "text"\n[distill]\ntrials = 6\n', encoding="utf-8"
    )
    context = parsed("distill", "teacher.onnx", "--out", "run", "--drop", "id")
    arguments = arguments_from_settings(context)
    assert sorted(zip(arguments[::2], arguments[1::2], strict=True)) == [
        ("--data", "rows.csv"),
        ("--dtype", "zip code=text"),
        ("--trials", "6"),
        ("--truth", "y"),
    ]


def test_what_it_says_of_the_teacher_is_left_out_where_there_is_none(flowers, here, capsys):
    (here / "tutelage.toml").write_text('kind = "logits"\nteacher-version = "2"\ntruth = "species"\n', encoding="utf-8")
    assert main(["evaluate", flowers.run, "--data", flowers.test]) == 0
    assert "accuracy" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("thruth = 'y'", "has the key 'thruth'; expected one of data, truth, .* Did you mean truth?"),
        ("trials = 3", r"has the key 'trials'.* Write it below \[distill\]\."),
        ("trust = true", r"has the key 'trust'.* Give --trust on the command line\."),
        (
            "[distill]\ntrails = 3",
            r"the table \[distill\] .* has the key 'trails', which is no option .* Did you mean trials?",
        ),
        ("[distill]\ntrust = true", "has the key 'trust', which is given on the command line alone"),
        ("[destill]\ntrials = 3", "has the key 'destill'; .* Did you mean distill?"),
        ("distill = 3", r"has distill = 3; expected a table, \[distill\]"),
        ("truth = [['y']]", r"has truth = \[\['y'\]\]; expected a text or a number or a list of them"),
        ("[distill]\ntrials = {a = 1}", r"has trials = \{'a': 1\}; expected a text or a number"),
        ("[distill]\njson = 'yes'", "has json = 'yes'; expected true or false"),
        ("truth = ", "is no valid TOML"),
    ],
)
def test_a_mistake_in_it_is_one_sentence(here, user_error, text, said):
    (here / "tutelage.toml").write_text(text, encoding="utf-8")
    with pytest.raises(BadInput, match=said):
        raise BadInput(user_error("distill", "teacher.onnx", "--data", "rows.csv", "--out", "run"))
    assert not (here / "run").exists()


def test_a_value_of_the_wrong_kind_is_refused_as_on_the_command_line(here, user_error):
    (here / "tutelage.toml").write_text("[distill]\ntrials = 'many'", encoding="utf-8")
    assert "'many' is not a valid integer range" in user_error("distill", "teacher.onnx", "--data", "rows.csv", "--out", "run")


def test_a_file_that_is_named_has_to_exist(here, user_error):
    assert "the settings file no.toml cannot be read" in user_error("preflight", "t.onnx", "--data", "rows.csv", "--settings", "no.toml")


def test_shared_keys_are_options_of_some_command():
    options = {name.removeprefix("--") for command in cli.commands.values() for option in command.params for name in option.opts}
    assert set(SHARED) <= options
