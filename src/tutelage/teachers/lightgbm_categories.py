"""Which columns of a LightGBM model the lists of categories in its file belong to: the file stores their order, not their columns."""

from __future__ import annotations

from collections.abc import Collection, Sequence

_NEVER = float("-inf")


def columns_of_lists(
    infos: Sequence[str], unread: Sequence[bool], sizes: Sequence[int], declared: Collection[int] | None
) -> list[int] | None:
    """Position of the column of each list of categories.

    LightGBM writes the lists in the order of their columns. A list of n categories can belong to a column whose stored values are
    codes below n, or to a column that the model never reads. Each column that was declared as categories has a list, unless more
    were declared than there are lists: then some are integers that the user declared. (By default LightGBM declares the columns of
    unordered categories.) If that leaves one answer, or several that differ in columns that are never read, it is the answer.

    Args:
        infos: (columns,) "none", "[low:high]" or "code:code:...", as LightGBM stores the values of each column.
        unread: (columns,) whether the model never reads the column.
        sizes: (lists,) number of categories in each list.
        declared: positions of the columns that were declared as categories; None if the model does not store them.

    Returns:
        (lists,) positions, ascending; None if there is no answer, or more than one.

    Example:
        >>> columns_of_lists(["[0:2]", "-1:0:1:2", "none"], [False, False, True], [3], declared=[1])
        [1]
        >>> columns_of_lists(["[0:2]", "[0:2]"], [False, False], [3], declared=[]) is None  # ordered categories are not declared
        True
    """
    fits = [[idle or _holds_codes_below(info, size) for info, idle in zip(infos, unread, strict=True)] for size in sizes]
    required = declared if declared is not None and len(declared) <= len(sizes) else ()
    gain = [float(column in required) for column in range(len(infos))]
    # most[place][column]: the most required columns that can have a list, over the lists and columns from here on
    most = [[_NEVER] * (len(infos) + 1) for _ in sizes] + [[0.0] * (len(infos) + 1)]
    for place in reversed(range(len(sizes))):
        for column in reversed(range(len(infos))):
            here = gain[column] + most[place + 1][column + 1] if fits[place][column] else _NEVER
            most[place][column] = max(here, most[place][column + 1])
    if most[0][0] < len(required):
        return None
    first, last = (_chosen(most, fits, gain, earliest=earliest) for earliest in (True, False))
    for options, low, high in zip(fits, first, last, strict=True):
        if low != high and not all(unread[column] for column in range(low, high + 1) if options[column]):
            return None
    return first


def _chosen(most: list[list[float]], fits: list[list[bool]], gain: list[float], *, earliest: bool) -> list[int]:
    """The best columns of the lists: the leftmost ones, or the rightmost."""
    chosen: list[int] = []
    for column in range(len(gain)):
        place = len(chosen)
        if place == len(fits):
            break
        here = gain[column] + most[place + 1][column + 1] if fits[place][column] else _NEVER
        later = most[place][column + 1]
        if here > later or (earliest and here == later != _NEVER):
            chosen.append(column)
    return chosen


def _holds_codes_below(info: str, size: int) -> bool:
    """Whether the stored values of a column can be codes of `size` categories; -1 stands for a missing one."""
    if info == "none":
        return False
    values = [float(value) for value in info.strip("[]").split(":")]
    return all(value == int(value) and value < size for value in values) and min(values) >= (0 if info.startswith("[") else -1)
