"""Answers as JSON values."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tutelage.core.answers import AnswerForm
from tutelage.serving.model import Answered

UNANSWERED: dict[str, Any] = {
    "type": "object",
    "description": "A row that the student left to its teacher, which did not answer it.",
    "properties": {
        "answered_by": {"type": "null", "description": "Nobody gave an answer."},
        "deferred": {"const": True},
        "error": {"type": "string", "description": "Why the teacher did not answer."},
    },
    "required": ["answered_by", "deferred", "error"],
    "additionalProperties": False,
}


class AnswersAsJson:
    """Renders answers.

    Args:
        form: of the answers.
        defers: whether the student leaves rows to a teacher.

    Example:
        >>> import numpy as np
        >>> from tutelage.core.answers import of_classes
        >>> as_json = AnswersAsJson(of_classes("probabilities", ("no", "yes")), defers=False)
        >>> as_json(Answered.of(np.array([[0.25, 0.75]]), np.array([0.75])))
        [{'prediction': 'yes', 'probabilities': {'no': 0.25, 'yes': 0.75}, 'confidence': 0.75, 'answered_by': 'student'}]
    """

    def __init__(self, form: AnswerForm, *, defers: bool) -> None:
        self.form = form
        self.names = names_of(form.classes)
        self.defers = defers

    def __call__(self, answered: Answered, errors: Mapping[int, str] | None = None) -> list[dict[str, Any]]:
        """One object a row, whose keys `schema` describes, or `UNANSWERED`.

        Args:
            answered: the answers.
            errors: why a row has no answer of the teacher to which the student left it, by the row's position.
        """
        if self.form.task == "regression":
            values = answered.values.tolist()
            return [{"prediction": row[0] if len(row) == 1 else row, "answered_by": "student"} for row in values]
        decided = self._decided(answered)
        confidence = answered.confidence.tolist()
        found = [
            {
                "prediction": decision,
                "probabilities": dict(zip(self.names, row, strict=True)),
                "confidence": sure,
                "answered_by": "student",
            }
            for decision, row, sure in zip(decided, answered.values.tolist(), confidence, strict=True)
        ]
        if self.defers:
            for answer, deferred in zip(found, answered.deferred.tolist(), strict=True):
                answer["deferred"] = deferred
        for place in answered.by_teacher.nonzero()[0].tolist():
            found[place]["answered_by"] = "teacher"
        for place, error in (errors or {}).items():
            found[place] = {"answered_by": None, "deferred": True, "error": error}
        return found

    def _decided(self, answered: Answered) -> list[Any]:
        classes = self.form.classes
        several = self.form.task == "multilabel"
        decided = answered.decisions(several=several)
        if several:
            return [[label for label, on in zip(classes, row, strict=True) if on] for row in decided.tolist()]
        return [classes[place] for place in decided.tolist()]

    def schema(self, outputs: int) -> dict[str, Any]:
        """The JSON schema of one answer; `outputs` is the number of values that a student of values gives."""
        by = {"type": "string", "enum": ["student", "teacher"] if self.defers else ["student"], "description": "Who gave the answer."}
        if self.form.task == "regression":
            value: dict[str, Any] = {"type": "number"}
            if outputs > 1:
                value = {"type": "array", "items": value, "minItems": outputs, "maxItems": outputs}
            properties = {"prediction": {**value, "description": "The predicted value."}, "answered_by": by}
        else:
            properties = self._of_classes(by)
        return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}

    def _of_classes(self, by: dict[str, Any]) -> dict[str, Any]:
        share = {"type": "number", "minimum": 0, "maximum": 1}
        of_teacher = ", or what the teacher's own rule says" if self.defers else ""
        one: dict[str, Any] = {"enum": list(self.form.classes), "description": f"The most probable class{of_teacher}."}
        if self.form.task == "multilabel":
            one = {"type": "array", "items": {"enum": list(self.form.classes)}, "description": f"The labels above one half{of_teacher}."}
        probabilities = {
            "type": "object",
            "properties": dict.fromkeys(self.names, share),
            "required": list(self.names),
            "additionalProperties": False,
        }
        least = "" if self.form.task != "multilabel" else "; of several labels, that of the least certain one"
        confidence = {**share, "description": f"The probability of the decision{least}."}
        found = {"prediction": one, "probabilities": probabilities, "confidence": confidence, "answered_by": by}
        if self.defers:
            found["deferred"] = {"type": "boolean", "description": "Whether the student is too unsure, and leaves the row to its teacher."}
        return found


def names_of(classes: tuple[Any, ...]) -> tuple[str, ...]:
    """Classes as the keys of an object: texts as they are, others as JSON; all as JSON where two would have one name.

    Example:
        >>> names_of(("a", 1)), names_of(("1", 1))
        (('a', '1'), ('"1"', '1'))
    """
    names = tuple(label if isinstance(label, str) else json.dumps(label) for label in classes)
    return names if len(set(names)) == len(names) else tuple(map(json.dumps, classes))
