"""What may be handed in: mostly close to what it should be, sometimes anything; and what may come of it."""

import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import sklearn
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

import tutelage
from tutelage.core.answers import AnswerForm
from tutelage.core.errors import TutelageError


def most_cases() -> int:
    """Cases of a test: 250 with --all, 100 otherwise."""
    return 5 * settings.default.max_examples // 2


def cases(test: Callable[..., None]) -> Callable[..., None]:
    """Give a test its number of cases."""
    return settings(max_examples=most_cases(), deadline=None, suppress_health_check=list(HealthCheck))(test)


TUTELAGE, SKLEARN = (Path(package.__file__).parent for package in (tutelage, sklearn))

LABELS = st.one_of(st.integers(-3, 3), st.text(max_size=3), st.booleans(), st.floats(), st.none(), st.integers(10**20, 10**21))
FORMS = st.builds(
    lambda kind, task, classes: (kind, task, tuple(classes)),
    st.sampled_from(["logits", "probabilities", "values", "scores"]),
    st.sampled_from(["binary", "multiclass", "multilabel", "regression"]),
    st.lists(LABELS, max_size=4),
)
NUMBERS = st.one_of(
    st.sampled_from([0.0, 1.0, 0.5, -1.0, np.nan, np.inf, -np.inf, 1e308, 1e-320]),
    st.floats(0, 1, allow_subnormal=False),
    st.floats(width=32),
)
DTYPES = st.sampled_from(["float64", "float32", "float16", "int64", "uint64", "bool", "complex128", "U3", "datetime64[s]"])
SHAPES = st.one_of(st.tuples(st.just(3), st.integers(1, 4)), array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4))
CELLS = st.one_of(
    NUMBERS,
    st.integers(),
    st.text(st.characters(), max_size=4),
    st.none(),
    st.booleans(),
    st.binary(max_size=3),
    st.just([1]),
    st.integers(2**63),
)


@st.composite
def said(draw):
    """What a teacher might say: mostly close to what it should, sometimes anything."""
    if draw(st.booleans()):
        matrix = draw(arrays(np.float64, st.tuples(st.just(3), st.integers(1, 4)), elements=st.floats(0.01, 1)))
        matrix = matrix / matrix.sum(axis=1, keepdims=True)
        if draw(st.booleans()):
            matrix[draw(st.integers(0, 2)), 0] = draw(NUMBERS)
        return matrix
    if draw(st.booleans()):
        return draw(st.lists(st.lists(CELLS, max_size=3), max_size=4))
    return draw(arrays(draw(DTYPES), draw(SHAPES)))


def stochastic(rows: int, columns: int) -> st.SearchStrategy[np.ndarray]:
    """(rows, columns) probabilities."""
    return arrays(np.float64, (rows, columns), elements=st.floats(0.01, 1)).map(lambda p: p / p.sum(axis=1, keepdims=True))


SOUND_ANSWERS = st.one_of(
    st.tuples(st.just(("probabilities", "multiclass", ("c", "a", "b"))), stochastic(3, 3)),
    st.tuples(st.just(("logits", "binary", (0, 1))), arrays(np.float64, (3, 2), elements=st.floats(-9, 9))),
    st.tuples(st.just(("values", "regression", ())), arrays(np.float64, (3, 1), elements=st.floats(-9, 9))),
)
"""What a teacher declares and says of three rows."""


@st.composite
def one_broken(draw, sound: dict[str, st.SearchStrategy], broken: dict[str, st.SearchStrategy]):
    """A value of each name, all sound but one at most: of two broken ones, the first would hide the second."""
    values = {name: draw(strategy) for name, strategy in sound.items()}
    name = draw(st.sampled_from([None, *broken]))
    return values if name is None else {**values, name: draw(broken[name])}


class Says:
    fingerprint = "says"

    def __init__(self, form, answers):
        self.form, self.answers = form, answers

    def answer(self, inputs):
        return self.answers


def is_right(form: AnswerForm, answers: np.ndarray, rows: int) -> bool:
    """Written apart from the checks it tests."""
    if answers.ndim != 2 or len(answers) != rows or (form.classes and answers.shape[1] != len(form.classes)):
        return False
    if form.kind == "probabilities":
        fine = bool(((answers >= 0) & (answers <= 1.001)).all())
        return fine and (form.task == "multilabel" or bool((abs(answers.astype(float).sum(axis=1) - 1) < 2e-3).all()))
    return not np.isnan(answers).any() and not (answers == np.inf).any()


ROWS = st.one_of(
    st.lists(st.lists(CELLS, min_size=1, max_size=3), max_size=5),
    st.lists(st.text(st.characters(), max_size=5), max_size=5),
    arrays(DTYPES.filter(lambda dtype: dtype != "complex128"), array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)),
    arrays("complex128", (2, 2)),
    CELLS,
)


REACHED = Counter[str]()
"""How many cases of the test that runs were refused, and how many came through."""


@contextmanager
def refused(*errors: type[Exception]) -> Iterator[None]:
    """Let these errors pass, and count how the case ended."""
    try:
        yield
    except errors:
        REACHED["refused"] += 1
    else:
        REACHED["came through"] += 1


@contextmanager
def documented() -> Iterator[None]:
    """Let pass what the docstrings name: tutelage's errors, and a ValueError or TypeError of scikit-learn's validation.

    The latter counts only where tutelage called straight into scikit-learn: an error of NumPy's in our own lines does not.
    """
    with warnings.catch_warnings(), refused(TutelageError, _Scikit):
        warnings.simplefilter("ignore")  # rows of 1e308 overflow, and solvers say that they did not converge
        try:
            yield
        except TutelageError:
            raise
        except (ValueError, TypeError) as error:
            files = [Path(frame.filename) for frame in traceback.extract_tb(error.__traceback__)]
            last = max((index for index, file in enumerate(files) if file.is_relative_to(TUTELAGE)), default=len(files))
            if files[min(last + 1, len(files) - 1)].is_relative_to(SKLEARN):
                raise _Scikit from error
            raise


class _Scikit(Exception):
    """An error of scikit-learn's own validation."""
