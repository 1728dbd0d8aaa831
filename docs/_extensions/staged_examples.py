"""Copies of the examples as sphinx-gallery takes them: the first line of a docstring becomes the title of a page.

The first line of an example is "What it does: python example.py [ARGUMENTS]". The examples are copied rather than read in
place, so that what they write when they are executed does not end up next to them.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path


def titled(source: str, name: str) -> str:
    """The source of an example with its docstring's first line as a title, and the command in its own sentence.

    Raises:
        ValueError: the first line is something else.
    """
    found = re.match(rf'"""([^\n]+): (python {re.escape(name)}[^\n]*)\n(.*?)"""\n', source, flags=re.DOTALL)
    if found is None:
        raise ValueError(f'examples/{name} does not begin with """What it does: python {name}.')
    title, command, text = found.groups()
    return f'"""\n{title}\n{"=" * len(title)}\n{text}\nRun it with ``{command}``.\n"""\n{source[found.end() :]}'


def located(source: str, path: Path) -> str:
    """The source with `__file__`, which sphinx-gallery does not set, in lines that it does not show."""
    future = "from __future__ import annotations\n"
    head, found, rest = source.partition(future)
    if not found or "__file__" not in rest:
        return source
    return f"{head}{future}# sphinx_gallery_start_ignore\n__file__ = {str(path)!r}\n# sphinx_gallery_end_ignore\n{rest}"


def stage_examples(examples: Path, header: Path, folder: Path) -> None:
    """Copy the examples, their data and the gallery's header into an empty folder."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(examples, folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(header, folder / "GALLERY_HEADER.rst")
    for path in folder.glob("*.py"):
        path.write_text(located(titled(path.read_text(encoding="utf-8"), path.name), path), encoding="utf-8")
