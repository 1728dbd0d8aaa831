"""Rows of one seed, encoded once for each kind of student, and students fitted to them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from threading import RLock
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from tutelage.core.answers import AnswerForm
from tutelage.core.arrays import Floats
from tutelage.core.errors import FOREIGN, BadInput, TutelageError, one_line, require
from tutelage.data.schema import Schema
from tutelage.data.structures.inputs import RowInputs
from tutelage.data.structures.structured import StructuredRows
from tutelage.data.transfer import stacked
from tutelage.search.families import Columns, Family, numbers_in_a_row
from tutelage.students.columns import with_columns
from tutelage.students.saved.trained import TrainedStudent
from tutelage.students.temperature import fit_at_temperature
from tutelage.workflow.distillation.given.part import Part
from tutelage.workflow.distillation.searching.arms import Arm
from tutelage.workflow.distillation.searching.words import WordCounts, Words

Encoding = tuple[Columns, bool, bool, int | None]
"""How columns are prepared, whether pictures keep their shape, whether as sparse rows where that is smaller, and the words of a text."""
MAX_WORDS = "max_words"
WORDS: Mapping[str, tuple[int, ...]] = {"scaled": (1000, 5000, 20_000), "coded": (1000, 3000)}
"""The most frequent words and word pairs that students of texts may use: linear models take many, trees few."""


@dataclass(frozen=True, eq=False)
class Prepared:
    """Rows to train and validate on.

    Attributes:
        form: of the teacher's answers.
        train, validation: the rows, with the teacher's answers and the ground truth.
        more: rows without ground truth, for the arm that learns from them, with weights if the others have some; None if there are none.
        schema: the columns of the rows; None for a matrix or a list of texts.
        text: whether the rows are texts.
        words: of texts, counted once for all seeds, of which the rows are some; None for other rows, and to let each encoder count.
        places: among these texts, of the rows to train and validate on, by name.
    """

    form: AnswerForm
    train: Part
    validation: Part
    more: Part | None
    schema: Schema | None
    text: bool
    words: WordCounts | None = None
    places: Mapping[str, Any] = field(default_factory=dict, repr=False)
    _lock: Any = field(default_factory=RLock, repr=False)
    _encoders: dict[Encoding, Any] = field(default_factory=dict, repr=False)
    _counted: dict[Encoding, Words] = field(default_factory=dict, repr=False)
    _encoded: dict[tuple[Encoding, str], Any] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if self.more is not None and (self.more.weights is None) != (self.train.weights is None):
            raise ValueError("rows to train on and more rows come with weights, or both come without.")

    def with_more(self, more: Part | None) -> Prepared:
        """The same with other rows without ground truth; what is encoded of the others is shared."""
        return replace(self, more=more, _encoded={key: rows for key, rows in self._encoded.items() if key[1] != "more"})

    def space(self, family: Family) -> dict[str, Any]:
        """The settings of the columns that are searched, with Optuna distributions: the number of words, for texts."""
        words = self._words(family)
        return {MAX_WORDS: require("optuna.distributions").CategoricalDistribution(list(words))} if words else {}

    def untuned(self, family: Family) -> dict[str, Any]:
        """The settings of the columns in the first trial."""
        words = self._words(family)
        return {MAX_WORDS: words[1]} if words else {}

    def _words(self, family: Family) -> tuple[int, ...]:
        return WORDS.get(family.columns, ()) if self.text else ()

    def encoder(self, family: Family, settings: Mapping[str, Any]) -> Any:
        """The step "columns" of the family's pipelines at these settings, fitted on the training rows.

        Raises:
            BadInput: the rows are texts, and the family does not take sparse rows.
        """
        encoding = _encoding(family, settings)
        with self._lock:
            if encoding not in self._encoders:
                encoder = self._unfitted_encoder(family, settings.get(MAX_WORDS))
                counts = self.words if encoder != "passthrough" else None
                counted = None if counts is None else counts.fitted(encoder, self.places["train"])
                if counted is not None:
                    self._counted[encoding], encoder = counted, counted[0]
                elif encoder != "passthrough":  # fitting it and encoding its rows takes hardly longer than fitting alone
                    self._encoded[encoding, "train"] = encoder.fit_transform(self.train.rows)
                self._encoders[encoding] = encoder
            return self._encoders[encoding]

    def _unfitted_encoder(self, family: Family, max_words: int | None) -> Any:
        if family.columns == "raw" or isinstance(self.train.rows, StructuredRows):
            return "passthrough"
        estimator, scaled = clone(family.estimator), family.columns == "scaled"
        return clone(with_columns(estimator, self.train.rows, scaled=scaled, max_words=max_words).named_steps["columns"], safe=False)

    def encoded(self, family: Family, settings: Mapping[str, Any], name: str) -> Any:
        """The rows of one part, "train", "validation" or "more", as a family takes them at these settings."""
        key, encoder, rows = (_encoding(family, settings), name), self.encoder(family, settings), getattr(self, name).rows
        with self._lock:
            if key not in self._encoded and self.words is not None and name in self.places and key[0] in self._counted:
                self._encoded[key] = self.words.encoded(self._counted[key[0]], self.places[name])
            elif key not in self._encoded:
                self._encoded[key] = rows if encoder == "passthrough" else encoder.transform(rows)
            return self._encoded[key]

    def fit(self, arm: Arm, family: Family, settings: Mapping[str, Any], *, seed: int) -> TrainedStudent:
        """A student of a family, at these settings, that has learnt what the arm learns.

        Raises:
            BadInput: its library refuses the settings or the rows.
        """
        rows, targets = self.encoded(family, settings, "train"), arm.targets(self.train, self.form, settings)
        weights = self.train.weights
        if arm.more_rows and self.more is not None:
            targets = targets.followed_by(arm.targets(self.more, self.form, settings))
            rows = stacked(rows, self.encoded(family, settings, "more"))
            weights = None if weights is None or self.more.weights is None else np.append(weights, self.more.weights)  # both, or neither
        searched = {name: value for name, value in settings.items() if name in family.space.distributions}
        student = family.student(searched, seed=seed, rows=len(targets.at_one), columns=numbers_in_a_row(rows))
        try:
            taught = fit_at_temperature(student, self.form, rows, targets, sample_weight=weights)
        except TutelageError:
            raise
        except FOREIGN as error:  # each library reports invalid settings and rows by different exceptions
            raise BadInput(f"the student {family.name!r} cannot be trained with these settings and rows ({one_line(error)}).") from error
        pipeline = Pipeline([("columns", self.encoder(family, settings)), ("student", taught.student)])
        inputs = RowInputs.of(rows) if isinstance(rows, StructuredRows) else None
        return TrainedStudent(pipeline, self.form.task, self.form.classes, taught.answer_temperature, self.schema, self.text, inputs)

    def validated(self, student: TrainedStudent, family: Family, settings: Mapping[str, Any]) -> Floats:
        """The answers of a student of `fit` to the validation rows.

        Raises:
            BadInput: it cannot answer them.
        """
        rows = self.encoded(family, settings, "validation")
        try:
            return self._answers(student, rows)
        except TutelageError:
            raise
        except FOREIGN as error:  # a student of the user's may raise anything
            raise BadInput(f"the student {family.name!r} was trained and cannot answer the validation rows ({one_line(error)}).") from error

    def _answers(self, student: TrainedStudent, rows: Any) -> Floats:
        """The answers of a student to encoded rows."""
        last = student.student_[-1]
        if self.form.task == "regression":
            values: Floats = np.asarray(last.predict(rows), dtype=np.float64)
            return values.reshape(len(values), -1)
        return student.form.probabilities(np.asarray(last.predict_proba(rows), dtype=np.float64), student.answer_temperature)


def _encoding(family: Family, settings: Mapping[str, Any]) -> Encoding:
    return family.columns, family.takes_shapes, family.takes_sparse, settings.get(MAX_WORDS)
