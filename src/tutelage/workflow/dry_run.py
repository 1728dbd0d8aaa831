"""What a distillation would do, how often its teacher would be asked, and roughly how long it would take; nothing is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np

from tutelage.checks import memorised
from tutelage.checks.answers import determinism
from tutelage.checks.preflight import asks_made_rows
from tutelage.core.arrays import Floats
from tutelage.core.engines.engines import workers_of
from tutelage.core.environment import PACKAGES, environment
from tutelage.core.errors import BadInput
from tutelage.core.running.stages import Stages
from tutelage.losses.class_weights import weights_by_name
from tutelage.report.distillation.limits import drop_unit
from tutelage.search.families import Family, numbers_in_a_row, passes
from tutelage.softlabels.querying import query
from tutelage.teachers.endpoints.chat_teacher import asks_an_endpoint
from tutelage.workflow.distillation.evidence.curve import SEEDS as CURVE_SEEDS
from tutelage.workflow.distillation.evidence.curve import SHARES
from tutelage.workflow.distillation.evidence.every_seed import CONTROLS
from tutelage.workflow.distillation.given.answered import more_rows
from tutelage.workflow.distillation.given.calibration import check_cascade
from tutelage.workflow.distillation.given.draws import Places
from tutelage.workflow.distillation.given.part import Part, part_of
from tutelage.workflow.distillation.given.problem import Problem, RowSet
from tutelage.workflow.distillation.given.split import Split, not_validated, parts_of, split
from tutelage.workflow.distillation.plan import Plan
from tutelage.workflow.distillation.searching.arms import Arm, arms_of
from tutelage.workflow.distillation.searching.judge import Judge
from tutelage.workflow.distillation.searching.rows import about, searched_rows
from tutelage.workflow.distillation.searching.training import Prepared
from tutelage.workflow.distillation.searching.usable import arms_with_students, no_plain_model, usable_students
from tutelage.workflow.distillation.searching.workplace import check_sendable
from tutelage.workflow.feature_guards import check_features

TIMED_ROWS = 1000
"""Rows on which each student is fitted to time it."""
ASKED_ROWS = (100, 400)
"""Rows on which the teacher is timed: what a call costs in any case is the same in both."""
CHECKED_ROWS = 2000
"""Rows of each set that the checks ask the teacher, at most."""
PREFLIGHT_SECONDS = 6
"""Of the plain models that preflight fits to the ground truth; without one it takes a second besides the teacher."""
EXPORT_SECONDS = 3
"""Of a file with its proof on 10 000 rows."""
LATENCY_SECONDS = 1.5
"""Of a measurement of a single-row latency, with the process that makes it."""


@dataclass(frozen=True)
class DryRun:
    """What a distillation would do.

    Attributes:
        rows: number of rows of each part.
        how: in a sentence, how the test rows are drawn.
        arms: what the students of each arm learn.
        students: names of the students.
        notes: what is left out and why, a sentence each.
        asked: number of rows that the teacher is asked; 0 for recorded answers.
        checked: about the number of rows that the checks ask it: samples, some of them again, and rows made next to them.
        seconds: roughly, on this machine: of each part, and in total.
        settings: trials, seeds, limits, exports, and the number of other processes that train, or None.
        installed: versions of the packages that matter.
    """

    rows: dict[str, int]
    how: str
    arms: dict[str, str]
    students: tuple[str, ...]
    notes: tuple[str, ...]
    asked: int
    checked: int
    seconds: dict[str, float]
    settings: dict[str, Any]
    installed: dict[str, str]

    def __str__(self) -> str:
        """The plan in lines."""
        limits = ", ".join(f"{name} {value:g}{unit}" for name, value, unit in self.settings["limits"]) or "none"
        once = f"asked {self.asked:,} rows once, and about {self.checked:,} more by the checks"
        of_teacher = once if self.asked else "its answers are recorded, so it is not asked"
        steps = ", ".join(f"{name} {duration(value)}" for name, value in self.seconds.items() if name != "total")
        lines = [
            ("Rows", f"{', '.join(f'{count:,} {name}' for name, count in self.rows.items())}. {self.how}"),
            ("Teacher", of_teacher),
            ("Arms", "; ".join(f"{name} ({meaning})" for name, meaning in self.arms.items())),
            ("Students", ", ".join(self.students)),
            ("Budget", f"{self.settings['trials']} trials of each arm, then {self.settings['seeds']} seeds"),
            ("Limits", limits),
            *([("Weights", self.settings["weights"])] if self.settings["weights"] else []),
            ("Exports", ", ".join(f"student{end}" for end in self.settings["exports"])),
            *([("Workers", f"{workers}, for the search and the students of all seeds")] if (workers := self.settings["workers"]) else []),
            ("Time", f"about {duration(self.seconds['total'])} on this machine, alone on it ({steps})"),
            ("Installed", ", ".join(f"{name} {version}" for name, version in self.installed.items())),
            *(("Note", note) for note in self.notes),
        ]
        return "\n".join([*(f"{name:<10}{text}" for name, text in lines), "Nothing was written; leave --dry-run out to start."])


def dry_run(problem: Problem, plan: Plan, stages: Stages, *, on: Any = None) -> DryRun:
    """What `distill` would do with a problem and a plan. The teacher is asked a few rows, and each student is fitted to a few.

    Args:
        problem: teacher and rows.
        plan: how.
        stages: measures and displays each stage.
        on: where students are trained, as `distill` takes it.

    Raises:
        BadInput: as the run itself would; or the teacher is made of language models, whose answers cost money.
    """
    if asks_an_endpoint(problem.teacher):
        raise BadInput(
            "a dry run asks the teacher a few rows, and this one is made of language models, whose answers cost; ask each of them for its "
            "price instead: model.estimate(texts)."
        )
    check_sendable(plan.families, on)
    if plan.cascade is not None:
        check_cascade(problem, plan.exports)
    with stages.stage("split"):
        found = split(problem, seed=plan.seed, cascade=plan.cascade)
    with stages.stage("try the students"):
        return _planned(problem, plan, found, workers=None if on is None else workers_of(on))


def _planned(problem: Problem, plan: Plan, found: Split, *, workers: int | None) -> DryRun:
    """The plan, once it is known which rows are for what."""
    train, validation = parts_of(problem, found, seed=plan.seed)
    more, are = more_rows(problem, found)
    learnt = _learnt(problem, found, validation, more)
    named = f"{f'{more:,}' if learnt == more else about(learnt)} {are}" if more else ""
    every = arms_of(problem.form, has_truth=problem.has_truth, more_rows=named)
    few, seconds_a_row = _few(problem, found, train, validation)
    started = perf_counter()
    usable = usable_students(plan, every, few)
    tried = perf_counter() - started
    arms = arms_with_students(plan, every, usable, problem)
    at_once = min(workers or 1, sum(map(len, arms.values())))
    recorded = problem.is_recorded
    asked = 0 if recorded else sum(one.count for one in (problem.given, problem.validation, problem.test) if one is not None) + more
    checked = 0 if recorded else _checked_rows(problem, found)
    seconds = {
        "teacher": asked * seconds_a_row,
        "preflight": (PREFLIGHT_SECONDS if problem.has_truth else 1) + checked * seconds_a_row,
        "first look": tried,
        **{name: one / at_once for name, one in _times(plan, arms, few, len(train), learnt).items()},
        "exports and report": EXPORT_SECONDS * len(plan.exports) + 2,
    }
    unit = drop_unit(problem.form.task, "truth" if problem.has_truth else "teacher")
    limits = (("size", plan.limits.size, " bytes"), ("latency", plan.limits.latency, " us"), ("drop", plan.limits.drop, f" {unit}"))
    return DryRun(
        rows={
            "to train on": len(train),
            "to validate on": len(validation),
            **({} if plan.cascade is None else {"to calibrate on": len(found.independent)}),
            "to test on": len(found.test),
            "more": more,
        },
        how=found.how,
        arms={arm.name: arm.meaning for arm in arms},
        students=tuple(family.name for family in plan.families),
        notes=(
            *found.notes,
            *check_features(few.train.rows, few.train.answers, problem.form, problem.asked_columns),
            *no_plain_model(problem),
            *usable.notes,
        ),
        asked=asked,
        checked=checked,
        seconds={**seconds, "total": sum(seconds.values())},
        settings={
            "trials": plan.trials,
            "seeds": plan.seeds,
            "limits": [limit for limit in limits if limit[1] is not None],
            "exports": list(plan.exports),
            "weights": _weights(problem, found),
            "workers": workers,
        },
        installed={name: version for name, version in environment().items() if name in PACKAGES},
    )


def duration(seconds: float) -> str:
    """A rough duration in words.

    Example:
        >>> duration(0.3), duration(44), duration(200), duration(5000)
        ('a second', '40 seconds', '3 minutes', '1.4 hours')
    """
    if seconds < 2:
        return "a second"
    if seconds < 90:
        return f"{round(seconds, -1 if seconds >= 20 else 0):.0f} seconds"
    return f"{seconds / 60:.0f} minutes" if seconds < 5400 * 0.9 else f"{seconds / 3600:.1f} hours"


def _learnt(problem: Problem, found: Split, validation: Places, more: int) -> int:
    """About how many of the rows without ground truth each seed learns from: none of its validation rows, nor made from one of them.

    No rows are made from rows that were given to validate on.
    """
    if problem.pool is not None:
        return int(not_validated(problem, found, validation).sum())
    if problem.validation is not None:
        return more
    return round(more * (1 - len(validation) / len(found.development)) ** 2)  # a row is made from two


def _weights(problem: Problem, found: Split) -> str:
    """How rows count, in words; "" if all count the same."""
    by_class = ", ".join(f"{name} {weight:.3g}" for name, weight in weights_by_name(found.class_weights, problem.form).items())
    own = problem.given.weights is not None
    return " times ".join([*(["those of the rows"] if own else []), *([f"those of the classes ({by_class})"] if by_class else [])])


def _checked_rows(problem: Problem, found: Split) -> int:
    """About the number of rows that the checks ask the teacher."""
    sets = [min(CHECKED_ROWS, len(places)) for places in (found.development, found.test)]
    of_validation = 0 if problem.validation is None else min(CHECKED_ROWS, len(found.validation)) + sets[1]
    again = 3 * min(determinism.ROWS, sets[0])
    makes = problem.has_truth and not (problem.is_text or problem.inputs) and asks_made_rows(problem.teacher)
    made = sum(memorised.NEAR * min(memorised.ROWS, count) for count in sets if count >= memorised.FEWEST_ROWS) if makes else 0
    return sum(sets) + of_validation + again + made


def _few(problem: Problem, found: Split, train: Places, validation: Places) -> tuple[Prepared, float]:
    """A few rows to fit students to, and the seconds that the teacher takes for a row."""
    random = np.random.default_rng(0)
    trained, validated = (np.sort(random.permutation(places)[:TIMED_ROWS]) for places in (train, validation))
    _answers(problem, problem.given, trained[:2])  # what it does once
    seconds = _seconds_a_row(problem, trained)

    def of(name: str, rows: RowSet, places: Places) -> Part:
        truth, answers = problem.truths[name], _answers(problem, rows, places)
        known = None if truth is None else truth[places]
        return part_of(rows.take(places), answers, problem.form, truth=known, class_weights=found.class_weights)

    name, rows = ("given", problem.given) if problem.validation is None else ("validation", problem.validation)
    parts = [of("given", problem.given, trained), of(name, rows, validated)]
    more = Part(parts[0].rows, parts[0].answers, weights=parts[0].weights)
    return Prepared(problem.form, parts[0], parts[1], more, problem.schema, isinstance(problem.given.rows, list)), seconds


def _seconds_a_row(problem: Problem, places: Places) -> float:
    """The seconds that the teacher takes for a row more."""
    counts, seconds = [min(count, len(places)) for count in ASKED_ROWS], []
    for count in counts:
        started = perf_counter()
        _answers(problem, problem.given, places[:count])
        seconds.append(perf_counter() - started)
    return seconds[0] / counts[0] if counts[0] == counts[1] else max(0.0, (seconds[1] - seconds[0]) / (counts[1] - counts[0]))


def _answers(problem: Problem, rows: RowSet, places: Places) -> Floats:
    """The teacher's answers to some rows; recorded ones are looked up with all rows, among which equal rows have a place."""
    if problem.is_recorded:
        return query(problem.teacher, rows.asked)[places]
    return query(problem.teacher, rows.take(places).asked)


def _times(plan: Plan, arms: Mapping[Arm, Sequence[Family]], few: Prepared, train: int, more: int) -> dict[str, float]:
    """Seconds of the search, of the training of all seeds and of the transfer curve, from one fit of each student to a few rows."""
    most = searched_rows(few.train.rows)
    judge = Judge(plan.metric, "truth", plan.limits, plan.exports[0])
    search = finals = curve = 0.0
    of_few = {  # of the arms that a student is in, the last without more rows stands for all
        family.name: (family, arm) for arm, families in sorted(arms.items(), key=lambda one: not one[0].more_rows) for family in families
    }
    measured = {name: _fit_and_file(family, arm, few, judge) for name, (family, arm) in of_few.items()}
    for arm, families in arms.items():
        searched = min(train, most) + (min(more, most) if arm.more_rows else 0)
        whole = train + (more if arm.more_rows else 0)
        latency = 0.0 if plan.limits.latency is None else LATENCY_SECONDS
        each = [_scaled(family, measured[family.name], few.train.count, searched) for family in families]
        search += plan.trials * (float(np.mean(each)) + latency)
        finals += plan.seeds * _mean_seconds(families, measured, few.train.count, whole) + LATENCY_SECONDS
        if arm.more_rows:
            fewer = [_mean_seconds(families, measured, few.train.count, train + round(share * more)) for share in SHARES]
            curve = min(CURVE_SEEDS, plan.seeds) * sum(fewer)
    return {"search": search, "all seeds": finals * (1 + CONTROLS / len(arms)), **({"transfer curve": curve} if curve else {})}


def _mean_seconds(families: Sequence[Family], measured: Mapping[str, tuple[float, float, int]], few: int, rows: int) -> float:
    """Seconds of a fit to so many rows, over the students that may be chosen."""
    return float(np.mean([_scaled(family, measured[family.name], few, rows) for family in families]))


def _fit_and_file(family: Family, arm: Arm, few: Prepared, judge: Judge) -> tuple[float, float, int]:
    """Seconds of a fit to a few rows, and of what does not depend on their number; and the numbers in a row."""
    settings = {**family.untuned, **few.untuned(family)}
    for name in ("train", "validation"):
        few.encoded(family, settings, name)
    started = perf_counter()
    student = few.fit(arm, family, settings, seed=0)
    fitted = perf_counter()
    judge.file(student, few.validation.take(np.arange(min(200, few.validation.count))).rows)
    return fitted - started, perf_counter() - fitted, numbers_in_a_row(few.encoded(family, settings, "train"))


def _scaled(family: Family, measured: tuple[float, float, int], few: int, rows: int) -> float:
    """Seconds of a fit to so many rows: networks see a bounded number of them."""
    network = hasattr(getattr(family.estimator, "estimator", family.estimator), "epochs")
    fitted, rest, columns = measured
    of = (lambda count: count * passes(count, columns)) if network else float
    return float(fitted * of(rows) / of(few) + rest)
