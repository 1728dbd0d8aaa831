"""Find the torch networks that an object holds."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn


DEPTH = 4
"""Depth of the search, in nested objects: an ensemble holds adapters, which hold callables, which hold networks."""


def networks_in(thing: Any) -> list[nn.Module]:
    """Every torch network that an object holds in its attributes, lists, closures or bound methods.

    An attribute named `teacher` is skipped: its network does not belong to the object that refers to it.
    """
    torch = sys.modules.get("torch")  # no Module can exist before torch is imported
    found: list[nn.Module] = []
    level, seen = [thing] if torch is not None else [], set()
    for _ in range(DEPTH):
        below: list[Any] = []
        for held in level:
            if id(held) in seen:
                continue
            seen.add(id(held))
            if torch is not None and isinstance(held, torch.nn.Module):
                found.append(held)
            else:
                below.extend(_held_by(held))
        level = below
    return found


def _held_by(thing: Any) -> Iterator[Any]:
    if isinstance(thing, list | tuple):
        yield from thing
    elif isinstance(thing, dict):
        yield from thing.values()
    elif callable(getattr(thing, "__func__", None)):
        yield thing.__self__
    elif not isinstance(thing, type):
        yield from (cell.cell_contents for cell in getattr(thing, "__closure__", None) or ())
        yield from (value for name, value in getattr(thing, "__dict__", {}).items() if name != "teacher")
