import pytest

from tutelage.core.errors import BadInput
from tutelage.workflow.distillation.given.problem import row_set


def test_several_inputs_are_refused_with_the_way_that_takes_them():
    rows = {"input_ids": [[1, 2], [3]], "attention_mask": [[1, 1], [1]]}
    with pytest.raises(BadInput, match=r"several inputs \(input_ids, attention_mask\), and distill takes tables.*tl\.record\(teacher, X\)"):
        row_set(rows, ["a", "b"])
