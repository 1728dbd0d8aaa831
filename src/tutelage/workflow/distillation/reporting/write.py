"""The files of the report: the page, the figures that it draws, the student that it lets try, and the model card."""

from __future__ import annotations

from pathlib import Path

from tutelage.core.file_systems.whole_files import write_text
from tutelage.core.records import dumps
from tutelage.core.stored.checksums import read_json
from tutelage.report.distillation.card import model_card
from tutelage.report.distillation.figures import SCHEMA, Figures
from tutelage.report.distillation.page import render_distillation
from tutelage.report.distillation.records import DistillationRecord
from tutelage.report.playground import records as playground_records
from tutelage.report.playground.records import Playground
from tutelage.workflow.distillation.folder import REMEDY, RunFolder
from tutelage.workflow.distillation.reporting.outputs import FIGURES, PAGE, PLAYGROUND

CARD = "card.md"


def write_report(folder: RunFolder, record: DistillationRecord, figures: Figures, playground: Playground) -> None:
    """Write figures.json, playground.json, report.html and card.md."""
    write_text(folder.path / FIGURES, dumps(figures.to_json()))
    write_text(folder.path / PLAYGROUND, dumps(playground.to_json()))
    write_text(folder.path / PAGE, render_distillation(record, figures, playground))
    write_text(folder.path / CARD, model_card(record, figures))


def stored_figures(folder: Path) -> Figures:
    """The figures of a finished run.

    Raises:
        DamagedFile: they were changed, or are missing.
    """
    return Figures.from_json(read_json(folder / FIGURES, schema=SCHEMA, remedy=REMEDY))


def stored_playground(folder: Path) -> Playground:
    """The playground of a finished run.

    Raises:
        DamagedFile: it was changed, or is missing.
    """
    return Playground.from_json(read_json(folder / PLAYGROUND, schema=playground_records.SCHEMA, remedy=REMEDY))
