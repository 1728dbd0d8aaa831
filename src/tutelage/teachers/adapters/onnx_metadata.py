"""What an ONNX file of tutelage says of itself, as JSON in its metadata: its answers, its columns, and what it was proven on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tutelage.core.answers import AnswerForm
from tutelage.core.errors import BadInput, DamagedFile, one_line
from tutelage.data.schema import Column, Schema

PRODUCER = "tutelage"
"""The producer of a file that has this metadata."""

ROW_BY_ROW, PAD_TOKEN, NAMED = "row_by_row", "pad_token", "named"

MOST_LEVELS = 100
"""A file names the categories of a column up to this many."""


@dataclass(frozen=True)
class FileDescription:
    """The form of a file's answers, and its columns.

    Attributes:
        form: kind, task and classes of the answers.
        columns: names and types of the columns, in order; None for rows of another shape than (rows, columns). A file takes dates and
            durations as days, truth values as 0 and 1, and a missing text as the empty one.
        cascade: the guarantee of the threshold below which the file defers rows to a teacher, as plain values: "threshold", "target",
            "delta", "teacher" (its fingerprint), "own_decisions" and others; None if the file answers all rows.
        levels: the categories that the student knows, by the position of their column.
        row_by_row: whether the file answers a row by the others that it is given with it, as one that measures ranges when it runs does,
            so that each row is to be asked alone.
        pad_token: the token with which ids of different lengths are padded; None if the network stated none.
        named: of rows of several inputs, whether the student takes them by name, or in a tuple; None for other rows.

    Example:
        >>> description = FileDescription(AnswerForm("probabilities", "binary", ("no", "yes")), Schema((Column("size", "number"),)))
        >>> description.to_metadata()["columns"]
        '[{"name": "size", "type": "number"}]'
        >>> FileDescription.from_metadata(description.to_metadata()) == description
        True
    """

    form: AnswerForm
    columns: Schema | None
    cascade: Mapping[str, Any] | None = None
    levels: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    row_by_row: bool = False
    pad_token: int | None = None
    named: bool | None = None

    def to_metadata(self) -> dict[str, str]:
        """JSON by key: "kind", "task", "classes" and "columns", and of some files "positions", "cascade", "row_by_row", "pad_token" and
        "named".
        """
        columns: list[dict[str, Any]] | None
        columns = None if self.columns is None else [{"name": one.name, "type": one.type} for one in self.columns.columns]
        for place, levels in self.levels.items():
            if columns is not None and len(levels) <= MOST_LEVELS:
                columns[place] |= {"levels": list(levels)}
        plain = {"kind": self.form.kind, "task": self.form.task, "classes": list(self.form.classes), "columns": columns}
        further: dict[str, Any] = {} if self.cascade is None else {"cascade": dict(self.cascade)}
        if self.form.positions is not None:
            further["positions"] = self.form.positions
        if self.row_by_row:
            further[ROW_BY_ROW] = True
        if self.pad_token is not None:
            further[PAD_TOKEN] = self.pad_token
        if self.named is not None:
            further[NAMED] = self.named
        return {key: json.dumps(value) for key, value in {**plain, **further}.items()}

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str]) -> FileDescription:
        """What `to_metadata` wrote.

        Raises:
            DamagedFile: other content.
        """
        try:
            plain: dict[str, Any] = {key: json.loads(metadata[key]) for key in ("kind", "task", "classes", "columns")}
            positions = json.loads(metadata.get("positions", "null"))
            form = AnswerForm(plain["kind"], plain["task"], tuple(plain["classes"]), positions)
            columns = plain["columns"]
            if not all(isinstance(one["name"], str | None) for one in columns or ()):
                raise TypeError("a name of a column is no text")
            schema = None if columns is None else Schema(tuple(Column(one["name"], one["type"]) for one in columns))
            levels = {place: _levels(one["levels"]) for place, one in enumerate(columns or ()) if "levels" in one}
            cascade = _cascade(json.loads(metadata["cascade"])) if "cascade" in metadata else None
            named = {"true": True, "false": False}[metadata[NAMED]] if NAMED in metadata else None
            return cls(form, schema, cascade, levels, asked_row_by_row(metadata), pad_token_in(metadata), named)
        except (ValueError, KeyError, TypeError, RecursionError, BadInput) as error:
            raise DamagedFile(f"the file's metadata is not what tutelage writes ({one_line(error)}). Export the student again.") from error


def asked_row_by_row(metadata: Mapping[str, str]) -> bool:
    """Whether the file with this metadata is to be asked one row at a time."""
    return metadata.get(ROW_BY_ROW) == "true"


def pad_token_in(metadata: Mapping[str, str]) -> int | None:
    """The token with which the file with this metadata has ids padded; None if it names none."""
    return int(metadata[PAD_TOKEN]) if PAD_TOKEN in metadata else None


def _levels(plain: Any) -> tuple[str, ...]:
    if not isinstance(plain, list) or not all(isinstance(level, str) for level in plain):
        raise TypeError("the categories of a column are no texts")
    return tuple(plain)


def _cascade(plain: Any) -> Mapping[str, Any]:
    """The guarantee that a file states, once it is seen to be one.

    Raises:
        TypeError: it is none.
    """
    if not isinstance(plain, dict) or not isinstance(plain.get("teacher"), str):
        raise TypeError("its guarantee names no teacher")
    if any(isinstance(plain.get(name), bool) or not isinstance(plain.get(name), int | float) for name in ("threshold", "target", "delta")):
        raise TypeError("its guarantee has no threshold, target or delta")
    if not isinstance(plain.get("own_decisions"), bool):
        raise TypeError("its guarantee does not say which decisions of the teacher are meant")
    return plain
