"""Every page of the documentation does what it shows."""

import pytest
from pages import PAGES, ROOT, blocks, check_page, lacking

from tutelage.exporters.bench import repeats

WITH_CODE = [page for page in PAGES if blocks(page, "python", "pycon", "console")]
FIRST = ROOT / "docs" / "getting-started.md"
"""The page that every run of the tests executes; scripts/docs and `--all` execute all of them."""


@pytest.mark.slow
@pytest.mark.parametrize(
    "page",
    [page if page == FIRST else pytest.param(page, marks=pytest.mark.exhaustive) for page in WITH_CODE],
    ids=lambda page: page.relative_to(ROOT).as_posix(),
)
def test_what_a_page_shows_runs_and_prints_what_it_says(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(repeats, "MOST_PROCESSES", repeats.AGREEING)  # on a busy machine too
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    if missing := lacking(page):
        pytest.skip(f"{', '.join(missing)} not installed; scripts/tools installs what the pages need")
    check_page(page)


def test_what_a_page_needs_is_looked_for_among_programs_and_packages(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("% needs: sh, numpy, no-such-program\n\n# A page\n", encoding="utf-8")
    assert lacking(page) == ["no-such-program"]


@pytest.mark.parametrize(
    "wrong",
    ["```pycon\n>>> 1 + 1\n3\n```\n", "```console\n$ tutelage --version\ntutelage 0.0\n```\n", "```console\n$ tutelage fly\n```\n"],
)
def test_a_page_that_shows_something_else_fails(wrong, tmp_path):
    page = tmp_path / "page.md"
    page.write_text(wrong, encoding="utf-8")
    with pytest.raises(AssertionError, match=r"page\.md, line 2"):
        check_page(page)
