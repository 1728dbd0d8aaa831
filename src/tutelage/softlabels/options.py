"""The options of `record` and `read_answers`, as types and as tuples. Imports no array library: the command line lists them in its help."""

from __future__ import annotations

from typing import Literal, get_args

LoggedKind = Literal["probabilities", "log-probabilities", "logits", "votes", "values"]
Rest = Literal["spread", "drop"]
Repeated = Literal["error", "mean"]
Dtype = Literal["float16", "float32", "float64"]

LOGGED_KINDS: tuple[LoggedKind, ...] = get_args(LoggedKind)
RESTS: tuple[Rest, ...] = get_args(Rest)
REPEATED: tuple[Repeated, ...] = get_args(Repeated)
DTYPES: tuple[Dtype, ...] = get_args(Dtype)

SHARD_ROWS = 65_536
"""Rows in each shard of a recording, and rows that a teacher is queried with at a time when answers are held in memory."""
