"""Each operation as an expression of JavaScript."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tutelage.exporters.program import operations as op
from tutelage.exporters.program.tree_tables import TreeTables
from tutelage.exporters.targets.javascript.tables import Module, literal, numbers
from tutelage.exporters.targets.sources import Source, Sparse, plane
from tutelage.exporters.targets.tables import words


def _numbers(module: Module, operation: op.Numbers) -> str:
    if operation.places is None:
        return "numbers"
    first, last = operation.places[0], operation.places[-1]
    if operation.places == tuple(range(first, last + 1)):
        return f"numbers.slice({first}, {last + 1})"
    return f"select(numbers, {module.table('places', operation.places)})"


def _category(module: Module, operation: op.Category) -> str:
    pairs = ", ".join(f"[{literal(level)}, {literal(code)}]" for level, code in zip(operation.levels, operation.codes, strict=True))
    codes = module.assign("codes", f"new Map([{pairs}])")
    cell = f"{'texts' if operation.of_text else 'numbers'}[{operation.place}]"
    missing = f"{cell} === null" if operation.of_text else f"Number.isNaN({cell})"
    return f"[{missing} ? {literal(operation.missing)} : ({codes}.get({cell}) ?? {literal(operation.unseen)})]"


def _terms(module: Module, operation: op.Terms) -> str:
    terms = f"terms(texts[{operation.place}], {literal(operation.lowercase)}, {operation.shortest}, {operation.longest})"
    if operation.vocabulary is None:
        counts = f"hashed({terms}, {operation.width}, {literal(operation.signed)})"
    else:
        text = literal(words(operation.vocabulary))
        vocabulary = module.assign("vocabulary", f'new Map({text}.split(",").map((word, place) => [word, place]))')
        counts = f"counted({terms}, {vocabulary})"
    weights = "null" if operation.weights is None else module.table("wordWeights", operation.weights)
    settings = f"{literal(operation.binary)}, {literal(operation.sublinear)}, {weights}, {literal(operation.norm)}"
    return Sparse(f"weighed({counts}, {settings})")


def _join(module: Module, operation: op.Join, *parts: Source) -> str:
    if not any(part.sparse for part in parts):
        return "[" + ", ".join(f"...{part.name}" for part in parts) + "]"
    return Sparse(f"joined([{', '.join(part.name for part in parts)}], [{', '.join(str(part.size) for part in parts)}])")


def _each(x: Source, expression: str) -> str:
    """An expression of each number x and its position i."""
    return f"mapped({x.full}, ({'x, i' if '[i]' in expression else 'x'}) => {expression})"


def _fill_gaps(module: Module, operation: op.FillGaps, x: Source) -> str:
    return _each(x, f"Number.isNaN(x) ? {module.table('filled', operation.values)}[i] : x")


def _arithmetic(module: Module, operation: op.Arithmetic, x: Source) -> str:
    sign = {"subtract": "-", "add": "+", "multiply": "*", "divide": "/"}[operation.name]
    if len(operation.values) == 1:
        return _each(x, f"x {sign} {literal(float(operation.values[0]))}".replace("- -", "+ "))
    return _each(x, f"x {sign} {module.table(operation.name, operation.values)}[i]")


def _clip(module: Module, operation: op.Clip, x: Source) -> str:
    return _each(x, f"Math.min(Math.max(x, {literal(operation.low)}), {literal(operation.high)})")


def _trees(module: Module, operation: op.TreeSum, x: Source) -> str:
    trees = operation.trees
    tables = TreeTables.of(trees, single=trees.single)
    names = ("roots", "feature", "threshold", "left", "right", "leaves")
    parts = {name: numbers(getattr(tables, name)) for name in names} | {
        "missingLeft": numbers(tables.missing_left),
        "width": tables.leaves.shape[1],
        "divisor": trees.divisor,
        "start": numbers(trees.start),
    }
    rows = f"Float32Array.from({x.full})" if trees.single else x.full
    return f"trees({rows}, {module.assign('trees', _object(parts))})"


def _object(parts: Mapping[str, object]) -> str:
    """An object, one property a line."""
    return "{\n" + "".join(f"  {name}: {value},\n" for name, value in parts.items()) + "}"


def _dense(module: Module, operation: op.Dense, x: Source) -> str:
    weights = module.table("weights", operation.weights if x.sparse else operation.weights.T)
    intercepts = module.table("intercepts", operation.intercepts)
    if x.sparse:
        return f"sparseDense({x.name}, {weights}, {intercepts})"
    return f"dense({x.name}, {len(operation.weights)}, {weights}, {intercepts})"


_FUNCTIONS = {"leaky_relu": "leakyRelu", "gelu_tanh": "geluTanh", "tanh": "Math.tanh", "log": "Math.log"}
"""Functions of another name here."""


def _apply(module: Module, operation: op.Apply, x: Source) -> str:
    name = _FUNCTIONS.get(operation.function, operation.function)
    if operation.function in ("leaky_relu", "elu"):
        return _each(x, f"{name}(x, {literal(operation.alpha)})")
    return f"mapped({x.full}, {name})"


def _geometry(module: Module, operation: op.Convolution | op.Pooling, window: op.Shape, size: op.Shape, groups: int = 1) -> str:
    """The sizes of windows, as an object."""
    parts = {
        "size": (size[0], *plane(size[1:], 1)),
        "window": plane(window, 1),
        "stride": plane(operation.stride, 1),
        "padding": plane(operation.padding, 0),
        "dilation": plane(operation.dilation, 1),
        "found": plane(operation.shape(size)[1:], 1),
    }
    return module.assign("geometry", _object({name: list(values) for name, values in parts.items()} | {"groups": groups}))


def _convolution(module: Module, operation: op.Convolution, x: Source) -> str:
    geometry = _geometry(module, operation, operation.weights.shape[2:], x.shape, operation.groups)
    weights, intercepts = module.table("weights", operation.weights), module.table("intercepts", operation.intercepts)
    return f"convolution({x.full}, {weights}, {intercepts}, {geometry})"


def _pooling(module: Module, operation: op.Pooling, x: Source) -> str:
    geometry = _geometry(module, operation, operation.window, x.shape)
    return f"pooling({x.full}, {literal(operation.name == 'mean')}, {literal(operation.counts_padding)}, {geometry})"


def _channel_norm(module: Module, operation: op.ChannelNorm, x: Source) -> str:
    tables = (module.table(name, getattr(operation, name)) for name in ("mean", "factor", "shift"))
    return f"channelNorm({x.full}, {', '.join(tables)})"


def _layer_norm(module: Module, operation: op.LayerNorm, x: Source) -> str:
    factor, shift = module.table("factor", operation.factor), module.table("shift", operation.shift)
    return f"layerNorm({x.full}, {literal(operation.epsilon)}, {factor}, {shift})"


OPERATIONS: dict[type[op.Operation], Callable[..., str]] = {
    op.Numbers: _numbers,
    op.Category: _category,
    op.Terms: _terms,
    op.Constant: lambda module, operation: module.table("constant", operation.values),
    op.Select: lambda module, operation, x: f"select({x.full}, {module.table('places', operation.places)})",
    op.Join: _join,
    op.FillGaps: _fill_gaps,
    op.Arithmetic: _arithmetic,
    op.Clip: _clip,
    op.OneHot: lambda module, operation, x: f"oneHot({x.full}, {module.table('widths', operation.widths)})",
    op.TreeSum: _trees,
    op.Dense: _dense,
    op.Apply: _apply,
    op.Softmax: lambda module, operation, x: f"softmax({x.full})",
    op.Largest: lambda module, operation, x: f"largest({x.full})",
    op.BothClasses: lambda module, operation, x: f"[1 - {x.name}[0], {x.name}[0]]",
    op.Convolution: _convolution,
    op.Pooling: _pooling,
    op.ChannelNorm: _channel_norm,
    op.LayerNorm: _layer_norm,
    op.Reshape: lambda module, operation, x: x.full,
}
"""How each operation is written, from the module, the operation and its sources."""
