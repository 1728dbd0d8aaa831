"""What a torch network answers to rows of any kind: an array, or several inputs of equal or different lengths."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tutelage.core import torch_runtime
from tutelage.core.answer_kinds import Positions
from tutelage.core.arrays import Floats
from tutelage.core.errors import ShapeError, require
from tutelage.core.position_answers import Answers, PositionAnswers
from tutelage.data.structures.ragged import Ragged
from tutelage.data.structures.structured import StructuredRows

if TYPE_CHECKING:
    from torch import Tensor, nn

    from tutelage.core.torch_runtime import Inputs


IDS = ("input_ids", "decoder_input_ids")
"""The inputs whose padding is a token, in the habit of Hugging Face."""


def pad_token_of(network: nn.Module) -> int | None:
    """The token with which a network of Hugging Face, or the only one inside a network, has its ids padded; None if none says so.

    Some classifiers read the last token that is another, whatever the attention mask says.
    """
    own = _stated_pad_token(network)
    stated = {own} if own is not None else {_stated_pad_token(module) for module in network.modules()} - {None}
    return stated.pop() if len(stated) == 1 else None


def _stated_pad_token(module: nn.Module) -> int | None:
    config = getattr(module, "config", None)
    for each in (config, getattr(config, "text_config", None)):
        token, words = getattr(each, "pad_token_id", None), getattr(each, "vocab_size", None)
        if isinstance(token, int) and 0 <= token < (words if isinstance(words, int) else token + 1):  # some state -1, or none of theirs
            return token
    return None


def padded_with(rows: StructuredRows, token: int | None) -> StructuredRows:
    """The rows, whose ids are padded with a token, whatever they were padded with before; None changes nothing."""
    return rows if token is None else replace(rows, fill={**(rows.fill or {}), **dict.fromkeys(IDS, token)})


def tensors_of(rows: StructuredRows, network: nn.Module) -> Inputs:
    """The inputs as tensors on the device of a network: whole numbers as int64, others in the dtype of its weights.

    Ids are padded with the network's pad token, where it states one.
    """
    device, floats = torch_runtime.device_of(network), torch_runtime.float_dtype(network)
    token = None if rows.fields.keys().isdisjoint(IDS) else pad_token_of(network)

    def tensor(array: NDArray[Any]) -> Tensor:
        values = torch_runtime.tensor_of(array)
        kind = floats if values.is_floating_point() else values.dtype if array.dtype.kind == "b" else require("torch").int64
        return values.to(device, kind, copy=True)

    found = {name: tensor(array) for name, array in padded_with(rows, token).padded().items()}
    return found if rows.named else tuple(found.values())


def remedy_of_ids(inputs: Any) -> str:
    """What to do about whole numbers of pictures, which are taken as ids where there are several inputs; "" if there are none."""
    fields = inputs.fields if isinstance(inputs, StructuredRows) else dict(enumerate(inputs)) if isinstance(inputs, tuple) else inputs
    named = fields if isinstance(fields, dict) else {}
    whole = [str(name) for name, values in named.items() if getattr(values, "ndim", 0) > 2 and "int" in str(values.dtype)]
    if not whole:
        return ""
    return f" Whole numbers of several inputs are ids, and stay whole; pass pixels and other measurements as float32: {', '.join(whole)}."


TOKENS_AT_ONCE = 1 << 15
"""Tokens that a model is asked at once where no number of rows is given, such as 64 rows of 512: its hidden layers grow with them."""
FIRST_ROWS = 8
"""Rows that a model is asked first where it answers positions; how many answers they have says how many rows are asked together."""
MOST_BYTES = 1 << 26
"""Answers to positions that are asked for at once take about so many bytes; rows grow longer from batch to batch, by little."""


def answers_to(
    network: nn.Module,
    rows: StructuredRows | Tensor,
    *,
    positions: Positions | None = None,
    batch_size: int | None = None,
    output: Callable[[Any], Tensor],
) -> Answers:
    """The network's answers to every row, in eval mode and without gradients, on the CPU.

    Args:
        network: maps a batch to (batch, classes), or to an answer for each position.
        rows: several inputs, or one tensor on its device and in its dtype.
        positions: what an answer belongs to.
        batch_size: as for `by_batch`.
        output: extracts the answers from what the network returns.

    Raises:
        ShapeError: the network returns no answer for each row, or for each position.
    """

    def ask(part: Any) -> Floats:
        inputs = tensors_of(part, network) if isinstance(part, StructuredRows) else part
        return _plain(output(torch_runtime.called(network, inputs)))

    with torch_runtime.evaluating(network):
        return by_batch(rows, ask, positions=positions, batch_size=batch_size)


def by_batch(rows: Any, ask: Callable[[Any], NDArray[Any]], *, positions: Positions | None, batch_size: int | None) -> Answers:
    """What a model answers to all rows, asked batch by batch: rows of like length together, and the answers in the order of the rows.

    Args:
        rows: several inputs, or one array or tensor.
        ask: answers a batch of them, with the padding that it has.
        positions: what an answer belongs to.
        batch_size: rows per call; if None, up to 1,000, and of rows of tokens as many as have `TOKENS_AT_ONCE`.

    Raises:
        ShapeError: the answers are not one for each row, or for each position.
    """
    structured = isinstance(rows, StructuredRows)
    planned = _planned(rows, batch_size)
    padded = structured and not rows.even
    parts: list[Any] = []
    batches: list[NDArray[np.intp]] = []
    largest = max(map(len, planned), default=1)
    waiting, most = list(reversed(planned)), largest if positions is None else min(FIRST_ROWS, largest)
    while waiting:
        batch = waiting.pop()
        if len(batch) > most:
            waiting.append(batch[most:])
            batch = batch[:most]
        part = rows[batch] if structured else rows[int(batch[0]) : int(batch[-1]) + 1]
        found = ask(part)
        if positions is not None:
            most = int(np.clip(MOST_BYTES * len(batch) // max(found.nbytes, 1), 1, largest))
        counting = part.counting() if structured else None
        parts.append(found if positions is None else of_positions(found, positions, len(batch), counting, padded=padded))
        batches.append(batch)
    order = np.concatenate(batches)
    in_order = bool((order[:-1] < order[1:]).all())
    if positions is None:
        together = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=0 if parts[0].ndim < 2 else -2)
        return np.asarray(together if in_order else together[np.argsort(order, kind="stable")])
    joined = PositionAnswers.joined(parts)
    return joined if in_order else joined[np.argsort(order, kind="stable")]


def rows_at_once(rows: Any, batch_size: int | None) -> int:
    """How many rows of one array or tensor a model is asked at once; whole numbers on two axes are ids of tokens.

    Args:
        rows: (rows, ...).
        batch_size: the number that was given; None if none was.
    """
    tokens = rows.shape[1] if len(rows.shape) == 2 and "int" in str(rows.dtype) else 0
    return int(np.clip(TOKENS_AT_ONCE // max(tokens, 1), 1, torch_runtime.BATCH_ROWS)) if batch_size is None else batch_size


def _planned(rows: Any, batch_size: int | None) -> list[NDArray[np.intp]]:
    """The rows of each batch."""
    if not isinstance(rows, StructuredRows):
        size = rows_at_once(rows, batch_size)
        return [np.arange(start, min(start + size, len(rows))) for start in range(0, len(rows), size)]
    if batch_size is not None:
        return rows.batches(batch_size)
    planned = []
    for batch in rows.batches(torch_runtime.BATCH_ROWS):
        left = batch
        while len(left):  # shorter rows stand before longer ones
            size = max(1, int((np.arange(1, len(left) + 1) * rows.tokens[left] <= TOKENS_AT_ONCE).sum()))
            planned.append(left[:size])
            left = left[size:]
    return planned


def _plain(answers: Tensor) -> Floats:
    torch = require("torch")
    array: Floats = answers.detach().to("cpu", torch.float64 if answers.dtype == torch.float64 else torch.float32).numpy()
    return array


def of_positions(answers: NDArray[Any], positions: Positions, rows: int, counting: Ragged | None, *, padded: bool) -> PositionAnswers:
    """Answers for a batch as a network returns them, without those to padding.

    Args:
        answers: (batch, tokens, classes) or (batch, classes, height, width).
        positions: "tokens" or "pixels".
        rows: the number of rows of the batch.
        counting: which positions of each row count; None if all do.
        padded: whether rows of the data were padded to one length.

    Raises:
        ShapeError: answers of another shape, or another number of tokens than the attention mask has.
    """
    expected = "(batch, tokens, classes)" if positions == "tokens" else "(batch, classes, height, width)"
    if answers.ndim != (3 if positions == "tokens" else 4) or len(answers) != rows:
        raise ShapeError(f"the answers to a batch of {rows} rows have shape {answers.shape}; expected {expected}, one for each position.")
    if positions == "pixels":
        shapes = np.full((rows, 2), answers.shape[2:], np.int64)
        return PositionAnswers(answers.transpose(0, 2, 3, 1).reshape(-1, answers.shape[1]), shapes)
    valid = valid_positions(answers.shape[1], rows, counting, padded=padded)
    return PositionAnswers(answers[valid], valid.sum(axis=1, dtype=np.int64)[:, None])


def valid_positions(tokens: int, rows: int, counting: Ragged | None, *, padded: bool) -> NDArray[np.bool_]:
    """(rows, tokens) which of the answers of a batch count.

    Raises:
        ShapeError: the attention mask has another number of positions, and rows were padded.
    """
    if counting is None or tokens == 0:
        return np.ones((rows, tokens), dtype=bool)
    mask = counting.padded(0, max(int(counting.lengths.max(initial=0)), 1))
    if mask.shape[1] == tokens:
        return mask.astype(bool)
    if padded or not mask.all():
        raise ShapeError(
            f"the network answers {tokens} positions of rows of {mask.shape[1]} tokens, so that their attention mask does not say which "
            "of the answers count; leave the mask out and pass each row in its own length, as a list: rows of one length share a batch."
        )
    return np.ones((rows, tokens), dtype=bool)


def answers_in(returned: Any) -> Any:
    """The answers in what a network returns: the tensor itself, or the `logits` of a structure of outputs that has them."""
    if hasattr(returned, "detach"):
        return returned
    if isinstance(returned, Mapping) and "logits" in returned:
        return returned["logits"]
    return getattr(returned, "logits", returned)
