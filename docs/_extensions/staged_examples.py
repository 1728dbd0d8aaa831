"""Copies of the examples as sphinx-gallery takes them: the first line of a docstring becomes the title of a page.

The first line of an example is "What it does: python example.py [ARGUMENTS]". The examples are copied rather than read in
place, so that what they write when they are executed does not land beside them.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path


def titled(source: str, name: str) -> str:
    """The source of an example with its docstring's first line as a title, and the command in a sentence of its own.

    Raises:
        ValueError: the first line is something else.
    """
    first = re.match(rf'"""(.+): (python {re.escape(name)}.*)\n', source)
    if first is None:
        raise ValueError(f'examples/{name} does not begin with """What it does: python {name}.')
    title, command = first[1], first[2]
    return f'"""\n{title}\n{"=" * len(title)}\n\nRun it with ``{command}``.\n{source[first.end() :]}'


def stage_examples(examples: Path, header: Path, folder: Path) -> None:
    """Copy the examples, their data and the gallery's header into an empty folder."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(examples, folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(header, folder / "GALLERY_HEADER.rst")
    for path in folder.glob("*.py"):
        path.write_text(titled(path.read_text(encoding="utf-8"), path.name), encoding="utf-8")
