"""The pages in docs/papers are those of their records."""

from pathlib import Path

import pytest

from tutelage.report.papers.page import write_pages

PAGES = Path(__file__).parents[3] / "docs" / "papers"


def test_the_pages_are_what_the_records_give(tmp_path):
    if not PAGES.is_dir():
        pytest.skip("the documentation is not here")
    written = write_pages(PAGES / "records", tmp_path)
    assert sorted(path.name for path in PAGES.iterdir() if path.is_file()) == sorted(path.name for path in written)
    different = [path.name for path in written if path.read_text() != (PAGES / path.name).read_text()]
    assert not different, "run scripts/papers"
