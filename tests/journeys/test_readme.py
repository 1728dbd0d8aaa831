"""The README's promises: its code runs as printed, its commands and options exist, its links lead somewhere."""

import re
import shutil

import click
import pytest
from pages import ROOT, blocks, check_page

from tutelage.cli import cli

README, CONTRIBUTING = ((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "CONTRIBUTING.md"))
POINTED_TO = re.findall(r"\]\(([^)h][^)]*)\)", README + CONTRIBUTING) + re.findall(
    r"(?:^|`)(scripts/\w+)", README + CONTRIBUTING, flags=re.MULTILINE
)


@pytest.mark.exhaustive
@pytest.mark.slow
def test_the_code_and_the_commands_run_as_printed(tmp_path, monkeypatch):
    if not any(map(shutil.which, ("gcc", "clang"))):
        pytest.skip("gcc or clang is not installed; scripts/tools installs both")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    printed = check_page(ROOT / "README.md")
    assert re.search(r"[Ss]hip the tree.*'max_leaf_nodes': \d+.*accuracy +9\d\.\d\d %", printed, flags=re.DOTALL | re.MULTILINE)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["digits.c", "digits.c.json", "examples", "labels", "run"]
    assert re.search(r"^digits\.c: [\d,]+ bytes of C\. Compared with the student on 10,000 rows", printed, flags=re.MULTILINE)


def test_it_shows_a_library_and_a_command_line_that_fit_on_a_screen():
    library, to_c = (block.text.strip().splitlines() for block in blocks(ROOT / "README.md", "python"))
    (commands,) = (block.text.strip().splitlines() for block in blocks(ROOT / "README.md", "console"))
    assert len([line for line in library if line]) <= 11
    assert len(commands) == 3
    assert len([line for line in to_c if line]) == 6


def test_every_command_and_option_it_names_exists():
    fenced = "".join(re.findall(r"^```\w*\n(.*?)^```$", README, flags=re.DOTALL | re.MULTILINE))
    commands = re.findall(r"^(?:\$ )?tutelage (\w+)", fenced, flags=re.MULTILINE)
    assert (
        set(commands)
        == set(cli.commands)
        == {
            *("distill", "predict", "compare", "serve"),
            *("preflight", "record", "plan", "train", "evaluate", "export", "bench", "run"),
        }
    )
    options = {option for command in cli.commands.values() for option in command.params if isinstance(option, click.Option)}
    known = {name for option in options for name in option.opts}
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", README)) <= known


@pytest.mark.parametrize("address", sorted(set(POINTED_TO)))
def test_every_file_and_heading_it_points_to_is_there(address):
    path, _, anchor = address.partition("#")
    target = ROOT / (path or "README.md")
    assert target.exists()
    headings = re.findall(r"^#+ (.*)$", target.read_text(encoding="utf-8"), flags=re.MULTILINE) if anchor else []
    assert not anchor or anchor in [re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-") for heading in headings]
