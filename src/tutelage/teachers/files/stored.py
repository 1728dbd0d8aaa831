"""Teachers in files without code, from which other processes make the same teacher."""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from tutelage.core.answers import AnswerForm
from tutelage.core.contracts import Teacher
from tutelage.core.errors import FOREIGN, BadInput, DamagedFile, TutelageError, one_line
from tutelage.core.file_systems.whole_files import whole_file
from tutelage.core.stored.checksums import read_tensors, sha256_of, write_tensors
from tutelage.core.stored.skops_files import dump_skops, read_skops, skops_io
from tutelage.teachers.adapt import as_teacher
from tutelage.teachers.adapters.boosters import BoosterTeacher
from tutelage.teachers.adapters.declared import Declared
from tutelage.teachers.adapters.estimator import EstimatorTeacher
from tutelage.teachers.adapters.function import FunctionTeacher
from tutelage.teachers.adapters.onnx_file import OnnxTeacher
from tutelage.teachers.files.open import open_teacher

_INSTEAD = 'Write a function or an object that a module defines, and pass its name, "module:name".'
_SUFFIXES = {"lightgbm": ".txt", "xgboost": ".ubj", "catboost": ".cbm"}
_NETWORK = "the network of a teacher"
_REMEDY = "Plan again."


def store_teacher(teacher: Teacher, folder: Path) -> dict[str, Any]:
    """Write what a teacher is made of into a folder, without code.

    Args:
        teacher: made by `as_teacher` of an estimator, a booster, an ONNX file, a function of a module, or a network of usual layers.
        folder: that exists.

    Returns:
        Plain JSON values, from which `stored_teacher` makes the teacher.

    Raises:
        BadInput: a teacher that cannot be stored so. CannotWrite: the folder cannot be written.
    """
    kind = type(teacher).__name__
    stored = _STORED.get(kind)
    if stored is None:
        raise BadInput(f"{'an' if kind[0] in 'AEIOU' else 'a'} {kind} cannot be sent to other processes. {_INSTEAD}")
    return {"teacher": kind, **stored(teacher, folder)}


def stored_teacher(about: Mapping[str, Any], folder: Path) -> Teacher:
    """The teacher that `store_teacher` wrote.

    Raises:
        BadInput, DamagedFile: it cannot be made.
    """
    made: Teacher = _MADE[about["teacher"]](about, folder)
    return made


def named_teacher(name: str) -> dict[str, Any]:
    """Plain JSON values, from which `stored_teacher` opens a teacher by its name, "module:object"."""
    return {"teacher": "name", "name": name}


def _declared(declared: Declared) -> dict[str, Any]:
    """What was declared of a model, without what is no plain value."""
    found = {name: value for name, value in vars(declared).items() if value is not None and name != "output"}
    return found | ({"classes": list(declared.classes)} if declared.classes is not None else {})


def _estimator(teacher: EstimatorTeacher, folder: Path) -> dict[str, Any]:
    name = type(teacher.estimator).__name__
    try:
        content = dump_skops(teacher.estimator, {})
    except TutelageError as error:
        raise BadInput(f"this {name} cannot be sent to other processes ({one_line(error)}). {_INSTEAD}") from error
    _write(folder / "teacher.skops", lambda draft: draft.write_bytes(content))
    trusted = skops_io().get_untrusted_types(data=read_skops(folder / "teacher.skops").content)
    at_home = next((one for one in trusted if one.startswith("__main__.")), None)
    if at_home is not None:
        raise BadInput(f"this {name} holds {at_home}, which the program itself defines: other processes cannot import it. {_INSTEAD}")
    declared = _declared(Declared(teacher.names, version=teacher.version))
    try:
        made = as_teacher(skops_io().loads(read_skops(folder / "teacher.skops").content, trusted=trusted), **declared)
    except FOREIGN as error:  # an object that it holds, such as a lock, may raise anything as it is read
        raise BadInput(f"this {name} cannot be read once it was stored ({one_line(error)}), and so not be sent. {_INSTEAD}") from error
    if made.fingerprint != teacher.fingerprint or _content_of(made) != _content_of(teacher):
        raise BadInput(f"this {name} is another one once it was stored and read, and so cannot be sent to other processes. {_INSTEAD}")
    return {"file": "teacher.skops", "sha256": hashlib.sha256(content).hexdigest(), "trusted": trusted, "declared": declared}


def _content_of(teacher: Any) -> str | None:
    """The fingerprint of an estimator whatever its version says; None if its content cannot be read."""
    with suppress(TutelageError):
        return str(replace(teacher, version=None).fingerprint)
    return None


def _write(target: Path, write: Callable[[Path], Any]) -> None:
    """Write a file that others may read, of this or of a second driver: it is whole at any time."""
    with whole_file(target) as draft:
        write(draft)


def _booster(teacher: BoosterTeacher, folder: Path) -> dict[str, Any]:
    file = f"teacher{_SUFFIXES[teacher.engine]}"
    if teacher.save is None:
        _write(folder / file, lambda draft: draft.write_bytes(teacher.content()))
    else:
        _write(folder / file, teacher.save)
    return {"file": file, "declared": _declared(teacher.declared)}


def _onnx(teacher: OnnxTeacher, folder: Path) -> dict[str, Any]:
    declared = {"declared": _declared(teacher.declared)}
    if isinstance(teacher.source, Path):
        return {"file": str(teacher.source), **declared}
    content = teacher.source
    _write(folder / "teacher.onnx", lambda draft: draft.write_bytes(content))
    return {"file": "teacher.onnx", **declared}


def _function(teacher: FunctionTeacher, folder: Path) -> dict[str, Any]:
    return {"function": _name_of(teacher.function), "form": asdict(teacher.form), "version": teacher.version}


def _network(teacher: Any, folder: Path) -> dict[str, Any]:
    from tutelage.core.stored.layers import described

    try:
        layers = described(teacher.network)
    except BadInput as error:
        raise BadInput(f"this network cannot be sent to other processes: {one_line(error)} {_INSTEAD}") from error
    write_tensors(folder / "teacher.safetensors", dict(teacher.network.state_dict()), {"schema": 1, "layers": layers}, framework="torch")
    output = None if teacher.output is None else _name_of(teacher.output)
    settings = {"output": output, "batch_size": teacher.batch_size, "version": teacher.version}
    return {"file": "teacher.safetensors", "form": asdict(teacher.form), **settings}


def _name_of(function: Callable[..., Any]) -> str:
    """The name by which other processes import a function, "module:name".

    Raises:
        BadInput: they cannot.
    """
    module, name = getattr(function, "__module__", None), getattr(function, "__qualname__", None)
    if module in (None, "__main__") or name is None or _attribute(module, name) is not function:
        what = "it is defined in the program itself" if module == "__main__" else "no module defines it by a name of its own"
        raise BadInput(f"the function {name or function!r} cannot be sent to other processes: {what}. Import it from a module.")
    return f"{module}:{name}"


def _attribute(module: Any, name: str) -> Any:
    found: Any = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return found


def _imported(name: str) -> Any:
    module, _, attribute = name.partition(":")
    return _attribute(module, attribute)


def _form(plain: Mapping[str, Any]) -> AnswerForm:
    return AnswerForm(plain["kind"], plain["task"], tuple(plain["classes"]), plain["positions"])


def _of_estimator(about: Mapping[str, Any], folder: Path) -> Teacher:
    """The file is the one that the sender wrote, whose own objects it holds: their code runs here as it does there."""
    path = folder / about["file"]
    if sha256_of(path) != about["sha256"]:
        raise DamagedFile(f"{path} was changed since the plan was sent. {_REMEDY}")
    return as_teacher(skops_io().loads(read_skops(path).content, trusted=about["trusted"]), **about["declared"])


def _of_file(about: Mapping[str, Any], folder: Path) -> Teacher:
    return open_teacher(str(folder / about["file"]), **about["declared"])


def _of_function(about: Mapping[str, Any], folder: Path) -> Teacher:
    return FunctionTeacher(_imported(about["function"]), _form(about["form"]), about["version"])


def _of_network(about: Mapping[str, Any], folder: Path) -> Teacher:
    from tutelage.core.stored.layers import built
    from tutelage.teachers.adapters.torch_module import TorchTeacher

    stored, tensors = read_tensors(folder / about["file"], framework="torch", of=_NETWORK, remedy=_REMEDY)
    network = built(stored["layers"])
    network.load_state_dict(tensors, assign=True)
    output = None if about["output"] is None else _imported(about["output"])
    return TorchTeacher(network, _form(about["form"]), output, about["batch_size"], about["version"])


_STORED: dict[str, Callable[[Any, Path], dict[str, Any]]] = {
    "EstimatorTeacher": _estimator,
    "BoosterTeacher": _booster,
    "OnnxTeacher": _onnx,
    "FunctionTeacher": _function,
    "TorchTeacher": _network,
}
_MADE: dict[str, Callable[[Mapping[str, Any], Path], Teacher]] = {
    "EstimatorTeacher": _of_estimator,
    "BoosterTeacher": _of_file,
    "OnnxTeacher": lambda about, folder: as_teacher(folder / about["file"], **about["declared"]),
    "FunctionTeacher": _of_function,
    "TorchTeacher": _of_network,
    "name": lambda about, folder: open_teacher(about["name"]),
}
