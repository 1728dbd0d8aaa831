"""Each operation as an expression of Python."""

from __future__ import annotations

from collections.abc import Callable

from tutelage.exporters.program import operations as op
from tutelage.exporters.program.tree_tables import TreeTables
from tutelage.exporters.targets.python.tables import WIDTH, Module, literal, wrapped
from tutelage.exporters.targets.sources import Source, Sparse, plane
from tutelage.exporters.targets.tables import words


def _numbers(module: Module, operation: op.Numbers) -> str:
    if operation.places is None:
        return "numbers"
    first, last = operation.places[0], operation.places[-1]
    if operation.places == tuple(range(first, last + 1)):
        return f"numbers[{first}:{last + 1}]"
    return f"_select(numbers, {module.table('PLACES', operation.places)})"


def _category(module: Module, operation: op.Category) -> str:
    pairs = zip(operation.levels, operation.codes, strict=True)
    codes = module.assign("CODES", wrapped([f"{literal(level)}: {literal(code)}" for level, code in pairs], "{}"))
    cell = f"{'texts' if operation.of_text else 'numbers'}[{operation.place}]"
    missing = f"{cell} is None" if operation.of_text else f"math.isnan({cell})"
    known = f"{codes}.get({cell}, {literal(operation.unseen)})"
    return f"[{literal(operation.missing)} if {missing} else {known}]"


def _terms(module: Module, operation: op.Terms) -> str:
    terms = f"_terms(texts[{operation.place}], {operation.lowercase}, {operation.shortest}, {operation.longest})"
    if operation.vocabulary is None:
        counts = f"_hashed({terms}, {operation.width}, {operation.signed})"
    else:
        text = ascii(words(operation.vocabulary))[1:-1].replace("\\'", "'").replace('"', '\\"')
        lines = "\n".join(f'    "{line}"' for line in _lines(text))
        vocabulary = module.assign("WORDS", f'(\n{lines}\n).split(",")')
        counts = f"_counted({terms}, {module.assign('PLACES', f'{{word: place for place, word in enumerate({vocabulary})}}')})"
    weights = None if operation.weights is None else module.table("WORD_WEIGHTS", operation.weights)
    return Sparse(f"_weighed({counts}, {operation.binary}, {operation.sublinear}, {weights}, {operation.norm!r})".replace("'", '"'))


def _lines(text: str) -> list[str]:
    """A text in lines, none of which ends within an escape sequence."""
    lines, line = [], ""
    for word in text.split(","):
        if line and len(line) + len(word) > WIDTH:
            lines.append(line)
            line = ""
        line += word + ","
    return [*lines, line[:-1]]


def _select(module: Module, operation: op.Select, x: Source) -> str:
    return f"_select({x.full}, {module.table('PLACES', operation.places)})"


def _join(module: Module, operation: op.Join, *parts: Source) -> str:
    if not any(part.sparse for part in parts):
        return "[" + ", ".join(f"*{part.name}" for part in parts) + "]"
    names, widths = ", ".join(part.name for part in parts), ", ".join(str(part.size) for part in parts)
    return Sparse(f"_joined(({names},), ({widths},))")


def _fill_gaps(module: Module, operation: op.FillGaps, x: Source) -> str:
    return f"[c if math.isnan(x) else x for x, c in zip({x.full}, {module.table('FILLED', operation.values)})]"


def _arithmetic(module: Module, operation: op.Arithmetic, x: Source) -> str:
    sign = {"subtract": "-", "add": "+", "multiply": "*", "divide": "/"}[operation.name]
    if len(operation.values) == 1:
        return f"[x {sign} {literal(float(operation.values[0]))} for x in {x.full}]"
    return f"[x {sign} c for x, c in zip({x.full}, {module.table(operation.name.upper(), operation.values)})]"


def _clip(module: Module, operation: op.Clip, x: Source) -> str:
    low, high = literal(operation.low), literal(operation.high)
    return f"[x if math.isnan(x) else min(max(x, {low}), {high}) for x in {x.full}]"


def _trees(module: Module, operation: op.TreeSum, x: Source) -> str:
    tables = TreeTables.of(operation.trees)
    names = ("roots", "feature", "threshold", "left", "right", "missing_left", "leaves")
    found = ", ".join(module.table(name.upper(), getattr(tables, name)) for name in names)
    start = wrapped([literal(value) for value in operation.trees.start.tolist()])
    return f"_trees({x.name}, {found}, {tables.leaves.shape[1]}, {operation.trees.divisor}, {start})"


def _dense(module: Module, operation: op.Dense, x: Source) -> str:
    weights = module.table("WEIGHTS", operation.weights if x.sparse else operation.weights.T)
    intercepts = module.table("INTERCEPTS", operation.intercepts)
    if x.sparse:
        return f"_sparse_dense({x.name}, {weights}, {intercepts})"
    return f"_dense({x.name}, {len(operation.weights)}, {weights}, {intercepts})"


def _apply(module: Module, operation: op.Apply, x: Source) -> str:
    alpha = f", {literal(operation.alpha)}" if operation.function in ("leaky_relu", "elu") else ""
    return f"[_{operation.function}(x{alpha}) for x in {x.full}]"


def _geometry(operation: op.Convolution | op.Pooling, window: op.Shape) -> str:
    """The arguments that describe windows."""
    others = (plane(operation.stride, 1), plane(operation.padding, 0), plane(operation.dilation, 1))
    return f"{plane(window, 1)}, " + ", ".join(map(str, others))


def _convolution(module: Module, operation: op.Convolution, x: Source) -> str:
    weights, intercepts = module.table("WEIGHTS", operation.weights), module.table("INTERCEPTS", operation.intercepts)
    geometry = _geometry(operation, operation.weights.shape[2:])
    return f"_convolution({x.full}, {_size(x)}, {weights}, {intercepts}, {geometry}, {operation.groups})"


def _pooling(module: Module, operation: op.Pooling, x: Source) -> str:
    geometry = _geometry(operation, operation.window)
    return f"_pooling({x.full}, {_size(x)}, {operation.name == 'mean'}, {geometry}, {operation.counts_padding})"


def _size(x: Source) -> op.Shape:
    """(channels, height, width)."""
    return (x.shape[0], *plane(x.shape[1:], 1))


def _channel_norm(module: Module, operation: op.ChannelNorm, x: Source) -> str:
    tables = (module.table(name.upper(), getattr(operation, name)) for name in ("mean", "factor", "shift"))
    return f"_channel_norm({x.full}, {', '.join(tables)})"


def _layer_norm(module: Module, operation: op.LayerNorm, x: Source) -> str:
    factor, shift = module.table("FACTOR", operation.factor), module.table("SHIFT", operation.shift)
    return f"_layer_norm({x.full}, {operation.epsilon!r}, {factor}, {shift})"


OPERATIONS: dict[type[op.Operation], Callable[..., str]] = {
    op.Numbers: _numbers,
    op.Category: _category,
    op.Terms: _terms,
    op.Constant: lambda module, operation: module.table("CONSTANT", operation.values),
    op.Select: _select,
    op.Join: _join,
    op.FillGaps: _fill_gaps,
    op.Arithmetic: _arithmetic,
    op.Clip: _clip,
    op.OneHot: lambda module, operation, x: f"_one_hot({x.full}, {module.table('WIDTHS', operation.widths)})",
    op.TreeSum: _trees,
    op.Dense: _dense,
    op.Apply: _apply,
    op.Softmax: lambda module, operation, x: f"_softmax({x.full})",
    op.Largest: lambda module, operation, x: f"_largest({x.full})",
    op.BothClasses: lambda module, operation, x: f"[1.0 - {x.name}[0], {x.name}[0]]",
    op.Convolution: _convolution,
    op.Pooling: _pooling,
    op.ChannelNorm: _channel_norm,
    op.LayerNorm: _layer_norm,
    op.Reshape: lambda module, operation, x: x.full,
}
"""How each operation is written, from the module, the operation and its sources."""
