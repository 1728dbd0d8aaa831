"""Check a built site: python docs/check_site.py build/docs

Every internal link and anchor exists, every public name has a page, and no page loads anything from the network.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

sys.path.insert(0, str(Path(__file__).parent / "_extensions"))
from listing import pages_of, public_names

LOADED = {"script": "src", "img": "src", "iframe": "src", "source": "src"}
"""Tags whose address is fetched when the page is opened; of `link` only style sheets, icons and fonts are."""


class Page(HTMLParser):
    """The anchors of a page, the addresses that it points to, and those that it loads."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect what a tag names, points to or loads."""
        found = {name: value or "" for name, value in attrs}
        self.anchors.update(filter(None, (found.get("id"), found.get("name") if tag == "a" else None)))
        if tag == "a" and "href" in found:
            self.links.append(found["href"])
        loads = LOADED.get(tag, "href" if tag == "link" and found.get("rel") in ("stylesheet", "icon", "preload") else "")
        if loads in found:
            self.loaded.append(found[loads])


def faults(site: Path) -> Iterator[str]:
    """A sentence for each thing that is wrong."""
    pages = {path: Page(path) for path in sorted(site.rglob("*.html")) if "_static" not in path.parts}
    for path, page in pages.items():
        name = path.relative_to(site)
        for address in page.links + page.loaded:
            parts = urlsplit(address)
            if parts.scheme or parts.netloc:
                if address in page.loaded and parts.scheme != "data":
                    yield f"{name} loads {address} from the network."
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            target = target / "index.html" if target.is_dir() else target
            if not target.is_file():
                yield f"{name} points to {address}, which does not exist."
            elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].anchors:
                yield f"{name} points to {address}, and that page has no such anchor."
    for public, documented in pages_of(public_names()).items():
        path = site / "reference" / "generated" / f"{documented}.html"
        if path not in pages or documented not in pages[path].anchors:
            yield f"{public} has no page: {path.relative_to(site)} does not document {documented}."


def main(site: Path) -> int:
    """Print every fault and return the exit status."""
    found = list(faults(site.resolve()))
    print(*found, sep="\n", end="\n" if found else "")
    print(f"{site}: {len(found)} faults." if found else f"{site}: every internal link, anchor and public name was found.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
