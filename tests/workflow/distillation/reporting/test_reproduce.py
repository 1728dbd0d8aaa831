import shutil
import subprocess
from pathlib import Path

import pytest

from tutelage.core.stored.checksums import sha256_of
from tutelage.workflow.distillation.folder import RunFolder
from tutelage.workflow.distillation.reporting.reproduce import script, write_reproduce

ARGUMENTS = ["it's a teacher.pkl", "--data", "my rows.csv", "--drop", "$(touch hacked)", "--truth", "a`b"]
VERSIONS = {"python": "3.11.1", "machine": "x86_64", "tutelage": "0.1.0", "torch": "2.6.0+cpu"}


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with inputs, and a `tutelage` that prints its arguments."""
    monkeypatch.chdir(tmp_path)
    for name in ("it's a teacher.pkl", "my rows.csv"):
        (tmp_path / name).write_text(name, encoding="utf-8")
    command = tmp_path / "bin" / "tutelage"
    command.parent.mkdir()
    command.write_text('#!/bin/sh\nfor one in "$@"; do printf \'%s\\n\' "$one"; done\n', encoding="utf-8")
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{command.parent}:/usr/bin:/bin")
    (tmp_path / "run").mkdir()
    write_reproduce(RunFolder(tmp_path / "run"), ARGUMENTS, [Path("my rows.csv"), Path("it's a teacher.pkl")])
    return tmp_path


@pytest.mark.skipif(shutil.which("sh") is None, reason="needs a shell")
def test_it_gives_the_same_command_again(place):
    for given, out in (([], "run-again"), (["other one"], "other one")):
        printed = subprocess.run(["run/reproduce.sh", *given], capture_output=True, text=True, check=True).stdout.splitlines()
        assert printed == ["distill", *ARGUMENTS, "--settings", "/dev/null", "--out", out]
    assert not (place / "hacked").exists()


NAMES = [
    *("my run", "cost$5", "a}b", "it's", "x$(touch pwned)", 'a"b`touch pwned`'),
    *("-x", "a\\b", "two\ntouch pwned", "INPUTS", "ü", "b\udcff"),
]


@pytest.mark.skipif(shutil.which("sh") is None, reason="needs a shell")
@pytest.mark.parametrize("name", NAMES)
def test_any_name_of_a_folder_and_of_an_input_is_that_name(place, name):
    before = {path.name for path in place.iterdir()}
    (place / name).mkdir()
    file = place / name / f"{name}\nINPUTS\ntouch pwned\n"
    file.write_text("rows")
    write_reproduce(RunFolder(Path(name)), ["a teacher", "--data", str(file)], [file.relative_to(place)])
    for given, out in (([], f"{name}-again"), ([""], f"{name}-again"), ([f"{name} 2"], f"{name} 2")):
        done = subprocess.run(["sh", f"./{name}/reproduce.sh", *given], capture_output=True, check=True)
        expected = ["distill", "a teacher", "--data", str(file), "--settings", "/dev/null", "--out", out]
        assert done.stdout == "".join(f"{one}\n" for one in expected).encode("utf-8", "surrogateescape")
    assert {path.name for path in place.iterdir()} == {*before, name}
    file.write_text("other rows")
    assert subprocess.run(["sh", f"./{name}/reproduce.sh"], capture_output=True, check=False).returncode != 0


@pytest.mark.skipif(shutil.which("sh") is None, reason="needs a shell")
def test_without_inputs_of_this_machine_nothing_is_compared(place):
    write_reproduce(RunFolder(Path("run")), ["chat:model", "--data", "s3://lake/rows"], [])
    printed = subprocess.run(["run/reproduce.sh"], capture_output=True, text=True, check=True).stdout.splitlines()
    assert printed == ["distill", "chat:model", "--data", "s3://lake/rows", "--settings", "/dev/null", "--out", "run-again"]


@pytest.mark.skipif(shutil.which("sh") is None, reason="needs a shell")
def test_changed_inputs_stop_it(place):
    (place / "my rows.csv").write_text("other", encoding="utf-8")
    stopped = subprocess.run(["run/reproduce.sh"], capture_output=True, text=True, check=False)
    assert stopped.returncode != 0
    assert stopped.stdout == "my rows.csv: FAILED\n"


def test_it_names_versions_and_checksums(place):
    text = script(ARGUMENTS, {Path("my rows.csv"): sha256_of(Path("my rows.csv"))}, VERSIONS, again="run-again")
    assert "#   pip install tutelage==0.1.0 torch==2.6.0\n" in text
    assert f"{sha256_of(Path('my rows.csv'))}  my rows.csv\n" in text
    assert "on Python 3.11.1 (x86_64)" in text
