"""The problem of a distillation, from a teacher by name and files of rows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tutelage.core.errors import require
from tutelage.data.table_file import TableFile
from tutelage.workflow.distillation.problem import Problem, RowSet, moments
from tutelage.workflow.open_answers import SourceOptions, columns_known_to, in_columns_of, open_answers
from tutelage.workflow.train import data_entry


def problem_of_files(
    teacher: str,
    file: TableFile,
    options: SourceOptions,
    *,
    test: Path | None = None,
    pool: Path | None = None,
    group: str | None = None,
    time: str | None = None,
) -> Problem:
    """Open a teacher and its rows.

    Args:
        teacher: as for `open_answers`.
        file: the rows, with the roles of their columns.
        options: what the user declares about the teacher.
        test: a file of test rows.
        pool: a file of rows without ground truth.
        group: the column of rows that belong together; it is no feature.
        time: the column that orders the rows in time; it stays a feature unless it is dropped.

    Raises:
        as `open_answers` and `TableFile.open`.
    """
    if file.columns:
        require("pandas")
    if group is not None:
        file = file.with_roles(truth=file.truth, drop=(*file.drop, group), text=file.text, weight=file.weight)
    opened = open_answers(teacher, file, options)
    file = in_columns_of(opened, file)
    columns = columns_known_to(opened, file)

    def of(one: TableFile) -> RowSet:
        rows = one.rows()
        return RowSet(
            rows.part(0, rows.count),
            one.rows_of(columns),
            one.truth_values() if one.truth else None,
            one.weights(),
            None if group is None else one.values(group),
            None if time is None else moments(one.values(time)),
        )

    given = of(file)
    tested, unlabelled = (None if path is None else of(in_columns_of(opened, file.sibling(path))) for path in (test, pool))
    return Problem(
        opened, teacher, given, tested, None if unlabelled is None else replace(unlabelled, truth=None), columns, data_entry(file)
    )
