"""How answers lie on disk: as they were said, in half precision, or only the k likeliest classes and a rest."""

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
    """How the answers of one form are written.

    Half precision and top-k keep log-probabilities (log odds for multilabel), never probabilities: half precision
    rounds a small probability to nothing, and with it everything that a high temperature would show.

    Attributes:
        dtype: of the numbers on disk.
        top_k: keep so many of the likeliest classes a row; the mass of the others is kept as one number, and given
            back in equal parts. None keeps all.

    Raises:
        BadInput: an unknown dtype, a top_k that does not fit the classes, or a saving that the form does not allow.
    """

    dtype: Dtype
    top_k: int | None = None

    def fitted_to(self, form: AnswerForm) -> Encoding:
        """Itself, after proving that answers of this form can be written so."""
        if self.dtype not in DTYPES:
            raise BadInput(f"dtype {self.dtype!r} cannot be kept; expected float16, float32 or float64.")
        if form.task == "regression" and self.dtype == "float16":
            raise BadInput("half precision would round regression values to three digits; keep them as float32.")
        if self.top_k is not None and form.task in ("regression", "multilabel"):
            raise BadInput(f"top_k keeps the likeliest classes of a row; a {form.task} teacher has none. Leave it out.")
        if self.top_k is not None and not 1 <= self.top_k < len(form.classes):
            raise BadInput(f"top_k is {self.top_k}; expected 1 to {len(form.classes) - 1} for {len(form.classes)} classes.")
        return self

    def keeps_all_of(self, dtype: np.dtype[Any]) -> bool:
        """Whether answers of this dtype come back bit for bit."""
        return self.top_k is None and self.dtype != "float16" and np.dtype(self.dtype).itemsize >= dtype.itemsize

    def columns(self, answers: Floats, form: AnswerForm) -> Columns:
        """Named columns to write: `answer_0`, `answer_1`, ...; for top-k also `class_0`, ... and `rest`."""
        if self.top_k is not None:
            return self._top(form.logits(answers), self.top_k)
        kept = answers.astype(self.dtype, copy=False) if self.dtype != "float16" else _shrunk(answers, form)
        return {f"answer_{index}": np.ascontiguousarray(kept[:, index]) for index in range(kept.shape[1])}

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
        """(rows, columns) answers of this form, from what `columns` wrote; float32 at least.

        Args:
            columns: by name, and others; each is asked for once, in their order.
            form: of the answers.
            into: where they are put, `room` for these rows; a new array if not given.
        """
        said = [name for name in columns if name.startswith("answer_")]
        answers = self.room(len(columns[said[0]]), columns, form) if into is None else into
        if self.top_k is not None:
            answers[:] = self._spread(columns, form, self.top_k)
            return answers
        for place, name in enumerate(said):
            answers[:, place] = columns[name]
        if self.dtype == "float16" and form.kind == "probabilities":
            answers[:] = form.as_kind("logits").probabilities(answers)
        return answers

    def room(self, rows: int, columns: Mapping[str, NDArray[Any]], form: AnswerForm) -> Floats:
        """(rows, columns) numbers that are not written yet, as `answers` gives them back."""
        width = len(form.classes) or sum(name.startswith("answer_") for name in columns)
        return np.empty((rows, width), np.float64 if self.dtype == "float64" and self.top_k is None else np.float32)

    def _spread(self, columns: Mapping[str, NDArray[Any]], form: AnswerForm, top_k: int) -> Floats:
        classes = len(form.classes)
        with np.errstate(divide="ignore"):
            others = columns["rest"].astype(np.float32) - np.float32(np.log(classes - top_k))
        logs = np.repeat(others[:, None], classes, axis=1)
        chosen = np.column_stack([columns[f"class_{rank}"] for rank in range(top_k)]).astype(np.int64)
        said = np.column_stack([columns[f"answer_{rank}"] for rank in range(top_k)]).astype(np.float32)
        np.put_along_axis(logs, chosen, said, axis=1)
        return softmax(logs) if form.kind == "probabilities" else logs

    def to_json(self) -> dict[str, Any]:
        """Plain values for a manifest."""
        return asdict(self)


def encoding_from(plain: Mapping[str, Any]) -> Encoding:
    """What `Encoding.to_json` wrote."""
    return Encoding(plain["dtype"], plain["top_k"])


def _shrunk(answers: Floats, form: AnswerForm) -> Floats:
    """Half precision, where it is finest: logits are shifted so that a row's greatest is 0, which changes nothing they mean."""
    logits = form.logits(answers)
    if form.task != "multilabel":
        logits = logits - logits.max(axis=1, keepdims=True)
    with np.errstate(over="ignore"):
        return np.asarray(logits.astype(np.float16))


@dataclass(frozen=True)
class Cost:
    """What an encoding lost, measured: of answers as they were said (p) and as they come back (q).

    Attributes:
        rows: how many rows were compared.
        total: sum over rows of KL(p || q) in nats at temperature 1 (for multilabel summed over labels); for
            regression the sum of squared differences.
        worst: the greatest of one row.
    """

    rows: int = 0
    total: float = 0.0
    worst: float = 0.0

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.rows + other.rows, self.total + other.total, max(self.worst, other.worst))

    @property
    def mean(self) -> float:
        """Per row."""
        return self.total / max(self.rows, 1)


def measured_cost(said: Floats, back: Floats, form: AnswerForm) -> Cost:
    """What these rows lost between being said and coming back."""
    if form.kind == "values":
        per_row = ((said.astype(np.float64) - back) ** 2).sum(axis=1)
    else:
        p, q = (form.probabilities(answers.astype(np.float64)) for answers in (said, back))
        per_row = np.maximum(_kl(p, q) + (_kl(1 - p, 1 - q) if form.task == "multilabel" else 0.0), 0.0)
    return Cost(len(per_row), float(per_row.sum()), float(per_row.max(initial=0.0)))


def _kl(p: Floats, q: Floats) -> Floats:
    """(rows,) sum of p log(p / q) in nats; 0 log 0 is 0.

    A p below the range of float32 counts as 0: its term is negligible, but decoding to float32 makes its q exactly 0.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(p > np.finfo(np.float32).tiny, p * (np.log(p) - np.log(q)), 0.0)
    return np.asarray(terms.sum(axis=1))
