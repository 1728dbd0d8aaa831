"""A distillation in sentences: the answer first."""

from __future__ import annotations

from collections.abc import Sequence

from tutelage.core.quantities import digits_of, percent
from tutelage.core.records import Comparison, Interval
from tutelage.report.distillation.limits import exceeded
from tutelage.report.distillation.records import LABELS, PLAIN, TEACHER, ArmResult, CascadeResult, DistillationRecord
from tutelage.report.words import counted, heading, kilobytes, microseconds

SHARES = ("accuracy", "agreement", "subset_accuracy", "subset_agreement")
FEWEST_SEEDS = 3
"""Seeds from which on a run says how small a difference it would have found."""
MOST_DIGITS = 4
"""Decimals of a difference in points."""
LEAST = 1e-9
"""Differences of shares below this are noise of arithmetic."""
FIGURES = {
    "accuracy": "accuracy",
    "agreement": "agreement with the teacher",
    "nll_nats": "negative log-likelihood",
    "kl_nats": "KL divergence from the teacher",
    "brier": "Brier score",
    "mse": "squared error",
}


def metric_name(record: DistillationRecord) -> str:
    """The figure that decided, in words; it is weighted where rows are, and standardised where it is that of several values."""
    weighted = bool(record.rows.get("weighted") or record.rows.get("class_weights"))
    name = name_of(record.metric, record.against, weighted=weighted)
    return f"standardised {name}" if record.outputs else name


def name_of(metric: str, against: str, *, weighted: bool) -> str:
    """A figure in words, which say so where it is measured against the teacher."""
    name = FIGURES.get(metric, metric)
    of_teacher = " against the teacher" if against == "teacher" and "teacher" not in name else ""
    return f"{'weighted ' if weighted else ''}{name}{of_teacher}"


def figure(metric: str, value: float) -> str:
    """A figure with its unit: a share in per cent."""
    return f"{100 * value:.1f} %" if metric in SHARES else f"{value:.4g}"


def difference(comparison: Comparison) -> str:
    """The size of a difference, with its interval; with its sign where there is no verdict, which would say its direction."""
    if comparison.verdict == "no difference":
        values, sign = (comparison.difference, *comparison.ci95), "+"
    else:
        by = -1.0 if comparison.difference < 0 else 1.0
        low, high = sorted(by * end for end in comparison.ci95)
        values, sign = (abs(comparison.difference), low, high), ""
    size, least, most = as_differences(comparison.metric, values, sign)
    return f"{size}{' points' if comparison.metric in SHARES else ''} (95 %: {least} to {most})"


def as_differences(metric: str, values: Sequence[float], sign: str = "") -> list[str]:
    """A difference and the ends of its interval as texts, of shares in points.

    An end near zero decides the verdict: it has the digits that show on which side it is.

    Args:
        metric: of the difference.
        values: difference, low end, high end.
        sign: "+" to show signs.
    """
    if metric not in SHARES:
        return [f"{value:{sign}.3g}" for value in values]
    digits = max(map(_digits, values[1:]))
    return [f"{100 * value:{sign}.{digits}f}" for value in values]


def _digits(end: float) -> int:
    """Decimals in points that tell an end from zero: one, or more up to a few."""
    return next((digits for digits in range(1, MOST_DIGITS) if abs(end) < LEAST or round(abs(100 * end), digits)), MOST_DIGITS)


def size_of(metric: str, value: float) -> str:
    """The size of a difference with its unit; none above zero is shown as zero."""
    return f"{100 * value:.{_digits(value)}f} points" if metric in SHARES else f"{value:.3g}"


def answer_of(record: DistillationRecord) -> str:
    """Which student to ship and why, or why distilling does not pay, in a sentence or two."""
    parts = [_first(record), *_about_baselines(record), *_about_validation(record), *_about_teacher(record), *_about_few_seeds(record)]
    return " ".join([*parts, *_about_size(record), *_about_seen(record), *_about_looks(record), *_about_cascade(record)])


def _first(record: DistillationRecord) -> str:
    """What to do, by the limits and the verdicts: ship a student of the teacher, or one of the ground truth, or none."""
    chosen = record.arm(record.chosen)
    mean, first = (figure(record.metric, value) for value in (chosen.mean(record.metric), chosen.test[record.metric][0]))
    size = "" if chosen.size_bytes is None else f", {chosen.size_bytes / 1e3:.1f} kB"
    of_seeds = f"mean of {counted(len(chosen.seeds), 'seed')}; the file, of the first seed: {first}{size}"
    facts = f"{metric_name(record)} {mean} on the test rows ({of_seeds})"
    student, beyond = _student(chosen), exceeded(record)
    if beyond:
        plain = [f" {heading(_student(one))} meets them." for one in record.arms if one.name == PLAIN and one.excess and _meets(one)]
        return f"No student meets the limits: the nearest, {student}, exceeds that of {beyond}. It has {facts}.{''.join(plain)}"
    found = _baselines(record)
    if any(one.a == chosen.name and one.verdict == "worse" for one in found):
        return f"Do not distil. Validation chose {student}: {facts}."
    if chosen.kind != "baseline":
        return f"Ship {student}: {facts}."
    beaten = any(one.b == chosen.name and one.verdict == "beats" for one in found)
    return f"Validation chose {student}: {facts}." if beaten else f"Do not distil; ship {student}: {facts}."


def _meets(arm: ArmResult) -> bool:
    return all(value <= 0 for value in arm.excess.values())


def _student(arm: ArmResult) -> str:
    return f"the plain {arm.student} model of the ground truth" if arm.name == PLAIN else f"the {arm.student} that learnt {arm.meaning}"


def _baselines(record: DistillationRecord) -> list[Comparison]:
    """The comparisons with students that had no teacher; those of a chosen one only where it is part of them."""
    chosen = record.arm(record.chosen)
    found = [one for one in record.comparisons if one.b in (LABELS, PLAIN)]
    return found if chosen.kind != "baseline" else [one for one in found if chosen.name in (one.a, one.b)]


def _about_baselines(record: DistillationRecord) -> list[str]:
    return [sentence for one in _baselines(record) if (sentence := _about_baseline(record, one))]


def _about_baseline(record: DistillationRecord, found: Comparison) -> str:
    if found.b == record.chosen:
        return _about_chosen_baseline(record, found)
    return _about_plain(record, found) if found.b == PLAIN else _about_labels(record, found)


def _about_chosen_baseline(record: DistillationRecord, found: Comparison) -> str:
    """What the best student of the teacher is, where one of the ground truth was chosen."""
    taught = f"the student of {record.arm(found.a).meaning}"
    if found.verdict == "beats":
        return f"On the test rows, though, {taught} beats it by {difference(found)}; it was chosen because {record.reason}."
    said = "is worse than" if found.verdict == "worse" else "shows no difference from"
    return f"The best of the teacher's students by validation, {taught}, {said} it: {difference(found)}{_unproven(record, found)}."


def _about_plain(record: DistillationRecord, found: Comparison) -> str:
    plain = _student(record.arm(found.b))
    if found.verdict == "no difference":
        return f"Against {plain} the chosen student shows no difference: {difference(found)}{_unproven(record, found)}."
    return f"{heading(plain)} is better than the chosen student by {difference(found)}." if found.verdict == "worse" else ""


def _about_labels(record: DistillationRecord, found: Comparison) -> str:
    taught = f"the student of {record.arm(found.a).meaning}"
    alone = f"the {record.arm(found.b).student} that was tuned on the ground truth alone"
    if found.verdict == "no difference":
        return f"Distilling shows no difference against {alone}: {difference(found)}{_unproven(record, found)}."
    if found.verdict == "worse":
        return f"{heading(taught)} is worse than {alone} by {difference(found)}."
    pays = all(one.verdict == "beats" for one in _baselines(record)) and not exceeded(record)
    return f"{f'It pays to distil: {taught}' if pays else heading(taught)} beats {alone} by {difference(found)}."


def _about_validation(record: DistillationRecord) -> list[str]:
    """Why validation chose a student of the teacher that is worse on the test rows than one of the ground truth alone.

    A teacher that was trained on the validation rows remembers their labels, and a student that copies it well gives them back.
    """
    worse = [one for one in record.comparisons if (one.a, one.b, one.verdict) == (record.chosen, LABELS, "worse")]
    if not worse:
        return []
    chosen, alone = (record.arm(name).mean(record.metric, "validation") for name in (record.chosen, LABELS))
    if (chosen <= alone) if record.metric in SHARES else (chosen >= alone):
        return []
    said = f"The validation rows had said the opposite ({figure(record.metric, chosen)} against {figure(record.metric, alone)})"
    check = "validation-own-rows" if record.rows.get("own_validation") else "own-rows"
    if not any(one["check"] == check and one["severity"] == "warning" for one in record.findings["findings"]):
        return [f"{said}: they differ from the test rows, or the teacher was trained on them."]
    return [
        f"{said}: the teacher answers them as rows that it was trained on, and its students repeat what it remembers of them. Choose on "
        "rows that it has not seen (--validation), or distil from such rows, or from teachers that were not trained on the row "
        "(DistilledClassifier with out_of_fold)."
    ]


def _unproven(record: DistillationRecord, found: Comparison) -> str:
    """Why no difference is proven although the interval excludes zero, and how small a one would have been found; "" with a verdict."""
    if found.verdict != "no difference":
        return ""
    low, high = found.ci95
    parts = []
    if found.corrected_p is not None and not low <= 0 <= high:
        corrected = counted(len(record.comparisons), "question") + (f" and {len(record.looks)} looks" if len(record.looks) > 1 else "")
        parts.append(f", not proven after correction for {corrected} (p = {found.corrected_p:.2g})")
    if found.detectable is not None and not too_few_seeds(record, found):
        parts.append(f"; one below {size_of(found.metric, found.detectable)} would mostly go unnoticed")
    return "".join(parts)


def _about_few_seeds(record: DistillationRecord) -> list[str]:
    """That the smallest difference which would have been found is not known, where one of the answer shows none."""
    said = [*_baselines(record), *(one for one in record.comparisons if one.b == TEACHER)]
    if any(one.verdict == "no difference" and one.detectable is not None and too_few_seeds(record, one) for one in said):
        return [f"{heading(counted(seeds_of(record), 'seed'))} are too few to say how large a difference would have been found."]
    return []


def seeds_of(record: DistillationRecord) -> int:
    """The seeds of each arm."""
    return max(len(arm.seeds) for arm in record.arms)


def too_few_seeds(record: DistillationRecord, found: Comparison) -> bool:
    """Whether the smallest difference that would have been found says nothing: of two seeds, or above 100 points."""
    return seeds_of(record) < FEWEST_SEEDS or (found.metric in SHARES and (found.detectable or 0.0) >= 1)


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
    found = next((one for one in record.comparisons if one.b == TEACHER), None)
    if found is None:
        return []
    if found.verdict == "no difference":
        return [f"The chosen student shows no difference from the teacher: {difference(found)}{_unproven(record, found)}."]
    better = "better" if found.verdict == "beats" else "worse"
    return [f"The chosen student is {better} than the teacher by {difference(found)}."]


def _about_size(record: DistillationRecord) -> list[str]:
    """Whether the teacher is smaller or faster than its student."""
    chosen, teacher = record.arm(record.chosen), record.arm(TEACHER)
    larger = chosen.size_bytes is not None and teacher.size_bytes is not None and teacher.size_bytes < chosen.size_bytes
    slower = chosen.latency is not None and teacher.latency is not None and teacher.latency.p50_us < chosen.latency.p50_us
    facts = []
    if larger:
        facts.append(f"smaller ({kilobytes(teacher.size_bytes or 0)} against {kilobytes(chosen.size_bytes or 0)})")
    if slower and chosen.latency is not None and teacher.latency is not None:
        facts.append(f"faster ({microseconds(teacher.latency.p50_us)} a row against {microseconds(chosen.latency.p50_us)})")
    return [f"The teacher itself is {' and '.join(facts)}."] if facts else []


def _about_cascade(record: DistillationRecord) -> list[str]:
    """What the student does with its teacher behind it, on the test rows."""
    found = record.cascade
    if found is None:
        return []
    rate = percent(found.guarantee["target"])
    if not found.attained:
        return [f"The student may answer no row on its own at {rate}: {how_far(found)}."]
    over = ", as a rate over groups," if found.over_groups else ""
    return [
        f"With the teacher for the rows that it is unsure of, the student answers {percent(found.coverage.value)} of the test rows itself, "
        f"and {percent(found.agreement.value)} of all answers are the teacher's (95 %: {bounds(found.agreement.interval)}); {rate} are "
        f"guaranteed{over} with probability {percent(1 - found.guarantee['delta'])}.",
        *fallen_short(found),
    ]


def fallen_short(found: CascadeResult) -> list[str]:
    """What is to be said of test rows whose whole interval lies below the rate that was guaranteed."""
    target, interval = found.guarantee["target"], found.agreement.interval
    if not found.attained or interval.high >= target:
        return []
    why = (
        "the guarantee is one over groups, and this is a share of rows"
        if found.over_groups
        else "they may differ from those of calibration"
    )
    return [f"The whole interval on the test rows lies below the rate of {percent(target)}: {why}. Find out why before you rely on it."]


def how_far(found: CascadeResult) -> str:
    """How near a student came that may answer no row."""
    lower = [one for one in found.targets if one.threshold is not None and one.target is not None]
    if not lower:
        return f"its most confident answers are not the teacher's often enough on the {found.guarantee['rows']:,} calibration rows"
    best = max(lower, key=lambda one: one.target or 0.0)
    return f"at {percent(best.target or 0.0)} it would answer {percent(best.coverage)} of the test rows"


def bounds(interval: Interval) -> str:
    """The ends of an interval of a share, in per cent."""
    ends = (interval.low, interval.high)
    return " to ".join(f"{100 * end:.{1 if end in (0, 1) else digits_of(end)}f}" for end in ends)
