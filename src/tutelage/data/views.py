"""Seeded augmentation: view k of row i is always the same picture, whoever asks, in whatever batch.

The numbers that an augmentation needs are no draws from a generator but a hash of (seed, view, row), so that they
depend on nothing that was asked before. A teacher asked about a view and a student shown it see the same pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from tutelage.core.arrays import Floats
from tutelage.core.errors import BadInput, ShapeError, require
from tutelage.data.fingerprint import fingerprint
from tutelage.data.row_names import mixed
from tutelage.data.rows import Rows

MADE = 2
"""Raised when the same augmentation gives other bits, so that answers to the views of before are not taken for these."""


@runtime_checkable
class Augmentation(Protocol):
    """Changes rows by numbers that it is given, and by nothing else: equal rows and numbers give equal views."""

    @property
    def numbers(self) -> int:
        """How many numbers in [0, 1) a row it takes."""
        ...

    def __call__(self, rows: Floats, numbers: Floats) -> Floats:
        """(rows, ...) and (rows, numbers) -> (rows, ...), each row on its own."""
        ...


@dataclass(frozen=True)
class Affine:
    """Turns, zooms, shears, shifts and mirrors pictures, each by its own amount within these bounds; what comes in is 0.

    Args:
        degrees: of rotation at most, either way.
        zoom: larger or smaller by at most this share.
        shear: at most, as the tangent of its angle.
        shift: in pixels at most, along each side.
        shape: (height, width) of pictures that come as flat rows; for (rows, [channels,] height, width) leave it out.
        mirrored: whether every other one, by chance, has its left and right changed about.
    """

    degrees: float = 0.0
    zoom: float = 0.0
    shear: float = 0.0
    shift: float = 0.0
    shape: tuple[int, int] | None = None
    mirrored: bool = False

    def __post_init__(self) -> None:
        bounds = (self.degrees, self.zoom, self.shear, self.shift)
        if not all(np.isfinite(bound) and bound >= 0 for bound in bounds) or self.zoom >= 1:
            raise BadInput(f"the bounds of {self} are not all 0 or more, with a zoom below 1.")

    @property
    def numbers(self) -> int:
        """One for the angle, two for the zoom, one for the shear, two for the shift, and one for the mirror."""
        return 7 if self.mirrored else 6

    def __call__(self, rows: Floats, numbers: Floats) -> Floats:
        """(rows, ...) pictures of float32 -> the same shape, resampled bilinearly.

        Raises:
            ShapeError: rows that are no pictures, or not of the shape told.
        """
        torch = require("torch")
        pictures = torch.from_numpy(np.ascontiguousarray(_pictures(rows, self.shape), dtype=np.float32))
        height, width = pictures.shape[-2:]
        inverse = self._inverse(numbers, height, width)
        along, down = inverse[..., :1] * _places(width) + inverse[..., 2:], inverse[..., 1:2] * _places(height)
        grid = torch.from_numpy(down[..., None] + along[..., None, :])  # (rows, 2, height, width); affine_grid takes thrice the sampling
        seen = torch.nn.functional.grid_sample(
            pictures, grid.permute(0, 2, 3, 1), mode="bilinear", padding_mode="zeros", align_corners=False
        )
        return np.asarray(seen.numpy()).reshape(rows.shape)

    def _inverse(self, numbers: Floats, height: int, width: int) -> NDArray[np.float32]:
        """(rows, 2, 3) where each pixel of the view comes from, in torch's coordinates of -1 to 1."""
        turn, zoom_x, zoom_y, shear, shift_x, shift_y, *mirror = (2 * numbers - 1).T
        angle = np.deg2rad(self.degrees) * turn
        cos, sin = np.cos(angle), np.sin(angle)
        x, y, slant = 1 + self.zoom * zoom_x, 1 + self.zoom * zoom_y, self.shear * shear
        columns = [cos / x, (cos * slant - sin) / x, 2 * self.shift * shift_x / width]
        columns += [sin / y, (sin * slant + cos) / y, 2 * self.shift * shift_y / height]
        inverse = np.stack(columns, axis=1).reshape(-1, 2, 3).astype(np.float32)
        for chance in mirror:
            inverse[chance < 0, 0] *= -1
        return inverse


@dataclass(frozen=True, eq=False)
class Views:
    """Rows seen in several ways: view after view of every row, as rows that can be recorded and learnt from.

    Row `view * rows + i` is view `view` of row i. Give the same Views to `record` and to `TorchStudent.fit`: the
    teacher is asked once about each view, and every student, epoch and sweep reuses what it said.

    Args:
        data: (rows, ...) array or tensor of pictures, in float; whole numbers are refused, for they would be cut.
        augment: such as `Affine(degrees=10, shift=2)`.
        count: how many views a row.
        seed: of all views; another seed gives others.
        plain_first: let view 0 be the row as it is.
    """

    data: Any
    augment: Augmentation
    count: int = 8
    seed: int = 0
    plain_first: bool = False

    def __post_init__(self) -> None:
        array = np.asarray(self.data)
        if array.ndim < 2 or not np.issubdtype(array.dtype, np.floating):
            raise BadInput(
                f"views are of (rows, ...) floats; got {array.dtype} of shape {array.shape}. Scale whole numbers to floats first."
            )
        if self.count < 1:
            raise BadInput(f"{self.count} views; expected 1 or more.")
        object.__setattr__(self, "data", array)

    @property
    def rows(self) -> int:
        """How many rows there are views of."""
        return len(self.data)

    def __len__(self) -> int:
        return self.rows * self.count

    def view(self, number: int, rows: NDArray[np.integer[Any]] | slice) -> Floats:
        """One view of these rows: (rows, ...)."""
        picked: Floats = self.data[rows]
        if self.plain_first and number == 0:
            return picked
        index = np.arange(self.rows)[rows]
        return self.augment(picked, uniforms(index, self.augment.numbers, seed=self.seed, view=number))

    def determined_by(self) -> dict[str, Any]:
        """What settles every pixel, as plain values: two Views that agree in it are the same rows."""
        about = {"made": MADE, "augment": repr(self.augment), "count": self.count, "seed": self.seed, "plain_first": self.plain_first}
        return {"data": fingerprint(self.data), **about}

    def as_rows(self) -> Rows:
        """All views, in parts."""
        return Rows(len(self), self._part, "set of views")

    def _part(self, start: int, stop: int) -> Floats:
        parts = []
        while start < stop:
            number, first = divmod(start, self.rows)
            last = min(self.rows, first + stop - start)
            parts.append(self.view(number, slice(first, last)))
            start += last - first
        return parts[0] if len(parts) == 1 else np.concatenate(parts)


def uniforms(index: NDArray[np.integer[Any]], numbers: int, *, seed: int, view: int) -> Floats:
    """(rows, numbers) in [0, 1), settled by seed, view and each row's index alone.

    Args:
        index: (rows,) which row, 0 or more.
        numbers: how many a row.
        seed: 0 or more.
        view: 0 or more.
    """
    key = mixed(np.array([seed + 1], dtype=np.uint64)) ^ mixed(np.array([(view + 1) << 20], dtype=np.uint64))
    with np.errstate(over="ignore"):
        cells = index.astype(np.uint64)[:, None] * np.uint64(numbers) + np.arange(1, numbers + 1, dtype=np.uint64)
        bits = mixed(mixed(cells.astype(np.uint64)) ^ key)
    return np.asarray((bits >> np.uint64(11)) * 2.0**-53)


def _places(pixels: int) -> NDArray[np.float32]:
    """(pixels,) the middle of each in torch's coordinates of -1 to 1."""
    return ((2 * np.arange(pixels, dtype=np.float32) + 1) / pixels - 1).astype(np.float32)


def _pictures(rows: Floats, shape: tuple[int, int] | None) -> Floats:
    """(rows, channels, height, width)."""
    if shape is not None:
        if rows.ndim != 2 or rows.shape[1] % (shape[0] * shape[1]):
            raise ShapeError(f"rows of shape {rows.shape[1:]} are no pictures of {shape[0]} x {shape[1]} pixels.")
        return rows.reshape(len(rows), -1, *shape)
    if rows.ndim not in (3, 4):
        raise ShapeError(f"rows of shape {rows.shape[1:]} are no pictures; expected ([channels,] height, width), or pass shape=.")
    return rows[:, None] if rows.ndim == 3 else rows
