"""Open a teacher by name: a model file, or module:object."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tutelage.core.answer_kinds import AnswerKind, Task
from tutelage.core.arguments import flag
from tutelage.core.arguments import path as checked_path
from tutelage.core.contracts import Teacher
from tutelage.core.errors import FOREIGN, BadInput, DamagedFile, TutelageError, did_you_mean, one_line
from tutelage.core.file_systems.paths import suffix_of
from tutelage.core.stored.skops_files import read_skops, reading_skops, skops_io
from tutelage.core.stored.tree_nodes import sound_tree, trees_in
from tutelage.teachers.adapt import as_teacher
from tutelage.teachers.adapters.declared import Declared
from tutelage.teachers.endpoints.chat import chat
from tutelage.teachers.files.booster_files import load_catboost, load_lightgbm, load_xgboost

_KNOWN = ".onnx, .skops, .txt or .lgb (LightGBM), .json or .ubj (XGBoost), .cbm (CatBoost), module:object, and with --trust .pkl or .joblib"


CHAT = "chat:"
"""How the name of a language model begins, which is asked at the endpoint in the variable OPENAI_BASE_URL, or OpenAI's."""
_TREE = "sklearn.tree._tree.Tree"  # safe once its node numbers have been checked
_WEIGHTS = (".pt", ".pth", ".safetensors")


def open_teacher(
    name: str,
    *,
    trust: bool = False,
    classes: Sequence[Any] | None = None,
    kind: AnswerKind | None = None,
    task: Task | None = None,
    version: str | None = None,
) -> Teacher:
    """Open a teacher by the name of its file, or as module:object. No code in a file is executed, unless `trust` allows it.

    Args:
        name: path of an .onnx, .skops, LightGBM (.txt, .lgb), XGBoost (.json, .ubj) or CatBoost (.cbm) file; a
            .pkl or .joblib with `trust`; "module:object", which imports that module (also from the current folder); or "chat:MODEL" for
            a language model (see `chat`), with `classes`.
        trust: also load pickles, and skops files with types that skops does not know. Both can run arbitrary code.
        classes: as for `as_teacher`.
        kind: as for `as_teacher`.
        task: as for `as_teacher`.
        version: as for `as_teacher`.

    Returns:
        A Teacher, as `as_teacher` makes it from the loaded model.

    Raises:
        BadInput: no such file, an unknown kind of file, or one that needs `trust`.
        DamagedFile: the content of the file does not match its suffix.
        MissingExtra: the package that reads the file is not installed.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> import skops.io
        >>> import tutelage as tl
        >>> from sklearn.datasets import load_iris
        >>> from sklearn.linear_model import LogisticRegression
        >>> X, y = load_iris(return_X_y=True)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder) / "teacher.skops"
        ...     skops.io.dump(LogisticRegression(max_iter=1000).fit(X, y), path)
        ...     teacher = tl.open_teacher(str(path))
        >>> teacher.answer(X[:1]).argmax(axis=1)
        array([0])
    """
    path, trust = checked_path("name", name), flag("trust", trust)
    name = str(name)
    declared: dict[str, Any] = {"classes": classes, "kind": kind, "task": task, "version": version}
    if name.startswith(CHAT):
        model = language_model(name)
        Declared(**{**declared, "classes": None}).only(of="a language model behind an endpoint")
        if classes is None:
            raise BadInput(f"{name} does not name its classes: pass classes=, the names that it may answer with.")
        return chat(model, classes)
    if suffix_of(path) in _WEIGHTS:
        raise BadInput(
            f"{path} holds weights but no network; write a module that builds the network and fills it with load_weights, and "
            "pass module:object."
        )
    if names_an_object(name):
        return as_teacher(imported(name, _KNOWN), **declared)
    if path.is_dir():
        raise BadInput(f"{name} is a folder, such as one of recorded answers, which cannot answer new rows; expected {_KNOWN}.")
    if suffix_of(path) not in _OPENERS:
        hint = did_you_mean(suffix_of(path), [*_OPENERS, *_WEIGHTS])
        raise BadInput(f"cannot tell what kind of teacher {name} is; expected {_KNOWN}.{hint}")
    if not path.is_file():
        similar = [str(file) for file in path.parent.glob("*") if suffix_of(file) in _OPENERS]
        raise BadInput(f"there is no file {path}; name the teacher's file.{did_you_mean(str(path), similar)}")
    loaded = _OPENERS[suffix_of(path)](path, trust)
    try:
        return as_teacher(loaded, **declared)
    except TutelageError:
        raise
    except FOREIGN as error:  # what a damaged file makes of a model raises anything when the model is read
        raise DamagedFile(f"{path} holds a model that cannot be read ({one_line(error)}). Save the model again.") from error


def names_an_object(name: str) -> bool:
    """Whether a name is "module:object", not that of a file or of a language model."""
    return ":" in name and not name.startswith(CHAT) and suffix_of(Path(name)) not in _OPENERS


def language_model(name: str) -> str:
    """The model that "chat:MODEL" names.

    Raises:
        BadInput: it names none.
    """
    model = name.removeprefix(CHAT).strip()
    if not model:
        raise BadInput(f"{name} names no model; expected {CHAT}MODEL, such as {CHAT}gpt-5-mini.")
    return model


def imported(name: str, expected: str) -> Any:
    """The object named by "module:object"; modules in the current folder are found, as with python -m.

    Args:
        name: of the object.
        expected: what else could be named, for the message of an error.

    Raises:
        BadInput: no such module, one that fails as it is imported, or no such object in it.
    """
    module, _, attribute = name.partition(":")
    if not all(part.isidentifier() for part in (*module.split("."), attribute)):
        raise BadInput(f"{name} is neither a file nor module:object; expected {expected}.")
    sys.path.insert(0, "")
    try:
        found = importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise BadInput(f"there is no module {error.name} to import for {name}; run where it can be imported, or install it.") from error
    except TutelageError:
        raise
    except FOREIGN as error:  # the code of the user
        remedy = "what it does as a program belongs below if __name__ == '__main__'" if isinstance(error, SystemExit) else "mend it"
        raise BadInput(f"the module of {name} cannot be imported ({type(error).__name__}: {one_line(error)}); {remedy}.") from error
    finally:
        sys.path.remove("")
    if not hasattr(found, attribute):
        hint = did_you_mean(attribute, vars(found))
        raise BadInput(f"the module {module} has no {attribute!r}; name an object that it defines.{hint}")
    return getattr(found, attribute)


def _skops(path: Path, trust: bool) -> Any:
    with reading_skops(path, "a skops file", "Save the model again."):
        content = read_skops(path).content
        unknown = skops_io().get_untrusted_types(data=content)
        unsafe = [name for name in unknown if name != _TREE]
        if unsafe and not trust:
            raise BadInput(
                f"{path} holds types that could run code when loaded: {', '.join(unsafe)}. "
                "Load it with --trust (trust=True) only if you made it yourself."
            )
        loaded = skops_io().loads(content, trusted=unknown)
        sound = all(map(sound_tree, trees_in(loaded)))
    if not sound:
        raise DamagedFile(f"{path} holds a tree whose nodes point outside it; the file was damaged or tampered with. Do not use it.")
    return loaded


def _pickle(path: Path, trust: bool) -> Any:
    if not trust:
        raise BadInput(
            f"{path} is a pickle: loading it can run any code that its author put there. If you made it yourself, pass --trust "
            "(trust=True); better, save it with skops."
        )
    import joblib

    try:
        return joblib.load(path)
    except FOREIGN as error:  # unpickling can raise anything
        raise DamagedFile(f"{path} cannot be loaded ({type(error).__name__}: {one_line(error)}). Save the model again.") from error


def _onnx(path: Path, trust: bool) -> Any:
    return path  # as_teacher reads the file


_OPENERS: dict[str, Callable[[Path, bool], Any]] = {
    ".onnx": _onnx,
    ".skops": _skops,
    ".txt": lambda path, _: load_lightgbm(path),
    ".lgb": lambda path, _: load_lightgbm(path),
    ".json": lambda path, _: load_xgboost(path),
    ".ubj": lambda path, _: load_xgboost(path),
    ".cbm": lambda path, _: load_catboost(path),
    ".pkl": _pickle,
    ".joblib": _pickle,
}
