"""Any function from rows to numbers as a teacher."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tutelage.core.answer_values.top_answers import TopAnswers
from tutelage.core.answers import AnswerForm
from tutelage.core.identity.fingerprints import fingerprint_of
from tutelage.core.position_answers import Answers, checked
from tutelage.data.structures.structured import StructuredRows, is_structure
from tutelage.teachers.inputs import row_count

if TYPE_CHECKING:
    from tutelage.teachers.adapters.declared import Declared


@dataclass(frozen=True, eq=False)
class FunctionTeacher:
    """A Teacher that calls a function, such as a client of a remote model. `as_teacher` builds it.

    Attributes:
        function: rows, as they are passed to `answer` -> (rows, classes) numbers; (rows,) for regression values, or for
            the second of two classes; `TopAnswers` if it knows only the most probable classes.
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

    def answer(self, inputs: Any) -> Answers:
        """(rows, classes) or (rows, outputs), checked against the form. Exceptions of the function are not caught.

        Rows of several inputs reach the function as a dict or a tuple of arrays, each padded to its longest row.
        """
        inputs = StructuredRows.of(inputs) if is_structure(inputs) else inputs
        rows, what = row_count(inputs), "the function's answers"
        answers = self.function(inputs.plain() if isinstance(inputs, StructuredRows) else inputs)
        as_they_are = self.form.positions is not None or isinstance(answers, TopAnswers)
        return checked(self.form, answers, rows, what) if as_they_are else self.form.take(answers, rows, what)


def function_teacher(function: Callable[[Any], Any], declared: Declared) -> FunctionTeacher:
    """The teacher that `as_teacher` makes from a function.

    Raises:
        BadInput: kind or classes are missing.
    """
    return FunctionTeacher(function, declared.form(of="a function"), declared.version)
