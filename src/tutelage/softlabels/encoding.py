"""How answers are stored on disk: exactly, in half precision, or as the k most probable classes and a rest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from tutelage.core.answer_values.top_answers import TopAnswers, reduced, spread
from tutelage.core.answers import AnswerForm
from tutelage.core.arrays import Floats
from tutelage.core.errors import BadInput
from tutelage.core.position_answers import Answers, PositionAnswers
from tutelage.softlabels.options import DTYPES, Dtype


@dataclass(frozen=True)
class Encoding:
    """How answers are written to disk.

    Half precision and top-k store log-probabilities (log odds for multilabel), never probabilities: half precision
    rounds small probabilities to zero, and with them the information that a high temperature uses.

    Attributes:
        dtype: of the numbers on disk.
        top_k: number of the most probable classes that are stored for each answer. The probability of the others is stored
            as one number, in single precision. None stores all classes.
    """

    dtype: Dtype
    top_k: int | None = None

    def fitted_to(self, form: AnswerForm) -> Encoding:
        """Return itself after checking that answers of this form can be stored with it.

        Raises:
            BadInput: an unknown dtype, a `top_k` that does not fit the classes, or an option that the form does not allow.
        """
        if self.dtype not in DTYPES:
            raise BadInput(f"dtype is {self.dtype!r}; expected float16, float32 or float64.")
        if form.task == "regression" and self.dtype == "float16":
            raise BadInput("dtype is float16, which would round regression values to three digits; use float32 or float64.")
        if self.top_k is not None and form.task in ("regression", "multilabel"):
            raise BadInput(
                f"top_k is {self.top_k}, but a {form.task} teacher does not rank classes that exclude each other. Leave top_k out."
            )
        if self.top_k is not None and not 1 <= self.top_k < len(form.classes):
            raise BadInput(f"top_k is {self.top_k}; expected 1 to {len(form.classes) - 1} for {len(form.classes)} classes.")
        return self

    def is_lossless_for(self, dtype: np.dtype[Any]) -> bool:
        """Whether answers of this dtype are read back bit for bit."""
        return self.top_k is None and self.dtype != "float16" and np.dtype(self.dtype).itemsize >= dtype.itemsize

    def stored(self, answers: Answers, form: AnswerForm) -> tuple[Answers, EncodingCost]:
        """Answers as they are stored, and what that loses.

        Args:
            answers: checked answers of this form.
            form: the form of the answers.

        Returns:
            Numbers in `dtype`: of half precision logits (log odds for multilabel), shifted so that the largest of a row is 0; or
            `TopAnswers` whose log-probabilities are in `dtype`. With positions `PositionAnswers` of either.

        Raises:
            BadInput: an answer beyond the range of the dtype, or a teacher that names fewer classes than `top_k`.
        """
        if isinstance(answers, PositionAnswers):
            values, cost = self.stored(answers.values, form.of_each_position)
            return answers.with_values(_of_one_part(values)), cost
        if self.top_k is not None:
            return self._top(answers, form, self.top_k)
        if isinstance(answers, TopAnswers):
            return self._top(answers, form, answers.top_k)
        with np.errstate(over="ignore"):
            numbers = answers.astype(self.dtype, copy=False) if self.dtype != "float16" else _half_precision(answers, form)
        if self.dtype == "float32" and answers.dtype.itemsize > 4 and not np.isfinite(numbers).all():
            raise BadInput(f"an answer is {np.abs(answers).max():.3g}, beyond the range of float32; pass dtype='float64'.")
        lossless = self.is_lossless_for(answers.dtype)
        return numbers, EncodingCost(len(answers)) if lossless else measured_cost(answers, self.decoded(numbers, form), form)

    def _top(self, answers: Floats | TopAnswers, form: AnswerForm, top_k: int) -> tuple[TopAnswers, EncodingCost]:
        if isinstance(answers, TopAnswers):
            stored = answers.cut(top_k).in_precision(self.dtype)
            return stored, cost_of(divergence(answers, stored))
        kind: Literal["logits", "probabilities"] = "logits" if form.kind == "logits" else "probabilities"
        parts, cost = [], EncodingCost()
        for top, of_rest in reduced(answers, kind, top_k):
            parts.append(top.in_precision(self.dtype))
            cost += cost_of(of_rest + divergence(top, parts[-1]))
        return TopAnswers.joined(parts), cost

    def decoded(self, stored: Answers, form: AnswerForm) -> Answers:
        """Answers of this form from what `stored` returned: at least float32, or `TopAnswers` as they are.

        Thousands of classes that are about as probable are all rounded the same way in half precision; such rows are scaled to sum to 1.
        """
        if isinstance(stored, PositionAnswers):
            return stored.with_values(_of_one_part(self.decoded(stored.values, form.of_each_position)))
        if self.dtype != "float16":
            return stored
        if isinstance(stored, TopAnswers):
            return stored.scaled()
        answers: Floats = stored.astype(np.float32)
        return form.as_kind("logits").probabilities(answers) if form.kind == "probabilities" else answers

    def to_json(self) -> dict[str, Any]:
        """Plain values for the manifest."""
        return asdict(self)


def encoding_from(plain: Mapping[str, Any]) -> Encoding:
    """The Encoding that `Encoding.to_json` wrote."""
    return Encoding(plain["dtype"], plain["top_k"])


def _half_precision(answers: Floats, form: AnswerForm) -> Floats:
    """Logits in half precision, shifted so that the largest of a row is 0: same softmax, and the format is finest near 0."""
    logits = form.logits(answers)
    if form.task != "multilabel":
        logits = logits - logits.max(axis=1, keepdims=True)
    with np.errstate(over="ignore"):
        return np.asarray(logits.astype(np.float16))


@dataclass(frozen=True)
class EncodingCost:
    """The measured loss of information of an encoding: original answers (p) against those read back (q).

    Attributes:
        rows: number of answers that were compared: one for each row, or for each of its positions.
        total: sum over rows of KL(p || q) in nats at temperature 1 (for multilabel summed over labels); for
            regression the sum of squared differences.
        worst: the largest value of a single answer.
    """

    rows: int = 0
    total: float = 0.0
    worst: float = 0.0

    def __add__(self, other: EncodingCost) -> EncodingCost:
        return EncodingCost(self.rows + other.rows, self.total + other.total, max(self.worst, other.worst))

    @property
    def mean(self) -> float:
        """Mean per answer."""
        return self.total / max(self.rows, 1)


def cost_of(losses: Floats) -> EncodingCost:
    """The loss of each row, (rows,), as a record."""
    return EncodingCost(len(losses), float(losses.sum()), float(losses.max(initial=0.0)))


MEASURED_CELLS = 2**20
"""Rows times columns that are compared at a time, in double precision."""


def measured_cost(original: Floats, decoded: Any, form: AnswerForm) -> EncodingCost:
    """Measure the loss between the original answers and those decoded from storage, in blocks of rows."""
    size, cost = max(1, MEASURED_CELLS // max(original.shape[1], 1)), EncodingCost()
    for start in range(0, len(original), size):
        cost += cost_of(_losses(original[start : start + size], decoded[start : start + size], form))
    return cost


def _losses(original: Floats, decoded: Floats, form: AnswerForm) -> Floats:
    if form.kind == "values":
        return np.asarray(((original.astype(np.float64) - decoded) ** 2).sum(axis=1))
    p, q = (form.probabilities(answers.astype(np.float64)) for answers in (original, decoded))
    return np.asarray(np.maximum(_kl(p, q) + (_kl(1 - p, 1 - q) if form.task == "multilabel" else 0.0), 0.0))


def divergence(original: TopAnswers, read: TopAnswers) -> Floats:
    """(rows,) Kullback-Leibler divergence in nats of what is read from the original, whose first classes it names.

    The rest of either is spread over its classes in equal parts.
    """
    k, others = read.top_k, original.columns - original.top_k
    log_p, log_q = original.log_probs.astype(np.float64), read.log_probs.astype(np.float64)
    rest_p, rest_q = original.rest.astype(np.float64), read.rest.astype(np.float64)
    each_q = spread(rest_q, read.columns - k)
    log_q = np.hstack([log_q, np.repeat(each_q[:, None], original.top_k - k, axis=1), each_q[:, None]])
    log_p = np.hstack([log_p, spread(rest_p, others)[:, None]])
    weights = np.exp(log_p)
    weights[:, -1] = np.exp(rest_p)
    with np.errstate(invalid="ignore"):
        terms = np.where(weights > np.finfo(np.float32).tiny, weights * (log_p - log_q), 0.0)
    log_total = np.log(np.exp(read.log_probs.astype(np.float64)).sum(axis=1) + np.exp(rest_q))  # rounded, they do not sum to 1
    return np.asarray(np.maximum(terms.sum(axis=1) + log_total, 0.0))


def _of_one_part(values: Answers) -> Floats | TopAnswers:
    if isinstance(values, PositionAnswers):
        raise BadInput("answers to single positions have positions themselves; expected one answer for each.")
    return values


def _kl(p: Floats, q: Floats) -> Floats:
    """(rows,) sum of p log(p / q) in nats; 0 log 0 is 0.

    A p below the range of float32 counts as 0: its term is negligible, but decoding to float32 makes its q exactly 0.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(p > np.finfo(np.float32).tiny, p * (np.log(p) - np.log(q)), 0.0)
    return np.asarray(terms.sum(axis=1))
