"""Any function from rows to numbers as a teacher."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tutelage.core.answer_values.top_answers import TopAnswers
from tutelage.core.answers import AnswerForm
from tutelage.core.errors import without_exit
from tutelage.core.identity.fingerprints import fingerprint_of
from tutelage.core.position_answers import Answers, joined
from tutelage.data.structures.given_answers import checked_answers
from tutelage.data.structures.structured import StructuredRows, is_structure
from tutelage.teachers.inputs import copied_rows, row_count

if TYPE_CHECKING:
    from tutelage.teachers.adapters.declared import Declared


@dataclass(frozen=True, eq=False)
class FunctionTeacher:
    """A Teacher that calls a function, such as a client of a remote model. `as_teacher` builds it.

    Attributes:
        function: a copy of the rows that are passed to `answer` -> (rows, classes) numbers; (rows,) for regression values, or for
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
        """(rows, classes) or (rows, outputs), checked against the form. Exceptions of the function are not caught, but for SystemExit.

        Rows of several inputs reach the function as a dict or a tuple of arrays, each padded to its longest row; without an attention
        mask, which tells padding, rows of each length on their own. Answers to padding, and to what the mask leaves out, are left out.
        """
        rows = StructuredRows.of(inputs) if is_structure(inputs) else inputs
        if not isinstance(rows, StructuredRows) or rows.may_be_padded:
            return self._answers(rows)
        groups = rows.batches(len(rows))
        return joined(self._answers(rows[group]) for group in groups)[np.argsort(np.concatenate(groups), kind="stable")]

    def _answers(self, rows: Any) -> Answers:
        count, what = row_count(rows), "the function's answers"
        with without_exit("the teacher's function"):
            answers = self.function(copied_rows(rows.plain() if isinstance(rows, StructuredRows) else rows))
        as_they_are = self.form.positions is not None or isinstance(answers, TopAnswers)
        return checked_answers(self.form, answers, rows, count, what) if as_they_are else self.form.take(answers, count, what)


def function_teacher(function: Callable[[Any], Any], declared: Declared) -> FunctionTeacher:
    """The teacher that `as_teacher` makes from a function.

    Raises:
        BadInput: kind or classes are missing.
    """
    return FunctionTeacher(function, declared.form(of="a function"), declared.version)
