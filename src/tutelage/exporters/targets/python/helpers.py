"""Functions of which exported modules are made: each is copied into the modules that call it, with those that it calls.

They need Python 3.9 and its standard library, and take flat sequences of numbers. A mapping from places to numbers stands for a vector
whose other numbers are zeros.
"""
# ruff: noqa: B905, PLR0124, PLW2901 - zip has no strict in Python 3.9

from __future__ import annotations

import base64
import math
import re
import struct
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import mul
from typing import Any

COLUMNS: tuple[Any, ...] = ()
SHAPE: tuple[int, ...] = ()
_IS_TEXT: tuple[bool, ...] = ()


def _cells(row: Any) -> tuple[list[float], list[str | None]]:
    """The numbers and the texts of a row."""
    if isinstance(row, str):
        row = [row]
    elif hasattr(row, "keys"):
        row = [row[name] for name in COLUMNS]
    if len(row) != len(COLUMNS):
        raise ValueError(f"the row has {len(row)} cells; expected {len(COLUMNS)}")
    numbers = [_number(cell) for cell, is_text in zip(row, _IS_TEXT) if not is_text]
    return numbers, [_text(cell) for cell, is_text in zip(row, _IS_TEXT) if is_text]


def _flat_numbers(row: Any) -> list[float]:
    """The numbers of a row, which may be nested sequences."""
    flat = row
    while len(flat) and hasattr(flat[0], "__len__") and not isinstance(flat[0], str):
        flat = [cell for part in flat for cell in part]
    if len(flat) != math.prod(SHAPE):
        raise ValueError(f"the row has {len(flat)} numbers; expected {math.prod(SHAPE)}")
    return [_number(cell) for cell in flat]


def _number(cell: Any) -> float:
    """The number in a cell, NaN if it is missing."""
    if isinstance(cell, (str, bytes)):
        raise TypeError("a cell holds a text; expected a number, or None")
    try:
        return math.nan if cell is None else float(cell)
    except OverflowError:
        raise ValueError("a cell holds a whole number beyond all numbers of double precision") from None


def _text(cell: Any) -> str | None:
    """The text in a cell, None if it is missing."""
    if cell is None or cell != cell:
        return None
    if not isinstance(cell, str):
        raise TypeError(f"a cell holds a {type(cell).__name__}; expected a text, or None")
    return cell


def _checked(answers: Sequence[float]) -> list[float]:
    """The answers, which are numbers."""
    if any(map(math.isnan, answers)):
        raise ValueError("this row has no answer: a number is missing or too large for the student")
    return list(answers)


def _unpack(kind: str, text: str) -> tuple[Any, ...]:
    """The numbers of a table that is stored in base64."""
    data = base64.b64decode(text)
    return struct.unpack(f"<{len(data) // struct.calcsize('<' + kind)}{kind}", data)


def _select(x: Sequence[float], places: Sequence[int]) -> list[float]:
    """The numbers at some places; zero for the place -1."""
    return [0.0 if place < 0 else x[place] for place in places]


def _spread(x: Mapping[int, float], width: int) -> list[float]:
    """All numbers of a vector that is given as a mapping."""
    return [x.get(place, 0.0) for place in range(width)]


def _joined(parts: Iterable[Any], widths: Iterable[int]) -> dict[int, float]:
    """Vectors one after another, as a mapping."""
    found, start = defaultdict(float), 0
    for part, width in zip(parts, widths):
        for place, value in part.items() if isinstance(part, dict) else enumerate(part):
            found[start + place] = value
        start += width
    return found


def _one_hot(codes: Iterable[float], widths: Iterable[int]) -> list[float]:
    """For each code, one at its place and zeros elsewhere."""
    found: list[float] = []
    for code, width in zip(codes, widths):
        found += [float(place == code) for place in range(width)]
    return found


def _terms(text: str | None, lowercase: bool, shortest: int, longest: int) -> Iterator[str]:
    """The runs of shortest to longest words of a text; a word has at least two letters, digits or underscores."""
    text = text or ""
    tokens = re.findall(r"\w\w+", text.lower() if lowercase else text)
    for length in range(shortest, longest + 1):
        for start in range(len(tokens) - length + 1):
            yield " ".join(tokens[start : start + length])


def _counted(terms: Iterable[str], vocabulary: Mapping[str, int]) -> dict[int, float]:
    """How often each known term occurs, by its place."""
    counts: dict[int, float] = defaultdict(float)
    for term in terms:
        place = vocabulary.get(term)
        if place is not None:
            counts[place] += 1.0
    return counts


def _hashed(terms: Iterable[str], width: int, signed: bool) -> dict[int, float]:
    """How often each term occurs, at the place that its hash gives."""
    counts: dict[int, float] = defaultdict(float)
    for term in terms:
        code = _murmur3(term.encode())
        counts[abs(code) % width] += -1.0 if signed and code < 0 else 1.0
    return counts


def _murmur3(data: bytes) -> int:
    """The hash MurmurHash3_x86_32, as a signed number."""
    mask, code = 0xFFFFFFFF, 0
    whole = len(data) // 4 * 4
    for start in range(0, len(data), 4):
        block = int.from_bytes(data[start : start + 4], "little") * 0xCC9E2D51 & mask
        code ^= (block << 15 | block >> 17) * 0x1B873593 & mask
        if start < whole:
            code = ((code << 13 | code >> 19) & mask) * 5 + 0xE6546B64 & mask
    code ^= len(data)
    code = (code ^ code >> 16) * 0x85EBCA6B & mask
    code = (code ^ code >> 13) * 0xC2B2AE35 & mask
    code ^= code >> 16
    return code - (1 << 32) if code >> 31 else code


def _weighed(
    counts: dict[int, float], binary: bool, sublinear: bool, weights: Sequence[float] | None, norm: str | None
) -> dict[int, float]:
    """The weights of terms from their counts."""
    for place, count in counts.items():
        value = 1.0 if binary else count
        value = 1.0 + math.log(value) if sublinear else value
        counts[place] = value if weights is None else value * weights[place]
    size = 0.0
    if norm == "l2":
        size = math.sqrt(sum(value * value for value in counts.values()))
    elif norm == "l1":
        size = sum(map(abs, counts.values()))
    if size:
        for place in counts:
            counts[place] /= size
    return counts


def _trees(
    x: Any,
    roots: Sequence[int],
    feature: Sequence[int],
    threshold: Sequence[float],
    left: Sequence[int],
    right: Sequence[int],
    missing_left: Sequence[int],
    leaves: Sequence[float],
    width: int,
    divisor: int,
    start: Sequence[float],
) -> list[float]:
    """The sum of the leaves that are reached. A child below zero is a leaf: -1 the first, -2 the second; a leaf has `width` numbers."""
    sums = [0.0] * len(start)
    for number, node in enumerate(roots):
        while node >= 0:
            cell = x[feature[node]]
            node = left[node] if cell <= threshold[node] or (cell != cell and missing_left[node]) else right[node]
        leaf, output = (-1 - node) * width, number * width % len(sums)
        for place in range(width):
            sums[output + place] += leaves[leaf + place]
    return [total / divisor + first for total, first in zip(sums, start)]


def _dense(x: Sequence[float], inputs: int, weights: Sequence[float], intercepts: Sequence[float]) -> list[float]:
    """Weighted sums of every `inputs` numbers: `weights` has as many for each intercept."""
    found = []
    for first in range(0, len(x), inputs):
        part = x[first : first + inputs]
        for output, intercept in enumerate(intercepts):
            found.append(sum(map(mul, part, weights[output * inputs : (output + 1) * inputs])) + intercept)
    return found


def _sparse_dense(x: Mapping[int, float], weights: Sequence[float], intercepts: Sequence[float]) -> list[float]:
    """Weighted sums of a vector that is given as a mapping: `weights` has one for each intercept, for each place in turn."""
    sums, outputs = list(intercepts), len(intercepts)
    for place, value in x.items():
        for output in range(outputs):
            sums[output] += value * weights[place * outputs + output]
    return sums


def _convolution(
    x: Sequence[float],
    size: tuple[int, int, int],
    weights: Sequence[float],
    intercepts: Sequence[float],
    window: tuple[int, int],
    stride: tuple[int, int],
    padding: tuple[int, int],
    dilation: tuple[int, int],
    groups: int,
) -> list[float]:
    """A convolution over x of (channels, height, width), zeros outside."""
    windows = _windows(size, window, stride, padding, dilation)
    channels, length, found = size[0] // groups, len(weights) // len(intercepts), []
    for group in range(groups):
        starts = [channel * size[1] * size[2] for channel in range(group * channels, (group + 1) * channels)]
        patches = [[x[start + place] if place >= 0 else 0.0 for start in starts for place in places] for places in windows]
        for output in range(group * len(intercepts) // groups, (group + 1) * len(intercepts) // groups):
            kernel = weights[output * length : (output + 1) * length]
            found += [sum(map(mul, patch, kernel)) + intercepts[output] for patch in patches]
    return found


def _pooling(
    x: Sequence[float],
    size: tuple[int, int, int],
    mean: bool,
    window: tuple[int, int],
    stride: tuple[int, int],
    padding: tuple[int, int],
    dilation: tuple[int, int],
    counts_padding: bool,
) -> list[float]:
    """The mean or the largest number of each window of x of (channels, height, width)."""
    found, windows = [], _windows(size, window, stride, padding, dilation)
    for channel in range(size[0]):
        start = channel * size[1] * size[2]
        for places in windows:
            cells = [x[start + place] for place in places if place >= 0]
            if mean:
                found.append(sum(cells) / (window[0] * window[1] if counts_padding else len(cells)))
            else:
                found.append(next((cell for cell in cells if cell != cell), max(cells)))
    return found


def _windows(
    size: tuple[int, int, int], window: tuple[int, int], stride: tuple[int, int], padding: tuple[int, int], dilation: tuple[int, int]
) -> list[list[int]]:
    """For each window, the place of each of its cells in a channel; -1 for a cell outside."""
    _, height, width = size
    found = []
    for top in range(-padding[0], height + padding[0] - dilation[0] * (window[0] - 1), stride[0]):
        for left in range(-padding[1], width + padding[1] - dilation[1] * (window[1] - 1), stride[1]):
            rows = [top + dilation[0] * number for number in range(window[0])]
            columns = [left + dilation[1] * number for number in range(window[1])]
            found.append([y * width + x if 0 <= y < height and 0 <= x < width else -1 for y in rows for x in columns])
    return found


def _channel_norm(x: Sequence[float], mean: Sequence[float], factor: Sequence[float], shift: Sequence[float]) -> list[float]:
    """(x - mean) * factor + shift, with one of each for a channel."""
    size = len(x) // len(mean)
    return [(value - mean[i // size]) * factor[i // size] + shift[i // size] for i, value in enumerate(x)]


def _layer_norm(x: Sequence[float], epsilon: float, factor: Sequence[float], shift: Sequence[float]) -> list[float]:
    """(x - mean) / sqrt(variance + epsilon) * factor + shift for every len(factor) numbers."""
    found: list[float] = []
    for first in range(0, len(x), len(factor)):
        part = x[first : first + len(factor)]
        mean = sum(part) / len(part)
        scale = math.sqrt(sum((value - mean) * (value - mean) for value in part) / len(part) + epsilon)
        found += [(value - mean) / scale * a + b for value, a, b in zip(part, factor, shift)]
    return found


def _softmax(x: Sequence[float]) -> list[float]:
    largest = max(x)
    shares = [math.exp(value - largest) for value in x]
    total = sum(shares)
    return [share / total for share in shares]


def _largest(x: Sequence[float]) -> list[float]:
    """1 at the place of the largest number, 0 elsewhere."""
    if any(math.isnan(value) for value in x):
        return [math.nan] * len(x)
    first = x.index(max(x))
    return [float(place == first) for place in range(len(x))]


def _sigmoid(x: float) -> float:
    if x >= 0:
        return 1.0 / (1.0 + math.exp(-x))
    return math.exp(x) / (1.0 + math.exp(x))


def _relu(x: float) -> float:
    return 0.0 if x <= 0 else x


def _leaky_relu(x: float, alpha: float) -> float:
    return alpha * x if x < 0 else x


def _elu(x: float, alpha: float) -> float:
    return alpha * math.expm1(x) if x < 0 else x


def _gelu(x: float) -> float:
    return 0.5 * x * (1.0 + math.erf(x / math.sqrt(2.0)))


def _gelu_tanh(x: float) -> float:
    return 0.5 * x * (1.0 + math.tanh(math.sqrt(2.0 / math.pi) * (x + 0.044715 * x * x * x)))


def _silu(x: float) -> float:
    return x * _sigmoid(x)


def _tanh(x: float) -> float:
    return math.tanh(x)


def _log(x: float) -> float:
    return math.log(x) if x > 0 else -math.inf if x == 0 else math.nan


def _logit(x: float) -> float:
    return _log(x) - (math.log1p(-x) if x < 1 else _log(1.0 - x))
