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
    """A Teacher that calls a function, such as a client of a remote model. `as_teacher` builds it.

    Attributes:
        function: rows, as they are passed to `answer` -> (rows, classes) numbers; (rows,) for regression values, or for
            the second of two classes.
        form: kind, task and classes of the numbers.
        version: part of the fingerprint. Change it whenever the function gives other answers.

    Example:
        >>> import tutelage as tl
        >>> def share_of_vowels(texts):
        ...     return [sum(letter in "aeiou" for letter in text) / len(text) for text in texts]
        >>> teacher = tl.as_teacher(share_of_vowels, kind="probabilities", classes=["consonants", "vowels"])
        >>> type(teacher) is tl.teachers.FunctionTeacher
        True
        >>> teacher.answer(["tree", "idea"])
        array([[0.5 , 0.5 ],
               [0.25, 0.75]])
    """

    function: Callable[[Any], Any]
    form: AnswerForm
    version: str = "unversioned"

    @property
    def fingerprint(self) -> str:
        """The function's name, a hash of its source code where that can be read, and the version.

        A change in what the function uses (a model, a service) does not show in its source: pass a new version then.
        """
        callee = self.function if hasattr(self.function, "__qualname__") else type(self.function)
        try:
            source = inspect.getsource(callee)
        except (OSError, TypeError):  # entered at a prompt, or written in C
            source = ""
        return f"function:{callee.__module__}.{callee.__qualname__}:{hashlib.sha256(source.encode()).hexdigest()[:16]}:{self.version}"

    def answer(self, inputs: Any) -> Floats:
        """(rows, classes) or (rows, outputs), checked against the form. Exceptions of the function are not caught."""
        rows = row_count(inputs)
        return self.form.take(self.function(inputs), rows, "the function's answers")


def function_teacher(function: Callable[[Any], Any], declared: Declared) -> FunctionTeacher:
    """The teacher that `as_teacher` makes from a function.

    Raises:
        BadInput: kind or classes are missing.
    """
    return FunctionTeacher(function, declared.form(of="a function"))
