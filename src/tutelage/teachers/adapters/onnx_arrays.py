"""ONNX graphs of several arrays, or whose answers have positions: asked batch by batch, rows of like length together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tutelage.core.answer_values.class_names import list_classes
from tutelage.core.answers import AnswerForm
from tutelage.core.errors import BadInput
from tutelage.core.position_answers import Answers, checked
from tutelage.data.structures.network_answers import by_batch, padded_with
from tutelage.data.structures.ragged import Ragged
from tutelage.data.structures.structured import StructuredRows, is_structure
from tutelage.teachers.adapters.onnx_inputs import typed
from tutelage.teachers.adapters.onnx_metadata import PRODUCER, pad_token_in
from tutelage.teachers.inputs import errors_as_bad_input, row_count

BATCH_ROWS = 64
"""Rows of one array a run, of which no name says how many tokens or pixels they have."""


def takes_arrays(session: Any) -> bool:
    """Whether a graph has several inputs that are no columns: each has more than one number a row."""
    inputs = session.get_inputs()
    return len(inputs) > 1 and any(len(one.shape) > 2 or (len(one.shape) == 2 and one.shape[1] != 1) for one in inputs)


def answers_of_arrays(session: Any, form: AnswerForm, outputs: Sequence[str], inputs: Any) -> tuple[Answers, NDArray[np.bool_] | None]:
    """The answers of a graph to rows of several inputs, or to rows whose answers have positions, and (rows,) which rows it defers.

    Args:
        session: the onnxruntime InferenceSession.
        form: of the answers.
        outputs: the name of the output that holds them, and of a file with a threshold that of the rows that it leaves to the teacher.
        inputs: a mapping by the names of the graph's inputs, a tuple in their order, or the only array.

    Returns:
        The second is None for a file without a threshold.

    Raises:
        BadInput: other inputs than those of the graph, or rows that it cannot process. ShapeError: answers of another form.
    """
    graph_inputs = session.get_inputs()
    rows = _rows(graph_inputs, inputs, _pad_token_of(session))
    count = row_count(rows)
    fixed = graph_inputs[0].shape[0] if graph_inputs[0].shape else None
    size = fixed if isinstance(fixed, int) and fixed > 0 else None

    def ask(part: Any) -> NDArray[Any]:
        feeds = {one.name: typed(_filled(values, size), one) for one, values in zip(graph_inputs, _values(graph_inputs, part), strict=True)}
        answers, *deferred = session.run(list(outputs), feeds)
        if deferred:
            return np.column_stack([answers, *deferred])[: len(part)]
        found = np.asarray(answers)[: len(part)]
        counting = part.counting() if isinstance(part, StructuredRows) else None
        longest = 0 if counting is None else int(counting.lengths.max(initial=0))
        fixed = {values.shape[1] for values in feeds.values() if values.ndim > 1}  # padded as far as the graph's own lengths
        return found[:, :longest] if form.positions == "tokens" and longest and fixed == {found.shape[1]} else found

    with errors_as_bad_input("the ONNX file"):
        measured = isinstance(rows, StructuredRows) and all(isinstance(field, Ragged) or field.ndim < 3 for field in rows.fields.values())
        answers = by_batch(rows, ask, positions=form.positions, batch_size=size or (None if measured else BATCH_ROWS))
    what, deferred = "the ONNX file's answers", None
    if len(outputs) > 1:
        together = np.asarray(answers)
        answers, deferred = together[:, :-1], together[:, -1] != 0
    return (form.take(answers, count, what) if form.positions is None else checked(form, answers, count, what)), deferred


def _rows(graph_inputs: Any, inputs: Any, pad_token: int | None) -> Any:
    names = tuple(one.name for one in graph_inputs)
    if not is_structure(inputs):
        if len(names) > 1:
            raise BadInput(f"the ONNX file takes the arrays {list_classes(names)}; pass them by name: {{{names[0]!r}: ..., ...}}.")
        return np.asarray(inputs.detach().cpu() if hasattr(inputs, "detach") else inputs)
    rows = padded_with(StructuredRows.of(inputs), pad_token)
    given = tuple(rows.fields)
    if (rows.named and set(given) != set(names)) or len(given) != len(names):
        found = list_classes(given) if rows.named else f"{len(given)} arrays"
        raise BadInput(f"the ONNX file takes the inputs {list_classes(names)}, and the rows have {found}; pass exactly those.")
    return rows


def _pad_token_of(session: Any) -> int | None:
    """The token with which a file of tutelage has ids padded."""
    about = session.get_modelmeta()
    return pad_token_in(about.custom_metadata_map) if about.producer_name == PRODUCER else None


def _values(graph_inputs: Any, part: Any) -> list[NDArray[Any]]:
    """The arrays of a batch in the order of the graph's inputs, padded as far as the graph's own lengths, if they are fixed."""
    if not isinstance(part, StructuredRows):
        return [part]
    found = []
    for place, one in enumerate(graph_inputs):
        name = one.name if part.named else str(place)
        length = one.shape[1] if len(one.shape) > 1 and isinstance(one.shape[1], int) else None
        field = part.fields[name]
        if isinstance(field, Ragged) and length is not None and int(field.lengths.max(initial=0)) > length:
            longest = int(field.lengths.max())
            raise BadInput(f"the ONNX file takes {length} positions for {one.name!r}, and a row has {longest}; cut it.")
        if isinstance(field, Ragged) and length is not None and name in part.unmasked and int(field.lengths.min()) < length:
            raise BadInput(
                f"the ONNX file takes {length} positions for {one.name!r}, and a row has {int(field.lengths.min())}; rows are padded only "
                "with an attention_mask, which tells padding."
            )
        found.append(part.padded_field(name, length))
    return found


def _filled(values: NDArray[Any], size: int | None) -> NDArray[Any]:
    """The rows of a batch, the last again as often as a graph of a fixed batch size needs."""
    lacking = 0 if size is None else size - len(values)
    return np.concatenate([values, np.repeat(values[-1:], lacking, axis=0)]) if lacking > 0 else values
