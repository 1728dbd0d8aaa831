"""as_teacher: one table from object to adapter."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tutelage.core.answer_kinds import AnswerKind, Task
from tutelage.core.answers import AnswerForm
from tutelage.core.contracts import Teacher
from tutelage.core.errors import BadInput
from tutelage.teachers.adapters.declared import Declared


def as_teacher(
    model: Any,
    *,
    classes: Sequence[Any] | None = None,
    kind: AnswerKind | None = None,
    task: Task | None = None,
    output: Callable[[Any], Any] | None = None,
) -> Teacher:
    """Make anything that answers rows a Teacher.

    Args:
        model: a fitted scikit-learn estimator or Pipeline (also of XGBoost, LightGBM, CatBoost); a bare Booster; a
            torch Module; a `TorchStudent` that was taught, which answers with its logits or values; the path or bytes of an ONNX
            file; a function from rows to numbers; or a Teacher, which is returned as it is. For several at once see
            `ensemble`; for files of other kinds `open_teacher`.
        classes: the label of each answer in order, where the model does not know them: a Module, a Booster (0, 1, ...
            if not given), an ONNX file without labels, a function; the names of a multilabel estimator's labels.
        kind: "logits", "probabilities" or "values", where the model cannot know it: an ONNX file with a plain
            output, a function, a Booster with an objective of its own.
        task: "multilabel" or "regression" for a Module, a function or an ONNX file; otherwise told from the classes.
        output: for a Module that returns a tuple or a dict: takes its logits out, as `lambda said: said["logits"]`.

    Raises:
        BadInput: something else, a model that is not fitted, or a declaration that is missing or not needed.
    """
    declared = Declared(None if classes is None else tuple(classes), kind, task, output)
    if isinstance(model, type):
        raise BadInput(f"{model.__name__} is a class; pass a fitted {model.__name__}, not the class itself.")
    for takes, adapted in _TABLE:
        if takes(model):
            return adapted(model, declared)
    if isinstance(model, str | Path):
        raise BadInput(f"{model} is no path of an ONNX file; for other files, and for module:object, see open_teacher().")
    raise BadInput(
        f"cannot take a {type(model).__name__} as a teacher; expected a fitted scikit-learn estimator, a booster, a torch Module, "
        "the path of an ONNX file, or a function."
    )


def _is_teacher(model: Any) -> bool:
    """As isinstance(model, Teacher), which would compute its fingerprint: expensive for a large model."""
    return (
        callable(getattr(model, "answer", None))
        and hasattr(model, "form")
        and ("fingerprint" in getattr(model, "__dict__", {}) or hasattr(type(model), "fingerprint"))
    )


def _is_module(model: Any) -> bool:
    torch = sys.modules.get("torch")  # an object of torch's cannot exist before torch is imported
    return torch is not None and isinstance(model, torch.nn.Module)


def _is_of(package: str, *names: str) -> Callable[[Any], bool]:
    return lambda model: type(model).__name__ in names and type(model).__module__.partition(".")[0] == package


def _is_taught(model: Any) -> bool:
    return _is_module(getattr(model, "network", None)) and isinstance(getattr(model, "form", None), AnswerForm)


def _known(teacher: Any, declared: Declared) -> Teacher:
    declared.only(of="a Teacher")
    known: Teacher = teacher
    return known


def _several(models: Any, declared: Declared) -> Teacher:
    raise BadInput(f"{len(models)} teachers at once: say how they answer together, with ensemble(teachers, how=...).")


def _module(model: Any, declared: Declared) -> Teacher:
    from tutelage.teachers.adapters.torch_module import torch_teacher

    return torch_teacher(model, declared.only("classes", "task", "output", of="a torch Module"))


def _taught(model: Any, declared: Declared) -> Teacher:
    from tutelage.teachers.adapters.torch_module import TorchTeacher

    declared.only(of=f"a {type(model).__name__}")
    return TorchTeacher(model.network, model.form, model.output)


def _estimator(model: Any, declared: Declared) -> Teacher:
    from tutelage.teachers.adapters.estimator import EstimatorTeacher

    return EstimatorTeacher(model, names=declared.only("classes", of="a scikit-learn estimator").classes)


def _lightgbm(model: Any, declared: Declared) -> Teacher:
    from tutelage.teachers.adapters.boosters import lightgbm_teacher

    return lightgbm_teacher(model, declared.only("classes", "kind", of="a Booster"))


def _xgboost(model: Any, declared: Declared) -> Teacher:
    from tutelage.teachers.adapters.boosters import xgboost_teacher

    return xgboost_teacher(model, declared.only("classes", "kind", of="a Booster"))


def _catboost(model: Any, declared: Declared) -> Teacher:
    from tutelage.teachers.adapters.boosters import catboost_teacher

    return catboost_teacher(model, declared.only("classes", of="a CatBoost model"))


def _onnx(model: Any, declared: Declared) -> Teacher:
    from tutelage.teachers.adapters.onnx_file import onnx_teacher

    return onnx_teacher(model, declared.only("classes", "kind", "task", of="an ONNX file"))


def _function(model: Any, declared: Declared) -> Teacher:
    from tutelage.teachers.adapters.function import function_teacher

    return function_teacher(model, declared.only("classes", "kind", "task", of="a function"))


_TABLE: tuple[tuple[Callable[[Any], bool], Callable[[Any, Declared], Teacher]], ...] = (
    (_is_teacher, _known),
    (lambda model: isinstance(model, list | tuple), _several),
    (lambda model: isinstance(model, bytes) or (isinstance(model, str | Path) and str(model).endswith(".onnx")), _onnx),
    (_is_module, _module),
    (_is_taught, _taught),
    (_is_of("lightgbm", "Booster"), _lightgbm),
    (_is_of("xgboost", "Booster"), _xgboost),
    (_is_of("catboost", "CatBoost", "CatBoostClassifier", "CatBoostRegressor"), _catboost),
    (lambda model: hasattr(model, "fit") and hasattr(model, "predict"), _estimator),
    (lambda model: hasattr(model, "classes_") and hasattr(model, "predict_proba"), _estimator),
    (callable, _function),
)
