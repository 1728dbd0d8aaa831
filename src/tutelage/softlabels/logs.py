"""`read_answers`: soft labels from logged answers: probabilities, logits, top-k or votes in a Parquet, CSV or JSONL file."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tutelage.core.answer_kinds import Positions, Task
from tutelage.core.answer_values.class_names import list_classes, plain
from tutelage.core.answer_values.named_columns import order_by_name
from tutelage.core.answer_values.top_answers import DENSE_BYTES
from tutelage.core.answers import AnswerForm, labels_of, of_classes
from tutelage.core.arguments import choice, number, text, texts
from tutelage.core.arguments import mapping as mapping_of
from tutelage.core.arrays import Floats
from tutelage.core.errors import BadInput, LabelMismatch, ShapeError, one_line, shown
from tutelage.core.position_answers import Answers, PositionAnswers
from tutelage.data.cells import type_of_objects
from tutelage.data.row_names import Names, row_names
from tutelage.data.rows import as_rows
from tutelage.data.schema import Column, Schema
from tutelage.data.tables.column_types import Known, literals_among
from tutelage.softlabels.columns import arrays_of
from tutelage.softlabels.labels import SoftLabels
from tutelage.softlabels.log_lines import LogLines, Pairs, token_numbers
from tutelage.softlabels.named_classes import check_mapping, exp, from_tokens, labels_in
from tutelage.softlabels.options import LOGGED_KINDS, REPEATED, RESTS, SHARD_ROWS, LoggedKind, Repeated, Rest
from tutelage.softlabels.token_logs import PROBABLE, TokenId, check_tokens, token_counts, token_lines, top_answers


def read_answers(
    source: Any,
    *,
    answers: str | Sequence[str],
    kind: LoggedKind,
    token_ids: str | None = None,
    positions: Positions | None = None,
    content: str | Sequence[str] | None = None,
    data: Any = None,
    id_column: str | None = None,
    ids: Sequence[Any] | None = None,
    classes: Sequence[Any] | None = None,
    task: Task | None = None,
    rest: Rest | None = None,
    repeated: Repeated | None = None,
    smoothing: float = 0.0,
    mapping: Mapping[Any, Any] | None = None,
) -> SoftLabels:
    """Read soft labels from a log of answers, such as the votes or log-probabilities of an LLM.

    A line of the log belongs to the row that its `content` columns hold. Without `content`, it belongs to the row of `data`
    in the same position, or to the row whose entry in `ids` equals the line's `id_column`.

    Args:
        source: path of a .parquet, .csv, .tsv or .jsonl file, or a pyarrow Table.
        answers: the column or columns that hold the answers. With one name: numbers, lists of numbers, mappings from class
            to number (JSON objects; if classes are left out, a top-k log), lists of {"token": ..., "logprob": ...} as language
            models report them, or for votes a label or a list of labels. With several names: one column per class. Also the response
            of an OpenAI-compatible server with `top_logprobs`, its `choices` or their `logprobs`, the `prompt_logprobs` of vLLM, and
            {"ids": ..., "logprobs": ...}.
        kind: kind of the numbers: "probabilities", "log-probabilities", "logits", "values" (regression) or "votes", which
            are counted: five calls of an LLM give five votes for classes that exclude each other.
        token_ids: the column that holds, for each number of `answers`, the column of its class, counted from 0; lists, or with positions
            lists of lists.
        positions: "tokens" if each line holds an answer for each position of its row; by default it holds one answer. The first
            entry of vLLM's `prompt_logprobs` is null, since nothing precedes the first token, and entry i + 1 is the answer at
            position i: such a log answers the tokens of a prompt without the last.
        content: the columns that hold the rows themselves (one column for texts).
        data: the rows, if the log does not hold them: an array, a frame, a sparse matrix, texts or the path of a file.
        id_column: the column of the log that identifies the row of `data`.
        ids: (rows of data,) the id of each row of `data`.
        classes: the class label of each column, or of each position in a list; required for lists, and for one number a line, which is
            that of the second of two classes, or of a single label. Columns that are named after the
            classes are matched by name. By default the names of the columns, or the keys or votes that occur, in sorted order.
        task: "multilabel" if each number is the probability of an independent label, which every line then gives: none follows
            from the others; otherwise it follows from kind and classes.
        rest: the probability that a top-k line does not assign: "spread" divides it among the classes that are left out, as by default,
            "drop" gives them zero and scales the others up to sum to one.
        repeated: several lines about one row that disagree are an "error", as by default, or are averaged ("mean"). Votes are always
            counted together.
        smoothing: votes added to every class before counting; above 0 no class gets the probability 0.
        mapping: the class that a logged token or vote stands for, as {" Yes": "yes", "YES": "yes", "I": None}: the probabilities of
            tokens of one class are added; None drops a token, and the rest of its line is scaled up. Votes that are null (refusals)
            are left out, with a warning, unless the key None gives them a class.

    Returns:
        Soft labels, a Teacher for exactly the rows that the log answers. Of the most probable tokens at several positions, or of token
        ids, or of so many classes that numbers for all would take more than half a GiB, they are `TopAnswers`.

    Raises:
        BadInput: no such file or column, an unknown kind, no rule that assigns lines to rows, a line without an answer, or an option that
            does not apply to answers of this form.
        LabelMismatch: lines that do not match the rows or classes; with positions also lines without an answer for each token of their row.
        NotProbabilities, ShapeError: numbers that are not of the declared kind.

    Example:
        >>> import pyarrow as pa
        >>> import tutelage as tl
        >>> log = pa.table({"text": ["great", "awful"], "votes": [["pos", "pos", "neg", "pos"], ["neg", "neg", "neg", "neg"]]})
        >>> labels = tl.read_answers(log, answers="votes", kind="votes", content="text", smoothing=1)
        >>> labels.form.classes
        ('neg', 'pos')
        >>> labels.answer(["great", "awful"]).round(2)
        array([[0.33, 0.67],
               [0.83, 0.17]])
    """
    kind = choice("kind", kind, LOGGED_KINDS)
    rest = None if rest is None else choice("rest", rest, RESTS)
    repeated = None if repeated is None else choice("repeated", repeated, REPEATED)
    smoothing, mapping = number("smoothing", smoothing, least=0, most=1e6), mapping_of("mapping", mapping)
    classes, ids = (None if given is None else labels_of(given) for given in (classes, ids))
    answer_columns = list(texts("answers", answers, least=1))
    content = None if content is None else texts("content", content, least=1)
    id_column = None if id_column is None else text("id_column", id_column)
    if smoothing and kind != "votes":
        raise BadInput(f"smoothing is {smoothing:g}, which applies to votes only, and kind is {kind!r}; leave smoothing out.")
    if kind == "votes" and (rest, repeated) != (None, None):
        name = "repeated" if rest is None else "rest"
        raise BadInput(f"{name}= does not apply to votes, which are counted, all of a row together; leave it out.")
    if kind == "votes" and task == "multilabel":
        raise BadInput(
            "votes for independent labels cannot be counted: a list of labels may be several voters, or all labels of one. Log for each "
            "label the share of the voters who gave it, and pass kind='probabilities'."
        )
    if (token_ids is not None or positions is not None) and (kind not in PROBABLE or len(answer_columns) > 1):
        raise BadInput("token_ids= and positions= apply to one column of probabilities or log-probabilities; leave them out.")
    _check_options(content=content, data=data, id_column=id_column, ids=ids)
    token_ids = None if token_ids is None else text("token_ids", token_ids)
    positions = None if positions is None else choice("positions", positions, ("tokens",))
    votes_for = Known(literals=literals_among(classes or ()))  # a class such as None is no gap
    columns = LogLines.of(source, {answer_columns[0]: votes_for} if kind == "votes" else None)
    names, schema, tokens = _names(columns, content=content, data=data, id_column=id_column, ids=ids)
    if kind == "votes":
        numbers, labels, names = _counted(columns.answers(answer_columns[0]), names, classes=classes, smoothing=smoothing, mapping=mapping)
    elif (lines := token_lines(columns, answer_columns, kind, token_ids=token_ids, positions=positions)) is not None:
        if task == "multilabel":
            raise _of_exclusive_tokens(answer_columns[0])
        check_tokens(lines, None if positions is None else tokens)
        found, labels = _of_tokens(lines, kind, positions, classes=classes, rest=rest or "spread", mapping=mapping)
        return _stored(found, replace(_form("probabilities", labels, task), positions=positions), names, schema, repeated)
    else:
        independent = task == "multilabel"
        numbers, labels = _numbers(columns, answer_columns, kind, classes=classes, rest=rest, mapping=mapping, independent=independent)
    form = _form(kind, labels, task)
    numbers = form.take(exp(numbers) if kind == "log-probabilities" else numbers, len(names), "the logged answers")
    if repeated == "mean" and kind != "votes":
        numbers, names = _mean(form.probabilities(numbers) if kind == "logits" else numbers, names)
        form = form.as_kind("probabilities") if kind == "logits" else form
    return _stored(numbers, form, names, schema)


def _stored(answers: Answers, form: AnswerForm, names: Names, schema: Schema | None, repeated: Repeated | None = None) -> SoftLabels:
    if repeated == "mean":
        raise BadInput("repeated='mean' averages numbers for all classes, and this log holds the most probable ones; log each row once.")
    digest = hashlib.sha256(names.tobytes() + repr(form).encode())
    for name, array in arrays_of(answers).items():
        digest.update(name.encode() + np.ascontiguousarray(array).tobytes())
    labels = SoftLabels(answers, form, names, f"logged:{digest.hexdigest()}", schema)
    labels.of_names(names[:1])  # raises now if a row has two different answers
    return labels


def _of_tokens(
    lines: list[list[Pairs | None]],
    kind: LoggedKind,
    positions: Positions | None,
    *,
    classes: Sequence[Any] | None,
    rest: Rest,
    mapping: Mapping[Any, Any],
) -> tuple[Answers, tuple[Any, ...]]:
    """The answers of lines that log the most probable tokens, as probabilities, and the classes."""
    check_mapping(mapping, (token for line in lines for pairs in line for token, _ in pairs or ()))
    by_id = any(isinstance(token, TokenId) for line in lines for pairs in line for token, _ in pairs or ())
    if classes is None and by_id:
        raise BadInput("the log holds token ids; pass classes=, the vocabulary of the model, or range(its size).")
    labels = labels_in([pairs for line in lines for pairs in line], mapping) if classes is None else tuple(classes)
    if positions is None and not by_id and 8 * len(lines) * len(labels) <= DENSE_BYTES:
        numbers, _ = from_tokens([line[0] for line in lines], kind, classes=labels, rest=rest, mapping=mapping)
        return of_classes("probabilities", labels).check(
            exp(numbers) if kind == "log-probabilities" else numbers, len(lines), "the logged answers"
        ), labels
    top, lengths = top_answers(lines, kind, labels, mapping=mapping, rest=rest)
    return (top if positions is None else PositionAnswers(top, lengths[:, None])), labels


def _check_options(*, content: Any, data: Any, id_column: str | None, ids: Any) -> None:
    if (content is None) == (data is None):
        raise BadInput(
            "it is not defined which rows the lines are about: pass either content=, the columns that hold the rows, or data=, the rows."
        )
    if (id_column is None) != (ids is None) or (ids is not None and data is None):
        raise BadInput("to join by id, pass all of data=, ids= (an id for each row of data) and id_column= (the log's column of ids).")


def _names(
    columns: LogLines, *, content: Sequence[str] | None, data: Any, id_column: str | None, ids: Sequence[Any] | None
) -> tuple[Names, Schema | None, NDArray[np.int64] | None]:
    """(lines,) content name of the row that each line is about; the columns of the rows if they have names; their tokens if known."""
    if content is not None:
        lines = [columns.cells(name) for name in content]
        if len(lines) == 1:
            return row_names(lines[0]), None, None  # whatever the column of the data is called
        schema = Schema(tuple(Column(name, type_of_objects(cells), unseen="keep") for name, cells in zip(content, lines, strict=True)))
        return row_names(np.array(lines, dtype=object).T), schema, None  # as objects, so that a number next to a text stays a number
    rows = as_rows(data)
    parts = [(row_names(part), token_counts(part)) for *_, part in rows.parts(SHARD_ROWS)]
    names = np.concatenate([each for each, _ in parts])
    counted = [count for _, count in parts if count is not None]
    tokens = np.concatenate(counted) if len(counted) == len(parts) else None
    if id_column is None or ids is None:
        if len(names) != columns.count:
            raise LabelMismatch(
                f"the log has {columns.count} lines and the data {len(names)} rows; without ids both must be equal. Pass "
                "id_column= and ids=."
            )
        return names, rows.schema, tokens
    places = _positions(columns.cells(id_column), list(ids), len(names))
    return names[places], rows.schema, None if tokens is None else tokens[places]


def _positions(line_ids: list[Any], ids: list[Any], rows: int) -> NDArray[np.intp]:
    """(lines,) position in the data of each line's id."""
    if len(ids) != rows:
        raise LabelMismatch(f"there are {len(ids)} ids for {rows} rows; pass one for each row.")
    position = {plain(row_id): index for index, row_id in enumerate(ids)}
    if len(position) < rows:
        raise LabelMismatch(f"{rows - len(position)} ids are repeated in ids=; each row needs a unique id.")
    unknown = [one for one in line_ids if one not in position]
    if unknown:
        raise LabelMismatch(
            f"{len(unknown)} of {len(line_ids)} lines have an id that is not in ids= (first: {unknown[0]!r}). Drop these lines, "
            "or add their rows."
        )
    return np.array([position[one] for one in line_ids], dtype=np.intp)


def _form(kind: LoggedKind, labels: tuple[Any, ...], task: Task | None) -> AnswerForm:
    if kind == "values":
        return AnswerForm("values", "regression")
    answer_kind: Literal["logits", "probabilities"] = "logits" if kind == "logits" else "probabilities"
    return of_classes(answer_kind, labels) if task is None else AnswerForm(answer_kind, task, labels)


def _numbers(
    columns: LogLines,
    answer_columns: list[str],
    kind: LoggedKind,
    *,
    classes: Sequence[Any] | None,
    rest: Rest | None,
    mapping: Mapping[Any, Any],
    independent: bool,
) -> tuple[Floats, tuple[Any, ...]]:
    """(lines, classes) numbers, still of the logged kind, and the classes; (lines,) where there is one number a line."""
    if len(answer_columns) > 1:
        _refuse_of_named(rest, mapping)
        wide = np.column_stack([_floats(columns.answers(name), name) for name in answer_columns])
        if kind == "values" or classes is None:
            return wide, () if kind == "values" else tuple(answer_columns)
        remedy = "Name the columns of these classes in answers=, or leave classes= out."
        order = order_by_name(answer_columns, classes, what="the columns of the answers", remedy=remedy)
        return wide if order is None else wide[:, order], tuple(classes)
    values = columns.answers(answer_columns[0])
    empty = next((line for line, value in enumerate(values) if value is None), None)
    if empty is not None:
        raise BadInput(f"line {empty} has no answer (column {answer_columns[0]!r}); drop the line, or query the teacher again.")
    tokens = [token_numbers(value, kind, line) for line, value in enumerate(values)]
    if tokens and tokens[0] is not None:
        if independent and any(isinstance(value, list) and isinstance(value[0], Mapping) for value in values if value):
            raise _of_exclusive_tokens(answer_columns[0])
        if rest is not None and (independent or kind == "logits"):
            of = "independent labels" if independent else "logits"
            raise BadInput(f"rest= does not apply to {of}, of which a line gives all; leave it out.")
        check_mapping(mapping, (token for line in tokens for token, _ in line or ()))
        return from_tokens(tokens, kind, classes=classes, rest=rest or "spread", mapping=mapping, independent=independent)
    _refuse_of_named(rest, mapping)
    numbers = _floats(values, answer_columns[0])
    if kind == "values":
        return numbers, ()
    if classes is None:
        held, named = "lists of numbers", "the class label of each position"
        if numbers.ndim == 1:
            held, named = "one number a line", "two classes, of whose second it is the number, or a single label with task='multilabel'"
        raise BadInput(f"column {answer_columns[0]!r} holds {held}; pass classes=, {named}.")
    _check_second(answer_columns[0], numbers, classes, independent=independent)
    return numbers, tuple(classes)


def _refuse_of_named(rest: Rest | None, mapping: Mapping[Any, Any]) -> None:
    """Refuse options of answers that name their classes where each line holds a number for every class.

    Raises:
        BadInput: one is given.
    """
    if mapping:
        raise BadInput("mapping= applies to votes, and to answers that name their classes or tokens; leave it out.")
    if rest is not None:
        raise BadInput("rest= applies to answers that name some of the classes, and each line holds a number for all; leave it out.")


def _check_second(column: str, numbers: Floats, classes: Sequence[Any], *, independent: bool) -> None:
    """Refuse one number a line, which is that of the second of two classes, under the name of the first.

    Raises:
        LabelMismatch: it has that name.
    """
    if numbers.size == len(numbers) and len(classes) == 2 and not independent and column == str(classes[0]):
        raise LabelMismatch(
            f"column {column!r} holds one number a line, which is that of the second of the classes {list_classes(tuple(classes))}, and is "
            f"named after the first. Pass classes= with {column!r} last, or rename the column."
        )


def _of_exclusive_tokens(column: str) -> BadInput:
    return BadInput(
        f"column {column!r} holds the probabilities of tokens, of which a model gives one, and the labels of a multilabel task do not "
        "exclude each other; log a number for each label, as in {'spam': 0.9, 'urgent': 0.2}."
    )


def _floats(values: list[Any], name: str) -> Floats:
    try:
        return np.asarray(np.array(values, dtype=np.float64))
    except (TypeError, ValueError, OverflowError) as error:
        shape = np.shape(values[0]) if values and not isinstance(values[0], str | Mapping) else ()
        line = next((line for line, value in enumerate(values) if not _is_numbers(value, shape)), 0)
        raise ShapeError(
            f"column {name!r} does not hold numbers, or lists of numbers of the same length (line {line}: {one_line(error)})."
        ) from error


def _is_numbers(value: Any, shape: tuple[int, ...]) -> bool:
    try:
        return np.asarray(value, dtype=np.float64).shape == shape
    except (TypeError, ValueError, OverflowError):
        return False


def _counted(
    values: list[Any], names: Names, *, classes: Sequence[Any] | None, smoothing: float, mapping: Mapping[Any, Any]
) -> tuple[Floats, tuple[Any, ...], Names]:
    """(rows, classes) shares of the votes, the classes, and the name of each row, in the order in which rows first occur."""
    cast = [list(value) if isinstance(value, list | tuple) else [value] for value in values]
    wrong = next(((line, vote) for line, one in enumerate(cast) for vote in one if isinstance(vote, list | tuple | Mapping)), None)
    if wrong is not None:
        raise BadInput(
            f"line {wrong[0]} casts the vote {shown(wrong[1])}; expected the name of a class, a text or a number. Log the texts of the "
            "answers, such as the content of each message."
        )
    check_mapping(mapping, (vote for one in cast for vote in one))
    votes = [[plain(label) for vote in line if (label := mapping.get(vote, vote)) is not None] for line in cast]
    left_out = sum(map(len, cast)) - sum(map(len, votes))
    if left_out:
        warnings.warn(f"{left_out} of {sum(map(len, cast))} votes are null or dropped by mapping=, and are not counted.", stacklevel=3)
    cast_for = {vote for line in votes for vote in line}
    labels = tuple(sorted(cast_for, key=lambda label: (isinstance(label, str), label)) if classes is None else map(plain, classes))
    unknown = sorted(map(repr, cast_for - set(labels)))
    if unknown:
        line = next(line for line, found in enumerate(votes) if set(found) - set(labels))
        raise LabelMismatch(
            f"votes were cast for {', '.join(unknown[:6])} (first in line {line}), not among {list_classes(labels)}. "
            "Add them to classes=, or map them with mapping=."
        )
    if smoothing < 0:
        raise BadInput(f"smoothing is {smoothing}; expected 0 or more votes per class.")
    place = {label: index for index, label in enumerate(labels)}
    _, first, row = np.unique(names, return_index=True, return_inverse=True)
    counts = np.full((len(first), len(labels)), float(smoothing))
    for line, found in enumerate(votes):
        for vote in found:
            counts[row[line], place[vote]] += 1
    total = counts.sum(axis=1, keepdims=True)
    if (total == smoothing * len(labels)).any():
        line = int(first[np.flatnonzero(total[:, 0] == smoothing * len(labels))[0]])
        raise LabelMismatch(f"the row of line {line} has no votes; drop the line, query the teacher again, or pass smoothing=.")
    order = np.argsort(first)
    return (counts / total)[order], labels, names[first[order]]


def _mean(numbers: Floats, names: Names) -> tuple[Floats, Names]:
    """One line per row, the mean of its lines, in the order in which rows first occur."""
    _, first, row = np.unique(names, return_index=True, return_inverse=True)
    total = np.zeros((len(first), numbers.shape[1]))
    np.add.at(total, row, numbers)
    order = np.argsort(first)
    return (total / np.bincount(row)[:, None])[order], names[first[order]]
