"""The problem of a distillation, from a teacher by name and files of rows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tutelage.core.errors import BadInput, require
from tutelage.core.file_systems.paths import AnyPath
from tutelage.data.table_file import TableFile
from tutelage.losses.class_weights import checked_class_weight
from tutelage.workflow.distillation.given.alike import in_columns
from tutelage.workflow.distillation.given.problem import Problem, RowSet, moments, refuse_positions
from tutelage.workflow.distillation.given.unlabelled import labelled
from tutelage.workflow.ground_truth import check_labels, in_label_order
from tutelage.workflow.open_answers import SourceOptions, columns_known_to, in_columns_of, open_answers
from tutelage.workflow.train import data_entry


def problem_of_files(
    teacher: str,
    file: TableFile,
    options: SourceOptions,
    *,
    test: AnyPath | None = None,
    validation: AnyPath | None = None,
    pool: AnyPath | None = None,
    train: AnyPath | None = None,
    group: str | None = None,
    time: str | None = None,
    unlabelled: str | None = None,
    class_weight: Any = None,
) -> Problem:
    """Open a teacher and its rows.

    Args:
        teacher: as for `open_answers`.
        file: the rows, with the roles of their columns.
        options: what the user declares about the teacher.
        test: a file of test rows.
        validation: a file of rows that students are chosen on.
        pool: a file of rows without ground truth.
        train: a file of rows that the teacher was trained on.
        group: the column of rows that belong together; it is no feature. A pool may lack it.
        time: the column that orders the rows in time; it stays a feature unless it is dropped, or is an array of a .npz file. A pool
            may lack it.
        unlabelled: as for `distill`.
        class_weight: as for `distill`.

    Raises:
        as `open_answers` and `TableFile.open`.
    """
    if file.columns:
        require("pandas")
    for name, column in (("group", group), ("time", time)):
        if column is not None and column in file.truth:
            raise BadInput(f"{name} is {column!r}, the ground truth; name another column.")
    beside = [name for name in (group, time if file.archive is not None else None) if name is not None]
    file = file.with_roles(truth=file.truth, drop=(*file.drop, *beside), text=file.text, weight=file.weight)
    opened = open_answers(teacher, file, options)
    refuse_positions(opened.form)
    file = in_label_order(opened.form, in_columns_of(opened, file))
    check_labels(opened.form, file)
    columns = columns_known_to(opened, file)

    def of(one: TableFile, role: str) -> RowSet:
        """The rows with what this set needs of them: a pool may lack the other columns, or have gaps in them."""
        rows, truth, weights = one.rows(), None, None
        if role in ("given", "validation", "test"):
            truth, weights = one.truth_values(gaps=True), one.weights()
        elif role == "pool" and one.weight is not None and not one.is_empty(one.weight):
            weights = one.weights()
        grouped = group is not None and (role in ("given", "validation", "test") or (role == "pool" and group in one.names))
        groups = one.values(str(group)) if grouped else None
        timed = time is not None and (role == "given" or (role == "pool" and time in one.names and not one.is_empty(time)))
        times = moments(one.values(str(time))) if timed else None
        return RowSet(rows.part(0, rows.count), one.rows_of(columns), truth, weights, groups, times)

    given = of(file, "given")
    like = {"test": file, "validation": file, **dict.fromkeys(("pool", "train"), replace(file, truth=(), drop=(*file.drop, *file.truth)))}
    paths = {"test": test, "validation": validation, "pool": pool, "train": train}
    others = {name: path for name, path in paths.items() if path is not None}
    files = {name: in_columns_of(opened, like[name].sibling(path)) for name, path in others.items()}
    sets = {name: in_columns(given, of(one, name), str(one.path), teacher_too=False) for name, one in files.items()}
    found = labelled(
        given,
        sets.get("test"),
        sets.get("pool"),
        opened.form,
        unlabelled=unlabelled,
        validation=sets.get("validation"),
        what=(_column(file, file.path), _column(file, test), _column(file, validation)),
        notes=(_note(file), _note(files.get("test", file)), _note(files.get("validation", file))),
    )
    return Problem(
        opened,
        teacher,
        found.given,
        found.test,
        found.pool,
        () if file.inputs else columns,
        data_entry(file),
        sets.get("train"),
        found.unlabelled,
        checked_class_weight(class_weight, opened.form, has_truth=found.given.truth is not None),
        validation=found.validation,
    )


def _column(file: TableFile, path: AnyPath | None) -> str:
    """Where the ground truth is, in words."""
    return f"column {file.truth[0]!r} of {path}" if len(file.truth) == 1 else str(path)


def _note(file: TableFile) -> str:
    """What is said of gaps in the ground truth of a file."""
    return "".join(map(file.gaps_note, file.truth))
