"""The figures of a paper's run as text, shared by the terminal, the page and the documentation."""

from __future__ import annotations

from tutelage.core.records import Comparison
from tutelage.report.papers.records import Measure, PaperRecord
from tutelage.report.words import counted


def amount(value: float, digits: int) -> str:
    """A figure with its decimals; thousands are separated."""
    return f"{value:,.{digits}f}"


def ours(measure: Measure) -> str:
    """Our mean, and its interval if there is one."""
    text = amount(measure.mean, measure.digits)
    if measure.interval is None:
        return text
    return f"{text} ({amount(measure.interval.low, measure.digits)} to {amount(measure.interval.high, measure.digits)})"


def theirs(measure: Measure) -> str:
    """The paper's figure, or a dash."""
    return "-" if measure.published is None else amount(measure.published, measure.digits)


def difference(comparison: Comparison) -> str:
    """A signed difference in its unit, with its interval."""
    digits = 1 if max(abs(end) for end in comparison.ci95) >= 10 else 2 if max(abs(end) for end in comparison.ci95) >= 0.1 else 4
    low, high = comparison.ci95
    return f"{comparison.difference:+,.{digits}f} {comparison.metric} ({low:+,.{digits}f} to {high:+,.{digits}f})"


def answer(record: PaperRecord) -> str:
    """How many of the claims were reproduced, in a sentence."""
    count = {outcome: sum(claim.outcome == outcome for claim in record.claims) for outcome in ("reproduced", "not reproduced", "undecided")}
    parts = [f"{count['reproduced']} of {counted(len(record.claims), 'claim')} reproduced"]
    parts += [f"{count[outcome]} {outcome}" for outcome in ("not reproduced", "undecided") if count[outcome]]
    return ", ".join(parts) + "."


def spent(record: PaperRecord) -> str:
    """How long the run took."""
    seconds = record.seconds["total"]
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def seeds(record: PaperRecord) -> int:
    """The number of seeds of the run."""
    return int(record.options["seeds"])


def all_facts(record: PaperRecord) -> list[tuple[str, str]]:
    """Budget, data, options and environment, by name."""
    groups = (record.budget, record.data, record.options, record.environment)
    return [(name.replace("_", " "), _fact(value)) for group in groups for name, value in group.items()]


def _fact(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
