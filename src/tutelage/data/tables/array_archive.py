"""Arrays by name in a NumPy archive (.npz): rows of any shape, with the ground truth and others beside them."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tutelage.core.errors import BadInput, ShapeError, did_you_mean, one_line
from tutelage.core.file_systems.copies import seekable
from tutelage.core.file_systems.paths import AnyPath

ROWS = "X"
"""The array that holds the rows, if there is one of this name."""
MEMBER = ".npy"
_READ_HEADER = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
_UNREADABLE = (ValueError, OSError, EOFError, RuntimeError, NotImplementedError, zipfile.BadZipFile, zlib.error)
"""What NumPy and zipfile raise about files that are damaged, encrypted, or hold pickled objects."""


@dataclass(frozen=True, eq=False)
class ArrayArchive:
    """The arrays of a .npz file. Nothing in it is unpickled, and no array is larger than the file says.

    Attributes:
        path: the file.
        shapes: of each array, by name.
    """

    path: AnyPath
    shapes: Mapping[str, tuple[int, ...]]
    _content: Path | BytesIO = field(repr=False)
    _arrays: dict[str, NDArray[Any]] = field(default_factory=dict, repr=False)

    @classmethod
    def open(cls, path: AnyPath) -> ArrayArchive:
        """Read what the file says of its arrays.

        Raises:
            BadInput: there is no such file, or it is no archive of arrays of numbers and texts.
        """
        if not path.is_file():
            raise BadInput(f"there is no file {path}; name the file that holds the rows.")
        try:
            content = seekable(path)
            with zipfile.ZipFile(content) as archive:
                members = archive.infolist()
                shapes = {member.filename.removesuffix(MEMBER): _checked_shape(archive, member) for member in members}
        except _UNREADABLE as error:
            raise BadInput(f"{path} is not a NumPy archive of numbers and texts ({one_line(error)}).") from error
        if len(shapes) < len(members) or not shapes:
            raise BadInput(f"{path} holds {'one array twice' if shapes else 'no array'}; write it with np.savez(path, X=rows, y=truth).")
        return cls(path, shapes, content)

    def rows(self, roles: Collection[str] = ()) -> NDArray[Any]:
        """(rows, ...) the array that holds the rows: `X`, or the only one without a role.

        Args:
            roles: names of the arrays that hold something else.

        Raises:
            BadInput: it is not clear which one it is, or it holds no numbers. ShapeError: no rows, or rows of a single number.
        """
        name = self._name_of_rows(roles)
        array = self.read(name)
        if array.dtype.kind not in "biuf":
            raise BadInput(f"the array {name!r} of {self.path} is of type {array.dtype}; expected rows of numbers.")
        if array.ndim < 2 or 0 in array.shape:
            raise ShapeError(f"the array {name!r} of {self.path} has shape {array.shape}; expected (rows, ...), with one row at least.")
        return array

    def inputs(self, names: Collection[str]) -> dict[str, NDArray[Any]]:
        """(rows, ...) each of the arrays that the inputs of the rows are.

        Raises:
            BadInput: there is no such array. ShapeError: one is a single number.
        """
        self.check_names(names)
        single = next((name for name in names if not self.shapes[name]), None)
        if single is not None:
            raise ShapeError(f"the array {single!r} of {self.path} is a single number; expected one entry for each row.")
        return {name: self.read(name) for name in names}

    def beside_rows(
        self, name: str, roles: Collection[str] = (), *, inputs: Sequence[str] = (), several: bool = False, gaps: bool = False
    ) -> NDArray[Any]:
        """(rows,) the entries of another array, one for each row.

        Args:
            name: of the array.
            roles: as for `rows`.
            inputs: the arrays that the rows consist of; the array `rows` if none are named.
            several: whether it may be (rows, columns), or beside inputs (rows, ...).
            gaps: whether entries may be missing, as NaN or NaT.

        Raises:
            BadInput: there is no such array, or entries are missing. ShapeError: it has another shape.
        """
        self.check_names([name])
        array, rows = self.read(name), inputs[0] if inputs else self._name_of_rows((name, *roles))
        array = array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array
        most = 1 if not several else array.ndim if inputs else 2
        if not 1 <= array.ndim <= most or array.shape[:1] != self.shapes[rows][:1]:
            expected = f"({', '.join(map(str, self.shapes[rows][:1]))},){' or (rows, outputs)' if several else ''}"
            of_rows = f"the rows, {rows!r}, {self.shapes[rows]}"
            raise ShapeError(f"the array {name!r} of {self.path} has shape {array.shape}, and {of_rows}; expected {expected}.")
        missing = self.gaps(name)
        if missing.any() and not gaps:
            first = int(np.argwhere(missing)[0, 0])
            raise BadInput(f"the array {name!r} of {self.path} has {int(missing.sum())} missing entries (first: row {first}); fill them.")
        return array

    def gaps(self, name: str) -> NDArray[np.bool_]:
        """Which entries of an array are missing, in its shape."""
        array = self.read(name)
        return np.isnan(array) if array.dtype.kind == "f" else np.isnat(array) if array.dtype.kind in "mM" else np.zeros(array.shape, bool)

    def check_names(self, names: Collection[str]) -> None:
        """Check that there are arrays of these names.

        Raises:
            BadInput: there is no such array.
        """
        for name in names:
            if name not in self.shapes:
                known = ", ".join(map(repr, self.shapes))
                raise BadInput(f"{self.path} has no array {name!r}; it has {known}.{did_you_mean(name, list(self.shapes))}")

    def _name_of_rows(self, roles: Collection[str]) -> str:
        left = [name for name in self.shapes if name not in roles]
        if ROWS in left or len(left) == 1:
            return ROWS if ROWS in left else left[0]
        found = f"which of its arrays {', '.join(map(repr, left))} holds" if left else "which array holds"
        several = f" If each row consists of several, name them: --inputs {','.join(left)}." if left else ""
        raise BadInput(f"{self.path} does not say {found} the rows; call it {ROWS!r}: np.savez(path, {ROWS}=rows, y=truth).{several}")

    def read(self, name: str) -> NDArray[Any]:
        """One array; it is read once.

        Raises:
            BadInput: it is damaged.
        """
        if name not in self._arrays:
            try:
                if isinstance(self._content, BytesIO):
                    self._content.seek(0)
                with np.load(self._content, allow_pickle=False) as archive:
                    self._arrays[name] = np.asarray(archive[name])
            except (*_UNREADABLE, MemoryError) as error:
                raise BadInput(f"the array {name!r} of {self.path} cannot be read ({one_line(error)}).") from error
        return self._arrays[name]


def _checked_shape(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> tuple[int, ...]:
    """The shape of an array, which is as long as its header says.

    Raises:
        ValueError: it is not, or holds objects or records.
    """
    name = member.filename.removesuffix(MEMBER)
    with archive.open(member) as file:
        version = np.lib.format.read_magic(file) if member.filename.endswith(MEMBER) else None
        if version not in _READ_HEADER:
            raise ValueError(f"{name!r} is no array")
        shape, _, dtype = _READ_HEADER[version](file)
        start = file.tell()
    if dtype.hasobject or dtype.kind not in "biufcUSmM":
        raise ValueError(f"{name!r} holds {'pickled objects' if dtype.hasobject else 'records'}, which could run code or have no meaning")
    if prod(shape) * dtype.itemsize != member.file_size - start or min(shape, default=0) < 0:
        raise ValueError(f"{name!r} says that its shape is {shape}, and holds {member.file_size - start:,} bytes")
    return tuple(int(length) for length in shape)
