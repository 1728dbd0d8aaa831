"""How the steps of a pipeline turn columns into numbers: gaps, codes of categories, one-hot columns, scales."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, OneHotEncoder, OrdinalEncoder, RobustScaler, StandardScaler

from tutelage.core.errors import BadInput
from tutelage.data.cells import is_missing
from tutelage.exporters.program import operations as op
from tutelage.exporters.program.lowering import Columns, Lower, Lowering, Value
from tutelage.students.columns import Levels, Numbers


def _column_transformer(program: Lowering, model: ColumnTransformer, rows: Value) -> Value:
    parts: list[Value] = []
    for name, step, _ in model.transformers_:
        places = _places(model, name)
        if places and not (isinstance(step, str) and step == "drop"):
            chosen = _chosen(program, rows, places)
            parts.append(chosen if isinstance(step, str) else program.lower(step, chosen))
    if all(isinstance(part, Columns) for part in parts):
        return Columns(tuple(place for part in parts if isinstance(part, Columns) for place in part.places))
    numbers = [program.numbers(part) for part in parts]
    return numbers[0] if len(numbers) == 1 else program.then(op.Join(), *numbers)


def _places(model: ColumnTransformer, name: str) -> list[int]:
    """Positions of the columns that a step of a ColumnTransformer takes, however they were named."""
    return [int(place) for place in np.atleast_1d(np.arange(model.n_features_in_)[model._transformer_to_input_indices[name]])]


def _chosen(program: Lowering, rows: Value, places: list[int]) -> Value:
    if isinstance(rows, Columns):
        return Columns(tuple(rows.places[place] for place in places))
    return program.then(op.Select(tuple(places)), rows)


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


def _imputer(program: Lowering, model: SimpleImputer, rows: Value) -> Value:
    filled = np.asarray(model.statistics_)
    if filled.dtype.kind != "f" or not np.isfinite(filled).all() or model.add_indicator or not np.isnan(model.missing_values):
        raise BadInput("this SimpleImputer cannot be exported; expected one that fills NaN in every column with a number, and adds none.")
    return program.then(op.FillGaps(filled), program.numbers(rows))


def _as_they_are(program: Lowering, model: Any, rows: Value) -> Value:
    """The columns are what they are already: the door of the file reads them as numbers, or as texts."""
    return rows


def _function(program: Lowering, model: FunctionTransformer, rows: Value) -> Value:
    """What a ColumnTransformer makes of "passthrough"."""
    if model.func is not None:
        raise BadInput("a FunctionTransformer cannot be exported: it runs a function of its own. Call the function before the student.")
    return rows


def _codes(program: Lowering, model: OrdinalEncoder, rows: Value) -> Value:
    unseen = float(model.unknown_value) if model.handle_unknown == "use_encoded_value" else -1.0  # the student refuses it otherwise
    columns = []
    for place, categories in enumerate(model.categories_):
        groups = _groups(model, place, len(categories))
        codes = [float(code) for code in groups]
        found = [number for number, level in enumerate(categories) if is_missing(level)]
        missing = float(model.encoded_missing_value) if found else unseen
        columns.append(_category(program, rows, place, categories, codes, unseen=unseen, missing=missing))
    return columns[0] if len(columns) == 1 else program.then(op.Join(), *columns)


def _one_hot(program: Lowering, model: OneHotEncoder, rows: Value) -> Value:
    columns, widths = [], []
    for place, categories in enumerate(model.categories_):
        groups = _groups(model, place, len(categories))
        dropped = None if model.drop_idx_ is None else model._drop_idx_after_grouping[place]
        width = max(groups) + 1 - (dropped is not None)
        codes = [-1.0 if group == dropped else float(group - (dropped is not None and group > dropped)) for group in groups]
        infrequent = _infrequent(model, place)
        unseen = codes[infrequent] if infrequent is not None and model.handle_unknown == "infrequent_if_exist" else -1.0
        found = [number for number, level in enumerate(categories) if is_missing(level)]
        missing = codes[found[0]] if found else unseen
        columns.append(_category(program, rows, place, categories, codes, unseen=unseen, missing=missing))
        widths.append(width)
    codes_of_all = columns[0] if len(columns) == 1 else program.then(op.Join(), *columns)
    return program.then(op.OneHot(tuple(widths)), codes_of_all)


def _groups(model: OrdinalEncoder | OneHotEncoder, place: int, count: int) -> list[int]:
    """The group of each category: rare ones share the last."""
    mappings = getattr(model, "_default_to_infrequent_mappings", None) if model._infrequent_enabled else None
    return list(range(count)) if mappings is None or mappings[place] is None else [int(group) for group in mappings[place]]


def _infrequent(model: OneHotEncoder, place: int) -> int | None:
    """The number of a category among those that share a column; None if there are none."""
    indices = model._infrequent_indices[place] if model._infrequent_enabled else None
    return None if indices is None or not len(indices) else int(indices[0])


def _category(program: Lowering, rows: Value, place: int, categories: Any, codes: list[float], *, unseen: float, missing: float) -> int:
    if not isinstance(rows, Columns):
        raise BadInput("an encoder of categories after another step cannot be exported; expected one that reads columns of the rows.")
    column = program.inputs[rows.places[place]]
    text = column.kind == "text"
    known = [(level, code) for level, code in zip(categories, codes, strict=True) if not is_missing(level)]
    levels = tuple(str(level) if text else float(level) for level, _ in known if text == isinstance(level, str))
    if len(levels) != len(known):
        raise BadInput(f"column {column.name!r} has categories of several types, which cannot be exported; expected texts, or numbers.")
    return program.then(op.Category(text, program.place(rows.places[place]), levels, tuple(code for _, code in known), unseen, missing))


COLUMNS: dict[type, Lower] = {
    ColumnTransformer: _column_transformer,
    FunctionTransformer: _function,
    Numbers: _as_they_are,
    Levels: _as_they_are,
    OrdinalEncoder: _codes,
    OneHotEncoder: _one_hot,
    StandardScaler: _scaler,
    RobustScaler: _robust_scaler,
    MinMaxScaler: _range_scaler,
    SimpleImputer: _imputer,
}
