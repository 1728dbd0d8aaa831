"""The caller's declarations about a model that does not store them: classes, kind, task, output, and how many rows it answers at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tutelage.core.answer_kinds import AnswerKind, Positions, Task
from tutelage.core.answers import AnswerForm, of_classes
from tutelage.core.arguments import text, whole
from tutelage.core.errors import BadInput


@dataclass(frozen=True)
class Declared:
    """The arguments of `as_teacher` that supply what a model does not store.

    Attributes:
        classes: the class label of each output column, in order.
        kind: "logits", "probabilities" or "values".
        task: "binary", "multiclass", "multilabel" or "regression".
        output: selects the logits in what a torch Module returns.
        version: identifies a model whose content cannot be read.
        positions: "tokens" or "pixels", if there is an answer for each.
        batch_size: rows that a network answers at once.
    """

    classes: tuple[Any, ...] | None = None
    kind: AnswerKind | None = None
    task: Task | None = None
    output: Callable[[Any], Any] | None = None
    version: str | None = None
    positions: Positions | None = None
    batch_size: int | None = None

    def __post_init__(self) -> None:
        if self.version is not None:
            text("version", self.version)
        if self.batch_size is not None:
            whole("batch_size", self.batch_size, 1)

    def only(self, *allowed: str, of: str) -> Declared:
        """Return itself after checking that nothing other than `allowed` was declared.

        Raises:
            BadInput: names the declaration to leave out.
        """
        for name in ("classes", "kind", "task", "output", "version", "positions", "batch_size"):
            if getattr(self, name) is not None and name not in allowed:
                raise BadInput(f"{name}= was passed for {of}, which does not need it: leave {name}= out.")
        return self

    def form(self, *, of: str) -> AnswerForm:
        """The form of a teacher whose model stores neither kind nor classes.

        Raises:
            BadInput: names the declaration that is missing.
        """
        if self.task == "regression" or self.kind == "values":
            return AnswerForm(self.kind or "values", self.task or "regression", self.classes or (), self.positions)
        if self.kind is None:
            names = " with classes=, the label of each output column in order" if self.classes is None else ""
            kinds = f"kind='logits' or 'probabilities'{names}, or kind='values'"
            raise BadInput(f"{of} does not declare the kind of its numbers: pass {kinds}.")
        if self.classes is None:
            raise BadInput(f"{of} does not declare its class labels: pass classes=, the label of each output column in order.")
        task = self.task or of_classes(self.kind, self.classes).task
        return AnswerForm(self.kind, task, self.classes, self.positions)
