"""What the caller declares of a model that does not know it itself: classes, kind, task, output."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tutelage.core.answer_kinds import AnswerKind, Task
from tutelage.core.answers import AnswerForm, of_classes
from tutelage.core.errors import BadInput


@dataclass(frozen=True)
class Declared:
    """What the caller says of a teacher that cannot say it itself.

    Attributes:
        classes: the label of each answer, in order.
        kind: what the numbers are.
        task: what they are about.
        output: takes the answers out of what a torch Module returns.
    """

    classes: tuple[Any, ...] | None = None
    kind: AnswerKind | None = None
    task: Task | None = None
    output: Callable[[Any], Any] | None = None

    def only(self, *allowed: str, of: str) -> Declared:
        """Itself, after proving that nothing was declared which this teacher knows better or has no use for.

        Raises:
            BadInput: names what to leave out.
        """
        for name in ("classes", "kind", "task", "output"):
            if getattr(self, name) is not None and name not in allowed:
                raise BadInput(f"{of} needs no {name}= from you: leave {name}= out.")
        return self

    def form(self, *, of: str) -> AnswerForm:
        """The form of a teacher that knows nothing of itself.

        Raises:
            BadInput: names what to declare.
        """
        if self.task == "regression" or self.kind == "values":
            return AnswerForm(self.kind or "values", self.task or "regression", self.classes or ())
        if self.kind is None:
            raise BadInput(f"{of} cannot say what its numbers are: pass kind='logits', 'probabilities' or 'values'.")
        if self.classes is None:
            raise BadInput(f"{of} does not know its labels: pass classes=, the label of each of its answers in order.")
        return of_classes(self.kind, self.classes) if self.task is None else AnswerForm(self.kind, self.task, self.classes)
