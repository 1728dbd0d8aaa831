import json
import shutil
from dataclasses import replace
from pathlib import Path

import click
import numpy as np
import pytest
from torch import nn

import tutelage as tl
from tutelage.cli.options import as_options, class_weights, labels, network_option, networks_option
from tutelage.core.errors import BadInput
from tutelage.core.stored.checksums import with_checksum
from tutelage.students.saved.save_load import loaded_student
from tutelage.students.saved.trained_folder import read_trained
from tutelage.workflow.compare import open_both
from tutelage.workflow.train import file_entry


class Own(nn.Module):
    """A network that no list of layers describes."""

    def __init__(self):
        super().__init__()
        self.out = nn.Linear(3, 2)

    def forward(self, rows):
        return self.out(rows)


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ((), None),
        (("balanced",), "balanced"),
        (("fraud=10,ok=1",), {"fraud": 10.0, "ok": 1.0}),
        (("fraud=10", "ok=0.5"), {"fraud": 10.0, "ok": 0.5}),
        (("a, b=2,c=1e2",), {"a, b": 2.0, "c": 100.0}),
        (("a=b=2",), {"a=b": 2.0}),
        (("1=5, 0 = .5",), {"1": 5.0, "0": 0.5}),
        (("fraud=-1",), {"fraud": -1.0}),
    ],
)
def test_weights_of_classes_are_parsed(given, found):
    assert class_weights(given) == found


@pytest.mark.parametrize("given", [("even",), ("fraud",), ("fraud=",), ("fraud=many",), ("=3",), ("a=1.2.3",)])
def test_other_texts_are_refused(given):
    with pytest.raises(click.BadParameter, match=r"write CLASS=WEIGHT, for example fraud=10,ok=1"):
        class_weights(given)


@pytest.mark.parametrize("given", [("balanced", "a=1"), ("a=1", " balanced"), ("balanced", "balanced")])
def test_balanced_stands_alone(given):
    with pytest.raises(click.BadParameter, match=r"balanced stands alone; write either balanced or CLASS=WEIGHT"):
        class_weights(given)


def test_arguments_in_messages_become_options():
    assert as_options("with dtype={'kind': 'text'}.") == "with --dtype 'kind=text'."
    assert as_options("pass class_weight='balanced'") == "pass --class-weight 'balanced'"
    assert as_options("cannot be sent, or leave on= out.") == "cannot be sent, or leave --on out."
    assert as_options("Pass as_teacher(..., version=), a text, or version=.") == "Pass --teacher-version, a text, or --teacher-version."
    assert as_options("a teacher; votes with read_answers(..., smoothing=1).") == "a teacher; votes with --smoothing 1."
    assert as_options("query again, or pass smoothing=.") == "query again, or pass --smoothing."
    assert as_options("Finish it, tl.plan(...).finish(), or delete it.") == "Finish it, tutelage plan ... --finish, or delete it."
    assert as_options("in one: tl.record(teacher, data, into=...), without on=.") == "in one: tutelage record."
    assert as_options("text= names 'a'; leave text= out") == "--text names 'a'; leave --text out"
    assert as_options("beyond the range of float32; pass dtype='float64'.") == "beyond the range of float32; pass --precision float64."
    assert as_options("both must be equal. Pass id_column= and ids=.") == "both must be equal. Pass --id."
    assert as_options("change model, prompt=, max_tokens=, temperature= or request=.") == "change model, --prompt, or --max-tokens."
    assert as_options("teacher_version= does not apply") == "--teacher-version does not apply"
    assert as_options("Load it with --trust (trust=True) only") == "Load it with --trust (trust=True) only"


def test_a_network_is_named_as_for_distill(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "builders_by_name.py").write_text(
        "from torch import nn\n\nimport tutelage as tl\n\nbuild = nn.Identity\npair = (build, {})\nestimator = tl.TorchClassifier(build)\n"
        "one = {'net': pair}\nother = {'net': (estimator, {})}\nseveral = {'net': pair, 'wide': pair}\n"
        "wrapped = nn.DataParallel(nn.Identity())\n"
    )
    command = click.command()(network_option(lambda network: network))
    for name in ("build", "pair", "estimator", "one", "other"):
        assert command.main(["--network", f"builders_by_name:{name}"], standalone_mode=False).__name__ == "Identity"
    assert type(command.main(["--network", "builders_by_name:wrapped"], standalone_mode=False)).__name__ == "DataParallel"
    assert command.main([], standalone_mode=False) is None
    with pytest.raises(
        BadInput, match=r"several holds 2 students \(net, wide\).*Name the function or class of that student, as builders_by"
    ):
        command.main(["--network", "builders_by_name:several"], standalone_mode=False)
    with pytest.raises(BadInput, match=r"has no 'builds'.*Did you mean build"):
        command.main(["--network", "builders_by_name:builds"], standalone_mode=False)


def test_two_networks_are_named_for_two_folders(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "builders_of_two.py").write_text("from torch.nn import Identity, Tanh\n")
    command = click.command()(networks_option(lambda networks: networks))
    names = ["--network", "builders_of_two:Identity", "--network", "builders_of_two:Tanh"]
    assert [one.__name__ for one in command.main(names, standalone_mode=False)] == ["Identity", "Tanh"]
    assert command.main([], standalone_mode=False) == ()
    with pytest.raises(click.BadParameter, match="3 networks are named; name one, or two: first that of RUN_A"):
        command.main([*names, *names[:2]], standalone_mode=False)


def test_other_code_stops_a_command(tmp_path):
    path = tl.save_student(tl.TorchClassifier(Own, epochs=1).fit(np.eye(3), [0, 1, 1]), tmp_path / "student")
    changed = type("Own", (Own,), {"forward": lambda self, rows: 2 * Own.forward(self, rows)})
    built = {"Own": Own, "changed": changed}
    command = click.command()(click.argument("name")(network_option(lambda name, network: loaded_student(path, built[name]))))
    assert command.main(["Own"], standalone_mode=False).network_.out.out_features == 2
    with pytest.raises(
        BadInput, match=r"--network builds has .* but other code.*Name the code that it was trained with, or ask an exported"
    ):
        command.main(["changed"], standalone_mode=False)


def test_a_network_that_is_not_needed_is_refused(flowers, user_error, tmp_path):
    with pytest.raises(BadInput, match="holds no network whose layers it does not describe"):
        open_both(Path(flowers.run), Path(flowers.run), [Own])
    given = ("--data", flowers.test, "--network", "torch.nn:Identity")
    assert "describe; leave --network out" in user_error("evaluate", flowers.run, *given)
    assert "describe; leave --network out" in user_error("compare", flowers.run, flowers.run, *given)
    assert "which needs no code; leave --network out, or --file" in user_error("predict", flowers.run, *given, "--file", "student.onnx")


def test_one_network_is_used_where_it_is_needed(flowers, tmp_path):
    tree, network = Path(flowers.run), tmp_path / "network"
    shutil.copytree(tree, network)
    of_tree = tl.load_student(tree)
    learnt = tl.TorchClassifier(Own, epochs=1).fit(np.eye(3), [0, 1, 1])
    path = tl.save_student(replace(of_tree, student_=learnt), network / "student")
    record = {name: value for name, value in read_trained(network).items() if name != "sha256"} | {"file": file_entry(path)}
    (network / "run.json").write_text(json.dumps(with_checksum(record)))
    for modules in ([Own], [None, Own]):
        a, b = open_both(tree, network, modules)
        assert type(a.students[0].student_) is type(of_tree.student_)
        assert type(b.students[0].student_.network_) is Own
    with pytest.raises(BadInput, match="leave network= out"):
        open_both(tree, network, [Own, Own])


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ("0,1", (0, 1)),
        ("-1, 1", (-1, 1)),
        ("00,01", ("00", "01")),
        ("01,10", ("01", "10")),
        ("+1,-1", ("+1", "-1")),
        ("1_0,2", ("1_0", "2")),
        ('["0", 1]', ("0", 1)),
        ("no,yes", ("no", "yes")),
    ],
)
def test_classes_are_whole_numbers_where_tables_read_them_so(given, found):
    assert labels(given) == found
    assert tuple(map(type, labels(given))) == tuple(map(type, found))
