"""The pages in docs/papers, and the tables that lead to them, are those of their records."""

import re
from pathlib import Path

import pytest

from tutelage.report.papers.page import read_records, with_table, write_pages

ROOT = Path(__file__).parents[3]
PAGES = ROOT / "docs" / "papers"


def test_the_pages_are_what_the_records_give(tmp_path):
    if not PAGES.is_dir():
        pytest.skip("the documentation is not here")
    written = write_pages(PAGES / "records", tmp_path)
    assert sorted(path.name for path in PAGES.iterdir() if path.is_file()) == sorted(path.name for path in written)
    different = [path.name for path in written if path.read_text() != (PAGES / path.name).read_text()]
    assert not different, "run scripts/papers"


@pytest.mark.parametrize(("name", "pages"), [("README.md", "docs/papers"), ("docs/index.md", "papers")])
def test_the_tables_that_lead_are_what_the_records_give(name, pages):
    if not PAGES.is_dir():
        pytest.skip("the documentation is not here")
    records, text = read_records(PAGES / "records"), (ROOT / name).read_text()
    assert f"| [menon2021]({pages}/menon2021.md) |" in text
    assert with_table(text, records, pages) == text, "run scripts/papers"


def test_the_figures_of_the_guide_are_on_the_pages_that_it_names():
    guide = ROOT / "docs" / "guide" / "when-to-distil.md"
    if not guide.is_file():
        pytest.skip("the documentation is not here")
    checked = 0
    for paragraph in re.split(r"\n- |\n\n", guide.read_text()):
        named = re.findall(r"\]\(\.\./papers/([\w-]+)\.md\)", paragraph)
        if not named or "index" in named:
            continue
        shown = set(numbers(" ".join((PAGES / f"{name}.md").read_text() for name in named).replace(",", "").replace(" -", " ")))
        said = numbers(re.sub(r"\[[^]]*\]\([^)]*\)", "", paragraph))
        assert set(said) <= shown, f"{sorted(set(said) - shown)} of {paragraph!r}"
        checked += len(said)
    assert checked > 15


def numbers(text):
    """The numbers of a text without a minus sign, whose thousands a space may separate."""
    found = re.findall(r"(?<![\w.-])(?:\d{1,3}(?: \d{3})+|\d+)(?:\.\d+)?(?![\w-])", text)
    return [number.replace(" ", "") for number in found]
