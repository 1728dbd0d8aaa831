"""The items of a torch Dataset, and the batches of a DataLoader: inputs, or pairs of inputs and ground truth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tutelage.core.arrays import tensor_array
from tutelage.core.errors import BadInput
from tutelage.data.structures.structured import TRUTH, StructuredRows

REMEDY = "Return inputs, or a pair of inputs and ground truth; several inputs are a dict of them, or a tuple inside the pair."


def inputs_and_truth(item: Any, *, axes: int = 0, by_position: bool = False) -> tuple[Any, Any]:
    """The inputs, and the ground truth if there is one, else None.

    A second input, such as an attention mask, is never taken for the ground truth and never left out.

    Args:
        item: inputs, (inputs,), or (inputs, ground truth); several inputs as a mapping, which may hold the ground truth as `labels` or
            `label`, or as a tuple inside the pair.
        axes: the number of axes of a ground truth of one number per row: 0 for an item, 1 for a batch.
        by_position: whether each token or pixel has an answer, so that the second part of a pair is the truth of each of them.

    Raises:
        BadInput: an item of another form, one whose second part cannot be a ground truth, or a list of several inputs.

    Example:
        >>> inputs_and_truth(([0.1, 0.2], 1))
        ([0.1, 0.2], 1)
    """
    what = "a batch of the dataset" if axes else "an item of the dataset"
    if isinstance(item, list | tuple) and item:
        _refuse_list(item[0], what)
    if isinstance(item, list | tuple) and len(item) == 2:
        named = isinstance(item[0], Mapping | StructuredRows)  # names tell the inputs from the ground truth
        if named or (not hasattr(item[1], "keys") and getattr(item[1], "ndim", 0) <= axes):
            return item[0], item[1]  # most items; each row passes here
    if isinstance(item, Mapping):
        truth = next((item[name] for name in TRUTH if name in item), None)
        return {name: value for name, value in item.items() if name not in TRUTH}, truth
    if not isinstance(item, list | tuple):  # StructuredRows too
        return item, None
    if len(item) == 1:
        return item[0], None
    if len(item) != 2:
        raise BadInput(
            f"{what} is a {type(item).__name__} of {len(item)} values; expected inputs, or inputs and ground truth. {REMEDY} "
            "The weights of rows are passed as sample_weight=."
        )
    inputs, truth = item
    shape, of_inputs = (tuple(getattr(each, "shape", ())) for each in (truth, inputs))
    if by_position and not isinstance(truth, Mapping) and not (shape == of_inputs and _is_mask(inputs, truth, axes)):
        return inputs, truth
    ids = len(of_inputs) == axes + 1 and not _is_float(inputs)
    if isinstance(truth, Mapping) or len(shape) > axes + 1 or (len(shape) == axes + 1 and shape == of_inputs and ids):
        seen = f"a {type(truth).__name__}" if isinstance(truth, Mapping) else f"of shape {shape}"
        raise BadInput(
            f"{what} is a pair whose second part is {seen}, beside inputs of shape {of_inputs}: that is a second input, such as a mask, "
            f"or a truth for every position; expected a ground truth of one number or one vector per row. {REMEDY}"
        )
    return inputs, truth


def _refuse_list(inputs: Any, what: str) -> None:
    """Refuse a list of arrays, which may be several inputs or several rows.

    Raises:
        BadInput: as said.
    """
    first: Any = inputs[0] if type(inputs) is list and inputs else None
    if hasattr(first, "dtype") and first.ndim:
        raise BadInput(
            f"the inputs of {what} are a list of {len(inputs)} arrays, which may be several inputs or parts of one; expected one array, or "
            f"a tuple or a dict of several. {REMEDY}"
        )


def _is_mask(inputs: Any, second: Any, axes: int) -> bool:
    """Whether numbers beside ids are an attention mask: ones, then at least two zeros, where the ids are one number, that of padding."""
    ids, mask = (np.atleast_1d(tensor_array(each) if hasattr(each, "detach") else np.asarray(each)) for each in (inputs, second))
    if mask.ndim != axes + 1 or _is_float(inputs) or not np.isin(mask, (0, 1)).all():
        return False
    rows = list(zip(ids.reshape(-1, ids.shape[-1]), mask.reshape(-1, mask.shape[-1]) != 0, strict=True))
    if not all((counts[:-1] >= counts[1:]).all() and counts.any() for _, counts in rows):
        return False
    padding = [row[~counts] for row, counts in rows]
    return any(len(left_out) > 1 for left_out in padding) and len(np.unique(np.concatenate(padding))) == 1


def _is_float(values: Any) -> bool:
    return "float" in str(getattr(values, "dtype", "float"))
