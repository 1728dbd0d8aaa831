"""Every error tutelage raises on purpose.

TutelageError
├── MissingExtra        an optional package is not installed (also an ImportError)
├── BadInput            what was given cannot be used (also a ValueError)
│   ├── ShapeError          two arrays do not fit each other
│   ├── NotProbabilities    rows that should be probabilities are not
│   └── LabelMismatch       soft labels recorded on other rows, or other classes
├── DamagedFile         a file is not what its checksum says
├── StaleCache          kept by a version whose answers this one would not give
├── CannotWrite         a place that cannot be written
├── ParityError         an exported file disagrees with its student
└── SelfCheckFailed     training produced something no one should use (NaN loss)

Each message is one or two sentences: what was seen, what was expected, what to do.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from difflib import get_close_matches
from importlib.util import find_spec
from types import ModuleType


class TutelageError(Exception):
    """The root: catch this to catch everything tutelage raises on purpose."""


class MissingExtra(TutelageError, ImportError):
    """An optional package is needed and not installed; the message names the extra."""


class BadInput(TutelageError, ValueError):
    """What was given cannot be used."""


class ShapeError(BadInput):
    """Two arrays do not fit each other."""


class NotProbabilities(BadInput):
    """Rows that should be probabilities are negative, not finite or do not sum to one."""


class LabelMismatch(BadInput):
    """Soft labels recorded on other rows, or for other classes, than those given."""


class DamagedFile(TutelageError):
    """A file's bytes are not those its checksum promises."""


class StaleCache(TutelageError):
    """A kept entry was made by a version whose answers this version would not give."""


class CannotWrite(TutelageError):
    """A folder or file that cannot be written."""


class ParityError(TutelageError):
    """An exported file does not answer as its student does."""


class SelfCheckFailed(TutelageError):
    """A check during the run failed; nothing was written."""


# The modules behind each extra of pyproject.toml, in the order a user would install them.
EXTRAS: dict[str, tuple[str, ...]] = {
    "torch": ("torch",),
    "onnx": ("onnx", "onnxruntime", "onnxscript", "skl2onnx"),
    "boosting": ("lightgbm",),
    "xgboost": ("xgboost",),
    "catboost": ("catboost",),
    "tables": ("pandas",),
    "report": ("jinja2", "matplotlib"),
    "accelerate": ("accelerate",),
}


def require(module: str) -> ModuleType:
    """Import a module that is optional or imports what is, or say which extra brings what is missing.

    Args:
        module: dotted name, such as "torch" or "tutelage.training.student".

    Raises:
        MissingExtra: it, or what it imports, is not installed.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise missing_extra(error, module) from error


def missing_extra(error: ModuleNotFoundError, module: str = "") -> ModuleNotFoundError | MissingExtra:
    """The error to raise for a module that was not found: MissingExtra if an extra brings it, else the error itself.

    Args:
        error: what the import raised.
        module: the module that was being imported.
    """
    lacking = error.name or module
    tops = [name.partition(".")[0] for name in (lacking, module)]
    extra = next((name for top in tops for name, modules in EXTRAS.items() if top in modules), None)
    return error if extra is None else MissingExtra(_sentence([lacking], [extra]))


def require_extras(extras: Iterable[str]) -> None:
    """Check, without importing anything, that the packages behind these extras are installed.

    Raises:
        MissingExtra: names every missing package and the one command that installs them all.
    """
    absent = {extra: [m for m in EXTRAS[extra] if find_spec(m) is None] for extra in extras}
    lacking = [extra for extra, modules in absent.items() if modules]
    if lacking:
        raise MissingExtra(_sentence([m for extra in lacking for m in absent[extra]], lacking))


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The end of a message about a name that is not there: the closest one that is, or nothing if none is close."""
    close = get_close_matches(name, list(known), n=1)
    return f" Did you mean {close[0]}?" if close else ""


def one_line(error: BaseException) -> str:
    """What another library's error says, for a sentence of ours: one line, not too long; its name if it says nothing."""
    text = " ".join(str(error).partition("Stack trace:")[0].split()) or type(error).__name__
    return text if len(text) <= 200 else f"{text[:197]}..."


def _sentence(modules: list[str], extras: list[str]) -> str:
    verb = "is" if len(modules) == 1 else "are"
    return f'{", ".join(modules)} {verb} needed here and not installed: pip install "tutelage[{",".join(extras)}]"'
