import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from tutelage.report.page import kind_of, render_page
from tutelage.report.records import Figures


class Balanced(HTMLParser):
    """Collects elements that are opened and never closed."""

    VOID = ("meta", "br", "img", "input", "hr", "link")

    def __init__(self):
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag, attrs):
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.open.pop() == tag


@pytest.fixture(scope="module")
def page(record, figures):
    return render_page(record, figures)


def test_the_page_contains_every_measurement(page):
    for expected in (
        *("No difference detected at this precision between student-soft and student-hard", "98.40 %", "98.13-98.63", "109.7 MB", "1.2"),
        *(
            "no difference",
            "worse",
            "beats",
            "Does it gain?",
            "What is lost?",
            "seeds and test rows",
            "temperature 2",
            "trained from one teacher",
            "200 rows may miss rare losses.",
            "which is not an interval",
        ),
        *("1366", "1400", "1300 to 1500", "Because of two mistakes.", "Knows", "Regions", "Scatter", "27,413,130"),
        *("Few labels", "12,345", "Labels are few &amp; dear."),
        *("3.0e-07", "10,013 rows", "First this.", "12.0 s", "LeCun, CC BY-SA 3.0", "3.11.7"),
    ):
        assert expected in page, expected


def test_text_from_records_is_escaped(page):
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "A title &amp; more" in page


def test_the_page_loads_no_external_resources_and_supports_a_dark_theme(page):
    addresses = set(re.findall(r"https?://[^\s\"'<>)]+", page))
    assert addresses <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
    assert "prefers-color-scheme: dark" in page
    assert 'name="viewport"' in page


def test_every_element_is_closed(page):
    parser = Balanced()
    parser.feed(page)
    assert parser.open == []


def test_a_record_without_plots_or_published_figures_has_no_empty_sections(record):
    bare = render_page(replace(record, published=None, by_labels=None), Figures())
    assert "Results by class" not in bare
    assert "Corrected protocol" not in bare
    assert "Few labels" not in bare
    assert bare.count("<section") < render_page(record, Figures()).count("<section")


def test_a_quick_run_is_marked_as_quick(record, page):
    assert "A quick run" not in page
    assert "A quick run" in render_page(replace(record, options={"quick": True}), Figures())


def test_controls_and_teacher_look_different_from_students(record, page):
    assert [kind_of(arm) for arm in record.arms] == ["teacher", "chosen", "baseline"]
    assert kind_of(replace(record.arms[1], meaning="control: a tree on decisions")) == "control"
    for kind in ("teacher", "chosen", "baseline"):
        assert f"mark {kind}" in page


def test_narrow_screens_stack_every_table_but_matrices(page):
    assert page.count('<table class="stack">') == page.count("<table") - page.count('<table class="heat"')
    assert all(heading in page for heading in ('data-label="Fidelity"', 'data-label="Published"', 'data-label="ms for one row"'))
