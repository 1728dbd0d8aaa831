"""An evaluation as a table: in the terminal, as plain text, and in a notebook."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import NamedTuple

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tutelage.core.errors import printable
from tutelage.core.records import Cost, Latency
from tutelage.evaluation.records import CAVEAT, Estimate

NAMES = {
    "accuracy": "accuracy",
    "subset_accuracy": "all labels right",
    "worst_class_recall": "worst class",
    "exact_match": "rows right at every position",
    "mean_iou": "mean IoU",
    "f1": "F1",
    "entity_f1": "F1 of entities",
    "auc": "AUC",
    "agreement": "agreement",
    "subset_agreement": "all labels agree",
    "worst_class_agreement": "worst class",
    "exact_agreement": "rows that agree at every position",
    "agreement_where_teacher_is_wrong": "agreement where the teacher is wrong",
    "kl_nats": "KL(teacher || student), nats",
    "nll_nats": "negative log-likelihood, nats",
    "perplexity": "perplexity",
    "brier": "Brier score (sum over classes)",
    "ece": "calibration error (ECE)",
    "r2": "R2",
    "mse": "mean squared error",
    "rmse": "root mean squared error",
}
"""The displayed name of every figure, in display order."""

SHARES = {name for name in NAMES if any(part in name for part in ("accuracy", "agreement", "recall", "match", "iou"))}

MOST_IOU_LINES = 30
"""With more classes the intersection over union of each is in the record only."""


class Line(NamedTuple):
    """One line of the table: the student's figure, its interval, and the teacher's figure."""

    name: str
    figure: str
    interval: str = ""
    teacher: str = ""


class Section(NamedTuple):
    """A group of lines under one heading."""

    heading: str
    lines: list[Line]


@dataclass(frozen=True)
class EvaluationTable:
    """The table of one evaluation.

    Attributes:
        title: name of the student, number of rows and task.
        sections: groups of lines, in display order.
        with_teacher: whether a column shows the teacher's own figures.
        notes: sentences below the table: what the intervals do not cover, and what else a reader has to know.
    """

    title: str
    sections: tuple[Section, ...]
    with_teacher: bool
    notes: tuple[str, ...] = (CAVEAT,)

    @classmethod
    def of(
        cls,
        title: str,
        *,
        against_truth: Mapping[str, Estimate],
        against_teacher: Mapping[str, Estimate],
        teacher_against_truth: Mapping[str, Estimate],
        cost: Cost,
        notes: Sequence[str] = (),
        iou: Mapping[str, Sequence[Estimate]] | None = None,
    ) -> EvaluationTable:
        """Build the table from the parts of an evaluation."""
        found = []
        of_class = iou or {}
        if against_truth:
            found.append(Section("against the truth", _lines(against_truth, teacher_against_truth)))
        if against_teacher:
            found.append(Section("against the teacher (fidelity)", _lines(against_teacher, {})))
        for group, target in (("against_truth", "the truth"), ("against_teacher", "the teacher")):
            if 0 < len(of_class.get(group, ())) <= MOST_IOU_LINES:
                others = of_class.get("teacher_against_truth", ()) if group == "against_truth" else ()
                found.append(Section(f"IoU of each class against {target}", _iou_lines(of_class[group], others)))
        sections = (*found, Section("cost, in Python", _cost_lines(cost)))
        cautions = _cautions({"the truth": against_truth, "the teacher": against_teacher})
        return cls(title, sections, bool(teacher_against_truth), (CAVEAT, *notes, *cautions))

    @property
    def headings(self) -> tuple[str, ...]:
        """Column headings."""
        return ("", "student", "95 %", "teacher")[: 4 if self.with_teacher else 3]

    def rich(self) -> Table:
        """The table for `rich.print` and the command line."""
        table = Table(box=None, padding=(0, 2, 0, 0), title=_text(self.title, style="bold"), title_justify="left")
        table.caption = _text("\n".join(self.notes))
        table.caption_justify = "left"
        for heading in self.headings:
            table.add_column(heading, justify="left" if not heading else "right", no_wrap=not heading)
        for section in self.sections:
            table.add_row(_text(section.heading, style="bold"))
            for line in section.lines:
                cells = (f"  {line.name}", line.figure, line.interval, line.teacher)
                table.add_row(*map(_text, cells[: len(self.headings)]))
        return table

    def text(self) -> str:
        """The table as plain text, at most 100 characters wide."""
        console = Console(file=io.StringIO(), width=100, color_system=None, highlight=False)
        with console.capture() as capture:
            console.print(self.rich())
        return "\n".join(line.rstrip() for line in capture.get().splitlines())

    def html(self) -> str:
        """The table as HTML for a notebook, in the notebook's colours."""
        width = len(self.headings)
        rows = ["<tr>" + "".join(f'<th style="text-align:{"right" if head else "left"}">{head}</th>' for head in self.headings) + "</tr>"]
        for section in self.sections:
            rows.append(f'<tr><th colspan="{width}" style="text-align:left">{escape(section.heading)}</th></tr>')
            for line in section.lines:
                numbers = "".join(f'<td style="text-align:right">{escape(cell)}</td>' for cell in line[1:width])
                rows.append(f'<tr><td style="text-align:left">{escape(line.name)}</td>{numbers}</tr>')
        notes = "<br>".join(map(escape, self.notes))
        return f"<table><caption>{escape(self.title)}</caption>{''.join(rows)}</table><p><small>{notes}</small></p>"


def _text(text: str, style: str = "") -> Text:
    """A text without markup, since a class may be named "[red]", and without control characters."""
    return Text(printable(text), style=style)


def figure_text(name: str, estimate: Estimate) -> str:
    """A figure with four significant digits; shares in per cent with two decimals."""
    return f"{100 * estimate.value:.2f} %" if name in SHARES else _number(estimate.value)


def _lines(student: Mapping[str, Estimate], teacher: Mapping[str, Estimate]) -> list[Line]:
    found = []
    for name, displayed in NAMES.items():
        if name in student:
            estimate, other = student[name], teacher.get(name)
            title = displayed if estimate.of is None else f"{displayed} ({estimate.of})"
            of_teacher = "" if other is None else figure_text(name, other)
            if other is not None and other.of != estimate.of:
                of_teacher += f" ({other.of})"
            found.append(Line(title, figure_text(name, estimate), _span(name, estimate), of_teacher))
    return found


def _iou_lines(student: Sequence[Estimate], teacher: Sequence[Estimate]) -> list[Line]:
    of_teacher = {estimate.of: figure_text("mean_iou", estimate) for estimate in teacher}
    return [Line(str(each.of), figure_text("mean_iou", each), _span("mean_iou", each), of_teacher.get(each.of, "")) for each in student]


def _cautions(groups: Mapping[str, Mapping[str, Estimate]]) -> list[str]:
    """The cautions of the intervals, each with the figures that it is about."""
    found: dict[str, list[str]] = {}
    for against, figures in groups.items():
        for name, estimate in figures.items():
            if estimate.interval is not None and estimate.interval.caution:
                found.setdefault(estimate.interval.caution, []).append(f"{NAMES[name]} against {against}")
    return [f"{', '.join(names)}: {caution}" for caution, names in found.items()]


def _span(name: str, estimate: Estimate) -> str:
    if estimate.interval is None:
        return "-"
    low, high = estimate.interval.low, estimate.interval.high
    return f"{100 * low:.2f} to {100 * high:.2f}" if name in SHARES else f"{_number(low)} to {_number(high)}"


def _cost_lines(cost: Cost) -> list[Line]:
    lines = []
    if cost.size_bytes is not None:
        lines.append(Line(f"size ({cost.size_of})", cost.size))
    if cost.parts is not None:
        lines.append(Line(cost.unit, f"{cost.parts:,}"))
    for what, latency in (("latency of one row", cost.alone), ("latency per row in a batch", cost.batch)):
        if latency is not None:
            lines += _latency_lines(f"{what} of {latency.batch_rows:,}" if latency.batch_rows > 1 else what, latency)
    return lines


def _latency_lines(what: str, latency: Latency) -> list[Line]:
    span = f"{_number(latency.ci95_us[0])} to {_number(latency.ci95_us[1])}" if latency.ci95_us else "-"
    return [Line(f"{what}, median µs", _number(latency.p50_us), span), Line(f"{what}, 99th percentile µs", _number(latency.p99_us))]


def _number(value: float) -> str:
    """Four significant digits, without an exponent for numbers of 1000 and more."""
    if abs(value) < 1e-12:  # rounding error around zero
        return "0"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
