"""The ground truth of a causal language model: the next token of every position."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tutelage.core.errors import BadInput
from tutelage.data.structures.ragged import Ragged
from tutelage.data.structures.structured import DECODER, StructuredRows
from tutelage.data.truth.position_truth import IGNORED


def next_tokens(X: Any, *, ids: str = "input_ids", classes: Sequence[Any] | None = None) -> list[NDArray[Any]]:
    """The token that follows each position, as the ground truth of a causal model; the last position of a row has none and is ignored.

    A causal model answers at position t what it expects at t + 1. Teacher and student are shifted alike, so that their answers need no
    shift; the ground truth does, and nothing else in the library shifts it.

    Args:
        X: several inputs (see `StructuredRows`).
        ids: the name of the input that holds the tokens.
        classes: the class name of each token, if the classes of the teacher are no numbers.

    Returns:
        (tokens,) for each row: pass it as `y`. Positions whose next one the attention mask leaves out are -100.

    Raises:
        BadInput: there is no such input, or it is the encoder's of an encoder and a decoder, whose tokens are not those that are answered.

    Example:
        >>> import tutelage as tl
        >>> rows = {"input_ids": [[5, 7, 9, 0], [4, 2, 0, 0]], "attention_mask": [[1, 1, 1, 0], [1, 1, 0, 0]]}
        >>> [row.tolist() for row in tl.training.next_tokens(rows)]
        [[7, 9, -100], [2, -100]]
    """
    rows = StructuredRows.of(X)
    if ids not in rows.fields:
        raise BadInput(f"the rows have no input {ids!r}; they have {', '.join(rows.fields)}. Name the input that holds the tokens.")
    if not ids.startswith(DECODER) and any(name.startswith(DECODER) for name in rows.fields):
        raise BadInput(f"the rows have inputs of a decoder, which answers its own tokens, and ids is {ids!r}; name the decoder's.")
    tokens, counting = _ragged(rows.fields[ids]), rows.counting()
    found = []
    for row in range(len(rows)):
        after: NDArray[Any] = np.append(tokens[[row]].values[1:], IGNORED)
        if counting is not None:
            after[~np.append(counting[[row]].values[1:], False)] = IGNORED
        found.append(after if classes is None else _named(after, classes))
    return found


def _ragged(field: Any) -> Ragged:
    return field if isinstance(field, Ragged) else Ragged(field.reshape(-1), np.full(len(field), field.shape[1], np.int64))


def _named(tokens: NDArray[Any], classes: Sequence[Any]) -> NDArray[Any]:
    names = np.empty(len(tokens), dtype=object)
    names[:] = [IGNORED if token == IGNORED else classes[token] for token in tokens.tolist()]
    return names
