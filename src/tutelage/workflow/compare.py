"""Compare the students of two folders on the same rows of a file."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tutelage.core.answer_values.class_names import list_classes
from tutelage.core.answer_values.named_columns import columns_in_order
from tutelage.core.answers import AnswerForm
from tutelage.core.arrays import Floats
from tutelage.core.contracts import Teacher
from tutelage.core.errors import BadInput, LabelMismatch, require, shown
from tutelage.core.position_answers import Answers
from tutelage.core.records import Comparison
from tutelage.data.rows import Rows
from tutelage.data.schema import Schema
from tutelage.data.table_file import TableFile
from tutelage.evaluation.aligning.alignment import align
from tutelage.evaluation.paired import LOWER_IS_BETTER
from tutelage.evaluation.records import AlignedAnswers
from tutelage.evaluation.scoring.notes import on_units
from tutelage.evaluation.scoring.row_scores import Settings, Target, row_scores
from tutelage.evaluation.verdicts import pair_verdict, paired_difference, paired_rows, verdict
from tutelage.students.saved.save_load import loaded_student, needs_network
from tutelage.students.saved.trained_folder import read_trained, student_file
from tutelage.teachers.decisions import own_rule
from tutelage.workflow.evaluate import (
    places_with_truth,
    rows_trained_on,
    rows_with_teacher,
    some_rows,
    some_truth,
    warn_of_calibration_rows,
    warn_of_class_weights,
)
from tutelage.workflow.ground_truth import check_labels, in_label_order
from tutelage.workflow.open_answers import in_columns_of


@dataclass(frozen=True, eq=False)
class Trained:
    """The students of one folder.

    Attributes:
        folder: where they are.
        record: what run.json says.
        students: one for each seed; a folder of `tutelage train` holds one.
    """

    folder: Path
    record: Mapping[str, Any]
    students: tuple[Any, ...]


@dataclass(frozen=True, eq=False)
class _AskedOnce:
    """A teacher whose answers to the rows of one comparison are kept for the next student.

    Attributes:
        teacher: the teacher.
        form, fingerprint: those of the teacher.
    """

    teacher: Teacher
    form: AnswerForm
    fingerprint: str

    def answer(self, inputs: Any) -> Answers:
        """(rows, columns) answers to the rows, which are the same at each call."""
        if "answers" not in self._kept:
            self._kept["answers"] = self.teacher.answer(inputs)
        answers: Answers = self._kept["answers"]
        return answers

    def decide(self, inputs: Any) -> Any:
        """What the teacher decides by a rule of its own; None if it has none."""
        if "decided" not in self._kept:
            self._kept["decided"] = own_rule(self.teacher)(inputs)
        return self._kept["decided"]

    @cached_property
    def _kept(self) -> dict[str, Any]:
        return {}


def open_all(folder: Path, module: Any = None) -> Trained:
    """All students of a folder that `tutelage distill` or `tutelage train` wrote: for each seed one.

    Args:
        folder: the folder.
        module: builds their torch networks, where the files have the weights alone.

    Raises:
        BadInput: it holds no student, or a module is given that it does not need. DamagedFile: a file was changed.
    """
    record = read_trained(folder)
    entries = record.get("seeds") or [record["file"]]
    return Trained(folder, record, tuple(loaded_student(student_file(folder, entry), module) for entry in entries))


def open_both(a: Path, b: Path, modules: Sequence[Any] = ()) -> tuple[Trained, Trained]:
    """The students of two folders, as `open_all` opens them.

    Args:
        a: a folder.
        b: another one.
        modules: what builds their torch networks: one for each folder, or one for those of them that need it.

    Raises:
        BadInput: a module that no folder needs; and as `open_all`.
    """
    of_a, of_b = modules if len(modules) == 2 else (*modules, *modules) or (None, None)
    if len(modules) == 1:
        needs_a, needs_b = (needs_network(student_file(folder, read_trained(folder)["file"])) for folder in (a, b))
        of_a, of_b = of_a if needs_a or not needs_b else None, of_b if needs_b else None
    return open_all(a, of_a), open_all(b, of_b)


def compare_folders(
    a: Trained, b: Trained, file: TableFile, teacher: Teacher | None = None, *, metric: str | None = None, against: Target | None = None
) -> Comparison:
    """The paired difference of two folders' students on the same rows.

    Where both hold students of several seeds, the interval is over seeds and rows, and the verdict is about two ways of training; otherwise
    it is over rows, and about these two students.

    Args:
        a: from `open_all`.
        b: the same.
        file: the rows, with the ground truth if it is known, from `rows_to_measure` for the student of a.
        teacher: answers the rows, for figures against the teacher; for those against the truth it is not asked.
        metric: a figure that is a mean over rows; the first against the target by default.
        against: "truth" (the default if it is known) or "teacher".

    Raises:
        BadInput: nothing to measure against, or no such figure. LabelMismatch: students of other tasks or classes.

    Warns:
        UserWarning: some of the rows were used to train or to choose one of the students, or calibrated its threshold; its classes had
            weights; rows without ground truth are left out.
    """
    first, second = a.students[0], b.students[0]
    if (first.task, sorted(map(str, first.labels))) != (second.task, sorted(map(str, second.labels))):
        raise LabelMismatch(
            f"{a.folder} holds a student of {_of(first)}, and {b.folder} one of {_of(second)}; "
            "compare students of the same task and classes."
        )
    _check_outputs(a, b)
    target: Target = against or ("truth" if file.truth else "teacher")
    if (target == "teacher" and teacher is None) or (target == "truth" and not file.truth):
        raise BadInput(f"the students are compared by the {target}, which is not given; pass --truth, or --teacher.")
    teacher = teacher if target == "teacher" else None
    table = b.record["data"]["table"]  # of the columns that a alone reads, the file has the types already
    file = file.matching(None if table is None else Schema.from_json(table))
    form = first.form if teacher is None else teacher.form
    check_labels(form, file)
    places = places_with_truth(file, first.labels)
    for one in (a, b):
        _warn_of_rows_trained_on(one, file, places)
        warn_of_class_weights(one.record, one.folder)
    count = min(len(a.students), len(b.students))
    file = in_label_order(form, in_columns_of(teacher, file))
    asked, rows, truth = _asked((first, second), teacher, file, places)
    for student in (first, second) if not file.columns or file.inputs else ():
        student.check_scale(rows.part(0, rows.count), str(file.path))
    if asked is not None:  # an unknown figure is named before a teacher is asked that may cost money
        _figure(align(first, first, some_rows(rows, np.arange(1))), target, metric)
    (of_a, name, units), (of_b, _, _) = (
        _scores(one.students[:count], asked, rows, _in_order_of(one.students[0], first, truth, teacher), target, metric) for one in (a, b)
    )
    names = (str(a.folder), str(b.folder))
    about = f"differ in {name} against the {target}, on the same {of_a.shape[1]:,} rows"
    better = f"({'Lower' if name in LOWER_IS_BETTER else 'Higher'} is better.)"
    if count > 1:
        difference, interval = paired_difference(of_a, of_b, shared_rows=True, largest=Settings().largest(name))
        found: Any = verdict(difference, interval, lower_is_better=name in LOWER_IS_BETTER)
        question = f"Do the students of {names[0]} and {names[1]}, of {count} seeds each, {about}? {better}"
    else:
        binary = ((of_a == 0) | (of_a == 1)).all() and ((of_b == 0) | (of_b == 1)).all()
        pair = (of_a[0].astype(bool), of_b[0].astype(bool)) if binary else (of_a[0], of_b[0])
        difference, interval = paired_rows(*pair, largest=Settings().largest(name))
        found = pair_verdict(difference, interval)
        question = f"Do these two students, {names[0]} and {names[1]}, {about}? {better} Another seed of either may give another answer."
    return Comparison(
        a=names[0],
        b=names[1],
        metric=name,
        difference=difference,
        ci95=(interval.low, interval.high),
        verdict=found,
        question=question,
        over=interval.over,
        caution=" ".join(filter(None, [interval.caution, units])),
    )


def _asked(
    students: Sequence[Any], teacher: Teacher | None, file: TableFile, places: NDArray[np.intp] | None
) -> tuple[Teacher | None, Rows, NDArray[Any] | None]:
    """The teacher of the columns that it knows, which is asked once for all students, the rows, and their ground truth."""
    if file.columns:
        require("pandas")
    asked, rows = rows_with_teacher(students, teacher, file)
    if asked is not None:
        asked = _AskedOnce(asked, asked.form, asked.fingerprint)
    return asked, some_rows(rows, places), some_truth(file, places)


def _check_outputs(a: Trained, b: Trained) -> None:
    """Refuse students of values whose folders name them alike, in another order.

    Raises:
        LabelMismatch: they do.
    """
    of_a, of_b = (tuple(one.record["data"]["truth"]) for one in (a, b))
    if a.students[0].task == "regression" and of_a != of_b and sorted(of_a) == sorted(of_b):
        raise LabelMismatch(
            f"{a.folder} holds a student of the values {list_classes(of_a)}, and {b.folder} one of {list_classes(of_b)}; train both on the "
            "values in one order."
        )


def _in_order_of(student: Any, first: Any, truth: NDArray[Any] | None, teacher: Teacher | None) -> NDArray[Any] | None:
    """Ground truth in the order of the labels of one student, which is also that of a teacher, from that of the first."""
    if truth is None or teacher is not None or first.task != "multilabel":
        return truth
    return np.asarray(truth[:, columns_in_order(first.labels, student.labels, what="the labels", remedy="Train both on the same.")])


def _scores(
    students: Sequence[Any], teacher: Teacher | None, rows: Rows, truth: NDArray[Any] | None, target: Target, metric: str | None
) -> tuple[Floats, str, str]:
    """(seeds, rows) of the metric, its name, and what is to be said of several values in it."""
    found, units = [], ""
    for student in students:
        aligned = align(student, teacher, rows, truth)
        name, values = _figure(aligned, target, metric)
        found.append(values)
        units = on_units(aligned, target) if name == "mse" else ""
    return np.stack(found), name, units


def _figure(aligned: AlignedAnswers, target: Target, metric: str | None) -> tuple[str, Floats]:
    """The name of the metric, and (rows,) of it.

    Raises:
        BadInput: no such figure.
    """
    scores = row_scores(aligned, target, Settings())
    name = next(iter(scores)) if metric is None else metric
    if name not in scores:
        raise BadInput(f"metric is {shown(name)}; against the {target} expected one of {', '.join(scores)}.")
    return name, np.asarray(scores[name].values, dtype=np.float64)


def _warn_of_rows_trained_on(one: Trained, file: TableFile, places: NDArray[np.intp] | None) -> None:
    columns = one.students[0].columns
    rows = file.rows_of(columns if columns and set(columns) <= set(file.columns) else file.features)
    as_read = some_rows(rows, places)
    known = rows_trained_on(one.record, as_read, one.folder)
    warn_of_calibration_rows(one.record, as_read, one.folder)
    if known:
        warnings.warn(
            f"{known:,} of these rows were used to train or to choose the students of {one.folder}; figures on other rows will be worse.",
            stacklevel=3,
        )


def _of(student: Any) -> str:
    return f"{student.task} {', '.join(map(str, student.labels))}".rstrip()
