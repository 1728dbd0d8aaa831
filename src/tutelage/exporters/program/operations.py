"""The few operations of which every student consists. Each makes one array of numbers a row, from the row or from earlier arrays.

All arithmetic is that of double precision, unless the program says that the student computes in single precision.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from tutelage.core.arrays import Floats
from tutelage.core.errors import BadInput
from tutelage.exporters.program.trees import Trees

Shape = tuple[int, ...]
Function = Literal["relu", "leaky_relu", "elu", "gelu", "gelu_tanh", "silu", "tanh", "sigmoid", "log", "logit"]
"""leaky_relu and elu have the parameter alpha; gelu_tanh is the usual approximation of gelu; logit is log p - log(1 - p)."""


@dataclass(frozen=True, eq=False)
class Operation:
    """One operation.

    Attributes:
        reads_row: whether it takes cells of the row; otherwise it takes the results of earlier operations.
    """

    reads_row: ClassVar[bool] = False

    def shape(self, *sources: Shape) -> Shape:
        """The shape of the result, from those of the sources: as the only source, unless an operation says otherwise."""
        (same,) = sources
        return same


@dataclass(frozen=True, eq=False)
class Numbers(Operation):
    """Numbers of the row, in this order.

    Attributes:
        places: positions among the flat numbers of the row; None for all of them, in the shape of the row.
        row_shape: the shape of the numbers of a row.
    """

    places: tuple[int, ...] | None
    row_shape: Shape
    reads_row = True

    def shape(self, *sources: Shape) -> Shape:
        """As `Operation.shape`."""
        return self.row_shape if self.places is None else (len(self.places),)


@dataclass(frozen=True, eq=False)
class Category(Operation):
    """The code of a category as (1,).

    Attributes:
        of_text: whether the column is a text column; otherwise a column of numbers.
        place: position among the text columns, or among the numbers of the row.
        levels: the known categories: texts, or numbers.
        codes: (levels,) the code of each.
        unseen: the code of any other cell.
        missing: the code of a missing cell: no text, or NaN.
    """

    of_text: bool
    place: int
    levels: tuple[Any, ...]
    codes: tuple[float, ...]
    unseen: float
    missing: float
    reads_row = True

    def shape(self, *sources: Shape) -> Shape:
        """As `Operation.shape`."""
        return (1,)

    @property
    def empty_is_missing(self) -> bool:
        """Whether an empty text has the code of a missing one."""
        empty = self.codes[self.levels.index("")] if "" in self.levels else self.unseen
        return bool(np.array_equal(empty, self.missing, equal_nan=True))


@dataclass(frozen=True, eq=False)
class Terms(Operation):
    """The weights of the words and word pairs of a text, as (terms,), as scikit-learn's TfidfVectorizer and HashingVectorizer compute them.

    Tokens are runs of at least two word characters (Unicode letters, digits and the underscore).

    Attributes:
        place: position among the text columns.
        vocabulary: the terms, in the order of the result; None for hashed terms.
        width: number of results.
        shortest, longest: number of tokens of a term, inclusive.
        lowercase: whether the text is made lower case first.
        binary: whether a term counts once at most.
        sublinear: whether a count n becomes 1 + log n.
        weights: (terms,) what a count is multiplied by (idf); None for 1.
        norm: "l2", "l1" or None: what each row is divided by; a row without terms is zeros.
        signed: for hashed terms, whether the sign of the hash decides about the sign of a count.
    """

    place: int
    vocabulary: tuple[str, ...] | None
    width: int
    shortest: int
    longest: int
    lowercase: bool
    binary: bool
    sublinear: bool
    weights: Floats | None
    norm: Literal["l1", "l2"] | None
    signed: bool = False
    reads_row = True

    def shape(self, *sources: Shape) -> Shape:
        """As `Operation.shape`."""
        return (self.width,)


@dataclass(frozen=True, eq=False)
class Constant(Operation):
    """The same numbers for every row."""

    values: Floats
    reads_row = True

    def shape(self, *sources: Shape) -> Shape:
        """As `Operation.shape`."""
        return self.values.shape


@dataclass(frozen=True, eq=False)
class Select(Operation):
    """Some numbers of a vector, in this order; the place -1 is a zero."""

    places: tuple[int, ...]

    def shape(self, *sources: Shape) -> Shape:
        """As `Operation.shape`."""
        return (len(self.places),)


@dataclass(frozen=True, eq=False)
class Join(Operation):
    """Several vectors, one after another."""

    def shape(self, *sources: Shape) -> Shape:
        """As `Operation.shape`."""
        return (sum(width for (width,) in sources),)


@dataclass(frozen=True, eq=False)
class FillGaps(Operation):
    """NaN becomes the number at its place. `values` is (n,)."""

    values: Floats


@dataclass(frozen=True, eq=False)
class Arithmetic(Operation):
    """x - values, x + values, x * values or x / values; `values` is (n,) as x, or (1,) for all."""

    name: Literal["subtract", "add", "multiply", "divide"]
    values: Floats


@dataclass(frozen=True, eq=False)
class Clip(Operation):
    """The nearest number from `low` to `high`; NaN stays."""

    low: float
    high: float


@dataclass(frozen=True, eq=False)
class OneHot(Operation):
    """From codes (n,) to (sum of widths,): for each code, one at its place and zeros elsewhere; only zeros for a code below zero."""

    widths: tuple[int, ...]

    def shape(self, *sources: Shape) -> Shape:
        """As `Operation.shape`."""
        return (sum(self.widths),)


@dataclass(frozen=True, eq=False)
class TreeSum(Operation):
    """The answers of trees, (outputs,)."""

    trees: Trees

    def shape(self, *sources: Shape) -> Shape:
        """As `Operation.shape`."""
        return (self.trees.outputs,)


@dataclass(frozen=True, eq=False)
class Dense(Operation):
    """x @ weights + intercepts. `weights` is (inputs, outputs), `intercepts` (outputs,)."""

    weights: NDArray[np.floating[Any]]
    intercepts: NDArray[np.floating[Any]]

    def shape(self, *sources: Shape) -> Shape:
        """As `Operation.shape`."""
        return (*sources[0][:-1], self.weights.shape[1])


@dataclass(frozen=True, eq=False)
class Apply(Operation):
    """A function of each number."""

    function: Function
    alpha: float = 0.0


@dataclass(frozen=True, eq=False)
class Softmax(Operation):
    """exp(x) / sum of exp(x), without overflow."""


@dataclass(frozen=True, eq=False)
class Largest(Operation):
    """From a vector, 1 at the place of its largest number, the first of equal ones, and 0 elsewhere; NaN everywhere if a number is NaN."""


@dataclass(frozen=True, eq=False)
class BothClasses(Operation):
    """From the probability p of the second of two classes, (1,), to (1 - p, p)."""

    def shape(self, *sources: Shape) -> Shape:
        """As `Operation.shape`."""
        return (2,)


@dataclass(frozen=True, eq=False)
class Convolution(Operation):
    """A convolution over the last one or two axes of (channels, [height,] width), zeros outside, as torch's Conv1d and Conv2d.

    Attributes:
        weights: (outputs, channels / groups, [height,] width).
        intercepts: (outputs,).
        stride, padding, dilation: one number for each axis.
    """

    weights: NDArray[np.floating[Any]]
    intercepts: NDArray[np.floating[Any]]
    stride: Shape
    padding: Shape
    dilation: Shape
    groups: int

    def shape(self, *sources: Shape) -> Shape:
        """As `Operation.shape`."""
        return (len(self.weights), *_windows(sources[0][1:], self.weights.shape[2:], self.stride, self.padding, self.dilation))


@dataclass(frozen=True, eq=False)
class Pooling(Operation):
    """The largest number or the mean of each window of the last one or two axes of (channels, [height,] width).

    Attributes:
        name: "max", or "mean".
        window, stride, padding, dilation: one number for each axis; the mean has dilation 1.
        counts_padding: whether the mean divides by the whole window at the border too.
    """

    name: Literal["max", "mean"]
    window: Shape
    stride: Shape
    padding: Shape
    dilation: Shape
    counts_padding: bool = True

    def shape(self, *sources: Shape) -> Shape:
        """As `Operation.shape`."""
        return (sources[0][0], *_windows(sources[0][1:], self.window, self.stride, self.padding, self.dilation))


@dataclass(frozen=True, eq=False)
class ChannelNorm(Operation):
    """(x - mean) * factor + shift for each channel, the first axis: a batch norm that has been trained. All are (channels,)."""

    mean: NDArray[np.floating[Any]]
    factor: NDArray[np.floating[Any]]
    shift: NDArray[np.floating[Any]]


@dataclass(frozen=True, eq=False)
class LayerNorm(Operation):
    """(x - mean) / sqrt(variance + epsilon) * factor + shift over the last axes; `factor` and `shift` have their shape."""

    epsilon: float
    factor: NDArray[np.floating[Any]]
    shift: NDArray[np.floating[Any]]


@dataclass(frozen=True, eq=False)
class Reshape(Operation):
    """The same numbers in another shape."""

    to: Shape

    def shape(self, *sources: Shape) -> Shape:
        """As `Operation.shape`."""
        return self.to


@dataclass(frozen=True, eq=False)
class OnnxPart(Operation):
    """What another library's exporter writes to ONNX: it exists in no other language.

    Attributes:
        name: what it is, for messages: the name of a class.
        model: the ONNX model; it takes one input, to whose type the result of the step before is cast.
        output: position of its output that is the result.
        single: whether that is in single precision.
        to: shape of the result for one row.
        estimator: a fitted estimator of scikit-learn, or None for a network.
    """

    name: str
    model: Any
    output: int
    single: bool
    to: Shape
    estimator: Any = None

    def shape(self, *sources: Shape) -> Shape:
        """As `Operation.shape`."""
        return self.to


def _windows(size: Shape, window: Shape, stride: Shape, padding: Shape, dilation: Shape) -> Shape:
    """How many windows fit along each axis."""
    axes = zip(size, window, stride, padding, dilation, strict=True)
    return tuple((length + 2 * pad - spread * (width - 1) - 1) // step + 1 for length, width, step, pad, spread in axes)


def weights_of(operation: Operation) -> tuple[NDArray[Any], ...]:
    """The arrays of numbers that an operation multiplies or adds; empty for those without."""
    found = (getattr(operation, name, None) for name in ("weights", "intercepts", "mean", "factor", "shift", "values"))
    return tuple(each for each in found if isinstance(each, np.ndarray))


def cannot_be_written(operation: Operation, target: str) -> BadInput:
    """The error about an operation that a target does not have."""
    what = f"what a {operation.name} computes" if isinstance(operation, OnnxPart) else _WORDS.get(type(operation), type(operation).__name__)
    return BadInput(f"this student cannot be written in {target}, which has no way to write {what}; export it to ONNX.")


_WORDS: dict[type, str] = {
    Terms: "the words of a text",
    Dense: "layers of weights",
    Apply: "activations",
    Softmax: "softmax",
    Largest: "which of many numbers is the largest",
    TreeSum: "trees",
    Convolution: "convolutions",
    Pooling: "pooling",
    ChannelNorm: "batch norms",
    LayerNorm: "layer norms",
    Category: "categories",
    OneHot: "categories",
}
