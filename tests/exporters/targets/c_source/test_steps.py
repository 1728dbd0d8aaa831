import numpy as np
import pytest

from tutelage.core.answers import AnswerForm
from tutelage.core.errors import BadInput
from tutelage.exporters.program import operations as op
from tutelage.exporters.program.program import Program, Step
from tutelage.exporters.targets.c_source.source import Source
from tutelage.exporters.targets.c_source.steps import write_steps

FORM = AnswerForm("values", "regression")


def source(program):
    return Source(program, "student", "double", "double")


def test_results_that_nothing_reads_any_more_give_up_their_place(program_of_steps):
    layers = [op.Dense(np.ones((4, 4)), np.ones(4)), op.Apply("relu")] * 10
    assert write_steps(source(program_of_steps(layers, (4,)))) == 8


def test_a_result_keeps_its_place_until_its_last_reader(compiled):
    add = op.Arithmetic("add", np.ones(1))
    shape = op.Reshape((1, 2))
    steps = (
        Step(op.Numbers(None, (2,)), (), (2,)),
        Step(add, (0,), (2,)),
        Step(add, (1,), (2,)),  # must not overwrite the step before
        Step(shape, (1,), (1, 2)),
        Step(op.Apply("relu"), (3,), (1, 2)),
        Step(op.Reshape((2,)), (4,), (2,)),
        Step(op.Join(), (1, 2, 5), (6,)),
    )
    found = compiled(Program((), (2,), steps, FORM, np.float64, single=False), np.array([[-3.0, 4.0]])).values
    np.testing.assert_array_equal(found, [[-2, 5, -1, 6, 0, 5]])


def test_what_does_not_fit_on_a_stack_is_refused(program_of_steps):
    wide, back = op.Select((0,) * 200_000), op.Select((0,))
    with pytest.raises(BadInput, match=r"needs 1.5 MiB of working memory.*at most 1 MiB. Export it to ONNX"):
        write_steps(source(program_of_steps([wide, back], (1,))))


def test_the_words_of_a_text_are_refused(program_of_steps):
    terms = op.Terms(0, ("a",), 1, 1, 1, lowercase=True, binary=False, sublinear=False, weights=None, norm=None)
    program = Program((), (), (Step(terms, (), (1,)),), FORM, np.float64, single=False)
    with pytest.raises(BadInput, match="cannot be written in C, which has no way to write the words of a text"):
        write_steps(source(program))
