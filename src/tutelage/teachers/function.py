"""Any function from rows to numbers as a teacher."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tutelage.core.answers import AnswerForm, of_classes, two_columns
from tutelage.core.arrays import Floats
from tutelage.core.errors import BadInput

if TYPE_CHECKING:
    from tutelage.teachers.adapt import Declared


@dataclass(frozen=True, eq=False)
class FunctionTeacher:
    """Asks a function.

    Attributes:
        function: rows as they come -> (rows, classes) numbers; (rows,) for values, or for the second of two classes.
        form: what the numbers are.
        version: told by the caller, to be changed whenever the function answers otherwise.
    """

    function: Callable[[Any], Any]
    form: AnswerForm
    version: str = "unversioned"

    @property
    def fingerprint(self) -> str:
        """The function's name and version: what it would answer cannot be told from outside."""
        name = getattr(self.function, "__qualname__", type(self.function).__qualname__)
        return f"function:{name}:{self.version}"

    def answer(self, inputs: Any) -> Floats:
        """(rows, classes) or (rows, outputs), checked against the form."""
        said = np.asarray(self.function(inputs))
        one_of_two = self.form.task == "binary" and self.form.kind != "values" and (said.ndim == 1 or said.shape[1:] == (1,))
        return self.form.check(two_columns(said, self.form.kind) if one_of_two else said, len(said), "the function's answers")


def function_teacher(function: Callable[[Any], Any], declared: Declared) -> FunctionTeacher:
    """A teacher from a function, as `as_teacher` makes it.

    Raises:
        BadInput: kind or classes are missing.
    """
    return FunctionTeacher(function, declared_form(declared, of="a function"))


def declared_form(declared: Declared, *, of: str) -> AnswerForm:
    """The form of a teacher that knows nothing of itself.

    Raises:
        BadInput: names what to declare.
    """
    if declared.task == "regression" or declared.kind == "values":
        return AnswerForm(declared.kind or "values", declared.task or "regression", declared.classes or ())
    if declared.kind is None:
        raise BadInput(f"{of} cannot say what its numbers are: pass kind='logits', 'probabilities' or 'values'.")
    if declared.classes is None:
        raise BadInput(f"{of} cannot say what its columns are: pass classes=, the label of each in order.")
    if declared.task is not None:
        return AnswerForm(declared.kind, declared.task, declared.classes)
    return of_classes(declared.kind, declared.classes)
