"""The prompt for a text, and what an answer says of the classes."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from string import Formatter, ascii_lowercase, ascii_uppercase
from typing import Any

import numpy as np

from tutelage.core.arrays import Floats
from tutelage.core.errors import FOREIGN, BadInput, LabelMismatch, TutelageError, one_line, shown
from tutelage.core.identity.hashing import content_hash
from tutelage.teachers.endpoints.completions import Choice

Messages = list[dict[str, str]]
Template = str | Callable[[str], Any]

BY_LABEL = """Which of these classes does the text below belong to?

{classes}

Answer with the name of one class and nothing else.

Text:
{text}"""
BY_NUMBER = BY_LABEL.replace("the name of one class", "the number of one class")
"""Where the first token is read: the names of two classes may begin with the same one."""
BY_LETTER = BY_LABEL.replace("the name of one class", "the letter of one class")
"""Where the numbers of classes would begin with the same token as well, or be taken for their names."""
MOST_NUMBERED = 9
"""Numbers of more classes take two tokens."""
CUT_OFF = ("length", "model_length", "max_tokens")
"""Why an answer ended, if it was longer than it may be; endpoints name it so."""


@dataclass(frozen=True)
class Prompt:
    """How a text is put to the model.

    Attributes:
        template: a format string with {text} and {classes}, or a function from a text to a prompt or to messages.
        classes: names of the classes, as they are shown to the model.
    """

    template: Template
    classes: tuple[str, ...]

    def __post_init__(self) -> None:
        if isinstance(self.template, str):
            _check_fields(self.template)
        elif not callable(self.template):
            raise BadInput(f"prompt is {shown(self.template)}; expected a text with {{text}} and {{classes}}, or a function of a text.")

    @property
    def by_letter(self) -> bool:
        """Whether the model is asked for the letter of a class."""
        return self.template == BY_LETTER

    def identity(self) -> str:
        """What tells this prompt from others.

        Raises:
            BadInput: a function whose content cannot be read.
        """
        if isinstance(self.template, str):
            return json.dumps([self.template, self.classes])
        return json.dumps([content_hash(self.template), self.classes])

    def messages(self, text: str) -> Messages:
        """The messages for a text.

        Raises:
            BadInput: the function fails, or returns neither a text nor messages.
        """
        if isinstance(self.template, str):
            return [{"role": "user", "content": self.template.format(text=text, classes=listed(self.classes, letters=self.by_letter))}]
        try:
            found = self.template(text)
        except TutelageError:
            raise
        except FOREIGN as error:  # the user's function
            raise BadInput(f"the function prompt= fails ({type(error).__name__}: {one_line(error)}).") from error
        if isinstance(found, str):
            return [{"role": "user", "content": found}]
        if not isinstance(found, Sequence) or not found or not all(map(_is_message, found)):
            raise BadInput(
                f"the function prompt= returns {shown(found)}; expected a text, or a list of messages such as "
                "{'role': 'user', 'content': '...'}."
            )
        return [{"role": message["role"], "content": message["content"]} for message in found]


def of_first_token(classes: Sequence[str]) -> str:
    """The default prompt where the first token is read: no two classes are answered with the same one."""
    if are_numbered(classes):
        return BY_NUMBER if len(classes) <= MOST_NUMBERED else BY_LETTER
    return BY_LABEL if len({name.strip()[0].casefold() for name in classes}) == len(classes) else BY_LETTER


def listed(classes: Sequence[str], *, letters: bool = False) -> str:
    """The classes, one a line, with their letters, or with their numbers unless one of them looks like a number."""
    if letters:
        return "\n".join(f"{letter}. {name}" for letter, name in zip(ascii_uppercase, classes, strict=False))
    if not are_numbered(classes):
        return "\n".join(f"- {name}" for name in classes)
    return "\n".join(f"{number}. {name}" for number, name in enumerate(classes, 1))


def are_numbered(classes: Sequence[str]) -> bool:
    """Whether the model may answer with the number of a class: not where a name looks like one."""
    return not any(re.match(r"\s*\d", name) for name in classes)


def _check_fields(template: str) -> None:
    try:
        fields = [(name, form, conversion) for _, name, form, conversion in Formatter().parse(template) if name is not None]
    except ValueError as error:
        raise BadInput(f"prompt= is no format string ({error}); write {{{{ and }}}} for braces that stand for themselves.") from error
    wrong = next((name for name, form, conversion in fields if name not in ("text", "classes") or form or conversion), None)
    if wrong is not None:
        raise BadInput(f"prompt= has the field {{{wrong}}}; expected {{text}} and {{classes}}, and {{{{ and }}}} for braces.")
    if not any(name == "text" for name, _, _ in fields):
        raise BadInput("prompt= has no field {text}, so that all texts would have the same prompt; write {text} where the text belongs.")


def _is_message(found: Any) -> bool:
    return isinstance(found, Mapping) and isinstance(found.get("role"), str) and isinstance(found.get("content"), str)


@dataclass(frozen=True)
class ClassReader:
    """What answers say of the classes.

    Attributes:
        names: of the classes, as they are shown to the model.
        letters: whether the first token is the letter of a class, and not its name or its number.
    """

    names: tuple[str, ...]
    letters: bool = False

    def __post_init__(self) -> None:
        empty = next((name for name in self.names if not name.strip()), None)
        if empty is not None:
            raise LabelMismatch("classes holds an empty name, which no model can answer with; name each class.")
        twice = [name for name, count in Counter(name.strip() for name in self.names).items() if count > 1]
        if twice:
            raise LabelMismatch(f"classes holds two that a model would both call {twice[0]!r}; give each a name of its own.")

    @cached_property
    def _exact(self) -> dict[str, int]:
        return {name.strip(): place for place, name in enumerate(self.names)}

    @cached_property
    def _folded(self) -> dict[str, int]:
        """Names without case, where these differ in more than case."""
        counts = Counter(name.casefold() for name in self._exact)
        return {name.casefold(): place for name, place in self._exact.items() if counts[name.casefold()] == 1}

    def place(self, answer: str) -> int | None:
        """The class that an answer names, by its name or its number; None if it names none.

        Spaces, quotes, asterisks and a full stop around it do not count, nor does case where no two names differ in case alone.

        Example:
            >>> reader = ClassReader(("spam", "ham"))
            >>> reader.place(" Spam."), reader.place("2"), reader.place("1. spam"), reader.place("spam or ham")
            (0, 1, 0, None)
        """
        for said in (answer.strip(), answer.strip().strip("\"'`*").rstrip(".").strip("\"'`* \n")):
            found = self._exact.get(said, self._folded.get(said.casefold()))
            if found is not None:
                return found
            number = re.fullmatch(r"(\d{1,6})(?:[.)]\s*(.*))?", said) if are_numbered(self.names) else None
            if number and 1 <= int(number[1]) <= len(self.names):
                place = int(number[1]) - 1
                if not number[2] or self._exact.get(number[2], self._folded.get(number[2].casefold())) == place:
                    return place
        return None

    def goes_on(self, answer: str) -> bool:
        """Whether an answer, were it longer, could be the name or the number of a class that it is not.

        Example:
            >>> reader = ClassReader(("New", "New York", *"abcdefgh"))
            >>> reader.goes_on("new"), reader.goes_on('"New"'), reader.goes_on("1"), reader.goes_on("1."), reader.goes_on("10")
            (True, False, True, False, False)
        """
        begun = {answer.lstrip().casefold(), answer.lstrip("\"'`* \n").casefold()}
        numbers = map(str, range(1, len(self.names) + 1)) if are_numbered(self.names) else ()
        longer = [*map(str.casefold, self._exact), *numbers]
        return any(name.startswith(said) and name != said for said in begun for name in longer)

    @property
    def beginning_another(self) -> tuple[str, str] | None:
        """A name that another begins with, and the other: the first token may not tell them apart. None if there is none."""
        names = [(name, name.casefold()) for name in self._exact]
        return next(((name, longer) for name, said in names for longer, whole in names if name != longer and whole.startswith(said)), None)

    def starting_with(self, token: str) -> set[int]:
        """The classes whose name or number begins with a token, or whose letter it is.

        Example:
            >>> reader = ClassReader(("delivery", "delay", "money"))
            >>> reader.starting_with(" mon"), reader.starting_with("deli"), reader.starting_with("del"), reader.starting_with("3")
            ({2}, {0}, {0, 1}, {2})
        """
        said = token.lstrip("\u2581\u0120").strip().strip("\"'`*.,:").casefold()  # how vocabularies write a space, shown by some endpoints
        if not said:
            return set()
        if self.letters:
            return {place for place, letter in zip(range(len(self.names)), ascii_lowercase, strict=False) if letter == said}
        begun = {place for name, place in self._exact.items() if name.casefold().startswith(said)}
        if are_numbered(self.names):
            begun |= {place for place in range(len(self.names)) if str(place + 1).startswith(said)}
        return begun

    def votes(self, choices: Sequence[Choice]) -> tuple[Floats, Counter[str]]:
        """(classes,) votes, and why the others are none: "refused", "cut off", "empty" or "no class".

        An answer that names a class and was cut off where the name of another may go on is none.
        """
        votes, others = np.zeros(len(self.names)), Counter[str]()
        for choice in choices:
            cut = choice.finish in CUT_OFF
            place = None if choice.refused or choice.text is None else self.place(choice.text)
            if place is not None and not (cut and self.goes_on(choice.text or "")):
                votes[place] += 1
            else:
                empty = choice.text is None or not choice.text.strip()
                others["refused" if choice.refused else "cut off" if cut else "empty" if empty else "no class"] += 1
        return votes, others

    def mass(self, top: Sequence[tuple[str, float]]) -> tuple[Floats, float]:
        """(classes,) probability of the tokens that begin one class, and that of the tokens that begin several."""
        mass, unclear = np.zeros(len(self.names)), 0.0
        for token, logprob in top:
            places, probability = self.starting_with(token), math.exp(min(logprob, 0.0))
            if len(places) == 1:
                mass[places.pop()] += probability
            elif places:
                unclear += probability
        return mass, unclear
