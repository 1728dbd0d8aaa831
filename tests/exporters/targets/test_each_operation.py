"""Each operation alone, in each language, against NumPy, scikit-learn and torch."""

import shutil

import numpy as np
import pytest
import torch
from sklearn.feature_extraction.text import HashingVectorizer, TfidfVectorizer

from tutelage.core.answers import AnswerForm
from tutelage.core.errors import ParityError
from tutelage.exporters.program import operations as op
from tutelage.exporters.program.lowering import Lowering
from tutelage.exporters.program.program import Program
from tutelage.exporters.program.trees import Tree, Trees
from tutelage.exporters.subject.check_rows import CheckRows
from tutelage.exporters.subject.inputs import Input
from tutelage.exporters.subject.subject import Subject
from tutelage.exporters.targets import javascript, python
from tutelage.exporters.targets.job import Job, Settings

LANGUAGES = [
    pytest.param(python, id="python"),
    pytest.param(javascript, id="javascript", marks=pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")),
]
VALUES = np.array([-30.0, -2.5, -1.0, -1e-3, -0.0, 0.0, 1e-9, 0.5, 1.0, 3.0, 30.0])
PICTURES = np.random.default_rng(0).normal(size=(5, 4, 7, 6))
LINES = PICTURES.reshape(5, 4, 42)


def answers_of(language, folder, rows, *chain, inputs=()):
    """(rows, outputs) what a chain of operations answers; the first reads the row, each other the result before it.

    The results of a list of operations are joined.
    """
    program = Lowering(inputs, rows.numbers.shape[1:], {})
    last = program.then(chain[0])
    for operation in chain[1:]:
        if isinstance(operation, list):
            parts = [program.then(each, last) for each in operation]
            last = program.then(op.Join(), *[program.then(op.Reshape((program.width(each),)), each) for each in parts])
        else:
            last = program.then(operation, last)
    last = program.then(op.Reshape((program.width(last),)), last)
    form = AnswerForm("values", "regression")
    made = Program(tuple(inputs), rows.numbers.shape[1:], tuple(program.steps), form, np.float64, single=False)
    subject = Subject(None, form, tuple(inputs), rows.numbers.shape[1:], "array")
    job = Job(subject, rows, made, "student", Settings())
    name, content = next(iter(language.write(job, ["Only a test."]).items()))
    (folder / name).write_bytes(content)
    (runtime,) = language.runtimes(job)
    return runtime.answers(folder / name, made, rows).values


def numbers(array):
    return CheckRows.of_numbers(np.asarray(array, dtype=np.float64))


def every(array):
    """All numbers of such rows."""
    return op.Numbers(None, np.shape(array)[1:])


def torch_of(module, rows):
    with torch.no_grad():
        return module(torch.tensor(rows)).reshape(len(rows), -1).numpy()


FUNCTIONS = {
    "relu": torch.relu,
    "leaky_relu": lambda x: torch.nn.functional.leaky_relu(x, 0.3),
    "elu": lambda x: torch.nn.functional.elu(x, 0.3),
    "gelu": torch.nn.functional.gelu,
    "gelu_tanh": lambda x: torch.nn.functional.gelu(x, approximate="tanh"),
    "silu": torch.nn.functional.silu,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_function_is_torchs_to_the_last_digits(language, tmp_path):
    parts = [op.Apply(name, 0.3) for name in FUNCTIONS]
    rows = numbers([VALUES])
    found = answers_of(language, tmp_path, rows, every(rows.numbers), parts).reshape(len(FUNCTIONS), -1)
    expected = np.concatenate([torch_of(function, rows.numbers) for function in FUNCTIONS.values()])
    assert found == pytest.approx(expected, rel=1e-14, abs=1e-15)


@pytest.mark.parametrize("language", LANGUAGES)
def test_logarithms_of_zero_are_infinite_and_not_an_error(language, tmp_path):
    rows = numbers([[0.0, 1e-300, 0.25, 1.0]])
    found = answers_of(language, tmp_path, rows, every(rows.numbers), [op.Apply("log"), op.Apply("logit")], op.Clip(-1e3, 1e3))
    assert found[0, :4] == pytest.approx([-1e3, np.log(1e-300), np.log(0.25), 0])
    assert found[0, 4:] == pytest.approx([-1e3, np.log(1e-300), np.log(1 / 3), 1e3])


@pytest.mark.parametrize("language", LANGUAGES)
def test_arithmetic_gaps_and_choices(language, tmp_path):
    rows = numbers([[1.5, np.nan, -0.25, 7.0]])
    fill = (every(rows.numbers), op.FillGaps(np.array([0.0, -3.5, 0.0, 0.0])))
    filled = np.array([1.5, -3.5, -0.25, 7.0])
    four = np.array([0.1, -0.2, 0.3, -4.0])
    functions = {"subtract": np.subtract, "add": np.add, "multiply": np.multiply, "divide": np.divide}
    parts = [op.Arithmetic(name, values) for name in functions for values in (four, np.array([-0.5]))]
    expected = [function(filled, values) for function in functions.values() for values in (four, -0.5)]
    parts += [op.Clip(-1.0, 2.0), op.Select((3, -1, 0))]
    expected += [[1.5, -1.0, -0.25, 2.0], [7.0, 0.0, 1.5]]
    assert (answers_of(language, tmp_path, rows, *fill, parts)[0] == np.concatenate(expected)).all()
    assert answers_of(language, tmp_path, rows, op.Numbers((3, 0), (4,)))[0].tolist() == [7.0, 1.5]
    assert answers_of(language, tmp_path, rows, op.Numbers((2, 3), (4,)))[0].tolist() == [-0.25, 7.0]
    codes = (op.Constant(np.array([1.0, -1.0, 0.0])), op.OneHot((2, 3, 1)))
    assert answers_of(language, tmp_path, rows, *codes)[0].tolist() == [0, 1, 0, 0, 0, 1]


@pytest.mark.parametrize("language", LANGUAGES)
def test_sums_shares_and_norms(language, tmp_path):
    random = np.random.default_rng(0)
    rows = numbers(random.normal(size=(4, 30)) * 100)
    weights, intercepts = random.normal(size=(30, 5)), random.normal(size=5)
    found = answers_of(language, tmp_path, rows, every(rows.numbers), op.Dense(weights, intercepts))
    assert found == pytest.approx(rows.numbers @ weights + intercepts, rel=1e-12)
    shares = answers_of(language, tmp_path, rows, every(rows.numbers), op.Softmax())
    assert shares == pytest.approx(torch.softmax(torch.tensor(rows.numbers), 1).numpy(), abs=1e-15)
    norm = torch.nn.LayerNorm(30, dtype=torch.float64)
    torch.nn.init.normal_(norm.weight)
    factor, shift = norm.weight.detach().numpy(), norm.bias.detach().numpy()
    found = answers_of(language, tmp_path, rows, every(rows.numbers), op.LayerNorm(norm.eps, factor, shift))
    assert found == pytest.approx(torch_of(norm, rows.numbers), rel=1e-9)
    ties = numbers([[1.0, 3.0, -2.0, 3.0], [-np.inf, -5.0, -7.0, -6.0]])
    assert answers_of(language, tmp_path, ties, every(ties.numbers), op.Largest()).tolist() == [[0, 1, 0, 0], [0, 1, 0, 0]]
    lost = numbers([[2.0, 1.0, np.nan, 0.0]])
    with pytest.raises(ParityError, match="this row has no answer: a number is missing"):
        answers_of(language, tmp_path, lost, every(lost.numbers), op.Largest())
    both = answers_of(language, tmp_path, numbers([[0.25]]), op.Numbers(None, (1,)), op.BothClasses())
    assert both.tolist() == [[0.75, 0.25]]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_layer_norm_and_sums_along_the_last_axis(language, tmp_path):
    random = np.random.default_rng(1)
    weights, intercepts = random.normal(size=(42, 3)), random.normal(size=3)
    found = answers_of(language, tmp_path, numbers(LINES), every(LINES), op.Dense(weights, intercepts))
    assert found == pytest.approx((LINES @ weights + intercepts).reshape(5, -1), rel=1e-11)
    norm = torch.nn.LayerNorm(42, dtype=torch.float64)
    found = answers_of(language, tmp_path, numbers(LINES), every(LINES), op.LayerNorm(norm.eps, np.ones(42), np.zeros(42)))
    assert found == pytest.approx(torch_of(norm, LINES), rel=1e-9, abs=1e-12)


def _convolution(layer):
    axes = layer.weight.ndim - 2
    return op.Convolution(
        layer.weight.detach().numpy(),
        layer.bias.detach().numpy(),
        *(tuple(value) for value in (layer.stride, layer.padding, layer.dilation)),
        layer.groups,
    ), axes


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        (torch.nn.Conv2d, {"kernel_size": (3, 2), "stride": (2, 1), "padding": (0, 1), "dilation": (1, 2), "groups": 2}),
        (torch.nn.Conv2d, {"kernel_size": 1}),
        (torch.nn.Conv1d, {"kernel_size": 4, "stride": 3, "padding": 2, "dilation": 2, "groups": 4}),
    ],
)
def test_a_convolution_is_torchs(language, kind, settings, tmp_path):
    layer = kind(4, 8, dtype=torch.float64, **settings)
    operation, axes = _convolution(layer)
    rows = PICTURES if axes == 2 else LINES
    assert answers_of(language, tmp_path, numbers(rows), every(rows), operation) == pytest.approx(torch_of(layer, rows), rel=1e-11)


@pytest.mark.parametrize("language", LANGUAGES)
def test_pooling_and_channel_norms_are_torchs(language, tmp_path):
    rows = np.round(PICTURES * 2) / 2 - 5  # all far below the zeros of a padding
    cases = [
        (torch.nn.MaxPool2d((3, 2), (2, 1), (1, 1)), op.Pooling("max", (3, 2), (2, 1), (1, 1), (1, 1))),
        (torch.nn.MaxPool2d(2, 1, dilation=(2, 3)), op.Pooling("max", (2, 2), (1, 1), (0, 0), (2, 3))),
        (torch.nn.AvgPool2d(3, 2, (1, 0)), op.Pooling("mean", (3, 3), (2, 2), (1, 0), (1, 1))),
        (torch.nn.AvgPool2d(3, 2, 1, count_include_pad=False), op.Pooling("mean", (3, 3), (2, 2), (1, 1), (1, 1), False)),
    ]
    mean, factor, shift = np.random.default_rng(0).normal(size=(3, 4))
    operations = [*(operation for _, operation in cases), op.ChannelNorm(mean, factor, shift)]
    expected = [*(torch_of(layer, rows) for layer, _ in cases)]
    expected.append(((rows - mean[:, None, None]) * factor[:, None, None] + shift[:, None, None]).reshape(5, -1))
    found = answers_of(language, tmp_path, numbers(rows), every(rows), operations)
    assert found == pytest.approx(np.hstack(expected), rel=1e-12)
    lines = LINES - 5
    found = answers_of(language, tmp_path, numbers(lines), every(lines), op.Pooling("max", (3,), (2,), (1,), (1,)))
    assert found == pytest.approx(torch_of(torch.nn.MaxPool1d(3, 2, 1), lines))


def _stump(threshold, *, missing_left, values):
    leaf = np.array([0.0, 0, 0])
    return Tree(
        np.array([1, -1, -1]),
        np.array([2, -1, -1]),
        np.array([0, -2, -2]),
        leaf + threshold,
        np.array([missing_left] * 3),
        np.array([[0.0] * len(values[0]), *values]),
    )


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("single", [True, False])
@pytest.mark.parametrize("strict", [True, False])
def test_trees_compare_at_a_split_as_their_library_does(language, single, strict, tmp_path):
    split = float(np.float32(0.1)) if single else 0.1
    cells = [split, np.nextafter(split, 1), np.nextafter(split, -1), split + 1e-12, 5e-9 + split, np.inf, -np.inf, np.nan, 1e300]
    trees = Trees(
        (_stump(split, missing_left=True, values=[[1.0], [2.0]]), _stump(split, missing_left=False, values=[[10.0], [20.0]])),
        2,
        np.array([0.5, -0.5]),
        single=single,
        strict=strict,
        divisor=2,
    )
    rows = numbers(np.array(cells)[:, None])
    with np.errstate(over="ignore"):
        read = rows.numbers[:, 0].astype(np.float32) if single else rows.numbers[:, 0]
    left = read < split if strict else read <= split
    expected = np.column_stack([np.where(left | np.isnan(read), 1, 2) / 2 + 0.5, np.where(left, 10, 20) / 2 - 0.5])
    assert (answers_of(language, tmp_path, rows, every(rows.numbers), op.TreeSum(trees)) == expected).all()


@pytest.mark.parametrize("language", LANGUAGES)
def test_categories_of_any_name_are_told_apart_from_names_of_the_language(language, tmp_path):
    levels = ("red", "__proto__", "constructor", "toString", "", "</script>\u2028'\"\\`${x}", "\U0001f642")
    operation = op.Category(True, 0, levels, tuple(float(code) for code in range(7)), -1.0, -2.0)
    cells = [*levels, None, "hasOwnProperty", "Red", "red ", "__proto__ ", "nan", "null", "undefined", "None"]
    rows = CheckRows(np.empty((len(cells), 0)), np.array(cells, dtype=object)[:, None])
    found = answers_of(language, tmp_path, rows, operation, inputs=[Input("colour", "text", "category")])
    assert found[:, 0].tolist() == [0, 1, 2, 3, 4, 5, 6, -2] + [-1] * 8


@pytest.mark.parametrize("language", LANGUAGES)
def test_categories_of_numbers_are_equal_as_numbers_are(language, tmp_path):
    operation = op.Category(False, 0, (0.0, 1.0, 2.5, -7.0), (0.0, 1.0, 2.0, 3.0), -1.0, -2.0)
    rows = numbers(np.array([0.0, -0.0, 1.0, 2.5, -7.0, np.nan, np.inf, 2.5000001, 3.0])[:, None])
    found = answers_of(language, tmp_path, rows, operation, inputs=[Input("code")])
    assert found[:, 0].tolist() == [0, 0, 1, 2, 3, -2, -1, -1, -1]


TEXTS = [
    *("", " \t\n", "a b c", "The the THE cat", "cat cat dog", "\U0001f642 ok \U0001f642\U0001f642", "e\u0301t\u00e9 \u00e9t\u00e9"),
    *(
        "Stra\u00dfe STRASSE",
        "\u0130stanbul I\u0307stanbul \u0131",
        "\ufb01ne fine",
        "\u039f\u0394\u039f\u03a3 \u039f\u0394\u039f\u03a3\u0391",
    ),
    *(
        "\u65e5\u672c\u8a9e \u30c6\u30b9\u30c8",
        "\u0915\u093f\u0924\u093e\u092c",
        "1e5 \u00bd\u00bd \u2167 \u0663\u0663",
        "snake_case __ _a",
    ),
    *("x" * 300, "\U0001d400\U0001d401 \U00020000\U00020001", "a\u200db\u200dc dd\u00adee", "don't co-op e-mail", "cat\x00dog"),
]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    "settings",
    [
        {"ngram_range": (1, 2), "sublinear_tf": True},
        {"lowercase": False, "norm": "l1", "binary": True},
        {"norm": None, "use_idf": False, "ngram_range": (2, 3)},
    ],
)
def test_weights_of_words_are_scikit_learns(language, settings, tmp_path):
    model = TfidfVectorizer(**settings).fit(TEXTS)
    terms = op.Terms(
        0,
        tuple(model.get_feature_names_out()),
        len(model.vocabulary_),
        *model.ngram_range,
        model.lowercase,
        model.binary,
        model.sublinear_tf,
        model.idf_ if model.use_idf else None,
        model.norm,
    )
    given = [*TEXTS, None]
    rows = CheckRows(np.empty((len(given), 0)), np.array(given, dtype=object)[:, None])
    found = answers_of(language, tmp_path, rows, terms, inputs=[Input(None, "text", "text")])
    assert found == pytest.approx(model.transform([*TEXTS, ""]).toarray(), rel=1e-12, abs=1e-15)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    "settings", [{"n_features": 64}, {"n_features": 37, "alternate_sign": False, "norm": "l1"}, {"n_features": 5, "binary": True}]
)
def test_hashes_of_words_are_scikit_learns(language, settings, tmp_path):
    model = HashingVectorizer(ngram_range=(1, 2), **settings)
    width = model.n_features
    terms = op.Terms(0, None, width, 1, 2, True, model.binary, False, None, model.norm, model.alternate_sign)
    rows = CheckRows(np.empty((len(TEXTS), 0)), np.array(TEXTS, dtype=object)[:, None])
    found = answers_of(language, tmp_path, rows, terms, inputs=[Input(None, "text", "text")])
    assert found == pytest.approx(model.transform(TEXTS).toarray(), rel=1e-12, abs=1e-15)
