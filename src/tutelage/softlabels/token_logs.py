"""The most probable tokens at each position, as language models and their servers report them, as `TopAnswers`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tutelage.core.answer_kinds import Positions
from tutelage.core.answer_values.class_names import ClassNames, list_classes
from tutelage.core.answer_values.top_answers import TopAnswers
from tutelage.core.errors import BadInput, LabelMismatch, NotProbabilities, ShapeError, shown
from tutelage.data.structures.given_answers import position_counts
from tutelage.data.structures.ragged import Ragged
from tutelage.data.structures.structured import DECODER, StructuredRows
from tutelage.softlabels.log_lines import NUMBER_OF_TOKEN, LogLines, Pairs, token_numbers
from tutelage.softlabels.named_classes import MASS_SLACK
from tutelage.softlabels.options import LoggedKind

PROBABLE: tuple[LoggedKind, ...] = ("probabilities", "log-probabilities")
LOGS = "log-probabilities"
PROMPT = "prompt_logprobs"


class TokenId(int):
    """A class that is logged as its column: the id of a token."""


def token_lines(
    columns: LogLines, answer_columns: Sequence[str], kind: LoggedKind, *, token_ids: str | None, positions: Positions | None
) -> list[list[Pairs | None]] | None:
    """The positions of each line that logs the most probable tokens; None for a log in another form.

    Args:
        columns: the log.
        answer_columns: the columns of its answers; several are one for each class.
        kind: the declared kind of the numbers.
        token_ids: the column of the columns of classes, if the answers are lists of numbers.
        positions: "tokens" if a line holds an answer for each position; None if it holds one.

    Raises:
        BadInput: positions of a log in another form, several positions where one answer is expected, or a line without any.
    """
    if kind not in PROBABLE or len(answer_columns) > 1:
        return None
    cells = columns.answers(answer_columns[0])
    if token_ids is not None:
        ids = columns.answers(token_ids)
        found: list[list[Pairs | None] | None] = [of_ids(one, cell, line) for line, (one, cell) in enumerate(zip(ids, cells, strict=True))]
    else:
        found = [positions_in(cell, kind, line) for line, cell in enumerate(cells)]
        if not any(line is not None for line in found):
            if positions is None:
                return None
            raise BadInput(
                f"column {answer_columns[0]!r} does not hold the most probable tokens of each position; expected top_logprobs, "
                "prompt_logprobs, or lists of lists with token_ids=."
            )
    lines = [one for one in found if one is not None]
    if len(lines) < len(found):
        lacking = found.index(None)
        raise BadInput(
            f"line {lacking} holds {shown(cells[lacking])}, and others log the most probable tokens; drop the line, or query the model "
            "again."
        )
    several = next((line for line, one in enumerate(lines) if len(one) != 1), None)
    if positions is None and several is not None:
        raise BadInput(
            f"line {several} holds answers at {len(lines[several])} positions; expected one for each row. Pass positions='tokens', "
            "or query the model with max_tokens=1."
        )
    if positions is None and [None] in lines:
        raise BadInput(f"line {lines.index([None])} has no answer at its position; drop the line, or query the model again.")
    return lines


def token_counts(part: Any) -> NDArray[np.int64] | None:
    """(rows,) how many tokens the rows have; None if they do not say."""
    fields = part.fields if isinstance(part, StructuredRows) else {"input_ids": part}
    ids = fields.get(f"{DECODER}input_ids", fields.get("input_ids"))
    if not isinstance(part, StructuredRows) or part.counting() is None:  # no mask says which of them count
        if isinstance(ids, Ragged):
            return ids.lengths
        if isinstance(ids, np.ndarray) and ids.ndim == 2 and ids.dtype.kind in "iu":
            return np.full(len(ids), ids.shape[1], np.int64)
    return position_counts(part)


def check_tokens(lines: list[list[Pairs | None]], tokens: NDArray[np.int64] | None) -> None:
    """Check that every line holds an answer for each token of its row.

    Raises:
        LabelMismatch: one does not.
    """
    lacking = np.zeros(0) if tokens is None else tokens - [len(line) for line in lines]
    wrong = np.flatnonzero(lacking)
    if tokens is None or not len(wrong):
        return
    remedy = (
        "A log of prompt_logprobs answers the tokens of a prompt without the last: pass rows without their last token."
        if (lacking == 1).all()
        else "Pass the rows in the order of the lines, or join them by id (ids=, id_column=)."
    )
    first = int(wrong[0])
    raise LabelMismatch(
        f"{len(wrong)} of {len(lines)} lines do not have an answer for each token of their row (first: line {first}, with answers at "
        f"{len(lines[first])} positions, of a row of {tokens[first]} tokens). {remedy}"
    )


def positions_in(cell: Any, kind: str, line: int) -> list[Pairs | None] | None:
    """The positions of one line; None for another form of answer, and for a position that is null.

    The token that was sampled is one of those of its position, also where it is none of the most probable.

    Args:
        cell: the response of an OpenAI-compatible server, its `choices` or their `logprobs`; `top_logprobs`, a list of mappings or of
            lists of tokens; the `prompt_logprobs` of vLLM; or {"ids": ..., "logprobs": ...}, of one position or of several.
        kind: the declared kind of the numbers.
        line: for errors.

    Raises:
        BadInput: several choices, a response without the most probable tokens, or numbers of another kind.
    """
    cell = _logprobs_in(cell, line)
    if isinstance(cell, Mapping) and {"ids", "logprobs"} <= cell.keys():
        _check_kind(kind, line)
        return of_ids(cell["ids"], cell["logprobs"], line)
    if not isinstance(cell, list) or not cell or all(_is_token(entry) for entry in cell):
        return None
    if all(isinstance(entry, tuple) or not isinstance(entry, list | Mapping | None) for entry in cell):
        return None
    return [_position(entry, kind, line) for entry in cell]


def _logprobs_in(cell: Any, line: int) -> Any:
    """The list of positions in a response or a part of it; the cell itself if it is none."""
    for name in ("response", "body"):
        cell = cell[name] if isinstance(cell, Mapping) and isinstance(cell.get(name), Mapping) else cell
    choices = cell.get("choices") if isinstance(cell, Mapping) and not isinstance(cell.get(PROMPT), list) else cell
    if _are_choices(choices) or (choices == [] and choices is not cell):
        if not choices:
            raise _without_top(line, "it has no choices")
        if len(choices) > 1:
            raise BadInput(
                f"line {line} holds {len(choices)} choices; expected one: query the model with n=1, or log a line for each choice."
            )
        cell = choices[0] if isinstance(choices[0].get(PROMPT), list) else choices[0].get("logprobs")
        if not isinstance(cell, Mapping | list):
            raise _without_top(line, f"its logprobs are {shown(cell)}")
    if not isinstance(cell, Mapping) or {"ids", "logprobs"} <= cell.keys():
        return cell
    if isinstance(cell.get(PROMPT), list):
        return cell[PROMPT]
    lists = {name for name, value in cell.items() if isinstance(value, list)}
    nulls = {name for name, value in cell.items() if value is None}
    if "content" in lists or ("content" in nulls and cell.keys() == nulls | (lists & {"refusal"})):
        return _of_content(cell["content"], line)
    return cell if lists.isdisjoint(("tokens", "token_logprobs", "top_logprobs")) else _of_completion(cell, line)


def _are_choices(cell: Any) -> bool:
    of_a_choice = {"logprobs", PROMPT, "message", "finish_reason"}
    return isinstance(cell, list) and bool(cell) and isinstance(cell[0], Mapping) and not of_a_choice.isdisjoint(cell[0])


def _of_content(content: Any, line: int) -> list[Any]:
    """The positions of a chat: a token each, with the most probable ones beside it."""
    if not isinstance(content, list) or not content:
        raise _without_top(line, f"the content of its logprobs is {shown(content)}")
    return [{"top_logprobs": None, **entry} if isinstance(entry, Mapping) and "token" in entry else entry for entry in content]


def _of_completion(logprobs: Mapping[str, Any], line: int) -> list[Any]:
    """The positions of a completion, whose tokens, their numbers and the most probable ones are lists of their own."""
    top, tokens, numbers = (logprobs.get(name) or [] for name in ("top_logprobs", "tokens", "token_logprobs"))
    if not isinstance(top, list) or not top:
        raise _without_top(line, f"its top_logprobs are {shown(logprobs.get('top_logprobs'))}")
    if not tokens or not numbers:
        return top
    if not isinstance(tokens, list) or not isinstance(numbers, list) or not len(tokens) == len(numbers) == len(top):
        raise ShapeError(
            f"line {line} has {len(top)} top_logprobs, the tokens {shown(tokens)} and token_logprobs {shown(numbers)}; expected one of each"
            " at every position. Log responses as they came."
        )
    # Nothing precedes the first token of a prompt that is answered too: it has no number, and its position is null.
    return [
        None if position is None and number is None else {"token": token, "logprob": number, "top_logprobs": position}
        for token, number, position in zip(tokens, numbers, top, strict=True)
    ]


def _without_top(line: int, found: str) -> BadInput:
    return BadInput(
        f"line {line} holds a response without top_logprobs ({found}); expected the most probable tokens of each position. Query the model "
        "with logprobs=true and top_logprobs=20, or log the texts of its answers and pass kind='votes'."
    )


def _is_token(entry: Any) -> bool:
    """Whether an entry is one token with its number, so that a list of them is the answer at one position."""
    return isinstance(entry, Mapping) and "token" in entry and "top_logprobs" not in entry


def _position(entry: Any, kind: str, line: int) -> Pairs | None:
    if entry is None:
        return None
    sampled: Pairs = []
    if isinstance(entry, Mapping) and isinstance(entry.get("top_logprobs", 0), list | Mapping | None):
        if not entry["top_logprobs"]:
            raise _without_top(line, f"the token {shown(entry.get('token'))} alone")
        if "token" in entry and not NUMBER_OF_TOKEN.keys().isdisjoint(entry):
            sampled = token_numbers([entry], kind, line) or []
        entry = entry["top_logprobs"]
    if isinstance(entry, Mapping) and entry and all(isinstance(value, Mapping | None) for value in entry.values()):
        _check_kind(kind, line)
        return [(_column(name, line), value.get("logprob")) for name, value in entry.items() if value is not None]
    found = token_numbers(entry, kind, line)
    if found is None:
        raise BadInput(f"line {line} holds {shown(entry)} at a position; expected its most probable tokens, each with its logprob.")
    named = [token for token, number in found if number is not None]
    return found + [pair for pair in sampled if pair[0] not in named]


def of_ids(ids: Any, numbers: Any, line: int) -> list[Pairs | None]:
    """The positions of a line that logs the columns of classes and their numbers as two lists, or as two lists of lists.

    Raises:
        ShapeError: lists of other lengths.
    """
    if not isinstance(ids, list) or not isinstance(numbers, list) or len(ids) != len(numbers):
        raise ShapeError(f"line {line} has ids {shown(ids)} and numbers {shown(numbers)}; expected two lists of the same length.")
    if any(isinstance(entry, list) or entry is None for entry in ids):
        pairs = [of_ids(one, number, line) for one, number in zip(ids, numbers, strict=True) if one is not None]
        nulls = [place for place, one in enumerate(ids) if one is None]
        positions = [found[0] for found in pairs]
        for place in nulls:
            positions.insert(place, None)
        return positions
    return [[(_column(one, line), number) for one, number in zip(ids, numbers, strict=True)]]


def _column(name: Any, line: int) -> TokenId:
    if isinstance(name, str) and name.isascii() and name.isdigit():
        name = int(name)
    if isinstance(name, bool) or not isinstance(name, int) or name < 0:
        raise BadInput(f"line {line} has the token id {shown(name)}; expected a whole number of 0 or more, the column of a class.")
    return TokenId(name)


def _check_kind(kind: str, line: int) -> None:
    if kind != LOGS:
        raise BadInput(f"line {line} holds a {next(iter(NUMBER_OF_TOKEN))} for each token; expected kind={LOGS!r} instead of {kind!r}.")


@dataclass(frozen=True)
class _Entries:
    """All logged tokens, one after the other.

    Attributes:
        place: (entries,) the answer that each belongs to.
        column: (entries,) its class.
        log: (entries,) the logarithm of its probability.
        where: the line and position of each answer, for errors.
        dropped: (answers,) the probability of tokens that are left out.
    """

    place: NDArray[np.int64]
    column: NDArray[np.int64]
    log: NDArray[np.float64]
    where: list[str]
    dropped: NDArray[np.float64]


def top_answers(
    lines: Sequence[list[Pairs | None]], kind: str, classes: Sequence[Any], *, mapping: Mapping[Any, Any], rest: str
) -> tuple[TopAnswers, NDArray[np.int64]]:
    """The answers at all positions, and the number of positions of each line.

    A null at the first position of a line is left out: nothing precedes the first token of a prompt. Lines and positions may name
    different numbers of classes: where one names fewer, classes of its rest are added with their equal part of it.

    Args:
        lines: the positions of each line, as `positions_in` returns them.
        kind: "probabilities" or "log-probabilities".
        classes: the name of each column.
        mapping: the class that a logged token stands for, or None.
        rest: "spread" or "drop".

    Raises:
        BadInput, LabelMismatch, NotProbabilities: a position without an answer, an unknown class, or numbers that are no probabilities.
    """
    names = ClassNames(classes)
    found = [_answered(line, number) for number, line in enumerate(lines)]
    entries = _merged(_entries(found, kind, names, mapping), len(names))
    return _completed(entries, len(names), rest), np.array([len(line) for line in found], dtype=np.int64)


def _answered(line: list[Pairs | None], number: int) -> list[Pairs]:
    given = line[1:] if line and line[0] is None else line
    for place, position in enumerate(given):
        if not position:
            raise BadInput(f"line {number} has no answer at position {place}; drop the line, or query the model again.")
    return [position for position in given if position]


def _entries(found: list[list[Pairs]], kind: str, names: ClassNames, mapping: Mapping[Any, Any]) -> _Entries:
    columns = {str(name): place for place, name in enumerate(names)}
    rows: list[tuple[int, int, float]] = []
    where = [f"line {line}, position {place}" for line, positions in enumerate(found) for place in range(len(positions))]
    dropped = np.zeros(len(where))
    for answer, (token, number) in _pairs(found):
        figure = _logarithm(number, kind, where[answer])
        label = token if isinstance(token, TokenId) else mapping.get(token, token)
        if label is None:
            dropped[answer] += np.exp(figure)
            continue
        column = int(label) if isinstance(label, TokenId) else columns.get(str(label), -1)
        if not 0 <= column < len(names):
            what = f"the token id {int(token)}" if isinstance(token, TokenId) else f"the token {token!r}"
            raise LabelMismatch(
                f"{where[answer]} has {what}, which is not among the {len(names)} classes {list_classes(names)}. Pass the vocabulary of "
                "the model that answered as classes=; to learn from another tokenizer, log the probabilities of the texts of classes."
            )
        rows.append((answer, column, figure))
    table = np.array(rows, dtype=np.float64).reshape(-1, 3)
    return _Entries(table[:, 0].astype(np.int64), table[:, 1].astype(np.int64), table[:, 2], where, np.minimum(dropped, 1.0))


def _pairs(found: list[list[Pairs]]) -> Iterator[tuple[int, tuple[Any, Any]]]:
    answer = 0
    for positions in found:
        for position in positions:
            for pair in position:
                if pair[1] is not None:
                    yield answer, pair
            answer += 1


def _logarithm(number: Any, kind: str, where: str) -> float:
    try:
        value = float(number)
    except (TypeError, ValueError, OverflowError):
        value = np.nan
    if isinstance(number, bool | str) or not (value <= MASS_SLACK if kind == LOGS else 0 <= value <= 1 + MASS_SLACK):
        raise NotProbabilities(f"{where} holds {shown(number)}; expected {kind}, of at most {0 if kind == LOGS else 1}.")
    with np.errstate(divide="ignore"):
        return value if kind == LOGS else float(np.log(value))


def _merged(entries: _Entries, classes: int) -> _Entries:
    """The same with each class of an answer once: the probabilities of tokens of one class are added."""
    key = entries.place * classes + entries.column
    distinct, inverse = np.unique(key, return_inverse=True)
    logs = np.full(len(distinct), -np.inf)
    np.logaddexp.at(logs, inverse, entries.log)
    return _Entries(distinct // classes, distinct % classes, logs, entries.where, entries.dropped)


def _completed(entries: _Entries, classes: int, rest: str) -> TopAnswers:
    answers = len(entries.where)
    named = np.bincount(entries.place, np.exp(entries.log), minlength=answers)
    counts = np.bincount(entries.place, minlength=answers)
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = named / (1 - entries.dropped)
    _refuse(~(named > 0), entries.where, "names no class with a probability above 0; drop the line, or query the model again")
    above = named + entries.dropped > 1 + MASS_SLACK
    _refuse(above, entries.where, "holds probabilities that sum to more than 1; check that kind= is right")
    short = (counts == classes) & (scale < 1 - MASS_SLACK) & (rest == "spread")
    _refuse(short, entries.where, "names every class with probabilities that sum to less than 1; pass rest='drop' to scale them up")
    full = (rest == "drop") | (scale >= 1) | (counts == classes)
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = entries.log - np.where(full, np.log(named), np.log1p(-entries.dropped))[entries.place]
        of_rest = np.where(full, -np.inf, np.log1p(-np.where(full, 0.0, scale)))
    return _of_one_length(entries.place, entries.column, logs, of_rest, counts, classes)


def _of_one_length(
    place: NDArray[np.int64],
    column: NDArray[np.int64],
    logs: NDArray[np.float64],
    rest: NDArray[np.float64],
    counts: NDArray[np.intp],
    classes: int,
) -> TopAnswers:
    top_k = int(counts.max(initial=1))
    starts = np.cumsum(counts) - counts
    added: list[tuple[int, int]] = []
    for answer in np.flatnonzero(counts < top_k):
        free = np.setdiff1d(np.arange(top_k), column[starts[answer] : starts[answer] + counts[answer]])
        added += [(int(answer), int(one)) for one in free[: top_k - counts[answer]]]
    more = np.array(added, dtype=np.int64).reshape(-1, 2)
    each = rest - np.log(np.maximum(classes - counts, 1))
    place, column = np.concatenate([place, more[:, 0]]), np.concatenate([column, more[:, 1]])
    logs = np.concatenate([logs, each[more[:, 0]]])
    order = np.lexsort((column, -logs, place))
    with np.errstate(divide="ignore", invalid="ignore"):
        left = each + np.log(classes - top_k)
    ids = column[order].reshape(-1, top_k).astype(np.uint16 if classes <= 2**16 else np.uint32)
    return TopAnswers(ids, logs[order].reshape(-1, top_k).astype(np.float32), left.astype(np.float32), classes)


def _refuse(wrong: NDArray[np.bool_], where: list[str], what: str) -> None:
    if wrong.any():
        raise NotProbabilities(f"{where[int(np.flatnonzero(wrong)[0])]} {what}.")
