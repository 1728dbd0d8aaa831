"""Numbers, texts and names as C writes them."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tutelage.core.errors import BadInput, shown

Real = Literal["float", "double"]
LONGEST_TEXT = 4095
"""Bytes of a string literal that every C99 compiler takes."""


def identifier(stem: str) -> str:
    """A name in C from that of a file: its letters and digits, others as underscores."""
    name = re.sub(r"[^a-z0-9]+", "_", stem.lower()).strip("_")
    if not name:
        return "student"
    return f"student_{name}" if name[0].isdigit() else name


def real(value: float, kind: Real) -> str:
    """A number that reads back as exactly the same."""
    end = "f" if kind == "float" else ""
    with np.errstate(over="ignore"):
        number: np.floating[Any] = np.float32(value) if kind == "float" else np.float64(value)
    if np.isnan(number):
        return "NAN" if kind == "float" else "(double)NAN"
    if np.isinf(number):
        return ("-" if number < 0 else "") + ("HUGE_VALF" if kind == "float" else "HUGE_VAL")
    if number != 0 and abs(number) < np.finfo(number.dtype).tiny:  # compilers warn about decimal numbers as small as that
        return float(number).hex() + end
    return str(number) + end


def text(value: str, what: str) -> str:
    """A string literal, in UTF-8.

    Args:
        value: the text.
        what: for the error.

    Raises:
        BadInput: C has no string with a zero byte, nor one that long, and UTF-8 no half of a surrogate pair.
    """
    try:
        coded = value.encode()
    except UnicodeEncodeError:
        raise BadInput(f"{what} {shown(value)} is no valid Unicode text, and cannot be written in C.") from None
    if 0 in coded:
        raise BadInput(f"{what} {shown(value)} holds the character zero, which ends a text in C: it cannot be written.")
    if len(coded) > LONGEST_TEXT:
        raise BadInput(f"{what} {shown(value)} has {len(coded)} bytes; a text in C has at most {LONGEST_TEXT}.")
    return '"' + "".join(chr(byte) if 32 <= byte < 127 and chr(byte) not in '"\\?' else f"\\{byte:03o}" for byte in coded) + '"'


def comment(value: str) -> str:
    """A text inside a comment: one line of printable characters that does not end it."""
    plain = "".join(char if char.isprintable() else repr(char)[1:-1] for char in value)
    return re.sub(r"\?(?=\?)|/(?=\*)|\*(?=/)", r"\g<0> ", plain)


def integer_type(values: Iterable[int] | NDArray[Any]) -> str:
    """The smallest type of whole numbers that holds them all."""
    array = np.asarray(list(values) or [0])
    low, high = int(array.min()), int(array.max())
    for bits in (8, 16, 32):
        if low >= 0 and high < 2**bits:
            return f"uint{bits}_t"
        if -(2 ** (bits - 1)) <= low and high < 2 ** (bits - 1):
            return f"int{bits}_t"
    raise BadInput("this student has more than 4 000 000 000 numbers, and cannot be written in C.")


def table(kind: str, name: str, items: Sequence[str]) -> str:
    """A constant array; never an empty one, which C does not have."""
    lines = textwrap.fill(", ".join(items) or "0", 118, initial_indent="    ", subsequent_indent="    ", break_long_words=False)
    return f"static const {kind} {name}[{max(1, len(items))}] = {{\n{lines}\n}};\n"
