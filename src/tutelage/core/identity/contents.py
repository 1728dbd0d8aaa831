"""What the content of an object consists of, by its type: of containers, functions, classes, torch Modules and other instances.

Code of the user is content; code of Python, of installed packages and of tutelage is identified by its name.
"""

from __future__ import annotations

import copyreg
import dis
import functools
import importlib
import io
import json
import logging
import operator
import pickle
import random
import sys
import tempfile
import threading
import types
import weakref
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tutelage.core.answer_values.class_names import ClassNames
from tutelage.core.errors import FOREIGN, one_line


class Unreadable(Exception):
    """An object whose content cannot be read; says why."""


class Content(NamedTuple):
    """The content of an object.

    Attributes:
        kind: the kind of the object.
        parts: (name for an error, value) of each part.
        ordered: whether the order of the parts matters.
    """

    kind: str
    parts: Iterable[tuple[str, Any]] = ()
    ordered: bool = True


def content_of(value: Any, *, without_modes: bool = False) -> Content:
    """The content of an object that is no plain value.

    Args:
        value: any object.
        without_modes: leave out whether a torch Module is in training mode.

    Raises:
        Unreadable: its content cannot be read.
    """
    for kinds, read in _READERS:
        if isinstance(value, kinds):
            return read(value)
    torch = sys.modules.get("torch")  # nothing of torch can exist before it is imported
    if torch is not None and isinstance(value, torch.nn.Module):
        return _of_module(value, without_modes)
    if torch is not None and isinstance(value, torch.UntypedStorage | torch.TypedStorage):  # that of a quantised tensor
        value = torch.tensor([], dtype=torch.uint8).set_(getattr(value, "_untyped_storage", value))
    if torch is not None and isinstance(value, torch.Tensor) and value.layout is torch.strided and not value.is_quantized:
        return _of_tensor(value)
    if torch is not None and isinstance(value, torch.dtype | torch.device | torch.layout):
        return Content(f"torch {value!r}")
    is_sparse = hasattr(value, "indptr") and type(value).__module__.startswith("scipy.sparse.")
    return _of_sparse(value) if is_sparse else _of_instance(value)


_GLOBAL_GENERATORS: tuple[Any, ...] = (getattr(random.random, "__self__"), getattr(np.random.rand, "__self__"))  # noqa: B009 - no stub has it
"""Those of `random` and NumPy, which their functions are bound to."""


def is_temporary(value: Any) -> bool:
    """Whether an object may have been made while another one was read."""
    return isinstance(value, list | tuple | dict | set | frozenset | np.ndarray)


def _of_list(value: Any) -> Content:
    value = tuple(value) if isinstance(value, ClassNames) else value
    kind = type(value).__name__
    return Content(kind, [(f"[{place}]", item) for place, item in enumerate(value)]) if kind in ("list", "tuple") else _of_instance(value)


def _of_set(value: Any) -> Content:
    return Content(type(value).__name__, [("{}", item) for item in value], ordered=False)


def _of_dict(value: Any) -> Content:
    if type(value) not in (dict, types.MappingProxyType):
        return _of_instance(value)
    return Content("dict", [(f"[{key!r:.40}]", [key, item]) for key, item in value.items()])


class _Attributes(dict[str, Any]):
    """The attributes of an object, whose order does not matter: they may have been set in any."""


def _of_attributes(value: _Attributes) -> Content:
    return Content("attributes", [(f".{name}", [name, item]) for name, item in value.items()], ordered=False)


def _attributes(value: Any, state: Any) -> Any:
    """The state of an object: its attributes without the values that it computes once and stores."""
    if isinstance(state, tuple) and len(state) == 2 and all(isinstance(part, dict | None) for part in state):  # with slots
        return [_attributes(value, part) for part in state]
    if not isinstance(state, dict):
        return state
    kind = type(value)
    bases = {each.__name__ for each in kind.__mro__ if _of_library(each.__module__)}
    stored = {name for base in bases & _SET_BY_USE.keys() for name in _SET_BY_USE[base]}
    held = {name: item for name, item in state.items() if name not in stored and not _is_computed_once(kind, name)}
    if "_tokenizer" in held and not bases.isdisjoint(_FAST_TOKENIZERS):
        held["_tokenizer"] = _without_last_call(held["_tokenizer"])
    return _Attributes(held) if held else None


def _is_computed_once(kind: type, name: Any) -> bool:
    return isinstance(getattr(kind, str(name), None), functools.cached_property)


_SET_BY_USE = {
    "_VectorizerMixin": ("_stop_words_id",),
    "MultiLabelBinarizer": ("_cached_dict",),
    "PreTrainedTokenizerBase": ("deprecation_warnings", "cache"),
}
"""Attributes that classes of libraries set when they are used: an address in memory, what was warned of, and what others tell as well."""
_FAST_TOKENIZERS = ("PreTrainedTokenizerFast", "TokenizersBackend")
"""The tokenizers of transformers that set the padding and truncation of the one that they hold anew for each call."""


def _without_last_call(tokenizer: Any) -> Any:
    """What a tokenizer of the package tokenizers does, besides padding and truncation."""
    try:
        described = json.loads(tokenizer.to_str())
    except FOREIGN:  # one with parts in Python, which has no description
        return tokenizer
    return json.dumps({name: part for name, part in described.items() if name not in ("padding", "truncation")})


def _of_array(array: Any) -> Content:
    """An array of objects or of records. The padding between fields, as in the nodes of trees, is uninitialised."""
    if isinstance(array, np.ma.MaskedArray):  # what the mask hides is no content
        mask, shown = np.ma.getmaskarray(array), array.data.astype(object)
        shown[mask] = None
        return Content("masked", [("", shown), ("", mask)])
    if type(array) not in (np.ndarray, np.memmap):
        return _of_instance(array)
    if array.dtype.names is not None:
        return Content("records", [(name, np.asarray(array[name])) for name in array.dtype.names])
    items = [("", np.asarray(array))] if not array.dtype.hasobject else [(f"[{place}]", item) for place, item in enumerate(array.flat)]
    return Content(f"array {array.shape}", items)


def _of_sparse(matrix: Any) -> Content:
    """A sparse matrix with the cells of each row in order: arithmetic may sort them, and note that it did."""
    ordered = matrix.copy()
    ordered.sum_duplicates()
    return Content("sparse", [("its type", type(matrix)), ("", (matrix.shape, ordered.data, ordered.indices, ordered.indptr))])


def _of_number(value: Any) -> Content:
    return Content(f"number {value.dtype}", [("", value.tobytes())])


def _of_function(value: Any) -> Content:
    held: list[tuple[str, Any]] = [("a default", value.__defaults__), ("a default", value.__kwdefaults__)]
    held += zip(value.__code__.co_freevars, map(_cell, value.__closure__ or ()), strict=True)
    held += sorted(vars(value).items())
    name = value.__qualname__
    if not _of_library(value.__module__):
        return Content("function", [("", name), *held, ("its code", value.__code__), *_globals_read(value.__code__, value.__globals__)])
    if "<locals>" in name:  # made by a package from what it was given, which its closure holds
        held.append(("its code", value.__code__))
    return Content("function", [("", f"{value.__module__}.{name}"), *held])


def _of_code(code: types.CodeType) -> Content:
    named = (code.co_names, code.co_varnames[: code.co_argcount + code.co_kwonlyargcount], code.co_freevars)
    counts = (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags)
    return Content("code", [("", code.co_code), ("", code.co_exceptiontable), ("", (named, counts)), ("a constant", code.co_consts)])


def _of_builtin(value: Any) -> Content:
    bound = None if isinstance(value.__self__, types.ModuleType) else _owner(value)
    return Content("builtin", [("", (str(value.__module__), value.__qualname__)), ("the object it is bound to", bound)])


def _owner(bound: Any) -> Any:
    """The object that a function is bound to; of a global generator its module, since whoever draws from it changes where it stands."""
    owner = bound.__self__
    return type(owner).__module__ if any(owner is each for each in _GLOBAL_GENERATORS) else owner


def _of_class(value: type) -> Content:
    if _of_library(value.__module__):
        return Content("class", [("", f"{value.__module__}.{value.__qualname__}")])
    members = [(name, item) for name, item in sorted(vars(value).items()) if name not in _NOT_CODE]
    bases = [("a base", base) for base in value.__bases__]
    return Content("class", [("", (value.__qualname__, [name for name, _ in members])), *bases, *members])


_NOT_CODE = (
    *("__dict__", "__weakref__", "__doc__", "__module__", "__annotations__", "__annotate__", "__annotate_func__", "__slots__"),
    *("__abstractmethods__", "_abc_impl", "__firstlineno__", "__static_attributes__", "__dataclass_fields__", "__dataclass_params__"),
    *("__slotnames__", "__match_args__", "__annotations_cache__", "__parameters__", "__orig_bases__", "__type_params__"),
)
"""Members of a class that its methods do not compute with."""


def _of_module(value: Any, without_modes: bool) -> Content:
    """A torch Module: class, attributes, weights and forward hooks."""
    torch = sys.modules["torch"]
    if hasattr(value, "_orig_mod"):  # compiled
        return Content("compiled", [("", value._orig_mod)])
    if isinstance(value, torch.jit.ScriptModule):
        return _of_script(value)
    state = _Attributes((name, _hooks(item) if "hooks" in name else item) for name, item in vars(value).items() if name not in _ENGINE)
    if without_modes:
        del state["training"]
    for hook in value._forward_pre_hooks.values():
        if type(hook).__name__ == "SpectralNorm" and hasattr(hook, "name"):  # computes this weight of others at each answer
            state.pop(hook.name, None)
    written = None
    if hasattr(value, "graph") and type(value).__module__ == "torch.fx.graph_module":  # the nodes of its graph hold addresses
        written = [value.code, [node.target for node in state.pop("_graph").nodes]]
    return Content("Module", [("its class", type(value)), ("", state), ("its code", written)])


def _of_script(module: Any) -> Content:
    """A compiled script: the entries of its archive - code, attributes, weights - without what only a debugger reads."""
    torch, buffer = sys.modules["torch"], io.BytesIO()
    try:
        torch.jit.save(module, buffer)
    except RuntimeError as error:
        raise Unreadable(one_line(error)) from error
    with zipfile.ZipFile(buffer) as archive:
        names = [name for name in sorted(archive.namelist()) if not name.endswith((".debug_pkl", "serialization_id", "byteorder"))]
        return Content("script", [(name, [name.partition("/")[2], archive.read(name)]) for name in names])


def _of_tensor(value: Any) -> Content:
    torch = sys.modules["torch"]
    try:
        whole = value.detach().resolve_conj().resolve_neg().cpu().contiguous().flatten()
        bits = whole.view(torch.uint8).numpy()
    except (RuntimeError, NotImplementedError, TypeError) as error:
        raise Unreadable(one_line(error)) from error
    return Content(f"tensor {value.dtype} {tuple(value.shape)}", [("", bits)])


_ENGINE = (
    *("_compiled_call_impl", "_is_torch_compile", "_version", "_is_replica"),
    *("_is_full_backward_hook", "_backward_hooks", "_backward_pre_hooks"),
)
"""Attributes of a torch Module that do not change its answers."""


def _hooks(hooks: Any) -> Any:
    """Hooks in order, without the numbers that torch gives them in each process."""
    return list(hooks.values()) if isinstance(hooks, Mapping) else hooks


def _of_instance(value: Any) -> Content:
    """Any other object, as it describes itself to pickle; that a part of it cannot be pickled does not matter."""
    if type(value).__name__ == "Booster" and hasattr(value, "model_to_string"):  # LightGBM: its text
        return Content("Booster", [("", value.model_to_string())])
    if type(value).__module__.startswith("catboost") and hasattr(value, "save_model") and value.is_fitted():
        return Content("CatBoost", [("", catboost_content(value))])
    try:
        reduce = copyreg.dispatch_table.get(type(value))
        reduced = reduce(value) if reduce is not None else value.__reduce_ex__(4)
    except FOREIGN as error:  # a type that refuses to be pickled chooses its error
        raise Unreadable(one_line(error)) from error
    if isinstance(reduced, str):
        return Content("global", [("", _global_name(value, reduced))])
    make, arguments, state, items, pairs = (*reduced, None, None, None)[:5]
    if isinstance(state, tuple):
        state = _without_traces_of_use(value, state)
    if type(value).__name__ == "Bunch":  # scikit-learn's, whose attributes are its items; pickle drops others
        state = None
    described = [("its type", make), ("", arguments), ("", _attributes(value, state))]
    if _describes_itself(type(value)):  # and may leave out what it computes with
        described.append(("", _attributes(value, getattr(value, "__dict__", None))))
    return Content("instance", [*described, ("", list(items or ())), ("", [list(pair) for pair in pairs or ()])])


def _without_traces_of_use(value: Any, state: tuple[Any, ...]) -> tuple[Any, ...]:
    """The state of a compiled object without counters, addresses and caches."""
    if hasattr(value, "reset_n_calls"):  # scikit-learn's KDTree and BallTree count what they do
        return (*state[:7], *state[11:])
    if type(value).__name__ in ("KDTree", "cKDTree") and type(value).__module__.startswith("scipy."):  # the nodes hold addresses
        return state[1:]
    if hasattr(value, "_ndarray") and type(value).__module__.startswith("pandas."):  # an array of dates, with what it computed of them
        return state[:2]
    return state


def catboost_content(model: Any) -> bytes:
    """A CatBoost model in JSON without the time and the number of its training; its own format, whose bytes vary, if it has no JSON."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model"
        try:
            model.save_model(str(path), format="json")
        except Exception:  # CatBoostError, for features of texts and embeddings
            model.save_model(str(path))
            return path.read_bytes()
        plain = json.loads(path.read_bytes())
        about = plain.get("model_info", {})
        plain["model_info"] = about.get("class_params")
        if float(about.get("binclass_probability_threshold", 0.5)) != 0.5:  # by which it decides
            plain["threshold"] = about["binclass_probability_threshold"]
        return json.dumps(plain, sort_keys=True).encode()


def _describes_itself(kind: type) -> bool:
    """Whether a class of the user says what pickle stores of it."""
    own = (each for each in kind.__mro__ if not _of_library(each.__module__))
    return any(name in vars(each) for each in own for name in ("__getstate__", "__reduce__", "__reduce_ex__"))


def _global_name(value: Any, name: str) -> str:
    """Where an object stands that says it is found by its name."""
    home = pickle.whichmodule(value, name)  # type: ignore[attr-defined]
    try:
        found = operator.attrgetter(name)(sys.modules[home])
    except (KeyError, AttributeError):
        found = None
    if found is not value:
        raise Unreadable(f"it is called {name}, which is no name in {home}")
    return f"{home}.{name}"


_WITHOUT_CONTENT = (type(threading.Lock()), type(threading.RLock()), logging.Logger, logging.LoggerAdapter)
_DESCRIPTORS = (types.MethodDescriptorType, types.WrapperDescriptorType, types.GetSetDescriptorType, types.MemberDescriptorType)
_READERS: tuple[tuple[Any, Callable[[Any], Content]], ...] = (
    (list | tuple, _of_list),
    (set | frozenset, _of_set),
    (_Attributes, _of_attributes),
    (dict | types.MappingProxyType, _of_dict),
    (np.ndarray, _of_array),
    (np.generic, _of_number),
    (np.dtype, lambda value: Content(f"dtype {value!r}")),
    (types.FunctionType, _of_function),
    (functools._lru_cache_wrapper, lambda value: Content("cached", [("its function", value.__wrapped__)])),
    (types.MethodType, lambda value: Content("method", [("", value.__func__), ("the object it is bound to", _owner(value))])),
    (types.BuiltinFunctionType | types.MethodWrapperType, _of_builtin),
    (types.CodeType, _of_code),
    (types.ModuleType, lambda value: Content(f"module {value.__name__}")),
    (type, _of_class),
    (staticmethod | classmethod, lambda value: Content(type(value).__name__, [("", value.__func__)])),
    (property, lambda value: Content("property", [("", value.fget), ("", value.fset), ("", value.fdel)])),
    (_DESCRIPTORS, lambda value: Content(f"descriptor {value.__objclass__.__module__}.{value.__qualname__}")),
    (_WITHOUT_CONTENT, lambda value: Content(f"empty {type(value).__name__}")),
    (weakref.ref, lambda value: Content("reference", [("", value())])),
)
"""The first match counts."""


def _cell(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # a name that is not assigned yet
        return "empty"


def _of_library(module: str | None) -> bool:
    """Whether a module belongs to Python, to an installed package, or to tutelage."""
    top = (module or "").partition(".")[0]
    if top in sys.stdlib_module_names or top == "tutelage":
        return True
    loaded = sys.modules.get(top)
    places = [getattr(loaded, "__file__", None), *getattr(loaded, "__path__", ())]
    return any(folder in Path(place).parts for place in places if place for folder in ("site-packages", "dist-packages"))


def _globals_read(code: types.CodeType, names: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The globals that a function reads, and of the user's own modules the attributes that it names; also in functions inside it."""
    for instruction in dis.get_instructions(code):
        if instruction.opname in ("LOAD_GLOBAL", "LOAD_NAME") and instruction.argval in names:
            yield from _followed(instruction.argval, names[instruction.argval], code.co_names)
        elif instruction.opname == "IMPORT_NAME" and not _of_library(instruction.argval):
            yield from _followed(instruction.argval, _imported(instruction.argval), code.co_names)
    for inner in code.co_consts:
        if isinstance(inner, types.CodeType):
            yield from _globals_read(inner, names)


def _followed(name: str, value: Any, attributes: Iterable[str]) -> Iterator[tuple[str, Any]]:
    if not isinstance(value, types.ModuleType) or _of_library(value.__name__):
        yield name, value
        return
    for attribute in attributes:
        held = getattr(value, attribute, None)
        if isinstance(held, types.ModuleType) and held.__name__.startswith(f"{value.__name__}."):
            yield from _followed(attribute, held, attributes)
        elif held is not None:
            yield attribute, held


def _imported(name: str) -> Any:
    """A module that a function imports when it is called; imported now, so that what it reads there is known."""
    try:
        return importlib.import_module(name)
    except ImportError:  # as the function will find out
        return None
