"""Sizes and times as they are typed: a number and its unit; and shares as they are shown."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from tutelage.core.arguments import number
from tutelage.core.errors import BadInput, shown

BYTES = {"": 1, "b": 1, "kb": 1e3, "mb": 1e6, "gb": 1e9, "kib": 2**10, "mib": 2**20, "gib": 2**30}
MICROSECONDS = {"us": 1.0, "µs": 1.0, "μs": 1.0, "ms": 1e3, "s": 1e6}
CLOSE_TO_ALL = 0.985
"""From this share on per cents have two decimals, so that what lies just below 99 % is not shown as 99 %."""
MOST_DIGITS = 12
"""Of a share in per cent: more are noise of arithmetic."""
_QUANTITY = re.compile(r"\s*(\d+(?:\.\d*)?(?:e[+-]?\d+)?|\.\d+)\s*([^\W\d]*)\s*", re.IGNORECASE)


def quantity(name: str, value: Any, units: Mapping[str, float], expected: str) -> float | None:
    """A number above 0, or a text of a number and a unit, in the unit that counts as 1; None stays None.

    Args:
        name: what it is, for the message.
        value: such as 64_000, or "64kB".
        units: what each unit counts, in lower case.
        expected: for the message.

    Raises:
        BadInput: no positive quantity, or another unit.

    Example:
        >>> quantity("size", "64kB", BYTES, "a number of bytes"), quantity("latency", "1.5ms", MICROSECONDS, "microseconds")
        (64000.0, 1500.0)
    """
    if value is None:
        return None
    if not isinstance(value, str):
        return number(name, value, above=0, hint=f"({expected})")
    found = _QUANTITY.fullmatch(value)
    unit = found[2].lower() if found else ""
    if found is None or unit not in units or float(found[1]) <= 0:
        raise BadInput(f"{name} is {shown(value)}; expected {expected}.")
    return float(found[1]) * units[unit]


def percent(share: float) -> str:
    """A share in per cent, with more digits where it is close to all; none below all is shown as 100 %, and none above 0 as 0 %.

    Example:
        >>> percent(0.5), percent(0.99), percent(0.9995), percent(0.99996), percent(0.0004)
        ('50 %', '99 %', '99.95 %', '99.996 %', '0.04 %')
    """
    digits = digits_of(share)
    text = f"{100 * share:.{digits}f}"
    return f"{text.rstrip('0').rstrip('.')} %"


def digits_of(share: float) -> int:
    """Decimals of a share in per cent: one, two where it is close to all, and more where it would be taken for all or nothing."""
    digits = 1 if share < CLOSE_TO_ALL else 2
    while 0 < share < 1 and digits < MOST_DIGITS and f"{100 * share:.{digits}f}" in (f"{0:.{digits}f}", f"{100:.{digits}f}"):
        digits += 1
    return digits
