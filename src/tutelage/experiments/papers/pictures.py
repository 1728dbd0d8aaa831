"""The pictures of the papers' runs: MNIST or Fashion-MNIST as pixels in [0, 1], all of them or few for a quick run."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tutelage.core.arrays import Floats
from tutelage.data.datasets import Images, load_fashion_mnist, load_mnist
from tutelage.data.fingerprint import fingerprint

CLASSES = 10
SIDE = 28


@dataclass(frozen=True)
class Pictures:
    """Training and test pictures.

    Attributes:
        images: the data set.
        rows: how many training pictures are used, from the first.
        test_rows: how many test pictures.
    """

    images: Images
    rows: int = 60_000
    test_rows: int = 10_000

    @cached_property
    def inputs(self) -> NDArray[np.float32]:
        """(rows, 784) pixels."""
        return _pixels(self.images.train_images[: self.rows])

    @cached_property
    def labels(self) -> NDArray[np.int64]:
        """(rows,) true classes."""
        return self.images.train_labels[: self.rows]

    @cached_property
    def test_inputs(self) -> NDArray[np.float32]:
        """(test_rows, 784) pixels."""
        return _pixels(self.images.test_images[: self.test_rows])

    @cached_property
    def test_labels(self) -> NDArray[np.int64]:
        """(test_rows,) true classes."""
        return self.images.test_labels[: self.test_rows]

    @cached_property
    def fingerprint(self) -> str:
        """Fingerprint of the training pictures and their classes."""
        return fingerprint(self.images.train_images[: self.rows], self.labels)

    def described(self) -> dict[str, Any]:
        """The data in the run's record."""
        return {
            "data": self.images.name,
            "attribution": self.images.attribution,
            "training rows": self.rows,
            "test rows": self.test_rows,
        }


def mnist(*, quick: bool, rows: int = 1500, test_rows: int = 2000) -> Pictures:
    """MNIST, of which a quick run uses few rows."""
    return Pictures(load_mnist(), rows, test_rows) if quick else Pictures(load_mnist())


def fashion_mnist(folder: Path | None, *, quick: bool, rows: int = 2000, test_rows: int = 2000) -> Pictures:
    """Fashion-MNIST, of which a quick run uses few rows."""
    return Pictures(load_fashion_mnist(folder), rows, test_rows) if quick else Pictures(load_fashion_mnist(folder))


@dataclass(frozen=True)
class Jitter:
    """An augmentation: flat pictures moved by a whole number of pixels along each side; pixels from outside are 0.

    Attributes:
        pixels: the largest shift.
    """

    pixels: int = 2

    @property
    def numbers(self) -> int:
        """One number for each side."""
        return 2

    def __call__(self, rows: Floats, numbers: Floats) -> Floats:
        """(rows, 784) -> (rows, 784)."""
        span = 2 * self.pixels + 1
        shifts = np.minimum((numbers * span).astype(np.int64), span - 1)
        padded = np.pad(rows.reshape(-1, SIDE, SIDE), ((0, 0), (self.pixels, self.pixels), (self.pixels, self.pixels)))
        moved = np.empty_like(rows)
        codes = shifts[:, 0] * span + shifts[:, 1]
        for code in np.unique(codes):
            at, (down, right) = np.flatnonzero(codes == code), divmod(int(code), span)
            moved[at] = padded[at, down : down + SIDE, right : right + SIDE].reshape(len(at), -1)
        return moved


def _pixels(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    return images.astype(np.float32) / np.float32(255)
