"""A wrong argument ends in one of tutelage's errors, or in a result of finite numbers: never in an error of Python's or of a library."""

import random
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from public_calls import doors
from wrong_calls import WRONG, imaginary, imaginary_objects, masked, numbers_in

from tutelage.core.errors import TutelageError, one_line


def calls(seed: int) -> Iterator[tuple[str, dict[str, Any], str]]:
    """The name of a door, arguments of which one or two are wrong, and what was changed; without end."""
    choose = random.Random(seed)  # noqa: S311 - not for cryptography
    names = sorted(doors())
    while True:
        choose.shuffle(names)
        for name in names:
            arguments = doors()[name].arguments
            given = {each: make() for each, (_, make) in arguments.items()}
            changed = choose.sample(sorted(arguments), 1 if choose.random() < 0.8 else min(2, len(arguments)))
            places = [(each, choose.randrange(len(WRONG[arguments[each][0]]))) for each in changed]
            for each, place in places:
                kind = WRONG[arguments[each][0]]
                try:
                    given[each] = kind[place](given[each])
                except (TypeError, ValueError, IndexError):
                    given[each] = kind[0](given[each])  # this change cannot be made to this value
            yield name, given, ", ".join(f"{each}: {arguments[each][0]} {place}" for each, place in places)


def ending(name: str, given: dict[str, Any]) -> str:
    """How a call ended: "refused", "right", or what is wrong with it."""
    door = doors()[name]
    try:
        found = numbers_in(door.numbers(door.call(**given)))
    except TutelageError as error:
        return "refused" if str(error) else "an error without a message"
    except Exception as error:
        return f"{type(error).__name__}: {one_line(error)}"
    return "right" if all(np.isfinite(each).all() for each in found) else "a result that is not finite"


def check(calls_to_make: int, seed: int) -> None:
    endings, wrong = {"refused": 0, "right": 0}, []
    for (name, given, changed), _ in zip(calls(seed), range(calls_to_make), strict=False):
        found = ending(name, given)
        if found in endings:
            endings[found] += 1
        else:
            wrong.append(f"{name} ({changed}): {found[:200]}")
    assert not wrong, "\n".join(wrong)
    assert endings["refused"] > calls_to_make / 2, endings


@pytest.fixture(autouse=True)
def _quiet_in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # some wrong names are valid names of new files
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def test_right_arguments_are_accepted():
    for name, door in doors().items():
        if name not in ("open_teacher", "load_weights"):  # refused for want of a file
            assert ending(name, {each: make() for each, (_, make) in door.arguments.items()}) == "right", name


LOOKED_AT_ELSEWHERE = ("preflight", "as_teacher", "check_teacher", "UnlabelledPool")
"""A finding of preflight; a function of the caller's, which may take any rows; rows that are passed on as they are."""


@pytest.mark.parametrize(
    ("change", "kinds"), [(imaginary, {"rows", "targets"}), (imaginary_objects, {"rows", "targets"}), (masked, {"targets"})]
)
def test_what_numpy_would_drop_in_silence_is_refused(change, kinds):
    """The imaginary parts of numbers, and the mask of targets, labels, weights and scores. Masked rows have missing cells."""
    for name, door in doors().items():
        for changed, (kind, make) in door.arguments.items():
            if kind in kinds and name not in LOOKED_AT_ELSEWHERE:
                given = {each: other() for each, (_, other) in door.arguments.items()}
                assert ending(name, {**given, changed: change(make())}) == "refused", (name, changed)


def test_a_wrong_argument_ends_in_an_error_of_ours_or_a_finite_result():
    check(170, seed=0)


@pytest.mark.slow
def test_two_thousand_wrong_calls_end_in_errors_of_ours_or_finite_results():
    check(2000, seed=1)
