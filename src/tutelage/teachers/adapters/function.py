"""Any function from rows to numbers as a teacher."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tutelage.core.answers import AnswerForm
from tutelage.core.arrays import Floats
from tutelage.teachers.inputs import row_count

if TYPE_CHECKING:
    from tutelage.teachers.adapters.declared import Declared


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
        """The function's name, its own source where it can be read, and the version.

        What the function looks up elsewhere (a model, a service) cannot be told from outside: give a new version when
        that changes.
        """
        asked = self.function if hasattr(self.function, "__qualname__") else type(self.function)
        try:
            source = inspect.getsource(asked)
        except (OSError, TypeError):  # typed at a prompt, or written in C
            source = ""
        return f"function:{asked.__module__}.{asked.__qualname__}:{hashlib.sha256(source.encode()).hexdigest()[:16]}:{self.version}"

    def answer(self, inputs: Any) -> Floats:
        """(rows, classes) or (rows, outputs), checked against the form. What the function raises is passed on."""
        rows = row_count(inputs)
        return self.form.take(self.function(inputs), rows, "the function's answers")


def function_teacher(function: Callable[[Any], Any], declared: Declared) -> FunctionTeacher:
    """A teacher from a function, as `as_teacher` makes it.

    Raises:
        BadInput: kind or classes are missing.
    """
    return FunctionTeacher(function, declared.form(of="a function"))
