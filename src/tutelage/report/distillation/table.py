"""A distillation as a table in the terminal: the answer first."""

from __future__ import annotations

from rich.console import Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from tutelage.core.errors import printable
from tutelage.report.distillation.limits import limit_text, limits_of
from tutelage.report.distillation.records import DistillationRecord
from tutelage.report.distillation.sentences import signed_difference
from tutelage.report.distillation.view import view_of_arms
from tutelage.report.distillation.words import metric_name
from tutelage.report.table import VERDICT_STYLES
from tutelage.report.words import heading


def terminal_table(record: DistillationRecord) -> Group:
    """The answer, all arms, the comparisons, what would help, and the limits if there are any."""
    parts: list[Table | Text | Padding] = [
        Padding(Text(printable(record.answer), style="bold"), (1, 0)),
        _arms(record),
        Padding(_comparisons(record), (1, 0)),
    ]
    parts += [Text(printable(heading(one.sentence))) for one in record.advice]
    parts += [Text(printable(line)) for line in map(limit_text, limits_of(record))]
    return Group(*parts)


def _arms(record: DistillationRecord) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="bold", caption_justify="left")
    table.add_column("arm", no_wrap=True)
    table.add_column("student", no_wrap=True)
    for title in (metric_name(record), "95 %", "validation", "size", "one row"):
        table.add_column(title, justify="right")
    for arm, shown in zip(record.arms, view_of_arms(record), strict=True):
        style = "bold" if shown.chosen else ""
        cells = (shown.name, arm.student or "-", shown.test, shown.interval, shown.validation, shown.size, shown.latency)
        table.add_row(*(Text(printable(cell), style=style) for cell in cells))
    return table


def _comparisons(record: DistillationRecord) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="bold")
    for title in ("question", "difference (95 %)", "verdict"):
        table.add_column(title, no_wrap=title == "verdict")
    for one in record.comparisons:
        table.add_row(printable(one.question), signed_difference(one), Text(one.verdict, style=VERDICT_STYLES[one.verdict]))
    return table
