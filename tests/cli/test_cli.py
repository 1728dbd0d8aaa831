"""Every user error is one sentence on stderr with its exit status, and writes nothing."""

import gzip
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tutelage.cli import entry, main
from tutelage.core.stored.checksums import write_tensors


def _complaint(capsys: pytest.CaptureFixture[str]) -> str:
    """The sentence on stderr, after checking that it is one line and not a traceback."""
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1, lines
    assert lines[0].startswith("tutelage: ")
    return lines[0]


def test_without_a_command_the_help_is_printed_as_it_stands(capsys):
    assert main([]) == 2
    shown = capsys.readouterr()
    assert shown.err.startswith("Usage: tutelage [OPTIONS] COMMAND [ARGS]...\n\n  Knowledge distillation")
    assert "\n  distill    Distil TEACHER into a small student" in shown.err
    assert max(map(len, shown.err.splitlines())) <= 100
    assert shown.out == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "mnits"], "Did you mean mnist?"),
        (["run", "zebra"], "there are moons, mnist, friedman, tiny"),
        (["rum", "mnist"], "Did you mean"),
        (["run", "mnist", "--sed", "3"], "--seed"),
        (["run", "moons", "--seeds", "1"], "1 is not in the range"),
        (["run", "moons", "--seed", "x"], "'x' is not a valid integer"),
        (["run", "moons", "--as-published"], "moons has no separate published protocol"),
        (["run", "mnist", "--as-published", "--quick"], "choose one of the two"),
        (["run"], "Missing argument 'RECIPE'"),
        (["export", "nowhere", "student.onnx"], "there is no folder nowhere; name one that"),
        (["bench", "nowhere"], "there is no folder nowhere; name one that"),
        (["export", ".", "student.onnx"], ". is not a run: it has no results.json"),
        (["export", "nowhere", "student.pmml"], "ends in '.pmml'; expected one of"),
    ],
)
def test_a_user_error_is_one_sentence(arguments, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    assert message in _complaint(capsys)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", [[], ["record"], ["train"], ["evaluate"], ["preflight"]])
def test_help_loads_no_heavy_package(command):
    heavy = ("torch", "sklearn", "scipy", "numpy", "pyarrow", "pandas", "onnx", "matplotlib")
    code = f"import sys, tutelage.cli\nstatus = tutelage.cli.main({[*command, '--help']})\n"
    code += f"print(status, [name for name in {heavy} if name in sys.modules])"
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert finished.stdout.splitlines()[-1] == "0 []"


def test_debug_shows_the_traceback():
    with pytest.raises(Exception, match="mnits"):
        main(["run", "mnits", "--debug"])


def test_an_output_folder_that_is_a_file_is_refused_before_any_work(capsys, tmp_path):
    (tmp_path / "taken").write_text("mine")
    assert main(["run", "moons", "--quick", "--out", str(tmp_path / "taken"), "--cache", str(tmp_path / "cache")]) == 2
    assert "is a file, but a folder will be written there" in _complaint(capsys)
    assert (tmp_path / "taken").read_text() == "mine"


def test_a_folder_with_other_files_is_not_touched(capsys, tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    assert main(["run", "moons", "--quick", "--out", str(tmp_path), "--cache", str(tmp_path / "cache")]) == 2
    assert "already holds other files" in _complaint(capsys)
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


@pytest.mark.parametrize("option", ["--out", "--cache", "--json"])
def test_a_path_below_a_file_cannot_be_written(option, capsys, tmp_path):
    (tmp_path / "file").write_text("")
    places = {"--out": tmp_path / "run", "--cache": tmp_path / "cache"} | {option: tmp_path / "file" / "below"}
    assert main(["run", "moons", "--quick", *(str(part) for pair in places.items() for part in pair)]) == 2
    assert "cannot be written" in _complaint(capsys)
    assert not (tmp_path / "run").exists()


def test_damaged_data_is_reported_before_training(capsys, tmp_path, monkeypatch):
    shutil.copytree(Path(__file__).parents[2] / "datasets" / "mnist", tmp_path / "mnist")
    labels = tmp_path / "mnist" / "train-labels-idx1-ubyte.gz"
    content = bytearray(gzip.decompress(labels.read_bytes()))
    content[100] ^= 1
    labels.write_bytes(gzip.compress(content))
    monkeypatch.setenv("TUTELAGE_MNIST", str(tmp_path / "mnist"))
    assert main(["run", "mnist", "--quick", "--out", str(tmp_path / "run"), "--cache", str(tmp_path / "cache")]) == 2
    output = capsys.readouterr().err.strip().splitlines()[-1]
    assert "train-labels-idx1-ubyte.gz is damaged" in output
    assert "TUTELAGE_MNIST names this folder" in output
    assert [path.name for path in tmp_path.iterdir()] == ["mnist"]


def test_only_tiny_fashion_accepts_a_folder_of_data(capsys, tmp_path):
    places = ["--data", str(tmp_path), "--out", str(tmp_path / "run"), "--cache", str(tmp_path / "cache")]
    assert main(["run", "mnist", "--quick", *places]) == 2
    assert "mnist includes its data. Leave --data out." in _complaint(capsys)
    assert main(["run", "tiny-fashion", "--quick", *places]) == 2
    output = capsys.readouterr().err.strip().splitlines()[-1]
    assert f"{tmp_path} holds neither train-images-idx3-ubyte.gz nor train-images-idx3-ubyte" in output
    assert "Download the four files of Fashion-MNIST again" in output


@pytest.mark.exhaustive
@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda path: write_tensors(path, {}, {"schema": 99}, framework="numpy"), "cache schema 99"),
        (lambda path: path.write_bytes(path.read_bytes()[:-1]), "is damaged"),
    ],
)
def test_an_unusable_cache_entry_names_the_remedy(change, message, moons, capsys, tmp_path):
    cache = tmp_path / "cache"
    shutil.copytree(moons.cache, cache)
    for path in cache.glob("*.safetensors"):
        change(path)
    assert main(["run", *moons.options, "--out", str(tmp_path / "run"), "--cache", str(cache)]) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert message in error
    assert "--fresh" in error
    assert not (tmp_path / "run").exists()


@pytest.mark.exhaustive
@pytest.mark.slow
def test_json_on_standard_output_is_the_only_output(moons, capsys, tmp_path):
    options = ["run", *moons.options, "--out", str(tmp_path / "run"), "--cache", str(moons.cache), "--json", "-"]
    assert main(options) == 0
    assert json.loads(capsys.readouterr().out)["arms"] == json.loads((tmp_path / "run" / "results.json").read_text())["arms"]


def test_version_and_help(capsys):
    assert main(["--version"]) == 0
    assert main(["run", "--help"]) == 0
    output = capsys.readouterr().out
    assert output.startswith("tutelage 0.")
    assert all(option in output for option in ("--quick", "--as-published", "--seed", "--seeds", "--out", "--json", "--fresh"))


@pytest.mark.parametrize(("before", "after"), [(None, "passive"), ("active", "active")])
def test_openmp_threads_wait_passively_unless_the_user_sets_it(before, after, monkeypatch):
    monkeypatch.setenv("OMP_WAIT_POLICY", before or "")
    if before is None:
        monkeypatch.delenv("OMP_WAIT_POLICY")
    monkeypatch.setattr("tutelage.cli.main", lambda: 3)
    with pytest.raises(SystemExit) as stop:
        entry()
    assert (stop.value.code, os.environ["OMP_WAIT_POLICY"]) == (3, after)


def test_a_warning_is_shown_once(capsys):
    import warnings

    from tutelage.cli import _one_line_warnings

    with _one_line_warnings():
        for _ in range(3):
            with warnings.catch_warnings():  # what a library does, and what makes Python forget
                warnings.simplefilter("always")
                warnings.warn("the search\nhas not converged.", stacklevel=1)
        warnings.showwarning("another.", UserWarning, "", 1)
    assert capsys.readouterr().err == "tutelage: warning: the search has not converged.\ntutelage: warning: another.\n"
