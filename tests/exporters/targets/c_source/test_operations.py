import numpy as np
import pytest
import torch
from torch.nn import functional

from tutelage.core.answers import AnswerForm
from tutelage.exporters.program import operations as op
from tutelage.exporters.program.program import Program, Step
from tutelage.exporters.subject.inputs import Input

RNG = np.random.default_rng(0)


def numbers(*shape):
    return RNG.normal(size=shape)


DENSE, DENSE_SHIFT = numbers(19, 3), numbers(3)
KERNEL, KERNEL_SHIFT, KERNEL_1D = numbers(6, 2, 3, 2), numbers(6), numbers(6, 4, 3)
CHANNELS = [numbers(4, 1, 1) for _ in range(3)]
FACTOR, SHIFT = numbers(3, 3), numbers(3, 3)
T = torch.from_numpy
CASES = {
    "relu": (op.Apply("relu"), (5,), torch.relu),
    "leaky relu": (op.Apply("leaky_relu", 0.1), (5,), lambda x: functional.leaky_relu(x, 0.1)),
    "elu": (op.Apply("elu", 0.7), (5,), lambda x: functional.elu(x, 0.7)),
    "gelu": (op.Apply("gelu"), (5,), functional.gelu),
    "gelu by tanh": (op.Apply("gelu_tanh"), (5,), lambda x: functional.gelu(x, approximate="tanh")),
    "silu": (op.Apply("silu"), (5,), functional.silu),
    "tanh": (op.Apply("tanh"), (5,), torch.tanh),
    "sigmoid": (op.Apply("sigmoid"), (5,), torch.sigmoid),
    "softmax": (op.Softmax(), (3, 5), lambda x: x.softmax(-1)),
    "clip": (op.Clip(-0.5, 0.5), (5,), lambda x: x.clip(-0.5, 0.5)),
    "select": (op.Select((3, -1, 0)), (5,), lambda x: torch.stack([x[:, 3], 0 * x[:, 0].nan_to_num(), x[:, 0]], dim=1)),
    "subtract": (op.Arithmetic("subtract", CHANNELS[0].ravel()), (4,), lambda x: x - T(CHANNELS[0].ravel())),
    "add": (op.Arithmetic("add", np.array([-2.5])), (4,), lambda x: x - 2.5),
    "multiply": (op.Arithmetic("multiply", CHANNELS[0].ravel()), (4,), lambda x: x * T(CHANNELS[0].ravel())),
    "divide": (op.Arithmetic("divide", CHANNELS[0].ravel()), (4,), lambda x: x / T(CHANNELS[0].ravel())),
    "fill gaps": (op.FillGaps(np.arange(5.0)), (5,), lambda x: torch.where(x.isnan(), torch.arange(5.0, dtype=x.dtype), x)),
    "dense": (op.Dense(DENSE, DENSE_SHIFT), (4, 19), lambda x: x @ T(DENSE) + T(DENSE_SHIFT)),
    "2d convolution": (
        op.Convolution(KERNEL, KERNEL_SHIFT, (2, 1), (1, 2), (2, 1), 2),
        (4, 9, 7),
        lambda x: functional.conv2d(x, T(KERNEL), T(KERNEL_SHIFT), (2, 1), (1, 2), (2, 1), 2),
    ),
    "1d convolution": (
        op.Convolution(KERNEL_1D, KERNEL_SHIFT, (2,), (1,), (2,), 1),
        (4, 9),
        lambda x: functional.conv1d(x, T(KERNEL_1D), T(KERNEL_SHIFT), 2, 1, 2),
    ),
    "2d maximum": (
        op.Pooling("max", (3, 2), (2, 1), (1, 1), (1, 2)),
        (4, 9, 7),
        lambda x: functional.max_pool2d(x, (3, 2), (2, 1), (1, 1), (1, 2)),
    ),
    "1d maximum": (op.Pooling("max", (3,), (2,), (1,), (1,)), (4, 9), lambda x: functional.max_pool1d(x, 3, 2, 1)),
    "mean": (op.Pooling("mean", (3, 2), (2, 1), (1, 1), (1, 1)), (4, 9, 7), lambda x: functional.avg_pool2d(x, (3, 2), (2, 1), (1, 1))),
    "mean of what is there": (
        op.Pooling("mean", (3, 2), (2, 1), (1, 1), (1, 1), counts_padding=False),
        (4, 9, 7),
        lambda x: functional.avg_pool2d(x, (3, 2), (2, 1), (1, 1), count_include_pad=False),
    ),
    "channel norm": (
        op.ChannelNorm(*(each.ravel() for each in CHANNELS)),
        (4, 3, 3),
        lambda x: (x - T(CHANNELS[0])) * T(CHANNELS[1]) + T(CHANNELS[2]),
    ),
    "layer norm": (op.LayerNorm(1e-5, FACTOR, SHIFT), (4, 3, 3), lambda x: functional.layer_norm(x, (3, 3), T(FACTOR), T(SHIFT))),
}


@pytest.mark.exhaustive(every=7)
@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("dtype", [np.float64, pytest.param(np.float32, marks=pytest.mark.slow)])
def test_each_operation_answers_as_torch_does(name, dtype, program_of_steps, compiled):
    operation, shape, reference = CASES[name]
    rows = np.random.default_rng(1).normal(size=(20, *shape))
    rows.reshape(-1)[:8] = [0.0, -0.0, 1e3, -1e3, 1e-310, -50, 50, 3]
    rows[3].reshape(-1)[-2] = np.nan
    rows = rows.astype(dtype)
    expected = reference(torch.from_numpy(rows.astype(np.float64))).reshape(20, -1).numpy()
    found = compiled(program_of_steps([operation], shape, dtype=dtype), rows).values
    scale = np.maximum(1, np.abs(expected)) if name != "layer norm" else 10
    np.testing.assert_allclose(found / scale, expected / scale, rtol=0, atol=1e-12 if dtype == np.float64 else 5e-6)


def test_probabilities_at_their_ends_have_infinite_logarithms(program_of_steps, compiled):
    rows = np.array([[0.0, 1.0, 0.25]])
    np.testing.assert_allclose(compiled(program_of_steps([op.Apply("log")], (3,)), rows).values, [[-np.inf, 0, np.log(0.25)]])
    np.testing.assert_allclose(compiled(program_of_steps([op.Apply("logit")], (3,)), rows).values, [[-np.inf, np.inf, np.log(1 / 3)]])


def test_codes_categories_and_joined_columns(compiled):
    texts = np.array([["b", None], ["a?", "ä"], ["", "x"], ["ab", "Ä"]], dtype=object)
    levels = ("b", "a?", "")
    steps = (
        Step(op.Category(True, 0, levels, (0.0, 1.0, 2.0), -1.0, 3.0), (), (1,)),
        Step(op.Category(True, 1, ("ä", "x"), (1.0, 0.0), -1.0, 1.0), (), (1,)),
        Step(op.Category(False, 0, (2.0, -0.5), (1.0, 0.0), -1.0, 2.0), (), (1,)),
        Step(op.Join(), (0, 1, 2), (3,)),
        Step(op.OneHot((4, 2, 2)), (3,), (8,)),
        Step(op.Constant(np.array([0.5])), (), (1,)),
        Step(op.BothClasses(), (5,), (2,)),
        Step(op.Join(), (4, 6), (10,)),
    )
    inputs = (Input("t", "text"), Input("u", "text"), Input("n"))
    program = Program(inputs, (1,), steps, AnswerForm("values", "regression"), np.float64, single=False)
    found = compiled(program, np.array([[2.0], [-0.5], [np.nan], [7.0]]), texts=texts).values
    expected = [
        [1, 0, 0, 0, 0, 1, 0, 1, 0.5, 0.5],
        [0, 1, 0, 0, 0, 1, 1, 0, 0.5, 0.5],
        [0, 0, 1, 0, 1, 0, 0, 0, 0.5, 0.5],
        [0, 0, 0, 0, 0, 0, 0, 0, 0.5, 0.5],
    ]
    np.testing.assert_array_equal(found, expected)
