"""How answers are stored on disk: exactly, in half precision, or as the k most probable classes and a rest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tutelage.core.answers import AnswerForm
from tutelage.core.arrays import Floats, softmax
from tutelage.core.errors import BadInput
from tutelage.softlabels.options import DTYPES, Dtype

Columns = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Encoding:
    """How answers are written to disk.

    Half precision and top-k store log-probabilities (log odds for multilabel), never probabilities: half precision
    rounds small probabilities to zero, and with them the information that a high temperature uses.

    Attributes:
        dtype: of the numbers on disk.
        top_k: number of the most probable classes that are stored for each row. The probability of the others is stored
            as one number, and spread over them in equal parts when it is read. None stores all classes.
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

    def columns(self, answers: Floats, form: AnswerForm) -> Columns:
        """The columns to write, by name: `answer_0`, `answer_1`, ...; for top-k also `class_0`, ... and `rest`.

        Raises:
            BadInput: an answer beyond the range of the dtype.
        """
        if self.top_k is not None:
            return self._top(form.logits(answers), self.top_k)
        with np.errstate(over="ignore"):
            stored = answers.astype(self.dtype, copy=False) if self.dtype != "float16" else _half_precision(answers, form)
        if self.dtype == "float32" and answers.dtype.itemsize > 4 and not np.isfinite(stored).all():
            raise BadInput(f"an answer is {np.abs(answers).max():.3g}, beyond the range of float32; pass dtype='float64'.")
        return {f"answer_{index}": np.ascontiguousarray(stored[:, index]) for index in range(stored.shape[1])}

    def _top(self, logits: Floats, top_k: int) -> Columns:
        p = softmax(logits.astype(np.float64))
        order = np.argsort(-p, axis=1, kind="stable")
        sorted_p = np.take_along_axis(p, order, axis=1)
        index_type = np.uint16 if p.shape[1] <= 2**16 else np.uint32
        with np.errstate(divide="ignore"):
            logs = np.log(sorted_p[:, :top_k]).astype(self.dtype)
            rest = np.log(sorted_p[:, top_k:].sum(axis=1)).astype(self.dtype)
        classes = {f"class_{rank}": order[:, rank].astype(index_type) for rank in range(top_k)}
        return {**classes, **{f"answer_{rank}": logs[:, rank].copy() for rank in range(top_k)}, "rest": rest}

    def answers(self, columns: Mapping[str, NDArray[Any]], form: AnswerForm, *, into: Floats | None = None) -> Floats:
        """(rows, columns) answers of this form, read from what `columns` returned; at least float32.

        Args:
            columns: the columns by name; further ones are ignored. Each is read once, in their order.
            form: the form of the answers.
            into: the array to fill, from `allocate`; a new array by default.
        """
        answer_names = [name for name in columns if name.startswith("answer_")]
        answers = self.allocate(len(columns[answer_names[0]]), columns, form) if into is None else into
        if self.top_k is not None:
            answers[:] = self._spread(columns, form, self.top_k)
            return answers
        for place, name in enumerate(answer_names):
            answers[:, place] = columns[name]
        if self.dtype == "float16" and form.kind == "probabilities":
            answers[:] = form.as_kind("logits").probabilities(answers)
        return answers

    def allocate(self, rows: int, columns: Mapping[str, NDArray[Any]], form: AnswerForm) -> Floats:
        """An uninitialised (rows, columns) array for `answers` to fill."""
        width = len(form.classes) or sum(name.startswith("answer_") for name in columns)
        return np.empty((rows, width), np.float64 if self.dtype == "float64" and self.top_k is None else np.float32)

    def _spread(self, columns: Mapping[str, NDArray[Any]], form: AnswerForm, top_k: int) -> Floats:
        classes = len(form.classes)
        with np.errstate(divide="ignore"):
            others = columns["rest"].astype(np.float32) - np.float32(np.log(classes - top_k))
        logs = np.repeat(others[:, None], classes, axis=1)
        chosen = np.column_stack([columns[f"class_{rank}"] for rank in range(top_k)]).astype(np.int64)
        stored = np.column_stack([columns[f"answer_{rank}"] for rank in range(top_k)]).astype(np.float32)
        np.put_along_axis(logs, chosen, stored, axis=1)
        return softmax(logs) if form.kind == "probabilities" else logs

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
        rows: number of rows that were compared.
        total: sum over rows of KL(p || q) in nats at temperature 1 (for multilabel summed over labels); for
            regression the sum of squared differences.
        worst: the largest value of a single row.
    """

    rows: int = 0
    total: float = 0.0
    worst: float = 0.0

    def __add__(self, other: EncodingCost) -> EncodingCost:
        return EncodingCost(self.rows + other.rows, self.total + other.total, max(self.worst, other.worst))

    @property
    def mean(self) -> float:
        """Mean per row."""
        return self.total / max(self.rows, 1)


def measured_cost(original: Floats, decoded: Floats, form: AnswerForm) -> EncodingCost:
    """Measure the loss between the original answers and those decoded from storage."""
    if form.kind == "values":
        per_row = ((original.astype(np.float64) - decoded) ** 2).sum(axis=1)
    else:
        p, q = (form.probabilities(answers.astype(np.float64)) for answers in (original, decoded))
        per_row = np.maximum(_kl(p, q) + (_kl(1 - p, 1 - q) if form.task == "multilabel" else 0.0), 0.0)
    return EncodingCost(len(per_row), float(per_row.sum()), float(per_row.max(initial=0.0)))


def _kl(p: Floats, q: Floats) -> Floats:
    """(rows,) sum of p log(p / q) in nats; 0 log 0 is 0.

    A p below the range of float32 counts as 0: its term is negligible, but decoding to float32 makes its q exactly 0.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(p > np.finfo(np.float32).tiny, p * (np.log(p) - np.log(q)), 0.0)
    return np.asarray(terms.sum(axis=1))
