import pytest

from tutelage.report.shell import Drawn, heat_cells, icon, render, share


@pytest.mark.parametrize(("value", "text"), [(0.0, ""), (0.0004, ""), (0.0006, "0.1"), (0.0994, "9.9"), (0.0996, "10"), (1.0, "100")])
def test_shares_are_short_enough_for_a_cell(value, text):
    assert share(value) == text


def test_small_shares_remain_visible():
    (first, cells), *_ = heat_cells(("a", "b"), ((0.9, 0.1), (0.0002, 0.9998)))
    assert first == "a"
    assert cells[1].strength == pytest.approx(0.1**0.5)


def test_a_page_is_whole_escapes_its_title_and_holds_its_style():
    page = render("shell.html.j2", title="</title><script>\u202e\ud800")
    assert page.startswith("<!doctype html>")
    assert "<script" not in page
    assert "&lt;/title&gt;&lt;script&gt;\\u202e\\ud800" in page
    assert "prefers-color-scheme: dark" in page
    page.encode()


@pytest.mark.parametrize("kind", ["chosen", "baseline", "control", "teacher", "limit", "trial", "curve teacher"])
def test_every_kind_has_an_icon(kind):
    assert isinstance(icon(kind), Drawn)
    assert kind in icon(kind).svg
