"""`as_teacher`: a table of model types and the adapters that turn them into teachers."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from numbers import Integral
from pathlib import Path
from typing import Any

from tutelage.core.answer_kinds import AnswerKind, Positions, Task
from tutelage.core.answers import AnswerForm, labels_of
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
    version: str | int | None = None,
    positions: Positions | None = None,
    batch_size: int | None = None,
) -> Teacher:
    """Wrap a fitted model in a `Teacher`, the interface that the rest of the library uses.

    What the model declares itself (its class labels, whether it returns logits or probabilities) is read from the
    model. The other arguments supply the rest, and only the rest: one that the model
    does not need is refused.

    Args:
        model: a fitted scikit-learn estimator or Pipeline (also of XGBoost, LightGBM, CatBoost); a bare Booster; a
            torch Module; a fitted `TorchStudent`, which answers with its logits or values; the path or bytes of an
            ONNX file; a function from rows to numbers; or a Teacher, which is returned unchanged. To combine several
            models see `ensemble`; for other kinds of files see `open_teacher`.
        classes: the class label of each output column, in order, for a model that does not store them: a Module, a
            Booster (default 0, 1, ...), an ONNX file without labels, a function; or the label names of a multilabel
            estimator.
        kind: "logits", "probabilities" or "values", for a model that does not define it: an ONNX file with a plain
            output, a function, a Booster with a custom objective, or a Module that ends in a softmax or sigmoid (default
            "logits").
        task: "multilabel" or "regression" for a Module, a function or an ONNX file; otherwise it follows from the
            classes.
        output: for a Module that returns a tuple or a dict: selects its answers, as in `lambda outputs: outputs[0]`. The `logits` of
            a structure that has them are found without it.
        version: for a function, a Module or an estimator: a text or whole number that identifies it in place of its content, to change
            whenever its answers change. Needed where the answers come from what cannot be read here, such as a service.
        positions: "tokens" or "pixels", for a Module, a function or an ONNX file with an answer for each token of a row, (rows, tokens,
            classes), or for each pixel, (rows, classes, height, width).
        batch_size: for a Module: rows that it answers at once; if not given 1000, or as many as have 32,768 tokens. Fewer take less memory.

    Returns:
        A Teacher, whose `answer(rows)` returns (rows, classes) logits or probabilities, or (rows, outputs) values, as
        its `form` declares.

    Raises:
        BadInput: the model is of an unsupported type or not fitted, or a declaration is missing or not needed.

    Example:
        >>> import tutelage as tl
        >>> from sklearn.datasets import load_iris
        >>> from sklearn.linear_model import LogisticRegression
        >>> X, y = load_iris(return_X_y=True)
        >>> teacher = tl.as_teacher(LogisticRegression(max_iter=1000).fit(X, y))
        >>> teacher.form
        AnswerForm(kind='probabilities', task='multiclass', classes=(0, 1, 2), positions=None)
        >>> teacher.answer(X[:2]).shape
        (2, 3)
        >>> margin = tl.as_teacher(lambda rows: rows[:, 2] - 2.5, kind="logits", classes=["setosa", "other"])
        >>> margin.answer(X[:1]).round(1)
        array([[ 0. , -1.1]])
    """
    named = str(version) if isinstance(version, int | Integral) else version
    declared = Declared(None if classes is None else labels_of(classes), kind, task, output, named, positions, batch_size)
    if isinstance(model, type):
        raise BadInput(f"{model.__name__} is a class; pass a fitted {model.__name__}, not the class itself.")
    for matches, adapter in _ADAPTERS:
        if matches(model):
            return adapter(model, declared)
    if isinstance(model, str | Path):
        raise BadInput(f"{model} is not the path of an ONNX file; for other files and for module:object use open_teacher().")
    raise BadInput(
        f"cannot use a {type(model).__name__} as a teacher; expected a fitted scikit-learn estimator, a booster, a torch Module, "
        "the path of an ONNX file, or a function."
    )


def _is_teacher(model: Any) -> bool:
    """As isinstance(model, Teacher), which would compute the fingerprint: expensive for a large model."""
    return (
        callable(getattr(model, "answer", None))
        and hasattr(model, "form")
        and ("fingerprint" in getattr(model, "__dict__", {}) or hasattr(type(model), "fingerprint"))
    )


def _is_module(model: Any) -> bool:
    torch = sys.modules.get("torch")  # no Module can exist before torch is imported
    return torch is not None and isinstance(model, torch.nn.Module)


def _is_of(package: str, *names: str) -> Callable[[Any], bool]:
    return lambda model: type(model).__name__ in names and type(model).__module__.partition(".")[0] == package


def _is_fitted_student(model: Any) -> bool:
    return _is_module(getattr(model, "network", None)) and isinstance(getattr(model, "form", None), AnswerForm)


def _teacher(model: Any, declared: Declared) -> Teacher:
    declared.only(of="a Teacher")
    teacher: Teacher = model
    return teacher


def _refuse_list(models: Any, declared: Declared) -> Teacher:
    raise BadInput(f"got a list of {len(models)} teachers, expected one; combine them with ensemble(teachers, how=...).")


def _module(model: Any, declared: Declared) -> Teacher:
    from tutelage.teachers.adapters.torch_module import torch_teacher

    return torch_teacher(
        model, declared.only("classes", "kind", "task", "output", "version", "positions", "batch_size", of="a torch Module")
    )


def _fitted_student(model: Any, declared: Declared) -> Teacher:
    from tutelage.teachers.adapters.torch_module import TorchTeacher

    declared.only(of=f"a {type(model).__name__}")
    return TorchTeacher(model.network, model.form, model.output, model.predict_batch_size)


def _estimator(model: Any, declared: Declared) -> Teacher:
    from tutelage.teachers.adapters.estimator import EstimatorTeacher

    declared.only("classes", "version", of="a scikit-learn estimator")
    return EstimatorTeacher(model, names=declared.classes, version=declared.version)


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

    return onnx_teacher(model, declared.only("classes", "kind", "task", "positions", of="an ONNX file"))


def _function(model: Any, declared: Declared) -> Teacher:
    from tutelage.teachers.adapters.function import function_teacher

    return function_teacher(model, declared.only("classes", "kind", "task", "version", "positions", of="a function"))


# The first match counts, so the specific types stand before the general ones.
_ADAPTERS: tuple[tuple[Callable[[Any], bool], Callable[[Any, Declared], Teacher]], ...] = (
    (_is_teacher, _teacher),
    (lambda model: isinstance(model, list | tuple), _refuse_list),
    (lambda model: isinstance(model, bytes) or (isinstance(model, str | Path) and str(model).lower().endswith(".onnx")), _onnx),
    (_is_module, _module),
    (_is_fitted_student, _fitted_student),
    (_is_of("lightgbm", "Booster"), _lightgbm),
    (_is_of("xgboost", "Booster"), _xgboost),
    (_is_of("catboost", "CatBoost", "CatBoostClassifier", "CatBoostRegressor"), _catboost),
    (lambda model: hasattr(model, "fit") and hasattr(model, "predict"), _estimator),
    (lambda model: hasattr(model, "classes_") and hasattr(model, "predict_proba"), _estimator),
    (callable, _function),
)
