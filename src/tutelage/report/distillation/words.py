"""A distillation in sentences: the answer first."""

from __future__ import annotations

from tutelage.core.records import Comparison
from tutelage.report.distillation.records import ArmResult, DistillationRecord

SHARES = ("accuracy", "agreement", "subset_accuracy", "subset_agreement")
FIGURES = {
    "accuracy": "accuracy",
    "agreement": "agreement with the teacher",
    "nll_nats": "negative log-likelihood",
    "kl_nats": "KL divergence from the teacher",
    "brier": "Brier score",
    "mse": "squared error",
}


def figure(metric: str, value: float) -> str:
    """A figure with its unit: a share in per cent."""
    return f"{100 * value:.1f} %" if metric in SHARES else f"{value:.4g}"


def difference(comparison: Comparison) -> str:
    """The size of a difference, with its interval."""
    low, high = comparison.ci95
    sign = -1.0 if comparison.difference < 0 else 1.0
    ends = sorted((sign * low, sign * high))
    if comparison.metric in SHARES:
        return f"{100 * abs(comparison.difference):.1f} points (95 %: {100 * ends[0]:.1f} to {100 * ends[1]:.1f})"
    return f"{abs(comparison.difference):.3g} (95 %: {ends[0]:.3g} to {ends[1]:.3g})"


def answer_of(record: DistillationRecord) -> str:
    """Which student to ship and why, or why distilling does not pay, in a sentence or two."""
    chosen = record.arm(record.chosen)
    what = FIGURES.get(record.metric, record.metric)
    beyond = [name for name, value in chosen.excess.items() if value > 0]
    first = f"{'Do not distil; ship' if chosen.kind == 'baseline' else 'Ship'} the {chosen.student} that learnt {chosen.meaning}"
    size = "" if chosen.size_bytes is None else f", {chosen.size_bytes / 1e3:.1f} kB"
    first += f": {what} {figure(record.metric, chosen.mean(record.metric))} on the test rows{size}."
    if beyond:
        worst = max(beyond, key=lambda name: chosen.excess[name])
        first = f"No student meets the limits; the nearest exceeds the limit of {worst} by {100 * chosen.excess[worst]:.0f} %. " + first
    return " ".join([first, *_about_labels(record), *_about_teacher(record), *_about_seen(record), *_about_looks(record)])


def _about_labels(record: DistillationRecord) -> list[str]:
    found = next((one for one in record.comparisons if one.b == "labels"), None)
    if found is None:
        return []
    taught, alone = _of(record.arm(found.a)), "the best student of the ground truth alone"
    if record.arm(record.chosen).kind == "baseline":
        but = f"On the test rows, though, {taught} beats it by {difference(found)}: validation did not show it."
        return [but if found.verdict == "beats" else f"The best student of the teacher, {taught}, {_said(found)} it: {difference(found)}."]
    if found.verdict == "beats":
        return [f"It pays to distil: {taught} beats {alone} by {difference(found)}."]
    if found.verdict == "worse":
        return [f"Do not distil: {taught} is worse than {alone} by {difference(found)}."]
    return [f"Distilling shows no difference against {alone}: {difference(found)}{_unproven(record, found)}."]


def _unproven(record: DistillationRecord, found: Comparison) -> str:
    """Why a difference is not proven although its interval excludes zero, and how small a difference would have been found."""
    low, high = found.ci95
    parts = []
    if found.corrected_p is not None and not low <= 0 <= high:
        parts.append(f", not proven after correction for {len(record.comparisons)} questions (p = {found.corrected_p:.2g})")
    if found.detectable is not None:
        share = found.metric in SHARES
        size = f"{100 * found.detectable:.1f} points" if share else f"{found.detectable:.3g}"
        none = share and found.detectable >= 1
        parts.append("; so few seeds find no difference at all" if none else f"; one below {size} would mostly go unnoticed")
    return "".join(parts)


def _said(found: Comparison) -> str:
    return "is worse than" if found.verdict == "worse" else "shows no difference from"


def _about_seen(record: DistillationRecord) -> list[str]:
    """Whether the teacher was trained on the test rows: by their names, or by how it answers them."""
    seen, rows = record.rows.get("seen_test"), record.rows["test"]
    too_good = "its own figures, and the agreement with it, are too good"
    if seen:
        return [f"The teacher was trained on {seen:,} of the {rows:,} test rows: {too_good}."]
    found = [one for one in record.findings["findings"] if one["check"] == "test-memorised" and one["severity"] == "warning"]
    if found and seen is None:
        return [f"The teacher answers the test rows as if it was trained on them: {too_good}."]
    return []


def _about_looks(record: DistillationRecord) -> list[str]:
    if len(record.looks) < 2:
        return []
    before = " and ".join(str(look.seeds) for look in record.looks[:-1])
    nth = f"look {len(record.looks)}"
    return [f"This is {nth} at the same test rows, with {record.looks[-1].seeds} seeds after {before}; its verdicts are stricter for it."]


def _about_teacher(record: DistillationRecord) -> list[str]:
    found = next((one for one in record.comparisons if one.b == "teacher"), None)
    if found is None:
        return []
    if found.verdict == "no difference":
        return [f"There is no difference from the teacher: {difference(found)}."]
    return [f"It is {'better' if found.verdict == 'beats' else 'worse'} than the teacher by {difference(found)}."]


def _of(arm: ArmResult) -> str:
    return f"the student of {arm.meaning}"
