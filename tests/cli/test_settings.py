import click
import pytest

from tutelage.cli import cli, main
from tutelage.cli.settings import SHARED, arguments_from_settings
from tutelage.core.errors import BadInput


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
