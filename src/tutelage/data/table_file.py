"""A file of rows and the roles of its columns, or of its arrays: features, ground truth, dropped."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import combinations
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from tutelage.core.answer_values.class_names import list_classes
from tutelage.core.answer_values.named_columns import are_numbers, order_by_name
from tutelage.core.errors import BadInput, ShapeError, did_you_mean
from tutelage.core.file_systems.paths import AnyPath, RemotePath, any_path, suffix_of
from tutelage.data.cells import is_missing
from tutelage.data.rows import Rows, as_rows, in_types_of, rows_of, rows_of_archive, schema_of
from tutelage.data.schema import Schema
from tutelage.data.structures.structured import MASK, TRUTH, StructuredRows
from tutelage.data.tables.array_archive import ArrayArchive
from tutelage.data.tables.column_types import AS_THEY_STAND, Known, literals_among
from tutelage.data.tables.found_files import FORMATS, is_table
from tutelage.data.tables.hugging_face import opened
from tutelage.data.tables.input_columns import inputs_of
from tutelage.data.tables.origin import Origin
from tutelage.data.tables.sources import TableSource, open_tables

MAX_DROP_COLUMNS = 6


@dataclass(frozen=True, eq=False)
class TableFile:
    """Rows in one or more files. From a Parquet file, only the requested columns are read.

    A table has columns; a .npz file has an array of rows of any shape, and others that are named where columns of a table are.

    Attributes:
        path: the file, or what the user named: a folder, a pattern, or the first of several files.
        source: the table in the files; None for .npy and .npz.
        truth: columns of the ground truth, which are not features.
        drop: other columns that are not features, such as ids.
        text: the single column whose texts are the rows.
        weight: the column of the weights of the rows, which is not a feature.
        archive: the arrays of a .npz file; None for others.
        inputs: the columns of numbers and of lists, or the arrays, that are the inputs of the rows, by name; empty for rows of one input.
    """

    path: AnyPath
    source: TableSource | None = None
    truth: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    text: str | None = None
    weight: str | None = None
    archive: ArrayArchive | None = None
    inputs: tuple[str, ...] = ()

    @classmethod
    def open(
        cls,
        path: AnyPath | str | Sequence[AnyPath | str],
        *,
        truth: Sequence[str] = (),
        drop: Sequence[str] = (),
        text: str | None = None,
        weight: str | None = None,
        dtype: Mapping[str, str] | None = None,
        inputs: Sequence[str] = (),
    ) -> TableFile:
        """Open a table in one or more files. The rows of Parquet files are read later.

        Args:
            path: the file, a folder of files, a pattern such as `part-*.csv`, by paths or URIs, or several of these, whose rows follow
                each other.
            truth: columns of the ground truth.
            drop: other columns that are not features.
            text: the single column whose texts are the rows, as they stand in the file.
            weight: the column of the weights of the rows.
            dtype: the type of some columns, as {"column": "text"}; one of `column_types.TYPES`. Other columns have the type that
                the file stores, or that their texts suggest.
            inputs: the columns, or arrays, that are the inputs of the rows, such as input_ids and attention_mask.

        Raises:
            BadInput: a file or a column does not exist, the file has no column names, no feature is left, or as `open_tables`.
            ShapeError: no rows.
        """
        paths = [any_path(path)] if isinstance(path, str | Path | RemotePath) else list(map(any_path, path))
        named = (*truth, *drop, *(name for name in (text, weight) if name is not None), *inputs)
        if len(paths) == 1 and suffix_of(paths[0]) == ".npz":
            _refuse_columns(paths[0], [*([text] if text is not None else []), *(dtype or {})])
            return cls(paths[0], archive=ArrayArchive.open(paths[0])).with_roles(truth=truth, drop=drop, weight=weight, inputs=inputs)
        if not any(map(is_table, paths)):
            return _without_names(cls, paths, (*named, *(dtype or {})))
        source = open_tables(paths, dtype=dtype, known={} if text is None else {text: AS_THEY_STAND}, named=named)
        return cls(paths[0], source).with_roles(truth=truth, drop=drop, text=text, weight=weight, inputs=inputs)

    def with_roles(
        self,
        *,
        truth: Sequence[str] = (),
        drop: Sequence[str] = (),
        text: str | None = None,
        weight: str | None = None,
        inputs: Sequence[str] | None = None,
    ) -> TableFile:
        """The same file with other roles of its columns; None leaves its inputs as they are.

        Raises:
            BadInput: it has no such column, a column has two roles, or no feature is left.
        """
        found = self._with_roles(truth, drop, text, weight)
        return found.with_inputs(self.inputs if inputs is None else inputs)

    def with_inputs(self, inputs: Sequence[str]) -> TableFile:
        """The same file, whose rows have these inputs; none for rows of one input.

        Raises:
            BadInput: it has no such column or array, or it has another role.
        """
        if not inputs:
            return self if not self.inputs else replace(self, inputs=())
        kind = "column" if self.archive is None else "array"
        for name in inputs:
            if name not in self.names:
                known = _listed(self.names) or f"no names; use {FORMATS}, or a .npz file with an array for each input"
                raise BadInput(f"{self.path} has no {kind} {name!r} for the input of this name; it has {known}.{_remedy(name, self.names)}")
            if name in (*self.roles, *TRUTH) or inputs.count(name) > 1:
                role = "named twice" if inputs.count(name) > 1 else "the ground truth, weights or dropped"
                raise BadInput(f"the {kind} {name!r} of {self.path} is an input of the rows and {role} as well; give it one role.")
        if self.text is not None:
            raise BadInput(
                f"the rows are the texts of column {self.text!r}, and have inputs ({_listed(tuple(inputs))}); pass one of the two."
            )
        return replace(self, inputs=tuple(inputs))

    def _with_roles(self, truth: Sequence[str], drop: Sequence[str], text: str | None, weight: str | None) -> TableFile:
        if self.archive is not None:
            if weight in truth:
                raise BadInput(f"the array {weight!r} holds the weights and cannot be the ground truth as well; name another array.")
            self.archive.check_names((*truth, *drop, *([weight] if weight is not None else [])))
            return replace(self, truth=tuple(truth), drop=tuple(drop), weight=weight)
        for name in (*truth, *drop, *(name for name in (text, weight) if name is not None)):
            if name not in self.columns:
                raise BadInput(f"{self.path} has no column {name!r}; it has {_listed(self.columns)}.{did_you_mean(name, self.columns)}")
        if text is not None and text in (*truth, *drop):
            raise BadInput(f"the column {text!r} holds the texts and cannot be the ground truth or dropped as well; name another column.")
        if weight is not None and weight in (*truth, text):
            raise BadInput(
                f"the column {weight!r} holds the weights and cannot be the ground truth or the texts as well; name another column."
            )
        source = self.source if text is None or self.source is None else self.source.knowing({text: AS_THEY_STAND})
        opened = TableFile(self.path, source, tuple(truth), tuple(drop), text, weight)
        if not opened.features and self.columns:
            raise BadInput(f"no column of {self.path} is left as a feature; drop fewer columns.")
        return opened

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of all columns; empty for .npy and .npz."""
        return () if self.source is None else self.source.names

    @property
    def names(self) -> tuple[str, ...]:
        """The names that can have a role: of the columns, or of the arrays of a .npz file."""
        return self.columns if self.archive is None else tuple(self.archive.shapes)

    @property
    def stored_columns(self) -> tuple[str, ...]:
        """The names of all columns, those included that look like a row index; empty for .npy and .npz."""
        return () if self.source is None else tuple(self.source.types)

    @property
    def features(self) -> tuple[str, ...]:
        """The feature columns; the inputs of rows of several."""
        if self.inputs:
            return self.inputs
        return (self.text,) if self.text is not None else tuple(name for name in self.columns if name not in self.roles)

    @property
    def roles(self) -> tuple[str, ...]:
        """The names of the ground truth, of what is dropped, and of the weights."""
        return (*self.truth, *self.drop, *([] if self.weight is None else [self.weight]))

    def rows(self) -> Rows:
        """The rows that a model sees: texts, a frame of `features`, the array of a .npy or .npz file, or several inputs."""
        return self.rows_of(self.features)

    @cached_property
    def _structure(self) -> StructuredRows:
        """The inputs of all rows: what is padding, and what is not, is seen in all of them together."""
        try:
            if self.archive is not None:
                return StructuredRows.of(self.archive.inputs(self.inputs))
            source = cast(TableSource, self.source)
            return StructuredRows.of(inputs_of(source.part(self.inputs, 0, source.count), self.path))
        except (BadInput, ShapeError) as error:
            if str(self.path) in str(error):
                raise
            raise type(error)(f"the inputs in {self.path} are no rows: {error}") from error

    @cached_property
    def schema(self) -> Schema | None:
        """The features and the ground truth: their names, and the types in which other files must hold them; None for .npy and .npz.

        Inputs are none of a table's columns, and are not among them.
        """
        return None if self.source is None else schema_of(self.source, (*(() if self.inputs else self.features), *self.truth))

    def matching(self, schema: Schema | None, classes: Collection[Any] = ()) -> TableFile:
        """The same file, with the columns of a schema read as its types, and none of them taken for a row index.

        Types that were declared for this file stay. Columns that the schema names and the file lacks are left out.

        Args:
            schema: of a recording, a student or another file; None changes nothing.
            classes: that the ground truth names, such as None, which then is no gap.

        Raises:
            BadInput: a column that does not have its type.
        """
        if self.source is None:
            return self
        source = self.source if schema is None else in_types_of(self.source, schema)
        if len(self.truth) == 1:
            source = source.knowing({self.truth[0]: Known(literals=literals_among(classes))})
        return self if source is self.source else replace(self, source=source)

    def with_truth_of(self, names: Sequence[Any], things: str) -> TableFile:
        """The same file, with the columns of its ground truth in the order of what they are named after.

        Args:
            names: of the labels, or of the values, in order; none if they have no names.
            things: what these are, "labels" or "values".

        Raises:
            LabelMismatch: columns of which some have one of these names, and others none.

        Warns:
            UserWarning: no column has one of these names; they stay in the order in which they were given.
        """
        if len(self.truth) < 2 or not names:
            return self
        remedy = f"Name the column of each of these {things}, or columns of other names in their order."
        order = order_by_name(self.truth, names, what=f"the columns of the ground truth in {self.path}", remedy=remedy)
        if order is not None:
            return replace(self, truth=tuple(self.truth[place] for place in order))
        if len(names) == len(self.truth) and not are_numbers(names):
            warnings.warn(
                f"the columns {_listed(self.truth)} are taken for the ground truth of the {things} {list_classes(tuple(names))}, in this "
                "order, as none has the name of one.",
                stacklevel=2,
            )
        return self

    def choices(self) -> Iterator[tuple[str, ...]]:
        """The sets of columns for which answers to these rows may have been recorded, the most likely first.

        The first is `features`. The others exclude fewer columns: a subset of `drop` and `weight`, with or without the ground truth.
        Of more than MAX_DROP_COLUMNS columns, only all or none are excluded. Of others than the features, those of lists always are.
        """
        dropped = (*self.drop, *([self.weight] if self.weight is not None and self.weight not in self.drop else []))
        sizes = range(len(dropped), -1, -1) if len(dropped) <= MAX_DROP_COLUMNS else (len(dropped), 0)
        kinds = {} if self.source is None else self.source.recorded_types([name for name in self.columns if name not in self.features])
        lists = [name for name, kind in kinds.items() if kind == "any"]
        excluded = [(*truth, *drop, *lists) for truth in (self.truth, ()) for size in sizes for drop in combinations(dropped, size)]
        candidates = (tuple(name for name in self.columns if name not in names) for names in excluded)
        yield from (names for names in dict.fromkeys((self.features, *candidates)) if names or not self.columns)

    def sibling(self, path: AnyPath) -> TableFile:
        """Open another file with the same column roles and types, declared ones too, as far as it has these columns.

        Raises:
            as `open`.
        """
        other = TableFile.open(path)
        if not other.names:
            return other.with_inputs(self.inputs)
        if other.source is not None and self.source is not None and self.schema is not None:
            declared = {
                name: one for name, one in self.source.declared.items() if name not in self.drop or one.type in ("text", "category")
            }
            other = replace(other, source=in_types_of(other.source, self.schema, declared))
        truth, drop = ([name for name in names if name in other.names] for names in (self.truth, self.drop))
        weight = self.weight if self.weight in other.names else None
        return other.with_roles(truth=truth, drop=drop, text=self.text, weight=weight, inputs=self.inputs)

    def rows_of(self, names: Sequence[str]) -> Rows:
        """The rows, with these columns only; rows of several inputs have them all."""
        if self.inputs:
            return as_rows(self._structure)
        if self.archive is not None:
            return rows_of_archive(self.archive, self.roles)
        if self.source is None:
            return as_rows(self.path)
        source = self.source
        if self.text is not None and tuple(names) == (self.text,):
            origin = Origin.of(source.files, names, source.known, source.ends, texts=True)
            part = partial(_texts_of, source, tuple(names), self.path)
            return Rows(source.count, part, "list of texts", origin=origin)
        return rows_of(source, names)

    def truth_values(self, *, gaps: bool = False) -> NDArray[Any] | None:
        """The ground truth: (rows,) for one column, (rows, columns) for more and for an array of several, None if there is none.

        The columns are in the order of `truth`; `with_truth_of` brings them into that of the labels.

        Args:
            gaps: as for `values`.

        Raises:
            BadInput: an empty cell.
        """
        if not self.truth:
            return None
        columns = [self.values(name, gaps=gaps) for name in self.truth]
        return columns[0] if len(columns) == 1 else np.column_stack(columns)

    def is_empty(self, name: str) -> bool:
        """Whether all cells of a column, or all entries of an array, are missing."""
        if self.archive is not None:
            return bool(self.archive.gaps(name).all())
        return self.source is not None and all(map(is_missing, self.source.part([name], 0, self.source.count).column(0).to_pylist()))

    def gaps_note(self, name: str) -> str:
        """Which texts of a column are read as gaps, and how they would not be, as a sentence after another; "" if there are none."""
        cells = [] if self.source is None else self.source.read_as_gaps(name)
        remedy = f"declare dtype={{{name!r}: 'text'}} if it is a text"
        return f" A cell {' or '.join(map(repr, cells))} is read as an empty one; {remedy}." if cells else ""

    def weights(self) -> NDArray[np.float64] | None:
        """(rows,) weights of the rows, None if there are none.

        Raises:
            BadInput: an empty cell, or a weight that is not a number of 0 or more, or only zeros.
        """
        if self.weight is None:
            return None
        cells = self.values(self.weight)
        if cells.dtype.kind not in "biuf" or not np.isfinite(cells).all() or (cells < 0).any() or not cells.any():
            raise BadInput(f"column {self.weight!r} of {self.path} does not hold weights; expected finite numbers of 0 or more, not all 0.")
        return cells.astype(np.float64)

    def values(self, name: str, *, gaps: bool = False) -> NDArray[Any]:
        """(rows,) values of one column.

        Args:
            name: of the column.
            gaps: return None for an empty cell, in an array of objects; missing entries of an archive stay as they are.

        Raises:
            BadInput: an empty cell. ShapeError: an array of a .npz file that has not one entry for each row.
        """
        if self.archive is not None:
            return self.archive.beside_rows(name, self.roles, inputs=self.inputs, several=name in self.truth, gaps=gaps)
        if self.source is None or name not in self.source.types:
            if self.source is not None:
                raise BadInput(f"{self.path} has no column {name!r}; it has {_listed(self.columns)}.{did_you_mean(name, self.columns)}")
            raise BadInput(f"{self.path} has no column names, so there is no column {name!r}; use {FORMATS}.")
        table = self.source.part([name], 0, self.source.count)
        cells = table.column(0).to_pylist()
        empty = [row for row, cell in enumerate(cells) if is_missing(cell)]
        if empty and gaps:
            return np.array([None if is_missing(cell) else cell for cell in cells], dtype=object)
        if empty:
            raise BadInput(
                f"column {name!r} of {self.path} has {len(empty)} empty cells (first: row {empty[0]}); fill or drop those rows."
                + self.gaps_note(name)
            )
        return _of_lists(cells) if any(isinstance(cell, list) for cell in cells) else np.asarray(cells)


def rows_from(origin: Origin) -> Rows:
    """The rows of an origin, read by this process.

    Raises:
        BadInput, ShapeError: as `open_tables` and `as_rows`.
    """
    if origin.dataset is not None:
        return as_rows(opened(origin.dataset))
    if origin.names is None:
        return as_rows(any_path(origin.paths[0]))
    source = open_tables(origin.files, known=origin.known, named=origin.names)
    return TableFile(source.paths[0], source, text=origin.names[0] if origin.texts else None).rows_of(origin.names)


def _texts_of(source: TableSource, names: Sequence[str], path: AnyPath, start: int, stop: int) -> list[str]:
    return _texts(source.part(names, start, stop), path, start)


def _of_lists(cells: list[Any]) -> NDArray[Any]:
    """(rows,) lists, as an array of objects: the classes of the positions of each row."""
    found = np.empty(len(cells), dtype=object)
    found[:] = [np.array(cell) if isinstance(cell, list) and None not in cell else cell for cell in cells]
    return found


def _remedy(name: str, names: tuple[str, ...]) -> str:
    """What to do about an input that a file lacks."""
    if name == MASK:
        return " Add one with 1 for each position that counts, and 0 for padding."
    return did_you_mean(name, names)


def _refuse_columns(path: AnyPath, named: Sequence[str]) -> None:
    """Refuse columns of a file that has none."""
    if named:
        raise BadInput(f"{path} has no column names, so there is no column {named[0]!r}; use {FORMATS}.")


def _without_names(cls: type[TableFile], paths: Sequence[AnyPath], named: Sequence[str]) -> TableFile:
    """A file without column names (.npy)."""
    if len(paths) > 1:
        raise BadInput(f"{paths[0]} and {paths[1]} cannot be read together; several files need column names: use {FORMATS}.")
    as_rows(paths[0])
    _refuse_columns(paths[0], named)
    return cls(paths[0])


def _texts(table: Any, path: AnyPath, start: int) -> list[str]:
    texts = table.column(0).to_pylist()
    for row, text in enumerate(texts, start):
        if not isinstance(text, str):
            found = "is empty" if text is None else f"holds a {type(text).__name__}"
            raise BadInput(f"row {row} of {path} {found} where a text is expected (column {table.column_names[0]!r}); fill or drop it.")
    return list(texts)


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(map(repr, names[:12])) + (", ..." if len(names) > 12 else "")
