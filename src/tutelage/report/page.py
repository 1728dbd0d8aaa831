"""The HTML report of an experiment: a single self-contained page, without network access."""

from __future__ import annotations

from tutelage.report import words
from tutelage.report.charts import Bar, intervals_chart, labels_chart, regions_chart, scatter_chart
from tutelage.report.playground.records import Playground
from tutelage.report.playground.section import section_of
from tutelage.report.records import Arm, Figures, RunRecord
from tutelage.report.shell import Drawn, render

KINDS = {"chosen": "student", "baseline": "baseline: no teacher", "control": "control", "teacher": "teacher"}


def render_page(record: RunRecord, figures: Figures, playground: Playground | None = None) -> str:
    """The report as HTML text, for narrow and wide screens, in a light and a dark theme; it loads no external resources.

    Args:
        record: the finished run.
        figures: the plots and matrices of the run.
        playground: its main student, to be tried in the page; None for a page without scripts.

    Raises:
        MissingExtra: jinja2 is not installed.
    """
    spent = words.time_spent(record)
    shown = [kind_of(arm) for arm in record.arms]
    section = section_of(playground)
    return render(
        "page.html.j2",
        policy=section.policy,
        playground=section,
        title=record.title,
        record=record,
        words=words,
        answer=words.answer(record),
        metric=record.headline,
        second=words.SECOND_METRIC[record.headline],
        arms_chart=Drawn(_arms_chart(record)),
        labels_chart=Drawn(_labels_chart(record) if record.by_labels is not None else ""),
        by_labels_headings=[f"Errors, {name}" for name in record.by_labels.taught] if record.by_labels is not None else [],
        kinds=[(kind, name) for kind, name in KINDS.items() if kind in shown],
        regions=[(picture, Drawn(regions_chart(picture))) for picture in figures.regions],
        scatters=[(picture, Drawn(scatter_chart(picture))) for picture in figures.scatters],
        matrices=figures.matrices,
        spent=spent,
        longest=max(seconds for _, seconds in spent) or 1.0,
        facts=[*record.data.items(), *record.options.items(), *record.environment.items()],
    )


def kind_of(arm: Arm) -> str:
    """The kind of an arm's mark: arms without the teacher are baselines, those said to be controls are controls."""
    if arm.name.startswith("teacher"):
        return "teacher"
    if arm.meaning.startswith("control"):
        return "control"
    return "baseline" if "hard" in arm.name.split("-") else "chosen"


def _bar(record: RunRecord, arm: Arm) -> Bar:
    metric = record.headline
    scale = 100 if metric == "test_accuracy" else 1
    interval = None if arm.interval is None else (arm.interval.low * scale, arm.interval.high * scale)
    return Bar(arm.name, kind_of(arm), tuple(value * scale for value in arm.scores[metric]), interval)


def _labels_chart(record: RunRecord) -> str:
    by_labels, name = record.by_labels, words.METRIC_NAMES[record.headline]
    if by_labels is None:
        return ""
    alone = [(row.labels, _bar(record, record.arm(row.alone))) for row in by_labels.rows]
    taught = [_bar(record, record.arm(name)) for name in by_labels.taught]
    return labels_chart(alone, taught, y_name=f"{name} on test rows{', %' if record.headline == 'test_accuracy' else ''}")


def _arms_chart(record: RunRecord) -> str:
    metric = record.headline
    scale = 100 if metric == "test_accuracy" else 1
    bars = [_bar(record, arm) for arm in record.arms]
    name = words.METRIC_NAMES[metric]
    return intervals_chart(
        bars,
        axis=f"{name} on test rows{', %' if scale == 100 else ''}",
        text=lambda value: words.score(metric, value / scale),
        label=f"{name} of every arm with its interval",
    )
