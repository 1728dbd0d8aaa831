"""Pages of the site that are files at the root of the repository, copied with their links adjusted.

The README and its siblings must read well in the repository, so their links start there: `docs/objectives.md` in
CONTRIBUTING.md becomes `../objectives.md` in docs/development/contributing.md.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.application import Sphinx

COPIES = {
    "development/architecture.md": "ARCHITECTURE.md",
    "development/contributing.md": "CONTRIBUTING.md",
    "development/changelog.md": "CHANGELOG.md",
}
EXPERIMENTS = "experiments.md"
INTRODUCTION = """# Experiments

tutelage comes with whole experiments: teacher, students, controls and intervals in one command. They are the evidence for
what this documentation says, and examples of a fair comparison.
"""


def rewritten(text: str, page: str) -> str:
    """The text with its links leading from `page` to the same places.

    A link to a file that is not part of the site becomes its path as code.
    """
    places = {source: copy for copy, source in COPIES.items()} | {"README.md": "index.md"}

    def link(found: re.Match[str]) -> str:
        label, address = found[1], found[2]
        if re.match(r"[a-z]+:|#", address):
            return found[0]
        path, _, anchor = address.partition("#")
        target = places.get(path) or (path.removeprefix("docs/") if path.startswith("docs/") else None)
        if target is None:
            return label if label.strip("`") == path else f"{label} (`{path}`)"
        return f"[{label}]({posixpath.relpath(target, posixpath.dirname(page) or '.')}{'#' + anchor if anchor else ''})"

    return re.sub(r"(?<!!)\[([^\]]+)\]\(([^)]+)\)", link, text)


def write_copies(app: Sphinx) -> None:
    """Write each copy whose text changed."""
    root, docs = Path(app.srcdir).parent, Path(app.srcdir)
    pages = {page: rewritten((root / source).read_text(encoding="utf-8"), page) for page, source in COPIES.items()}
    readme = (root / "README.md").read_text(encoding="utf-8")
    section = re.search(r"<!-- experiments -->\n(.*?)<!-- end of experiments -->", readme, flags=re.DOTALL)
    if section is None:
        raise ValueError("README.md has no section between <!-- experiments --> and <!-- end of experiments -->.")
    pages[EXPERIMENTS] = INTRODUCTION + rewritten(section[1], EXPERIMENTS)
    for page, text in pages.items():
        path = docs / page
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.connect("builder-inited", write_copies)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
