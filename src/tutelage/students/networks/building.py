"""Functions that build torch networks: their arguments, and what a file can hold of them."""

from __future__ import annotations

import inspect
import sys
from typing import Any

import numpy as np

NOT_GIVEN = inspect.Parameter.empty
"""The value of an argument of the building function that has no default and was not given."""
FILLED_IN = ("inputs", "outputs")
"""Arguments of the building function that `fit` passes."""


def arguments_of(module: Any, *, filled_in: bool = False) -> dict[str, Any]:
    """The arguments of a building function by name, with their defaults."""
    if not _is_function(module):
        return {}
    found = {one.name: one.default for one in _signature(module) if one.kind not in (one.VAR_KEYWORD, one.VAR_POSITIONAL)}
    return {name: value for name, value in found.items() if filled_in or name not in FILLED_IN}


def takes_any(module: Any) -> bool:
    """Whether a building function takes arguments of any name."""
    return _is_function(module) and any(one.kind is one.VAR_KEYWORD for one in _signature(module))


def _signature(function: Any) -> list[inspect.Parameter]:
    try:
        return list(inspect.signature(function).parameters.values())
    except (ValueError, TypeError):  # some builtins have none
        return []


def _is_function(module: Any) -> bool:
    """Whether this builds networks; a network can be called too."""
    return (callable(module) and not hasattr(module, "state_dict")) or isinstance(module, type)


def is_module(value: Any) -> bool:
    """Whether this is a torch network, or a function or a class that builds one, rather than an estimator."""
    torch = sys.modules.get("torch")  # nothing of torch can exist before it is imported
    if torch is not None and (issubclass(value, torch.nn.Module) if isinstance(value, type) else isinstance(value, torch.nn.Module)):
        return True
    return callable(value) and not isinstance(value, type) and not hasattr(value, "fit")


def name_of(function: Any) -> str:
    """The name of a building function."""
    return str(getattr(getattr(function, "func", function), "__qualname__", type(function).__name__))


def plain_or_not_given(value: Any) -> Any:
    """A value as a file holds it, without code: NumPy's numbers as Python's; `NOT_GIVEN` for what it cannot hold."""
    value = value.item() if isinstance(value, np.generic) else value
    if type(value) in (list, tuple):
        items = [plain_or_not_given(item) for item in value]
        return NOT_GIVEN if any(item is NOT_GIVEN for item in items) else type(value)(items)
    return value if value is None or type(value) in (bool, int, float, str) else NOT_GIVEN
