"""What is to be recorded: a teacher, its rows and the encoding; and whether what a folder holds is that."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tutelage.core.answer_values.top_answers import TopAnswers
from tutelage.core.arguments import choice, whole
from tutelage.core.contracts import Teacher
from tutelage.core.errors import BadInput, LabelMismatch
from tutelage.core.file_systems.paths import AnyPath
from tutelage.core.identity.fingerprints import identified
from tutelage.core.position_answers import Answers, PositionAnswers
from tutelage.data.row_names import data_name
from tutelage.data.rows import Rows, as_rows
from tutelage.data.schema import Schema
from tutelage.data.truth.given_truth import by_position
from tutelage.softlabels.encoding import Encoding
from tutelage.softlabels.folder import LabelFolder, open_labels
from tutelage.softlabels.labels import in_recorded_columns
from tutelage.softlabels.options import DTYPES, Dtype
from tutelage.softlabels.querying import answers_of_part, rows_of_a_shard
from tutelage.softlabels.rounding import differ
from tutelage.softlabels.shards import Provenance, Shard, columns_so_far, read_shard
from tutelage.teachers.adapt import as_teacher
from tutelage.teachers.endpoints.chat_teacher import asks_an_endpoint, served_by, would_ask
from tutelage.teachers.files.open import open_teacher

ROWS_QUERIED_AGAIN = 4
"""Rows of the first and of the last complete shard that a resumed or repeated recording queries again."""
ELSEWHERE = "Record into another folder, or delete this one."


@dataclass(frozen=True, eq=False)
class Request:
    """A recording that was asked for.

    Attributes:
        teacher: whose answers are recorded.
        fingerprint: of the teacher, before it answers.
        rows: that it answers.
        shard_rows: rows per shard.
        dtype, top_k: of the encoding, as far as they were asked for.
        name: by which other processes open the teacher, "module:object"; None if it is sent to them.
    """

    teacher: Teacher
    fingerprint: str
    rows: Rows
    shard_rows: int
    dtype: Dtype | None
    top_k: int | None
    name: str | None = None

    @classmethod
    def of(cls, teacher: Teacher, rows: Rows, *, dtype: Any, top_k: Any, shard_rows: Any, name: str | None = None) -> Request:
        """The request for a folder, from what the user passes.

        Raises:
            BadInput: an option is invalid, or nothing identifies the teacher.
        """
        size = None if shard_rows is None else whole("shard_rows", shard_rows, 1)
        number: Dtype | None = None if dtype is None else choice("dtype", dtype, DTYPES)
        most = None if top_k is None else whole("top_k", top_k, 1)
        return cls(teacher, identified(teacher), rows, size or rows_of_a_shard(rows, teacher), number, most, name)

    @property
    def shards(self) -> int:
        """Number of shards."""
        return -(-self.rows.count // self.shard_rows)

    def provenance(self, encoding: Encoding, served: str | None) -> Provenance:
        """The facts of the recording.

        Args:
            encoding: of the answers.
            served: the model that an endpoint served for them, or that is recorded already; earlier versions recorded none of a language
                model that others wrap.

        Raises:
            BadInput: the encoding does not fit the answers. LabelMismatch: the endpoint serves another model now.
        """
        form = self.teacher.form
        found = Provenance(self.fingerprint, form, encoding.fitted_to(form), self.rows.count, self.shard_rows, self.rows.schema, served)
        self.check_served(found)
        return found

    def check_served(self, provenance: Provenance) -> None:
        """Check that an endpoint still serves the model whose answers are recorded.

        Raises:
            LabelMismatch: it serves another version.
        """
        served = served_by(self.teacher)
        if provenance.served is not None and served not in (None, provenance.served):
            raise LabelMismatch(
                f"the answers that are recorded are those of {provenance.served!r}, and the endpoint now serves {served!r}; one recording "
                f"holds the answers of one version. Name that as the model, such as chat:{provenance.served.split(' and ')[0]}. {ELSEWHERE}"
            )

    def in_columns(self, table: Schema | None) -> Request:
        """The rows in the columns that were recorded before, whatever order and types they have now."""
        given = self.rows if table is None or self.rows.reread is None else self.rows.reread(table)
        return replace(
            self, rows=replace(given, part=lambda start, stop: in_recorded_columns(given.part(start, stop), table), describe=lambda: table)
        )

    def continued(self, folder: AnyPath) -> tuple[Request, Provenance | None]:
        """The request in the columns of the shards that a folder holds, and their facts; None if it holds none.

        Raises:
            BadInput: an encoding that does not fit the answers. DamagedFile, StaleCache: a shard that cannot be read.
        """
        found: list[AnyPath] = [*folder.glob("part-*.parquet")]
        first = min(found, key=str, default=None)
        if first is None:
            Encoding(self.dtype or "float32", self.top_k).fitted_to(self.teacher.form)
            return self, None
        encoding, table, served = columns_so_far(first)
        request = self.in_columns(table)
        return request, request.provenance(request.encoding_like(encoding), served)

    def first_provenance(self) -> Provenance:
        """The facts, if nothing is recorded: the first answers of the teacher settle the encoding.

        Raises:
            NotProbabilities, ShapeError, BadInput: answers of another form than is declared, or a teacher that changes as it answers.
        """
        count = min(self.rows.count, ROWS_QUERIED_AGAIN)
        answers = answers_of_part(self.teacher, self.rows.part(0, count), 0, count)
        self.check_unchanged()
        return self.provenance(self.encoding_of(answers), served_by(self.teacher))

    def encoding_of(self, answers: Answers) -> Encoding:
        """The encoding: as requested, otherwise that of the teacher's answers."""
        values = answers.values if isinstance(answers, PositionAnswers) else answers
        numbers = values.log_probs if isinstance(values, TopAnswers) else values
        own = values.top_k if isinstance(values, TopAnswers) else None
        return Encoding(self.dtype or ("float64" if numbers.dtype == np.float64 else "float32"), self.top_k or own)

    def encoding_like(self, recorded: Encoding) -> Encoding:
        """The encoding, if answers were recorded before: as requested, otherwise as recorded."""
        # If the most probable classes were not requested then either, the teacher itself answers so; a language model never does.
        if self.top_k is None and recorded.top_k is not None and not asks_an_endpoint(self.teacher):
            answers = answers_of_part(self.teacher, self.rows.part(0, 1), 0, 1)
            return Encoding(self.dtype or recorded.dtype, self.encoding_of(answers).top_k)
        return Encoding(self.dtype or recorded.dtype, self.top_k)

    def check_unchanged(self) -> None:
        """Check, after the first answers, that they did not change what identifies the teacher.

        Raises:
            BadInput: they did.
        """
        if self.teacher.fingerprint != self.fingerprint:
            raise BadInput(
                "this teacher changes as it answers: it holds a counter, a cache or a random state, so its fingerprint is another one "
                "afterwards. Pass as_teacher(..., version=), a text to change whenever its answers change."
            )

    def check_again(self, folder: AnyPath, index: int, inputs: Any, shard: Shard, provenance: Provenance) -> None:
        """Query the teacher again for the first rows of a shard; not a language model, whose answers would be paid again and may vary.

        Args:
            folder: that holds the shard.
            index: of the shard.
            inputs: its first rows.
            shard: what was recorded.
            provenance: of the recording.

        Raises:
            LabelMismatch: its answers are not those that were recorded.
        """
        if would_ask(self.teacher, inputs):
            return
        encoding, form = provenance.encoding, provenance.form
        count = as_rows(inputs).count
        start = provenance.span(index)[0]
        now = encoding.decoded(encoding.stored(answers_of_part(self.teacher, inputs, start, start + count), form)[0], form)
        recorded = encoding.decoded(shard.stored[:count], form)
        different = np.flatnonzero(differ(recorded, now, form, half=encoding.dtype == "float16"))
        if len(different):
            row = int(different[0])
            raise LabelMismatch(
                f"the teacher now gives other answers than those in {folder}: for row {start + row}, "
                f"{_few(now, row)}, and {_few(recorded, row)} was recorded. It was changed since, or its answers are random. {ELSEWHERE}"
            )

    def opened(self, folder: AnyPath) -> LabelFolder:
        """The finished recording in a folder, if it is the requested one.

        Raises:
            LabelMismatch: it is another one. DamagedFile: it is damaged.
        """
        finished = open_labels(folder)
        request = self.in_columns(finished.schema)
        requested = request.provenance(request.encoding_like(finished.provenance.encoding), finished.provenance.served)
        differs = finished.provenance.difference(requested)
        if differs is not None:
            raise LabelMismatch(f"{folder} holds another recording ({differs}). {ELSEWHERE}")
        if data_name(request.rows) != finished.data:
            raise LabelMismatch(f"{folder} was recorded on {len(finished)} other rows (data {finished.data[:8]}...). {ELSEWHERE}")
        for index in {0, finished.provenance.shards - 1}:
            start, stop = finished.provenance.span(index)
            shard = read_shard(folder, index, finished.provenance, sha256=finished.sha256[index])
            inputs = request.rows.part(start, min(stop, start + ROWS_QUERIED_AGAIN))
            request.check_again(folder, index, inputs, shard, finished.provenance)
        return finished


def teacher_of(given: Any) -> tuple[Teacher, str | None]:
    """The teacher that the user passed, and its name if that is "module:object".

    Raises:
        BadInput: no teacher can be made of it.
    """
    if isinstance(given, str) and ":" in given and not given.lower().endswith(".onnx"):
        return open_teacher(given), given
    return as_teacher(given), None


def rows_for(teacher: Teacher, data: Any) -> Rows:
    """The rows that a teacher is to answer: in a file, its columns are no row index, and its categories, such as NA, no gaps.

    Raises:
        as `as_rows`.
    """
    rows, schema = as_rows(data, by_position=by_position(teacher.form)), getattr(teacher, "schema", None)
    return rows.reread(schema.untyped()) if rows.reread is not None and isinstance(schema, Schema) else rows


def _few(answers: Answers, row: int) -> str:
    if isinstance(answers, PositionAnswers):
        return f"{answers.counts[row]} answers from {_few(answers.values, int(answers.offsets[row]))} on" if answers.counts[row] else "none"
    if isinstance(answers, TopAnswers):
        return ", ".join(f"class {place}: {log:.4g}" for place, log in zip(answers.ids[row, :4], answers.log_probs[row, :4], strict=True))
    return ", ".join(f"{number:.4g}" for number in answers[row, :4]) + (", ..." if answers.shape[1] > 4 else "")
