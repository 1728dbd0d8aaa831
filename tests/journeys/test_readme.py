"""The README's promises: its code runs as printed, its commands exist, its options are real."""

import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from tutelage.cli import cli

ROOT = Path(__file__).parents[2]
README, CONTRIBUTING = ((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "CONTRIBUTING.md"))
POINTED_TO = re.findall(r"\]\(([^)h][^)]*)\)", README + CONTRIBUTING) + re.findall(
    r"(?:^|`)(scripts/\w+)", README + CONTRIBUTING, flags=re.MULTILINE
)


def test_the_python_example_runs_as_printed(tmp_path):
    (code,) = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    ran = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert 0 <= float(ran.stdout) <= 1e-5
    assert (tmp_path / "student.onnx").exists()


def test_every_command_and_option_it_names_exists():
    commands = re.findall(r"^tutelage (\w+)", README, flags=re.MULTILINE)
    assert set(commands) == set(cli.commands) == {"preflight", "record", "train", "evaluate", "export", "run"}
    options = {option for command in cli.commands.values() for option in command.params if isinstance(option, click.Option)}
    known = {name for option in options for name in option.opts}
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", README)) <= known


@pytest.mark.parametrize("path", sorted(set(POINTED_TO)))
def test_every_file_it_points_to_is_there(path):
    assert (ROOT / path).exists()
