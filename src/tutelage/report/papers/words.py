"""The figures of a paper's run as text, shared by the terminal, the page and the documentation."""

from __future__ import annotations

from tutelage.core.records import Comparison
from tutelage.report.papers.records import Claim, Measure, PaperRecord
from tutelage.report.words import counted

MOST_OPEN = 16
"""Figures of a run that a page shows at once: of more, each point of a curve is one."""


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


def difference(comparison: Comparison, *, unit: bool = True) -> str:
    """A signed difference, with its interval, in its unit if that is wanted."""
    digits = 1 if max(abs(end) for end in comparison.ci95) >= 10 else 2 if max(abs(end) for end in comparison.ci95) >= 0.1 else 4
    low, high = comparison.ci95
    points = comparison.metric.startswith("% ") and "relative" not in comparison.metric
    named = "" if not unit else f" points ({comparison.metric})" if points else f" {comparison.metric}"
    return f"{comparison.difference:+,.{digits}f}{named} ({low:+,.{digits}f} to {high:+,.{digits}f})"


def in_brief(record: PaperRecord, claim: Claim) -> str:
    """What was measured of a claim, for a reader who does not see the arms: both means and their difference, where two arms decide it."""
    found = record.compared(claim)
    if found is None:
        return claim.measured
    comparison, first, second = found
    means = f"{amount(first.mean, first.digits)} against {amount(second.mean, second.digits)} {first.unit}"
    return f"{means}; difference {difference(comparison, unit=False)}"


def answer(record: PaperRecord) -> str:
    """How many of the paper's claims were reproduced, and how many of our own hold, in a sentence or two."""
    own = [claim for claim in record.claims if claim.ours]
    theirs_ = [claim for claim in record.claims if not claim.ours]
    parts = [_counted(theirs_, "of the paper's claims", "reproduced")] if theirs_ else []
    parts += [_counted(own, "of our own", "confirmed")] if own else []
    return " ".join(parts)


def _counted(claims: list[Claim], whose: str, word: str) -> str:
    count = {outcome: sum(claim.outcome == outcome for claim in claims) for outcome in ("reproduced", "not reproduced", "undecided")}
    parts = [f"{count['reproduced']} of {len(claims)} {whose} {word}"]
    parts += [f"{count[outcome]} {shown}" for outcome, shown in (("not reproduced", f"not {word}"), ("undecided",) * 2) if count[outcome]]
    return ", ".join(parts) + "."


def outcome(claim: Claim) -> str:
    """What became of a claim; of one without a decision, where the mean lies."""
    text = claim.outcome.replace("reproduced", "confirmed") if claim.ours else claim.outcome
    if claim.outcome != "undecided":
        return text
    return f"{text} (the mean {'agrees' if claim.same_direction else 'points the other way'})"


def rule(claim: Claim) -> str:
    """What had to hold, in the words of its outcome."""
    return claim.rule.replace("Reproduced", "Confirmed").replace("the paper's side", "the claimed side") if claim.ours else claim.rule


def heading(record: PaperRecord) -> str:
    """What stands above the claims: of a run without a paper, all are ours."""
    return "What is claimed, and what we find" if _ours_alone(record) else "What the paper says, and what we find"


def differences(record: PaperRecord) -> str:
    """What stands above the deviations."""
    return "Notes" if _ours_alone(record) else "Where we differ from the paper"


def _ours_alone(record: PaperRecord) -> bool:
    return all(claim.ours for claim in record.claims)


def spent(record: PaperRecord) -> str:
    """How long the run took, and how long what it found in the cache had taken, by all processes together."""
    before = record.seconds.get("from the cache", 0.0)
    return _time(record.seconds["total"]) + (f", and {_time(before)} of trainings from the cache" if before >= 1 else "")


def processors(record: PaperRecord) -> str:
    """On how many processors it ran."""
    return counted(int(record.environment.get("processors", 1)), "processor")


def _time(seconds: float) -> str:
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
