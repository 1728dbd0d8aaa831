"""as_teacher: one table from object to adapter."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from tutelage.core.contracts import Teacher
from tutelage.core.errors import BadInput


def as_teacher(model: Any, *, classes: Sequence[Any] | None = None) -> Teacher:
    """Make a fitted model answer as a Teacher.

    Args:
        model: a torch Module that maps rows to logits, or a fitted scikit-learn classifier or regressor.
        classes: for a torch Module, the label of each logit, in order (it cannot know them itself). For an
            estimator leave it out: its own `classes_` are used.

    Raises:
        BadInput: an object that is neither, an estimator that is not fitted, or classes missing or given twice.
    """
    torch = sys.modules.get("torch")  # an object of torch's cannot exist before torch is imported
    if torch is not None and isinstance(model, torch.nn.Module):
        from tutelage.teachers.torch_module import TorchTeacher

        if classes is None:
            raise BadInput("a torch Module does not know its labels: pass classes=, the label of each logit in order.")
        return TorchTeacher(model, tuple(classes))
    if hasattr(model, "predict") and hasattr(model, "fit"):
        from tutelage.teachers.estimator import EstimatorTeacher

        if classes is not None:
            raise BadInput("a scikit-learn estimator knows its classes_: leave classes= out.")
        return EstimatorTeacher(model)
    raise BadInput(f"cannot take a {type(model).__name__} as a teacher; expected a torch Module or a fitted scikit-learn estimator.")
