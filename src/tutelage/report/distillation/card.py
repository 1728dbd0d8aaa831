"""The model card of the chosen student, in the format of Hugging Face: metadata in YAML, and text in Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape
from typing import Any

from tutelage.core.errors import printable, require
from tutelage.report.distillation.cascade import cascade_of
from tutelage.report.distillation.figures import Figures
from tutelage.report.distillation.limits import limit_text, limits_of
from tutelage.report.distillation.records import DistillationRecord
from tutelage.report.distillation.sentences import disagreement_of, outputs_note, probabilities_of
from tutelage.report.distillation.view import View, view_of
from tutelage.report.distillation.words import SHARES, figure

TAGS = {"binary": "classification", "multiclass": "classification", "multilabel": "classification", "regression": "regression"}
ROWS = {"table": "tabular-", "text": "text-", "picture": "image-", "inputs": ""}
"""What the names of tasks begin with."""
METRICS = {"mse": "mse", "accuracy": "accuracy", "nll_nats": "log_loss", "brier": "brier_score"}
IN_UNITS = "standardised_mse"
"""The metric of several values, which is no squared error of theirs: each counts in units of its variance."""
_MARKDOWN = re.compile(r"([\\`*_\[\]#|~$])")


def model_card(record: DistillationRecord, figures: Figures, *, license_name: str | None = None) -> str:
    """The card as text.

    Args:
        record: the finished distillation.
        figures: what the report draws of the chosen student.
        license_name: such as "mit"; left out if not given.

    Raises:
        MissingExtra: huggingface_hub is not installed.
    """
    hub = require("huggingface_hub")
    view, chosen = view_of(record, figures), record.arm(record.chosen)
    kind = f"{ROWS[figures.rows]}{TAGS[record.task]}"
    metric = IN_UNITS if record.outputs else METRICS.get(record.metric, record.metric)
    result = hub.EvalResult(
        task_type=kind,
        dataset_type="own",
        dataset_name=_test_rows(record),
        metric_type=metric,
        metric_name=_metric_name(record, view),
        metric_value=chosen.test[record.metric][0],  # of the file, which is that of the first seed
    )
    data = hub.ModelCardData(
        model_name=_name(record, view.teacher_name),
        library_name="tutelage",
        license=license_name,
        tags=[*(["knowledge-distillation"] if chosen.kind == "distilled" else []), kind],
        metrics=[metric],
        eval_results=[result],
    )
    card = hub.ModelCard(f"---\n{data.to_yaml()}\n---\n\n{_body(record, figures)}")
    return f"{str(card).rstrip()}\n"


def _name(record: DistillationRecord, teacher: str) -> str:
    """What the model is; one that learnt the ground truth alone is not distilled."""
    chosen = record.arm(record.chosen)
    return f"{chosen.student} distilled from {teacher}" if chosen.kind == "distilled" else f"{chosen.student} trained on the ground truth"


def _metric_name(record: DistillationRecord, view: View) -> str:
    """The figure that decided, in words, with the units of several values."""
    return f"{view.metric}, in units of each value's variance" if record.outputs else view.metric


def _test_rows(record: DistillationRecord) -> str:
    """The name of the test rows: the file that they were drawn from, unless they were given on their own."""
    given = "test data" in record.provenance
    return "test rows of their own" if given else f"test rows of {record.provenance.get('files', 'the data')}"


def _body(record: DistillationRecord, figures: Figures) -> str:
    view = view_of(record, figures)
    arms = [
        (arm.name, arm.what, f"{arm.test} {f'({arm.interval})' if arm.interval else ''}", arm.fidelity, arm.size, arm.latency)
        for arm in view.arms
    ]
    questions = [(one["question"], one["difference"], one["verdict"]) for one in view.comparisons]
    name = _metric_name(record, view)
    limits = map(limit_text, limits_of(record))
    first = figure(record.metric, record.arm(record.chosen).test[record.metric][0])
    notes = f"{'' if record.metric in SHARES else ' Lower is better.'} The files hold the student of the first seed: {name} {first}."
    parts = [
        f"# {_text(_name(record, view.teacher_name))}",
        _text(record.answer),
        "## How to use it",
        *(f"`{one.file}`\n\n```\n{printable(one.code)}\n```\n\n{_text(one.note)}" for one in figures.loading),
        "## Results",
        f"On {record.rows['test']:,} test rows that chose nothing; mean over {record.options['seeds']} seeds and 95 % interval.{notes}",
        *map(_text, outputs_note(record.outputs, record.against)),
        _table(("arm", "what", name, view.fidelity_name, "size", "latency of one row"), arms),
        _table(("question", "difference (95 %)", "verdict"), questions),
        _text(view.verdict_note),
        *_cascade(record),
        "## Limitations",
        _bullets(
            [
                *limits,
                disagreement_of(record, figures),
                *filter(None, [probabilities_of(record)]),
                "Intervals do not cover another teacher, nor rows that are drawn otherwise than the test rows.",
                *(one["sentence"] for one in view.findings),
            ]
        ),
        "## Exported files",
        _bullets(str(one) for one in record.exports) or "None.",
        "## Origin",
        _table(("", ""), [(name, str(value)) for name, value in view.facts]),
    ]
    return "\n\n".join(part for part in parts if part)


def _cascade(record: DistillationRecord) -> list[str]:
    """The student with its teacher behind it, as sentences."""
    found = cascade_of(record)
    return [] if found is None else ["## Fall back to the teacher", _text(f"{found.guarantee} {found.found}")]


def _text(text: Any) -> str:
    """A text of a record as Markdown that shows it as it is, in one line."""
    return _MARKDOWN.sub(r"\\\1", escape(" ".join(printable(str(text)).split()), quote=False))


def _bullets(texts: Iterable[str]) -> str:
    return "\n".join(f"- {_text(text)}" for text in texts)


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *(tuple(map(_text, row)) for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
