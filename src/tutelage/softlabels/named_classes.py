"""Numbers for all classes from lines that name their classes, or tokens that stand for classes: added, scaled and completed."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tutelage.core.answer_values.class_names import list_classes
from tutelage.core.arrays import Floats
from tutelage.core.errors import BadInput, LabelMismatch, NotProbabilities, shown
from tutelage.softlabels.log_lines import Pairs
from tutelage.softlabels.options import LoggedKind

MASS_SLACK = 1e-3
"""How far the sum of the logged probabilities of a row may be from one."""


def exp(log_probs: Floats) -> Floats:
    """Probabilities; a number far above 0, which is not a log-probability, becomes inf, and the checks refuse it."""
    with np.errstate(over="ignore"):
        return np.asarray(np.exp(log_probs))


def from_tokens(
    lines: list[list[tuple[Any, Any]] | None],
    kind: LoggedKind,
    *,
    classes: Sequence[Any] | None,
    rest: str,
    mapping: Mapping[Any, Any],
    independent: bool = False,
) -> tuple[Floats, tuple[Any, ...]]:
    """(lines, classes) numbers of lines that name their classes or tokens, and the classes.

    Args:
        lines: the pairs of each line, from `token_numbers`.
        kind: the kind of the numbers.
        classes: the classes in order; None for those that occur.
        rest: what becomes of the probability that a line leaves out.
        mapping: the class that each name stands for.
        independent: whether the classes are labels of which each is on or off: their numbers are neither added, scaled nor completed.

    Raises:
        LabelMismatch: an unknown class, or a line that does not give each independent label one number. NotProbabilities, BadInput:
            numbers that are not of this kind.
    """
    labels = labels_in(lines, mapping) if classes is None else tuple(classes)
    place = {str(label): index for index, label in enumerate(labels)}
    numbers, dropped = np.full((len(lines), len(labels)), np.nan), np.zeros(len(lines))
    for index, line in enumerate(lines):
        if line is None:
            raise BadInput(f"line {index} does not name its classes or tokens, as line 0 does; log every line in one form.")
        for token, given in line:
            figure, label = _number(given, token, index), mapping.get(token, token)
            if label is None:
                dropped[index] += 0.0 if figure is None or independent or kind == "logits" else _probability(figure, token, index, kind)
            elif figure is not None:
                if str(label) not in place:
                    raise LabelMismatch(
                        f"the log has the class {token!r} in line {index}, which is not among {list_classes(labels)}. "
                        "Add it to classes=, or map it with mapping=."
                    )
                if independent and not np.isnan(numbers[index, place[str(label)]]):
                    raise LabelMismatch(f"line {index} gives the label {label!r} two numbers; expected one for each independent label.")
                _add(numbers[index], place[str(label)], figure, kind)
    if independent:
        return _of_each_label(numbers, labels), labels
    return _completed(_scaled(numbers, np.minimum(dropped, 1.0), kind), kind, rest=rest), labels


def check_mapping(mapping: Mapping[Any, Any], said: Iterable[Any]) -> None:
    """Check that lines say what a mapping names; a null vote may be missing.

    Args:
        mapping: the class that each name stands for.
        said: the classes, tokens or votes of all lines.

    Raises:
        BadInput: no line says any of it.

    Warns:
        UserWarning: no line says some of it.
    """
    named = [name for name in mapping if name is not None]
    found = set(said) if named else set()
    unsaid = [name for name in named if name not in found]
    if not unsaid:
        return
    sentence = f"mapping= names {', '.join(map(repr, unsaid[:6]))}, which no line says"
    if len(unsaid) == len(named):
        known = ", ".join(sorted(map(repr, found))[:6])
        raise BadInput(f"{sentence}; the lines say {known}{' and more' if len(found) > 6 else ''}. Correct it, or leave it out.")
    warnings.warn(f"{sentence}.", stacklevel=4)


def labels_in(lines: Sequence[Pairs | None], mapping: Mapping[Any, Any]) -> tuple[Any, ...]:
    """The classes that occur, in sorted order."""
    found = {
        label for line in lines for token, number in line or () if number is not None and (label := mapping.get(token, token)) is not None
    }
    return tuple(sorted(found, key=lambda label: (isinstance(label, str), label)))


def _number(given: Any, token: Any, line: int) -> float | None:
    """A logged number; None if there is none."""
    try:
        return None if given is None else float(given)
    except (TypeError, ValueError, OverflowError) as error:
        raise NotProbabilities(
            f"line {line} holds {shown(given)} for {token!r}; expected a number for each class. Pass answers=, the column of such numbers, "
            "or of responses with top_logprobs."
        ) from error


def _probability(number: float, token: Any, line: int, kind: LoggedKind) -> float:
    """The probability of a token that is dropped."""
    probability = float(exp(np.asarray(number))) if kind == "log-probabilities" else number
    if not 0 <= probability <= 1 + MASS_SLACK:
        raise NotProbabilities(f"line {line} holds {number:g} for {token!r}, which is none of {kind}; correct the line, or drop it.")
    return probability


def _add(numbers: NDArray[np.float64], place: int, number: float, kind: LoggedKind) -> None:
    """Add the number of a token to that of its class: probabilities are added, and their logarithms as probabilities."""
    number = number if number == number else np.inf  # noqa: PLR0124 - a logged NaN is not a class left out
    before = numbers[place]
    if np.isnan(before):
        numbers[place] = number
    else:
        numbers[place] = before + number if kind == "probabilities" else np.logaddexp(before, number)


def _scaled(numbers: Floats, dropped: Floats, kind: LoggedKind) -> Floats:
    """The numbers of each line after its dropped tokens: the remaining probability is scaled up to what it was."""
    if not dropped.any():
        return numbers
    lost = np.flatnonzero(1 - dropped < MASS_SLACK)
    if len(lost):
        raise LabelMismatch(f"line {lost[0]} has no probability left after mapping= drops its tokens; drop the line.")
    return numbers - np.log1p(-dropped)[:, None] if kind == "log-probabilities" else numbers / (1 - dropped)[:, None]


def _completed(numbers: Floats, kind: LoggedKind, *, rest: str) -> Floats:
    """Complete top-k lines (NaN for a class that is left out) to distributions over all classes."""
    left_out = np.isnan(numbers)
    if kind == "logits":
        if left_out.any():
            raise BadInput(
                "the log leaves classes out of its logits, which does not determine their probability; log log-probabilities, or "
                "all classes."
            )
        return numbers
    p = np.where(left_out, 0.0, exp(numbers) if kind == "log-probabilities" else numbers)
    _check_named(p, kind)
    mass = 1 - p.sum(axis=1)
    if (mass < -MASS_SLACK).any():
        line = int(np.flatnonzero(mass < -MASS_SLACK)[0])
        raise NotProbabilities(
            f"the probabilities of line {line} sum to {1 - mass[line]:.4g}; expected at most 1. Check that kind={kind!r} is right."
        )
    missing = left_out.sum(axis=1)
    if rest == "drop":
        p = p / np.maximum(p.sum(axis=1, keepdims=True), np.finfo(float).tiny)
    else:
        lost = (missing == 0) & (mass > MASS_SLACK)
        if lost.any():
            line = int(np.flatnonzero(lost)[0])
            raise NotProbabilities(
                f"the probabilities of all classes in line {line} sum to {1 - mass[line]:.4g}, expected 1; pass rest='drop' to "
                "scale them up."
            )
        p = np.where(left_out, (np.maximum(mass, 0) / np.maximum(missing, 1))[:, None], p)
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(p) if kind == "log-probabilities" else p)


def _of_each_label(numbers: Floats, labels: tuple[Any, ...]) -> Floats:
    """Numbers of independent labels, of which none follows from the others."""
    lacking = np.isnan(numbers)
    if lacking.any():
        line = int(np.flatnonzero(lacking.any(axis=1))[0])
        missing = tuple(label for label, left_out in zip(labels, lacking[line], strict=True) if left_out)
        raise LabelMismatch(
            f"line {line} has no number for {list_classes(missing)}; each label of a multilabel task is on or off by itself, so a line "
            f"needs a number for each of {list_classes(labels)}. Log all labels, or drop the line."
        )
    return numbers


def _check_named(p: Floats, kind: LoggedKind) -> None:
    bad = ~((p >= 0) & np.isfinite(p)).all(axis=1)
    if bad.any():
        raise NotProbabilities(
            f"line {int(np.flatnonzero(bad)[0])} holds numbers that are not {kind}; expected 0 to 1, or their logarithms for "
            "log-probabilities."
        )
