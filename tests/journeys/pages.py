"""Runs what a Markdown page shows: its Python, its interpreter sessions and its commands, in order, in one folder.

A block marked `python` is executed as it stands, `pycon` is a doctest, `console` holds commands after `$ ` and what they print.
A page's blocks share one namespace. What should not run (an installation, a download, a placeholder) is marked `text` or `bash`.
"""

from __future__ import annotations

import contextlib
import doctest
import io
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tutelage.cli import main

ROOT = Path(__file__).parents[2]
PAGES = [path for path in sorted((ROOT / "docs").rglob("*.md")) if path.parent.name != "development" and path.name != "experiments.md"]
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its text and the line on which the text begins."""

    language: str
    text: str
    line: int


def blocks(page: Path, *languages: str) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    fences = re.finditer(r"^([ ]*)```(\w+)\n(.*?)^\1```$", text, flags=re.DOTALL | re.MULTILINE)
    found = [Block(each[2], each[3], text[: each.start(3)].count("\n") + 1) for each in fences]
    return [block for block in found if block.language in languages]


def lacking(page: Path) -> list[str]:
    """Programs and packages that a page names in a line `% needs: gcc, executorch` and that are not installed."""
    needed = re.findall(r"^% needs: (.+)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    names = [name.strip() for line in needed for name in line.split(",")]
    return [name for name in names if shutil.which(name) is None and find_spec(name) is None]


def check_page(page: Path) -> str:
    """Run every block of a page in the current folder; return what the `python` blocks and the commands printed.

    Raises:
        AssertionError: a session or a command printed something else, or a command failed.
    """
    names: dict[str, Any] = {"__name__": "__main__"}
    printed = []
    for block in blocks(page, "python", "pycon", "console"):
        where = f"{page.name}, line {block.line}"
        if block.language == "pycon":
            check_session(block, names, where)
            continue
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            if block.language == "python":
                exec(compile("\n" * (block.line - 1) + block.text, str(page), "exec"), names)  # noqa: S102 - the page's own code
            else:
                for command, expected in commands(block):
                    check_command(command, expected, where)
        printed.append(out.getvalue())
    return "".join(printed)


def check_session(block: Block, names: dict[str, Any], where: str) -> None:
    test = doctest.DocTestParser().get_doctest(block.text, names, where, None, block.line - 1)
    test.globs = names  # one namespace for the page, where doctest would copy it
    report = io.StringIO()
    result = doctest.DocTestRunner(optionflags=FLAGS).run(test, out=report.write, clear_globs=False)
    assert result.failed == 0, f"{where}:\n{report.getvalue()}"


def commands(block: Block) -> Iterator[tuple[str, str]]:
    """Each command and what it is shown to print; a backslash at the end of a line continues it."""
    for part in re.split(r"^\$ ", block.text.replace("\\\n", " "), flags=re.MULTILINE)[1:]:
        command, _, expected = part.partition("\n")
        yield command, expected


def check_command(command: str, expected: str, where: str) -> None:
    program, *arguments = shlex.split(command)
    if program == "tutelage":  # in this process, which has loaded the packages already
        out, errors = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors):
            status, printed = main(arguments), ""
        printed = out.getvalue()
    else:
        python = [sys.executable] if program == "python" else [program]
        ran = subprocess.run([*python, *arguments], capture_output=True, text=True, check=False)
        status, printed, errors = ran.returncode, ran.stdout, io.StringIO(ran.stderr)
    assert status == 0, f"{where}: {command}\n{errors.getvalue()}"
    print(printed, end="")
    shown = f"{where}: {command}\nexpected:\n{expected}\nprinted:\n{printed}"
    assert not expected or doctest.OutputChecker().check_output(expected, printed, FLAGS), shown
