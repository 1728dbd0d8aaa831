"""Finished runs in MLflow, where its address is set."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tutelage.core.errors import MissingExtra, one_line, require
from tutelage.report.distillation.records import DistillationRecord
from tutelage.workflow.distillation.folder import file_name

ADDRESS = "MLFLOW_TRACKING_URI"
FILES = ("results.json", "report.html", "card.md", "run.json", "plan.json", "split.parquet", "student.skops", "student.safetensors")


def track(record: DistillationRecord, folder: Path) -> None:
    """Log a finished run to MLflow: its parameters, the figures of all arms, and its files.

    Nothing is done if MLFLOW_TRACKING_URI is not set. The experiment is the one that MLFLOW_EXPERIMENT_NAME names, as usual.

    Args:
        record: of the run.
        folder: of the run.

    Warns:
        UserWarning: MLflow is not installed, or refuses; the run is complete without it.
    """
    if not os.environ.get(ADDRESS):
        return
    try:
        mlflow = require("mlflow")
        with mlflow.start_run(run_name=folder.name):
            mlflow.set_tags({"tutelage.answer": record.answer, "tutelage.version": record.environment.get("tutelage", "")})
            mlflow.log_params(parameters(record))
            mlflow.log_metrics(dict(figures(record)))
            for name in (*FILES, *(export.file for export in record.exports)):
                if (folder / name).is_file():
                    mlflow.log_artifact(str(folder / name))
    except (MissingExtra, Exception) as error:
        said = str(error) if isinstance(error, MissingExtra) else f"{type(error).__name__}: {one_line(error)}"
        warnings.warn(f"the run is complete, but MLflow at {os.environ[ADDRESS]} did not take it ({said}).", stacklevel=2)


def parameters(record: DistillationRecord) -> dict[str, Any]:
    """What the run was made with and what it chose."""
    chosen = record.arm(record.chosen)
    return {
        "teacher": record.title,
        "task": record.task,
        "metric": record.metric,
        "against": record.against,
        **record.options,
        **{f"limit.{name}": value for name, value in record.limits.items() if value is not None},
        "chosen.arm": record.chosen,
        "chosen.student": chosen.student,
        **{f"chosen.{name}": value for name, value in chosen.settings.items()},
    }


def figures(record: DistillationRecord) -> Iterator[tuple[str, float]]:
    """The means over seeds of each arm's figures, on validation and test rows, by names that MLflow takes."""
    for arm in record.arms:
        parts: Mapping[str, Mapping[str, Any]] = {"validation": arm.validation, "test": arm.test}
        for part, values in parts.items():
            for name, of_seeds in values.items():
                yield f"{part}/{file_name(arm.name)}/{name}", sum(of_seeds) / len(of_seeds)
        if arm.size_bytes is not None:
            yield f"size_bytes/{file_name(arm.name)}", float(arm.size_bytes)
    if record.cascade is not None:
        yield "cascade/coverage", record.cascade.coverage.value
        yield "cascade/agreement", record.cascade.agreement.value
    for name, count in record.rows.items():
        if isinstance(count, int):
            yield f"rows/{name}", float(count)
