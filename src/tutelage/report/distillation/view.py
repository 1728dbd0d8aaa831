"""A distillation as the texts of its page: every figure with its unit, once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tutelage.core.records import Comparison
from tutelage.report.distillation.charts import kind_of, least
from tutelage.report.distillation.figures import ClassDisagreement, Figures
from tutelage.report.distillation.glossary import GLOSSARY
from tutelage.report.distillation.limits import limits_of
from tutelage.report.distillation.records import ArmResult, DistillationRecord
from tutelage.report.distillation.sentences import (
    calibration_of,
    cut,
    detectable,
    disagreement_of,
    settings_of,
    signed_difference,
    span,
    summary_of,
    verdict_note,
    weights_note,
)
from tutelage.report.distillation.words import SHARES, figure, metric_name, size_of
from tutelage.report.records import Matrix
from tutelage.report.words import counted, kilobytes, microseconds

KINDS = {
    "chosen": "the chosen student",
    "student": "student of the teacher",
    "baseline": "no teacher",
    "control": "control",
    "teacher": "teacher",
}
MOST_CLASSES, MOST_ON_NARROW = 25, 12
"""Classes of a confusion matrix that is shown whole, and of one that narrow screens show."""
MOST_ROWS = 15
"""Rows of a table of classes or of mistakes."""
LONGEST_LABEL = 4
"""Characters of class names that head the columns of a matrix; longer ones are numbered."""


@dataclass(frozen=True)
class ArmView:
    """One arm as texts."""

    name: str
    what: str
    settings: str
    chosen: bool
    test: str
    interval: str
    validation: str
    fidelity: str
    size: str
    latency: str
    latency_interval: str


@dataclass(frozen=True)
class View:
    """The texts of the page, by place."""

    teacher_name: str
    summary: str
    metric: str
    values: bool
    tiles: list[tuple[str, str]]
    limits: list[dict[str, Any]]
    kinds: list[tuple[str, str]]
    cost_kinds: list[tuple[str, str]]
    trial_kinds: list[tuple[str, str]]
    front_note: str
    teacher_timed: bool
    arms: list[ArmView]
    fidelity_name: str
    validation_note: str
    over: str
    caveat: str
    comparisons: list[dict[str, str]]
    verdict_note: str
    calibration: str
    matrix: Matrix | None
    key: str
    weights_note: str
    confused: list[tuple[str, str, int]]
    disagreement: str
    class_heading: str
    names_others: bool
    by_class: list[ClassDisagreement]
    more_classes: str
    findings: list[Mapping[str, Any]]
    passed: list[Mapping[str, Any]]
    facts: list[tuple[str, Any]]
    spent: list[tuple[str, float]]
    longest: float
    glossary: list[tuple[str, str]]


def view_of(record: DistillationRecord, figures: Figures) -> View:
    """The texts of the page of a distillation."""
    chosen, shown = record.arm(record.chosen), {kind_of(record, arm) for arm in record.arms}
    found = record.findings.get("findings", [])
    matrix, key = _matrix(figures)
    by_class = [one for one in figures.disagreement.by_class if one.disagree]
    spent = [(name, seconds) for name, seconds in record.seconds.items() if name != "total"]
    kinds = [(kind, name) for kind, name in KINDS.items() if kind in shown]
    limited = record.limits.get("latency") is not None or least(record) is not None
    return View(
        teacher_name=_file_name(record.title),
        summary=summary_of(record),
        metric=metric_name(record),
        values=record.task == "regression",
        tiles=_tiles(record, chosen),
        limits=limits_of(record),
        kinds=kinds,
        cost_kinds=[
            ("front", "front"),
            *([("limit", "limit")] if limited else []),
            *([("trial", "trial, on validation rows")] if any(trial.get("latency_us") for trial in record.front) else []),
        ],
        trial_kinds=[
            *(one for one in kinds if one[0] not in ("control", "teacher")),
            *([("limit", "limit")] if record.limits.get("size") else []),
        ],
        front_note=_front_note(record),
        teacher_timed=any(arm.kind == "teacher" and arm.latency is not None for arm in record.arms),
        arms=view_of_arms(record),
        fidelity_name=_fidelity_name(record),
        validation_note=_validation_note(record),
        over=" or ".join(dict.fromkeys(arm.interval.over for arm in record.arms if arm.interval is not None)) or "nothing",
        caveat="No interval covers another teacher.",
        comparisons=[_comparison(record, one) for one in record.comparisons],
        verdict_note=verdict_note(record),
        calibration=calibration_of(record, figures),
        matrix=matrix,
        key=key,
        weights_note=weights_note(figures),
        confused=_confused(figures),
        disagreement=disagreement_of(record, figures),
        class_heading="Label" if record.task == "multilabel" else "Teacher decides",
        names_others=any(one.most_often for one in by_class),
        by_class=[replace(one, name=cut(one.name), most_often=cut(one.most_often)) for one in by_class[:MOST_ROWS]],
        more_classes=f"{len(by_class) - MOST_ROWS:,} more with disagreements." if len(by_class) > MOST_ROWS else "",
        findings=_findings([one for one in found if one["severity"] != "ok"]),
        passed=_findings([one for one in found if one["severity"] == "ok"]),
        facts=_facts(record),
        spent=spent,
        longest=max([seconds for _, seconds in spent], default=0.0) or 1.0,
        glossary=list(GLOSSARY.items()),
    )


def view_of_arms(record: DistillationRecord) -> list[ArmView]:
    """All arms as texts, in order."""
    return [_arm(record, arm) for arm in record.arms]


def _findings(found: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Findings that say which rows they are about, with each remedy once."""
    said: set[str] = set()
    shown: list[Mapping[str, Any]] = []
    for one in found:
        tested = str(one["check"]).startswith("test-")
        sentence = f"on the test rows, {one['sentence']}" if tested else one["sentence"]
        shown.append({**one, "sentence": sentence, "remedy": "" if one["remedy"] in said else one["remedy"]})
        said.add(one["remedy"])
    return shown


def _tiles(record: DistillationRecord, chosen: ArmResult) -> list[tuple[str, str]]:
    metric, name = record.metric, metric_name(record)
    found = [(figure(metric, chosen.mean(metric)), f"{name}: the chosen student, mean of {counted(len(chosen.seeds), 'seed')}")]
    teacher = [arm for arm in record.arms if arm.kind == "teacher" and record.against == "truth"]
    found += [(figure(metric, arm.mean(metric)), "the teacher") for arm in teacher]
    taught = chosen.kind == "distilled"
    rivals = [arm for arm in record.arms if arm.kind == ("baseline" if taught else "distilled")]
    if rivals:
        best = max(rivals, key=lambda arm: arm.mean(metric) if metric in SHARES else -arm.mean(metric))
        found.append((figure(metric, best.mean(metric)), f"the best student {'without' if taught else 'of'} the teacher, on the test rows"))
    if chosen.size_bytes is not None:
        found.append((kilobytes(chosen.size_bytes), "size of the exported file"))
    if chosen.latency is not None:
        found.append((microseconds(chosen.latency.p50_us), "latency of one row"))
    return found


def _arm(record: DistillationRecord, arm: ArmResult) -> ArmView:
    metric, latency, fidelity = record.metric, arm.latency, fidelity_of(record)
    interval, ci95 = arm.interval, None if latency is None else latency.ci95_us
    return ArmView(
        name=arm.name,
        what=f"{arm.student}, {arm.meaning}" if arm.student else arm.meaning,
        settings=settings_of(arm.settings),
        chosen=arm.name == record.chosen,
        test=figure(metric, arm.mean(metric)),
        interval="" if interval is None else span(metric, interval),
        validation=figure(metric, arm.mean(metric, "validation")) if metric in arm.validation else "-",
        fidelity="-" if arm.kind == "teacher" or fidelity not in arm.test else figure(fidelity, arm.mean(fidelity)),
        size="-" if arm.size_bytes is None else kilobytes(arm.size_bytes),
        latency="-" if latency is None else microseconds(latency.p50_us),
        latency_interval="" if ci95 is None else f"{microseconds(ci95[0])} to {microseconds(ci95[1])}",
    )


def fidelity_of(record: DistillationRecord) -> str:
    """The name of the figure that says how closely a student follows its teacher."""
    return ("teacher_mse" if record.against == "truth" else "mse") if record.task == "regression" else "agreement"


def _fidelity_name(record: DistillationRecord) -> str:
    return "squared error to the teacher" if record.task == "regression" else "agreement with the teacher"


def _front_note(record: DistillationRecord) -> str:
    """Which trials the chart of the search shows."""
    timed = any(trial.get("latency_us") is not None for trial in record.front)
    compared = f"{metric_name(record)} and size{', and in latency where both were timed' if timed else ''}"
    return f"Trials that no other trial of the same arm beats in {compared}, by the validation rows of the first seed."


def _validation_note(record: DistillationRecord) -> str:
    chosen, metric = record.arm(record.chosen), record.metric
    if metric not in chosen.validation:
        return ""
    said, found = chosen.mean(metric, "validation"), chosen.mean(metric)
    if found == said:
        return f"Of the chosen student, validation and test both say {figure(metric, said)}."
    better = (found > said) == (metric in SHARES)
    size = size_of(metric, abs(found - said))
    said_and_found = f"Of the chosen student, validation says {figure(metric, said)} and test {figure(metric, found)}: {size} "
    return said_and_found + (
        "better." if better else "worse. Validation chose it, which makes it somewhat too kind; other rows and few rows change it too."
    )


def _comparison(record: DistillationRecord, one: Comparison) -> dict[str, str]:
    corrected = "" if one.corrected_p is None else f", p = {one.corrected_p:.2g} corrected"
    return {
        "question": one.question,
        "a": one.a,
        "b": one.b,
        "difference": signed_difference(one),
        "note": f"over {one.over}{corrected}" + (f". {one.caution}" if one.caution else ""),
        "verdict": one.verdict,
        "detectable": detectable(record, one),
    }


def _matrix(figures: Figures) -> tuple[Matrix | None, str]:
    """The confusion matrix in shares of its rows, None if there are too many classes; and a key to its columns if names are too long."""
    found = figures.confusion
    if found is None or len(found.classes) > MOST_CLASSES:
        return None, ""
    shares = tuple(tuple(count / (sum(row) or 1) for count in row) for row in found.counts)
    long = max(map(len, found.classes)) > LONGEST_LABEL
    labels = tuple(str(place + 1) for place in range(len(found.classes))) if long else found.classes
    key = "Classes: " + ", ".join(f"{label} {cut(name)}" for label, name in zip(labels, found.classes, strict=True)) + "." if long else ""
    return Matrix("Confusion", "", found.rows_are, "what the student decides", labels, shares), key


def _confused(figures: Figures) -> list[tuple[str, str, int]]:
    """The most frequent mistakes, where there are too many classes for a matrix on narrow screens."""
    found = figures.confusion
    if found is None or len(found.classes) <= MOST_ON_NARROW:
        return []
    pairs = [
        (cut(truth), cut(decided), count)
        for truth, row in zip(found.classes, found.counts, strict=True)
        for decided, count in zip(found.classes, row, strict=True)
        if truth != decided and count
    ]
    return sorted(pairs, key=lambda pair: -pair[2])[:MOST_ROWS]


def _file_name(title: str) -> str:
    """The name of a teacher without the folders that it is in: pages are shared."""
    return title.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1] or title


def _learnt(rows: Mapping[str, Any]) -> str:
    """How many of the rows that the teacher labelled the first seed learns from, if not all."""
    learnt, of = rows.get("more_learnt", rows["more"]), "are or were made from its validation rows, or are in their groups"
    return "" if learnt == rows["more"] else f", of which the first seed learns from {learnt:,}: the others {of}"


def _facts(record: DistillationRecord) -> list[tuple[str, Any]]:
    rows = dict(record.rows)
    removed = ", ".join(f"{count:,} {why}" for why, count in rows.get("removed", {}).items() if count)
    seen, repeated = rows.get("seen_test"), rows.get("repeated_test")
    return [
        *({**record.provenance, "teacher": _file_name(record.title)} if record.provenance else {}).items(),
        ("training rows", f"{rows['train']:,} for the first seed, and {rows['validation']:,} validation rows"),
        *([("calibration rows", f"{rows['calibration']:,}")] if rows.get("calibration") else []),
        ("test rows", f"{rows['test']:,}. {rows.get('test_rows', '')}"),
        *([("rows labelled by the teacher", f"{rows['more']:,} more{_learnt(rows)}")] if rows.get("more") else []),
        *([("test rows that the teacher was trained on", f"{seen:,}")] if seen is not None else []),
        *([("test rows that repeat another", f"{repeated:,}")] if repeated else []),
        ("rows left out", removed or "none"),
        *((name.replace("_", " "), value) for name, value in record.options.items()),
        *record.environment.items(),
    ]
