"""Seeded augmentation: view k of row i is always the same image, in any batch and in any process.

The random numbers of an augmentation do not come from a generator. They are a hash of (seed, view, row), so that they do not
depend on earlier calls: the teacher that answers a view and the student that trains on it see the same pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from tutelage.core.arguments import flag, number, seed_of, whole, whole_numbers
from tutelage.core.arrays import Floats, unmasked
from tutelage.core.errors import BadInput, ShapeError, require, shown
from tutelage.data.fingerprint import fingerprint
from tutelage.data.row_names import mix_bits
from tutelage.data.rows import Rows

MOST = 1e6
"""The largest rotation, shear or shift; float32 cannot place a pixel that is further away."""

MOST_VIEWS = 10**9

VERSION = 2
"""Incremented when the same augmentation produces different bits, so that answers recorded for earlier views are not reused."""


@runtime_checkable
class Augmentation(Protocol):
    """Protocol of an augmentation: a deterministic function of rows and random numbers in [0, 1)."""

    @property
    def numbers(self) -> int:
        """How many random numbers it takes per row."""
        ...

    def __call__(self, rows: Floats, numbers: Floats) -> Floats:
        """Augment each row independently: (rows, ...) and (rows, numbers) -> (rows, ...)."""
        ...


@dataclass(frozen=True)
class Affine:
    """Random rotation, zoom, shear, shift and mirroring of images; pixels from outside the image are 0.

    Args:
        degrees: largest rotation in either direction.
        zoom: largest relative enlargement or reduction, below 1, drawn for each side.
        shear: largest shear, as the tangent of its angle.
        shift: largest shift along each side, in pixels.
        shape: (height, width) of images that are flat rows; leave it out for (rows, [channels,] height, width).
        mirrored: whether to mirror images left to right with probability 1/2.

    Raises:
        BadInput: a bound that is negative or not finite, or a zoom of 1 or more.

    Example:
        >>> import numpy as np
        >>> import tutelage as tl
        >>> images = np.arange(12, dtype=np.float32).reshape(1, 3, 4)
        >>> shift = tl.transfer.Affine(shift=1)
        >>> shift(images, np.array([[0.5, 0.5, 0.5, 0.5, 1.0, 0.5]]))[0].round(3)  # one pixel to the left
        array([[ 1.,  2.,  3.,  0.],
               [ 5.,  6.,  7.,  0.],
               [ 9., 10., 11.,  0.]], dtype=float32)
    """

    degrees: float = 0.0
    zoom: float = 0.0
    shear: float = 0.0
    shift: float = 0.0
    shape: tuple[int, int] | None = None
    mirrored: bool = False

    def __post_init__(self) -> None:
        for name in ("degrees", "shear", "shift"):
            number(name, getattr(self, name), least=0, most=MOST)
        number("zoom", self.zoom, least=0, below=1)
        flag("mirrored", self.mirrored)
        if self.shape is not None:
            sides = whole_numbers("shape", self.shape, "(height, width)", least=1)
            if len(sides) != 2:
                raise BadInput(f"shape is {shown(self.shape)}; expected (height, width).")
            object.__setattr__(self, "shape", tuple(sides))

    @property
    def numbers(self) -> int:
        """Random numbers per row: one for the angle, two for the zoom, one for the shear, two for the shift, one for mirroring."""
        return 7 if self.mirrored else 6

    def __call__(self, rows: Floats, numbers: Floats) -> Floats:
        """Transform images with bilinear resampling.

        Args:
            rows: (rows, ...) images; computed in float32.
            numbers: (rows, self.numbers) in [0, 1); 0.5 leaves an image unchanged.

        Returns:
            The same shape.

        Raises:
            ShapeError: rows that are not images, or do not have the given shape.
        """
        torch = require("torch")
        images = torch.from_numpy(np.ascontiguousarray(_images(rows, self.shape), dtype=np.float32))
        height, width = images.shape[-2:]
        inverse = self._inverse(numbers, height, width)
        along, down = inverse[..., :1] * _centres(width) + inverse[..., 2:], inverse[..., 1:2] * _centres(height)
        # (rows, 2, height, width). torch's affine_grid takes three times as long as the sampling itself.
        grid = torch.from_numpy(down[..., None] + along[..., None, :])
        transformed = torch.nn.functional.grid_sample(
            images, grid.permute(0, 2, 3, 1), mode="bilinear", padding_mode="zeros", align_corners=False
        )
        return np.asarray(transformed.numpy()).reshape(rows.shape)

    def _inverse(self, numbers: Floats, height: int, width: int) -> NDArray[np.float32]:
        """(rows, 2, 3) affine maps from each pixel of the view to its source pixel, in torch's coordinates of -1 to 1."""
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
    """Multiple augmented views of every row, as rows that can be recorded and trained on.

    Row `view * rows + i` is view `view` of row i. Pass the same Views to `record` and to `TorchStudent.fit`: the
    teacher answers each view once, and every student, epoch and sweep reuses the answers.

    Args:
        data: (rows, ...) array or tensor of images, of a float dtype; integers are rejected, because views would be truncated.
        augment: an augmentation such as `Affine(degrees=10, shift=2)`.
        count: number of views per row.
        seed: determines all views.
        plain_first: whether view 0 is the original row.

    Raises:
        BadInput: data that is not (rows, ...) floats, or a count below 1.

    Example:
        >>> import numpy as np
        >>> import tutelage as tl
        >>> images = np.random.default_rng(0).random((5, 8, 8), dtype=np.float32)
        >>> views = tl.transfer.Views(images, tl.transfer.Affine(degrees=10, shift=1), count=3, plain_first=True)
        >>> len(views)
        15
        >>> bool((views.view(0, slice(None)) == images).all())  # the original rows come first
        True
    """

    data: Any
    augment: Augmentation
    count: int = 8
    seed: int = 0
    plain_first: bool = False

    def __post_init__(self) -> None:
        array = unmasked(self.data, "the images")
        if array.ndim < 2 or not np.issubdtype(array.dtype, np.floating):
            raise BadInput(f"views need (rows, ...) floats; got {array.dtype} of shape {array.shape}. Scale integers to floats first.")
        if not isinstance(self.augment, Augmentation):
            raise BadInput(f"augment is {shown(self.augment)}; expected an augmentation, such as Affine(shift=2).")
        object.__setattr__(self, "count", whole("count", self.count, 1, MOST_VIEWS))
        object.__setattr__(self, "seed", seed_of("seed", self.seed))
        flag("plain_first", self.plain_first)
        object.__setattr__(self, "data", array)

    @property
    def rows(self) -> int:
        """The number of original rows."""
        return len(self.data)

    def __len__(self) -> int:
        return self.rows * self.count

    def view(self, number: int, rows: NDArray[np.integer[Any]] | slice) -> Floats:
        """View `number` of these rows: (rows, ...)."""
        originals: Floats = self.data[rows]
        if self.plain_first and number == 0:
            return originals
        index = np.arange(self.rows)[rows]
        return self.augment(originals, uniforms(index, self.augment.numbers, seed=self.seed, view=number))

    def determined_by(self) -> dict[str, Any]:
        """Everything that determines the pixels, as JSON values: two Views for which it is equal are the same rows."""
        settings = {"made": VERSION, "augment": repr(self.augment), "count": self.count, "seed": self.seed, "plain_first": self.plain_first}
        return {"data": fingerprint(self.data), **settings}

    def as_rows(self) -> Rows:
        """All views, as rows that can be read in parts."""
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
    """(rows, numbers) uniform numbers in [0, 1), determined only by the seed, the view and each row's index.

    Args:
        index: (rows,) indices of the rows, 0 or more.
        numbers: how many per row.
        seed: 0 or more.
        view: number of the view, 0 or more.
    """
    key = mix_bits(np.array([seed + 1], dtype=np.uint64)) ^ mix_bits(np.array([(view + 1) << 20], dtype=np.uint64))
    with np.errstate(over="ignore"):
        cells = index.astype(np.uint64)[:, None] * np.uint64(numbers) + np.arange(1, numbers + 1, dtype=np.uint64)
        bits = mix_bits(mix_bits(cells.astype(np.uint64)) ^ key)
    return np.asarray((bits >> np.uint64(11)) * 2.0**-53)


def _centres(pixels: int) -> NDArray[np.float32]:
    """(pixels,) centres of the pixels along one side, in torch's coordinates of -1 to 1."""
    return ((2 * np.arange(pixels, dtype=np.float32) + 1) / pixels - 1).astype(np.float32)


def _images(rows: Floats, shape: tuple[int, int] | None) -> Floats:
    """Rows as images: (rows, channels, height, width)."""
    if shape is not None:
        if rows.ndim != 2 or rows.shape[1] % (shape[0] * shape[1]):
            raise ShapeError(
                f"rows of shape {rows.shape[1:]} are not images of {shape[0]} x {shape[1]} pixels; expected flat rows of them."
            )
        return rows.reshape(len(rows), -1, *shape)
    if rows.ndim not in (3, 4):
        raise ShapeError(f"rows of shape {rows.shape[1:]} are not images; expected ([channels,] height, width), or pass shape=.")
    return rows[:, None] if rows.ndim == 3 else rows
