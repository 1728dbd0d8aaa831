import numpy as np
import pytest

from tutelage.data.fingerprint import fingerprint

ROWS = np.arange(6, dtype=np.float32).reshape(3, 2)


@pytest.mark.parametrize("other", [ROWS[::-1], ROWS.astype(np.float64), ROWS.reshape(2, 3), ROWS + 1, ROWS[:2]])
def test_other_values_order_type_or_shape_have_another_name(other):
    assert fingerprint(other) != fingerprint(ROWS)


def test_the_same_values_have_the_same_name_however_they_lie_in_memory():
    assert fingerprint(np.asfortranarray(ROWS)) == fingerprint(ROWS.copy())
    assert fingerprint(ROWS, ROWS) != fingerprint(ROWS)
