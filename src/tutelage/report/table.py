"""A finished run as a table in the terminal."""

from __future__ import annotations

from rich.console import Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from tutelage.report import words
from tutelage.report.records import LabelTable, PublishedTable, RunRecord

VERDICT_STYLES = {"beats": "bold green", "no difference": "dim", "worse": "bold red", "differ": "bold"}


def terminal_table(record: RunRecord) -> Group:
    """Arms, comparisons, the published table if there is one, and the time spent."""
    parts: list[Table | Text | Padding] = [Text(record.title, style="bold"), _arms(record)]
    if record.by_labels is not None:
        parts += [_by_labels(record, record.by_labels), Padding(Text(record.by_labels.explanation, style="dim"), (0, 0, 1, 0))]
    parts.append(_comparisons(record))
    parts += [Padding(Text(caution, style="dim"), (0, 0, 1, 0)) for caution in words.cautions(record)]
    if words.caveat(record):
        parts.append(Padding(Text(words.caveat(record), style="dim"), (0, 0, 1, 0)))
    if record.published is not None:
        parts += [_published(record.published), Text(words.SPREAD, style="dim"), Padding(Text(record.published.explanation), (0, 0, 1, 0))]
    spent = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in words.time_spent(record) if seconds >= 0.05)
    parts.append(Text(f"{record.seconds['total']:.1f} s in total: {spent}", style="dim"))
    return Group(*parts)


def _arms(record: RunRecord) -> Table:
    metric, second = record.headline, words.SECOND_METRIC[record.headline]
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="bold", caption_justify="left")
    table.add_column("arm", no_wrap=True)
    over = sorted({arm.interval.over for arm in record.arms if arm.interval})
    percent = metric == "test_accuracy"
    for heading in ("acc. %" if percent else words.METRIC_NAMES[metric], "95 %", words.METRIC_NAMES[second], "size", "ms/row"):
        table.add_column(heading, justify="right", overflow="fold")
    with_published = any(arm.published for arm in record.arms)
    if with_published:
        table.add_column("published", justify="right")
    for arm in record.arms:
        cells = [
            arm.name,
            words.score(metric, arm.mean(metric)).removesuffix(" %"),
            words.span(metric, arm.interval),
            words.score(second, arm.mean(second)),
        ]
        cells += [arm.cost.size, words.milliseconds(arm.cost.alone)] if arm.cost else ["-", "-"]
        table.add_row(*cells, *([words.published(arm, metric).removesuffix(" %")] if with_published else []))
    table.caption = f"95 % intervals over {' or '.join(over)}" if over else None
    return table


def _comparisons(record: RunRecord) -> Table:
    table = Table(box=None, padding=(0, 1), header_style="bold")
    table.add_column("comparison")
    table.add_column("difference (95 %)")
    table.add_column("verdict", no_wrap=True)
    for comparison in record.comparisons:
        table.add_row(
            f"{comparison.a} - {comparison.b}",
            words.difference(comparison),
            Text(comparison.verdict, style=VERDICT_STYLES[comparison.verdict]),
        )
    return table


def _by_labels(record: RunRecord, by_labels: LabelTable) -> Table:
    table = Table(box=None, padding=(0, 1), header_style="bold", title="Few labels", title_justify="left")
    table.add_column("labels", justify="right")
    table.add_column("labels alone", justify="right")
    for name in by_labels.taught:
        table.add_column(name)
    for row in by_labels.rows:
        errors = words.score("test_errors", record.arm(row.alone).mean("test_errors"))
        taught = [record.comparison(name, row.alone) for name in by_labels.taught]
        verdicts = [Text(f"{words.difference(one)} {one.verdict}", style=VERDICT_STYLES[one.verdict]) for one in taught]
        table.add_row(f"{row.labels}", f"{errors} errors", *verdicts)
    return table


def _published(published: PublishedTable) -> Table:
    table = Table(box=None, padding=(0, 1), header_style="bold", title="Test errors", title_justify="left")
    table.add_column("model")
    for heading in ("published", "same protocol here", "corrected protocol"):
        table.add_column(heading, justify="right")
    for row in published.rows:
        table.add_row(row.model, str(row.published), _errors(row.as_published), _errors(row.done_right))
    return table


def _errors(counts: tuple[int, ...]) -> str:
    mean = sum(counts) / len(counts)
    return f"{mean:.0f}" if len(counts) == 1 else f"{mean:.0f} ({min(counts)} to {max(counts)})"
