import json

import pandas as pd
import pytest

from tutelage.cli import main


@pytest.fixture
def here(tmp_path, monkeypatch):
    (tmp_path / "of_rows.py").write_text(
        "import numpy as np\n\ndef half(rows):\n    return np.full((len(rows), 2), 0.5)\n",
        encoding="utf-8",
    )
    pd.DataFrame({"a": range(50), "b": range(50)}).to_csv(tmp_path / "rows.csv", index=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


TEACHER = ["of_rows:half", "--data", "rows.csv", "--kind", "probabilities", "--classes", "no,yes", "--shard-rows", "20"]


def files_of(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_plan_is_labelled_shard_by_shard_and_finished_as_record_would(here, capsys):
    assert main(["record", *TEACHER, "--into", "one"]) == 0
    plan = ["plan", *TEACHER, "--into", "many"]
    capsys.readouterr()
    assert main(plan) == 0
    assert capsys.readouterr().out == "many: 50 rows in 3 shards of 20, 3 missing (first: 0).\n"
    assert main([*plan, "--label", "1-2"]) == 0
    assert "1 missing (first: 0)" in capsys.readouterr().out
    assert main([*plan, "--label", "missing", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["shards"], shown["missing"], shown["finished"]) == (3, [], False)
    assert main([*plan, "--finish"]) == 0
    assert capsys.readouterr().out == "many: 50 rows in 3 shards, finished and proven.\n"
    assert files_of(here / "many") == files_of(here / "one")
    for more in ([], ["--label", "2"], ["--label", "missing"], ["--finish"]):
        assert main([*plan, *more]) == 0
        assert capsys.readouterr().out == "many: 50 rows in 3 shards, finished and proven.\n"
    assert main([*plan, "--label", "2", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["missing"], shown["finished"]) == ([], True)


def test_a_language_model_is_no_teacher_of_a_plan(here, user_error, capsys):
    said = user_error("plan", "chat:m-1", "--data", "rows.csv", "--into", "many")
    assert "chat:m-1 is asked many texts at a time already" in said
    assert said.endswith("record its answers in one, with tutelage record.")
    assert main(["plan", "--help"]) == 0
    assert "chat: only" not in capsys.readouterr().out


def test_the_plan_of_a_recording_that_is_finished_says_so(here, capsys):
    assert main(["record", *TEACHER, "--into", "one"]) == 0
    capsys.readouterr()
    assert main(["plan", *TEACHER, "--into", "one"]) == 0
    assert capsys.readouterr().out == "one: 50 rows in 3 shards, finished and proven.\n"


@pytest.mark.parametrize("given", ["3", "0-3", "2-1", "x", "1-", "-1"])
def test_shards_that_there_are_not_are_refused(here, capsys, given):
    assert main(["plan", *TEACHER, "--into", "many", f"--label={given}"]) == 2
    assert "label is" in capsys.readouterr().err


def test_finishing_too_early_says_what_is_missing(here, capsys):
    assert main(["plan", *TEACHER, "--into", "many", "--label", "0", "--finish"]) == 2
    assert "2 of the 3 shards in many are not labelled (first: 1)" in capsys.readouterr().err


@pytest.mark.exhaustive
def test_record_asks_in_other_processes(here):
    assert main(["record", *TEACHER, "--into", "one"]) == 0
    assert main(["record", *TEACHER, "--into", "many", "--on", "local:2"]) == 0
    assert files_of(here / "many") == files_of(here / "one")


@pytest.mark.parametrize("given", ["locl", "local:", "local:0", "ray:many", ""])
def test_where_to_ask_is_checked(here, capsys, given):
    assert main(["record", *TEACHER, "--into", "many", "--on", given]) == 2
    assert f"--on is {given!r}; expected local, ray, or one of them with a number of workers" in capsys.readouterr().err
    assert not (here / "many").exists()


@pytest.mark.exhaustive
def test_an_object_of_a_module_in_a_package_is_sent_by_its_name(here):
    package = here / "package_of_rows"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "teachers.py").write_text(
        "import threading\n\nfrom sklearn.linear_model import LinearRegression\n\n\n"
        "X = [[1.0, 2.0], [2.0, 1.0], [3.0, 5.0]]\nmodel = LinearRegression().fit(X, [1.0, 2.0, 3.0])\nmodel.lock = threading.Lock()\n",
        encoding="utf-8",
    )
    recording = ["record", "package_of_rows.teachers:model", "--data", "rows.csv", "--shard-rows", "20"]
    assert main([*recording, "--into", "one"]) == 0
    assert main([*recording, "--into", "many", "--on", "local:1"]) == 0
    assert files_of(here / "many") == files_of(here / "one")
