import io
import re
from dataclasses import replace

from rich.console import Console

from tutelage.report.table import terminal_table


def printed(record, width):
    console = Console(width=width, record=True, file=io.StringIO())
    console.print(terminal_table(record))
    return console.export_text()


def test_the_table_contains_arms_comparisons_published_figures_and_time(record):
    text = printed(record, 120)
    for expected in ("98.40", "98.13-98.63", "160", "109.7 MB", "97.52", "94.50", "550"):
        assert expected in text
    assert "student-soft - student-hard" in text
    assert "+0.21 points (-0.10 to +0.52)" in text
    assert "teacher - student-hard: 200 rows may miss rare losses." in text
    assert "1366" in text
    assert "the lowest and the highest of the seeds, which is not an interval" in text
    assert "1400 (1300 to 1500)" in text
    line = next(line for line in text.splitlines() if line.strip().startswith("12345"))
    assert re.sub(" +", " ", line).split(" points ")[0].endswith("550 errors +0.21")
    assert line.count("no difference") == line.count("beats") == 1
    assert "Because of two mistakes." in text
    assert "12.0 s in total: teacher 8.0 s, students 3.0 s, rest 1.0 s" in text


def test_it_fits_eighty_columns_without_losing_a_verdict(record):
    long = replace(record.arms[1], name="student-hard-as-published")
    text = printed(replace(record, arms=(*record.arms, long)), 80)
    assert re.search(r"student-hard-as-published +94.50 93.00-96.00 +550 +36.0 kB", text)
    assert max(len(line) for line in text.splitlines()) <= 80
    assert all(verdict in text for verdict in ("beats", "no difference", "worse"))


def test_an_arm_without_interval_or_cost_has_dashes(record):
    line = next(line for line in printed(record, 120).splitlines() if line.strip().startswith("student-hard"))
    assert line.split() == ["student-hard", "94.50", "-", "550", "-", "-"]


def test_two_single_models_differ(record):
    pair = replace(record.comparisons[2], verdict="differ", over="test rows")
    assert "differ" in printed(replace(record, comparisons=(pair,), by_labels=None), 120)
