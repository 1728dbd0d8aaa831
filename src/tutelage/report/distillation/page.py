"""The report of a distillation: one self-contained page, the answer first."""

from __future__ import annotations

from typing import Any

import numpy as np

from tutelage.report.distillation.cascade import cascade_chart, cascade_of
from tutelage.report.distillation.charts import arms_chart, cost_chart, curve_chart, reliability_chart, trials_chart
from tutelage.report.distillation.figures import Figures
from tutelage.report.distillation.records import DistillationRecord
from tutelage.report.distillation.sentences import budget_of
from tutelage.report.distillation.view import view_of
from tutelage.report.playground.records import Playground
from tutelage.report.playground.section import section_of
from tutelage.report.shell import Drawn, render
from tutelage.report.svg import png


def render_distillation(record: DistillationRecord, figures: Figures, playground: Playground | None = None) -> str:
    """The report as HTML text, for narrow and wide screens, in a light and a dark theme; it loads no external resources.

    Args:
        record: the finished distillation.
        figures: what is drawn of the chosen student.
        playground: the chosen student, to be tried in the page; None for a page without scripts.

    Raises:
        MissingExtra: jinja2 is not installed.
    """
    view, section = view_of(record, figures), section_of(playground)
    return render(
        "distillation/page.html.j2",
        policy=section.policy,
        playground=section,
        title=f"Distillation of {view.teacher_name}",
        record=record,
        figures=figures,
        view=view,
        budget=budget_of(record),
        cost_chart=Drawn(cost_chart(record)),
        cascade=cascade_of(record),
        cascade_chart=Drawn(cascade_chart(record)),
        trials_chart=Drawn(trials_chart(record)),
        curve_chart=Drawn(curve_chart(record)),
        arms_chart=Drawn(arms_chart(record)),
        reliability_chart=Drawn(reliability_chart(figures, values=view.values)),
        picture=_picture,
    )


def _picture(pixels: Any) -> str:
    """The address of a picture inside the page."""
    return png(np.asarray(pixels, dtype=np.uint8))
