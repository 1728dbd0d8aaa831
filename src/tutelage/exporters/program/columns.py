"""How the steps of a pipeline turn columns into numbers: gaps, codes of categories, one-hot columns, scales."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.compose import ColumnTransformer
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.pipeline import FeatureUnion
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    RobustScaler,
    StandardScaler,
    TargetEncoder,
)

from tutelage.core.errors import BadInput
from tutelage.data.cells import is_missing
from tutelage.exporters.program import operations as op
from tutelage.exporters.program.lowering import Columns, Lower, Lowering, Value
from tutelage.students.columns import Levels, Numbers, RowShape


def _column_transformer(program: Lowering, model: ColumnTransformer, rows: Value) -> Value:
    parts: list[Value] = []
    for name, step, _ in model.transformers_:
        places = _places(model, name)
        if places and not (isinstance(step, str) and step == "drop"):
            chosen = program.chosen(rows, places)
            parts.append(chosen if isinstance(step, str) else program.lower(step, chosen))
    return program.joined(parts)


def _union(program: Lowering, model: FeatureUnion, rows: Value) -> Value:
    if model.transformer_weights:
        raise BadInput("a FeatureUnion with weights cannot be exported; expected one without.")
    steps = [step for _, step in model.transformer_list if step != "drop"]
    return program.joined([rows if isinstance(step, str) else program.lower(step, rows) for step in steps])


def _places(model: ColumnTransformer, name: str) -> list[int]:
    """Positions of the columns that a step of a ColumnTransformer takes, however they were named."""
    return [int(place) for place in np.atleast_1d(np.arange(model.n_features_in_)[model._transformer_to_input_indices[name]])]


def _scaler(program: Lowering, model: StandardScaler, rows: Value) -> Value:
    return _shifted_and_scaled(program, rows, model.mean_ if model.with_mean else None, model.scale_ if model.with_std else None)


def _robust_scaler(program: Lowering, model: RobustScaler, rows: Value) -> Value:
    shift, scale = model.center_ if model.with_centering else None, model.scale_ if model.with_scaling else None
    return _shifted_and_scaled(program, rows, shift, scale)


def _shifted_and_scaled(program: Lowering, rows: Value, shift: ArrayLike | None, scale: ArrayLike | None) -> Value:
    rows = rows if shift is None else program.arithmetic(rows, "subtract", shift)
    return rows if scale is None else program.arithmetic(rows, "divide", scale)


def _range_scaler(program: Lowering, model: MinMaxScaler, rows: Value) -> Value:
    scaled = program.arithmetic(program.arithmetic(rows, "multiply", model.scale_), "add", model.min_)
    return program.then(op.Clip(*map(float, model.feature_range)), scaled) if model.clip else scaled


def _largest_scaler(program: Lowering, model: MaxAbsScaler, rows: Value) -> Value:
    scaled = program.arithmetic(rows, "divide", model.scale_)
    return program.then(op.Clip(-1.0, 1.0), scaled) if getattr(model, "clip", False) else scaled


_NO_NONE = (
    ", which scikit-learn tells from NaN, and a file does not. Fill the gaps, or put NaN there (frame.where(frame.notna(), np.nan)), and "
    "train again."
)


def _imputer(program: Lowering, model: SimpleImputer, rows: Value) -> Value:
    fills = list(model.statistics_)
    if any(fill is None for fill in fills):  # the most frequent cell
        raise BadInput(f"a SimpleImputer has learnt to fill gaps with None{_NO_NONE}")
    kinds = [program.inputs[place].kind for place in rows.places] if isinstance(rows, Columns) else ["number"] * len(fills)
    if not _is_nan(model.missing_values) or any(
        kind == "text" and not isinstance(fill, str) for kind, fill in zip(kinds, fills, strict=True)
    ):
        raise BadInput(
            "this SimpleImputer cannot be exported; expected one that fills NaN, with a number or a text as its column has them."
        )
    known = [place for place, fill in enumerate(fills) if not _is_nan(fill)]  # it drops columns without any number
    chosen, values = program.chosen(rows, known), [fills[place] for place in known]
    if isinstance(chosen, Columns):
        filled: Value = chosen.filled(values)
    else:
        filled = program.then(op.FillGaps(np.array(values, dtype=np.float64)), chosen)
    return program.joined([filled, _indicator(program, model.indicator_, rows)]) if model.add_indicator else filled


def _indicator(program: Lowering, model: MissingIndicator, rows: Value) -> Value:
    if not isinstance(rows, Columns) or not _is_nan(model.missing_values):
        raise BadInput("a MissingIndicator after another step, or of another value than NaN, cannot be exported.")
    chosen = rows.chosen(model.features_)
    columns = [
        program.then(op.Category(program.inputs[place].kind == "text", program.place(place), (), (), 0.0, float(fill is None)))
        for place, fill in zip(chosen.places, chosen.fills, strict=True)
    ]
    return program.joined(columns)


def _is_nan(value: Any) -> bool:
    return not isinstance(value, str) and is_missing(value)


def _function(program: Lowering, model: FunctionTransformer, rows: Value) -> Value:
    """What a ColumnTransformer makes of "passthrough"."""
    if model.func is not None:
        raise BadInput("a FunctionTransformer cannot be exported: it runs a function of its own. Call the function before the student.")
    return rows


def _target_codes(program: Lowering, model: TargetEncoder, rows: Value) -> Value:
    if model.target_type_ == "multiclass":
        raise BadInput("a TargetEncoder of several classes cannot be exported; expected one of two classes, or of values.")
    columns: list[Value] = []
    for place, (categories, codes) in enumerate(zip(model.categories_, model.encodings_, strict=True)):
        missing = [float(code) for level, code in zip(categories, codes, strict=True) if is_missing(level)]
        unseen = float(model.target_mean_)
        columns.append(_category(program, rows, place, categories, [*map(float, codes)], unseen=unseen, missing=(missing or [unseen])[0]))
    return program.joined(columns)


def _as_they_are(program: Lowering, model: Any, rows: Value) -> Value:
    """The columns are what they are already: the door of the file reads them as numbers, or as texts."""
    return rows


def _row_shape(program: Lowering, model: RowShape, rows: Value) -> Value:
    return rows if isinstance(rows, Columns) or not model.flat else program.then(op.Reshape((program.width(rows),)), rows)


def _codes(program: Lowering, model: OrdinalEncoder, rows: Value) -> Value:
    unseen = float(model.unknown_value) if model.handle_unknown == "use_encoded_value" else -1.0  # the student refuses it otherwise
    columns: list[Value] = []
    for place, categories in enumerate(model.categories_):
        codes = [float(code) for code in _groups(model, place, len(categories))]
        found = [number for number, level in enumerate(categories) if is_missing(level)]
        missing = float(model.encoded_missing_value) if found else unseen
        columns.append(_category(program, rows, place, categories, codes, unseen=unseen, missing=missing))
    return program.joined(columns)


def _one_hot(program: Lowering, model: OneHotEncoder, rows: Value) -> Value:
    columns: list[Value] = []
    widths = []
    for place, categories in enumerate(model.categories_):
        groups = _groups(model, place, len(categories))
        dropped = None if model.drop_idx_ is None else model._drop_idx_after_grouping[place]
        width = max(groups) + 1 - (dropped is not None)
        codes = [-1.0 if group == dropped else float(group - (dropped is not None and group > dropped)) for group in groups]
        infrequent = _infrequent(model, place)
        unseen = codes[infrequent] if infrequent is not None and model.handle_unknown in ("infrequent_if_exist", "warn") else -1.0
        found = [number for number, level in enumerate(categories) if is_missing(level)]
        missing = codes[found[0]] if found else unseen
        columns.append(_category(program, rows, place, categories, codes, unseen=unseen, missing=missing))
        widths.append(width)
    return program.then(op.OneHot(tuple(widths)), program.numbers(program.joined(columns)))


def _groups(model: OrdinalEncoder | OneHotEncoder, place: int, count: int) -> list[int]:
    """The group of each category: rare ones share the last."""
    mappings = getattr(model, "_default_to_infrequent_mappings", None) if model._infrequent_enabled else None
    groups = [] if mappings is None or mappings[place] is None else [int(group) for group in mappings[place]]
    return [*groups, *range(max(groups, default=-1) + 1, count + max(groups, default=-1) + 1 - len(groups))]  # a gap is no rare one


def _infrequent(model: OneHotEncoder, place: int) -> int | None:
    """The number of a category among those that share a column; None if there are none."""
    indices = model._infrequent_indices[place] if model._infrequent_enabled else None
    return None if indices is None or not len(indices) else int(indices[0])


def _category(program: Lowering, rows: Value, place: int, categories: Any, codes: list[float], *, unseen: float, missing: float) -> int:
    if not isinstance(rows, Columns):
        raise BadInput("an encoder of categories after another step cannot be exported; expected one that reads columns of the rows.")
    column = program.inputs[rows.places[place]]
    if any(level is None for level in categories):
        raise BadInput(f"column {column.name!r} had None in its gaps when the student was trained{_NO_NONE}")
    text = column.kind == "text"
    known = [(level, code) for level, code in zip(categories, codes, strict=True) if not is_missing(level)]
    levels = tuple(str(level) if text else float(level) for level, _ in known if text == isinstance(level, str))
    if len(levels) != len(known):
        raise BadInput(f"column {column.name!r} has categories of several types, which cannot be exported; expected texts, or numbers.")
    code_of = _codes_in_file(column.name, levels, known)
    fill = rows.fills[place]
    if fill is not None:
        missing = code_of.get(fill, unseen)
    return program.then(op.Category(text, program.place(rows.places[place]), tuple(code_of), tuple(code_of.values()), unseen, missing))


def _codes_in_file(name: str | None, levels: Sequence[str | float], known: Sequence[tuple[Any, float]]) -> dict[str | float, float]:
    """The code of each level as a file takes it: whole numbers beyond 2**53 may be one, and are refused if their codes differ."""
    first: dict[str | float, tuple[Any, float]] = {}
    for level, (own, code) in zip(levels, known, strict=True):
        other, its_code = first.setdefault(level, (own, code))
        if code != its_code:
            raise BadInput(
                f"column {name!r} has the categories {other} and {own}, which are one number in double precision, as a file takes "
                "numbers; make them texts, in training and in check_on alike."
            )
    return {level: code for level, (_, code) in first.items()}


COLUMNS: dict[type, Lower] = {
    ColumnTransformer: _column_transformer,
    RowShape: _row_shape,
    Numbers: _as_they_are,
    Levels: _as_they_are,
    OrdinalEncoder: _codes,
    OneHotEncoder: _one_hot,
    StandardScaler: _scaler,
    RobustScaler: _robust_scaler,
    MinMaxScaler: _range_scaler,
    MaxAbsScaler: _largest_scaler,
    SimpleImputer: _imputer,
    MissingIndicator: _indicator,
    FunctionTransformer: _function,
    TargetEncoder: _target_codes,
    FeatureUnion: _union,
}
