"""Streams that cannot be written, a folder that is gone, and names that a terminal would obey: one sentence and an exit status."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.tree import DecisionTreeClassifier

from tutelage.cli import entry, main

ESCAPE = "\x1b[31m[red]"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Rows and a teacher with terminal escapes in the names of a column and of a class."""
    here = tmp_path_factory.mktemp("streams")
    rows = pd.DataFrame(np.random.default_rng(0).normal(size=(20, 2)), columns=["a", f"b{ESCAPE}"])
    rows.to_parquet(here / "rows.parquet")
    skops.io.dump(DecisionTreeClassifier(max_depth=1).fit(rows, np.where(rows.a > 0, ESCAPE, "no")), here / "teacher.skops")
    return here


def shell(line: str, cwd: Path) -> subprocess.CompletedProcess:
    """A line of the shell; `tutelage` stands for the command line under test, and the status is that of the first command."""
    return subprocess.run(
        ["bash", "-c", f"{line}; exit ${{PIPESTATUS[0]}}".replace("tutelage", f"{sys.executable} -m tutelage")],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )


RECORD = "tutelage record teacher.skops --data rows.parquet --into"


@pytest.mark.exhaustive(every=5)
@pytest.mark.parametrize(
    ("line", "status", "sentence"),
    [
        (f"{RECORD} closed >&-", 2, "standard output is closed"),
        (f"{RECORD} full > /dev/full", 2, "the output cannot be written: No space left on device."),
        ("tutelage --help > /dev/full", 2, "the output cannot be written: No space left on device."),
        ("tutelage --help | true", 141, "the program that reads the output has ended"),
        (f"mkdir gone; cd gone; rmdir ../gone; {RECORD} labels", 2, "the current folder no longer exists"),
    ],
)
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_output_that_cannot_be_written_ends_in_one_sentence(folder, line, status, sentence):
    done = shell(line, folder)
    assert done.returncode == status
    said = [each for each in done.stderr.splitlines() if each.startswith("tutelage:")]
    assert len(said) == 1
    assert sentence in said[0]
    assert "Traceback" not in done.stderr
    assert "Exception" not in done.stderr


@pytest.mark.exhaustive
def test_a_closed_standard_error_does_not_stop_the_work(folder):
    done = shell(f"{RECORD} quiet 2>&-", folder)
    assert done.returncode == 0
    assert "20 rows" in done.stdout
    shutil.rmtree(folder / "quiet")


@pytest.mark.filterwarnings("ignore:these are the rows on which the student was trained")
def test_names_do_not_reach_the_terminal_as_escapes(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    said = {}
    for status, line in (
        (0, "record teacher.skops --data rows.parquet --into named"),
        (0, "train tree --labels named --data rows.parquet --out out"),
        (0, "evaluate out --data rows.parquet --labels named"),
        (2, f"record {ESCAPE}.skops --data rows.parquet --into other"),
    ):
        assert main(line.split(" ")) == status
        said[line.split(" ")[0], status] = "".join(capsys.readouterr())
    assert not any("\x1b" in text for text in said.values())
    for verb in (("record", 0), ("evaluate", 0), ("record", 2)):
        assert "\\x1b[31m[red]" in said[verb]


LEAVING = """
import sys
import tutelage as tl


class Estimator:
    classes_ = ["no", "yes"]

    def fit(self, X, y):
        return self

    def predict(self, X):
        return sys.exit(4)

    predict_proba = predict


def answers(rows):
    sys.exit(0)


def builds(inputs, outputs):
    sys.exit(0)


function = tl.as_teacher(answers, kind="probabilities", classes=["no", "yes"], version="1")
estimator = Estimator()
"""


@pytest.mark.parametrize("debug", [[], ["--debug"]])
@pytest.mark.parametrize(
    ("teacher", "said"),
    [
        ("leaving:function", "the teacher's function failed (its code called sys.exit(0), which ends a program)"),
        ("leaving:estimator", "this Estimator cannot take these rows (its code called sys.exit(4), which ends a program)"),
        ("leaving_at_once:x", "the module of leaving_at_once:x cannot be imported (SystemExit: its code called sys.exit(0)"),
    ],
)
def test_code_that_ends_the_program_is_an_error_and_no_end(folder, tmp_path, monkeypatch, capsys, teacher, said, debug):
    (tmp_path / "leaving.py").write_text(LEAVING)
    (tmp_path / "leaving_at_once.py").write_text("import sys\nsys.exit(0)\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("sys.argv", ["tutelage", "record", teacher, "--data", f"{folder}/rows.parquet", "--into", f"{tmp_path}/x", *debug])
    with pytest.raises(SystemExit) as ended:
        entry()
    assert ended.value.code == 2
    error = capsys.readouterr().err
    assert said in error
    assert ("Traceback" in error) == bool(debug)
    assert not (tmp_path / "x" / "manifest.json").exists()


def test_any_other_code_that_ends_the_program_is_no_closed_pipe(monkeypatch, capsys):
    def leaves(*arguments, **options):
        raise SystemExit(0)

    monkeypatch.setattr("tutelage.cli.cli.main", leaves)
    assert main(["record"]) == 2
    assert "the command ended early: code that it called failed (its code called sys.exit(0)" in capsys.readouterr().err
