"""Other estimators, as the graphs that skl2onnx writes of them."""

from __future__ import annotations

import warnings
from contextlib import redirect_stdout
from io import StringIO
from typing import Any

from tutelage.core.errors import BadInput, require
from tutelage.exporters.chain import FLOAT, ML_OPSET, OPSET, Chain


def append_foreign(chain: Chain, model: Any, features: int) -> None:
    """Append what skl2onnx writes of a fitted estimator or of a step of a pipeline; it reads single precision.

    Raises:
        BadInput: skl2onnx cannot convert it. MissingExtra: skl2onnx is not installed.
    """
    name = type(model).__name__
    if not (hasattr(model, "predict") or hasattr(model, "transform")):
        raise BadInput(
            f"cannot export a {name}; expected a student of tutelage, or a fitted scikit-learn classifier or regressor of numeric columns."
        )
    skl2onnx = require("skl2onnx")
    chain.cast(FLOAT)
    width = getattr(model, "n_features_in_", features)
    columns = skl2onnx.common.data_types.FloatTensorType([None, width])
    classifies = hasattr(model, "classes_") and hasattr(model, "predict_proba")
    try:
        with warnings.catch_warnings(), redirect_stdout(StringIO()):
            warnings.simplefilter("ignore")
            part = skl2onnx.to_onnx(
                model,
                initial_types=[("rows", columns)],
                target_opset={"": OPSET, "ai.onnx.ml": ML_OPSET},
                options={id(model): {"zipmap": False}} if classifies else None,
            )
    except Exception as error:  # the errors of skl2onnx share no base class, and some quote the model
        raise BadInput(
            f"cannot export a {name}: skl2onnx has no conversion of it ({type(error).__name__}). Expected a student of tutelage, or a "
            "fitted scikit-learn classifier or regressor of numeric columns."
        ) from error
    chain.absorb(part, 1 if classifies else 0, FLOAT)
