import numpy as np
import pytest

from tutelage.data.fingerprint import fingerprint

ROWS = np.arange(6, dtype=np.float32).reshape(3, 2)


@pytest.mark.parametrize("other", [ROWS[::-1], ROWS.astype(np.float64), ROWS.reshape(2, 3), ROWS + 1, ROWS[:2]])
def test_other_values_order_dtype_or_shape_give_another_fingerprint(other):
    assert fingerprint(other) != fingerprint(ROWS)


def test_the_fingerprint_does_not_depend_on_the_memory_layout():
    assert fingerprint(np.asfortranarray(ROWS)) == fingerprint(ROWS.copy())
    assert fingerprint(ROWS, ROWS) != fingerprint(ROWS)
