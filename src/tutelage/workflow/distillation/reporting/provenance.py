"""Where a distillation comes from: its teacher, its rows and the files that they are in."""

from __future__ import annotations

from typing import Any

from tutelage.workflow.distillation.given.problem import Problem, RowSet


def provenance_of(problem: Problem) -> dict[str, Any]:
    """The teacher with its fingerprint, and each set of rows with the name of its content, as plain JSON values."""
    sets = {"data": problem.given, "validation data": problem.validation, "test data": problem.test, "pool": problem.pool}
    source = problem.source or {}
    return {
        "teacher": problem.teacher_name,
        "teacher fingerprint": problem.teacher.fingerprint,
        **({"files": ", ".join(source["files"])} if source.get("files") else {}),
        **{name: _described(rows) for name, rows in sets.items() if rows is not None},
    }


def _described(rows: RowSet) -> str:
    return f"{rows.count:,} rows, content {rows.identity()['data']}"
