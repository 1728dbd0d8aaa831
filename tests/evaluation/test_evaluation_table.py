import io
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from rich.console import Console

from tutelage.evaluation.records import Estimate
from tutelage.evaluation.table import NAMES, figure_text


class Cells(HTMLParser):
    """The texts of an HTML table; fails if a tag is not closed."""

    def __init__(self, html):
        super().__init__()
        self.open, self.texts = [], []
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


def test_the_text_shows_figure_interval_and_teacher(evaluated):
    lines = {line.split("  ")[1] if line.startswith("  ") else line: line.split() for line in str(evaluated).splitlines()}
    assert lines["accuracy"] == ["accuracy", "91.25", "%", "89.00", "to", "93.00", "95.00", "%"]
    assert lines["worst class (no)"][3:] == ["50.00", "%", "25.00", "to", "75.00"]
    assert lines["leaves"] == ["leaves", "12"]
    assert "<b>ush on 1,234 test rows (binary)" in lines
    assert max(len(line) for line in str(evaluated).splitlines()) <= 100


def test_a_figure_without_an_interval_has_a_dash(evaluated):
    line = next(line for line in evaluated.table.sections[0].lines if line.name.startswith("negative"))
    assert (line.figure, line.interval) == ("0.25", "-")


def test_latency_is_shown_with_its_interval_if_there_is_one(evaluated):
    lines = {line.name: line for line in evaluated.table.sections[-1].lines}
    assert lines["latency of one row, median µs"][1:3] == ("50", "45 to 55")
    assert lines["latency of one row, 99th percentile µs"].figure == "5,000"
    assert lines["latency per row in a batch of 1,000, median µs"][1:3] == ("0.5", "-")
    assert lines["size (file)"].figure == "1.5 kB"


def test_the_html_table_has_the_same_content_and_escapes_names(evaluated):
    texts = Cells(evaluated._repr_html_()).texts
    assert texts[0] == "<b>ush on 1,234 test rows (binary)"
    for section in evaluated.table.sections:
        assert section.heading in texts
        for line in section.lines:
            assert line.name in texts
            assert line.figure in texts


def test_without_a_teacher_there_is_no_column_for_it(evaluated):
    alone = replace(evaluated, teacher_against_truth={})
    assert "teacher" not in Cells(alone._repr_html_()).texts
    assert "95.00 %" not in str(alone)


def test_rich_prints_the_table(evaluated):
    console = Console(record=True, width=100, file=io.StringIO())
    console.print(evaluated)
    assert "worst class (no)" in console.export_text()


def test_the_teachers_worst_class_is_named_if_it_differs(evaluated):
    other = {"worst_class_recall": Estimate(0.75, None, "bootstrap", of=1)}
    lines = replace(evaluated, teacher_against_truth=other).table.sections[0].lines
    assert [line.teacher for line in lines if line.name == "worst class (no)"] == ["75.00 % (1)"]


def test_names_are_not_parsed_as_markup(evaluated):
    named = replace(evaluated, student="[red]", against_truth={"worst_class_recall": Estimate(0.5, None, "bootstrap", of="[b]")})
    assert "[red] on" in str(named)
    assert "worst class ([b])" in str(named)


@pytest.mark.parametrize(("value", "expected"), [(0.0, "0"), (2.6e-18, "0"), (1234.5, "1,234"), (0.000123456, "0.0001235"), (-2.5, "-2.5")])
def test_numbers_have_four_significant_digits(value, expected):
    assert figure_text("mse", Estimate(value, None, "t")) == expected


def test_figures_have_display_names():
    assert {"accuracy", "kl_nats", "ece", "r2"} <= set(NAMES)


def test_control_characters_in_names_are_written_out(evaluated):
    renamed = replace(evaluated, student="tree\x1b[2J[red]")
    screen = io.StringIO()
    Console(file=screen, force_terminal=True, color_system=None).print(renamed)
    for text in (str(renamed), screen.getvalue()):
        assert "tree\\x1b[2J[red] on 1,234 test rows" in text
        assert "\x1b[2J" not in text
