import numpy as np
import pytest

from tutelage.core.stored.tree_nodes import LEAF
from tutelage.exporters.program import operations as op
from tutelage.exporters.program.trees import Tree, Trees

STUMP = Tree(
    np.array([1, LEAF, LEAF]), np.array([2, LEAF, LEAF]), np.array([1, 0, 0]), np.array([0.1, 0, 0]), np.zeros(3, bool), np.eye(3)[:, :2]
)
GAPS_LEFT = Tree(STUMP.left, STUMP.right, STUMP.feature, STUMP.threshold, np.ones(3, bool), STUMP.values * 10)
LONE = Tree(np.array([LEAF]), np.array([LEAF]), np.zeros(1, int), np.zeros(1), np.zeros(1, bool), np.array([[5.0, 7.0]]))
LIMIT = np.float32(0.1)
CELLS = [
    0.1,
    np.nextafter(0.1, 1),
    float(LIMIT),
    float(np.nextafter(LIMIT, np.float32(1))),
    float(np.nextafter(LIMIT, np.float32(0))),
    np.nan,
    np.inf,
]


@pytest.mark.parametrize("single", [False, True])
@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rows_go_where_the_library_sends_them(single, strict, dtype, program_of_steps, compiled):
    if dtype == np.float32 and not single:
        pytest.skip("such trees read double precision")
    trees = Trees((STUMP, GAPS_LEFT, LONE), 2, np.array([0.5, 0.0]), single, strict, divisor=2)
    rows = np.array([[9.0, cell] for cell in CELLS])
    cells = rows[:, 1].astype(np.float32) if single else rows[:, 1]
    limit = trees.threshold(STUMP)[0]
    left = cells < limit if strict else cells <= limit
    expected = [
        (np.where(one, [0, 1], [0, 0]) + 10 * np.where(one or np.isnan(cell), [0, 1], [0, 0]) + [5, 7]) / 2 + [0.5, 0]
        for one, cell in zip(left, cells, strict=True)
    ]
    found = compiled(program_of_steps([op.TreeSum(trees)], (2,), dtype=dtype), rows.astype(dtype)).values
    np.testing.assert_array_equal(found, expected)


def test_trees_of_one_number_answer_in_turn(program_of_steps, compiled):
    one = [
        Tree(STUMP.left, STUMP.right, STUMP.feature, STUMP.threshold, STUMP.missing_left, np.array([[0], [a], [a + 1.0]])) for a in range(4)
    ]
    trees = Trees(tuple(one), 2, np.zeros(2), single=False)
    found = compiled(program_of_steps([op.TreeSum(trees)], (2,)), np.array([[0, 0.0], [0, 1.0]])).values
    np.testing.assert_array_equal(found, [[0 + 2, 1 + 3], [1 + 3, 2 + 4]])


def test_trees_after_another_step_read_its_result(program_of_steps, compiled):
    trees = Trees((STUMP,), 2, np.zeros(2), single=True)
    steps = [op.Arithmetic("add", np.array([0.0, -1.0])), op.TreeSum(trees)]
    found = compiled(program_of_steps(steps, (2,)), np.array([[0, 1.0], [0, 2.0]])).values
    np.testing.assert_array_equal(found, [[0, 1], [0, 0]])


def test_trees_on_some_columns_read_the_row_itself(compiled):
    from tutelage.core.answers import AnswerForm
    from tutelage.exporters.program.program import Program, Step

    trees = Trees((STUMP,), 2, np.zeros(2), single=True)
    steps = (Step(op.Numbers((0, 299), (300,)), (), (2,)), Step(op.TreeSum(trees), (0,), (2,)))
    rows = np.zeros((2, 300))
    rows[1, 299] = 1
    program = Program((), (300,), steps, AnswerForm("values", "regression"), np.float32, single=False)
    np.testing.assert_array_equal(compiled(program, rows).values, [[0, 1], [0, 0]])
