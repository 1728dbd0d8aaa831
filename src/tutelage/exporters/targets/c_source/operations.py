"""How each operation is written in C: lines of the function that answers, and the tables that they read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tutelage.exporters.program import operations as op
from tutelage.exporters.targets.c_source.literals import real, text
from tutelage.exporters.targets.c_source.source import Place, Source

Writer = Callable[..., None]
"""Takes the file, the operation, the place of the result and those of the sources, each with its shape."""


def size(shape: op.Shape) -> int:
    """How many numbers an array of a shape has."""
    return int(np.prod(shape, dtype=np.int64))


def _copied(source: Source, to: Place, x: Place, places: tuple[int, ...]) -> None:
    table = source.integers(places)
    cast = "" if x.kind == to.kind else f"({to.kind})"
    chosen = f"{cast}{x.item(f'{table}[i]')}"
    source.each(to, len(places), f"{table}[i] < 0 ? $0.0 : {chosen}" if min(places, default=0) < 0 else chosen)


def _numbers(source: Source, operation: op.Numbers, to: Place) -> None:
    row = Place(source.row, 0, source.cell)
    if operation.places is None:
        source.each(to, size(operation.row_shape), f"({to.kind}){row.item('i')}")
    else:
        _copied(source, to, row, operation.places)


def _category(source: Source, operation: op.Category, to: Place) -> None:
    order = sorted(range(len(operation.levels)), key=lambda place: _in_c(operation.levels[place]))
    levels = [operation.levels[place] for place in order]
    codes = f"{source.reals([operation.codes[place] for place in order])}[code]"
    unseen, missing = real(operation.unseen, source.number), real(operation.missing, source.number)
    if operation.of_text:
        cell = f"row->texts[{operation.place}]"
        known = source.items("char *const", [text(level, "the category") for level in levels] or ['""'])
        is_missing, call = f"{cell} == NULL", source.call("text_code", cell, known, str(len(levels)))
    else:
        cell = f"{source.row}[{operation.place}]"
        is_missing = f"{cell} != {cell}"
        call = source.call("number_code", cell, source.reals(levels, source.cell), str(len(levels)))
    source.line("{")
    source.line(f"    const int code = {is_missing} ? -2 : {call};")
    source.line(f"    {to.item(0)} = code == -2 ? {missing} : code < 0 ? {unseen} : {codes};")
    source.line("}")


def _in_c(level: Any) -> Any:
    """What the levels are sorted by: texts by their bytes."""
    return level.encode("utf-8", "surrogatepass") if isinstance(level, str) else level


def _constant(source: Source, operation: op.Constant, to: Place) -> None:
    source.each(to, operation.values.size, f"{source.reals(operation.values)}[i]")


def _select(source: Source, operation: op.Select, to: Place, x: Place, shape: op.Shape) -> None:
    if operation.places == tuple(range(size(shape))):
        source.each(to, size(shape), x.item("i"))
    else:
        _copied(source, to, x, operation.places)


def _join(source: Source, operation: op.Join, to: Place, *parts: Any) -> None:
    start = 0
    for x, shape in zip(parts[::2], parts[1::2], strict=True):
        source.each(Place(to.array, to.start + start, to.kind), size(shape), x.item("i"))
        start += size(shape)


def _fill_gaps(source: Source, operation: op.FillGaps, to: Place, x: Place, shape: op.Shape) -> None:
    cell = x.item("i")
    source.each(to, size(shape), f"{cell} != {cell} ? {source.reals(operation.values)}[i] : {cell}")


def _arithmetic(source: Source, operation: op.Arithmetic, to: Place, x: Place, shape: op.Shape) -> None:
    sign = {"subtract": "-", "add": "+", "multiply": "*", "divide": "/"}[operation.name]
    each = real(operation.values[0], source.number) if operation.values.size == 1 else f"{source.reals(operation.values)}[i]"
    source.each(to, size(shape), f"{x.item('i')} {sign} ({each})")


def _clip(source: Source, operation: op.Clip, to: Place, x: Place, shape: op.Shape) -> None:
    source.each(to, size(shape), source.call("clip", x.item("i"), *(real(each, source.number) for each in (operation.low, operation.high))))


def _one_hot(source: Source, operation: op.OneHot, to: Place, x: Place, shape: op.Shape) -> None:
    widths = source.items("uint32_t", list(map(str, operation.widths)))
    source.line(source.call("one_hot", x.pointer, str(len(operation.widths)), widths, to.pointer) + ";")


def _apply(source: Source, operation: op.Apply, to: Place, x: Place, shape: op.Shape) -> None:
    alpha = [real(operation.alpha, source.number)] if operation.function in ("leaky_relu", "elu") else []
    source.each(to, size(shape), source.call(operation.function, x.item("i"), *alpha))


def _on_last_axes(source: Source, to: Place, x: Place, count: int, shapes: tuple[int, int], call: Callable[[str, str], str]) -> None:
    """Calls a function for each vector of an array; `shapes` are the widths of its vectors before and after."""
    if count == 1:
        source.line(call(x.pointer, to.pointer) + ";")
        return
    before, after = shapes
    source.line(f"for (int i = 0; i < {count}; ++i) {call(f'{x.pointer} + i * {before}', f'{to.pointer} + i * {after}')};")


def _dense(source: Source, operation: op.Dense, to: Place, x: Place, shape: op.Shape) -> None:
    inputs, outputs = operation.weights.shape
    weights, intercepts = source.reals(operation.weights.T), source.reals(operation.intercepts)

    def call(before: str, after: str) -> str:
        return source.call("dense", before, str(inputs), str(outputs), weights, intercepts, after)

    _on_last_axes(source, to, x, size(shape[:-1]), (inputs, outputs), call)


def _softmax(source: Source, operation: op.Softmax, to: Place, x: Place, shape: op.Shape) -> None:
    def call(before: str, after: str) -> str:
        return source.call("softmax", before, str(shape[-1]), after)

    _on_last_axes(source, to, x, size(shape[:-1]), (shape[-1], shape[-1]), call)


def _largest(source: Source, operation: op.Largest, to: Place, x: Place, shape: op.Shape) -> None:
    source.line(source.call("largest", x.pointer, str(size(shape)), to.pointer) + ";")


def _layer_norm(source: Source, operation: op.LayerNorm, to: Place, x: Place, shape: op.Shape) -> None:
    width = operation.factor.size
    epsilon, factor, shift = real(operation.epsilon, source.number), source.reals(operation.factor), source.reals(operation.shift)

    def call(before: str, after: str) -> str:
        return source.call("layer_norm", before, str(width), epsilon, factor, shift, after)

    _on_last_axes(source, to, x, size(shape) // width, (width, width), call)


def _channel_norm(source: Source, operation: op.ChannelNorm, to: Place, x: Place, shape: op.Shape) -> None:
    tables = [source.reals(values) for values in (operation.mean, operation.factor, operation.shift)]
    call = source.call("channel_norm", x.pointer, str(shape[0]), str(size(shape[1:])), *tables, to.pointer)
    source.line(f"{call};")


def _both_classes(source: Source, operation: op.BothClasses, to: Place, x: Place, shape: op.Shape) -> None:
    source.line(f"{to.item(1)} = {x.item(0)};")
    source.line(f"{to.item(0)} = $1.0 - {to.item(1)};")


def _windows(source: Source, shape: op.Shape, result: op.Shape, groups: int, *along: op.Shape) -> str:
    """Add the sizes of windows on an array of one or two axes besides the channels; their address."""
    plain = (shape[0], *(1,) * (3 - len(shape)), *shape[1:], result[0], *(1,) * (3 - len(result)), *result[1:], groups)
    stay = (1, 1, 0, 1)  # along an axis that there is not: window, stride, padding, dilation
    pairs = ["{" + ", ".join(map(str, (*(none,) * (2 - len(each)), *each))) + "}" for each, none in zip(along, stay, strict=True)]
    return source.items(source.text("@windows"), ["{" + ", ".join([*map(str, plain), *pairs]) + "}"])


def _convolution(source: Source, operation: op.Convolution, to: Place, x: Place, shape: op.Shape) -> None:
    along = operation.weights.shape[2:], operation.stride, operation.padding, operation.dilation
    windows = _windows(source, shape, operation.shape(shape), operation.groups, *along)
    tables = source.reals(operation.weights), source.reals(operation.intercepts)
    source.line(source.call("convolve", x.pointer, windows, *tables, to.pointer) + ";")


def _pooling(source: Source, operation: op.Pooling, to: Place, x: Place, shape: op.Shape) -> None:
    along = operation.window, operation.stride, operation.padding, operation.dilation
    windows = _windows(source, shape, operation.shape(shape), 1, *along)
    flags = str(int(operation.name == "max")), str(int(operation.counts_padding))
    source.line(source.call("pool", x.pointer, windows, *flags, to.pointer) + ";")


OPERATIONS: dict[type[op.Operation], Writer] = {
    op.Numbers: _numbers,
    op.Category: _category,
    op.Constant: _constant,
    op.Select: _select,
    op.Join: _join,
    op.FillGaps: _fill_gaps,
    op.Arithmetic: _arithmetic,
    op.Clip: _clip,
    op.OneHot: _one_hot,
    op.Dense: _dense,
    op.Apply: _apply,
    op.Softmax: _softmax,
    op.Largest: _largest,
    op.BothClasses: _both_classes,
    op.Convolution: _convolution,
    op.Pooling: _pooling,
    op.ChannelNorm: _channel_norm,
    op.LayerNorm: _layer_norm,
}
"""Trees and new shapes are written by `steps.write_steps`, which knows where results are."""

IN_PLACE = (op.FillGaps, op.Arithmetic, op.Clip, op.Apply, op.Softmax, op.ChannelNorm, op.LayerNorm)
"""Operations whose result may take the place of what they read."""
