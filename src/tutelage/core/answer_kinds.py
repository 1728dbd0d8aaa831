"""The kinds of answers and the tasks, as types and as tuples. Imports no array library: the command line lists them in its help."""

from __future__ import annotations

from typing import Literal, get_args

AnswerKind = Literal["logits", "probabilities", "values"]
Task = Literal["binary", "multiclass", "multilabel", "regression"]

Positions = Literal["tokens", "pixels"]

KINDS: tuple[AnswerKind, ...] = get_args(AnswerKind)
TASKS: tuple[Task, ...] = get_args(Task)
POSITIONS: tuple[Positions, ...] = get_args(Positions)
