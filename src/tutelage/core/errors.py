"""Every error that tutelage raises deliberately.

TutelageError
├── MissingExtra        an optional package is not installed (also an ImportError)
├── BadInput            an input cannot be used (also a ValueError)
│   ├── ShapeError          the shapes of two arrays do not match
│   ├── WrongType           an input is of a kind that cannot be used (also a TypeError)
│   ├── NotProbabilities    rows that should be probabilities are not
│   └── LabelMismatch       soft labels were recorded for other rows or other classes
├── DamagedFile         the content of a file does not match its checksum
├── StaleCache          a cache entry was written by a version that computed other answers
├── CannotRead          another file system, named by a URI, cannot be read
├── CannotWrite         a file or folder cannot be written
├── ParityError         an exported file disagrees with its student
└── SelfCheckFailed     training produced an unusable result (a NaN loss)

Each message is one or two sentences: what was seen, what was expected, what to do.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from importlib.util import find_spec
from types import ModuleType


class TutelageError(Exception):
    """Base class of every error that tutelage raises deliberately.

    Example:
        >>> import tutelage as tl
        >>> try:
        ...     tl.soften([[2.0, 0.0]], temperature=0)
        ... except tl.TutelageError as error:
        ...     print(f"{type(error).__name__}: {error}")
        BadInput: temperature is 0; expected a finite number above 0 (1 leaves the teacher as it is).
    """

    def __str__(self) -> str:
        """The message, without the control characters that a name of the user's may hold."""
        return printable(super().__str__())


class MissingExtra(TutelageError, ImportError):
    """A required optional package is not installed; the message names the extra that provides it."""


class BadInput(TutelageError, ValueError):
    """An input cannot be used.

    Attributes:
        model_at_fault: whether a model that was asked is at fault, by its answers or by ending the program, and not what it was asked.
    """

    model_at_fault: bool = False


class ShapeError(BadInput):
    """The shapes of two arrays do not match."""


class WrongType(BadInput, TypeError):
    """An input is of a kind that cannot be used."""


class NotProbabilities(BadInput):
    """Rows that should be probabilities are negative, not finite or do not sum to one."""


class LabelMismatch(BadInput):
    """Soft labels were recorded for other rows, or other classes, than those given."""


class DamagedFile(TutelageError):
    """The content of a file does not match its checksum."""


class StaleCache(TutelageError):
    """A cache entry was written by a version that computed other answers than this one."""


class CannotRead(TutelageError):
    """A file or folder of another file system, which a URI names, cannot be read: access is denied, or nothing answers."""


class CannotWrite(TutelageError):
    """A file or folder cannot be written."""


class ParityError(TutelageError):
    """An exported file gives other answers than its student."""


class SelfCheckFailed(TutelageError):
    """A check during the run failed; nothing was written."""


FOREIGN = (Exception, SystemExit)
"""What the code of others raises where it is called: `sys.exit` in it is a failure like any other, and ends no program that called it."""


# The modules that each extra of pyproject.toml provides, in the order in which a user would install them.
EXTRAS: dict[str, tuple[str, ...]] = {
    "torch": ("torch",),
    "onnx": ("onnx", "onnxruntime", "onnxscript", "skl2onnx"),
    "boosting": ("lightgbm",),
    "xgboost": ("xgboost",),
    "catboost": ("catboost",),
    "tables": ("pandas",),
    "report": ("jinja2", "matplotlib"),
    "accelerate": ("accelerate",),
    "track": ("mlflow",),
    "chat": ("openai",),
    "distill": ("optuna", "huggingface_hub"),
    "ray": ("ray",),
    "serve": ("fastapi", "httptools", "onnxruntime", "prometheus_client", "uvicorn"),
}


def require(module: str) -> ModuleType:
    """Import a module that is optional or depends on an optional package.

    Args:
        module: dotted name, such as "torch" or "tutelage.training.student".

    Raises:
        MissingExtra: the module, or one that it imports, is not installed; the message names the extra that provides it.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise missing_extra(error, module) from error


def missing_extra(error: ModuleNotFoundError, module: str = "") -> ModuleNotFoundError | MissingExtra:
    """The error to raise for a module that was not found: MissingExtra if an extra provides it, otherwise `error` itself.

    Args:
        error: the error that the import raised.
        module: the module that was being imported.
    """
    missing = error.name or module
    packages = [name.partition(".")[0] for name in (missing, module)]
    extra = next((name for package in packages for name, modules in EXTRAS.items() if package in modules), None)
    return error if extra is None else MissingExtra(_missing_message([missing], [extra]))


def require_extras(extras: Iterable[str]) -> None:
    """Check, without importing anything, that the packages of these extras are installed.

    Raises:
        MissingExtra: the message names every missing package and one command that installs them all.
    """
    absent = {extra: [m for m in EXTRAS[extra] if find_spec(m) is None] for extra in extras}
    incomplete = [extra for extra, modules in absent.items() if modules]
    if incomplete:
        raise MissingExtra(_missing_message([m for extra in incomplete for m in absent[extra]], incomplete))


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The end of a message about an unknown name: the closest known name, or nothing if none is close."""
    close = get_close_matches(name, list(known), n=1)
    return f" Did you mean {close[0]}?" if close else ""


def shown(value: object) -> str:
    """A value as it is quoted in a message: its repr on one line of at most 80 characters."""
    try:
        text = " ".join(repr(value).split())
    except FOREIGN:  # the code of the user
        text = f"a {type(value).__name__}"
    return text if len(text) <= 80 else f"{text[:77]}..."


_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2028\u2029\u2066-\u2069\ud800-\udfff]")
"""Control characters, directions of writing, and halves of characters: a terminal obeys them, or cannot print them."""


def printable(text: str) -> str:
    r"""The text with control characters written out, so that a name in it cannot change a terminal; line breaks and tabs stay.

    Example:
        >>> print(printable("column \x1b[2Jage"))
        column \x1b[2Jage
    """
    return _UNPRINTABLE.sub(lambda found: found[0].encode("unicode_escape", "surrogatepass").decode(), text)


@contextmanager
def reported_as_ours(what: str = "") -> Iterator[None]:
    """Report errors of another library, or of a function of the user's, as ours; its text stays.

    Args:
        what: what failed, in front of the text, such as "the student cannot be fitted"; empty for the text alone.

    Raises:
        BadInput: anything but an error of ours. WrongType: a TypeError.
    """
    try:
        yield
    except (TutelageError, Warning):
        raise
    except FOREIGN as error:
        said = _said(error)
        kind = WrongType if isinstance(error, TypeError) else BadInput
        raise kind(f"{what} ({said})." if what else said) from error


@contextmanager
def fault_of_model() -> Iterator[None]:
    """Mark errors of ours as those of a model's answers.

    Raises:
        BadInput: the error, marked.
    """
    try:
        yield
    except BadInput as error:
        error.model_at_fault = True
        raise


@contextmanager
def without_exit(what: str) -> Iterator[None]:
    """Report code of the user's that ends the program as an error of ours; its other errors pass.

    Args:
        what: is called, at the beginning of the sentence.

    Raises:
        BadInput: it called `sys.exit`.
    """
    try:
        yield
    except SystemExit as error:
        ended = BadInput(f"{what} failed ({one_line(error)}); let it return, or raise an error that says what is wrong.")
        ended.model_at_fault = True
        raise ended from error


def one_line(error: BaseException) -> str:
    """The message of another library's error, to be quoted in one of ours.

    It is joined to one line of at most 200 characters. An error without a message yields its type's name.
    """
    text = _said(error)
    return text if len(text) <= 200 else f"{text[:197]}..."


def _said(error: BaseException) -> str:
    if isinstance(error, SystemExit):
        return f"its code called sys.exit({'' if error.code is None else shown(error.code)}), which ends a program"
    return " ".join(str(error).partition("Stack trace:")[0].split()) or type(error).__name__


def _missing_message(modules: list[str], extras: list[str]) -> str:
    verb = "is" if len(modules) == 1 else "are"
    return f'{", ".join(modules)} {verb} needed here and not installed: pip install "tutelage[{",".join(extras)}]"'
