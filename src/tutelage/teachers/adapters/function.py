"""Any function from rows to numbers as a teacher."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tutelage.core.answers import AnswerForm
from tutelage.core.arrays import Floats
from tutelage.core.identity.fingerprints import fingerprint_of
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
        version: identifies the function in place of its content. Change it whenever the function gives other answers.

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
    version: str | None = None

    @property
    def fingerprint(self) -> str:
        """A hash of the function's code and of what it holds and reads: the object it is bound to, arguments, closures, globals, models.

        It cannot show a change outside the process, such as in a service that the function calls or a file that it reads: pass a
        version then.
        """
        callee = self.function if hasattr(self.function, "__qualname__") else type(self.function)
        return fingerprint_of(self.function, name=f"function:{callee.__qualname__}", version=self.version)

    def answer(self, inputs: Any) -> Floats:
        """(rows, classes) or (rows, outputs), checked against the form. Exceptions of the function are not caught."""
        rows = row_count(inputs)
        return self.form.take(self.function(inputs), rows, "the function's answers")


def function_teacher(function: Callable[[Any], Any], declared: Declared) -> FunctionTeacher:
    """The teacher that `as_teacher` makes from a function.

    Raises:
        BadInput: kind or classes are missing.
    """
    return FunctionTeacher(function, declared.form(of="a function"), declared.version)
