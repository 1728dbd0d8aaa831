"""Checks of the settings of a call, at the door: whole numbers, numbers in a range, names from a list, switches and paths.

Each returns the value as the type that the code behind it expects, or says what was seen, what was expected and what to do.
"""

from __future__ import annotations

import errno
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral, Real
from pathlib import Path
from typing import Any, TypeVar

from tutelage.core.errors import BadInput, did_you_mean, shown
from tutelage.core.file_systems.paths import AnyPath, RemotePath, any_path, check_local, is_uri

Given = TypeVar("Given")


def whole(name: str, value: Any, least: int = 0, most: int | None = None) -> int:
    """A setting as an integer.

    Args:
        name: the name of the argument.
        value: what was given; True and False are no numbers, and 2.0 is no whole number.
        least: the smallest valid value.
        most: the largest valid value; None sets no limit.

    Raises:
        BadInput: another kind of value, or one outside the range.

    Example:
        >>> whole("bins", 15, least=1)
        15
    """
    given = _item(value)
    is_whole = isinstance(given, Integral) and not isinstance(given, bool)
    if not is_whole or int(given) < least or (most is not None and int(given) > most):
        limits = f"{least} or more" if most is None else f"from {least:,} to {most:,}"
        raise BadInput(f"{name} is {shown(value)}; expected a whole number, {limits}.")
    return int(given)


def seed_of(name: str, value: Any) -> int:
    """A seed as an integer, 0 or more.

    Raises:
        BadInput: no whole number, a negative one, or one of more than 63 bits.
    """
    seed = whole(name, value)
    if seed >= 2**63:
        raise BadInput(f"{name} is {seed}; expected a whole number below 2 ** 63.")
    return seed


def number(
    name: str,
    value: Any,
    *,
    least: float | None = None,
    most: float | None = None,
    above: float | None = None,
    below: float | None = None,
    hint: str = "",
) -> float:
    """A setting as a finite float.

    Args:
        name: the name of the argument.
        value: what was given; True and False, texts and complex numbers are refused.
        least: the smallest valid value.
        most: the largest valid value.
        above: the lower bound, itself excluded.
        below: the upper bound, itself excluded.
        hint: what to say after the range, such as "(0.5 is usual)".

    Raises:
        BadInput: no number, NaN or infinite, or outside the range.

    Example:
        >>> number("soft_weight", 1, least=0, most=1)
        1.0
    """
    given = _item(value)
    valid = type(given) is not bool and isinstance(given, Real) and _is_finite(given)
    if valid:
        limits = ((least, float.__ge__), (most, float.__le__), (above, float.__gt__), (below, float.__lt__))
        valid = all(limit is None or compare(float(given), float(limit)) for limit, compare in limits)
    if not valid:
        raise BadInput(f"{name} is {shown(value)}; expected {_range(least, most, above, below)}{' ' if hint else ''}{hint}.")
    return float(given)


def choice(name: str, value: Any, expected: Sequence[Any]) -> Any:
    """One of a few names.

    Raises:
        BadInput: another value; the message suggests the closest.

    Example:
        >>> choice("binning", "equal-mass", ("equal-width", "equal-mass"))
        'equal-mass'
    """
    if isinstance(value, str) and value in expected:
        return value
    near = did_you_mean(value, expected) if isinstance(value, str) else ""
    raise BadInput(f"{name} is {shown(value)}; expected {_one_of([repr(each) for each in expected])}.{near}")


def flag(name: str, value: Any) -> bool:
    """True or False.

    Raises:
        BadInput: anything else, such as "no" or 1.
    """
    given = _item(value)
    if not isinstance(given, bool):
        raise BadInput(f"{name} is {shown(value)}; expected True or False.")
    return given


def text(name: str, value: Any) -> str:
    """A text.

    Raises:
        BadInput: another kind of value.
    """
    if not isinstance(value, str):
        raise BadInput(f"{name} is {shown(value)}; expected a text.")
    return value


def texts(name: str, value: Any, least: int = 0) -> tuple[str, ...]:
    """One text or several, such as the names of columns.

    Args:
        name: the name of the argument.
        value: a text, or any iterable of texts; a generator is read once.
        least: the smallest valid number of texts.

    Raises:
        BadInput: neither a text nor a list of texts, or too few of them.

    Example:
        >>> texts("drop", (name for name in ("a", "b")))
        ('a', 'b')
    """
    given = _item(value)
    if isinstance(given, str):
        return (given,)
    found = None if isinstance(given, Mapping | bytes) or not isinstance(given, Iterable) else tuple(given)
    if found is None or not all(isinstance(each, str) for each in found):
        raise BadInput(f"{name} is {shown(value)}; expected a text, or a list of them.")
    if len(found) < least:
        raise BadInput(f"{name} lists {len(found)} texts; expected at least {least}.")
    return found


def whole_numbers(name: str, value: Any, expected: str, *, least: int = 0, most: int | None = None) -> list[int]:
    """A list of whole numbers in a certain order, such as the sizes of layers.

    Args:
        name: the name of the argument.
        value: any iterable of whole numbers in an order of its own; a generator is read once.
        expected: what to pass, for the message.
        least: the smallest valid number.
        most: the largest valid number; None sets no limit.

    Raises:
        BadInput: no such list, or one with another kind of value, or with one outside the range.

    Example:
        >>> whole_numbers("sizes", range(3, 5), "the units of each layer")
        [3, 4]
    """
    given = _item(value)
    if not isinstance(given, Iterable) or isinstance(given, str | bytes | Mapping | set | frozenset):
        raise BadInput(f"{name} is {shown(value)}; expected {expected}.")
    return [whole(f"a size in {name}", each, least, most) for each in given]


def mapping(name: str, value: Any) -> Mapping[Any, Any]:
    """A mapping, such as from old names to new ones; None is an empty one.

    Raises:
        BadInput: another kind of value.
    """
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise BadInput(f"{name} is {shown(value)}; expected a dict.")
    return value


def function(name: str, value: Any, of: str) -> Any:
    """A function.

    Args:
        name: the name of the argument.
        value: what was given.
        of: what the function does, for the message.

    Raises:
        BadInput: what cannot be called.
    """
    if not callable(value):
        raise BadInput(f"{name} is {shown(value)}; expected a function {of}.")
    return value


def one_of_type(name: str, value: Any, kind: type[Given], expected: str) -> Given:
    """A value of one type.

    Args:
        name: the name of the argument.
        value: what was given.
        kind: the type.
        expected: what to pass, for the message.

    Raises:
        BadInput: a value of another type.
    """
    if not isinstance(value, kind):
        raise BadInput(f"{name} is {shown(value)}; expected {expected}.")
    return value


def path(name: str, value: Any) -> Path:
    """The path of a file or folder.

    Raises:
        BadInput: neither a text nor a path, or one that no file system can hold.

    Example:
        >>> path("into", "labels").name
        'labels'
    """
    if isinstance(value, RemotePath):
        check_local(name, value)
    given = os.fspath(value) if isinstance(value, os.PathLike) else value
    if not isinstance(given, str):
        raise BadInput(f"{name} is {shown(value)}; expected a path, as a text or a Path.")
    if not given or "\0" in given:
        raise BadInput(f"{name} is {shown(given)}; expected a path: it is empty or holds a NUL character.")
    check_local(name, given)
    try:
        given.encode()  # the libraries that write files take no other names
        Path(given).stat()
    except UnicodeEncodeError as error:
        raise BadInput(f"{name} is {shown(given)}; expected a name that is UTF-8 ({error.reason}).") from error
    except OSError as error:
        if error.errno in (errno.ENAMETOOLONG, errno.ELOOP):
            raise BadInput(f"{name} is {shown(given)}; no file can have this name ({error.strerror}).") from error
    return Path(given)


def place(name: str, value: Any) -> AnyPath:
    """The path of a file or folder, on this machine or on another file system by its URI.

    Raises:
        BadInput: as `path`; a URI of no file system that can be opened, or one with credentials.

    Example:
        >>> str(place("into", "s3://lake/labels/"))
        's3://lake/labels'
    """
    if isinstance(value, RemotePath) or is_uri(value):
        return any_path(value)
    return path(name, value)


def _item(value: Any) -> Any:
    """The Python value of a NumPy scalar, of an array without axes or of a tensor without axes."""
    return value.item() if type(value).__module__ in ("numpy", "torch") and getattr(value, "shape", None) == () else value


def _is_finite(given: Real) -> bool:
    try:
        return math.isfinite(float(given))
    except OverflowError:
        return False


def _range(least: float | None, most: float | None, above: float | None, below: float | None) -> str:
    low = f"above {above:g}" if above is not None else f"of {least:g} or more" if least is not None else ""
    if least is not None and most is not None:
        return f"a number from {least:g} to {most:g}"
    high = f"below {below:g}" if below is not None else f"of {most:g} or less" if most is not None else ""
    limits = " and ".join(part for part in (low, high) if part)
    return f"a finite number {limits}" if limits else "a finite number"


def _one_of(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"
