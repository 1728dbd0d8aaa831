"""What a student may cost and lose: size, latency of a single row, and drop against its teacher."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from tutelage.core.arguments import number
from tutelage.core.quantities import BYTES, MICROSECONDS, quantity

FREE = 0.25
"""The share of the latency limit that a chosen student leaves free if any does: the same file takes longer at other moments."""


@dataclass(frozen=True)
class Limits:
    """Limits on a student, each measured on its exported file.

    Attributes:
        size: bytes of the file: a number, or a text such as "64kB" (kB, MB: powers of ten; KiB, MiB: powers of two).
        latency: microseconds that the file takes for one row, on one thread: a number, or a text such as "20us" or "1.5ms". The upper end
            of the measured interval has to meet it; students that leave a quarter of it free are preferred.
        drop: how much worse than the teacher: percentage points of accuracy; for values, per cent of the teacher's squared error.

    Raises:
        BadInput: a limit that is no positive quantity, or has another unit.

    Example:
        >>> import tutelage as tl
        >>> tl.Limits(size="64kB", latency="20us", drop=1.0)
        Limits(size=64000, latency=20.0, drop=1.0)
    """

    size: Any = None
    latency: Any = None
    drop: Any = None

    def __post_init__(self) -> None:
        size = quantity("size", self.size, BYTES, "a number of bytes, or a text such as '64kB'")
        latency = quantity("latency", self.latency, MICROSECONDS, "a number of microseconds, or a text such as '20us'")
        object.__setattr__(self, "size", None if size is None else int(size))
        object.__setattr__(self, "latency", latency)
        object.__setattr__(self, "drop", None if self.drop is None else number("drop", self.drop, least=0))

    def excess(self, *, size: float | None, latency: float | None, drop: float | None) -> dict[str, float]:
        """How far measured figures are beyond the limits that are set, as shares of each limit; 0 or less meets it.

        A figure that could not be measured does not meet its limit.
        """
        found = {"size": size, "latency": latency, "drop": drop}
        return {name: _beyond(found[name], limit) for name, limit in asdict(self).items() if limit is not None}


def distance(excess: Mapping[str, float]) -> tuple[float, bool]:
    """How far a student is from the limits: the largest excess, 0 if it meets all; then whether it leaves too little latency free."""
    return max([0.0, *excess.values()]), excess.get("latency", -1.0) > -FREE


def _beyond(figure: float | None, limit: float) -> float:
    if figure is None:
        return 1e9
    return figure / limit - 1 if limit else (0.0 if figure <= 0 else 1.0 + figure)
